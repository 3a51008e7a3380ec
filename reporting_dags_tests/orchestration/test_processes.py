"""Whole ways: real command lines in their own processes, killed, on PostgreSQL, and searched for secrets."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import date, timedelta

import dagster as dg
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests import processes
from reporting_dags_tests.orchestration.conftest import KEY, Place

EVENT = "dt_offer_wall/event"


def command(first: date, last: date, report: str = EVENT) -> list[str]:
    return [
        *("-m", "dagster", "asset", "materialize", "-m", "reporting_dags.definitions"),
        *("--select", report, "--partition-range", f"{first}...{last}"),
    ]


def elsewhere() -> str:
    """A folder without a `.env`: Dagster would read the project's, where a developer keeps real accounts."""
    return os.environ["DAGSTER_HOME"]


def with_project() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def start(first: date, last: date) -> processes.Process:
    silent = subprocess.DEVNULL
    return processes.start(command(first, last), cwd=elsewhere(), env=with_project(), stdout=silent, stderr=silent)


def run(first: date, last: date, report: str = EVENT) -> subprocess.CompletedProcess[str]:
    return processes.run(command(first, last, report), cwd=elsewhere(), env=with_project())


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited without success"
        time.sleep(0.02)


def kill(process: processes.Process) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def check_rows(sandbox: Sandbox, place: Place, days: list[date]) -> None:
    for day in days:
        table = pq.read_table(place.data / f"{EVENT}/date={day}/part-0.parquet")
        assert table.num_rows == len(sandbox.truth(EVENT, day))


def test_a_run_killed_while_its_report_is_pending_is_taken_up_by_the_next_with_one_submit(
    live: Sandbox, place: Place, newest: date
) -> None:
    first = newest - timedelta(days=9)
    live.faults.add("dt.file", do="never", times=None)
    process = start(first, newest)
    wait_for(lambda: live.log.count("dt.file") >= 3)
    kill(process)
    live.faults.clear()
    done = run(first, newest)
    assert done.returncode == 0, done.stderr[-2000:]
    assert live.log.count("dt.report") == 1
    check_rows(live, place, [first + timedelta(days=n) for n in range(10)])
    assert spooled(place) == 0, "what the killed run left behind is cleared away"
    assert not list((place.home / "reporting_owners").iterdir())


def spooled(place: Place) -> int:
    spool = place.home / "reporting_spool"
    return sum(path.stat().st_size for path in spool.rglob("*") if path.is_file()) if spool.exists() else 0


def test_the_production_instance_keeps_runs_and_ledger_on_postgresql(
    live: Sandbox, place: Place, newest: date, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", postgres_url)
    shutil.copy(PROJECT / "dagster.yaml", place.home)
    first = newest - timedelta(days=2)
    done = run(first, newest)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not (place.home / "reporting_ledger.db").exists()
    check_rows(live, place, [first, newest])
    with dg.DagsterInstance.from_config(str(place.home)) as instance:
        assert len(instance.get_materialized_partitions(KEY)) == 3
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM reporting_days")) == 3
        assert connection.scalar(sa.text("SELECT count(*) FROM reporting_jobs WHERE url IS NOT NULL")) == 0
    engine.dispose()
