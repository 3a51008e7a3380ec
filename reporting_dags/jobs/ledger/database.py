"""The ledger's database: SQLite in a private file, or PostgreSQL.

A transaction that writes names what it locks: a report, a quota, a rate. On PostgreSQL those that lock the same exclude
each other, on SQLite all that write do. A transaction that reads locks nothing and sees one moment.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
import tenacity
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import NullPool

from reporting_dags.jobs.ledger.liveness import FileLiveness, Liveness, PostgresLiveness, lock_number
from reporting_dags.jobs.ledger.postgres import engine_of
from reporting_dags.jobs.ledger.upgrade import has_no_revision, is_current, prepare
from reporting_dags.model.errors import StorageError

T = TypeVar("T")
FILE_NAME = "reporting_ledger.db"
_LEDGER = lock_number("reporting_ledger")
_READING: dict[str, dict[str, Any]] = {
    "sqlite": {"reads": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
"""Options of connections whose transactions only read, and see one moment."""


class Database:
    """Runs functions in transactions: what one reads under its locks still holds when it writes."""

    def __init__(self, engine: sa.Engine, liveness: Liveness, *, where: str, lock_seconds: float) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**_READING[engine.dialect.name])
        self._where = where
        self._seconds = lock_seconds
        self._liveness = liveness
        self._made: list[sa.MetaData] = []
        self.liveness: Liveness = _RetryingLiveness(liveness, self)

    def create(self, metadata: sa.MetaData) -> None:
        """Create the tables or upgrade those of an earlier release, once for each `Database`.

        Raises:
            StorageError: a newer release made them, or one of them lacks a column.
        """
        if metadata in self._made:
            return
        if not self.patiently(lambda: self._is_current(metadata)):
            self.patiently(lambda: self._upgrade(metadata))
        self._made.append(metadata)

    def _is_current(self, metadata: sa.MetaData) -> bool:
        try:
            return self._read(lambda connection: is_current(connection, metadata))
        except DBAPIError as error:
            if has_no_revision(error):
                return False
            raise

    def _upgrade(self, metadata: sa.MetaData) -> None:
        with self._engine.begin() as connection:
            # Every transaction that writes shares this lock, also those of releases that know no other.
            self._lock(connection, _take_lock(_LEDGER))
            prepare(connection, metadata, where=self._where)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Return the result of `work`, which only reads; all that it reads is of one moment.

        Raises:
            StorageError: the database stays locked or away, or is not a database.
        """
        return self.patiently(lambda: self._read(work))

    def write(self, work: Callable[[sa.Connection], T], lock: str, *locks: str) -> T:
        """Return the result of `work` in one transaction under locks; it is retried while the database is away.

        Args:
            work: the reads and writes.
            lock: the name of what it changes, such as a report.
            locks: names of what else it changes. Whoever takes two locks takes that of a report first.

        Raises:
            StorageError: the database stays locked, away, unwritable, or is not a database.
        """
        return self.patiently(lambda: self._write(work, (lock, *locks)))

    def patiently(self, call: Callable[[], T]) -> T:
        """Return the result of `call`, which talks to the database, retried while that is away.

        Raises:
            StorageError: as `write` does.
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

    def _read(self, work: Callable[[sa.Connection], T]) -> T:
        self._liveness.renew()
        with self._reading.begin() as connection:
            return work(connection)

    def _write(self, work: Callable[[sa.Connection], T], locks: Sequence[str]) -> T:
        self._liveness.renew()
        with self._engine.begin() as connection:
            shared = f"SELECT pg_advisory_xact_lock_shared({_LEDGER})"
            self._lock(connection, shared, *(_take_lock(lock_number(f"reporting_ledger {name}")) for name in locks))
            return work(connection)

    def _lock(self, connection: sa.Connection, *statements: str) -> None:
        """Take locks until the transaction ends. SQLite locked the file when the transaction began."""
        if connection.dialect.name == "postgresql":
            # A holder that hangs must not hold up the others without end, in silence.
            patience = f"SET LOCAL lock_timeout = {self._seconds * 1000:.0f}"
            connection.exec_driver_sql("; ".join((patience, *statements)))

    def _translated(self, error: DBAPIError) -> StorageError:
        text = str(error.orig).splitlines()[0] if error.orig is not None else type(error).__name__
        if "locked" in text or "lock timeout" in text:
            return StorageError(
                f"the ledger {self._where} stays locked by another process",
                advice=f"It was waited for {self._seconds:.0f} s; find the process that holds it, then run again.",
            )
        if "not a database" in text or "malformed" in text:
            return StorageError(
                f"the ledger {self._where} is not an SQLite database any more",
                advice="Put it back from a backup, or move it away: days landed already stay as they are.",
            )
        return StorageError(
            f"the ledger {self._where} cannot be used: {text}", advice="Nothing was lost; repair it, then run again."
        )

    def close(self) -> None:
        """Stop being every owner; on PostgreSQL a connection stays open for who opens the database next."""
        self.liveness.close()


class _RetryingLiveness:
    """Owners of a database that may be away for a moment."""

    def __init__(self, owners: Liveness, database: Database) -> None:
        self._liveness = owners
        self._database = database

    def acquire(self) -> str:
        """Begin to be an owner; returns its id."""
        return self._database.patiently(self._liveness.acquire)

    def release(self, owner: str) -> None:
        """Stop being `owner`."""
        self._liveness.release(owner)

    def is_alive(self, owner: str) -> bool:
        """Whether some process is still `owner`."""
        return self._database.patiently(lambda: self._liveness.is_alive(owner))

    def renew(self) -> None:
        """Be again the owners that a lost connection has unmade."""
        self._database.patiently(self._liveness.renew)

    def close(self) -> None:
        """Stop being every owner."""
        self._liveness.close()


def open_database(
    postgres_url: str | None, home: Path, *, lock_seconds: float, variable: str = "DAGSTER_POSTGRES_URL"
) -> Database:
    """Return the database at `postgres_url`, else in a private SQLite file in `home`.

    Args:
        postgres_url: a direct address of a PostgreSQL server.
        home: the folder of the SQLite file.
        lock_seconds: for how long a ledger that is locked or away is waited for.
        variable: the environment variable that holds the address, which errors name.

    Raises:
        StorageError: the URL is malformed, or the folder is missing or cannot be written.
    """
    if postgres_url is None:
        return _sqlite(home, lock_seconds)
    engine = engine_of(postgres_url, variable)
    where = f"on PostgreSQL at {engine.url.host or 'the local socket'}"
    return Database(engine, PostgresLiveness(engine, variable), where=where, lock_seconds=lock_seconds)


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
    return Database(engine, FileLiveness(home / "reporting_owners"), where=str(path), lock_seconds=lock_seconds)


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Transactions begin where we say; what is deleted (signed URLs) is overwritten, not just unlinked."""
    connection.isolation_level = None
    connection.execute("PRAGMA secure_delete = ON")


def _begin(connection: sa.Connection) -> None:
    """Take the write lock at once: a lock taken later could fail in the middle of a transaction."""
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _take_lock(number: int) -> str:
    return f"SELECT pg_advisory_xact_lock({number})"
