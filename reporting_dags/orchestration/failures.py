"""Failed days: shown on the page of each partition, as the failure of the run, and to the alerts."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import dagster as dg

from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning.due import paused_until
from reporting_dags.jobs.planning.report_health import NEEDS_ACTION
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import ranges
from reporting_dags.model.errors import Denied, Expired, ReportingError, SettingError, StorageError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.event_log import partition_of
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.run_requests import running_schedule
from reporting_dags.orchestration.storage import OpenStorage
from reporting_dags.providers.http.errors import Unavailable

FAILED_DAYS = "failed_days"
"""Metadata of a run's failure: the days that failed, as ranges."""
REPEATED_FAILURE = "failed_as_before"
"""Metadata of a run's failure: whether an earlier run has failed so."""
STORAGE = "storage"
"""The cause of whatever the ledger, the data root or the raw store keeps from landing."""
CAUSES = "causes"
"""Metadata of a run's failure: what failed, in words that are the same for all reports that fail for one cause."""


def record_failures(
    context: dg.AssetExecutionContext,
    report: Report,
    errors: Mapping[date, ReportingError],
    opened: OpenStorage | None,
) -> None:
    """Record why each partition failed, the fix, and the next attempt.

    Args:
        context: the context of the run.
        report: the report.
        errors: the error of each failed day.
        opened: ledger and stores; None if the ledger cannot be read.

    Raises:
        StorageError: the ledger cannot be read.
    """
    now = SystemClock().now()
    failed = load_report_state(report, opened.ledger, now).failures if errors and opened is not None else {}
    schedule = running_schedule(context.instance, report.provider)
    for day, error in errors.items():
        record_failure(
            context, report, day, error, _next_attempt(report, error, paused_until(failed, day, now), schedule)
        )


def record_failure(
    context: dg.AssetExecutionContext, report: Report, day: date, error: ReportingError, next_attempt: str
) -> None:
    """Log an observation of a failed partition, which the partition's page in the UI shows."""
    context.log_event(
        dg.AssetObservation(
            asset_key=key_of(report),
            partition=partition_of(report, day),
            description=f"{error.outcome}: {error.line}",
            metadata={
                "outcome": str(error.outcome),
                "cause": error.message,
                "fix": error.advice or "none known: see the cause",
                "next_attempt": next_attempt,
            },
        )
    )


def _next_attempt(report: Report, error: ReportingError, until: datetime | None, schedule: str) -> str:
    """Return when a schedule or sensor requests the day again."""
    if isinstance(error, Expired):
        return "none: the provider does not serve the day any more"
    if not schedule:
        return f"none: no schedule of {report.provider} is on; materialize the partition"
    after = max(filter(None, (until, error.retry_at)), default=None)
    return f"by schedule {schedule}, " + ("at its next tick" if after is None else f"after {after:%Y-%m-%d %H:%M} UTC")


def failure_of(report: Report, results: Sequence[DayResult]) -> dg.Failure:
    """Return the failure of a run in which days failed: one line, with the days grouped by cause."""
    errors = {result.day: result.error for result in results if result.error is not None}
    causes: dict[str, list[date]] = {}
    for day, error in errors.items():
        causes.setdefault(f"{error.outcome}: {error.line.rstrip('.')}", []).append(day)
    texts = [f"{ranges(days)} {text}" for text, days in causes.items()]
    of = f" ({len(errors)} of {len(results)} days)" if len(results) > 1 else ""
    return failure(report, f"{report.key}{of} {'; '.join(texts)}", errors)


def failure(report: Report, line: str, errors: Mapping[date, ReportingError]) -> dg.Failure:
    """Return the failure of a run, with what the alerts need to know of the failed days."""
    return dg.Failure(
        line,
        metadata={
            FAILED_DAYS: ranges(errors),
            CAUSES: ", ".join(sorted({_cause(report, error) for error in errors.values()})),
            NEEDS_ACTION: not all(error.retry_at for error in errors.values()),
        },
        allow_retries=False,
    )


def _cause(report: Report, error: ReportingError) -> str:
    """Return the key of a cause that several reports can share: the storage, the provider, or this report."""
    if isinstance(error, StorageError):
        return STORAGE
    if isinstance(error, Unavailable | Denied | SettingError):
        return f"{report.provider} {error.outcome}"
    return f"{report.key} {error.outcome}"
