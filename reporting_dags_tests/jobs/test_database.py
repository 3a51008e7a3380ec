"""The ledger's database: exclusive transactions, private files, and servers that go away."""

import contextlib
import os
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.tables import metadata
from reporting_dags.model.errors import StorageError


def test_transactions_exclude_each_other(database: Database) -> None:
    database.create(metadata)
    table = sa.Table("counter", sa.MetaData(), sa.Column("n", sa.Integer))
    database.write(table.create, "test")
    database.write(lambda connection: connection.execute(table.insert().values(n=0)), "test")

    def count() -> None:
        def work(connection: sa.Connection) -> None:
            value = connection.scalar(sa.select(table.c.n)) or 0
            connection.execute(table.update().values(n=value + 1))

        for _ in range(10):
            database.write(work, "test")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read(lambda connection: connection.scalar(sa.select(table.c.n))) == 40


def test_transactions_of_different_reports_wait_for_each_other_on_sqlite_alone(
    database: Database, database_url: str | None, tmp_path: Path
) -> None:
    other = open_database(database_url, tmp_path, lock_seconds=0.5)

    def meanwhile(_: sa.Connection) -> bool:
        with pytest.raises(StorageError, match="stays locked"):
            other.write(lambda _: None, "a/report")
        if database_url is None:
            return True
        other.write(lambda _: None, "another/report")
        return other.read(lambda connection: connection.scalar(sa.text("SELECT 1"))) == 1

    assert database.write(meanwhile, "a/report")
    other.close()


def test_what_is_read_is_of_one_moment_and_cannot_be_written(
    database: Database, database_url: str | None, tmp_path: Path
) -> None:
    database.create(metadata)
    count = sa.select(sa.func.count()).select_from(tables.accounts)
    row = tables.accounts.insert().values(fingerprint="f", account="a", added_at=datetime(2026, 11, 1, tzinfo=UTC))
    other = open_database(database_url, tmp_path, lock_seconds=0.5)

    def twice(connection: sa.Connection) -> tuple[int | None, int | None]:
        before = connection.scalar(count)
        # On SQLite a writer waits for its readers.
        with contextlib.suppress(StorageError):
            other.write(lambda connection: connection.execute(row), "accounts")
        return before, connection.scalar(count)

    assert database.read(twice) == (0, 0)
    if database_url is not None:
        assert database.read(lambda connection: connection.scalar(count)) == 1
        with pytest.raises(StorageError, match="read-only transaction"):
            database.read(lambda connection: connection.execute(row))
    other.close()


def test_an_owner_lives_until_it_leaves_and_others_see_it(
    database: Database, database_url: str | None, tmp_path: Path
) -> None:
    owner = database.liveness.acquire()
    other = open_database(database_url, tmp_path, lock_seconds=2)
    assert database.liveness.is_alive(owner)
    assert other.liveness.is_alive(owner)
    database.liveness.release(owner)
    assert not other.liveness.is_alive(owner)
    assert not other.liveness.is_alive("nobody")
    other.close()


def test_whoever_closes_the_database_owns_nothing_any_more(
    database: Database, database_url: str | None, tmp_path: Path
) -> None:
    other = open_database(database_url, tmp_path, lock_seconds=2)
    owners = [other.liveness.acquire() for _ in range(2)]
    other.close()
    assert not any(database.liveness.is_alive(owner) for owner in owners)


def test_a_process_connects_once_however_often_it_opens_the_database(postgres_url: str, tmp_path: Path) -> None:
    servers: set[int] = set()
    for _ in range(3):
        database = open_database(postgres_url, tmp_path, lock_seconds=2)
        Ledger(database)
        servers.add(database.read(lambda connection: connection.scalar(sa.text("SELECT pg_backend_pid()")) or 0))
        database.close()
    assert len(servers) == 1


def test_many_owners_in_one_process_do_not_wait_for_a_connection(postgres_url: str, tmp_path: Path) -> None:
    databases = [open_database(postgres_url, tmp_path, lock_seconds=2) for _ in range(20)]
    owners = [database.liveness.acquire() for database in databases]
    assert all(database.liveness.is_alive(owner) for database, owner in zip(databases, owners, strict=True))
    for database in databases:
        database.close()


def test_an_owner_whose_process_dies_is_not_alive(database: Database, database_url: str | None, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child's side
        mine = open_database(database_url, tmp_path, lock_seconds=2)
        os.write(writer, mine.liveness.acquire().encode())
        signal.pause()
        os._exit(0)
    owner = os.read(reader, 32).decode()
    assert database.liveness.is_alive(owner)
    os.kill(child, 9)
    os.waitpid(child, 0)
    deadline = time.monotonic() + 5
    while database.liveness.is_alive(owner):  # a server takes a moment to see that its client is gone
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_connection_that_the_server_cut_is_made_anew(postgres_url: str, tmp_path: Path) -> None:
    database = open_database(postgres_url, tmp_path, lock_seconds=5)
    cuts = 0

    def work(connection: sa.Connection) -> int:
        nonlocal cuts
        if not cuts:
            cuts += 1
            mine = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            admin = sa.create_engine(postgres_url)
            with admin.connect() as other:
                other.execute(sa.text(f"SELECT pg_terminate_backend({mine})"))
            admin.dispose()
        return connection.scalar(sa.text("SELECT 42")) or 0

    assert database.write(work, "test") == 42
    database.close()


def test_schemas_of_any_name_hold_the_ledger(postgres_url: str, tmp_path: Path) -> None:
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text('CREATE SCHEMA "Reports 2"'))
        connection.execute(sa.text('ALTER ROLE CURRENT_USER SET search_path = "Reports 2"'))
    try:
        for _ in range(2):
            database = open_database(postgres_url, tmp_path, lock_seconds=2)
            Ledger(database)
            found = database.read(lambda connection: sa.inspect(connection).get_table_names(schema="Reports 2"))
            database.close()
            assert set(metadata.tables) <= set(found)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text("ALTER ROLE CURRENT_USER RESET search_path"))
        engine.dispose()


def test_a_server_that_stays_away_is_named_without_its_password(tmp_path: Path) -> None:
    database = open_database("postgresql://me:hush-hush@127.0.0.1:9/nowhere", tmp_path, lock_seconds=0.5)
    with pytest.raises(StorageError, match=r"PostgreSQL at 127\.0\.0\.1") as caught:
        database.write(lambda connection: None, "test")
    assert "hush-hush" not in caught.value.line
    assert "\n" not in caught.value.line


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="DAGSTER_HOME must be a folder"):
        open_database(None, tmp_path / "nowhere", lock_seconds=1)


@pytest.mark.parametrize(
    "url",
    [
        "hush-hush-password",
        "postgresql://user:pa@ss:hush2word@host/db",
        "postgresql://user:hush@rt/x@127.0.0.1/db",
        "postgresql://user:hush@host:port/db",
        "nosuch://user:hush@host/db",
        "mysql://user:hush@host/db",
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(StorageError, match="DAGSTER_POSTGRES_URL is not a PostgreSQL address") as caught:
        open_database(url, tmp_path, lock_seconds=1)
    assert "hush" not in caught.value.line
    assert caught.value.__cause__ is None
    with pytest.raises(StorageError, match="REPORTING_LEDGER_URL is not a PostgreSQL address"):
        open_database(url, tmp_path, lock_seconds=1, variable="REPORTING_LEDGER_URL")
