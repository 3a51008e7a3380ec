"""Rates that hold for whoever shares the ledger's database: threads, processes, and clocks that jump."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.rate_limit import RateLimits
from reporting_dags.model.clock import SystemClock
from reporting_dags.providers.api import Rate
from reporting_dags.providers.orangeclick.client import REQUESTS_PER_MINUTE
from reporting_dags_tests.conftest import NOON

RATE = Rate(bucket="orangeclick requests", account="ours", per_minute=5)
MINUTE = timedelta(seconds=60)
NONE = timedelta()


@dataclass
class HandClock:
    """A clock that moves when told to, or slept on; it may wake its sleeper before the time."""

    at: datetime = NOON
    wakes_at: float = 1.0
    slept: list[float] = field(default_factory=list[float])

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=max(0.001, seconds * self.wakes_at))


class TickingClock:
    """A clock that several threads share: it moves at each look, and remembers what each thread saw last."""

    def __init__(self, step: timedelta) -> None:
        self._step = step
        self._at = NOON
        self._lock = threading.Lock()
        self._seen = threading.local()

    def now(self) -> datetime:
        with self._lock:
            self._at += self._step
            self._seen.at = self._at
            return self._at

    def sleep(self, seconds: float) -> None:
        raise AssertionError("no one sleeps here")

    @property
    def seen(self) -> datetime:
        return self._seen.at


def too_many_in_a_minute(times: Sequence[datetime]) -> bool:
    at = sorted(times)
    return any(later - first < MINUTE for first, later in zip(at, at[RATE.per_minute :], strict=False))


@pytest.mark.rule("OC2")
def test_the_documented_rate_is_five_requests_a_minute() -> None:
    assert REQUESTS_PER_MINUTE == RATE.per_minute == 5


@pytest.mark.rule("OC2")
def test_five_calls_go_at_once_and_the_sixth_a_minute_after_the_first(database: Database) -> None:
    rates, clock = RateLimits(database), HandClock()
    for _ in range(5):
        assert rates.take(RATE, clock) == NONE
        clock.at += timedelta(seconds=3)
    wait = rates.take(RATE, clock)
    assert MINUTE <= clock.at + wait - NOON <= MINUTE + timedelta(seconds=3)
    assert rates.take(RATE, clock) == wait, "who is told to wait has not been counted"
    clock.at += wait - timedelta(milliseconds=1)
    assert rates.take(RATE, clock) == timedelta(milliseconds=1)
    clock.at += timedelta(milliseconds=1)
    assert rates.take(RATE, clock) == NONE
    assert rates.take(RATE, clock) == timedelta(seconds=3), "the second call's place is free next"


@pytest.mark.rule("OC2")
def test_a_pace_lets_forty_calls_through_at_five_a_minute_and_no_slower(database: Database) -> None:
    clock, made = HandClock(wakes_at=0.8), list[datetime]()
    pace = RateLimits(database).pace(clock)
    for n in range(40):
        pace(RATE)
        made.append(clock.at)
        clock.at += timedelta(seconds=0.1 * (n % 7))
    assert not too_many_in_a_minute(made)
    assert made[-1] - made[0] < 7 * (MINUTE + timedelta(seconds=3))


def test_each_account_and_each_kind_of_call_has_a_rate_of_its_own(database: Database) -> None:
    rates, clock = RateLimits(database), HandClock()
    for _ in range(5):
        rates.take(RATE, clock)
    assert rates.take(RATE, clock) > NONE
    for other in (
        Rate(bucket=RATE.bucket, account="theirs", per_minute=5),
        Rate(bucket="integr8 requests", account="ours", per_minute=60),
    ):
        assert rates.take(other, clock) == NONE


def test_a_rate_that_was_lowered_counts_the_calls_made_under_the_old_one(database: Database) -> None:
    rates, clock = RateLimits(database), HandClock()
    for _ in range(5):
        rates.take(RATE, clock)
        clock.at += timedelta(seconds=10)
    lowered = Rate(bucket=RATE.bucket, account=RATE.account, per_minute=2)
    clock.at += rates.take(lowered, clock)
    assert clock.at - NOON >= timedelta(seconds=30) + MINUTE, "a minute after the last but one"
    assert rates.take(lowered, clock) == NONE


@pytest.mark.rule("OC2")
def test_threads_with_rates_of_their_own_share_the_pace(database_url: str | None, tmp_path: Path) -> None:
    clock = TickingClock(timedelta(seconds=2.3))
    made: list[datetime] = []
    failures: list[BaseException] = []

    def call() -> None:
        database = open_database(database_url, tmp_path, lock_seconds=20)
        try:
            rates = RateLimits(database)
            while len(made) < 30:
                if rates.take(RATE, clock) == NONE:
                    made.append(clock.seen)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(made) >= 30
    assert not too_many_in_a_minute(made)
    assert max(made) - min(made) < 7 * timedelta(seconds=70)


@pytest.mark.rule("OC2")
def test_processes_that_call_at_once_get_five_calls_between_them(database_url: str | None, tmp_path: Path) -> None:
    open_database(database_url, tmp_path, lock_seconds=20).close()
    start, go = os.pipe()
    result, told = os.pipe()
    children: list[int] = []
    for _ in range(4):
        child = os.fork()
        if child == 0:  # pragma: no cover - the child's side
            try:
                rates = RateLimits(open_database(database_url, tmp_path, lock_seconds=20))
                os.read(start, 1)
                taken = sum(rates.take(RATE, SystemClock()) == NONE for _ in range(4))
                os.write(told, bytes([taken]))
            finally:
                os._exit(0)
        children.append(child)
    os.write(go, b"1234")
    for child in children:
        os.waitpid(child, 0)
    taken = os.read(result, 10)
    for end in (start, go, result, told):
        os.close(end)
    assert len(taken) == 4
    assert sum(taken) == 5


@pytest.mark.rule("OC2")
def test_a_call_that_waited_for_the_database_counts_from_when_its_turn_came(
    database_url: str | None, tmp_path: Path
) -> None:
    holder, mine = (open_database(database_url, tmp_path, lock_seconds=20) for _ in range(2))
    rates, clock = RateLimits(mine), HandClock()
    held, let_go = threading.Event(), threading.Event()

    def hold(_: sa.Connection) -> None:
        held.set()
        let_go.wait(20)

    holding = threading.Thread(target=holder.write, args=(hold, f"rate {RATE.bucket} {RATE.account}"))
    holding.start()
    held.wait(20)
    waits: list[timedelta] = []
    calling = threading.Thread(target=lambda: waits.extend(rates.take(RATE, clock) for _ in range(5)))
    calling.start()
    calling.join(0.2)
    assert calling.is_alive()
    clock.at += timedelta(seconds=25)
    let_go.set()
    holding.join()
    calling.join()
    assert waits == [NONE] * 5
    assert rates.take(RATE, clock) >= MINUTE
    for database in (holder, mine):
        database.close()


def test_a_clock_that_was_set_back_holds_nobody_up_for_longer_than_two_minutes(database: Database) -> None:
    rates, clock = RateLimits(database), HandClock()
    for _ in range(5):
        rates.take(RATE, clock)
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    assert rates.take(RATE, clock) == NONE
    for _ in range(4):
        rates.take(RATE, clock)
    clock.at -= timedelta(seconds=50)
    assert MINUTE < rates.take(RATE, clock) < 2 * MINUTE, "so near, they may be another machine's"


def test_after_a_clock_was_set_back_a_little_the_earliest_calls_place_is_free_first(database: Database) -> None:
    rates, clock = RateLimits(database), HandClock()
    two = Rate(bucket=RATE.bucket, account=RATE.account, per_minute=2)
    for seconds in (20, -20):
        clock.at += timedelta(seconds=seconds)
        assert rates.take(two, clock) == NONE
    assert MINUTE <= rates.take(two, clock) < MINUTE + timedelta(seconds=20)


def test_calls_of_long_ago_are_not_kept(database: Database) -> None:
    rates, clock = RateLimits(database), HandClock()
    for _ in range(20):
        rates.take(RATE, clock)
        clock.at += timedelta(seconds=61)
    kept = database.read(lambda connection: connection.scalar(sa.text("SELECT count(*) FROM reporting_rates")))
    assert kept
    assert kept <= 2
