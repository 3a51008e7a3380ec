"""Liveness: a run is alive as long as it holds a lock that the system releases when its process ends.

A lock needs no clock and no heartbeat: a killed run is detected at once, and a slow run is never mistaken for a dead
one. On SQLite the lock is a file beside the ledger; on PostgreSQL it is an advisory lock of one connection.
"""

import contextlib
import hashlib
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import filelock
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from reporting_dags.jobs.ledger.postgres import pooled
from reporting_dags.landing.storage.paths import locked
from reporting_dags.model.errors import SettingError, StorageError


class Liveness(Protocol):
    """Issues owner ids and reports which of them are alive."""

    def acquire(self) -> str:
        """Take the lock of a new owner, and return its id."""
        ...

    def release(self, owner: str) -> None:
        """Release the lock of `owner`."""
        ...

    def is_alive(self, owner: str) -> bool:
        """Return whether a process holds the lock of `owner`."""
        ...

    def renew(self) -> None:
        """Take locks again that a lost connection released."""
        ...

    def close(self) -> None:
        """Release all locks."""
        ...


class FileLiveness:
    """Owners on one machine: an exclusive lock on a file each. An unwritable folder is a StorageError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, filelock.BaseFileLock] = {}

    def acquire(self) -> str:
        """Take the lock of a new owner, and return its id."""
        owner = uuid4().hex
        with self._guard():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = filelock.FileLock(self._path(owner), mode=0o600, thread_local=False)
            # One at a time: a lock that is made but not yet held would be taken for a dead owner's.
            with locked(self._folder):
                for path in self._folder.glob("*.lock"):
                    self.is_alive(path.stem)
                lock.acquire(blocking=False)
        self._held[owner] = lock
        return owner

    def release(self, owner: str) -> None:
        """Release the lock of `owner`; a lock file that cannot be removed may stay."""
        lock = self._held.pop(owner, None)
        if lock is not None:
            with contextlib.suppress(OSError):
                self._path(owner).unlink(missing_ok=True)
            lock.release()

    def is_alive(self, owner: str) -> bool:
        """Return whether a process holds the lock of `owner`."""
        if owner in self._held:
            return True
        path = self._path(owner)
        with self._guard():
            if not path.exists():
                return False
            lock = filelock.FileLock(path, mode=0o600, thread_local=False)
            try:
                lock.acquire(blocking=False)
            except filelock.Timeout:
                return True
            path.unlink(missing_ok=True)
            lock.release()
        return False

    def renew(self) -> None:
        """Do nothing: a file lock is lost only with its process."""

    def close(self) -> None:
        """Release all locks."""
        for owner in list(self._held):
            self.release(owner)

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"

    @contextlib.contextmanager
    def _guard(self) -> Generator[None]:
        try:
            yield
        except filelock.Timeout:
            raise
        except OSError as error:
            raise StorageError(
                f"{self._folder} cannot be written: {error.strerror}",
                advice="DAGSTER_HOME must be a folder that this process may write, with space left.",
            ) from None


class PostgresLiveness:
    """Owners on any machine: an advisory lock of a session each, which the server releases with the connection."""

    def __init__(self, engine: sa.Engine, variable: str) -> None:
        self._engine = engine
        self._variable = variable
        self._held: dict[str, _Session] = {}
        self._guard = threading.Lock()

    def acquire(self) -> str:
        """Take the lock of a new owner, and return its id."""
        owner = uuid4().hex
        with self._guard:
            self._held[owner] = self._locked(owner)
        return owner

    def release(self, owner: str) -> None:
        """Release the lock of `owner`; a lost connection has released it already."""
        with self._guard:
            session = self._held.pop(owner, None)
            # Renewing locks again what is held, and the server counts.
            if session is not None and _answer(session.connection, sa.select(sa.func.pg_advisory_unlock_all())):
                session.connection.close()

    def is_alive(self, owner: str) -> bool:
        """Return whether a session holds the lock of `owner`."""
        number = lock_number(owner)
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            free = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))))
            if free:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
        return not free

    def renew(self) -> None:
        """Take locks again that a lost connection released, so that a restart of the server does not end a run.

        A run that took the jobs meanwhile has incremented their fencing tokens, so they stay lost to this owner.
        """
        with self._guard:
            for owner, session in self._held.items():
                answer = _answer(session.connection, _lock_and_process(owner))
                if answer is None:
                    self._held[owner] = self._locked(owner)
                elif answer.process != session.process:
                    raise pooled(self._variable)

    def close(self) -> None:
        """Release all locks: a connection that returns to its pool would keep them."""
        for owner in list(self._held):
            self.release(owner)

    def _locked(self, owner: str) -> "_Session":
        """Return a session that holds the owner's lock, once the server has noticed that an earlier session is gone.

        Raises:
            SettingError: another connection gets the lock too, because a pooler gives both the same session.
        """
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            answer = connection.execute(_lock_and_process(owner)).one()
            if answer.held and not self.is_alive(owner):
                raise pooled(self._variable)
        except (DBAPIError, SettingError):
            connection.invalidate()
            connection.close()
            raise
        return _Session(connection, answer.process)


@dataclass(frozen=True, slots=True)
class _Session:
    """A connection, and the id of the server process behind it."""

    connection: sa.Connection
    process: int


def _answer(connection: sa.Connection, query: sa.Select[Any]) -> sa.Row[Any] | None:
    """Return the result of a query; close a lost connection."""
    if connection.closed:
        return None
    try:
        return connection.execute(query).one()
    except DBAPIError:
        connection.invalidate()
        connection.close()
        return None


def _lock_and_process(owner: str) -> sa.Select[tuple[bool, int]]:
    return sa.select(
        sa.func.pg_try_advisory_lock(lock_number(owner)).label("held"), sa.func.pg_backend_pid().label("process")
    )


def lock_number(name: str) -> int:
    """Return the 64-bit signed number of the advisory lock named `name`."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
