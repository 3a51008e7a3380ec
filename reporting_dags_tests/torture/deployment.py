"""A deployment as the README describes it, on a machine of its own: webserver, daemon, code servers, run workers."""

import os
import re
import signal
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import dagster as dg
import psutil
import requests
import yaml
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from reporting_dags.local import make_home
from reporting_dags.model.report import Report
from reporting_dags.orchestration.run_requests import RANGE_END, RANGE_START
from reporting_dags_tests.processes import Process, start
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.station import wait_for

_UP_WITHIN = 90
_CODE = ("-m", "reporting_dags.definitions")
_PID = re.compile(r"pid: (\d+)")
_LAUNCH = """
mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
  }
}"""
_WHERE = {"repositoryLocationName": "reporting_dags.definitions", "repositoryName": "__repository__"}
_DRY_RUN = """
mutation($schedule: ScheduleSelector!, $at: Float) {
  scheduleDryRun(selectorData: $schedule, timestamp: $at) {
    __typename
    ... on DryRunInstigationTick { evaluationResult { skipReason error { message } runRequests {
      runConfigYaml tags { key value } assetSelection { path } assetChecks { name assetKey { path } } } } }
    ... on Error { message }
  }
}"""
_START_SENSOR = """
mutation($sensor: SensorSelector!) {
  startSensor(sensorSelector: $sensor) { __typename ... on Error { message } }
}"""
_TERMINATE = """
mutation($id: String!) {
  terminateRun(runId: $id) { __typename ... on Error { message } }
}"""


