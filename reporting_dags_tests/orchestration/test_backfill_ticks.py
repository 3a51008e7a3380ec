"""The late-data sensor while a long backfill is pending: few runs, a short cursor, and nothing said twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.model.days import ONE_DAY
from reporting_dags.orchestration.sensors.tick import Cursor
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE, REPORTS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place
from reporting_dags_tests.orchestration.ticks import performed, schedule_tick, sensor_tick, turn_on

NOW = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
NEWEST = OFFER_PERFORMANCE.calendar.latest_available(NOW)
DAYS = 90
FIRST = NEWEST - (DAYS - 1) * ONE_DAY
WINDOWS = -(-DAYS // OFFER_PERFORMANCE.window_days)


@pytest.fixture
def now(bare_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    """The machine's time: no second passes by itself."""
    monkeypatch.setenv("REPORTING_START_DATE", FIRST.isoformat())
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def pending(now: time_machine.Traveller, live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place in which 90 days of each of Mintegral's reports were requested, and none is ready."""
    live.settings.change("mintegral", fill_polls=1000, empty_day_one_in=0)
    turn_on(place, "mintegral")
    told = schedule_tick(place, NOW, "mintegral")
    assert [told.asked(report.key) for report in REPORTS] == [[f"{FIRST}...{NEWEST}"]] * len(REPORTS)
    assert all(result.success for result in performed(place, told))
    assert place.materialized() == set()
    return place


def ready(live: Sandbox) -> None:
    live.settings.change("mintegral", fill_polls=0)


def test_windows_that_are_ready_at_once_are_one_run_of_each_report(live: Sandbox, pending: Place) -> None:
    assert WINDOWS >= 13
    ready(live)
    told = sensor_tick(pending, "mintegral")
    for report in REPORTS:
        assert told.asked(report.key) == [f"{FIRST}...{NEWEST}"]
    again = sensor_tick(pending, "mintegral", cursor=told.cursor)
    assert {one.run_key for one in again.requests} == {one.run_key for one in told.requests}, "Dagster takes it once"


def test_the_cursor_of_a_tick_with_a_backfill_pending_is_short(live: Sandbox, pending: Place) -> None:
    told = sensor_tick(pending, "mintegral")
    assert told.requests == []
    assert len(str(told.cursor)) < 1000
    assert Cursor.read(told.cursor).text == told.cursor


def test_a_tick_with_nothing_new_logs_no_line_of_the_one_before(
    live: Sandbox, pending: Place, now: time_machine.Traveller
) -> None:
    told = sensor_tick(pending, "mintegral")
    assert told.lines
    for seconds in (60, 60, 3600, 3 * 3600):
        now.shift(timedelta(seconds=seconds))
        again = sensor_tick(pending, "mintegral", cursor=told.cursor)
        assert set(again.lines) & set(told.lines) == set()
        new = [line for line in again.lines if "after it was requested" in line]
        assert new == [], "how long it has taken is nothing new"
        told = again


def test_windows_of_different_ages_that_wait_alike_are_one_line(
    live: Sandbox, pending: Place, now: time_machine.Traveller
) -> None:
    jobs = tables.jobs.c
    middle = FIRST + DAYS // 2 * ONE_DAY
    later = sa.update(tables.jobs).where(jobs.first_day > middle).values(submitted_at=NOW + timedelta(seconds=40))
    database = open_database(None, pending.home, lock_seconds=5)
    database.write(lambda connection: connection.execute(later), "test")
    database.close()
    now.shift(timedelta(seconds=80))
    told = sensor_tick(pending, "mintegral")
    waiting = [line for line in told.lines if "after it was requested" in line]
    assert len(waiting) == len(REPORTS)
    for seconds in (15, 30, 60):
        now.shift(timedelta(seconds=seconds))
        again = sensor_tick(pending, "mintegral", cursor=told.cursor)
        assert [line for line in again.lines if "after it was requested" in line] == []
        told = again
