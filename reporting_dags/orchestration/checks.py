"""The asset checks of every report: what landing verified of each day, and how its volume compares with others."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Any

import dagster as dg
import pyarrow.parquet as pq

from reporting_dags.jobs.job import LandedFacts
from reporting_dags.landing.land import CheckResult
from reporting_dags.landing.store import Store
from reporting_dags.model.column import Kind
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.report import Report

BLOCKING: Mapping[str, str] = {
    "schema": "Every declared column is there under its declared type, and the file was read back so.",
    "grain_unique": "No two rows of the day share the report's grain.",
    "day_and_currency": "Every row is of a day that was asked for, and all money is in a known currency.",
    "rows_complete": "As many rows landed as the provider's answer holds, by a count of its own or of its raw bytes.",
}
VOLUME = "volume"
ENTITIES = "entities"
SOURCES_LANDED = "sources_landed"
WARNINGS = frozenset({VOLUME, ENTITIES, SOURCES_LANDED})
"""Checks that warn and block nothing."""
_HISTORY = 14
_ENOUGH = 5
_FACTOR = 2.0
_LOST_SHARE = Decimal("0.05")


def has_entities(report: Report[Any]) -> bool:
    """Whether the report tells by day which apps, sites or offers earned."""
    return bool(report.entity) and report.partitioned


def check_specs(report: Report[Any], partitions: dg.PartitionsDefinition[str] | None) -> list[dg.AssetCheckSpec]:
    """The checks that the asset of `report` evaluates for each of its days."""
    key = dg.AssetKey([report.provider, report.name])
    specs = [
        dg.AssetCheckSpec(name, asset=key, description=text, blocking=True, partitions_def=partitions)
        for name, text in BLOCKING.items()
    ]
    text = f"Rows are within a factor of {_FACTOR:.0f} of the median of the {_HISTORY} days before. A warning only."
    specs.append(dg.AssetCheckSpec(VOLUME, asset=key, description=text, partitions_def=partitions))
    if has_entities(report):
        text = f"No {report.entity} is gone that held more than {_LOST_SHARE:.0%} of the day before. A warning only."
        specs.append(dg.AssetCheckSpec(ENTITIES, asset=key, description=text, partitions_def=partitions))
    return specs


def volume_check(day: date, rows: int, landed: Mapping[date, LandedFacts]) -> CheckResult:
    """Compare `rows` with the trailing median; passes while there are too few days to tell."""
    before = [landed[other].rows for other in sorted(landed) if other < day][-_HISTORY:]
    if len(before) < _ENOUGH:
        return CheckResult(name=VOLUME, passed=True, detail=f"{len(before)} days before: too few to tell", facts={})
    usual = median(before)
    passed = usual / _FACTOR <= rows <= usual * _FACTOR
    detail = f"{rows} rows; the median of the {len(before)} days before is {usual:g}"
    return CheckResult(name=VOLUME, passed=passed, detail=detail, facts={"rows": rows, "trailing_median": usual})


def entities_check(report: Report[Any], day: date, data: Store) -> CheckResult:
    """Compare with the day before: what earned then and is gone now, as a share of that day's money (or rows)."""
    before = _weights(report, day - ONE_DAY, data)
    now = _weights(report, day, data)
    total = sum(before.values(), Decimal())
    lost = {entity: weight for entity, weight in before.items() if entity not in now and weight > 0}
    share = sum(lost.values(), Decimal()) / total if total > 0 else Decimal()
    names = sorted(lost, key=lambda entity: -lost[entity])
    told = f"; gone: {', '.join(names[:10])}" if names else ""
    return CheckResult(
        name=ENTITIES,
        passed=share <= _LOST_SHARE,
        detail=f"{len(now)} of {report.entity}, the day before had {len(before)}{told}",
        facts={"entities": len(now), "lost": len(lost), "lost_share": float(share)},
    )


def _weights(report: Report[Any], day: date, data: Store) -> dict[str, Decimal]:
    """The first money column's sum by entity, or its rows where a report has no money; empty for a missing day."""
    if not data.exists(report.file(day)):
        return {}
    by_header = {column.header: column.name for column in report.kept}
    entity = by_header[report.entity]
    money = next((column.name for column in report.kept if column.kind is Kind.MONEY), None)
    with data.open(report.file(day)) as file:
        table = pq.read_table(file, columns=[entity] if money is None else [entity, money])
    summed = table.group_by(entity).aggregate([(money or entity, "sum" if money else "count")])
    values = summed.column(1 if summed.column_names[0] == entity else 0).to_pylist()
    return {
        str(name): Decimal(value or 0)
        for name, value in zip(summed.column(entity).to_pylist(), values, strict=True)
        if name is not None
    }


def severity(name: str) -> dg.AssetCheckSeverity:
    """Whether a failure of the check `name` is an error or a warning."""
    return dg.AssetCheckSeverity.WARN if name in WARNINGS else dg.AssetCheckSeverity.ERROR


def evaluation(report: Report[Any], day: date, check: CheckResult) -> dg.AssetCheckEvaluation:
    """One day's result of one check, as the event that Dagster records."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey([report.provider, report.name]),
        check_name=check.name,
        passed=check.passed,
        metadata=dict(check.facts),
        severity=severity(check.name),
        description=check.detail,
        blocking=check.name not in WARNINGS,
        partition=day.isoformat() if report.partitioned else None,
    )


def summaries(report: Report[Any], days: Mapping[date, Sequence[CheckResult]]) -> Iterator[dg.AssetCheckResult]:
    """One result a check for the run as a whole: passed when no day failed it.

    A run over one day records it under that day, so it says what was found on the day. A run in which no day came as
    far as being checked has none: nothing was found, and the step fails.
    """
    for name in dict.fromkeys(check.name for checks in days.values() for check in checks):
        told = [(day, check) for day, checks in days.items() for check in checks if check.name == name]
        failed = [f"{day}: {check.detail}" for day, check in told if not check.passed]
        facts: dict[str, int | float | str] = {"days_checked": len(told), "days_failed": len(failed)}
        description = "; ".join(failed[:3]) or f"{len(told)} days passed"
        if len(days) == 1:
            facts, description = dict(told[0][1].facts), told[0][1].detail
        yield dg.AssetCheckResult(
            asset_key=dg.AssetKey([report.provider, report.name]),
            check_name=name,
            passed=not failed,
            severity=severity(name),
            description=description,
            metadata=facts,
        )
