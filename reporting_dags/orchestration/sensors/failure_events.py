"""Recent failures, read from Dagster's event log in the order in which runs ended."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import Any

import dagster as dg

from reporting_dags.jobs.planning.report_health import NEEDS_ACTION, NEWEST_DAY, REPORT_CHECKS
from reporting_dags.model.days import days_in
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import GONE
from reporting_dags.orchestration.failures import CAUSES, FAILED_DAYS, REPEATED_FAILURE
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.run_requests import RANGE_END, RANGE_START

_PAGE = 50
_ENDS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED)


class Severity(IntEnum):
    """How severe a problem is."""

    WARNING = 1
    FAILURE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem that needs attention.

    Attributes:
        report: key of the report.
        severity: failure, or warning.
        days: the partitions; empty if the problem concerns the report as a whole.
        cause: a text that is the same for all problems with one cause, also of several reports.
        line: what happened, why, and how to fix it.
        path: path of the page of Dagster's UI that shows more.
        check: the report-level check that found it; empty if it was a run.
    """

    report: str
    severity: Severity
    days: frozenset[date]
    cause: str
    line: str
    path: str
    check: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run that ended.

    Attributes:
        id: storage id of the event of its end; runs are ordered by it.
        problems: what failed in the run.
        landed: the days that it materialized, by report key.
        warned: those of these days of which a check did not pass.
    """

    id: int
    problems: Sequence[Problem] = ()
    landed: Mapping[str, set[date]] = field(default_factory=dict[str, set[date]])
    warned: Mapping[str, set[date]] = field(default_factory=dict[str, set[date]])


def newest_id(instance: dg.DagsterInstance) -> int:
    """Return the storage id of the latest end of a run; 0 if none has ended."""
    results = [instance.fetch_run_status_changes(kind, limit=1).records for kind in _ENDS]
    return max((record.storage_id for records in results for record in records), default=0)


def ended_runs(instance: dg.DagsterInstance, keys: Collection[dg.AssetKey], after: int) -> Iterator[EndedRun]:
    """Yield the next runs that ended after a storage id, in the order in which they ended.

    Args:
        instance: the Dagster instance.
        keys: the assets; other runs have no problems here.
        after: a storage id.
    """
    pages = [
        instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(kind, after_storage_id=after),  # pyright: ignore[reportArgumentType]
            limit=_PAGE,
            ascending=True,
        ).records
        for kind in _ENDS
    ]
    # What follows a page that is full is not known yet, and comes before what follows the others.
    known = min((page[-1].storage_id for page in pages if len(page) == _PAGE), default=None)
    for record in sorted((record for page in pages for record in page), key=lambda record: record.storage_id):
        if known is None or record.storage_id <= known:
            yield _ended(instance, record, keys)


def _ended(instance: dg.DagsterInstance, record: dg.EventLogRecord, keys: Collection[dg.AssetKey]) -> EndedRun:
    run = instance.get_run_by_id(record.run_id)
    planned = _events(instance, record.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    reports = sorted({event.asset_key.to_user_string() for event in planned if event.asset_key in keys})
    problems: list[Problem] = []
    end = record.event_log_entry.dagster_event
    failed = end is not None and end.event_type is dg.DagsterEventType.RUN_FAILURE
    # One that was killed is started again by itself.
    if run is not None and failed and reports and run.tags.get("dagster/will_retry") != "true":
        problems += _failed(instance, run, reports, (end.message if end else "") or "the run failed")
    landed: dict[str, set[date]] = {}
    for event in _events(instance, record.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION):
        if event.asset_key in keys and event.partition:
            landed.setdefault(event.asset_key.to_user_string(), set()).add(date.fromisoformat(event.partition))
    warnings, warned = _warnings(instance, record.run_id, keys)
    return EndedRun(id=record.storage_id, problems=[*problems, *warnings], landed=landed, warned=warned)


def _events(instance: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType) -> list[Any]:
    records = instance.get_records_for_run(run_id, of_type=kind).records
    return [record.event_log_entry.dagster_event for record in records if record.event_log_entry.dagster_event]


def _failed(instance: dg.DagsterInstance, run: dg.DagsterRun, reports: Sequence[str], end: str) -> Iterator[Problem]:
    """Yield the problems of a failed run: the errors of its steps, or how it ended."""
    failures = [
        event.step_failure_data.user_failure_data
        for event in _events(instance, run.run_id, dg.DagsterEventType.STEP_FAILURE)
    ]
    failures = [failure for failure in failures if failure is not None]
    path = f"runs/{run.run_id}"
    for failure in failures:
        facts = {name: value.value for name, value in failure.metadata.items()}
        if facts.get(NEEDS_ACTION) is False or facts.get(REPEATED_FAILURE) is True:
            continue
        line = str(failure.description or end)
        report = next((report for report in reports if line.startswith(report)), reports[0])
        days = frozenset(days_in(str(facts.get(FAILED_DAYS, ""))))
        cause = str(facts.get(CAUSES) or f"{report} run")
        yield Problem(report=report, severity=Severity.FAILURE, days=days, cause=cause, line=line, path=path)
    if not failures:
        days = frozenset(_days_of(run.tags))
        for report in reports:
            line = f"{report} {_label(run.tags)}: {end}"
            yield Problem(
                report=report, severity=Severity.FAILURE, days=days, cause=f"{report} run", line=line, path=path
            )


def _label(tags: Mapping[str, str]) -> str:
    single = tags.get("dagster/partition", "run")
    return f"{tags[RANGE_START]}...{tags[RANGE_END]}" if RANGE_START in tags and RANGE_END in tags else single


def _days_of(tags: Mapping[str, str]) -> set[date]:
    try:
        return days_in(_label(tags))
    except ValueError:
        return set()


def _warnings(
    instance: dg.DagsterInstance, run_id: str, keys: Collection[dg.AssetKey]
) -> tuple[list[Problem], dict[str, set[date]]]:
    """Return the partition checks with a warning after a run: one problem for each check, with its days."""
    newest: dict[tuple[dg.AssetCheckKey, str], dg.AssetCheckEvaluation] = {}
    for event in _events(instance, run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        result = event.asset_check_evaluation_data
        # A blocking check that fails is the failure of its run; report-level checks are read by `report_problems`.
        if result.asset_key in keys and result.asset_check_key.name not in REPORT_CHECKS:
            newest[result.asset_check_key, result.partition or ""] = result
    groups: dict[tuple[dg.AssetCheckKey, str], list[dg.AssetCheckEvaluation]] = {}
    warned: dict[str, set[date]] = {}
    for (key, partition), result in newest.items():
        if not result.passed:
            warned.setdefault(key.asset_key.to_user_string(), set()).update(days_in(partition))
            if result.severity is dg.AssetCheckSeverity.WARN and _needs_action(result):
                groups.setdefault((key, _cause(result)), []).append(result)
    return [_warning(key, cause, results) for (key, cause), results in groups.items()], warned


def _cause(result: dg.AssetCheckEvaluation) -> str:
    """Return the cause of a warning: an entity can be missing on many days, which land in several runs."""
    report, gone = result.asset_key.to_user_string(), result.metadata.get(GONE)
    return f"{report} {result.check_name}" if gone is None else f"gone from {report}: {gone.value}"


def _warning(key: dg.AssetCheckKey, cause: str, results: Sequence[dg.AssetCheckEvaluation]) -> Problem:
    report = key.asset_key.to_user_string()
    days = frozenset(day for result in results for day in days_in(result.partition or ""))
    lines = [f"{result.partition or ''}: {result.description or ''}".removeprefix(": ") for result in results]
    return Problem(
        report=report,
        severity=Severity.WARNING,
        days=days,
        cause=cause,
        line="\n".join(f"{report} {key.name} {line}" for line in lines),
        path=_check_page(key),
    )


def _needs_action(result: dg.AssetCheckEvaluation) -> bool:
    value = result.metadata.get(NEEDS_ACTION)
    return value is None or value.value is not False


def _check_page(key: dg.AssetCheckKey) -> str:
    return f"assets/{'/'.join(key.asset_key.path)}?view=checks&checkDetail={key.name}"


def report_problems(
    instance: dg.DagsterInstance, reports: Sequence[Report]
) -> tuple[list[Problem], Mapping[str, set[str]]]:
    """Return the problems of the report-level checks of `reports`, and the checks that have passed, by report.

    The latest recorded evaluations are used, from the end of a run or from a tick of the late-data sensor.
    """
    keys = [dg.AssetCheckKey(key_of(report), name) for report in reports for name in REPORT_CHECKS]
    problems: list[Problem] = []
    passed: dict[str, set[str]] = {}
    for key, record in instance.event_log_storage.get_latest_asset_check_execution_by_key(keys).items():
        event = record.event.dagster_event if record.event is not None else None
        if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            continue
        result, report = event.asset_check_evaluation_data, key.asset_key.to_user_string()
        if result.passed:
            passed.setdefault(report, set()).add(key.name)
        elif NEEDS_ACTION in result.metadata and _needs_action(result):
            # Earlier releases did not note it: the next run or tick evaluates the check again.
            listed = result.metadata.get("days")
            # What keeps the latest day of one report of a provider keeps that of the others.
            of = key.asset_key.path[0] if key.name == NEWEST_DAY else report
            problems.append(
                Problem(
                    report=report,
                    severity=Severity.FAILURE if result.severity is dg.AssetCheckSeverity.ERROR else Severity.WARNING,
                    days=frozenset(days_in(str(listed.value) if listed is not None else "")),
                    cause=f"{of} {key.name}",
                    line=f"{report} {key.name}: {result.description or ''}",
                    path=_check_page(key),
                    check=key.name,
                )
            )
    return problems, passed
