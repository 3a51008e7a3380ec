"""Transport errors: their descriptions, whether the call may have arrived, and the wait that a provider requests."""

import errno
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3

from reporting_dags.model.errors import Denied, Failed
from reporting_dags.providers.http.deadline import DeadlineExceeded

RETRY_LATER = "Fix: materialize the day again later."


class GzipError(OSError):
    """A gzip body is damaged or truncated; the message says which."""


class Unavailable(Failed):
    """The provider could not be reached, or responded with a server error, at every attempt.

    Attributes:
        retry_after: seconds until a retry, as the provider requests; None if it does not say.
        ambiguous: whether the call may have reached the provider although its response was lost.
        exhausted: whether no further attempt should be made.
        max_attempts: maximum number of attempts for a host that has not yet responded in this run; None for a host
            that has.
    """

    retry_after: float | None = None
    ambiguous: bool = False
    exhausted: bool = False
    max_attempts: int | None = None

    @property
    def unreachable(self) -> bool:
        """Whether the host cannot be reached and has never responded in this run: a setting may be wrong."""
        return self.max_attempts is not None


class RateLimited(Denied):
    """The provider refuses the call because of a rate limit or quota (429).

    Attributes:
        retry_after: seconds until a retry, as the provider requests; None if it does not say.
    """

    retry_after: float | None = None


def parse_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds from `now` until the time in `Retry-After`, which is a number of seconds or a date.

    Returns None if the header is missing or malformed.
    """
    value = headers.get("Retry-After", "").strip()
    try:
        if value.isascii() and value.isdigit():
            return float(int(value))
    except (ValueError, OverflowError):
        return None
    at = parse_http_date(value)
    return None if at is None else max(0.0, (at - now).total_seconds())


def parse_http_date(value: str) -> datetime | None:
    """Parse the date in a header, in UTC if it has no time zone; None if it is not a date."""
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def may_have_arrived(error: BaseException) -> bool:
    """Return whether a call with this error may have reached the provider: False if it failed before it was sent."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return False
    return not _has_cause(error, _NO_CONNECTION)


def is_timeout(error: BaseException) -> bool:
    """Return whether the error is a timeout: while connecting, or while waiting for a byte of the response."""
    timeouts = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)
    return _has_cause(error, timeouts) and not _has_cause(error, _CONNECTION_FAILED)


def is_proxy_error(error: BaseException) -> bool:
    """Return whether the proxy failed, not the provider."""
    return isinstance(error, requests.exceptions.ProxyError)


def error_reason(error: BaseException) -> str:
    """Describe the kind of a transport error, without the URL that the error's own text contains."""
    own = _own_error(error)
    if own is not None:
        return str(own)
    if is_proxy_error(error):
        failed = _has_cause(error, _CONNECTION_FAILED)
        return f"the proxy failed: {_connection_failure(error)}" if failed else "the proxy failed"
    if _has_cause(error, _CONNECTION_FAILED):
        return _connection_failure(error)
    if isinstance(error, requests.exceptions.SSLError):
        reasons = (cause.reason for cause in _causes(error) if isinstance(cause, ssl.SSLError) and cause.reason)
        reason = next(reasons, "")
        return f"TLS failure: {reason.lower().replace('_', ' ')}" if reason else "TLS failure"
    descriptions: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
        (requests.exceptions.ConnectTimeout, "timeout: no connection"),
        ((requests.exceptions.Timeout, urllib3.exceptions.TimeoutError), "timed out"),
        (requests.exceptions.ConnectionError, "connection lost"),
        ((requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError), "the response ended early"),
    )
    return next((text for kind, text in descriptions if isinstance(error, kind)), type(error).__name__)


_CONNECTION_FAILED = urllib3.exceptions.NewConnectionError
_NO_CONNECTION = (_CONNECTION_FAILED, urllib3.exceptions.ConnectTimeoutError)


def _connection_failure(error: BaseException) -> str:
    """Describe why no connection was made."""
    if _has_cause(error, urllib3.exceptions.NameResolutionError):
        return "name not found"
    number = next((cause.errno for cause in _causes(error) if isinstance(cause, OSError) and cause.errno), None)
    descriptions = {
        errno.ECONNREFUSED: "connection refused",
        errno.ENETUNREACH: "network unreachable",
        errno.EHOSTUNREACH: "no route to the host",
    }
    return descriptions.get(number or 0, "no connection")


def _has_cause(error: BaseException, kind: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(cause, kind) for cause in _causes(error))


def _causes(error: object) -> Iterator[BaseException]:
    """Yield `error` and its causes.

    `__context__` is not followed: it may be the error of an earlier call that was being handled.
    """
    while isinstance(error, BaseException):
        yield error
        inner = getattr(error, "reason", None) or getattr(error, "original_error", None) or error.__cause__
        error = inner if isinstance(inner, BaseException) else error.args[0] if error.args else None


def _own_error(error: BaseException | None) -> BaseException | None:
    """Return the error of this package that caused `error`, if there is one: its text contains no URL."""
    while error is not None and not isinstance(error, DeadlineExceeded | GzipError):
        error = error.__cause__ or error.__context__
    return error
