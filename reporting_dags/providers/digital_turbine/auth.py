"""Digital Turbine's access token (DT1 to DT3): fetched once, shared, refreshed once when it is refused."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Failed
from reporting_dags.providers.digital_turbine.errors import SUPPORT, code_of, refusal
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.error_text import error_texts
from reporting_dags.providers.http.errors import RETRY_LATER, RateLimited, Unavailable
from reporting_dags.providers.http.response import ApiResponse, json_object

_MARGIN = timedelta(seconds=60)
_DEFAULT_SECONDS = 3600
_MAX_SECONDS = 86400


class TokenSession:
    """Authorized calls to Digital Turbine's reporting APIs, for one pair of API keys."""

    def __init__(self, http: HttpClient, *, client_id: str, client_secret: str, clock: Clock) -> None:
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._good_until: datetime | None = None
        http.redactor.add(client_id)
        http.redactor.add(client_secret)

    @property
    def http(self) -> HttpClient:
        """The unauthorized session underneath."""
        return self._http

    def post(self, path: str, *, params: dict[str, str] | None, body: object, meter: Callable[[], None]) -> ApiResponse:
        """POST with a bearer token. A token that is refused is replaced once (DT3); `meter` counts every try.

        Raises:
            InvalidToken: refused with a fresh token too.
            InvalidClient, InvalidRequest: the API keys are not accepted.
        """
        answer, used = self._post(path, params, body, meter)
        if _is_refused_token(answer):
            self._forget(used)
            answer, used = self._post(path, params, body, meter)
        if _is_refused_token(answer):
            raise refusal(self._http.name, answer, self._http.redactor)
        return answer

    def _post(
        self, path: str, params: dict[str, str] | None, body: object, meter: Callable[[], None]
    ) -> tuple[ApiResponse, str]:
        # Fetched before the call, so that a login that fails is not tried again within the tries of the call.
        token = self._current()
        bearer = {"Authorization": f"Bearer {token}"}
        answer = self._http.call("POST", path, headers=lambda: bearer, params=params, body=body, before=meter)
        return answer, token

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = ""

    def _current(self) -> str:
        with self._lock:
            now = self._clock.now()
            if not self._token or (self._good_until is not None and now >= self._good_until):
                self._token, lifetime = self._fetch()
                self._good_until = now + max(lifetime - _MARGIN, lifetime / 2)
                self._http.redactor.add(self._token)
            return self._token

    def _fetch(self) -> tuple[str, timedelta]:
        body = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
        }
        try:
            answer = self._http.call("POST", "/auth/v1/token", body=body)
        except RateLimited as error:
            raise Unavailable(f"the login of {error.message}", advice=RETRY_LATER) from None
        if answer.status != 200:
            raise refusal(self._http.name, answer, self._http.redactor)
        payload = json_object(answer.json())
        if not payload.get("accessToken") and error_texts(payload):
            raise refusal(f"the login of {self._http.name}", answer, self._http.redactor)
        token, kind, lifetime = (payload.get(key) for key in ("accessToken", "tokenType", "expiresIn"))
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token.strip():
            raise Failed(f"{self._http.name} answered the login without an accessToken (DT1)", advice=SUPPORT)
        if str(kind).lower() != "bearer":
            raise Failed(
                f"{self._http.name} answered the login with a token that is not a bearer (DT1)", advice=SUPPORT
            )
        known = isinstance(lifetime, int | float) and 0 < lifetime <= _MAX_SECONDS
        return token, timedelta(seconds=float(lifetime or 0) if known else _DEFAULT_SECONDS)


def _is_refused_token(answer: ApiResponse) -> bool:
    """Whether the token is refused: by status 401, or in a response that has another status (DT3)."""
    return answer.status == 401 or code_of(answer) == "invalid_token"
