"""One late-data sensor a provider: it lands what is ready, and asks again for what is due again, without waiting."""

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
"""How long a tick goes on: Dagster ends one that takes a minute."""
CALL_SECONDS = 10.0
"""How long one call of a tick may take: to be answered, between two pieces of its body, and for a file."""


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
    """Carry out a tick over the reports of one provider: it asks, and waits for nothing.

    Args:
        instance: whose ledger.
        home: where the ledger and the partitions are.
        resource: of the provider.
        reports: all reports of the provider.
        tick: takes in what was found and is to be done.
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
    """Return a tick that begins now; `start`, `firsts` and `cursor` as of `Tick`."""
    clock = SystemClock()
    return Tick(start=start, firsts=firsts, clock=DeadlineClock(clock, clock.now() + BUDGET), cursor=cursor)


def _sensor(provider: str, reports: list[Report], start: date, firsts: Mapping[str, date]) -> dg.SensorDefinition:
    @dg.sensor(
        name=sensor_name(provider),
        target=[key_of(report) for report in reports],
        minimum_interval_seconds=60,
        required_resource_keys={"home", provider},
        description=f"Looks every minute how far {provider} is with what was asked for, and starts a run when it is "
        "ready, so that no run waits. Asks for days that are due again once the schedule's turn has passed, holds what "
        "has landed against control totals once a day, and tells the standing checks. Turn it on together with the "
        "schedule; while it is off, the schedule's runs wait themselves.",
    )
    def late(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        resource: ProviderResource = getattr(context.resources, provider)
        cursor = Cursor.read(context.cursor)
        tick = new_tick(start, firsts, cursor)
        late_tick(context.instance, context.resources.home, resource, reports, tick)
        for line in cursor.new_lines(tick.messages):
            context.log.info(line)
        quiet = f"nothing of {provider} is under way, and none of its days is due again"
        return dg.SensorResult(
            run_requests=tick.requests,
            skip_reason=None if tick.requests else "; ".join(tick.messages) or quiet,
            cursor=cursor.text,
            asset_events=tick.events,
        )

    return late
