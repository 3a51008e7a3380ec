"""A run of a report: materialize partitions, or evaluate the checks of stored ones.

Each day is recorded under its own partition as soon as it ends. So a run over a range keeps its good days when one
fails, and what landed before a crash stays recorded.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import date, datetime

import dagster as dg
from pydantic import Field

from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning.due import due_partitions, included_for_free
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.raw_retention import delete_expired_raw
from reporting_dags.jobs.pulling.replay import replay
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.landing.writing.land import CheckResult
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import SNAPSHOT, ranges
from reporting_dags.model.errors import Deferred, ReportingError, StorageError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import day_checks
from reporting_dags.orchestration.event_log import has_dependants, record_partition, warn
from reporting_dags.orchestration.failures import failure, failure_of, record_failures
from reporting_dags.orchestration.report_checks import record_report_checks
from reporting_dags.orchestration.storage import OpenStorage, StorageResource, with_settings
from reporting_dags.providers.resource import ProviderResource

Strategy = Callable[[PullContext, Report, list[date]], Iterator[DayResult]]


class ReportConfig(dg.Config):
    """The config of one run of a report."""

    replay: bool = Field(
        default=False,
        description="Rebuild the partitions from the stored raw responses, with the current declaration and settings. "
        "Does not call the provider.",
    )
    wait: bool = Field(
        default=True,
        description="Poll until the report is ready. If false, the run submits and exits, and the late-data sensor "
        "lands what is not ready yet.",
    )
    only_due: bool = Field(
        default=False,
        description="Skip partitions that are no longer due when the run starts, so that overlapping triggers and "
        "retries cost no calls.",
    )
    allow_data_loss: bool = Field(
        default=False,
        description="Replace a stored partition even if the new one covers less (fewer apps or columns, a narrower "
        "filter, another time zone) or is of another account. What only the stored partition has is lost.",
    )
    same_account: bool = Field(
        default=False,
        description="The credentials that are set now are new keys of the account whose partitions are stored. Both "
        "are treated as one account from now on. Needed once after the keys of a provider were replaced.",
    )


def materialize(
    context: dg.AssetExecutionContext, report: Report, config: ReportConfig, start: date
) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
    """Materialize the partitions of the run, and evaluate the checks of the report as a whole.

    Args:
        context: the context of the run.
        report: the report.
        config: the config of the run.
        start: the first day by the settings.

    Raises:
        dg.Failure: a day failed; one line says why, and the fix.
    """
    home: StorageResource = context.resources.home
    results: list[DayResult] = []
    checks: dict[date, tuple[CheckResult, ...]] = {}
    stopped: ReportingError | None = None
    try:
        with home.open(context.instance) as opened:
            try:
                for result in _results(context, report, config, start, opened):
                    checks[result.day] = result.checks if result.landed is None else day_checks(report, result, opened)
                    record_partition(context, report, result, checks[result.day], opened.data)
                    results.append(result)
            except StorageError:
                raise
            except ReportingError as error:
                # Such as a variable that is not set: what the ledger knows of the report can be told all the same.
                stopped = error
            left = {day: stopped for day in _days(context, report) if day not in checks} if stopped else {}
            record_failures(context, report, {**_errors(results), **left}, opened)
            record_report_checks(context, report, start, opened)
    except ReportingError as error:
        left = {day: error for day in _days(context, report) if day not in checks}
        record_failures(context, report, left, None)
        raise failure(report, f"{report.key} {error.outcome}: {error.line}", left) from None
    if stopped is not None:
        errors = {**_errors(results), **left}
        raise failure(report, f"{report.key} {stopped.outcome}: {stopped.line}", errors)
    warn(context, report, results)
    deferred = [result.day for result in results if isinstance(result.error, Deferred)]
    if deferred:
        text = "%s: requested %s, not ready yet: the late-data sensor lands it when it is"
        context.log.info(text, report.key, ranges(deferred))
    ended = [result for result in results if not isinstance(result.error, Deferred)]
    if _errors(ended):
        raise failure_of(report, ended)
    if has_dependants(context):
        # Steps that follow in this run want an output, which Dagster records as a bare materialization of every day.
        yield dg.Output(None, output_name=context.op_execution_context.op_def.output_defs[0].name)
        with home.open(context.instance) as opened:
            for result in ended:
                record_partition(context, report, result, checks[result.day], opened.data)


def _errors(results: Iterable[DayResult]) -> dict[date, ReportingError]:
    """Return the errors of failed days; a day that is not ready yet has not failed."""
    errors = {result.day: result.error for result in results}
    return {day: error for day, error in errors.items() if error is not None and not isinstance(error, Deferred)}


def _days(context: dg.AssetExecutionContext, report: Report) -> list[date]:
    return [date.fromisoformat(key) for key in context.partition_keys] if report.partitioned else [SNAPSHOT]


def _results(
    context: dg.AssetExecutionContext, report: Report, config: ReportConfig, start: date, opened: OpenStorage
) -> Iterator[DayResult]:
    clock = SystemClock()
    days = _published(context, report, clock.now())
    if config.only_due:
        days = _only_due(with_settings(report), days, start, opened, clock.now())
        if not days:
            context.log.info("%s: no partition is due any more", report.key)
            return
    resource: ProviderResource = getattr(context.resources, report.provider)
    pull_context = opened.pull_context(
        resource.client(clock, opened.rates.pace(clock)),
        clock,
        run=context.run.run_id,
        log=context.log.info,
        waits=config.wait,
        allow_data_loss=config.allow_data_loss,
    )
    way: Strategy = replay if config.replay else pull
    with closing(pull_context.provider):
        if config.same_account:
            joined = opened.ledger.accounts.join(report.key, pull_context.provider.account, clock.now())
            context.log.info("%s: the credentials are keys of account %s", report.key, joined)
        yield from way(pull_context, with_settings(report), days)
    try:
        delete_expired_raw(pull_context, report, opened.keep_raw)
    except StorageError as error:
        context.log.warning("%s: old raw responses are left: %s", report.key, error.line)


def _published(context: dg.AssetExecutionContext, report: Report, now: datetime) -> list[date]:
    """Return the days of the run; of several days, those that are not published yet are left out."""
    days = _days(context, report)
    newest = report.calendar.latest_available(now)
    early = [day for day in days if day > newest]
    if not early or len(early) == len(days):
        return days
    published = report.calendar.published_at(early[0])
    text = "%s: left out %s, not published yet: %s is published on %s UTC"
    context.log.info(text, report.key, ranges(early), early[0], f"{published:%Y-%m-%d at %H:%M}")
    return [day for day in days if day <= newest]


def _only_due(report: Report, days: list[date], start: date, opened: OpenStorage, now: datetime) -> list[date]:
    """Return those of `days` that are due or in flight, and the days that the same queries include for free."""
    facts = load_report_state(report, opened.ledger, now)
    results = {
        item.day for item in due_partitions(report, facts, since=start, sizes=opened.data.sizes(report.key), now=now)
    }
    results.update(opened.ledger.jobs.in_flight_days(report.key))
    requested = [day for day in days if day in results]
    # Days that cost nothing must not block on another run's lease.
    held = [item.job.request.window for item in opened.ledger.leases.open_jobs(report.key) if item.run is not None]
    along = [day for day in included_for_free(report, facts, requested) if not any(day in window for window in held)]
    return [day for day in days if day in requested or day in along]
