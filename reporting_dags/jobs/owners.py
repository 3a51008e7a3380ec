"""Who is at work: each run is an owner, and is alive as long as it holds a lock that dies with its process.

A lock needs no clock and no heartbeat: a killed run is known to be gone at once, and a run that is merely slow is never
taken for dead. On SQLite the lock is a file beside the ledger, on PostgreSQL an advisory lock of one connection.
"""

import contextlib
import hashlib
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import filelock
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError


class Owners(Protocol):
    """Gives out ownership and tells who still has it."""

    def enter(self) -> str:
        """Begin to be an owner; returns its id."""
        ...

    def leave(self, owner: str) -> None:
        """Stop being `owner`."""
        ...

    def alive(self, owner: str) -> bool:
        """Whether some process is still `owner`."""
        ...


class FileOwners:
    """Owners on one machine: an exclusive lock on a file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, filelock.BaseFileLock] = {}

    def enter(self) -> str:
        """Begin to be an owner; returns its id."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = uuid4().hex
        lock = filelock.FileLock(self._path(owner), mode=0o600, thread_local=False)
        lock.acquire(blocking=False)
        self._held[owner] = lock
        return owner

    def leave(self, owner: str) -> None:
        """Stop being `owner`."""
        lock = self._held.pop(owner, None)
        if lock is not None:
            self._path(owner).unlink(missing_ok=True)
            lock.release()

    def alive(self, owner: str) -> bool:
        """Whether some process still holds the owner's lock."""
        if owner in self._held:
            return True
        path = self._path(owner)
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

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"


class PostgresOwners:
    """Owners on any machine: a session's advisory lock each, which the server drops with the connection."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._held: dict[str, sa.Connection] = {}

    def enter(self) -> str:
        """Begin to be an owner; returns its id."""
        owner = uuid4().hex
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.select(sa.func.pg_advisory_lock(lock_number(owner))))
        self._held[owner] = connection
        return owner

    def leave(self, owner: str) -> None:
        """Stop being `owner`; a connection that is lost already has let go."""
        connection = self._held.pop(owner, None)
        if connection is not None:
            with contextlib.suppress(DBAPIError):
                connection.execute(sa.select(sa.func.pg_advisory_unlock(lock_number(owner))))
            connection.close()

    def alive(self, owner: str) -> bool:
        """Whether some session still holds the owner's lock."""
        number = lock_number(owner)
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            free = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))))
            if free:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
        return not free


def lock_number(name: str) -> int:
    """A 64-bit signed number for an advisory lock called `name`."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
