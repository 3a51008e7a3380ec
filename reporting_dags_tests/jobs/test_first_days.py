"""The first partition is read from the ledger when definitions are loaded: at any state of it, quickly, traceless."""

import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from reporting_dags.definitions import definitions
from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import FILE_NAME, open_database
from reporting_dags.jobs.ledger.first_days import first_requested
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.read_only import missing_ledger, read_only_connection
from reporting_dags.model.errors import StorageError
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.storage import StorageResource
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags_tests.earlier_home import FACTS, START, copy_ledger

DAY = date(2026, 8, 1)
VARIABLE = "DAGSTER_POSTGRES_URL"
SECONDS = 8.0
"""In which definitions load, whatever the ledger is like."""
OURS = ("DT_", "MINTEGRAL_", "ORANGECLICK_", "INTEGR8_", "REPORTING_", "DAGSTER_")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of an instance, without a ledger, and no other variable of the project's."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


def requested(url: str | None, home: Path | None, since: date = date.min) -> dict[str, date]:
    return dict(first_requested(url, home, variable=VARIABLE, since=since))


def note_job(url: str | None, home: Path, *windows: tuple[date, date]) -> None:
    """Note requests of days of a report in a ledger, which is created."""
    database = open_database(url, home, lock_seconds=5)
    Ledger(database)
    rows = [
        {
            "id": f"job{number}",
            "report": REVENUE.key,
            "account": "account",
            "fingerprint": "query",
            "first_day": first,
            "last_day": last,
            "part": "",
            "days_left": "",
            "state": "closed",
            "fence": 1,
            "resends": 0,
            "intended_at": datetime(2026, 8, 2, tzinfo=UTC),
            "ahead_seconds": 0.0,
        }
        for number, (first, last) in enumerate(windows)
    ]
    if rows:
        database.write(lambda connection: connection.execute(tables.jobs.insert(), rows), "test")
    database.close()


def first_partition() -> date:
    """The first partition of a report of which the provider serves days for a limited time, in loaded definitions."""
    began = time.monotonic()
    loaded = definitions()
    assert time.monotonic() - began < SECONDS
    partitions = loaded.resolve_assets_def(key_of(REVENUE)).partitions_def
    assert partitions is not None
    return date.fromisoformat(partitions.get_first_partition_key() or "")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tables_in(url: str) -> list[str]:
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg2"))
    names = sa.inspect(engine).get_table_names()
    engine.dispose()
    return names


def test_where_no_ledger_is_none_is_made(home: Path) -> None:
    assert requested(None, home) == {}
    assert requested(None, None) == {}
    assert first_partition() == REVENUE.calendar.earliest_available(datetime.now(UTC))
    assert files(home) == {}
    assert missing_ledger(None, home, variable=VARIABLE) == str(home)


