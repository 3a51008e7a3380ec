"""A request for a report: what may be asked, and how anything else is refused (MT4, MT5)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from dateutil.relativedelta import relativedelta

from reporting_dags.sandbox.mintegral.settings import MintegralSettings

DIMENSIONS = (
    *("Offer", "Campaign", "CampaignPackage", "Creative", "AdType"),
    *("Sub", "Package", "Location", "Endcard", "AdOutputType"),
)
"""MT5, in the order of the document and of the file's columns."""
DAILY, HOURLY = "daily", "hourly"
PARAMETERS = ("timezone", "start_time", "end_time", "dimension_option", "time_granularity", "type")
TYPES = ("1", "2")
UNJOINABLE = tuple((one, other) for one in ("Creative", "Endcard") for other in ("Sub", "Package"))
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
ZONE = re.compile(r"([+-])(\d{1,2})(?::([0-5]\d))?", re.ASCII)
EAST_MINUTES, WEST_MINUTES = 14 * 60, -12 * 60


class RefusedError(Exception):
    """A call that the document does not allow: code 10000, with this message."""


@dataclass(frozen=True)
class Question:
    """A request that may be answered; both days count; `dimensions` are in the document's order."""

    first: date
    last: date
    dimensions: tuple[str, ...]
    granularity: str = DAILY
    zone: int = 0
    """Minutes east of UTC."""

    @property
    def days(self) -> list[date]:
        """Every day asked for, oldest first."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def start(self, day: date) -> datetime:
        """When `day` starts in the report's zone."""
        return datetime.combine(day, time(), UTC) - timedelta(minutes=self.zone)


def is_download(query: Sequence[tuple[str, str]]) -> bool:
    """Whether a call's type is 2, and that alone."""
    return [value for key, value in query if key == "type"] == ["2"]


def read(query: Sequence[tuple[str, str]], *, settings: MintegralSettings, now: datetime) -> Question:
    """The question that a call's parameters ask.

    Raises:
        RefusedError: Something in them is not allowed (MT4, MT5).
    """
    names = [key for key, _ in query]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RefusedError(f"{', '.join(twice)}: given more than once")
    if not settings.extra_parameters and (unknown := sorted(set(names) - set(PARAMETERS))):
        raise RefusedError(f"{', '.join(unknown)}: no such parameter")
    given = dict(query)
    if given.get("type", "1") not in TYPES:
        raise RefusedError("type must be 1 or 2")
    granularity = given.get("time_granularity", DAILY)
    if granularity not in {DAILY, HOURLY}:
        raise RefusedError("time_granularity must be daily or hourly")
    question = Question(
        _day(given, "start_time"),
        _day(given, "end_time"),
        _dimensions(given, granularity),
        granularity,
        _zone(given.get("timezone", "+8"), settings),
    )
    _check_days(question, settings, now)
    return question


def _day(given: dict[str, str], name: str) -> date:
    text = given.get(name, "")
    try:
        if DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RefusedError(f"{name} is required, in the format YYYY-mm-dd")


def _dimensions(given: dict[str, str], granularity: str) -> tuple[str, ...]:
    asked = given.get("dimension_option", "").split(",")
    if wrong := [name for n, name in enumerate(asked) if name not in DIMENSIONS or name in asked[:n]]:
        raise RefusedError(f"dimension_option is invalid: {','.join(wrong)}")
    for pair in UNJOINABLE:
        if set(pair) <= set(asked):
            raise RefusedError(f"dimension_option does not support {' & '.join(pair)}")
    for name in ("Creative", "Endcard"):
        if name in asked and granularity == HOURLY:
            raise RefusedError(f"dimension_option does not support {name} & time_granularity = hourly")
    return tuple(name for name in DIMENSIONS if name in asked)


def _zone(text: str, settings: MintegralSettings) -> int:
    if not settings.plus_is_space_error and text.startswith(" "):
        text = f"+{text[1:]}"
    found = ZONE.fullmatch(text)
    if found is not None:
        sign, hours, minutes = found.groups("0")
        zone = int(f"{sign}1") * (int(hours) * 60 + int(minutes))
        if WEST_MINUTES <= zone <= EAST_MINUTES:
            return zone
    raise RefusedError(f"timezone is invalid: {text!r}")


def _check_days(question: Question, settings: MintegralSettings, now: datetime) -> None:
    """MT4; a future day is refused (A)."""
    today = (now + timedelta(minutes=question.zone)).date()
    if question.first > question.last:
        raise RefusedError("start_time is after end_time")
    if len(question.days) > settings.max_days:
        raise RefusedError(f"start_time and end_time span more than {settings.max_days} days")
    if question.first < today - relativedelta(months=settings.history_months):
        raise RefusedError("start_time is too long ago: only the last half year can be queried")
    if question.last > today:
        raise RefusedError("end_time is in the future")
