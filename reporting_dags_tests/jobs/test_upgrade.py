"""Upgrades of an earlier release's ledger: by many at once, interrupted, and beside the earlier release."""

import functools
import itertools
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy import event

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger import upgrade as schema
from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.upgrade import REVISIONS, VERSION_TABLE
from reporting_dags_tests.earlier_home import FACTS, baseline, copy_ledger

Open = Callable[[], Database]
EVENT = "dt_offer_wall/event"


@pytest.fixture
def open_it(database_url: str | None, tmp_path: Path) -> Open:
    """Opens the earlier release's ledger, and does not upgrade it yet."""
    copy_ledger(tmp_path, database_url)
    return lambda: open_database(database_url, tmp_path, lock_seconds=30)


def contents(open_it: Open) -> dict[str, tuple[list[str], list[str]]]:
    """The columns and the rows of every table."""

    def work(connection: sa.Connection) -> dict[str, tuple[list[str], list[str]]]:
        found = sa.MetaData()
        found.reflect(connection)
        return {
            table.name: (list(table.columns.keys()), sorted(map(str, connection.execute(sa.select(table)))))
            for table in found.sorted_tables
        }

    database = open_it()
    try:
        return database.write(work, "test")
    finally:
        database.close()


def rows_of_the_earlier_release(open_it: Open) -> dict[str, list[str]]:
    """What an earlier release would read of every table."""

    def work(connection: sa.Connection) -> dict[str, list[str]]:
        found = baseline().sorted_tables
        return {table.name: sorted(map(str, connection.execute(sa.select(table)))) for table in found}

    database = open_it()
    try:
        return database.write(work, "test")
    finally:
        database.close()


def check_upgraded(open_it: Open) -> None:
    """The ledger is complete at this release's revision, and knows the account of every day that has jobs."""
    found = contents(open_it)
    assert found.pop(VERSION_TABLE)[1] == [f"('{REVISIONS[-1]}',)"]
    assert {name: set(columns) for name, (columns, _) in found.items()} == {
        name: set(table.columns.keys()) for name, table in tables.metadata.tables.items()
    }
    database = open_it()
    query = sa.select(tables.days.c.jobs, tables.days.c.account)
    days = database.read(lambda connection: connection.execute(query).tuples().all())
    database.close()
    assert len(days) == 22
    assert all(bool(account) == bool(jobs) for jobs, account in days)


def in_a_child(work: Callable[[], None]) -> int:
    """How a process ended that did `work` alone: 0, or the signal that killed it."""
    child = os.fork()
    if child == 0:  # pragma: no cover - the child's side
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def test_of_eight_processes_one_upgrades_and_all_go_on(open_it: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    start, go = os.pipe()
    result, told = os.pipe()
    migrate = schema._migrate  # pyright: ignore[reportPrivateUsage]

    def noted(connection: sa.Connection) -> None:
        os.write(told, b"m")
        migrate(connection)

    monkeypatch.setattr(schema, "_migrate", noted)
    children: list[int] = []
    for _ in range(8):
        child = os.fork()
        if child == 0:  # pragma: no cover - the child's side
            try:
                database = open_it()
                os.read(start, 1)
                days = Ledger(database).materializations.days(EVENT)
                database.close()
                os.write(told, b"d" if len(days) == 3 else b"?")
            finally:
                os._exit(0)
        children.append(child)
    os.write(go, b"12345678")
    for child in children:
        os.waitpid(child, 0)
    os.close(told)
    found = os.read(result, 100)
    for end in (start, go, result):
        os.close(end)
    assert sorted(found) == sorted(b"m" + b"d" * 8)
    check_upgraded(open_it)


def killed_at(open_it: Open, number: int) -> None:
    """Open the ledger; be killed before the statement of that number that writes, or before a commit."""
    steps = itertools.count(1)

    def strike(_connection: object, _cursor: object = None, statement: str = "COMMIT", *_: object) -> None:
        if not statement.startswith(("SELECT", "PRAGMA")) and next(steps) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    database = open_it()
    event.listen(sa.Engine, "before_cursor_execute", strike)
    event.listen(sa.Engine, "commit", strike)
    Ledger(database)


def test_an_upgrade_that_is_killed_leaves_the_ledger_as_it_was_and_the_next_start_finishes(open_it: Open) -> None:
    before = contents(open_it)
    number = 1
    while in_a_child(functools.partial(killed_at, open_it, number)):
        assert contents(open_it) == before, number
        number += 1
    assert number > 12, "it was killed before every statement of the upgrade, and before its commit"
    check_upgraded(open_it)


def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(open_it: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(open_it)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a migration that is wrong")

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "create_table", fail)
        database = open_it()
        with pytest.raises(RuntimeError, match="a migration that is wrong"):
            Ledger(database)
        database.close()
    assert contents(open_it) == before
    database = open_it()
    Ledger(database)
    database.close()
    check_upgraded(open_it)


def test_an_upgrade_keeps_every_row(open_it: Open) -> None:
    before = rows_of_the_earlier_release(open_it)
    database = open_it()
    Ledger(database)
    database.close()
    assert rows_of_the_earlier_release(open_it) == before
    check_upgraded(open_it)


def test_a_run_of_the_earlier_release_can_still_write_beside_the_new_one(open_it: Open) -> None:
    database = open_it()
    ledger = Ledger(database)
    days = baseline().tables["reporting_days"]
    row = {column.name: "" for column in days.columns} | {
        "report": "somebody/report",
        "day": datetime(2026, 11, 20, tzinfo=UTC).date(),
        "outcome": "data",
        "rows": 1,
        "bytes": 1,
        "money": {},
        "totals": {},
        "asked_at": FACTS["now"],
        "landed_at": FACTS["now"],
    }
    database.write(lambda connection: connection.execute(days.insert().values(row)), "test")
    assert len(ledger.materializations.days("somebody/report")) == 1
    database.close()
