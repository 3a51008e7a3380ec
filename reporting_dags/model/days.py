"""Days, ranges of days, and when a provider serves them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from dateutil.tz import datetime_exists

ONE_DAY = timedelta(days=1)
SNAPSHOT = date(1970, 1, 1)
"""The day that stands for a snapshot report, which has no partitions: all of its runs have this one day."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A range of consecutive days; both ends are included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"a window ends on {self.last}, before it begins on {self.first}")

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        if self.first == SNAPSHOT:
            return "the snapshot"
        return f"{self.first}" if self.first == self.last else f"{self.first}...{self.last}"

    @property
    def days(self) -> list[date]:
        """Every day of the window, oldest first."""
        return [self.first + timedelta(days=n) for n in range(len(self))]


def contiguous_ranges(days: Iterable[date]) -> list[Window]:
    """Return `days` as ranges of consecutive days, oldest first."""
    results: list[Window] = []
    for day in sorted(set(days)):
        if results and results[-1].last + ONE_DAY == day:
            results[-1] = Window(results[-1].first, day)
        else:
            results.append(Window(day, day))
    return results


def ranges(days: Iterable[date], *, most: int | None = None) -> str:
    """Return `days` as text, in ranges: `2026-11-01...2026-11-03, 2026-11-05`; "the snapshot" for `SNAPSHOT`.

    Args:
        days: days in any order.
        most: maximum number of ranges in the text; the number of further ranges is appended. None lists all.
    """
    result = contiguous_ranges(days)
    more = f" and {len(result) - most} more" if most is not None and len(result) > most else ""
    return ", ".join(map(str, result[:most])) + more


def days_in(text: str) -> set[date]:
    """Return the days of a text that `ranges` made; an empty set for an empty text.

    Raises:
        ValueError: the text is not in that format.
    """
    days: set[date] = set()
    for part in filter(None, text.split(", ")):
        if part == str(Window(SNAPSHOT, SNAPSHOT)):
            days.add(SNAPSHOT)
            continue
        first, _, last = part.partition("...")
        days.update(Window(date.fromisoformat(first), date.fromisoformat(last or first)).days)
    return days


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When a provider publishes the days of a report, and how long it keeps them.

    Attributes:
        timezone: IANA name of the time zone in which the report's days begin and end.
        publish_delay: time from the end of a day until the provider publishes it, as local time in the report's time
            zone; in full minutes.
        restated_at: ages in days after publication at which a day is pulled again; empty if it is never restated.
        first_day: the first day that the provider has; None if there is no such limit.
        retention_days: number of days for which the provider keeps data; None if it does not count in days.
        retention_months: number of months for which the provider keeps data; None if it does not count in months.
    """

    timezone: str = "UTC"
    publish_delay: timedelta = timedelta()
    restated_at: tuple[int, ...] = ()
    first_day: date | None = None
    retention_days: int | None = None
    retention_months: int | None = None

    def today(self, now: datetime) -> date:
        """Return the current day in the report's time zone."""
        return now.astimezone(ZoneInfo(self.timezone)).date()

    def published_at(self, day: date) -> datetime:
        """Return when the provider publishes `day`, in UTC: the same local time in the report's time zone all year."""
        midnight = datetime.combine(day + ONE_DAY, time(), tzinfo=ZoneInfo(self.timezone))
        # Python adds to the local time. At the end of daylight saving time, a local time that occurs twice means the
        # second one, as in Dagster's partitions; at its start, a skipped time means the first one after the gap.
        local = (midnight + self.publish_delay).replace(fold=1)
        while not datetime_exists(local):
            local += timedelta(minutes=1)
        return local.astimezone(UTC)

    def begins_at(self, day: date) -> datetime:
        """Return the time, in UTC, at which `day` begins in the report's time zone."""
        return datetime.combine(day, time(), tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)

    def hours(self, window: Window) -> int:
        """Return the number of hours in `window`: days on which daylight saving time changes have 23 or 25."""
        length = self.begins_at(window.last + ONE_DAY) - self.begins_at(window.first)
        return round(length / timedelta(hours=1))

    def latest_available(self, now: datetime) -> date:
        """Return the latest day that the provider has published."""
        day = self.today(now)
        while self.published_at(day) > now:
            day -= ONE_DAY
        return day

    def earliest_available(self, now: datetime) -> date:
        """Return the oldest day that the provider still serves."""
        today = self.today(now)
        bounds = [self.first_day or date.min]
        if self.retention_days is not None:
            bounds.append(today - timedelta(days=self.retention_days))
        if self.retention_months is not None:
            bounds.append(today - relativedelta(months=self.retention_months))
        return max(bounds)

    def expires_at(self, day: date) -> datetime | None:
        """Return when `day` expires at the provider, in UTC; None if it never does."""
        ends: list[date] = []
        if self.retention_days is not None:
            ends.append(day + timedelta(days=self.retention_days))
        if self.retention_months is not None:
            last = day + relativedelta(months=self.retention_months)
            while last + ONE_DAY - relativedelta(months=self.retention_months) <= day:
                last += ONE_DAY
            ends.append(last)
        return self.begins_at(min(ends) + ONE_DAY) if ends else None

    def restatement_age(self, day: date, requested_at: datetime, now: datetime) -> int | None:
        """Return the highest restatement age, in days, that `day` has reached since `requested_at`; None if none."""
        published = self.published_at(day)
        reached = [age for age in self.restated_at if requested_at < published + timedelta(days=age) <= now]
        return max(reached, default=None)

    def is_final(self, day: date, requested_at: datetime) -> bool:
        """Return whether `day` was requested after its last restatement."""
        return requested_at >= self.published_at(day) + timedelta(days=max(self.restated_at, default=0))

    def is_due(self, day: date, requested_at: datetime | None, now: datetime) -> bool:
        """Return whether to request `day`: it is available, and it is missing or restated since `requested_at`."""
        if not self.earliest_available(now) <= day <= self.latest_available(now):
            return False
        return requested_at is None or self.restatement_age(day, requested_at, now) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCalendar(Calendar):
    """The calendar of a snapshot report: its only day is always available, and due once on each calendar day."""

    def published_at(self, day: date) -> datetime:
        """Return the start of `day`: a snapshot has no publish delay."""
        return self.begins_at(day)

    def latest_available(self, now: datetime) -> date:  # noqa: ARG002
        """Return `SNAPSHOT`."""
        return SNAPSHOT

    def earliest_available(self, now: datetime) -> date:  # noqa: ARG002
        """Return `SNAPSHOT`."""
        return SNAPSHOT

    def is_due(self, day: date, requested_at: datetime | None, now: datetime) -> bool:
        """Return whether no snapshot has been requested yet today."""
        return day == SNAPSHOT and (requested_at is None or self.today(requested_at) < self.today(now))
