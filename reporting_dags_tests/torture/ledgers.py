"""The ledger's database: away, back, killed, locked, corrupt; and clocks that are wrong."""

import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import sqlalchemy as sa

from reporting_dags.jobs.ledger.database import FILE_NAME
from reporting_dags.jobs.ledger.liveness import PostgresLiveness, lock_number
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.postgres import Postgres, running_postgres
from reporting_dags_tests.torture.row import Row
from reporting_dags_tests.torture.station import (
    Shifted,
    Strike,
    bring,
    judged,
    new_place,
    newest_days,
    struck_row,
    wait_for,
)

_LOCKED = "stays locked by another process"
_NOT_OUT = "the latest day was not out by that clock, and is requested when it is"


def rows() -> Iterator[Row]:
    """A row a fault of the ledger's database or of a clock."""
    yield from databases()
    yield from clocks()


def databases() -> Iterator[Row]:
    """A row a fault of the ledger's database."""
    for part in DATABASES.values():
        yield from part()


def _of_sqlite() -> Iterator[Row]:
    yield struck_row("ledger locked by another process", _locked, said=_LOCKED)
    yield _locked_for_a_moment()
    yield _corrupt()


def _of_postgres() -> Iterator[Row]:
    with running_postgres() as server:
        yield struck_row("PostgreSQL away at the start", _away(server), said="on PostgreSQL", variables=_on(server))
        variables = _on(server)
        locked = "ledger locked by another process, on PostgreSQL"
        yield struck_row(locked, _locked_on(variables["DAGSTER_POSTGRES_URL"]), said=_LOCKED, variables=variables)


def _of_postgres_in_the_middle() -> Iterator[Row]:
    with running_postgres() as server:
        yield _away_in_the_middle(server, "stopped, back within the patience", server.stop, back_after=1)
        yield _away_in_the_middle(server, "killed -9, back within the patience", server.kill, back_after=1)
        yield _away_in_the_middle(server, "stopped for longer than the patience", server.stop, back_after=None)


def _of_postgres_where_a_run_enters() -> Iterator[Row]:
    with running_postgres() as server:
        yield _away_where_a_run_enters(server, "acquire")


DATABASES: dict[str, Callable[[], Iterator[Row]]] = {
    "SQLite": _of_sqlite,
    "PostgreSQL": _of_postgres,
    "PostgreSQL in the middle of a run": _of_postgres_in_the_middle,
    "PostgreSQL where a run enters": _of_postgres_where_a_run_enters,
}
"""The rows of faults of the ledger's database, in parts."""


def clocks() -> Iterator[Row]:
    """A row a clock that is wrong."""
    for hours in (1, -1, 24, -24):
        yield _skewed(timedelta(hours=hours))
    yield _set_back()


def _on(server: Postgres) -> dict[str, str]:
    return {"DAGSTER_POSTGRES_URL": server.new_database()}


@contextmanager
def _locked(place: Place) -> Generator[None]:
    other = sqlite3.connect(place.home / FILE_NAME, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


def _locked_on(url: str) -> Strike:
    @contextmanager
    def locked(_place: Place) -> Generator[None]:
        engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg2"))
        try:
            with engine.connect() as connection:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number("reporting_ledger"))))
                yield
        finally:
            engine.dispose()

    return locked


def _locked_for_a_moment() -> Row:
    with new_place() as place, ThreadPoolExecutor(1) as pool:
        days = newest_days(3)
        bring(place, days[:1])
        with _locked(place):
            running = pool.submit(bring, place, days, patience=20)
            threading.Event().wait(0.7)
            waited = not running.done()
        trouble = "" if waited else "the run did not wait for the lock"
        return judged("ledger locked for a moment", place, days, running.result(), least=2, trouble=trouble)


