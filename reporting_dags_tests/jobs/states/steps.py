"""The steps of a run, at each of which it can be interrupted: killed, refused by a store, or taken over by another."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import StaticPool

from reporting_dags.jobs.ledger.database import Database
from reporting_dags.landing.storage.local_store import LocalStore
from reporting_dags.model.errors import StorageError

T = TypeVar("T")


class Killed(BaseException):
    """The process of the run is killed."""


class Kind(StrEnum):
    """How a run is interrupted.

    It is killed; a store refuses; it stands still, and another run takes its days over; another run wants its days, and
    has to leave them to it.
    """

    KILL = "kill"
    OUTAGE = "outage"
    TAKEOVER = "takeover"
    MEANWHILE = "meanwhile"


@dataclass(frozen=True)
class Interruption:
    """What happens at the step number `at` of a run, counted from 1; nothing if the run has fewer steps."""

    kind: Kind
    at: int

    def __repr__(self) -> str:
        return f"Interruption(Kind.{self.kind.name}, at={self.at})"


@dataclass
class Watched:
    """One run, its steps so far, and the step at which it was interrupted; empty if it was not."""

    interruption: Interruption | None
    other_run: Callable[[Kind], None]
    count: int = 0
    happened: str = ""

    @property
    def shared(self) -> bool:
        """Whether another run did something while this one was under way."""
        return self.happened != "" and self.interruption is not None and self.interruption.kind in _SHARED

    @property
    def broken_off(self) -> bool:
        """Whether it may have ended before its end."""
        return self.happened != "" and self.interruption is not None and self.interruption.kind is not Kind.MEANWHILE


_SHARED = (Kind.TAKEOVER, Kind.MEANWHILE)


@dataclass
class Steps:
    """Counts the steps of the current run, and interrupts it."""

    _run: Watched | None = None

    @contextmanager
    def of_run(self, interruption: Interruption | None, other_run: Callable[[Kind], None]) -> Generator[Watched]:
        """What is done within is one run; `other_run` is what happens at a step of it without ending it."""
        before, self._run = self._run, Watched(interruption, other_run)
        try:
            yield self._run
        finally:
            self._run = before

    def reach(self, name: str) -> None:
        """The run has come to a step."""
        run = self._run
        if run is None or run.interruption is None or run.happened:
            return
        run.count += 1
        kind = run.interruption.kind
        if run.count < run.interruption.at:
            return
        run.happened = name
        if kind is Kind.KILL:
            raise Killed(name)
        if kind is Kind.OUTAGE:
            raise StorageError(f"{name}: the disk is away")
        run.other_run(kind)


class SteppedDatabase(Database):
    """A database in memory, in which every transaction of a run is a step."""

    def __init__(self, steps: Steps) -> None:
        engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _explicit_transactions)
        event.listen(engine, "begin", _begin)
        super().__init__(engine, OwnersInMemory(), where="in memory", lock_seconds=2)
        self._steps = steps
        self._engine_in_memory = engine

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        result = super().read(work)
        self._steps.reach(f"after {getattr(work, '__qualname__', 'a transaction')}")
        return result

    def write(self, work: Callable[[sa.Connection], T], lock: str, *locks: str) -> T:
        result = super().write(work, lock, *locks)
        self._steps.reach(f"after {getattr(work, '__qualname__', 'a transaction')}")
        return result

    def close(self) -> None:
        super().close()
        self._engine_in_memory.dispose()


def _explicit_transactions(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@dataclass
class OwnersInMemory:
    """Owners that are alive until they leave."""

    living: set[str] = field(default_factory=set[str])
    entered: int = 0

    def acquire(self) -> str:
        self.entered += 1
        owner = f"owner-{self.entered}"
        self.living.add(owner)
        return owner

    def release(self, owner: str) -> None:
        self.living.discard(owner)

    def is_alive(self, owner: str) -> bool:
        return owner in self.living

    def renew(self) -> None:
        """Nothing is ever lost."""

    def close(self) -> None:
        self.living.clear()


class SteppedStore(LocalStore):
    """A folder in which every file that is read or put in place is a step."""

    def __init__(self, root: Path, steps: Steps, *, private: bool = False) -> None:
        super().__init__(root, private=private, label="store", variable="")
        self.root = root
        self._steps = steps
        self._name = "raw" if private else "data"

    def put(self, source: Path, key: str, precondition: Callable[[], None] | None = None) -> None:
        self._steps.reach(f"before {self._name}.put")
        super().put(source, key, precondition)
        self._steps.reach(f"after {self._name}.put {key}")

    def exists(self, key: str) -> bool:
        self._steps.reach(f"before {self._name}.exists")
        return super().exists(key)

    def fetch(self, key: str, into: Path) -> Path:
        self._steps.reach(f"before {self._name}.fetch")
        return super().fetch(key, into)

    def content(self, key: str) -> bytes | None:
        """The bytes under `key`; None if there is no file."""
        path = self.root / key
        return path.read_bytes() if path.exists() else None


def table_of(content: bytes) -> pa.Table:
    """A Parquet file as a table."""
    return pq.read_table(pa.BufferReader(content))
