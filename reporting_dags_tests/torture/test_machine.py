"""A machine that turns against its runs: the quick form."""

import signal
from pathlib import Path

import pytest

from reporting_dags.jobs.ledger.database import open_database
from reporting_dags_tests.torture import disks, ledgers, signals
from reporting_dags_tests.torture.postgres import running_postgres
from reporting_dags_tests.torture.row import held


def test_a_disk_that_refuses_loses_nothing_and_the_next_run_lands() -> None:
    held(disks.rows())


@pytest.mark.parametrize("part", ledgers.DATABASES)
def test_a_database_that_is_away_locked_or_corrupt_costs_no_second_submit(part: str) -> None:
    held(ledgers.DATABASES[part]())


def test_a_run_is_not_taken_for_dead_after_its_connection_was_cut(tmp_path: Path) -> None:
    with running_postgres() as server:
        mine, other = (open_database(server.url, tmp_path, lock_seconds=20) for _ in range(2))
        owner = mine.liveness.acquire()
        server.cut()
        assert not other.liveness.is_alive(owner), "the server has dropped its lock"
        mine.write(lambda _: None, "test")
        assert other.liveness.is_alive(owner)
        mine.liveness.release(owner)
        assert not other.liveness.is_alive(owner)
        mine.close()
        other.close()


def test_a_clock_that_is_wrong_lands_the_truth() -> None:
    held(ledgers.clocks())


@pytest.mark.parametrize("stage", signals.STAGES)
def test_a_run_that_is_told_to_end_lets_go_and_the_next_takes_up_its_job(stage: str) -> None:
    held([signals.told_to_end("SIGTERM", signal.SIGTERM, stage)])
