"""A ledger by itself, and a stage on which jobs are driven."""

from pathlib import Path

import pytest

from reporting_dags.jobs.bench import Bench
from reporting_dags.jobs.database import Database
from reporting_dags.jobs.ledger import Ledger
from reporting_dags.landing.store import open_store
from reporting_dags_tests.jobs.scripted import HandClock, Scripted, Stage


@pytest.fixture
def stage(tmp_path: Path, database_of_its_own: Database) -> Stage:
    clock, lines = HandClock(), list[str]()
    provider = Scripted(clock)
    scratch = tmp_path / "spool"
    scratch.mkdir()
    bench = Bench(
        provider=provider,
        ledger=Ledger(database_of_its_own),
        data=open_store(str(tmp_path / "data"), scratch=scratch),
        raw=open_store(str(tmp_path / "raw"), scratch=scratch, private=True),
        scratch=scratch,
        clock=clock,
        run="run-1",
        log=lines.append,
    )
    return Stage(bench, provider, clock, lines, database_of_its_own)


@pytest.fixture
def ledger(database_of_its_own: Database) -> Ledger:
    return Ledger(database_of_its_own)
