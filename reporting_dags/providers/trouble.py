"""Transport that fails: what it is called, whether the call may have arrived, how long the provider asks to wait."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3

from reporting_dags.model.errors import Denied, Failed
from reporting_dags.providers.deadline import LateError

LATER = "Run the day again later."


class GzipError(OSError):
    """A packed body is damaged or cut short; its text says which."""


class Unavailable(Failed):
    """The provider could not be reached, or answered with a server error, every time that it was asked.

    `ambiguous` means that the call may have reached the provider all the same: only its answer was lost. `exhausted`
    means that it was tried as often as is worth it.
    """

    retry_after: float | None = None
    ambiguous: bool = False
    exhausted: bool = False


class RateLimited(Denied):
    """The provider asks for fewer calls (429)."""

    retry_after: float | None = None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds from `now` asked for by `Retry-After`, given in seconds or as a date; None when absent or malformed."""
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


def arrived(error: BaseException) -> bool:
    """Whether a call that failed so may have reached the provider: all but what failed before it was sent."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(reason, urllib3.exceptions.NewConnectionError)


def why(error: BaseException) -> str:
    """The kind of a transport error in words, without the URL that its own text would carry."""
    told = _told(error)
    if told is not None:
        return str(told)
    kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
        (requests.exceptions.ConnectTimeout, "no connection in time"),
        ((requests.exceptions.Timeout, urllib3.exceptions.TimeoutError), "timed out"),
        (requests.exceptions.SSLError, "TLS failed"),
        (requests.exceptions.ProxyError, "the proxy failed"),
        ((requests.exceptions.ConnectionError, urllib3.exceptions.NewConnectionError), "connection refused or lost"),
        ((requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError), "the answer broke off"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), type(error).__name__)


def _told(error: BaseException | None) -> BaseException | None:
    """The error of our own that lies behind `error`, where there is one: its text may be shown."""
    while error is not None and not isinstance(error, LateError | GzipError):
        error = error.__cause__ or error.__context__
    return error