def _corrupt() -> Row:
    with new_place() as place:
        days = newest_days(3)
        bring(place, days[:1])
        path = place.home / FILE_NAME
        path.write_bytes(b"no database " * 1000)
        struck = bring(place, days)
        path.rename(path.with_suffix(".broken"))
        return judged("ledger file corrupt", place, days, struck, least=2, said="is not an SQLite database any more")


def _away(server: Postgres) -> Strike:
    @contextmanager
    def away(_place: Place) -> Generator[None]:
        server.stop()
        try:
            yield
        finally:
            server.start()

    return away


def _away_in_the_middle(server: Postgres, how: str, end: Callable[[], None], *, back_after: float | None) -> Row:
    """The server goes while a run waits for its report, whose file is there when the server is not."""
    with new_place(**_on(server)) as place, ThreadPoolExecutor(1) as pool:
        place.sandbox.faults.add("dt.file", do="never", times=None)
        days = newest_days(3)
        running = pool.submit(bring, place, days, patience=1 if back_after is None else 20)
        wait_for(lambda: place.sandbox.log.count("dt.file") >= 2, "a poll")
        end()
        try:
            place.sandbox.faults.clear()
            if back_after is None:
                struck = running.result()
            else:
                threading.Event().wait(back_after)
        finally:
            server.start()
        struck = running.result()
        trouble = "" if back_after is None or len(struck.landed) == len(days) else f"did not go on: {struck.lines}"
        said = "on PostgreSQL" if back_after is None else ""
        return judged(f"PostgreSQL {how}", place, days, struck, least=1, said=said, trouble=trouble)


def _away_where_a_run_enters(server: Postgres, step: str) -> Row:
    """The server goes at the moment when a run takes its lock, or looks whose folders are left behind."""
    with new_place(**_on(server)) as place:
        days = newest_days(3)
        bring(place, days[:1])
        with _gone_for_a_moment(server, step):
            struck = bring(place, days, patience=20)
        trouble = "" if len(struck.landed) == len(days) else f"did not go on: {struck.lines}"
        return judged(f"PostgreSQL stopped where a run asks {step}", place, days, struck, least=2, trouble=trouble)


@contextmanager
def _gone_for_a_moment(server: Postgres, step: str) -> Generator[None]:
    """The server is away when owners are requested the first time at `step`, and comes back by itself."""
    work = getattr(PostgresLiveness, step)
    back: list[threading.Timer] = []

    def call(*arguments: Any) -> Any:
        if not back:
            server.stop()
            back.append(threading.Timer(0.5, server.start))
            back[0].start()
        return work(*arguments)

    with mock.patch.object(PostgresLiveness, step, call):
        yield
    for timer in back:
        timer.join()


def _skewed(by: timedelta) -> Row:
    hours = int(by.total_seconds() // 3600)
    told = f"{abs(hours)} h {'ahead of' if hours > 0 else 'behind'} the provider"
    with new_place() as place:
        days = newest_days(3)
        struck = bring(place, days, clock=Shifted(by))
        late = len(days) > len(struck.landed)
        return judged(
            f"worker's clock {told}", place, days, struck, least=1, allowed=int(late), why=_NOT_OUT if late else ""
        )


def _set_back() -> Row:
    """Days landed, and a job was left open, by a clock that was a day ahead; then the clock is right."""
    with new_place() as place:
        days = newest_days(3)
        ahead = Shifted(timedelta(days=1))
        first = bring(place, days[:2], clock=ahead)
        place.sandbox.faults.add("dt.file", do="never", times=None)
        place.variables["REPORTING_JOB_TIMEOUT_SECONDS"] = "1"
        left = bring(place, days[1:], clock=ahead)
        place.sandbox.faults.clear()
        again = bring(place, days[:1])
        trouble = "" if again.landed else f"a landed day could not be replaced: {again.lines}"
        # Requested: by the first run, by the one that left its job, by the one after it, and the oldest day at last.
        return judged(
            "clock set back by a day between runs", place, days, left, least=4, trouble=trouble + "".join(first.lines)
        )
