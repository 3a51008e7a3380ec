"""The ledger's database: SQLite in a private file, or PostgreSQL; transactions that exclude each other."""

import functools
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
import tenacity
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import NullPool

from reporting_dags.jobs.owners import FileOwners, Owners, PostgresOwners, lock_number
from reporting_dags.jobs.schema import has_no_revision, is_current, prepare
from reporting_dags.model.errors import StorageError

T = TypeVar("T")
FILE_NAME = "reporting_ledger.db"
_KEEP_ALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A run's lock lives as long as its connection, which idles while a report is waited for; a server that is gone without
a word holds up a question for half a minute."""
_LEDGER = lock_number("reporting_ledger")


class Database:
    """Runs functions in transactions that exclude each other across processes.

    The work is small and rare (a few rows a job), so one writer at a time costs nothing, and what is read in a
    transaction still holds when it writes.
    """

    def __init__(self, engine: sa.Engine, owners: Owners, *, where: str, lock_seconds: float) -> None:
        self._engine = engine
        self._where = where
        self._seconds = lock_seconds
        self._owners = owners
        self._made: list[sa.MetaData] = []
        self.owners: Owners = _PatientOwners(owners, self)

    def create(self, metadata: sa.MetaData) -> None:
        """Create the tables or upgrade those of an earlier release, once for each `Database`.

        Raises:
            StorageError: a newer release made them, or one of them lacks a column.
        """
        if metadata in self._made:
            return
        if not self.patiently(lambda: self._is_current(metadata)):
            self.run(lambda connection: prepare(connection, metadata, where=self._where))
        self._made.append(metadata)

    def _is_current(self, metadata: sa.MetaData) -> bool:
        try:
            return self._once(lambda connection: is_current(connection, metadata))
        except DBAPIError as error:
            if has_no_revision(error):
                return False
            raise

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of `work` in one transaction, tried again while the database is away.

        Raises:
            StorageError: the database stays locked, away, unwritable, or is no database.
        """
        return self.patiently(lambda: self._once(work))

    def patiently(self, call: Callable[[], T]) -> T:
        """The result of `call`, which talks to the database, tried again while that is away.

        Raises:
            StorageError: as `run` does.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._is_away),
            wait=tenacity.wait_exponential(multiplier=0.2, max=5),
            stop=tenacity.stop_after_delay(self._seconds),
            reraise=True,
        )
        try:
            return retrying(call)
        except DBAPIError as error:
            raise self._translated(error) from None

    def _is_away(self, error: BaseException) -> bool:
        """Whether a server may soon be back; SQLite has waited for its lock already."""
        if self._engine.dialect.name != "postgresql":
            return False
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        return lost or isinstance(error, OperationalError | InterfaceError)

    def _once(self, work: Callable[[sa.Connection], T]) -> T:
        self._owners.renew()
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # A holder that hangs must not hold up everybody else for ever, in silence.
                connection.exec_driver_sql(
                    f"SET LOCAL lock_timeout = {self._seconds * 1000:.0f}; SELECT pg_advisory_xact_lock({_LEDGER})"
                )
            return work(connection)

    def _translated(self, error: DBAPIError) -> StorageError:
        text = str(error.orig).splitlines()[0] if error.orig is not None else type(error).__name__
        if "locked" in text or "lock timeout" in text:
            return StorageError(
                f"the ledger {self._where} stays locked by another process",
                advice=f"It was waited for {self._seconds:.0f} s; find the process that holds it, then run again.",
            )
        if "not a database" in text or "malformed" in text:
            return StorageError(
                f"the ledger {self._where} is no SQLite database any more",
                advice="Put it back from a backup, or move it away: days landed already stay as they are.",
            )
        return StorageError(
            f"the ledger {self._where} cannot be used: {text}", advice="Nothing was lost; mend it, then run again."
        )

    def close(self) -> None:
        """Stop being every owner; on PostgreSQL a connection stays open for who opens the database next."""
        self.owners.close()


class _PatientOwners:
    """Owners of a database that may be away for a moment."""

    def __init__(self, owners: Owners, database: Database) -> None:
        self._owners = owners
        self._database = database

    def enter(self) -> str:
        """Begin to be an owner; returns its id."""
        return self._database.patiently(self._owners.enter)

    def leave(self, owner: str) -> None:
        """Stop being `owner`."""
        self._owners.leave(owner)

    def alive(self, owner: str) -> bool:
        """Whether some process is still `owner`."""
        return self._database.patiently(lambda: self._owners.alive(owner))

    def renew(self) -> None:
        """Be again the owners that a lost connection has unmade."""
        self._database.patiently(self._owners.renew)

    def close(self) -> None:
        """Stop being every owner."""
        self._owners.close()


def open_database(postgres_url: str | None, home: Path, *, lock_seconds: float) -> Database:
    """The database at `postgres_url`, else a private SQLite file in `home`.

    Raises:
        StorageError: the URL is malformed, or the folder is missing or cannot be written.
    """
    if postgres_url is None:
        return _sqlite(home, lock_seconds)
    try:
        url = sa.make_url(postgres_url)
    except (ArgumentError, ValueError):
        raise _malformed() from None
    # A second @ means a password that was not percent-encoded: where the host begins is anybody's guess.
    if url.get_backend_name() != "postgresql" or postgres_url.count("@") > 1:
        raise _malformed()
    where = f"on PostgreSQL at {url.host or 'the local socket'}"
    engine = _postgres(url, os.getpid())
    return Database(engine, PostgresOwners(engine), where=where, lock_seconds=lock_seconds)


@functools.lru_cache(maxsize=4)
def _postgres(url: sa.URL, _process: int) -> sa.Engine:
    """One engine a process: connecting, and compiling each statement anew, would be much of the work of a tick."""
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg2"),
        # Whatever the server's default is: what others committed before the lock was taken must be seen after it.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=1,
        max_overflow=-1,
        hide_parameters=True,
        connect_args=_KEEP_ALIVE,
    )


def _malformed() -> StorageError:
    return StorageError(
        "DAGSTER_POSTGRES_URL is no PostgreSQL address",
        advice="Write postgresql://user:password@host:5432/name, special characters of the password percent-encoded",
    )


def _sqlite(home: Path, lock_seconds: float) -> Database:
    path = home / FILE_NAME
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StorageError(
            f"the ledger {path} cannot be written: {error.strerror}",
            advice="DAGSTER_HOME must be a folder that this process may write.",
        ) from None
    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"timeout": lock_seconds}, poolclass=NullPool, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return Database(engine, FileOwners(home / "reporting_owners"), where=str(path), lock_seconds=lock_seconds)


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Transactions begin where we say; what is deleted (signed URLs) is overwritten, not just unlinked."""
    connection.isolation_level = None
    connection.execute("PRAGMA secure_delete = ON")


def _begin(connection: Any) -> None:
    """Take the write lock at once: a lock taken later could fail in the middle of a transaction."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
