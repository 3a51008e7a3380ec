"""A Dagster deployment as a user has one: webserver, daemon and code location as processes, on a sandbox."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypedDict

import requests
from dotenv import set_key

from reporting_dags.local import sandbox_accounts
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.processes import VARIABLES, run, start

_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One that runs: its address and its folder."""

    url: str
    home: Path

    def graphql(self, query: str, **variables: Any) -> Any:
        """Return the data of a response; raises AssertionError if it has errors."""
        asked = {"query": query, "variables": variables}
        answer = requests.post(f"{self.url}/graphql", json=asked, timeout=_PATIENCE_SECONDS).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def partitions(self, report: str) -> Mapping[str, int]:
        """How many partitions of a report are materialized, failed and so on."""
        query = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { partitionStats {
            numMaterialized numPartitions numFailed numMaterializing } } } }"""
        return self.graphql(query, key={"path": report.split("/")})["assetNodeOrError"]["partitionStats"]

    def runs(self) -> list[dict[str, Any]]:
        """All runs, latest first."""
        query = "{ runsOrError { ... on Runs { results { id status runConfigYaml tags { key value } } } } }"
        return self.graphql(query)["runsOrError"]["results"]

    def backfills(self) -> list[str]:
        """The states of all backfills, latest first."""
        query = "{ partitionBackfillsOrError { ... on PartitionBackfills { results { status } } } }"
        return [one["status"] for one in self.graphql(query)["partitionBackfillsOrError"]["results"]]

    def checks(self, report: str) -> Mapping[str, str]:
        """The state of the last execution of each check of a report."""
        query = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
            assetChecksOrError { ... on AssetChecks { checks {
                name executionForLatestMaterialization { status } } } } } } }"""
        node = self.graphql(query, key={"path": report.split("/")})["assetNodeOrError"]
        checks = node["assetChecksOrError"]["checks"]
        return {one["name"]: (one["executionForLatestMaterialization"] or {}).get("status", "NONE") for one in checks}

    def automations_off(self) -> list[str]:
        """The schedules and sensors that are off."""
        return [one["name"] for one, state in self._automations() if one[state]["status"] != "RUNNING"]

    def ticks(self) -> Mapping[str, int]:
        """How many ticks each sensor had lately."""
        return {one["name"]: len(one[state]["ticks"]) for one, state in self._automations() if state == "sensorState"}

    def _automations(self) -> list[tuple[dict[str, Any], str]]:
        state = "status ticks(limit: 100) { tickId }"
        where = '{repositoryName: "__repository__", repositoryLocationName: "reporting_dags"}'
        query = f"""{{
            schedulesOrError(repositorySelector: {where}) {{
                ... on Schedules {{ results {{ name scheduleState {{ {state} }} }} }} }}
            sensorsOrError(repositorySelector: {where}) {{
                ... on Sensors {{ results {{ name sensorState {{ {state} }} }} }} }} }}"""
        data = self.graphql(query)
        schedules = [(one, "scheduleState") for one in data["schedulesOrError"]["results"]]
        return [*schedules, *((one, "sensorState") for one in data["sensorsOrError"]["results"])]

    def settled(self) -> None:
        """Wait until no run and no backfill is at work."""
        busy = {"QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING", "REQUESTED"}

        def quiet() -> bool:
            return not busy & {*(run["status"] for run in self.runs()), *self.backfills()}

        until(quiet, "runs and backfills have ended")


def until(reached: Callable[[], bool], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait until `reached`; raises AssertionError, saying `what`, if that takes too long."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)


@contextlib.contextmanager
def deployed(sandbox: Sandbox, folder: Path, first: date) -> Generator[Deployment]:
    """A deployment as README sets one up, with the sandbox as every provider; its partitions begin on `first`.

    It lasts as long as the context.
    """
    home = folder / "home"
    environment = _bare_environment()
    _run("instance", "--home", str(home), cwd=PROJECT, environment=environment)
    settings = {
        **sandbox_accounts(sandbox.url),
        "REPORTING_DATA_URL": str(folder / "data"),
        "REPORTING_POLL_SECONDS": "0.1",
        "REPORTING_START_DATE": first.isoformat(),
    }
    for name, value in settings.items():
        set_key(home / ".env", name, value, quote_mode="never")
    port = _free_port()
    command = ["-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
    with _serving(command, port, folder, home, {**environment, "DAGSTER_HOME": str(home)}) as url:
        yield Deployment(url=url, home=home)


@contextlib.contextmanager
def demonstrated(folder: Path, days: int) -> Generator[Deployment]:
    """What `make demo` and `make ui` show, as long as the context lasts; a demo of `days`, all of it in `folder`."""
    run_demo(folder, days)
    with showing(folder) as running:
        yield running


def run_demo(folder: Path, days: int, project: Path = PROJECT, **variables: str) -> str:
    """Run `make demo` of a project, all of it in `folder`; returns what it prints."""
    return _run("demo", "--days", str(days), "--home", str(folder / "home"), **_demo(folder, project, variables))


@contextlib.contextmanager
def showing(folder: Path, project: Path = PROJECT, **variables: str) -> Generator[Deployment]:
    """What `make ui` shows of the demo in `folder`, as long as the context lasts."""
    port = _free_port()
    command = ["-m", "reporting_dags.cli", "ui", "--home", str(folder / "home"), "--port", str(port)]
    with _serving(command, port, folder, **_demo(folder, project, variables)) as url:
        yield Deployment(url=url, home=folder / "home")


def _demo(folder: Path, project: Path, variables: Mapping[str, str]) -> "_Where":
    own = {"PYTHONPATH": str(project), "REPORTING_DATA_URL": str(folder / "data")}
    return {"cwd": project, "environment": {**_bare_environment(), **variables, **own}}


def _bare_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(VARIABLES)}
    return {**kept, "PYTHONPATH": str(PROJECT)}


class _Where(TypedDict):
    cwd: Path
    environment: dict[str, str]


def _run(*arguments: str, cwd: Path, environment: Mapping[str, str]) -> str:
    done = run(["-m", "reporting_dags.cli", *arguments], cwd=cwd, env=environment, forks=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-3000:]
    return done.stdout


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def _serving(
    command: Sequence[str], port: int, folder: Path, cwd: Path, environment: Mapping[str, str]
) -> Generator[str]:
    """The address of the UI that `command` serves at a port of the loopback, as long as the context lasts."""
    log = folder / "dagster.log"
    with log.open("wb") as sink:
        process = start(command, cwd=cwd, env=environment, stdout=sink, stderr=subprocess.STDOUT, forks=True)
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: process.poll() is not None or _answers(url), "the webserver answers")
            assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
            yield url
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            process.close()


def _answers(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{url}/server_info", timeout=5).ok
    return False
