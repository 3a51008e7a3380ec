"""Schedules and sensors evaluated by Dagster's own code, and the runs that they request, executed."""

import functools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from reporting_dags.definitions import definitions
from reporting_dags.orchestration.run_requests import RANGE_END, RANGE_START, sensor_name
from reporting_dags_tests.orchestration.conftest import Place


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a tick requested and said; `lines` are those of its log."""

    requests: list[dg.RunRequest]
    skipped: str | None
    cursor: str | None = None
    events: Sequence[object] = field(default_factory=list[object])
    lines: Sequence[str] = ()

    def asked(self, report: str) -> list[str]:
        """The days that runs are requested, as a day or `first...last`; empty text for what has none."""
        found: list[str] = []
        for request in self.requests:
            assert request.asset_selection is not None
            if request.asset_selection[0].to_user_string() != report:
                continue
            if request.partition_key:
                found.append(request.partition_key)
            elif RANGE_START not in request.tags:
                found.append("")
            else:
                found.append(f"{request.tags[RANGE_START]}...{request.tags[RANGE_END]}")
        return found


def loaded_now() -> dg.Definitions:
    """The definitions; loaded once for each first partition, which is all that they depend on."""
    return _loaded(os.environ.get("REPORTING_START_DATE", ""))


@functools.cache
def _loaded(_start: str) -> dg.Definitions:
    return definitions()


def schedule_tick(place: Place, at: datetime, provider: str = "dt_offer_wall") -> Told:
    """The provider's schedule, as the scheduler evaluates it at `at`."""
    loaded = loaded_now()
    resources = loaded.resources or {}
    schedule = loaded.resolve_schedule_def(f"{provider}_daily")
    context = dg.build_schedule_context(
        instance=place.instance,
        scheduled_execution_time=at,
        repository_def=loaded.get_repository_def(),
        resources={name: resources[name] for name in ("home", provider)},
    )
    with context:
        lines = _lines(context.log)
        told = schedule.evaluate_tick(context)
    return Told(requests=list(told.run_requests or []), skipped=told.skip_message, lines=lines)


def sensor_tick(place: Place, provider: str = "dt_offer_wall", cursor: str | None = None) -> Told:
    """The provider's late-data sensor, as the daemon evaluates it now."""
    loaded = loaded_now()
    resources = loaded.resources or {}
    sensor = loaded.resolve_sensor_def(f"{provider}_late")
    context = dg.build_sensor_context(
        instance=place.instance,
        cursor=cursor,
        repository_def=loaded.get_repository_def(),
        resources={name: resources[name] for name in ("home", provider)},
    )
    with context:
        lines = _lines(context.log)
        told = sensor.evaluate_tick(context)
    return Told(
        requests=list(told.run_requests or []),
        skipped=told.skip_message,
        cursor=told.cursor,
        events=list(told.asset_events),
        lines=lines,
    )


def _lines(log: logging.Logger) -> list[str]:
    """A list that takes in every line of `log` from now on."""
    lines: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    log.addHandler(Listening())
    return lines


def performed(place: Place, told: Told) -> list[dg.ExecuteInProcessResult]:
    """The runs of a tick, one after another."""
    job = dg.Definitions.resolve_implicit_global_asset_job_def(loaded_now())
    return [
        job.execute_in_process(
            instance=place.instance,
            asset_selection=list(request.asset_selection or ()),
            partition_key=request.partition_key,
            tags=dict(request.tags),
            run_config=dict(request.run_config),
            raise_on_error=False,
        )
        for request in told.requests
    ]


def turn_on(place: Place, provider: str = "dt_offer_wall") -> None:
    """Turn the provider's late-data sensor on."""
    start_sensor(place.instance, sensor_name(provider))


FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


def start_sensor(instance: dg.DagsterInstance, name: str, ticked: datetime = FOR_EVER) -> None:
    """Turn a sensor on, as the UI does; as far as anybody knows the daemon let it tick last at `ticked`."""
    data = SensorInstigatorData(last_tick_timestamp=ticked.timestamp())
    instance.add_instigator_state(InstigatorState(_origin(name), InstigatorType.SENSOR, InstigatorStatus.RUNNING, data))


def start_schedule(instance: dg.DagsterInstance, name: str) -> None:
    """Turn a schedule on, as the UI does."""
    data = ScheduleInstigatorData("5 */3 * * *", start_timestamp=datetime.now(UTC).timestamp())
    instance.add_instigator_state(
        InstigatorState(_origin(name), InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data)
    )


def schedule_ticked(instance: dg.DagsterInstance, name: str) -> None:
    """Record a tick of a schedule, as the daemon does."""
    (state,) = (state for state in instance.all_instigator_state() if state.name == name)
    instance.create_tick(
        TickData(
            instigator_origin_id=state.instigator_origin_id,
            instigator_name=name,
            instigator_type=InstigatorType.SCHEDULE,
            status=TickStatus.SKIPPED,
            timestamp=datetime.now(UTC).timestamp() + 1,
            selector_id=state.selector_id,
        )
    )


def _origin(name: str) -> RemoteInstigatorOrigin:
    target = LoadableTargetOrigin(module_name="reporting_dags.definitions")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "__repository__")
    return RemoteInstigatorOrigin(repository, name)
