"""A ledger by itself, and a stage on which jobs are driven."""

from pathlib import Path

import pytest

from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags_tests.jobs.scripted import HandClock, Scripted, Stage
from reporting_dags_tests.pulling import bench_in


@pytest.fixture
def stage(tmp_path: Path, database_of_its_own: Database) -> Stage:
    clock, lines = HandClock(), list[str]()
    provider = Scripted(clock)
    context = bench_in(tmp_path, provider, database_of_its_own, clock, log=lines.append)
    return Stage(context, provider, clock, lines, database_of_its_own)


@pytest.fixture
def ledger(database_of_its_own: Database) -> Ledger:
    return Ledger(database_of_its_own)
