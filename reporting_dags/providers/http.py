"""The one HTTP session that providers share: timeouts, retries of what is transient, and no credential on a redirect.

A call's headers are made anew for each try, since some providers sign the time into them. Retries stand above the
session, so that whatever counts calls (`before`) sees every one of them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self

import requests
import tenacity
import urllib3
from urllib3.exceptions import InvalidHeader, LocationParseError
from urllib3.util.retry import Retry
from urllib3.util.url import parse_url

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Denied, Failed, ReportingError, SettingError
from reporting_dags.providers.redaction import Redactor, quiet_http_logs

Headers = Callable[[], Mapping[str, str]]
TRANSIENT = frozenset({429, 500, 502, 503, 504})
LARGEST_ANSWER = 8 * 1024 * 1024


class Unavailable(Failed):
    """The provider could not be reached, or answered with a server error, every time that it was asked.

    `ambiguous` means that the call may have reached the provider all the same: only its answer was lost.
    """

    retry_after: float | None = None
    ambiguous: bool = False


class RateLimited(Denied):
    """The provider asks for fewer calls (429)."""

    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole, small answer of an API: status code, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body, or None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of `url`, as the parser reads it that will connect.

    Raises:
        ValueError: no http(s) URL, or one with a user, a backslash or a blank, which parsers read in different ways.
    """
    if not url.isprintable() or "\\" in url or any(character.isspace() for character in url):
        raise ValueError("no plain URL")
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise ValueError("no URL") from None
    ports = {"https": 443, "http": 80}
    if parts.scheme not in ports or not parts.host or parts.auth:
        raise ValueError("no http(s) URL")
    return parts.scheme, parts.host.lower(), parts.port or ports[parts.scheme]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds asked for by `Retry-After`, given in seconds or as a date; None when absent or malformed."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        return max(0.0, Retry().parse_retry_after(value))
    except (InvalidHeader, ValueError, OverflowError):
        return None


