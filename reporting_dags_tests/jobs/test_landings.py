"""What the ledger keeps of days, and that it is what lies there."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy.exc import SQLAlchemyError

from reporting_dags.jobs.landings import once
from reporting_dags.jobs.ledger import Ledger
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.claiming import HOUR, REPORT, bought, day, days, facts_of, published


def test_a_landed_day_reads_back_as_it_was_noted_and_is_replaced_as_a_whole(ledger: Ledger) -> None:
    _, job = bought(ledger, days(3, 4))
    put: list[str] = []
    empty = replace(facts_of(3, job, fingerprint="v2", rows=0), asked_at=NOON + 4 * HOUR)
    for facts in (facts_of(3, job), facts_of(4, job), empty):
        ledger.landed([job], facts, recorded=(), publish=published(put))
        assert ledger.days(REPORT)[facts.day] == facts
    assert len(put) == 3
    assert sorted(ledger.days(REPORT)) == days(3, 4)
    assert ledger.days("network/other") == {}


def test_versions_are_those_of_the_days_and_reports_that_were_asked_for(ledger: Ledger) -> None:
    for report in (REPORT, "network/other"):
        _, job = bought(ledger, days(3, 6), report=report)
        for number in (3, 4, 5, 6):
            facts = facts_of(number, job, fingerprint=f"{report} {number}")
            ledger.landed([job], facts, recorded=(), publish=published([]))
    assert ledger.versions([REPORT], since=day(4), until=day(5)) == {
        day(4): {REPORT: f"{REPORT} 4"},
        day(5): {REPORT: f"{REPORT} 5"},
    }
    both = ledger.versions([REPORT, "network/other"], since=day(6))
    assert both == {day(6): {REPORT: f"{REPORT} 6", "network/other": "network/other 6"}}


def test_a_day_built_from_others_is_put_in_place_only_while_they_are_as_they_were(ledger: Ledger) -> None:
    _, job = bought(ledger, [day(3)])
    ledger.landed([job], facts_of(3, job), recorded=(), publish=published([]))
    facts, put = facts_of(3, job, fingerprint="built"), list[str]()
    for sources in ({REPORT: "v0"}, {REPORT: "v1", "network/other": "v1"}):
        assert ledger.combined("network/daily", facts, sources=sources, publish=published(put)) is False
    assert (put, ledger.days("network/daily")) == ([], {})
    assert ledger.combined("network/daily", facts, sources={REPORT: "v1"}, publish=published(put)) is True
    assert (put, ledger.days("network/daily")) == (["put"], {day(3): facts})


def test_a_transaction_that_is_tried_again_puts_a_file_in_place_once() -> None:
    put: list[tuple[str, str]] = []

    def work(what: str, *, last: str) -> None:
        put.append((what, last))

    first = once(work)
    first("a file", last="a look at the lock")
    first("again", last="in vain")
    assert put == [("a file", "a look at the lock")]


def test_what_could_not_be_put_in_place_is_tried_again_with_its_transaction() -> None:
    tried: list[int] = []

    def work() -> None:
        tried.append(len(tried))
        if len(tried) == 1:
            raise ConnectionError

    first = once(work)
    with pytest.raises(ConnectionError):
        first()
    first()
    first()
    assert tried == [0, 1]


def test_the_transaction_is_asked_whether_it_lives_before_a_file_is_put_in_place(ledger: Ledger) -> None:
    _, job = bought(ledger, [day(3)])
    asked: list[Callable[[], None]] = []

    def put(last: Callable[[], None] = lambda: None) -> None:
        last()
        asked.append(last)

    ledger.landed([job], facts_of(3, job), recorded=(), publish=put)
    assert ledger.combined("network/daily", facts_of(3, job), sources={REPORT: "v1"}, publish=put)
    for last in asked:
        with pytest.raises(SQLAlchemyError):
            last()
    assert len(asked) == 2, "each asks the connection of its own transaction, which has ended by now"
