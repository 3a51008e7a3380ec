"""One declaration becomes one asset: daily-partitioned, its days recorded and checked one by one as they land.

The asset has no output of its own to store: each day is published, and logged as a materialization, the moment that it
is whole. So a run over a range keeps its good days when one is bad, and what it landed before a crash stays recorded.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from reporting_dags.jobs.bench import Bench
from reporting_dags.jobs.due import carried, due, known
from reporting_dags.jobs.pull import pull
from reporting_dags.jobs.replay import replay
from reporting_dags.jobs.result import DayResult
from reporting_dags.jobs.retention import forget_raw
from reporting_dags.landing.land import CheckResult
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import SNAPSHOT, ranges
from reporting_dags.model.errors import Deferred, ReportingError, StorageError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.checks import (
    check_specs,
    entities_check,
    has_entities,
    hours_check,
    list_check,
    summaries,
    volume_check,
)
from reporting_dags.orchestration.home import OpenHome, ReportingHome, as_set
from reporting_dags.orchestration.keys import key_of, op_name
from reporting_dags.orchestration.record import column_schema, failure_line, has_dependants, record_day, warn
from reporting_dags.providers.resource import ProviderResource

Way = Callable[[Bench, Report[Any], list[date]], Iterator[DayResult]]


class ReportConfig(dg.Config):
    """What a run of a report can be told."""

    replay: bool = Field(
        default=False,
        description="Land the days anew from their kept raw answers, as the report is declared and set now: the "
        "provider is not asked.",
    )
    wait: bool = Field(
        default=True,
        description="Stay until the provider has made the report. Without it the run asks, and ends; what is not ready "
        "yet stays open, and the late-data sensor lands it.",
    )
    only_due: bool = Field(
        default=False,
        description="Leave out the days that are not due any more when the run begins. What schedules and sensors ask "
        "for comes so: two of them, or a retry, cost nothing twice.",
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


def daily_partitions(report: Report[Any], start: date) -> dg.DailyPartitionsDefinition:
    """The report's days from `start`, or from the provider's own first day if that is later.

    The current day is a partition too, so that asking for it ends in one line that says when it will be out.
    """
    first = max(start, report.calendar.first_day or start)
    return dg.DailyPartitionsDefinition(first.isoformat(), timezone=report.calendar.timezone, end_offset=1)


def report_asset(report: Report[Any], start: date) -> dg.AssetsDefinition:
    """The asset of `report`, whose resource is called as its provider."""
    partitions = daily_partitions(report, start) if report.partitioned else None

    key = key_of(report)

    # A run in which nothing landed has nothing to say of the checks: in a `multi_asset` alone are they optional.
    @dg.multi_asset(
        name=op_name(report),
        specs=[
            dg.AssetSpec(
                key,
                description=report.description,
                group_name=report.provider,
                partitions_def=partitions,
                skippable=True,
                kinds={"parquet"},
                metadata={
                    "dagster/column_schema": column_schema(report),
                    "dagster/table_name": report.key.replace("/", "."),
                    "dagster/io_manager_key": "reports",
                    "grain": ", ".join((*(("date",) if report.partitioned else ()), *report.grain_names)),
                    "grain_promised": report.grain_promised,
                    "timezone": report.calendar.timezone,
                    "published_after_day_end": str(report.calendar.published_after),
                    "restated_at_ages_in_days": ", ".join(str(age) for age in report.calendar.restated_at) or "never",
                },
            )
        ],
        check_specs=check_specs(report, partitions),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={report.provider, "home"},
        pool=report.provider,
    )
    def materialize(
        context: dg.AssetExecutionContext, config: ReportConfig
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        if key not in context.selected_asset_keys:
            told = f"the checks of {report.key} are part of its landing: materialize its days, which runs them"
            raise dg.Failure(told, allow_retries=False)
        yield from _bring_home(context, report, config, start)

    return materialize


def _bring_home(
    context: dg.AssetExecutionContext, report: Report[Any], config: ReportConfig, start: date
) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
    clock = SystemClock()
    way: Way = replay if config.replay else pull
    partitions = context.partition_keys if report.partitioned else ()
    days = [date.fromisoformat(key) for key in partitions] or [SNAPSHOT]
    resource: ProviderResource = getattr(context.resources, report.provider)
    home: ReportingHome = context.resources.home
    results: list[DayResult] = []
    checks: dict[date, tuple[CheckResult, ...]] = {}
    try:
        with home.open(context.instance) as opened:
            if config.only_due:
                days = _only_due(as_set(report), days, start, opened, clock.now())
            if not days:
                context.log.info("%s: none of the days is due any more", report.key)
                return
            provider = resource.client(clock, opened.rates.pace(clock))
            bench = opened.bench(
                provider,
                clock,
                run=context.run.run_id,
                log=context.log.info,
                waits=config.wait,
                allow_data_loss=config.allow_data_loss,
            )
            with closing(bench.provider):
                if config.same_account:
                    joined = opened.ledger.accounts.join(report.key, provider.account, clock.now())
                    context.log.info("%s: the credentials are keys of account %s", report.key, joined)
                for result in way(bench, as_set(report), days):
                    checks[result.day] = _checks(report, result, opened)
                    record_day(context, report, result, checks[result.day], opened.data)
                    results.append(result)
            _forget_raw(context, bench, report, opened)
    except ReportingError as error:
        context.log.error("%s: %s", report.key, error.line)
        raise dg.Failure(f"{report.key} {error.outcome}: {error.line}", allow_retries=False) from None
    warn(context, report, results)
    yield from summaries(report, checks)
    _told_deferred(context, report, results)
    results = [result for result in results if not isinstance(result.error, Deferred)]
    if any(result.error is not None for result in results):
        raise dg.Failure(failure_line(report, results), allow_retries=False)
    if has_dependants(context):
        # Steps that follow in this run want an output, which Dagster records as a bare materialization of every day.
        yield dg.Output(None, output_name=context.op_execution_context.op_def.output_defs[0].name)
        with home.open(context.instance) as opened:
            for result in results:
                record_day(context, report, result, (), opened.data)


def _only_due(report: Report[Any], days: list[date], start: date, opened: OpenHome, now: datetime) -> list[date]:
    """Those of `days` that are due, or that an open job was bought for, and what comes along with them."""
    facts = known(report, opened.ledger, now)
    found = {one.day for one in due(report, facts, since=start, data=opened.data, now=now)}
    found.update(opened.ledger.open_days(report.key))
    wanted = [day for day in days if day in found]
    # A day that is only carried must not make those that are wanted wait for the run that holds it.
    held = [one.job.request.window for one in opened.ledger.leftovers(report.key) if one.run is not None]
    along = [day for day in carried(report, facts, wanted) if not any(day in window for window in held)]
    return [day for day in days if day in wanted or day in along]


def _forget_raw(context: dg.AssetExecutionContext, bench: Bench, report: Report[Any], opened: OpenHome) -> None:
    """Remove raw answers that are past their time; what has landed stands, whether they can be removed or not."""
    try:
        forget_raw(bench, report, opened.keep_raw)
    except StorageError as error:
        context.log.warning("%s: old raw answers are left: %s", report.key, error.line)


def _told_deferred(context: dg.AssetExecutionContext, report: Report[Any], results: list[DayResult]) -> None:
    """Log, in one line, which days were asked for and are not ready."""
    days = [result.day for result in results if isinstance(result.error, Deferred)]
    if days:
        text = "%s: asked for %s, not ready yet: the late-data sensor lands it when it is"
        context.log.info(text, report.key, ranges(days))


def _checks(report: Report[Any], result: DayResult, opened: OpenHome) -> tuple[CheckResult, ...]:
    if result.landed is None:
        return result.checks
    found = [*result.checks, volume_check(result.day, result.landed.rows, opened.ledger.days(report.key))]
    if has_entities(report):
        before = result.evidence.restatement
        found.append(entities_check(report, result.day, opened.data, earlier=before.entities if before else None))
    elif not report.partitioned:
        asked_at = opened.ledger.days(report.key)[result.day].asked_at
        found.append(list_check(report, opened.ledger.listed(report.key, asked_at)))
    if report.hour:
        found.append(hours_check(report, result.day, opened.data))
    return tuple(found)
