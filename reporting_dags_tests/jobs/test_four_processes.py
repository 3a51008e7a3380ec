"""Four real processes on two machines' homes, one shared ledger, one provider each way, on a clock that is fast."""

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from reporting_dags.landing.storage.store import open_store
from reporting_dags.local import sandbox_accounts
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.outcome import Outcome
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.reports.integr8 import CLICKS, CONVERSIONS, IMPRESSIONS
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.request_log import LogEntry
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.fast_time import FastClock
from reporting_dags_tests.processes import Process, start
from reporting_dags_tests.truth import expected_rows, landed_rows

PROCESSES = 4
EXPORTS = 10
KEPT = 4
"""Exports a day that are kept for the latest day, for which no one asks here."""
REQUESTS = 5
MINUTE = timedelta(seconds=60)
SPEED = 6
REPORTS = {report.key: report for report in all_reports()}
REFUSED = re.compile(
    r"of 10 integr8 exports a day the 4 that are left are kept for the latest day\. "
    r"It is renewed on (?P<day>\d{4}-\d\d-\d\d) at 00:00 UTC; run again then\."
)


def tasks(number: int, today: date) -> list[str]:
    """What one process wants: days of its own; OrangeClickMedia's two are too far apart for one request."""
    day = today - (40 + number) * ONE_DAY
    exports = [f"{report.key}={day}" for report in (CLICKS, CONVERSIONS, IMPRESSIONS)]
    return [f"{EARNINGS.key}={day - EARNINGS.window_days * ONE_DAY},{day}", *exports]


@contextmanager
def pulling(sandbox: Sandbox, folder: Path, postgres_url: str, began: datetime) -> Generator[list[Process]]:
    """The processes; none outlives the block."""
    accounts = sandbox_accounts(sandbox.url)
    started: list[Process] = []
    try:
        for number in range(PROCESSES):
            home = folder / f"machine_{number % 2}"
            home.mkdir(exist_ok=True)
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONPATH": str(PROJECT),
                "DAGSTER_HOME": str(home),
                "DAGSTER_POSTGRES_URL": postgres_url,
                "REPORTING_DATA_URL": str(folder / "data"),
                "REPORTING_POLL_SECONDS": str(0.2 * SPEED),
                "FAST_TIME_BEGAN": began.isoformat(),
                "FAST_TIME_SPEED": str(SPEED),
                **accounts,
            }
            command = ["-m", "reporting_dags_tests.jobs.puller", *tasks(number, began.date())]
            started.append(start(command, cwd=home, env=environment))
        yield started
    finally:
        for process in started:
            process.close()


@pytest.mark.timeout(240)
@pytest.mark.rule("OC2", "IN8")
def test_four_processes_on_two_machines_keep_every_limit_between_them(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime.now(UTC)
    clock = FastClock(began, SPEED)
    monkeypatch.setattr("reporting_dags.sandbox.clock.datetime", clock)
    with running_sandbox(seed=7) as sandbox:
        with pulling(sandbox, tmp_path, postgres_url, began) as processes:
            told = [process.communicate(timeout=200) for process in processes]
        assert [process.returncode for process in processes] == [0] * PROCESSES, told
        results = [json.loads(line) for output, _ in told for line in output.splitlines()]
        asked = sandbox.log.entries("orangeclick.generate")
        exports = sandbox.log.entries("integr8.export", status=200)
        check_orangeclick(asked)
        check_exports(sandbox, exports, results)
        assert sandbox.log.entries(status=429) == []
        assert len(results) == 5 * PROCESSES
        assert len([result for result in results if not result["line"]]) == 2 * PROCESSES + len(exports)
        check_truth(sandbox, tmp_path, results)
    assert clock.now() - began > MINUTE, "eight requests do not fit into one minute"
    assert len({folder.name for folder in tmp_path.glob("machine_*/raw")}) == 1
    assert len(list(tmp_path.glob("machine_*/raw"))) == 2
    assert not list(tmp_path.glob("machine_*/reporting_ledger.db"))
    check_ledger(postgres_url, len(exports))


def check_orangeclick(asked: list[LogEntry]) -> None:
    assert [entry.status for entry in asked] == [200] * 2 * PROCESSES
    at = sorted(entry.at for entry in asked)
    assert all(later - first >= MINUTE for first, later in zip(at, at[REQUESTS:], strict=False))
    assert at[REQUESTS - 1] - at[0] < MINUTE, "the first five need not wait"
    assert at[-1] - at[0] < 2 * MINUTE


def check_exports(sandbox: Sandbox, exports: list[LogEntry], results: list[dict[str, str]]) -> None:
    """Ten a UTC day but for the share of the latest day, and whoever came too late was told so without a call."""
    by_day = Counter(entry.at.date() for entry in exports)
    assert max(by_day.values()) <= EXPORTS - KEPT
    assert len(exports) == sandbox.log.count("integr8.export")
    assert len(exports) >= EXPORTS - KEPT, "no more than need be are denied"
    denied = [result for result in results if result["line"]]
    assert len(denied) == 3 * PROCESSES - len(exports)
    for result in denied:
        assert result["report"].startswith("integr8/")
        assert result["outcome"] == Outcome.DENIED
        line = REFUSED.fullmatch(result["line"])
        assert line, result
        assert date.fromisoformat(line["day"]) - ONE_DAY in by_day


def check_truth(sandbox: Sandbox, folder: Path, results: list[dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        data = open_store(str(folder / "data"), scratch=Path(scratch))
        for result in results:
            report, day = REPORTS[result["report"]], date.fromisoformat(result["day"])
            assert data.exists(report.file(day)) is not bool(result["line"])
            if not result["line"]:
                assert landed_rows(data, report, day) == expected_rows(sandbox, report, day), result


def check_ledger(postgres_url: str, exports: int) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        spent = dict(
            connection.execute(sa.text("SELECT api, count(*) FROM reporting_calls GROUP BY api")).tuples().all()
        )
        still_open = connection.scalar(sa.text("SELECT count(*) FROM reporting_jobs WHERE state <> 'closed'"))
    engine.dispose()
    assert spent == {"orangeclick requests": 2 * PROCESSES, "integr8 exports": exports}
    assert still_open == 0
