"""Quotas: counted over all who share the ledger, with a share that only the latest day may use."""

import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting_dags.jobs.ledger import quota as calls
from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.quota import renews_at
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.records import Job, LeaseHeld, LeaseRequest
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.errors import Denied
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Quota
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.integr8 import CLICKS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON, SandboxClock, StillClock
from reporting_dags_tests.pulling import BenchOf, brought, landed, line_of

QUOTA = Quota(bucket="queries", per_day=10, reserved=4)
NEWEST = (NOON - ONE_DAY).date()


def held_job(database: Database) -> tuple[Ledger, Job]:
    ledger = Ledger(database)
    who = LeaseRequest(report="a/b", account="a", query_hash="f", owner=ledger.liveness.acquire(), run="r")
    found = ledger.leases.acquire(who, [NEWEST], max_days=1, shards=("",), split=lambda _: (), now=NOON)
    assert not isinstance(found, LeaseHeld)
    return ledger, found.jobs[0]


def spent(ledger: Ledger, job: Job, calls: Sequence[bool], now: datetime = NOON) -> list[bool]:
    """Which of `calls` (True: for the latest day) were allowed."""
    allowed: list[bool] = []
    for newest in calls:
        try:
            ledger.quotas.spend(job, QUOTA, "a", StillClock(now), newest=newest)
        except Denied:
            allowed.append(False)
        else:
            allowed.append(True)
    return allowed


def test_a_backfill_leaves_the_share_of_the_newest_day(database: Database) -> None:
    ledger, job = held_job(database)
    assert spent(ledger, job, [False] * 8) == [True] * 6 + [False] * 2
    assert ledger.quotas.left(QUOTA, "a", NOON) == (4, 4)
    assert spent(ledger, job, [True] * 5) == [True] * 4 + [False]
    with pytest.raises(Denied, match="renewed on 2026-11-21 at 00:00 UTC"):
        ledger.quotas.spend(job, QUOTA, "a", StillClock(NOON), newest=True)
    assert ledger.quotas.left(QUOTA, "a", NOON) == (0, 0)


def test_what_the_newest_day_has_used_of_its_share_is_not_kept_twice(database: Database) -> None:
    ledger, job = held_job(database)
    assert spent(ledger, job, [True] * 4 + [False] * 7) == [True] * 10 + [False]


def test_a_quota_is_renewed_at_midnight_of_utc_whatever_the_zone_of_the_clock(database: Database) -> None:
    ledger, job = held_job(database)
    assert all(spent(ledger, job, [True] * 10))
    later = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
    assert spent(ledger, job, [True], later - timedelta(seconds=1)) == [False]
    assert spent(ledger, job, [False], later) == [True]


