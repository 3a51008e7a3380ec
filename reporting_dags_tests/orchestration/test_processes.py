"""Whole ways: real command lines in their own processes, killed, on PostgreSQL, and searched for secrets."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from dotenv import dotenv_values

from reporting_dags.definitions import definitions
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import KEY, Place

EVENT = "dt_offer_wall/event"


def command(first: date, last: date, report: str = EVENT) -> list[str]:
    return [
        *(sys.executable, "-m", "dagster", "asset", "materialize", "-m", "reporting_dags.definitions"),
        *("--select", report, "--partition-range", f"{first}...{last}"),
    ]


def elsewhere() -> str:
    """A folder without a `.env`: Dagster would read the project's, where a developer keeps real accounts."""
    return os.environ["DAGSTER_HOME"]


def with_project() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def start(first: date, last: date) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(first, last),
        cwd=elsewhere(),
        env=with_project(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def run(first: date, last: date, report: str = EVENT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(first, last, report), cwd=elsewhere(), env=with_project(), capture_output=True, text=True, check=False
    )


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def kill(process: subprocess.Popen[bytes]) -> None:
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


def files_under(*roots: Path) -> Iterator[Path]:
    for root in roots:
        yield from (path for path in root.rglob("*") if path.is_file())


def offered_partitions() -> dict[dg.AssetKey, list[str]]:
    """The partitions that Dagster offers now, by asset."""
    found: dict[dg.AssetKey, list[str]] = {}
    for asset in definitions().resolve_asset_graph().asset_nodes:
        if asset.partitions_def is not None:
            found[asset.key] = list(asset.partitions_def.get_partition_keys())
    return found


def test_the_demo_brings_everything_home_again_is_a_no_op_and_the_account_of_a_dotenv_file_is_left_alone(
    live: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "reporting_dags", project / "reporting_dags")
    shutil.copy(PROJECT / "dagster.yaml", project)
    names = ("DT_BASE_URL", "DT_CLIENT_ID", "DT_CLIENT_SECRET")
    (project / ".env").write_text("".join(f"{name}={os.environ[name]}\n" for name in names))
    monkeypatch.setenv("PYTHONPATH", str(project))
    monkeypatch.setenv("REPORTING_DATA_URL", str(tmp_path / "data"))
    demo = [*(sys.executable, "-m", "reporting_dags.cli", "demo"), *("--days", "3", "--home", str(tmp_path / "home"))]
    states: list[dict[str, tuple[bytes, int]]] = []
    said = ""
    for _ in range(2):
        done = subprocess.run(demo, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        files = files_under(tmp_path / "data")
        states.append({path.as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files})
        said = done.stdout
        assert "every report is whole" in said
    assert len(states[0]) >= 6
    assert states[0] == states[1]
    assert "nothing is missing or due" in said
    assert live.log.entries() == [], "the account of the .env file was not asked"
    home = tmp_path / "home"
    for name, value in dotenv_values(home / ".env").items():
        monkeypatch.setenv(name, value or "")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    offered = offered_partitions()
    assert len(offered) >= 12
    with dg.DagsterInstance.get() as instance:
        for key, partitions in offered.items():
            assert len(partitions) >= 3
            assert instance.get_materialized_partitions(key) == set(partitions), key
