"""Runs that execute checks alone: they read the stored partitions again, and call no provider."""

import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date

import dagster as dg

from reporting_dags.jobs.planning.report_health import NEEDS_ACTION, REPORT_CHECKS
from reporting_dags.jobs.verification.repair import Repair, advice, repairs
from reporting_dags.landing.checks.partition import SCHEMA, CheckResult
from reporting_dags.landing.checks.stored import stored_checks
from reporting_dags.landing.storage.staging import staging_folder
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import SNAPSHOT, ranges
from reporting_dags.model.errors import ReportingError, StorageError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import blocks, check_specs, comparisons, severity
from reporting_dags.orchestration.event_log import record_checks
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.report_checks import record_report_checks
from reporting_dags.orchestration.storage import OpenStorage, StorageResource, with_settings


def evaluate_checks(context: dg.AssetExecutionContext, report: Report, start: date) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the selected checks on the stored partitions of the run, or on all of them if the run names none.

    Args:
        context: the context of the run.
        report: the report.
        start: the first day by the settings.

    Raises:
        dg.Failure: stored partitions are damaged; one line names them and the fix.
    """
    yield from evaluate_stored(context, report, start, functools.partial(_checks, report))


def evaluate_stored(
    context: dg.AssetExecutionContext,
    report: Report,
    start: date,
    checks_of: Callable[[date, OpenStorage], Iterable[CheckResult]],
    *,
    built: bool = False,
) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the selected checks, as `evaluate_checks` does, by a function.

    Args:
        context: the context of the run.
        report: the report.
        start: the first day by the settings.
        checks_of: evaluates the checks of one stored partition.
        built: whether the report is built from others.

    Raises:
        dg.Failure: as `evaluate_checks`.
    """
    home: StorageResource = context.resources.home
    damaged: list[date] = []
    fix = ""
    selected = {key.name for key in context.selected_asset_check_keys}
    results: dict[str, list[CheckResult]] = {name: [] for name in sorted(selected - set(REPORT_CHECKS))}
    try:
        with home.open(context.instance) as opened:
            days = _stored_days(context, report, opened)
            context.log.info("%s: evaluating %s", report.key, ranges(days) or "no partition: none is stored")
            for day in days:
                checks = [check for check in checks_of(day, opened) if check.name in results]
                record_checks(context, report, day, checks)
                for check in checks:
                    results[check.name].append(check)
                if any(blocks(check) and not check.passed for check in checks):
                    damaged.append(day)
            if report.partitioned and not _names_partitions(context):
                yield from (_summary(report, name, result) for name, result in results.items())
            record_report_checks(context, report, start, opened)
            fix = _repair_advice(report, damaged, opened, built=built)
    except ReportingError as error:
        raise dg.Failure(f"{report.key}: {error.line}", allow_retries=False) from None
    if damaged:
        line = f"{report.key} {ranges(damaged)}: checks failed, shown on the partitions"
        raise dg.Failure(f"{line}. {fix}", allow_retries=False)


def _repair_advice(report: Report, damaged: Collection[date], opened: OpenStorage, *, built: bool) -> str:
    """Return, in one line, how damaged partitions are repaired without losing any.

    Args:
        report: the report.
        damaged: the partitions.
        opened: ledger and stores.
        built: whether the report is built from others.

    Raises:
        StorageError: the ledger cannot be read.
    """
    now, requested = SystemClock().now(), with_settings(report)
    landed = opened.ledger.materializations.days(report.key)
    result = repairs(
        requested,
        {day: landed[day] for day in damaged},
        built=built,
        ledger=opened.ledger,
        raw=opened.raw,
        scratch=opened.scratch,
        now=now,
    )
    days: defaultdict[Repair, list[date]] = defaultdict(list)
    for day, repair in result.items():
        days[repair].append(day)
    lines = (advice(requested, repair, of_repair, now) for repair, of_repair in days.items())
    return " ".join(f"{first} {'; '.join(commands)}".strip() for first, *commands in lines)


def _stored_days(context: dg.AssetExecutionContext, report: Report, opened: OpenStorage) -> list[date]:
    landed = opened.ledger.materializations.days(report.key)
    if not report.partitioned:
        return [day for day in landed if day == SNAPSHOT]
    if not _names_partitions(context):
        return sorted(landed)
    return [day for day in map(date.fromisoformat, context.partition_keys) if day in landed]


def _names_partitions(context: dg.AssetExecutionContext) -> bool:
    """Return whether the run has partitions; a run of checks alone can be of the whole asset."""
    return context.has_partition_key or context.has_partition_key_range


def _summary(report: Report, name: str, results: Sequence[CheckResult]) -> dg.AssetCheckResult:
    """Return one result for all stored days, which Dagster expects of a run without partitions."""
    failed = [check for check in results if not check.passed]
    detail = f"{len(results) - len(failed)} of {len(results)} stored partitions passed"
    return dg.AssetCheckResult(
        asset_key=key_of(report),
        check_name=name,
        passed=bool(results) and not failed,
        severity=severity(failed[0]) if failed else dg.AssetCheckSeverity.WARN,
        description=detail if results else "nothing to evaluate: no partition is stored",
        metadata={"partitions": len(results), "failed": len(failed)},
    )


def _checks(report: Report, day: date, opened: OpenStorage) -> list[CheckResult]:
    facts = opened.ledger.materializations.days(report.key)[day]
    with staging_folder(opened.data) as folder:
        checks = list(stored_checks(with_settings(report), day, facts, opened.data, folder))
    reason = "the stored partition cannot be read"
    if all(check.passed for check in checks if check.name == SCHEMA):
        try:
            return [*checks, *comparisons(report, day, opened)]
        except StorageError as error:
            reason = error.message
    known = {*REPORT_CHECKS, *(check.name for check in checks)}
    names = [spec.name for spec in check_specs(report, None) if spec.name not in known]
    return [*checks, *(not_evaluated(name, reason) for name in names)]


def not_evaluated(name: str, reason: str = "the stored partition cannot be read") -> CheckResult:
    """Return the result of a check that could not be evaluated; it needs no alert."""
    detail = f"not evaluated: {reason}"
    return CheckResult(name=name, passed=False, blocking=False, detail=detail, facts={NEEDS_ACTION: False})
