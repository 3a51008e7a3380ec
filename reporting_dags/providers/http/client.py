"""The HTTP session that providers share: timeouts, retries of transient errors, and no redirects with credentials.

The headers of a call are created again for each attempt, because some providers sign the time in them. Retries happen
above the session, so that the hook that counts calls (`before`) runs for every attempt.
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
from reporting_dags.providers.http.errors import (
    RETRY_LATER,
    RateLimited,
    Unavailable,
    parse_http_date,
    parse_retry_after,
)
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
"""Statuses that a gateway sends: the server behind it may have processed the request."""
_ATTEMPTS_BEFORE_LOOKUP = 2
"""Attempts of a counted call before the caller looks for the job that a lost response may have created."""
_MIN_CLOCK_SKEW = timedelta(minutes=10)
"""A smaller difference between the clocks is ignored."""
_MAX_CLOCK_SKEW = timedelta(days=366)
"""A larger difference means that the `Date` header is wrong."""
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
"""Maximum size of a short response."""


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    headers: Headers
    params: Mapping[str, str] | None
    body: object
    before: Callable[[], None] | None


class HttpClient:
    """A client for one provider's API.

    Args:
        name: name of the provider in messages.
        base_url: base URL of the API; paths are appended to it.
        variable: the environment variable that sets the base URL, for error messages.
        redactor: removes the secrets of this provider from texts.
        clock: waits between attempts.
        first_delay: seconds before the first retry; the delay doubles with each retry, with jitter.
        attempts: maximum number of attempts.
        max_retry_after: longest `Retry-After` that is waited for; a longer one ends the call.
        limits: limits on the duration and size of responses.
        pace: called before each attempt; waits until the provider's rate limit allows it.
        retry_unspecified_429: whether a 429 without `Retry-After` is retried too, at growing intervals.
        can_find_lost_jobs: whether the caller looks for the job of a counted call whose response was lost. The call is
            not repeated then.

    Raises:
        SettingError: `base_url` is not an http(s) URL.
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
        max_retry_after: timedelta = timedelta(minutes=2),
        limits: Limits = DEFAULT_LIMITS,
        pace: Callable[[], None] = lambda: None,
        retry_unspecified_429: bool = False,
        can_find_lost_jobs: bool = False,
    ) -> None:
        self.name = name
        self.base_url = base_url.rstrip("/")
        self.redactor = redactor
        self._limits = limits
        try:
            self._contact = FirstContact(name=name, base_url=base_url, variable=variable, clock=clock)
        except ValueError:
            raise SettingError(
                f"the base URL of {name} is not an http(s) URL", advice=f"Fix: check {variable}."
            ) from None
        self._variable = variable
        self._session = bare_session()
        self._clock = clock
        self._clock_skew: timedelta | None = None
        self._pace = pace
        self._retry_unspecified_429 = retry_unspecified_429
        self._can_find_lost_jobs = can_find_lost_jobs
        self._max_retry_after = max_retry_after.total_seconds()
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
        """Make one API call and return its short response; retry transient errors.

        A response with any other status is returned. A host that has not yet responded in this run gets two quick
        attempts if it cannot be reached, and one if it times out.

        Args:
            method: HTTP method.
            path: path, appended to the base URL.
            headers: called before each attempt, so that tokens and signatures are fresh.
            params: query parameters.
            body: sent as JSON if not None.
            before: called before each attempt; counts the call, and may raise to prevent it. A call with this argument
                is called counted: it may cost quota.

        Raises:
            Unavailable: no response, or a server error, at every attempt.
            RateLimited: 429 at every attempt, or with a `Retry-After` that is too long.
            Failed: the response is a redirect, or too large.
        """
        request = _Call(method, path, headers, params, body, before)

        def attempt() -> ApiResponse:
            with self._send(request, self._limits.response_seconds) as response:
                return self._read_response(request, response)

        retrying = self._retrying.copy(retry=self._retry_condition(request))
        if self._can_find_lost_jobs and before is not None:
            # The caller looks for a lost job first, and then calls again.
            retrying = retrying.copy(stop=tenacity.stop_after_attempt(_ATTEMPTS_BEFORE_LOOKUP))
        return self._with_retries(retrying, attempt)

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
        """Make one API call whose response may be large: the status is known, the body is not read yet.

        The arguments are those of `call`. Errors are retried only until the response begins; a body that breaks off
        later must be requested again by the caller.

        Raises:
            Unavailable, RateLimited, Failed: see `call`.
        """
        request = _Call(method, path, headers, params, body, before)

        def attempt() -> requests.Response:
            response = self._send(request, self._limits.file_seconds)
            try:
                self._check_status(
                    request, ApiResponse(status=response.status_code, headers=response.headers, body=b"")
                )
            except ReportingError:
                response.close()
                raise
            return response

        try:
            response = self._with_retries(self._retrying.copy(retry=self._retry_condition(request)), attempt)
        except Unavailable as error:
            error.exhausted = True
            raise
        try:
            yield self._stream_of(response)
        finally:
            response.close()

    def _with_retries(self, retrying: tenacity.Retrying, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`, which is repeated according to `retrying`."""
        self._contact.check()
        try:
            return retrying(attempt)
        except Unavailable as error:
            self._contact.record_failure(error)
            raise

    def _retry_condition(self, request: "_Call") -> RetryCondition:
        counted = request.before is not None
        max_repeats = None
        if counted:
            # Each repetition may cost quota. A caller that can find a lost job looks for it and does not repeat.
            max_repeats = 0 if self._can_find_lost_jobs else 1
        return RetryCondition(
            max_wait=self._max_retry_after,
            max_repeats=max_repeats,
            retry_unspecified_429=self._retry_unspecified_429 and not counted,
        )

    def _send(self, request: "_Call", seconds: float) -> requests.Response:
        if request.before is not None:
            request.before()
        # Directly before the call: its rate slot and its token are fresh.
        self._pace()
        headers = dict(request.headers())
        started_at = self._clock.now()
        try:
            with deadline(seconds):
                response = self._session.request(
                    request.method,
                    self.base_url + request.path,
                    headers=headers,
                    params=request.params,
                    json=request.body,
                    timeout=self._limits.requests_timeout,
                    allow_redirects=False,
                    stream=True,
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._contact.to_unavailable(error, counted=request.before is not None) from None
        self._contact.record_response()
        responded_at = parse_http_date(response.headers.get("Date", ""))
        if responded_at is not None and abs(started_at - responded_at) < _MAX_CLOCK_SKEW:
            # A response is created after its request starts, so the smallest difference is the most accurate.
            skew = started_at - responded_at
            self._clock_skew = skew if self._clock_skew is None else min(skew, self._clock_skew)
        return response

    @property
    def clock_skew(self) -> timedelta:
        """How far this machine's clock is ahead of the provider's, from the `Date` headers; 0 if it is not ahead."""
        skew = self._clock_skew
        return skew if skew is not None and skew > _MIN_CLOCK_SKEW else timedelta()

    def _stream_of(self, response: requests.Response) -> ResponseStream:
        return ResponseStream.of(response, name=self.name, max_bytes=self._limits.file_bytes)

    def _read_response(self, request: "_Call", http_response: requests.Response) -> ApiResponse:
        try:
            body = self._stream_of(http_response).read_start(MAX_RESPONSE_BYTES + 1)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._contact.to_unavailable(error, counted=request.before is not None) from None
        response = ApiResponse(status=http_response.status_code, headers=http_response.headers, body=body)
        if len(body) > MAX_RESPONSE_BYTES:
            call = f"{request.method} {request.path}"
            raise Failed(f"{self.name} responded to {call} with more than {MAX_RESPONSE_BYTES} bytes; expected fewer")
        self._check_status(request, response)
        return response

    def _check_status(self, request: "_Call", response: ApiResponse) -> None:
        """Raise an error for a redirect or a transient status."""
        if 300 <= response.status < 400:
            raise Failed(
                f"{self.name} responded to {request.method} {request.path} with a redirect ({response.status}), which "
                "is not followed because it could send the credentials to another host",
                advice=f"Fix: check {self._variable}.",
            )
        if response.status in TRANSIENT:
            raise self._transient_error(request.method, request.path, response)

    def _transient_error(self, method: str, path: str, response: ApiResponse) -> ReportingError:
        # Without the body: the error page of a gateway may repeat the request with its credentials.
        line = f"{self.name} responded to {method} {path} with {response.status}"
        wait = parse_retry_after(response.headers, self._clock.now())
        if response.status == 429:
            limited = RateLimited(
                line if wait is None else f"{line} and requests a wait of {wait:.0f} s",
                advice="The quota or rate limit is spent. Fix: materialize the day again "
                f"{'later' if wait is None else 'after that time'}.",
            )
            limited.retry_after = wait
            return limited
        unavailable = Unavailable(line, advice=RETRY_LATER)
        unavailable.ambiguous = response.status in CONNECTION_LOST
        unavailable.retry_after = wait
        return unavailable

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
