"""Digital Turbine's access token (DT1 to DT3): requested once, shared, and replaced once if it is refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Failed
from reporting_dags.providers.digital_turbine.errors import SUPPORT, error_code, refusal_error
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.error_text import error_message
from reporting_dags.providers.http.errors import RETRY_LATER, RateLimited, Unavailable
from reporting_dags.providers.http.response import ApiResponse, json_object

_MARGIN = timedelta(seconds=60)
"""A token is replaced this long before it expires."""
_DEFAULT_SECONDS = 3600
"""Lifetime of a token if the response does not contain a valid one."""
_MAX_SECONDS = 86400
"""A longer lifetime in the response is invalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """A pair of API keys.

    Attributes:
        client_id: the public part.
        client_secret: the secret part.
    """

    client_id: str
    client_secret: str = field(repr=False)


class TokenSession:
    """Authorized calls to Digital Turbine's reporting APIs, for one pair of API keys."""

    def __init__(self, http: HttpClient, keys: ApiKeys, clock: Clock) -> None:
        self._http = http
        self._keys = keys
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._valid_until: datetime | None = None

    def post(self, path: str, *, params: dict[str, str] | None, body: object, meter: Callable[[], None]) -> ApiResponse:
        """POST with a bearer token. If the token is refused, request a new one and repeat the call once (DT3).

        Args:
            path: path of the API.
            params: query parameters.
            body: JSON body.
            meter: called before every attempt, to count it.

        Raises:
            InvalidToken: a new token is refused too.
            InvalidClient, InvalidRequest: the API keys are not accepted.
        """
        response, token = self._post(path, params, body, meter)
        if _is_refused_token(response):
            self._discard_token(token)
            response, token = self._post(path, params, body, meter)
        if _is_refused_token(response):
            raise refusal_error(self._http.name, response, self._http.redactor)
        return response

    def _post(
        self, path: str, params: dict[str, str] | None, body: object, meter: Callable[[], None]
    ) -> tuple[ApiResponse, str]:
        # Before the call, so that a failed login is not retried as part of the call.
        token = self._current_token()
        headers = {"Authorization": f"Bearer {token}"}
        response = self._http.call("POST", path, headers=lambda: headers, params=params, body=body, before=meter)
        return response, token

    def _discard_token(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = ""

    def _current_token(self) -> str:
        with self._lock:
            now = self._clock.now()
            if not self._token or (self._valid_until is not None and now >= self._valid_until):
                self._token, lifetime = self._request_token()
                self._valid_until = now + max(lifetime - _MARGIN, lifetime / 2)
                self._http.redactor.add(self._token)
            return self._token

    def _request_token(self) -> tuple[str, timedelta]:
        """Return a new token and its lifetime."""
        body = {
            "grant_type": "client_credentials",
            "client_id": self._keys.client_id,
            "client_secret": self._keys.client_secret,
        }
        try:
            response = self._http.call("POST", "/auth/v1/token", body=body)
        except RateLimited as error:
            raise Unavailable(f"the login failed: {error.message}", advice=RETRY_LATER) from None
        if response.status != 200:
            raise refusal_error(self._http.name, response, self._http.redactor)
        payload = json_object(response.json())
        if not payload.get("accessToken") and error_message(payload):
            raise refusal_error(f"the login of {self._http.name}", response, self._http.redactor)
        token, kind, lifetime = (payload.get(key) for key in ("accessToken", "tokenType", "expiresIn"))
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token.strip():
            raise Failed(f"{self._http.name} responded to the login without an accessToken (DT1)", advice=SUPPORT)
        if str(kind).lower() != "bearer":
            raise Failed(
                f"{self._http.name} responded to the login with a token of another type than bearer (DT1)",
                advice=SUPPORT,
            )
        is_valid = isinstance(lifetime, int | float) and 0 < lifetime <= _MAX_SECONDS
        return token, timedelta(seconds=float(lifetime or 0) if is_valid else _DEFAULT_SECONDS)


def _is_refused_token(response: ApiResponse) -> bool:
    """Return whether the token is refused: by status 401, or by the error code of a response (DT3)."""
    return response.status == 401 or error_code(response) == "invalid_token"
