"""The one HTTP session that providers share: timeouts, retries of what is transient, and no credential on a redirect.

A call's headers are made again for each try, since some providers sign the time into them. Retries stand above the
session, so that whatever counts calls (`before`) sees every one of them.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, TypeVar

import requests
import tenacity
import urllib3

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Failed, ReportingError, SettingError
from reporting_dags.providers.http.connection import bare_session
from reporting_dags.providers.http.deadline import deadline
from reporting_dags.providers.http.errors import RETRY_LATER, RateLimited, Unavailable, moment, retry_after
from reporting_dags.providers.http.first_contact import FirstContact
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.http.response import ApiResponse
from reporting_dags.providers.http.retries import RetryCondition, WaitRetryAfter
from reporting_dags.providers.http.stream import ResponseStream

T = TypeVar("T")
Headers = Callable[[], Mapping[str, str]]
TRANSIENT = frozenset({429, 500, 502, 503, 504})
CONNECTION_LOST = frozenset({502, 504})
"""Responses of a gateway: what stands behind it may have done what was asked."""
_ATTEMPTS_BEFORE_PROBE = 2
_ALIKE = timedelta(minutes=10)
_BROKEN = timedelta(days=366)
"""Clocks that differ by no more than the one are as good as one; a date that differs by more than the other is none."""
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
"""Bytes of a short response, at most."""


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    headers: Headers
    params: Mapping[str, str] | None
    body: object
    before: Callable[[], None] | None


class HttpClient:
    """Calls to one provider's API.

    Args:
        name: how messages call the provider.
        base_url: of the API; paths are appended to it.
        variable: the environment variable of the base URL, which errors name.
        redactor: knows the secrets of this provider.
        clock: waits between tries.
        first_delay: seconds before the first retry; each later one doubles, with jitter.
        attempts: tries in all.
        longest_delay: most seconds that one `Retry-After` is waited for; a longer one ends the call.
        limits: how long responses may take, and how large they may be.
        pace: called before each try; waits until the provider's rate allows it.
        backs_off: whether a 429 that names no wait is tried again too, at growing intervals.
        found_again: whether the caller looks for what became of a counted call whose response was lost, in place of
            a repetition.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        variable: str = "the base URL",
        redactor: Redactor,
        clock: Clock,
        first_delay: float = 1.0,
        attempts: int = 4,
        longest_delay: timedelta = timedelta(minutes=2),
        limits: Limits = DEFAULT_LIMITS,
        pace: Callable[[], None] = lambda: None,
        backs_off: bool = False,
        found_again: bool = False,
    ) -> None:
        self.name = name
        self.base_url = base_url.rstrip("/")
        self.redactor = redactor
        self._limits = limits
        try:
            self._contact = FirstContact(name=name, base_url=base_url, variable=variable, clock=clock)
        except ValueError:
            raise SettingError(f"the base URL of {name} is not an http(s) address") from None
        self._variable = variable
        self._session = bare_session()
        self._clock = clock
        self._clock_skew: timedelta | None = None
        self._pace = pace
        self._backs_off = backs_off
        self._found_again = found_again
        self._longest = longest_delay.total_seconds()
        self._retrying = tenacity.Retrying(
            wait=WaitRetryAfter(tenacity.wait_exponential_jitter(multiplier=first_delay, max=60.0, jitter=first_delay)),
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
    ) -> ApiResponse:
        """One API call; transient failures are tried again, every other status is returned.

        Args:
            method: HTTP method.
            path: appended to the base URL.
            headers: called before each try, so that tokens and signatures are fresh.
            params: query parameters.
            body: sent as JSON when not None.
            before: called before each try; counts calls, and may raise to forbid one.

        A host that has never answered gets two quick tries if it cannot be reached, and one if it is silent.

        Raises:
            Unavailable: no response, or a server error, at every try.
            RateLimited: 429 at every try, or with a longer wait than is worth it.
        """
        request = _Call(method, path, headers, params, body, before)

        def once() -> ApiResponse:
            with self._send(request, self._limits.answer_seconds) as response:
                return self._answer(request, response)

        retrying = self._retrying.copy(retry=self._worth(request))
        if self._found_again and before is not None:
            # The caller asks once more when it has looked.
            retrying = retrying.copy(stop=tenacity.stop_after_attempt(_ATTEMPTS_BEFORE_PROBE))
        return self._tried(retrying, once)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = dict,
        params: Mapping[str, str] | None = None,
        body: object = None,
        before: Callable[[], None] | None = None,
    ) -> Generator[ResponseStream]:
        """One API call whose response may be large: its status is known, its bytes are not read yet.

        Until the response begins it is as `call`; what then breaks off is the caller's to request again.

        Raises:
            Unavailable, RateLimited: as `call` does.
        """
        request = _Call(method, path, headers, params, body, before)

        def once() -> requests.Response:
            response = self._send(request, self._limits.file_seconds)
            try:
                self._refuse(request, ApiResponse(status=response.status_code, headers=response.headers, body=b""))
            except ReportingError:
                response.close()
                raise
            return response

        try:
            response = self._tried(self._retrying.copy(retry=self._worth(request)), once)
        except Unavailable as error:
            error.exhausted = True
            raise
        try:
            yield self._body(response)
        finally:
            response.close()

    def _tried(self, retrying: tenacity.Retrying, once: Callable[[], T]) -> T:
        """Return the result of `once`, which is tried again as `retrying` says."""
        self._contact.check()
        try:
            return retrying(once)
        except Unavailable as error:
            self._contact.failed(error)
            raise

    def _worth(self, request: "_Call") -> RetryCondition:
        metered = request.before is not None
        # A counted call that may have arrived is repeated once, each repetition may cost one; and none on a guess.
        return RetryCondition(
            longest=self._longest,
            repeats=int(not self._found_again) if metered else None,
            backs_off=self._backs_off and not metered,
        )

    def _send(self, request: "_Call", seconds: float) -> requests.Response:
        if request.before is not None:
            request.before()
        # Right before the call, so that none goes out later than it was counted, nor with a token from before the wait.
        self._pace()
        fresh = dict(request.headers())
        began = self._clock.now()
        try:
            with deadline(seconds):
                response = self._session.request(
                    request.method,
                    self.base_url + request.path,
                    headers=fresh,
                    params=request.params,
                    json=request.body,
                    timeout=self._limits.timeout,
                    allow_redirects=False,
                    stream=True,
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._contact.unavailable(error, counted=request.before is not None) from None
        self._contact.answered()
        message = moment(response.headers.get("Date", ""))
        if message is not None and abs(began - message) < _BROKEN:
            # Responses are made after they are requested: the least of all is nearest to the truth.
            self._clock_skew = began - message if self._clock_skew is None else min(began - message, self._clock_skew)
        return response

    @property
    def clock_skew(self) -> timedelta:
        """How far this machine's clock is ahead of the provider's, by the dates of its responses; 0 if it is not."""
        return self._clock_skew if self._clock_skew is not None and self._clock_skew > _ALIKE else timedelta()

    def _body(self, response: requests.Response) -> ResponseStream:
        return ResponseStream.of(response, name=self.name, most=self._limits.file_bytes)

    def _answer(self, request: "_Call", response: requests.Response) -> ApiResponse:
        try:
            content = self._body(response).start(MAX_RESPONSE_BYTES + 1)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._contact.unavailable(error, counted=request.before is not None) from None
        answer = ApiResponse(status=response.status_code, headers=response.headers, body=content)
        if len(answer.body) > MAX_RESPONSE_BYTES:
            raise Failed(
                f"{self.name} answered with more than {MAX_RESPONSE_BYTES} bytes where a short response was due"
            )
        self._refuse(request, answer)
        return answer

    def _refuse(self, request: "_Call", answer: ApiResponse) -> None:
        if 300 <= answer.status < 400:
            raise Failed(
                f"{self.name} answered {request.method} {request.path} with a redirect ({answer.status}), which is not "
                "followed because it could carry the credentials elsewhere",
                advice=f"Fix: check {self._variable}.",
            )
        if answer.status in TRANSIENT:
            raise self._transient(request.method, request.path, answer)

    def _transient(self, method: str, path: str, answer: ApiResponse) -> ReportingError:
        # Without the body: a gateway's error page may echo the request, credentials and all, in a form of its own.
        line = f"{self.name} answered {method} {path} with {answer.status}"
        wait = retry_after(answer.headers, self._clock.now())
        if answer.status == 429:
            pause = "" if wait is None else f"; it asks to wait {wait:.0f} s"
            when = "later" if wait is None else "then"
            limited = RateLimited(line + pause, advice=f"The quota or rate limit is spent: run the day again {when}.")
            limited.retry_after = wait
            return limited
        unavailable = Unavailable(line, advice=RETRY_LATER)
        unavailable.ambiguous = answer.status in CONNECTION_LOST
        unavailable.retry_after = wait
        return unavailable

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
