"""The asset checks of every report: what landing verified of each day, and how its volume compares with others."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from statistics import median
from typing import Any

import dagster as dg

from reporting_dags.jobs.job import LandedFacts
from reporting_dags.landing.land import CheckResult
from reporting_dags.model.report import Report

BLOCKING: Mapping[str, str] = {
    "schema": "Every declared column is there under its declared type, and the file was read back so.",
    "grain_unique": "No two rows of the day share the report's grain.",
    "day_and_currency": "Every row is of a day that was asked for, and all money is in a known currency.",
    "rows_complete": "As many rows landed as the provider's answer holds, by a count of its own or of its raw bytes.",
}
VOLUME = "volume"
_HISTORY = 14
_ENOUGH = 5
_FACTOR = 2.0


def check_specs(report: Report[Any], partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """The checks that the asset of `report` evaluates for each of its days."""
    key = dg.AssetKey([report.provider, report.name])
    specs = [
        dg.AssetCheckSpec(name, asset=key, description=text, blocking=True, partitions_def=partitions)
        for name, text in BLOCKING.items()
    ]
    text = f"Rows are within a factor of {_FACTOR:.0f} of the median of the {_HISTORY} days before. A warning only."
    return [*specs, dg.AssetCheckSpec(VOLUME, asset=key, description=text, partitions_def=partitions)]


def volume_check(day: date, rows: int, landed: Mapping[date, LandedFacts]) -> CheckResult:
    """Compare `rows` with the trailing median; passes while there are too few days to tell."""
    before = [landed[other].rows for other in sorted(landed) if other < day][-_HISTORY:]
    if len(before) < _ENOUGH:
        return CheckResult(name=VOLUME, passed=True, detail=f"{len(before)} days before: too few to tell", facts={})
    usual = median(before)
    passed = usual / _FACTOR <= rows <= usual * _FACTOR
    detail = f"{rows} rows; the median of the {len(before)} days before is {usual:g}"
    return CheckResult(name=VOLUME, passed=passed, detail=detail, facts={"rows": rows, "trailing_median": usual})


def severity(name: str) -> dg.AssetCheckSeverity:
    """Whether a failure of the check `name` is an error or a warning."""
    return dg.AssetCheckSeverity.ERROR if name in BLOCKING else dg.AssetCheckSeverity.WARN


def evaluation(key: dg.AssetKey, day: date, check: CheckResult) -> dg.AssetCheckEvaluation:
    """One day's result of one check, as the event that Dagster records."""
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=check.name,
        passed=check.passed,
        metadata=dict(check.facts),
        severity=severity(check.name),
        description=check.detail,
        blocking=check.name in BLOCKING,
        partition=day.isoformat(),
    )


def summaries(key: dg.AssetKey, days: Mapping[date, Sequence[CheckResult]]) -> Iterator[dg.AssetCheckResult]:
    """One result a check for the run as a whole: passed when no day failed it.

    A run over one day records it under that day, so it says what was found on the day. A run in which no day came as
    far as being checked has none: nothing was found, and the step fails.
    """
    for name in (*BLOCKING, VOLUME):
        told = [(day, check) for day, checks in days.items() for check in checks if check.name == name]
        failed = [f"{day}: {check.detail}" for day, check in told if not check.passed]
        facts: dict[str, int | float | str] = {"days_checked": len(told), "days_failed": len(failed)}
        description = "; ".join(failed[:3]) or f"{len(told)} days passed"
        if len(days) == 1 and told:
            facts, description = dict(told[0][1].facts), told[0][1].detail
        if told:
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=name,
                passed=not failed,
                severity=severity(name),
                description=description,
                metadata=facts,
            )