@pytest.fixture
def machine_in_new_york(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """The machine's own time zone is none that counts."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("hours", [-9, 0, 9])
def test_a_call_counts_from_the_first_moment_of_its_utc_day_to_the_last(
    database: Database, hours: int, machine_in_new_york: None
) -> None:
    ledger, job = held_job(database)
    zone = timezone(timedelta(hours=hours))
    first, renewal = (datetime(2026, 11, number, tzinfo=UTC).astimezone(zone) for number in (20, 21))
    last = renewal - timedelta(microseconds=1)
    ledger.quotas.spend(job, QUOTA, "a", StillClock(first), newest=True)
    assert ledger.quotas.left(QUOTA, "a", last) == (9, 3)
    ledger.quotas.spend(job, QUOTA, "a", StillClock(last), newest=False)
    assert ledger.quotas.left(QUOTA, "a", last) == (8, 3)
    assert ledger.quotas.left(QUOTA, "a", renewal) == (10, 4)
    assert renews_at(first) == renews_at(last) == renewal
    assert renews_at(renewal) == renewal + ONE_DAY


def test_calls_of_other_accounts_and_kinds_take_nothing(database: Database) -> None:
    ledger, job = held_job(database)
    assert all(spent(ledger, job, [True] * 10))
    assert ledger.quotas.left(QUOTA, "b", NOON) == (10, 4)
    assert ledger.quotas.left(replace(QUOTA, bucket="exports"), "a", NOON) == (10, 4)
    assert ledger.quotas.left(replace(QUOTA, per_day=7), "a", NOON) == (0, 0), "a quota that was lowered owes nothing"
    assert ledger.quotas.left(replace(QUOTA, per_day=20), "a", NOON) == (10, 0), "its latest day has had its share"


def test_a_refusal_says_how_many_are_kept(database: Database) -> None:
    ledger, job = held_job(database)
    assert all(spent(ledger, job, [True] + [False] * 6))
    with pytest.raises(Denied, match="of 10 queries a day the 3 that are left are kept for the latest day"):
        ledger.quotas.spend(job, QUOTA, "a", StillClock(NOON), newest=False)


@settings(deadline=None, max_examples=30)
@given(calls=st.lists(st.booleans(), max_size=25))
def test_whatever_is_asked_the_quota_holds_and_the_newest_day_gets_its_share(
    calls: list[bool], tmp_path_factory: Any
) -> None:
    database = open_database(None, tmp_path_factory.mktemp("ledger"), lock_seconds=2)
    try:
        ledger, job = held_job(database)
        allowed = spent(ledger, job, calls)
    finally:
        database.close()
    newest = [ok for ok, one in zip(allowed, calls, strict=True) if one]
    others = [ok for ok, one in zip(allowed, calls, strict=True) if not one]
    assert sum(allowed) <= 10
    assert sum(newest) >= min(len(newest), 4)
    assert sum(others) >= min(len(others), 10 - max(len(newest), 4))


@pytest.mark.rule("OW4", "IN8")
@pytest.mark.parametrize("name", ["dt_offer_wall", "integr8"])
def test_a_backfill_of_single_days_cannot_starve_todays_run(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, name: str
) -> None:
    report, per_day, kept = (EVENT, 50, 10) if name == "dt_offer_wall" else (CLICKS, 10, 4)
    context = bench_of(name)
    point = "dt.report" if name == "dt_offer_wall" else "integr8.export"
    sandbox.settings.change("integr8", rows_factor=0.01, fill_polls=0)
    newest = report.calendar.latest_available(clock.now())
    for n in range(per_day - kept):
        left = context.ledger.quotas.left(context.provider.quotas[0], context.provider.account, clock.now())
        assert left == (per_day - n, kept)
        landed(context, report, [newest - (n + 1) * ONE_DAY])
    old = newest - (per_day + 2) * ONE_DAY
    told = line_of(brought(context, report, [old])[old], Outcome.DENIED)
    assert f"the {kept} that are left are kept for the latest day" in told
    assert sandbox.log.count(point) == per_day - kept, "a refused call is not made"
    result = landed(context, report, [newest])[newest]
    assert result.provenance.calls_left == {context.provider.quotas[0].bucket: kept - 1}


def test_what_is_left_of_a_quota_is_logged_with_each_call(sandbox: Sandbox, bench_of: BenchOf) -> None:
    lines: list[str] = []
    list(pull(bench_of("dt_offer_wall", log=lines.append), PERFORMANCE, [NEWEST]))
    assert "49 of 50 dt_offer_wall queries are left today" in lines


def test_the_kept_share_is_for_the_day_that_is_out_before_the_quota_is_renewed(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    sandbox.clock.set(NOON.replace(hour=9))
    context = bench_of("dt_offer_wall", queries_kept=49)
    out_since_yesterday = NEWEST - ONE_DAY
    landed(context, EVENT, [out_since_yesterday])
    line_of(brought(context, EVENT, [out_since_yesterday])[out_since_yesterday], Outcome.DENIED)
    sandbox.clock.set(NOON)
    landed(context, EVENT, [NEWEST])


def test_a_query_that_cannot_be_sent_again_is_waited_for(sandbox: Sandbox, bench_of: BenchOf) -> None:
    """Its file may still fill: what was bought is not given up for a query that is refused."""
    context = bench_of("dt_offer_wall", queries_kept=49)
    sandbox.settings.change("dt", fill_seconds=70 * 60)
    old = NEWEST - 20 * ONE_DAY
    landed(context, EVENT, [old])
    assert sandbox.log.count("dt.report") == 1


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_a_quota_holds_whatever_isolation_postgresql_has_by_default(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    admin = sa.create_engine(sa.make_url(postgres_url).set(drivername="postgresql+psycopg2"))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = sa.make_url(postgres_url).database
        connection.execute(sa.text(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'"))
    admin.dispose()
    database = open_database(postgres_url, tmp_path, lock_seconds=20)
    ledger, job = held_job(database)
    counted = getattr(calls, "_spent")  # noqa: B009

    def slowly(*what: Any) -> Any:
        found = counted(*what)
        time.sleep(0.1)
        return found

    monkeypatch.setattr(calls, "_spent", slowly)
    quota = Quota(bucket="queries", per_day=3)

    def spend(_: int) -> bool:
        try:
            ledger.quotas.spend(job, quota, "a", StillClock(), newest=True)
        except Denied:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(8))) == 3
    database.close()
