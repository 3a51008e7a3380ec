"""What a request asks, and how anything that the document does not allow is refused."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.responses import JSONResponse

from reporting_dags.sandbox.integr8.settings import Integr8Settings

LARGEST_PAGE = 100
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


class RefusedError(Exception):
    """A request that is refused: with which status, why, and after how many seconds it may be sent again."""

    def __init__(self, status: int, message: str, wait: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.wait = wait

    def answer(self, settings: Integr8Settings) -> JSONResponse:
        """The answer that refuses (IN1)."""
        told = {"message": self.message} if settings.error_shape == "object" else self.message
        headers = {"Retry-After": str(self.wait)} if self.wait is not None and settings.retry_after else None
        return JSONResponse({"error": told}, self.status, headers)


@dataclass(frozen=True)
class Span:
    """The range that is asked for, and the words it was asked in (IN3, IN4, IN10)."""

    start: datetime
    end: datetime
    start_text: str
    end_text: str
    zone: ZoneInfo = field(default=ZoneInfo("UTC"))

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last UTC day that it touches."""
        return self.start.date(), (self.end - timedelta(microseconds=1)).date()


def named(pairs: Sequence[tuple[str, str]], known: Container[str], settings: Integr8Settings) -> dict[str, str]:
    """The parameters by name.

    Raises:
        RefusedError: One is given twice, or is not among those `known`.
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
    """A parameter that must be there and say something.

    Raises:
        RefusedError: It does not.
    """
    if not given.get(name):
        raise RefusedError(400, f"missing required parameter {name}")
    return given[name]


def span(given: Mapping[str, str]) -> Span:
    """The range between `start_time` and `end_time` in `timezone`; A: one that is empty or ends first is refused.

    Raises:
        RefusedError: One of the three is missing or malformed.
    """
    name = given.get("timezone", "UTC")
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise RefusedError(400, f"timezone {name!r} is no IANA time zone") from None
    first, last = required(given, "start_time"), required(given, "end_time")
    start, end = _moment("start_time", first, zone), _moment("end_time", last, zone)
    if end <= start:
        raise RefusedError(400, "end_time must be after start_time")
    return Span(start, end, first, last, zone)


def _moment(name: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        if not _TIME.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedError(400, f"{name} must have the format 2006-01-02 15:04:05") from None


def number(given: Mapping[str, str], name: str, default: int, most: int | None = None) -> int:
    """A whole number from 1 to `most`.

    Raises:
        RefusedError: It is something else.
    """
    text = given.get(name, str(default))
    value = int(text) if _NUMBER.fullmatch(text) else 0
    if value < 1 or (most is not None and value > most):
        raise RefusedError(400, f"{name} must be a number of at least 1" + (f", at most {most}" if most else ""))
    return value
