"""The parameters of a report request, and their validation (MT4, MT5)."""

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
"""The dimensions (MT5), in the order of the documentation and of the columns of the file."""
DAILY, HOURLY = "daily", "hourly"
PARAMETERS = ("timezone", "start_time", "end_time", "dimension_option", "time_granularity", "type")
TYPES = ("1", "2")
UNJOINABLE = tuple((one, other) for one in ("Creative", "Endcard") for other in ("Sub", "Package"))
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
ZONE = re.compile(r"([+-])(\d{1,2})(?::([0-5]\d))?", re.ASCII)
EAST_MINUTES, WEST_MINUTES = 14 * 60, -12 * 60


class RefusedError(Exception):
    """A call that the documentation does not allow: code 10000, with this message."""


@dataclass(frozen=True)
class ReportRequest:
    """A valid request. Both days are included; `dimensions` are in the order of `DIMENSIONS`."""

    first: date
    last: date
    dimensions: tuple[str, ...]
    granularity: str = DAILY
    zone: int = 0
    """Minutes east of UTC."""

    @property
    def days(self) -> list[date]:
        """All requested days, oldest first."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def start(self, day: date) -> datetime:
        """Return when `day` starts in the time zone of the report."""
        return datetime.combine(day, time(), UTC) - timedelta(minutes=self.zone)


def is_download(query: Sequence[tuple[str, str]]) -> bool:
    """Return whether the only `type` of a call is 2."""
    return [value for key, value in query if key == "type"] == ["2"]


def parse(query: Sequence[tuple[str, str]], *, settings: MintegralSettings, now: datetime) -> ReportRequest:
    """Return the request in the parameters of a call.

    Raises:
        RefusedError: they are not valid (MT4, MT5).
    """
    names = [key for key, _ in query]
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise RefusedError(f"{', '.join(duplicates)}: given more than once")
    if not settings.extra_parameters and (unknown := sorted(set(names) - set(PARAMETERS))):
        raise RefusedError(f"{', '.join(unknown)}: no such parameter")
    given = dict(query)
    if given.get("type", "1") not in TYPES:
        raise RefusedError("type must be 1 or 2")
    granularity = given.get("time_granularity", DAILY)
    if granularity not in {DAILY, HOURLY}:
        raise RefusedError("time_granularity must be daily or hourly")
    request = ReportRequest(
        _day(given, "start_time"),
        _day(given, "end_time"),
        _dimensions(given, granularity),
        granularity,
        _zone(given.get("timezone", "+8"), settings),
    )
    _check_days(request, settings, now)
    return request


def _day(given: dict[str, str], name: str) -> date:
    text = given.get(name, "")
    try:
        if DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RefusedError(f"{name} is required, in the format YYYY-mm-dd")


def _dimensions(given: dict[str, str], granularity: str) -> tuple[str, ...]:
    names = given.get("dimension_option", "").split(",")
    if invalid := [name for n, name in enumerate(names) if name not in DIMENSIONS or name in names[:n]]:
        raise RefusedError(f"dimension_option is invalid: {','.join(invalid)}")
    for pair in UNJOINABLE:
        if set(pair) <= set(names):
            raise RefusedError(f"dimension_option does not support {' & '.join(pair)}")
    for name in ("Creative", "Endcard"):
        if name in names and granularity == HOURLY:
            raise RefusedError(f"dimension_option does not support {name} & time_granularity = hourly")
    return tuple(name for name in DIMENSIONS if name in names)


def _zone(text: str, settings: MintegralSettings) -> int:
    if not settings.plus_is_space_error and text.startswith(" "):
        text = f"+{text[1:]}"
    match = ZONE.fullmatch(text)
    if match is not None:
        sign, hours, minutes = match.groups("0")
        zone = int(f"{sign}1") * (int(hours) * 60 + int(minutes))
        if WEST_MINUTES <= zone <= EAST_MINUTES:
            return zone
    raise RefusedError(f"timezone is invalid: {text!r}")


def _check_days(request: ReportRequest, settings: MintegralSettings, now: datetime) -> None:
    """Check MT4. A: a future day is refused."""
    today = (now + timedelta(minutes=request.zone)).date()
    if request.first > request.last:
        raise RefusedError("start_time is after end_time")
    if len(request.days) > settings.max_days:
        raise RefusedError(f"start_time and end_time span more than {settings.max_days} days")
    if request.first < today - relativedelta(months=settings.history_months):
        raise RefusedError("start_time is too long ago: only the last half year can be queried")
    if request.last > today:
        raise RefusedError("end_time is in the future")
