"""The parameters of requests, and their validation."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.responses import JSONResponse

from reporting_dags.sandbox.integr8.settings import Integr8Settings

MAX_PAGE_SIZE = 100
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


class RefusedError(Exception):
    """A refused request: the HTTP status, the message, and the seconds after which a retry is allowed."""

    def __init__(self, status: int, message: str, wait: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.wait = wait

    def response(self, settings: Integr8Settings) -> JSONResponse:
        """Return the error response (IN1)."""
        error = {"message": self.message} if settings.error_shape == "object" else self.message
        headers = {"Retry-After": str(self.wait)} if self.wait is not None and settings.retry_after else None
        return JSONResponse({"error": error}, self.status, headers)


@dataclass(frozen=True)
class TimeRange:
    """The requested time range, and its texts as sent (IN3, IN4, IN10)."""

    start: datetime
    end: datetime
    start_text: str
    end_text: str
    zone: ZoneInfo = field(default=ZoneInfo("UTC"))

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last UTC day of the range."""
        return self.start.date(), (self.end - timedelta(microseconds=1)).date()


def parse(pairs: Sequence[tuple[str, str]], known: Container[str], settings: Integr8Settings) -> dict[str, str]:
    """Return the parameters by name.

    Raises:
        RefusedError: a parameter is duplicated or not in `known`.
    """
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            if settings.unknown_parameters:
                continue
            raise RefusedError(400, f"unknown parameter {name}")
        if name in given:
            raise RefusedError(400, f"parameter {name} is given more than once")
        given[name] = value
    return given


def required(given: Mapping[str, str], name: str) -> str:
    """Return the value of a required parameter.

    Raises:
        RefusedError: it is missing or empty.
    """
    if not given.get(name):
        raise RefusedError(400, f"missing required parameter {name}")
    return given[name]


def time_range(given: Mapping[str, str]) -> TimeRange:
    """Return the range between `start_time` and `end_time` in `timezone`.

    Raises:
        RefusedError: a parameter is missing or invalid, or the end is not after the start (A).
    """
    name = given.get("timezone", "UTC")
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise RefusedError(400, f"timezone {name!r} is not an IANA time zone") from None
    first, last = required(given, "start_time"), required(given, "end_time")
    start, end = _moment("start_time", first, zone), _moment("end_time", last, zone)
    if end <= start:
        raise RefusedError(400, "end_time must be after start_time")
    return TimeRange(start, end, first, last, zone)


def _moment(name: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        if not _TIME.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedError(400, f"{name} must have the format 2006-01-02 15:04:05") from None


def number(given: Mapping[str, str], name: str, default: int, limit: int | None = None) -> int:
    """Return an integer parameter from 1 to `limit`.

    Raises:
        RefusedError: it is not such a number.
    """
    text = given.get(name, str(default))
    value = int(text) if _NUMBER.fullmatch(text) else 0
    if value < 1 or (limit is not None and value > limit):
        raise RefusedError(400, f"{name} must be a number of at least 1" + (f", at most {limit}" if limit else ""))
    return value
