"""The asset checks of every report: their texts, and the results that compare a day with other days."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from statistics import median
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.jobs.ledger.entity_history import Listed
from reporting_dags.jobs.planning.report_health import CONTROL_TOTALS, REPORT_CHECKS, command_for
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.landing.reading.entities import Weights, lost_share, weights
from reporting_dags.landing.storage.store import Store
from reporting_dags.landing.writing.land import CheckResult
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.errors import StorageError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.storage import OpenStorage

GRAIN_UNIQUE = "grain_unique"
BLOCKING: Mapping[str, str] = {
    "schema": "All declared columns are present with their declared types, verified by reading the file back. If it "
    "fails, nothing is published: compare the declaration with the values that the result shows.",
    GRAIN_UNIQUE: "No two rows of the partition share the report's key (its grain), and no row is the total of the "
    "others.",
    "day_and_currency": "Every row belongs to the partition's day, and all money is in a declared currency. If it "
    "fails, nothing is published: check the declared time zone and currencies.",
    "rows_complete": "The row count equals the provider's count, or an independent count of the raw response. If it "
    "fails, nothing is published: materialize the partition again.",
}
VOLUME = "volume"
ENTITIES = "entities"
GONE = "gone"
"""Metadata of a result: the names of what is gone."""
HOURS = "hours"
SOURCES_LANDED = "sources_landed"
CURRENCY_KNOWN = "currency_known"
WARNINGS = frozenset({VOLUME, ENTITIES, HOURS, SOURCES_LANDED, CURRENCY_KNOWN})
"""Checks that warn and block nothing, of whatever report."""
_HISTORY = 14
_ENOUGH = 5
_FACTOR = 2.0
_LOST_SHARE = Fraction(1, 20)
_NAMED = 10


def has_entities(report: Report) -> bool:
    """Return whether the rows of a day name the apps, sites or offers that earned."""
    return bool(report.entity) and report.partitioned


def check_specs(report: Report, partitions: dg.PartitionsDefinition[str] | None) -> list[dg.AssetCheckSpec]:
    """Return the checks of a report's asset: those of each partition, then those of the report as a whole."""
    key = key_of(report)
    specs: list[dg.AssetCheckSpec] = []
    for name, guarantee in BLOCKING.items():
        assumed = name == GRAIN_UNIQUE and not report.grain_promised
        text = guarantee
        if name == GRAIN_UNIQUE:
            text += " A warning: no document promises it." if assumed else " If it fails, nothing is published."
        specs.append(
            dg.AssetCheckSpec(name, asset=key, description=text, blocking=not assumed, partitions_def=partitions)
        )
    text = (
        f"The row count is within a factor of {_FACTOR:.0f} of the median of the {_HISTORY} days before. A warning: "
        "if the network's own dashboard shows other numbers, materialize the partition again."
    )
    specs.append(dg.AssetCheckSpec(VOLUME, asset=key, description=text, partitions_def=partitions))
    if has_entities(report):
        text = (
            f"Values of {report.entity} that are missing since the day before, or since the previous version of the "
            f"day, account for at most {float(_LOST_SHARE):.0%} of the money. A warning: if they should be there, "
            "materialize the partition again."
        )
        specs.append(dg.AssetCheckSpec(ENTITIES, asset=key, description=text, partitions_def=partitions))
    elif not report.partitioned:
        text = (
            f"At most {float(_LOST_SHARE):.0%} of the entities of the previous snapshot are missing. A warning: what "
            "was known of missing entities is kept."
        )
        specs.append(dg.AssetCheckSpec(ENTITIES, asset=key, description=text))
    if report.hour:
        text = "Every hour of the day has rows, unless the day has none. A warning: the day may not be complete yet."
        specs.append(dg.AssetCheckSpec(HOURS, asset=key, description=text, partitions_def=partitions))
    if report.partitioned:
        # Of the report as a whole, not of a partition.
        names = [name for name in REPORT_CHECKS if name != CONTROL_TOTALS or report.control is not None]
        specs += [dg.AssetCheckSpec(name, asset=key, description=REPORT_CHECKS[name]) for name in names]
    return specs


def volume_check(day: date, rows: int, landed: Mapping[date, MaterializationRecord]) -> CheckResult:
    """Compare `rows` with the trailing median; passes while there are too few days to compare."""
    before = [landed[other].rows for other in sorted(landed) if other < day][-_HISTORY:]
    if len(before) < _ENOUGH:
        return CheckResult(name=VOLUME, passed=True, detail=f"{len(before)} days before: too few to compare", facts={})
    usual = median(before)
    passed = usual / _FACTOR <= rows <= usual * _FACTOR
    detail = f"{rows} rows; the median of the {len(before)} days before is {usual:g}"
    return CheckResult(name=VOLUME, passed=passed, detail=detail, facts={"rows": rows, "trailing_median": usual})


