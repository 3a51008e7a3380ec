"""Transport that fails: what it is called, whether the call may have arrived, how long the provider asks to wait."""

import errno
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3

from reporting_dags.model.errors import Denied, Failed
from reporting_dags.providers.http.deadline import LateError

RETRY_LATER = "Run the day again later."


class GzipError(OSError):
    """A packed body is damaged or cut short; its text says which."""


class Unavailable(Failed):
    """The provider could not be reached, or answered with a server error, every time that it was asked.

    `ambiguous` means that the call may have reached the provider all the same: only its response was lost. `exhausted`
    means that it was tried as often as is worth it. `max_attempts` is how often it is tried at most where the host has
    never answered in this run; None where it has.
    """

    retry_after: float | None = None
    ambiguous: bool = False
    exhausted: bool = False
    max_attempts: int | None = None

    @property
    def unreachable(self) -> bool:
        """Whether the host cannot be reached and has never answered in this run: a setting may be wrong."""
        return self.max_attempts is not None


class RateLimited(Denied):
    """The provider requests fewer calls (429)."""

    retry_after: float | None = None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds from `now` requested by `Retry-After`, given in seconds or as a date; None when absent or malformed."""
    value = headers.get("Retry-After", "").strip()
    try:
        if value.isascii() and value.isdigit():
            return float(int(value))
    except (ValueError, OverflowError):
        return None
    at = moment(value)
    return None if at is None else max(0.0, (at - now).total_seconds())


def moment(value: str) -> datetime | None:
    """The moment that a header gives as a date; None when it is none."""
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def may_have_arrived(error: BaseException) -> bool:
    """Whether a call that failed so may have reached the provider: all but what failed before it was sent."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return False
    return not _has(error, _NO_CONNECTION)


def timed_out(error: BaseException) -> bool:
    """Whether the call waited as long as it may: for a connection, or for a byte of the response."""
    return _has(error, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)) and not _has(error, _REFUSED)


def by_proxy(error: BaseException) -> bool:
    """Whether it was the proxy in between that failed."""
    return isinstance(error, requests.exceptions.ProxyError)


def reason(error: BaseException) -> str:
    """The kind of a transport error in words, without the URL that its own text would carry."""
    own = _own(error)
    if own is not None:
        return str(own)
    if by_proxy(error):
        return f"the proxy failed: {_refused(error)}" if _has(error, _REFUSED) else "the proxy failed"
    if _has(error, _REFUSED):
        return _refused(error)
    if isinstance(error, requests.exceptions.SSLError):
        reason = next((item.reason for item in _chain(error) if isinstance(item, ssl.SSLError) and item.reason), "")
        return f"TLS failure: {reason.lower().replace('_', ' ')}" if reason else "TLS failure"
    kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
        (requests.exceptions.ConnectTimeout, "timeout: no connection"),
        ((requests.exceptions.Timeout, urllib3.exceptions.TimeoutError), "timed out"),
        (requests.exceptions.ConnectionError, "connection lost"),
        ((requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError), "the response broke off"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), type(error).__name__)


_REFUSED = urllib3.exceptions.NewConnectionError
_NO_CONNECTION = (_REFUSED, urllib3.exceptions.ConnectTimeoutError)


def _refused(error: BaseException) -> str:
    """Why there was no connection."""
    if _has(error, urllib3.exceptions.NameResolutionError):
        return "name not found"
    number = next((item.errno for item in _chain(error) if isinstance(item, OSError) and item.errno), None)
    kinds = {
        errno.ECONNREFUSED: "connection refused",
        errno.ENETUNREACH: "network unreachable",
        errno.EHOSTUNREACH: "no route to the host",
    }
    return kinds.get(number or 0, "no connection")


def _has(error: BaseException, kind: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(item, kind) for item in _chain(error))


def _chain(error: object) -> Iterator[BaseException]:
    """`error` and those that it was made of; not what was being handled meanwhile, which may be of an earlier call."""
    while isinstance(error, BaseException):
        yield error
        inner = getattr(error, "reason", None) or getattr(error, "original_error", None) or error.__cause__
        error = inner if isinstance(inner, BaseException) else error.args[0] if error.args else None


def _own(error: BaseException | None) -> BaseException | None:
    """The error of our own that lies behind `error`, where there is one: its text may be shown."""
    while error is not None and not isinstance(error, LateError | GzipError):
        error = error.__cause__ or error.__context__
    return error
