"""One late-data sensor for each provider: it launches runs for reports that are ready and requests restated days."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta

import dagster as dg

from reporting_dags.model.clock import SystemClock
from reporting_dags.model.errors import ReportingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.run_requests import sensor_name, without_account
from reporting_dags.orchestration.sensors.tick import Cursor, DeadlineClock, Tick
from reporting_dags.orchestration.storage import TICK_LOCK_SECONDS, StorageResource
from reporting_dags.providers.resource import ProviderResource

BUDGET = timedelta(seconds=22)
"""How long a tick may take: Dagster ends one after a minute."""
CALL_SECONDS = 10.0
"""Time limit of one call of a tick: for the response, between two pieces of its body, and for a file."""


def late_sensors(reports: Sequence[Report], start: date, firsts: Mapping[str, date]) -> list[dg.SensorDefinition]:
    """Return a sensor for each provider of `reports`; `firsts` holds the first partition of each, by its key."""
    providers = dict.fromkeys(report.provider for report in reports)
    return [
        _sensor(provider, [report for report in reports if report.provider == provider], start, firsts)
        for provider in providers
    ]


def late_tick(
    instance: dg.DagsterInstance,
    home: StorageResource,
    resource: ProviderResource,
    reports: Sequence[Report],
    tick: Tick,
) -> None:
    """Run one tick over the reports of one provider, without waiting for any of them.

    Args:
        instance: the Dagster instance, which holds the ledger.
        home: the storage resource, with ledger and partitions.
        resource: the provider's resource.
        reports: all reports of the provider.
        tick: collects the results: messages, run requests, events.
    """
    if reason := without_account(resource, home, reports):
        tick.messages.append(reason)
        return
    try:
        with home.open(instance, lock_seconds=TICK_LOCK_SECONDS) as opened:
            tick.report_checks(opened, reports)
            hasty = resource.model_copy(
                update={
                    "answer_seconds": CALL_SECONDS,
                    "silence_seconds": CALL_SECONDS,
                    "file_seconds": CALL_SECONDS,
                    "poll_seconds": 0.5,
                }
            )
            with closing(hasty.client(tick.clock, tick.clock.limit_waits(opened.rates.pace(tick.clock)))) as client:
                tick.poll_provider(client, opened, reports)
    except ReportingError as error:
        tick.messages.append(f"{reports[0].provider}: {error.line}")


def new_tick(start: date, firsts: Mapping[str, date], cursor: Cursor) -> Tick:
    """Return a tick that begins now; for the arguments see `Tick`."""
    clock = SystemClock()
    return Tick(start=start, firsts=firsts, clock=DeadlineClock(clock, clock.now() + BUDGET), cursor=cursor)


def _sensor(provider: str, reports: list[Report], start: date, firsts: Mapping[str, date]) -> dg.SensorDefinition:
    @dg.sensor(
        name=sensor_name(provider),
        target=[key_of(report) for report in reports],
        minimum_interval_seconds=60,
        required_resource_keys={"home", provider},
        description=f"Polls pending {provider} jobs every minute and launches a run when a report is ready, so that no "
        "run blocks while it waits. Also requests restated days again, compares control totals once a day and "
        "evaluates the report checks. Turn it on together with the schedule; without it, scheduled runs poll "
        "themselves.",
    )
    def late(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        resource: ProviderResource = getattr(context.resources, provider)
        cursor = Cursor.read(context.cursor)
        tick = new_tick(start, firsts, cursor)
        late_tick(context.instance, context.resources.home, resource, reports, tick)
        for line in cursor.new_lines(tick.messages):
            context.log.info(line)
        quiet = f"no pending jobs and nothing due for {provider}"
        return dg.SensorResult(
            run_requests=tick.requests,
            skip_reason=None if tick.requests else "; ".join(tick.messages) or quiet,
            cursor=cursor.text,
            asset_events=tick.events,
        )

    return late
