"""Control totals: what a second, coarser query says that the days come to, held against what has landed.

A control tells the money of a day, or counts its rows, in a measure that is called `ROWS`.
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
"""Amounts that are nearer to each other are the same to the cent."""
CONTROL_DAYS = 30
"""How far back a control looks where one question carries so many days: it costs the same."""
_AFTER = timedelta(hours=1)
"""From a day's publication until the control is requested: the day has landed by then, if nothing is amiss."""
_WITHOUT = timedelta(hours=6)
"""After so long the control is requested whether the day has landed or not."""
_TRIES = 2
"""How often a day is requested again on account of one total: what differs then differs for good."""
_SEEN = timedelta(days=2)
"""A control that is requested once a day has looked at a day within so long before its last look, or does no more."""

Facts = Mapping[date, MaterializationRecord]
Money = Mapping[str, Mapping[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A day whose total is another than what landed.

    Attributes:
        day: which.
        landed: what it comes to.
        control: what the control says.
        newer: whether the control was requested after the day was.
        attempts: how often the day has landed otherwise since the control first said so.
        is_recent: whether the control has looked at the day lately, and so may look at it again.
    """

    day: date
    landed: str
    control: str
    newer: bool
    attempts: int
    is_recent: bool

    @property
    def is_lasting(self) -> bool:
        """Whether asking again has not helped, and would spend quota for nothing."""
        return self.attempts >= _TRIES

    def __str__(self) -> str:
        message = f"{self.day} landed {self.landed}, the control says {self.control}"
        return f"{message}, also after {_TRIES} landings more" if self.is_lasting else message


def differences(landed: Facts, control: Facts, tries: Mapping[date, int]) -> list[Difference]:
    """The days of both whose money differs by a cent or more, or whose rows do, oldest first."""
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
    """How often each day of `control` has landed otherwise since it first said what it says; histories oldest first.

    A landing that begins to differ, after one that agreed, is what there is to repair, and not without success.
    """
    results: dict[date, int] = {}
    for day, other in control.items():
        since: MaterializationRecord | None = None
        for record in (item for item in controls if item.day == day):
            since = record if since is None or not _says_the_same(since, record) else since
        results[day] = _in_vain(other, since, [item for item in landings if item.day == day])
    return results


def _in_vain(
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


def _says_the_same(one: MaterializationRecord, other: MaterializationRecord) -> bool:
    if not other.money:
        return one.data_version == other.data_version
    return all(distance(before, after) < HALF_CENT for _, before, after in _amounts(one.money_sums, other.money_sums))


def _differing(money: Money, rows: int, control: MaterializationRecord) -> Iterator[tuple[str, str]]:
    """Each amount that differs, as it landed and as the control has it."""
    for name, item, other in _amounts(money, control.money_sums):
        if distance(item, other) >= HALF_CENT:
            yield f"{item:.2f} {name}", f"{other:.2f}"
    counted = control.totals.get(ROWS)
    if counted is not None and int(counted) != rows:
        yield f"{rows} rows", f"{counted}"


def _amounts(landed: Money, control: Money) -> Iterator[tuple[str, Decimal, Decimal]]:
    """The money that a control tells: which, as it landed, and as the control has it; by column and currency."""
    for column, sums in control.items():
        own = landed.get(column, {})
        for currency in sorted({*sums, *own}):
            yield f"{currency} of {column}", own.get(currency, Decimal()), sums.get(currency, Decimal())


def days_compared(landed: Facts, control: Facts) -> int:
    """How many days there are of both."""
    return len(set(landed) & set(control))


def control_window(report: Report, landed: Facts, control: Facts, now: datetime) -> Window | None:
    """The days whose totals are to be requested now, in one query; None when it is not time.

    Once a day, when the latest day is published and has landed; further back than the report is declared to be
    restated, so that a declared window that is too short is noticed.
    """
    calendar = report.calendar
    newest = calendar.latest_available(now)
    out = calendar.published_at(newest)
    last = max((facts.requested_at for facts in control.values()), default=None)
    if now < out + _AFTER or (last is not None and last >= out + _AFTER):
        return None
    if newest not in landed and now < out + _WITHOUT:
        return None
    days = max(CONTROL_DAYS, 2 * max(calendar.restated_at, default=0))
    days = min(days, report.control.window_days if report.control is not None else days)
    first = max(newest - (days - 1) * ONE_DAY, calendar.earliest_available(now))
    known = [day for day in landed if first <= day <= newest]
    return Window(min(known), newest) if known else None
