"""A deployment on a clock that can be moved: Dagster's own code evaluates schedules and sensors, runs are executed."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import time_machine
from dagster._utils.schedules import schedule_execution_time_iterator

from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.ticks import schedule_ticked, start_schedule, start_sensor

_SENSOR_MINUTES = {"mintegral_late": 20}
"""Minutes past the hour at which a sensor ticks: a while after its provider's day should have landed."""
_USUAL_MINUTES = 50
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One result of a check."""

    at: datetime
    report: str
    check: str
    passed: bool
    told: str


@dataclass(kw_only=True)
class Deployment:
    """Definitions, an instance and a sandbox that all live at the same, movable time.

    Attributes:
        sandbox: the providers.
        folder: where its files are.
        postgres_url: its database.
        providers: whose schedules and sensors are on; those that are of no provider always are.
        began: the first day.
        instance: Dagster's.
        traveller: moves the time of this process.
        loaded: the definitions.
        cursors: of sensors, as the daemon keeps them.
        keys: run keys that were taken: a request whose key was is made no run of, as the daemon does.
        runs: how many were executed, by report.
        failed: of those, the failures' lines.
        verdicts: what checks said, of a day or of a report as a whole, in order.
        waited: seconds for which runs waited for a provider.
        ticks: how many were evaluated.
        silent: ticks that neither requested a run nor said why.
    """

    sandbox: Sandbox
    folder: Path
    postgres_url: str
    began: date
    providers: tuple[str, ...]
    instance: dg.DagsterInstance
    traveller: time_machine.Traveller
    loaded: dg.Definitions
    cursors: dict[str, str | None] = field(default_factory=dict[str, str | None])
    keys: set[str] = field(default_factory=set[str])
    runs: Counter[str] = field(default_factory=Counter[str])
    failed: list[str] = field(default_factory=list[str])
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    waited: float = 0.0
    ticks: int = 0
    silent: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self._job = self.loaded.resolve_implicit_global_asset_job_def()
        self._repository = self.loaded.get_repository_def()
        # As they are: building them again at every tick takes long, and the real daemon beside it does.
        self._resources: Mapping[str, Any] = {
            name: dg.ResourceDefinition.hardcoded_resource(one) for name, one in (self.loaded.resources or {}).items()
        }

    @property
    def schedules(self) -> Sequence[dg.ScheduleDefinition]:
        """Every schedule."""
        return [one for one in self._repository.schedule_defs if self._is_on(one.name)]

    @property
    def sensors(self) -> Sequence[dg.SensorDefinition]:
        """Every sensor."""
        return [one for one in self._repository.sensor_defs if self._is_on(one.name)]

    @property
    def now(self) -> datetime:
        """The simulated moment."""
        return datetime.now(UTC)

    def _is_on(self, name: str) -> bool:
        others = {report.provider for report in all_reports()} - set(self.providers)
        return not name.startswith(tuple(others))

    def turn_on(self) -> None:
        """Turn every schedule and sensor on, as the UI does."""
        for schedule in self.schedules:
            start_schedule(self.instance, schedule.name)
        for sensor in self.sensors:
            start_sensor(self.instance, sensor.name)

    def until(self, end: datetime, every: timedelta = _HOUR) -> Iterator[datetime]:
        """Let time pass: schedules tick when they are due, sensors `every` so often. Yields each moment, before it."""
        began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        moments: list[tuple[datetime, str]] = []
        fires = {one.name: self._fires(one, began) for one in self.schedules}
        for name, fire in fires.items():
            heapq.heappush(moments, (next(fire), name))
        sensors = {one.name: one for one in self.sensors}
        for name in sensors:
            minutes = timedelta(minutes=_SENSOR_MINUTES.get(name, _USUAL_MINUTES))
            heapq.heappush(moments, (began + minutes % every, name))
        while moments[0][0] < end:
            moment, name = heapq.heappop(moments)
            self.traveller.move_to(max(moment, datetime.now(UTC)))
            yield moment
            if name in sensors:
                self._sensor(sensors[name])
                heapq.heappush(moments, (moment + every, name))
            else:
                self._schedule(name, moment)
                heapq.heappush(moments, (next(fires[name]), name))

    def _fires(self, schedule: dg.ScheduleDefinition, began: datetime) -> Iterator[datetime]:
        return schedule_execution_time_iterator(
            began.timestamp(), schedule.cron_schedule, schedule.execution_timezone or "UTC"
        )

    def _schedule(self, name: str, at: datetime) -> None:
        schedule = self._repository.get_schedule_def(name)
        context = dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=at,
            repository_def=self._repository,
            resources={name: self._resources[name] for name in schedule.required_resource_keys},
        )
        with context:
            told = schedule.evaluate_tick(context)
        schedule_ticked(self.instance, name)
        self._told(name, told.run_requests or [], told.skip_message)

    def _sensor(self, sensor: dg.SensorDefinition) -> None:
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor.name),
            repository_def=self._repository,
            resources={name: self._resources[name] for name in sensor.required_resource_keys},
        )
        with context:
            told = sensor.evaluate_tick(context)
        self.cursors[sensor.name] = told.cursor
        for event in told.asset_events:
            self.instance.report_runless_asset_event(event)
            if isinstance(event, dg.AssetCheckEvaluation):
                self._judged(event)
        self._told(sensor.name, told.run_requests or [], told.skip_message)

    def _told(self, name: str, requests: Sequence[dg.RunRequest], skipped: str | None) -> None:
        self.ticks += 1
        if not requests and not skipped:
            self.silent.append(f"{name} at {datetime.now(UTC):%d %H:%M}")
        for request in requests:
            if request.run_key not in self.keys:
                self.keys.add(request.run_key or "")
                self._run(name, request)

    def _run(self, name: str, request: dg.RunRequest) -> None:
        keys = request.asset_selection
        checks = request.asset_check_keys
        if keys is None:
            job = self._repository.get_job(self._repository.get_schedule_def(name).job_name)
        else:
            job = self._job.get_subset(
                asset_selection=set(keys), asset_check_selection=set(checks) if checks is not None else None
            )
        result = job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            run_config=dict(request.run_config),
            raise_on_error=False,
        )
        self.runs.update(key.to_user_string() for key in keys or ())
        for event in result.get_asset_check_evaluations():
            self._judged(event)
        for event in result.get_asset_materialization_events():
            waited = event.materialization.metadata.get("seconds_waited")
            self.waited += float(str(waited.value)) if waited is not None else 0.0
        if not result.success:
            (event,) = (one for one in result.all_events if one.event_type == dg.DagsterEventType.STEP_FAILURE)
            data = event.step_failure_data.user_failure_data
            self.failed.append((data.description if data else None) or str(event.step_failure_data.error))

    def _judged(self, event: dg.AssetCheckEvaluation) -> None:
        self.verdicts.append(
            Verdict(
                at=datetime.now(UTC),
                report=event.asset_key.to_user_string(),
                check=event.check_name,
                passed=event.passed,
                told=event.description or "",
            )
        )