def bare_session() -> requests.Session:
    """A session that adds no credentials of its own: netrc is not read, and cookies are not kept."""
    session = requests.Session()
    session.auth = _no_auth
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers["User-Agent"] = "reporting_dags"
    quiet_http_logs()
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class Http:
    """Calls to one provider's API.

    Args:
        name: how messages call the provider.
        base_url: of the API; paths are appended to it.
        redactor: knows the secrets of this provider.
        clock: waits between tries.
        first_delay: seconds before the first retry; each later one doubles, with jitter.
        attempts: tries in all.
        longest_delay: most seconds that one `Retry-After` is waited for; a longer one ends the call.
        timeout: seconds to connect, and between two bytes of an answer.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        redactor: Redactor,
        clock: Clock,
        first_delay: float = 1.0,
        attempts: int = 4,
        longest_delay: timedelta = timedelta(minutes=2),
        timeout: tuple[float, float] = (10.0, 60.0),
    ) -> None:
        self.name = name
        self.base_url = base_url.rstrip("/")
        self.redactor = redactor
        self.timeout = timeout
        try:
            self.host = origin(base_url)[1]
        except ValueError:
            raise SettingError(f"the base URL of {name} is not an http(s) address") from None
        self._session = bare_session()
        self._longest = longest_delay.total_seconds()
        self._retrying = tenacity.Retrying(
            wait=_RetryAfterOr(tenacity.wait_exponential_jitter(multiplier=first_delay, max=60.0, jitter=first_delay)),
            stop=tenacity.stop_after_attempt(attempts),
            sleep=clock.sleep,
            reraise=True,
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = dict,
        params: Mapping[str, str] | None = None,
        body: object = None,
        before: Callable[[], None] | None = None,
    ) -> Answer:
        """One API call; transient failures are tried again, every other status is returned.

        Args:
            method: HTTP method.
            path: appended to the base URL.
            headers: called before each try, so that tokens and signatures are fresh.
            params: query parameters.
            body: sent as JSON when not None.
            before: called before each try; counts calls, and may raise to forbid one.

        Raises:
            Unavailable: no answer, or a server error, at every try.
            RateLimited: 429 at every try, or with a longer wait than is worth it.
        """

        def once() -> Answer:
            fresh = dict(headers())
            if before is not None:
                before()
            return self._once(method, path, fresh, params, body)

        worth = _Worth(longest=self._longest, metered=before is not None)
        return self._retrying.copy(retry=worth)(once)

    def _once(
        self, method: str, path: str, headers: dict[str, str], params: Mapping[str, str] | None, body: object
    ) -> Answer:
        try:
            with self._session.request(
                method,
                self.base_url + path,
                headers=headers,
                params=params,
                json=body,
                timeout=self.timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = response.raw.read(LARGEST_ANSWER + 1, decode_content=True)
                answer = Answer(status=response.status_code, headers=response.headers, body=content)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            unavailable = Unavailable(f"{self.name} at {self.host} did not answer ({why(error)})", advice=LATER)
            unavailable.ambiguous = arrived(error)
            raise unavailable from None
        if len(answer.body) > LARGEST_ANSWER:
            raise Failed(f"{self.name} answered with more than {LARGEST_ANSWER} bytes where a short answer was due")
        if 300 <= answer.status < 400:
            raise Failed(
                f"{self.name} answered {method} {path} with a redirect ({answer.status}), which is not followed "
                "because it could carry the credentials elsewhere",
                advice="Check the base URL of the provider.",
            )
        if answer.status in TRANSIENT:
            raise self._transient(method, path, answer)
        return answer

    def _transient(self, method: str, path: str, answer: Answer) -> ReportingError:
        # Without the body: a gateway's error page may echo the request, credentials and all, in a form of its own.
        line = f"{self.name} answered {method} {path} with {answer.status}"
        wait = retry_after(answer.headers)
        if answer.status == 429:
            asked = "" if wait is None else f"; it asks to wait {wait:.0f} s"
            limited = RateLimited(line + asked, advice="The quota or rate limit is spent.")
            limited.retry_after = wait
            return limited
        unavailable = Unavailable(line, advice=LATER)
        unavailable.retry_after = wait
        return unavailable

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


LATER = "Run the day again later."


def arrived(error: BaseException) -> bool:
    """Whether a call that failed so may have reached the provider: all but what failed before it was sent."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(reason, urllib3.exceptions.NewConnectionError)


def why(error: BaseException) -> str:
    """The kind of a transport error in words, without the URL that its own text would carry."""
    kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
        (requests.exceptions.ConnectTimeout, "no connection in time"),
        ((requests.exceptions.Timeout, urllib3.exceptions.TimeoutError), "timed out"),
        (requests.exceptions.SSLError, "TLS failed"),
        (requests.exceptions.ProxyError, "the proxy failed"),
        ((requests.exceptions.ConnectionError, urllib3.exceptions.NewConnectionError), "connection refused or lost"),
        ((requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError), "the answer broke off"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), type(error).__name__)


class _Worth(tenacity.retry_base):
    """Whether a failed try is worth another: what is transient, as long as no more is asked for than `longest`.

    A call that the provider counts, and that may have reached it, is repeated once: each repetition may cost one.
    """

    def __init__(self, *, longest: float, metered: bool) -> None:
        self._longest = longest
        self._metered = metered

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, RateLimited):
            return error.retry_after is not None and error.retry_after <= self._longest
        if not isinstance(error, Unavailable):
            return False
        if error.ambiguous and self._metered and retry_state.attempt_number > 1:
            return False
        return error.retry_after is None or error.retry_after <= self._longest


class _RetryAfterOr(tenacity.wait.wait_base):
    """The provider's own `Retry-After` where it gave one, else `fallback`."""

    def __init__(self, fallback: tenacity.wait.wait_base) -> None:
        self._fallback = fallback

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, Unavailable | RateLimited) else None
        return self._fallback(retry_state) if asked is None else asked
