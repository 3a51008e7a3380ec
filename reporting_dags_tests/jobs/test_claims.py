"""Who gets which days, with which jobs: those that are taken up, and those that are bought again."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.records import JobGroup, JobState, Lease, LeaseHeld, LeaseRequest
from reporting_dags.model.days import Window
from reporting_dags.model.errors import LeaseLost
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Request
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.claiming import (
    HOUR,
    REPORT,
    bought,
    claimed,
    day,
    days,
    facts_of,
    halves,
    landing,
    published,
    run_of,
    truncated,
    windows,
)


def test_a_job_that_is_taken_up_knows_all_that_was_saved_of_it(ledger: Ledger) -> None:
    who, kept = bought(ledger, days(3, 4))
    ledger.liveness.release(who.owner)
    (taken,) = claimed(ledger, run_of(ledger), [day(4)]).jobs
    assert taken == replace(kept, fencing_token=kept.fencing_token + 1)


def test_a_submitted_job_that_is_taken_up_has_its_handle_and_how_often_it_was_sent(ledger: Ledger) -> None:
    who = run_of(ledger)
    (job,) = claimed(ledger, who, [day(3)]).jobs
    first = ledger.jobs.record_submitted(
        job, Handle(id="r-1", url="https://files.example/1", expires_at=NOON), NOON - HOUR
    )
    again = ledger.jobs.record_resend(first)
    handle = Handle(id="r-2", url="https://files.example/2", expires_at=NOON + HOUR)
    sent = ledger.jobs.record_submitted(again, handle, NOON)
    ledger.liveness.release(who.owner)
    (taken,) = claimed(ledger, run_of(ledger), [day(3)]).jobs
    assert taken == replace(sent, fencing_token=sent.fencing_token + 1)
    assert (taken.handle, taken.resends, taken.submitted_at, taken.state) == (handle, 1, NOON, JobState.SUBMITTED)


def test_the_days_of_a_run_that_lives_are_busy_and_no_others(ledger: Ledger) -> None:
    claimed(ledger, run_of(ledger), [day(3), day(6)])
    other = run_of(ledger, run="run-2")
    for touching in (days(1, 3), [day(4)], days(6, 9)):
        found = ledger.leases.acquire(other, touching, max_days=90, shards=("",), split=halves, now=NOON)
        assert found == LeaseHeld(Window(day(3), day(6)), "run-1")
    beside = claimed(ledger, other, [*days(1, 2), *days(7, 9)], longest=3)
    assert [job.request.window for job in beside.jobs] == [Window(day(1), day(2)), Window(day(7), day(9))]
    claimed(ledger, run_of(ledger, report="network/other"), days(1, 9))


@pytest.mark.parametrize("who", [{"report": "network/other"}, {"account": "b"}, {"query_hash": "g"}])
def test_what_was_cut_for_another_query_is_asked_for_as_ever(ledger: Ledger, who: dict[str, str]) -> None:
    truncated(ledger, Request(Window(day(1), day(8))), **who)
    assert windows(claimed(ledger, run_of(ledger), days(1, 8))) == [(1, 8)]
    assert windows(claimed(ledger, run_of(ledger, **who), days(11, 18))) == [(11, 14), (15, 18)]


def test_a_window_that_was_cut_is_narrowed_and_pieces_that_nobody_wants_are_not_bought(ledger: Ledger) -> None:
    # The first day is too much by itself, and each window that held it was cut: that says nothing of other days.
    for last in (8, 4, 2, 1):
        truncated(ledger, Request(Window(day(1), day(last))))
    who = run_of(ledger)
    assert windows(claimed(ledger, who, [day(2), day(8)])) == [(2, 8)], "within it nothing was cut"
    ledger.liveness.release(who.owner)
    claim = claimed(ledger, run_of(ledger), [day(1), day(8)])
    assert windows(claim) == [(1, 1), (5, 8)]
    assert landing(claim) == [(Window(day(1), day(1)), {day(1)}), (Window(day(5), day(8)), {day(8)})]


def test_parts_that_are_missing_of_a_window_are_bought_beside_those_that_are_there(ledger: Ledger) -> None:
    who = run_of(ledger)
    first, second = claimed(ledger, who, days(3, 4), parts=("x", "y")).jobs
    kept = ledger.jobs.record_downloaded(
        ledger.jobs.record_submitted(second, Handle(), NOON), raw_sha256="5" * 64, raw_bytes=1, expected_rows=None
    )
    ledger.liveness.release(who.owner)
    claim = claimed(ledger, run_of(ledger), days(3, 4), parts=("x", "y"))
    assert [(job.request.shard, job.state) for job in claim.jobs] == [
        ("x", JobState.INTENDED),
        ("y", JobState.DOWNLOADED),
    ]
    assert claim.jobs[1].id == kept.id
    assert claim.jobs[0].id != first.id
    assert landing(claim) == [(Window(day(3), day(4)), set(days(3, 4)))]


def test_parts_of_a_day_that_was_cut_are_bought_once_each(ledger: Ledger) -> None:
    pieces = {"": ("am", "pm"), "am": ("early", "late")}

    def parted(request: Request) -> tuple[Request, ...]:
        return tuple(Request(request.window, part) for part in pieces.get(request.shard, ()))

    def claim(who: LeaseRequest) -> Lease:
        found = ledger.leases.acquire(who, [day(3)], max_days=90, shards=("",), split=parted, now=NOON)
        assert not isinstance(found, LeaseHeld)
        return found

    truncated(ledger, Request(Window(day(3), day(3))))
    who = run_of(ledger)
    morning, evening = claim(who).jobs
    assert (morning.request.shard, evening.request.shard) == ("am", "pm")
    ledger.jobs.record_submitted(evening, Handle(id="r"), NOON)
    ledger.liveness.release(who.owner)
    last = run_of(ledger)
    again = claim(last).jobs
    assert [(job.request.shard, job.handle.id) for job in again] == [("am", ""), ("pm", "r")]
    ledger.jobs.close(again[0], Outcome.TRUNCATED, "cut", NOON)
    ledger.liveness.release(last.owner)
    parts = [(job.request.shard, job.handle.id) for job in claim(run_of(ledger)).jobs]
    assert parts == [("early", ""), ("late", ""), ("pm", "r")]


def test_why_a_job_is_not_taken_up_is_kept(ledger: Ledger, database_of_its_own: Database) -> None:
    who = run_of(ledger)
    (job,) = claimed(ledger, who, [day(3)]).jobs
    ledger.liveness.release(who.owner)
    claimed(ledger, run_of(ledger), [day(3)])
    query = sa.select(tables.jobs).where(tables.jobs.c.id == job.id)
    row = database_of_its_own.read(lambda connection: connection.execute(query).one())
    assert (row.state, row.outcome, row.closed_at) == (JobState.CLOSED, "expired", NOON)
    assert row.cause == "its run ended before the provider's response to it was saved"


def test_an_open_job_that_is_given_up_when_its_days_are_requested_again_is_no_failure_of_them(ledger: Ledger) -> None:
    who, _ = bought(ledger, days(3, 4), query_hash="of an earlier declaration")
    ledger.liveness.release(who.owner)
    claimed(ledger, run_of(ledger), days(3, 4))
    assert ledger.report_state(REPORT, since=NOON - HOUR).failures == {}


def test_a_day_on_which_a_newer_answer_has_landed_is_asked_for_anew(ledger: Ledger) -> None:
    who, job = bought(ledger, days(3, 4))
    newer = replace(facts_of(3, job), requested_at=NOON + HOUR)
    ledger.materializations.record_landed([job], newer, recorded=(), publish=published([]))
    ledger.liveness.release(who.owner)
    claim = claimed(ledger, run_of(ledger), days(3, 4))
    assert landing(claim) == [(Window(day(3), day(3)), {day(3)}), (Window(day(3), day(4)), {day(4)})]
    assert {one.id == job.id for one in claim.jobs} == {True, False}


def test_days_that_land_anew_are_held_and_are_nothing_that_a_crash_would_leave_to_buy(ledger: Ledger) -> None:
    who, job = bought(ledger, days(3, 5))
    for number in (3, 4, 5):
        facts = replace(facts_of(number, job), jobs=(job.id,))
        ledger.materializations.record_landed([job], facts, recorded=(), publish=published([]))
    ledger.jobs.close_days(job, days(3, 4), Outcome.DATA, "", NOON)
    ledger.liveness.release(who.owner)
    again = run_of(ledger, run="run-2")
    claim = ledger.leases.reopen(again, [job.id], days(3, 4), parts=("",))
    assert claim == Lease(
        (JobGroup(Window(day(3), day(5)), (replace(job, fencing_token=job.fencing_token + 1),), frozenset(days(3, 4))),)
    )
    assert ledger.jobs.in_flight_days(REPORT) == {day(5)}, "but for the day that had not ended before"
    assert ledger.leases.reopen(run_of(ledger), [job.id], [day(3)], parts=("",)) == LeaseHeld(
        Window(day(3), day(5)), "run-2"
    )
    ledger.liveness.release(again.owner)
    with pytest.raises(LeaseLost, match="another answer has landed"):
        ledger.leases.reopen(run_of(ledger), ["another"], [day(3)], parts=("",))


def test_a_job_that_has_closed_is_open_again_while_its_days_land_anew(
    ledger: Ledger, database_of_its_own: Database
) -> None:
    who, job = bought(ledger, days(3, 4))
    facts = replace(facts_of(3, job), jobs=(job.id,))
    ledger.materializations.record_landed([job], facts, recorded=(), publish=published([]))
    ledger.jobs.close_days(job, days(3, 4), Outcome.FAILED, "a bad day", NOON)
    ledger.liveness.release(who.owner)
    _, others = bought(ledger, [day(3)], report="network/other")
    ledger.materializations.record_landed([others], facts_of(3, others), recorded=(), publish=published([]))
    claim = ledger.leases.reopen(run_of(ledger), [job.id], [day(3)], parts=("",))
    assert isinstance(claim, Lease)
    assert claim == Lease(
        (JobGroup(Window(day(3), day(4)), (replace(job, fencing_token=job.fencing_token + 1),), frozenset([day(3)])),)
    )
    query = sa.select(tables.jobs).where(tables.jobs.c.id == job.id)
    row = database_of_its_own.read(lambda connection: connection.execute(query).one())
    assert (row.state, row.closed_at, row.outcome, row.cause) == (JobState.DOWNLOADED, None, None, None)
    ledger.materializations.record_landed(claim.jobs, facts, recorded=[day(3)], publish=published([]))
    assert ledger.jobs.in_flight_days(REPORT) == set()


def test_a_day_whose_job_the_ledger_has_forgotten_cannot_land_anew(
    ledger: Ledger, database_of_its_own: Database
) -> None:
    who, job = bought(ledger, [day(3)])
    ledger.materializations.record_landed([job], facts_of(3, job), recorded=(), publish=published([]))
    ledger.liveness.release(who.owner)
    assert ledger.leases.reopen(run_of(ledger), [job.id, "another"], [day(3)], parts=("",)) == Lease(())
