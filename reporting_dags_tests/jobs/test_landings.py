"""What the ledger keeps of days, and that it is what is stored."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from reporting_dags.jobs.ledger.builds import Build
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.model.errors import LeaseLost
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.claiming import HOUR, REPORT, bought, claimed, day, days, facts_of, published, run_of


def test_a_landed_day_reads_back_as_it_was_noted_and_is_replaced_as_a_whole(ledger: Ledger) -> None:
    _, job = bought(ledger, days(3, 4))
    put: list[str] = []
    empty = replace(facts_of(3, job, fingerprint="v2", rows=0), requested_at=NOON + 4 * HOUR)
    for facts in (facts_of(3, job), facts_of(4, job), empty):
        ledger.materializations.record_landed([job], facts, recorded=(), publish=published(put))
        assert ledger.materializations.days(REPORT)[facts.day] == facts
    assert len(put) == 3
    assert sorted(ledger.materializations.days(REPORT)) == days(3, 4)
    assert ledger.materializations.days("network/other") == {}


def test_versions_are_those_of_the_days_and_reports_that_were_asked_for(ledger: Ledger) -> None:
    for report in (REPORT, "network/other"):
        _, job = bought(ledger, days(3, 6), report=report)
        for number in (3, 4, 5, 6):
            facts = facts_of(number, job, fingerprint=f"{report} {number}")
            ledger.materializations.record_landed([job], facts, recorded=(), publish=published([]))
    assert ledger.materializations.versions([REPORT], since=day(4), until=day(5)) == {
        day(4): {REPORT: f"{REPORT} 4"},
        day(5): {REPORT: f"{REPORT} 5"},
    }
    both = ledger.materializations.versions([REPORT, "network/other"], since=day(6))
    assert both == {day(6): {REPORT: f"{REPORT} 6", "network/other": "network/other 6"}}


def test_a_day_built_from_others_is_put_in_place_only_while_they_are_as_they_were(ledger: Ledger) -> None:
    _, job = bought(ledger, [day(3)])
    ledger.materializations.record_landed([job], facts_of(3, job), recorded=(), publish=published([]))
    facts, put = facts_of(3, job, fingerprint="built"), list[str]()
    for sources in ({REPORT: "v0"}, {REPORT: "v1", "network/other": "v1"}):
        assert (
            ledger.materializations.record_build("network/daily", facts, sources=sources, publish=published(put))
            is False
        )
    assert (put, ledger.materializations.days("network/daily")) == ([], {})
    assert (
        ledger.materializations.record_build("network/daily", facts, sources={REPORT: "v1"}, publish=published(put))
        is True
    )
    assert (put, ledger.materializations.days("network/daily")) == (["put"], {day(3): facts})


def test_no_transaction_is_open_while_a_file_goes_up(database: Database) -> None:
    ledger = Ledger(database)
    _, job = bought(ledger, [day(3)])

    def put(precondition: Callable[[], None] | None = None) -> None:
        assert precondition is not None
        precondition()
        # Would wait forever, and time out, if the landing held its lock.
        database.write(lambda _: None, REPORT)
        database.write(lambda _: None, "network/daily")

    ledger.materializations.record_landed([job], facts_of(3, job), recorded=(), publish=put)
    assert ledger.materializations.record_build("network/daily", facts_of(3, job), sources={REPORT: "v1"}, publish=put)


def test_a_run_that_is_taken_over_while_its_file_goes_up_notes_nothing(ledger: Ledger) -> None:
    who, job = bought(ledger, [day(3)])

    def put(precondition: Callable[[], None] | None = None) -> None:
        assert precondition is not None
        precondition()
        ledger.liveness.release(who.owner)
        claimed(ledger, run_of(ledger, run="run-2"), [day(3)])

    with pytest.raises(LeaseLost, match="was taken over by run run-2"):
        ledger.materializations.record_landed([job], facts_of(3, job), recorded=(), publish=put)
    assert ledger.materializations.days(REPORT) == {}


def test_of_two_builds_of_one_day_only_the_one_that_began_last_is_noted(ledger: Ledger) -> None:
    _, job = bought(ledger, [day(3)])
    ledger.materializations.record_landed([job], facts_of(3, job), recorded=(), publish=published([]))
    first, second = (Build(0, (), ledger.builds.begin_build("network/daily", day(3))) for _ in range(2))
    facts, put, sources = facts_of(3, job, fingerprint="built"), list[str](), {REPORT: "v1"}
    assert ledger.builds.builds("network/daily")[day(3)].broken_off
    assert not ledger.materializations.record_build(
        "network/daily", facts, sources=sources, publish=published(put), build=first
    )
    assert put == []
    assert ledger.materializations.record_build(
        "network/daily", facts, sources=sources, publish=published(put), build=second
    )
    assert not ledger.builds.builds("network/daily")[day(3)].broken_off
