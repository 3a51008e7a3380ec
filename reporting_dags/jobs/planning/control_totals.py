"""Control totals: the totals of a second, coarser query, compared with the landed days.

A control report returns the money of a day, or its number of rows in a measure named `ROWS`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.decimals import distance
from reporting_dags.model.report import ROWS, Report

HALF_CENT = Decimal("0.005")
"""Amounts with a smaller difference are equal to the cent."""
CONTROL_DAYS = 30
"""How many days a control query covers, where one query may cover so many: it costs the same."""
_AFTER = timedelta(hours=1)
"""From a day's publication until the control is requested: normally the day has landed by then."""
_WITHOUT = timedelta(hours=6)
"""After this time the control is requested even if the day has not landed."""
_TRIES = 2
"""How often a day is requested again because of one total; a difference that stays is final."""
_SEEN = timedelta(days=2)
"""A day whose control total is older than this, compared with the newest, is no longer covered by the control."""

Facts = Mapping[date, MaterializationRecord]
Money = Mapping[str, Mapping[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A day whose control total differs from what landed.

    Attributes:
        day: the partition.
        landed: the landed amount.
        control: the control total.
        newer: whether the control was requested after the day.
        attempts: how often the day landed with a difference since the control first returned this total.
        is_recent: whether the control still covers the day.
    """

    day: date
    landed: str
    control: str
    newer: bool
    attempts: int
    is_recent: bool

    @property
    def is_lasting(self) -> bool:
        """Whether requesting the day again did not help, and would waste quota."""
        return self.attempts >= _TRIES

    def __str__(self) -> str:
        message = f"{self.day} landed {self.landed}, the control total is {self.control}"
        return f"{message}, also after {_TRIES} more landings" if self.is_lasting else message


def differences(landed: Facts, control: Facts, tries: Mapping[date, int]) -> list[Difference]:
    """Return the days whose money differs by a cent or more, or whose rows differ, oldest first."""
    results: list[Difference] = []
    last = max((facts.requested_at for facts in control.values()), default=None)
    for day in sorted(set(landed) & set(control)):
        own, other = landed[day], control[day]
        message = next(_differing(own.money_sums, own.rows, other), None)
        if message is not None:
            newer, seen = (
                other.requested_at > own.requested_at,
                last is not None and last - other.requested_at < _SEEN,
            )
            results.append(Difference(day, *message, newer=newer, attempts=tries.get(day, 0), is_recent=seen))
    return results


def failed_attempts(
    control: Facts, controls: Sequence[MaterializationRecord], landings: Sequence[MaterializationRecord]
) -> dict[date, int]:
    """Return how often each day landed with a difference since the control first returned its total.

    The first landing that differs after one that agreed is the fault itself, not an attempt to repair it.

    Args:
        control: the control totals of each day.
        controls: earlier control totals, oldest first.
        landings: earlier materializations, oldest first.
    """
    results: dict[date, int] = {}
    for day, other in control.items():
        since: MaterializationRecord | None = None
        for record in (item for item in controls if item.day == day):
            since = record if since is None or not _same_total(since, record) else since
        results[day] = _failed_since(other, since, [item for item in landings if item.day == day])
    return results


def _failed_since(
    control: MaterializationRecord, since: MaterializationRecord | None, landings: Sequence[MaterializationRecord]
) -> int:
    requested: set[datetime] = set()
    for item in reversed(landings):
        if since is None or item.requested_at <= since.requested_at:
            return len(requested)
        if next(_differing(item.money_sums, item.rows, control), None) is None:
            return max(0, len(requested) - 1)
        requested.add(item.requested_at)
    return len(requested)


def _same_total(one: MaterializationRecord, other: MaterializationRecord) -> bool:
    if not other.money:
        return one.data_version == other.data_version
    return all(distance(before, after) < HALF_CENT for _, before, after in _amounts(one.money_sums, other.money_sums))


def _differing(money: Money, rows: int, control: MaterializationRecord) -> Iterator[tuple[str, str]]:
    """Yield each amount that differs: as it landed, and as the control has it."""
    for name, item, other in _amounts(money, control.money_sums):
        if distance(item, other) >= HALF_CENT:
            yield f"{item:.2f} {name}", f"{other:.2f}"
    counted = control.totals.get(ROWS)
    if counted is not None and int(counted) != rows:
        yield f"{rows} rows", f"{counted}"


def _amounts(landed: Money, control: Money) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Yield the amounts by column and currency: name, landed amount, control total."""
    for column, sums in control.items():
        own = landed.get(column, {})
        for currency in sorted({*sums, *own}):
            yield f"{currency} of {column}", own.get(currency, Decimal()), sums.get(currency, Decimal())


def days_compared(landed: Facts, control: Facts) -> int:
    """Return the number of days that have both."""
    return len(set(landed) & set(control))


def control_window(report: Report, landed: Facts, control: Facts, now: datetime) -> Window | None:
    """Return the days whose control totals should be requested now, in one query; None if it is not time.

    Requested once a day, when the latest day has landed; further back than the declared restatement ages, so that
    ages that are too short are noticed.
    """
    calendar = report.calendar
    # In the hour after a publication the day before is the latest: a report without totals does not wait for the next.
    newest = calendar.latest_available(now - _AFTER)
    out = calendar.published_at(newest)
    last = max((facts.requested_at for facts in control.values()), default=None)
    if last is not None and last >= out + _AFTER:
        return None
    if newest not in landed and now < out + _WITHOUT:
        return None
    days = max(CONTROL_DAYS, 2 * max(calendar.restated_at, default=0))
    days = min(days, report.control.window_days if report.control is not None else days)
    first = max(newest - (days - 1) * ONE_DAY, calendar.earliest_available(now))
    known = [day for day in landed if first <= day <= newest]
    return Window(min(known), newest) if known else None
