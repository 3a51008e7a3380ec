"""A day that could not be built is left alone for a while, until a source lands again or a declaration changes."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from reporting_dags.jobs.building.build import CombinedReport
from reporting_dags.jobs.building.retries import FailedBuild, builds_to_attempt, postponed_builds, record_failed_build
from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.errors import DataError
from reporting_dags.model.outcome import Outcome
from reporting_dags.reports.network import NETWORK
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.test_combining import ALL, DAY, LOGS, WALL, Place, log, place, wall

__all__ = ["place"]

HARM = DataError("a is damaged", advice="Fix: b.")


@pytest.fixture
def landed(place: Place) -> Place:
    """A place where one source of the day has landed."""
    place.land(WALL.report, [wall("a", 2, "0.5")])
    return place


def fail(place: Place, now: datetime = NOON, error: DataError = HARM, of: CombinedReport = ALL) -> FailedBuild:
    return record_failed_build(of, DAY, error, ledger=place.ledger, now=now)


def held(place: Place, now: datetime = NOON, of: CombinedReport = ALL) -> list[str]:
    return [str(one) for one in postponed_builds(of, [DAY, DAY + ONE_DAY], ledger=place.ledger, now=now).values()]


def test_pauses_grow_and_the_day_is_tried_again_after_each(landed: Place) -> None:
    now = NOON
    for hours in (2.75, 5.5, 11, 22, 23, 23):
        fail(landed, now)
        assert held(landed, now + timedelta(hours=hours, minutes=-1))
        now += timedelta(hours=hours)
        assert held(landed, now) == []


def test_a_failure_says_what_to_do_and_when_it_is_tried_again(landed: Place) -> None:
    again = "Next attempt: when one of its sources lands again, or on 2026-11-20 at 15:45 UTC"
    failed = fail(landed)
    assert failed.line == f"failed: a is damaged. Fix: b. {again}"
    assert failed.is_new
    next_time = "next attempt when one of its sources lands again, or on 2026-11-20 at 15:45 UTC"
    assert held(landed) == [f"{DAY} failed 1 time: a is damaged; {next_time}"]


def test_only_another_cause_is_new(landed: Place) -> None:
    advised = DataError(HARM.message, advice="Fix: another thing, as of tomorrow")
    other = DataError("b is gone")
    assert [fail(landed, error=error).is_new for error in (HARM, HARM, advised, other, HARM)] == [
        True,
        False,
        False,
        True,
        False,
    ]


def test_a_source_that_lands_again_or_for_the_first_time_ends_the_pause(landed: Place) -> None:
    fail(landed)
    landed.land(WALL.report, [wall("a", 2, "0.5")], asked_at=NOON + timedelta(minutes=1))
    assert held(landed) == [], "the same rows: what was harmed may be whole now"
    fail(landed)
    assert held(landed)
    landed.land(LOGS.report, [log("o1", "2")])
    assert held(landed) == []
    assert fail(landed).is_new
    (kept,) = landed.ledger.builds.build_failures(NETWORK.key)[DAY]
    assert kept.cause == "a is damaged", "failures with other sources are forgotten"


def test_another_declaration_ends_the_pause(landed: Place) -> None:
    fail(landed)
    other = replace(ALL, sources=(replace(WALL, report=replace(WALL.report, query="another")), *ALL.sources[1:]))
    assert held(landed, of=other) == []
    assert held(landed, of=replace(ALL, report=replace(NETWORK, query=("another",)))) == []
    assert held(landed)


def test_a_day_that_is_built_has_no_failures(landed: Place) -> None:
    fail(landed)
    landed.build()
    assert landed.ledger.builds.build_failures(NETWORK.key) == {}
    assert held(landed) == []


def test_a_day_without_sources_is_none_to_try_again(place: Place) -> None:
    assert fail(place).line == f"{Outcome.FAILED}: a is damaged. Fix: b. Next attempt: when one of its sources lands"
    assert place.ledger.builds.build_failures(NETWORK.key) == {}


def test_failures_survive_in_the_ledger_alone(landed: Place) -> None:
    fail(landed)
    again = Ledger(landed.database)
    assert postponed_builds(ALL, [DAY], ledger=again, now=NOON)
    count = sa.select(sa.func.count()).select_from(tables.build_failures)
    assert landed.database.read(lambda connection: connection.execute(count).scalar()) == 1


def test_an_attempt_is_another_when_a_source_or_a_currency_is(landed: Place) -> None:
    def name() -> str:
        return builds_to_attempt(ALL, [DAY, DAY + ONE_DAY], ledger=landed.ledger)

    first = name()
    assert name() == first
    landed.land(WALL.report, [wall("a", 2, "0.5")], asked_at=NOON + timedelta(minutes=1))
    second = name()
    landed.offers(NOON, o1="EUR")
    landed.build()
    assert len({first, second, name()}) == 3