def test_an_empty_postgresql_database_stays_empty(
    home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert requested(postgres_url, home) == {}
    monkeypatch.setenv(VARIABLE, postgres_url)
    assert first_partition() == REVENUE.calendar.earliest_available(datetime.now(UTC))
    assert files(home) == {}
    assert tables_in(postgres_url) == []
    assert "PostgreSQL at" in missing_ledger(postgres_url, home, variable=VARIABLE)


def test_an_empty_ledger_knows_no_day(home: Path, database_url: str | None) -> None:
    note_job(database_url, home)
    assert requested(database_url, home) == {}
    assert missing_ledger(database_url, home, variable=VARIABLE) == ""


def test_the_oldest_day_that_was_requested_is_the_first_partition(
    home: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_job(database_url, home, (DAY + timedelta(days=5), DAY + timedelta(days=9)), (DAY, DAY + timedelta(days=1)))
    if database_url is not None:
        monkeypatch.setenv(VARIABLE, database_url)
    before = files(home)
    assert requested(database_url, home) == {REVENUE.key: DAY}
    assert requested(database_url, home, since=DAY + timedelta(days=2)) == {REVENUE.key: DAY + timedelta(days=5)}
    assert requested(database_url, home, since=DAY + timedelta(days=10)) == {}
    assert first_partition() == DAY
    assert files(home) == before


def test_a_ledger_of_an_earlier_release_is_read_and_not_upgraded(
    home: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_ledger(home, database_url)
    monkeypatch.setenv("REPORTING_START_DATE", START.isoformat())
    if database_url is not None:
        monkeypatch.setenv(VARIABLE, database_url)
    before, names = files(home), tables_in(database_url) if database_url else []
    assert min(requested(database_url, home, since=START).values()) == START
    assert first_partition() == date.fromisoformat(min(FACTS["landed"][REVENUE.key]))
    assert files(home) == before
    assert not database_url or tables_in(database_url) == names
    assert "alembic_version" not in names


@pytest.fixture(params=["locked", "corrupt", "not a database", "empty file", "unreadable rows"])
def broken(request: pytest.FixtureRequest, home: Path) -> Iterator[Path]:
    """A home whose SQLite ledger cannot be read."""
    note_job(None, home, (DAY, DAY))
    path = home / FILE_NAME
    if request.param == "locked":
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        yield home
        other.close()
        return
    if request.param == "corrupt":
        data = path.read_bytes()
        path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    elif request.param == "not a database":
        path.write_text("not a database\n" * 1000, encoding="utf-8")
    elif request.param == "empty file":
        path.write_bytes(b"")
    else:
        other = sqlite3.connect(path)
        other.execute("UPDATE reporting_jobs SET first_day = 'no day'")
        other.commit()
        other.close()
    yield home


def test_a_ledger_that_cannot_be_read_keeps_no_definitions_from_loading(broken: Path) -> None:
    before = files(broken)
    began = time.monotonic()
    found = StorageResource().first_requested()
    assert time.monotonic() - began < SECONDS / 2
    assert not found
    assert first_partition() <= REVENUE.calendar.earliest_available(datetime.now(UTC))
    assert files(broken) == before


@pytest.fixture(params=["refused", "silent", "no such host", "malformed", "mask", "no such database"])
def away(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address of PostgreSQL at which no ledger answers, as the environment has it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        if request.param == "silent":
            server.listen(8)
        url = {
            "no such host": "postgresql://u:hush@nowhere.invalid:5432/x",
            "malformed": "postgresql://u:hu@sh@127.0.0.1/x",
            "mask": "********",
        }.get(request.param, f"postgresql://u:hush@127.0.0.1:{port}/x")
        if request.param == "no such database":
            url = f"{request.getfixturevalue('postgres_url')}_gone"
        monkeypatch.setenv(VARIABLE, url)
        yield url


def test_a_server_that_is_away_keeps_no_definitions_from_loading(home: Path, away: str) -> None:
    began = time.monotonic()
    assert StorageResource().first_requested() is None
    assert time.monotonic() - began < SECONDS / 2
    assert first_partition() == date(2026, 6, 1), "where the ledger cannot be read, no landed day may disappear"
    assert files(home) == {}


def test_a_table_that_another_session_holds_keeps_no_definitions_from_loading(
    home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_job(postgres_url, home, (DAY, DAY))
    monkeypatch.setenv(VARIABLE, postgres_url)
    engine = sa.create_engine(sa.make_url(postgres_url).set(drivername="postgresql+psycopg2"))
    with engine.begin() as other:
        other.exec_driver_sql(f"LOCK TABLE {tables.jobs.name} IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        assert StorageResource().first_requested() is None
        assert time.monotonic() - began < SECONDS / 2
    engine.dispose()
    assert StorageResource().first_requested() == {REVENUE.key: DAY}


def test_what_fails_is_one_error_without_a_secret(home: Path) -> None:
    url = "postgresql://u:hush@127.0.0.1:9/x"
    with pytest.raises(StorageError) as caught, read_only_connection(url, home, variable=VARIABLE):
        pass
    assert "hush" not in caught.value.line
    assert missing_ledger(url, home, variable=VARIABLE) == "", "opening it says what is wrong with it"


def test_a_ledger_on_sqlite_is_read_whatever_its_folder_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "a #%20&mode=rw folder"
    folder.mkdir()
    note_job(None, folder, (DAY, DAY))
    before = files(folder)
    assert requested(None, folder) == {REVENUE.key: DAY}
    assert files(folder) == before
