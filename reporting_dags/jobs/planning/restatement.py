"""Restatement curves: how complete a report is by the age of a day, from the history of materializations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median

from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.decimals import divide
from reporting_dags.model.report import Report

_SHARE_DECIMALS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class RestatementCurve:
    """How complete a report is by the age of a day.

    Attributes:
        report: key of the report.
        days: how many days landed more than once.
        known_share: age in days → the median share of the latest amount that was known then.
        last_change: the oldest age in days at which a change was seen; None if there was none.
        late: days that changed after the last declared restatement age.
    """

    report: str
    days: int
    known_share: Mapping[int, float]
    last_change: int | None
    late: Sequence[date]


def restatement_curve(report: Report, history: Sequence[MaterializationRecord]) -> RestatementCurve:
    """Return the curve of `report`, from its materializations in any order."""
    by_day: dict[date, list[MaterializationRecord]] = {}
    for landing in sorted(history, key=lambda one: one.requested_at):
        by_day.setdefault(landing.day, []).append(landing)
    repeated = {day: result for day, result in by_day.items() if len(result) > 1}
    shares: dict[int, list[float]] = {}
    changes: dict[date, int] = {}
    for day, result in repeated.items():
        final, ages = _amount(result[-1]), set[int]()
        for before, landing in zip([None, *result[:-1]], result, strict=True):
            age = max(0, (landing.requested_at - report.calendar.published_at(day)) // ONE_DAY)
            # Of several landings at one age the first counts: that is what was known.
            if final and age not in ages:
                ages.add(age)
                shares.setdefault(age, []).append(float(divide(_amount(landing), final, decimals=_SHARE_DECIMALS)))
            if before is not None and before.data_version != landing.data_version:
                changes[day] = age
    declared = max(report.calendar.restated_at, default=0)
    return RestatementCurve(
        report=report.key,
        days=len(repeated),
        known_share={age: median(shares[age]) for age in sorted(shares)},
        last_change=max(changes.values(), default=None),
        late=sorted(day for day, age in changes.items() if age > declared),
    )


def _amount(record: MaterializationRecord) -> Decimal:
    """Return the first money column in its first currency, or the rows where there is no money."""
    for sums in record.money_sums.values():
        for currency in sorted(sums):
            return sums[currency]
    return Decimal(record.rows)