class Deployment:
    """Its processes, and the instance that they share."""

    def __init__(self, place: Place, *, forks: bool = False) -> None:
        make_home(place.home)
        path = place.home / "dagster.yaml"
        settings = yaml.safe_load(path.read_text())
        # As in production, but that no one waits for minutes.
        settings["run_monitoring"] |= {"poll_interval_seconds": 1, "max_runtime_seconds": 40}
        path.write_text(yaml.safe_dump(settings))
        self._place = place
        self._forks = forks
        self._daemon: Process | None = None
        self._webserver: Process | None = None
        self._url = ""
        self.instance = dg.DagsterInstance.from_config(str(place.home))

    def start_daemon(self) -> None:
        """`dagster-daemon run`."""
        self._daemon = self._start(["-m", "dagster._daemon", "run", *_CODE])

    def start_webserver(self) -> None:
        """`dagster-webserver` on a free port of the loopback; returns once it answers."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        command = ["-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *_CODE]
        self._webserver = self._start(command)
        wait_for(self._answers, "the webserver", _UP_WITHIN)

    def launch(self, report: Report, days: Sequence[date]) -> str:
        """Launch a run over a range of days, as the UI does; returns its id."""
        tags = {RANGE_START: days[0].isoformat(), RANGE_END: days[-1].isoformat()}
        return self._launched([{"path": report.key.split("/")}], tags=_listed(tags))

    def test_schedule(self, name: str, report: Report) -> list[str]:
        """The UI's "Test schedule", as of now, and the launch of what it requests of `report`; the runs' ids."""
        asked = {"schedule": {**_WHERE, "scheduleName": name}, "at": time.time()}
        told = self._ask(_DRY_RUN, **asked)["scheduleDryRun"]
        found = told.get("evaluationResult") or {}
        if found.get("runRequests") is None:
            raise RuntimeError(f"the schedule requests nothing: {told}")
        return [
            self._launched(
                request["assetSelection"],
                checks=request["assetChecks"],
                tags=request["tags"],
                config=request["runConfigYaml"],
            )
            for request in found["runRequests"]
            if request["assetSelection"] == [{"path": report.key.split("/")}]
        ]

    def start_sensor(self, name: str) -> None:
        """Turn a sensor on, as the UI does."""
        told = self._ask(_START_SENSOR, sensor={**_WHERE, "sensorName": name})["startSensor"]
        if told["__typename"] != "Sensor":
            raise RuntimeError(f"the sensor was not started: {told}")

    def _launched(
        self,
        assets: Sequence[Mapping[str, Any]],
        *,
        tags: Sequence[Mapping[str, str]],
        checks: Sequence[Mapping[str, Any]] | None = None,
        config: str = "{}",
    ) -> str:
        chosen = {"assetCheckSelection": checks} if checks is not None else {}
        params = {
            "selector": {**_WHERE, "pipelineName": "__ASSET_JOB", "assetSelection": assets, **chosen},
            "mode": "default",
            "runConfigData": config,
            "executionMetadata": {"tags": tags},
        }
        told = self._ask(_LAUNCH, params=params)["launchRun"]
        if told["__typename"] != "LaunchRunSuccess":
            raise RuntimeError(f"the run was not launched: {told}")
        return told["run"]["runId"]

    def terminate(self, run: str) -> str:
        """The UI's Terminate; returns what the webserver says."""
        return str(self._ask(_TERMINATE, id=run)["terminateRun"])

    def run_worker(self, run: str) -> psutil.Process:
        """The process that executes a run, as the run's own log names it; raises LookupError if there is none."""
        told = [_PID.search(entry.user_message) for entry in self.instance.all_logs(run)]
        pids = [int(found[1]) for found in told if found]
        workers = [process for process in self._processes() if process.pid in pids]
        if not workers:
            raise LookupError(f"none of {pids} is a process of this deployment")
        return workers[0]

    def kill_all(self) -> int:
        """SIGKILL to the daemon, its code servers and run workers, all at once; returns how many they were."""
        doomed = self._processes()
        for process in doomed:
            process.suspend()
        for process in doomed:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs(doomed, timeout=_UP_WITHIN)
        for process in (self._daemon, self._webserver):
            if process is not None:
                process.wait()
        self._daemon = self._webserver = None
        return len(doomed)

    def ended(self, run: str) -> bool:
        """Whether a run has ended."""
        return self.status(run) in FINISHED_STATUSES

    def status(self, run: str) -> dg.DagsterRunStatus:
        """A run's status."""
        found = self.instance.get_run_by_id(run)
        return found.status if found else dg.DagsterRunStatus.NOT_STARTED

    def retry_of(self, run: str) -> str:
        """The id of the run that the daemon started in place of one that crashed, or nothing."""
        runs = self.instance.get_runs(dg.RunsFilter(tags={"dagster/parent_run_id": run}))
        return runs[0].run_id if runs else ""

    def claimed_slots(self, pool: str) -> int:
        """Slots of a pool that some run claims."""
        told = self.instance.event_log_storage.get_concurrency_info(pool)
        return told.active_slot_count + told.pending_step_count

    def _processes(self) -> list[psutil.Process]:
        mine = [psutil.Process(one.pid) for one in (self._daemon, self._webserver) if one is not None]
        return [*mine, *(child for one in mine for child in _children(one))]

    def _start(self, command: list[str]) -> Process:
        log = (self._place.folder / "deployment.log").open("ab")
        with log:
            environment = {**self._place.environment(), "PATH": os.environ["PATH"]}
            return start(command, cwd=self._place.home, env=environment, stdout=log, stderr=log, forks=self._forks)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self._url}/server_info", timeout=5).ok
        except requests.ConnectionError:
            return False

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        told = requests.post(f"{self._url}/graphql", json=body, timeout=_UP_WITHIN).json()
        if told.get("errors"):
            raise RuntimeError(str(told["errors"]))
        return told["data"]


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@contextmanager
def deployed(place: Place, *, forks: bool = False) -> Generator[Deployment]:
    """A deployment that ends with the block; `forks` as in `processes.start`: then no run worker can be killed."""
    deployment = Deployment(place, forks=forks)
    try:
        yield deployment
    finally:
        deployment.kill_all()
        deployment.instance.dispose()