def entities_check(report: Report, day: date, data: Store, *, earlier: Weights | None = None) -> CheckResult:
    """Check that entities that earned on the day before, or in the `earlier` version of the day, are still there."""
    now = weights(report, day, data)
    gone: dict[str, Fraction] = {}
    for before in (_weights_before(report, day, data), earlier or {}):
        for name, share in lost_share(before, now).items():
            gone[name] = max(share, gone.get(name, Fraction()))
    share = sum(gone.values(), Fraction())
    passed = share <= _LOST_SHARE
    largest = [name for name, item in gone.items() if item > _LOST_SHARE] or list(gone)
    message = f"; gone: {', '.join(list(gone)[:_NAMED])}, {float(share):.1%} of what was earned" if gone else ""
    fix = "" if passed else f". If that cannot be, ask again: {command_for(report, [day])}"
    return CheckResult(
        name=ENTITIES,
        passed=passed,
        detail=f"{len(now)} of {report.entity}{message}{fix}",
        facts={"entities": len(now), "lost": len(gone), "lost_share": float(share), **_gone_names(largest)},
    )


def list_check(report: Report, listed: Listed) -> CheckResult:
    """Check that the latest snapshot of a list still has nearly all entities of the previous one."""
    gone = len(listed.gone)
    share = Fraction(gone, listed.before) if gone else Fraction()
    passed = share <= _LOST_SHARE
    more = f" and {gone - _NAMED} more" if gone > _NAMED else ""
    message = (
        f"; gone: {', '.join(listed.gone[:_NAMED])}{more}, {float(share):.1%} of the snapshot before" if gone else ""
    )
    command = f"dagster asset materialize -m reporting_dags.definitions --select {report.key}"
    fix = "" if passed else f". What was known of them is kept. Fix: if they exist at the provider, {command}"
    return CheckResult(
        name=ENTITIES,
        passed=passed,
        detail=f"{listed.entities} entities{message}{fix}",
        facts={"entities": listed.entities, "lost": gone, "lost_share": float(share), **_gone_names(listed.gone)},
    )


def _gone_names(names: Iterable[str]) -> dict[str, str]:
    """Return the metadata that names missing entities; it is the same for every day that misses the same ones."""
    results = sorted(names)
    more = [f"and {len(results) - _NAMED} more"] if len(results) > _NAMED else []
    return {GONE: ", ".join([*results[:_NAMED], *more])} if results else {}


def _weights_before(report: Report, day: date, data: Store) -> Weights:
    """Return the weights of the day before; empty if its file is damaged, which `verify` reports."""
    try:
        return weights(report, day - ONE_DAY, data)
    except StorageError:
        return {}


def hours_check(report: Report, day: date, data: Store) -> CheckResult:
    """Check that every hour of the day, which can have 23 or 25 of them, has rows."""
    (column,) = (column.name for column in report.stored_columns if column.header == report.hour)
    try:
        with data.open(report.file(day)) as file:
            moments = set(pq.read_table(file, columns=[column]).column(column).to_pylist())
    except (OSError, pa.ArrowException, KeyError) as error:
        raise data.error("read", error) from None
    begins = report.calendar.begins_at(day)
    hours = [begins + timedelta(hours=n) for n in range(report.calendar.hours(Window(day, day)))]
    missing = [hour for hour in hours if hour not in moments] if moments else []
    zone = ZoneInfo(report.calendar.timezone)
    message = f"; none at {', '.join(f'{hour.astimezone(zone):%H:%M}' for hour in missing)}" if missing else ""
    fix = f". If that cannot be, ask again: {command_for(report, [day])}" if missing else ""
    return CheckResult(
        name=HOURS,
        passed=not missing,
        detail=f"{len(hours) - len(missing) if moments else 0} of {len(hours)} hours have rows{message}{fix}",
        facts={"hours": len(hours), "missing": len(missing)},
    )


def blocks(check: CheckResult) -> bool:
    """Return whether a failure of the check is an error rather than a warning."""
    return check.blocking and check.name not in WARNINGS


def severity(check: CheckResult) -> dg.AssetCheckSeverity:
    """Return the severity of a result."""
    return dg.AssetCheckSeverity.ERROR if blocks(check) else dg.AssetCheckSeverity.WARN


def day_checks(report: Report, result: DayResult, opened: OpenStorage) -> tuple[CheckResult, ...]:
    """Return the checks of a landed day: what landing verified, and how the day compares with other days."""
    before = result.provenance.restatement
    compared = comparisons(report, result.day, opened, earlier=before.entities if before else None)
    return (*result.checks, *compared)


def comparisons(report: Report, day: date, opened: OpenStorage, *, earlier: Weights | None = None) -> list[CheckResult]:
    """Return the checks that compare a stored day with other days: its rows, entities and hours.

    Args:
        report: the report.
        day: the partition.
        opened: ledger and stores.
        earlier: the weights of the previous version of the day; None if there was none.

    Raises:
        StorageError: the day cannot be read.
    """
    landed = opened.ledger.materializations.days(report.key)
    if report.partitioned and not landed[day].rows:
        names = [VOLUME, *([ENTITIES] if has_entities(report) else []), *([HOURS] if report.hour else [])]
        detail = "the provider confirmed that the day has no rows: not compared with other days"
        return [CheckResult(name=name, passed=True, detail=detail, facts={"rows": 0}) for name in names]
    results = [volume_check(day, landed[day].rows, landed)]
    if has_entities(report):
        results.append(entities_check(report, day, opened.data, earlier=earlier))
    elif not report.partitioned:
        results.append(list_check(report, opened.ledger.entities.listed(report.key, landed[day].requested_at)))
    if report.hour:
        results.append(hours_check(report, day, opened.data))
    return results
