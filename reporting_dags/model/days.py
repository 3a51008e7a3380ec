"""Days, contiguous_ranges of days, and when a provider has them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from dateutil.tz import datetime_exists

ONE_DAY = timedelta(days=1)
SNAPSHOT = date(1970, 1, 1)
"""The one day of a report that is not kept by day: two runs of it are about the same thing, whenever they are."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """An unbroken stretch of days, both ends included."""

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
    """The unbroken contiguous_ranges that `days` form, oldest first."""
    results: list[Window] = []
    for day in sorted(set(days)):
        if results and results[-1].last + ONE_DAY == day:
            results[-1] = Window(results[-1].first, day)
        else:
            results.append(Window(day, day))
    return results


def ranges(days: Iterable[date], *, most: int | None = None) -> str:
    """Return `days` as text, in ranges: `2026-11-01...2026-11-03, 2026-11-05`; "the snapshot" for its one day.

    Args:
        days: in any order.
        most: how many ranges are listed; of the others the number is. None lists all.
    """
    result = contiguous_ranges(days)
    more = f" and {len(result) - most} more" if most is not None and len(result) > most else ""
    return ", ".join(map(str, result[:most])) + more


def days_in(text: str) -> set[date]:
    """Return the days of a text that `ranges` wrote; none of an empty text.

    Raises:
        ValueError: it is no such text.
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
    """When a provider has the days of a report, and for how long.

    Attributes:
        timezone: IANA name of the zone in which the report's days begin and end.
        publish_delay: from midnight at the end of a day until the provider publishes it, by the clock of the report's
            time zone; whole minutes.
        restated_at: ages in days, counted from publication, at which a day is worth pulling again; empty if never.
        first_day: the provider's own first day, where it has one.
        retention_days: how many days back the provider serves, where it counts in days.
        retention_months: how many months back the provider serves, where it counts in months.
    """

    timezone: str = "UTC"
    publish_delay: timedelta = timedelta()
    restated_at: tuple[int, ...] = ()
    first_day: date | None = None
    retention_days: int | None = None
    retention_months: int | None = None

    def today(self, now: datetime) -> date:
        """The current day in the report's time zone."""
        return now.astimezone(ZoneInfo(self.timezone)).date()

    def published_at(self, day: date) -> datetime:
        """Return when the provider publishes `day`, in UTC: at the same time of day in the report's zone all year."""
        midnight = datetime.combine(day + ONE_DAY, time(), tzinfo=ZoneInfo(self.timezone))
        # Python adds to the local time. One that clocks show twice is the second, as Dagster has it in its partitions;
        # one that they skip is the time at which they go on.
        local = (midnight + self.publish_delay).replace(fold=1)
        while not datetime_exists(local):
            local += timedelta(minutes=1)
        return local.astimezone(UTC)

    def begins_at(self, day: date) -> datetime:
        """The moment, in UTC, at which `day` begins in the report's time zone."""
        return datetime.combine(day, time(), tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)

    def hours(self, window: Window) -> int:
        """Hours of `window` in the report's time zone: days on which clocks change have 23 or 25."""
        length = self.begins_at(window.last + ONE_DAY) - self.begins_at(window.first)
        return round(length / timedelta(hours=1))

    def latest_available(self, now: datetime) -> date:
        """The latest day whose data is published."""
        day = self.today(now)
        while self.published_at(day) > now:
            day -= ONE_DAY
        return day

    def earliest_available(self, now: datetime) -> date:
        """The oldest day that the provider still serves."""
        today = self.today(now)
        bounds = [self.first_day or date.min]
        if self.retention_days is not None:
            bounds.append(today - timedelta(days=self.retention_days))
        if self.retention_months is not None:
            bounds.append(today - relativedelta(months=self.retention_months))
        return max(bounds)

    def expires_at(self, day: date) -> datetime | None:
        """When `day` expires at the provider, in UTC; None if it never does."""
        ends: list[date] = []
        if self.retention_days is not None:
            ends.append(day + timedelta(days=self.retention_days))
        if self.retention_months is not None:
            last = day + relativedelta(months=self.retention_months)
            while last + ONE_DAY - relativedelta(months=self.retention_months) <= day:
                last += ONE_DAY
            ends.append(last)
        return self.begins_at(min(ends) + ONE_DAY) if ends else None

    def restatement_age(self, day: date, asked_at: datetime, now: datetime) -> int | None:
        """The oldest age, in days, that `day` has reached since it was requested and at which it restates."""
        out = self.published_at(day)
        reached = [age for age in self.restated_at if asked_at < out + timedelta(days=age) <= now]
        return max(reached, default=None)

    def is_final(self, day: date, asked_at: datetime) -> bool:
        """Whether `day` was requested when it had reached the last age at which it restates."""
        return asked_at >= self.published_at(day) + timedelta(days=max(self.restated_at, default=0))

    def is_due(self, day: date, asked_at: datetime | None, now: datetime) -> bool:
        """Whether `day` is worth requesting: served and missing, or requested before an age at which it restates."""
        if not self.earliest_available(now) <= day <= self.latest_available(now):
            return False
        return asked_at is None or self.restatement_age(day, asked_at, now) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCalendar(Calendar):
    """Of a report that is not kept by day: its one day is always there, and due again on every new day."""

    def published_at(self, day: date) -> datetime:
        """The beginning of its one day."""
        return self.begins_at(day)

    def latest_available(self, now: datetime) -> date:  # noqa: ARG002
        """Its one day."""
        return SNAPSHOT

    def earliest_available(self, now: datetime) -> date:  # noqa: ARG002
        """Its one day."""
        return SNAPSHOT

    def is_due(self, day: date, asked_at: datetime | None, now: datetime) -> bool:
        """Whether none has been taken yet today."""
        return day == SNAPSHOT and (asked_at is None or self.today(asked_at) < self.today(now))
