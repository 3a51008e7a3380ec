"""What the ledger keeps of jobs and days, and to whom it says no; without a provider."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from reporting_dags.jobs import tables
from reporting_dags.jobs.database import Database
from reporting_dags.jobs.job import Busy, Claim, Claimant, Job, JobState, LandedFacts
from reporting_dags.jobs.landings import once
from reporting_dags.jobs.ledger import Ledger
from reporting_dags.landing.land import Put
from reporting_dags.model.days import Window
from reporting_dags.model.errors import LostClaim
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Quota, Request
from reporting_dags_tests.conftest import NOON

REPORT = "network/report"
HOUR = timedelta(hours=1)


def day(number: int) -> date:
    return date(2026, 11, number)


def days(first: int, last: int) -> list[date]:
    return Window(day(first), day(last)).days


def halves(request: Request) -> tuple[Request, ...]:
    """As providers halve windows; a day by itself cannot be halved."""
    whole = request.window.days
    middle = len(whole) // 2
    parts = (whole[:middle], whole[middle:]) if middle else ()
    return tuple(Request(Window(part[0], part[-1]), request.part) for part in parts)


@pytest.fixture
def ledger(database_of_its_own: Database) -> Ledger:
    return Ledger(database_of_its_own)


def run_of(ledger: Ledger, **who: str) -> Claimant:
    return Claimant(
        **{"report": REPORT, "account": "a", "fingerprint": "f", "owner": ledger.owners.enter(), "run": "run-1"} | who
    )


def claimed(
    ledger: Ledger, who: Claimant, wanted: Sequence[date], *, longest: int = 90, parts: Sequence[str] = ("",)
) -> Claim:
    found = ledger.claim(who, wanted, longest=longest, parts=parts, halves=halves, now=NOON)
    assert not isinstance(found, Busy)
    return found


def bought(ledger: Ledger, wanted: Sequence[date], **who: str) -> tuple[Claimant, Job]:
    """A job of its own run, as far as its answer is kept."""
    claimant = run_of(ledger, **who)
    (job,) = claimed(ledger, claimant, wanted).jobs
    sent = ledger.submitted(job, Handle(id="r-1", url="https://files.example/1?secret", expires_at=NOON + HOUR), NOON)
    return claimant, ledger.downloaded(sent, raw_sha256="5" * 64, raw_bytes=77, expected_rows=12)


def facts_of(number: int, job: Job, *, fingerprint: str = "v1", rows: int = 3) -> LandedFacts:
    return LandedFacts(
        day=day(number),
        jobs=(job.id, "another"),
        version=f"of {fingerprint}",
        outcome=Outcome.DATA if rows else Outcome.EMPTY,
        rows=rows,
        size=rows * 100,
        sha256=f"bytes of {fingerprint}",
        fingerprint=fingerprint,
        raw_sha256=f"raw of {fingerprint}",
        money={"revenue": {"USD": f"{rows}.5"}},
        asked_at=NOON + rows * HOUR,
        landed_at=NOON + rows * 2 * HOUR,
    )


def published(into: list[str]) -> Put:
    """What puts a day in place, and notes in `into` that it did."""

    def put(last: Callable[[], None] = lambda: None) -> None:
        last()
        into.append("put")

    return put


def test_a_job_that_is_taken_up_knows_all_that_was_saved_of_it(ledger: Ledger) -> None:
    who, kept = bought(ledger, days(3, 4))
    ledger.owners.leave(who.owner)
    (taken,) = claimed(ledger, run_of(ledger), [day(4)]).jobs
    assert taken == replace(kept, fence=kept.fence + 1)


def test_a_submitted_job_that_is_taken_up_has_its_handle_and_how_often_it_was_sent(ledger: Ledger) -> None:
    who = run_of(ledger)
    (job,) = claimed(ledger, who, [day(3)]).jobs
    first = ledger.submitted(job, Handle(id="r-1", url="https://files.example/1", expires_at=NOON), NOON - HOUR)
    again = ledger.resending(first)
    handle = Handle(id="r-2", url="https://files.example/2", expires_at=NOON + HOUR)
    sent = ledger.submitted(again, handle, NOON)
    ledger.owners.leave(who.owner)
    (taken,) = claimed(ledger, run_of(ledger), [day(3)]).jobs
    assert taken == replace(sent, fence=sent.fence + 1)
    assert (taken.handle, taken.resends, taken.submitted_at, taken.state) == (handle, 1, NOON, JobState.SUBMITTED)


def test_a_job_that_is_about_to_be_sent_again_keeps_no_address(ledger: Ledger, database_of_its_own: Database) -> None:
    (job,) = claimed(ledger, run_of(ledger), [day(3)]).jobs
    sent = ledger.submitted(job, Handle(id="r-1", url="https://files.example/1?secret", expires_at=NOON), NOON)
    again = ledger.resending(sent)
    assert again.handle == Handle(id="r-1")
    (row,) = database_of_its_own.run(lambda connection: connection.execute(sa.select(tables.jobs)).all())
    assert (row.state, row.url, row.expires_at) == (JobState.INTENDED, None, None)


def test_a_landed_day_reads_back_as_it_was_noted_and_is_replaced_as_a_whole(ledger: Ledger) -> None:
    _, job = bought(ledger, days(3, 4))
    put: list[str] = []
    for facts in (facts_of(3, job), facts_of(4, job), facts_of(3, job, fingerprint="v2", rows=0)):
        ledger.landed([job], facts, recorded=(), publish=published(put))
        assert ledger.days(REPORT)[facts.day] == facts
    assert len(put) == 3
    assert sorted(ledger.days(REPORT)) == days(3, 4)
    assert ledger.days("network/other") == {}


def test_nobody_lands_or_calls_for_a_job_that_another_run_holds(ledger: Ledger) -> None:
    stale, job = bought(ledger, days(3, 4))
    ledger.owners.leave(stale.owner)
    (taken,) = claimed(ledger, run_of(ledger, run="run-2"), days(3, 4)).jobs
    put: list[str] = []
    with pytest.raises(LostClaim, match="taken over by run run-2"):
        ledger.landed([job], facts_of(3, job), recorded=(), publish=published(put))
    with pytest.raises(LostClaim):
        ledger.calls.spend(job, Quota(api="queries"), "a", NOON, newest=True)
    with pytest.raises(LostClaim):
        ledger.finish(job, days(3, 4), Outcome.DATA, "", NOON)
    ledger.close(job, Outcome.FAILED, "too late", NOON)
    assert (put, ledger.days(REPORT), ledger.calls.count()) == ([], {}, 0)
    assert ledger.open_days(REPORT) == set(days(3, 4))
    ledger.calls.spend(taken, Quota(api="queries"), "a", NOON, newest=True)
    ledger.landed([taken], facts_of(3, taken), recorded=(), publish=published(put))
    ledger.finish(taken, days(3, 4), Outcome.DATA, "", NOON)
    assert (put, list(ledger.days(REPORT)), ledger.calls.count()) == (["put"], [day(3)], 1)


def test_a_day_of_several_jobs_lands_only_while_all_of_them_are_held(ledger: Ledger) -> None:
    first = run_of(ledger)
    jobs = [
        ledger.downloaded(ledger.submitted(job, Handle(), NOON), raw_sha256="5" * 64, raw_bytes=1, expected_rows=None)
        for job in claimed(ledger, first, [day(3)], parts=("x", "y")).jobs
    ]
    put: list[str] = []
    for held, lost in (jobs, jobs[::-1]):
        stale = replace(lost, fence=lost.fence - 1)
        with pytest.raises(LostClaim):
            ledger.landed([held, stale], facts_of(3, held), recorded=[day(3)], publish=published(put))
    assert put == []
    assert ledger.open_days(REPORT) == {day(3)}, "nothing of a transaction that failed stays"


def test_a_day_that_was_recorded_is_bought_no_more_and_the_rest_is(ledger: Ledger) -> None:
    _, job = bought(ledger, days(3, 5))
    ledger.landed([job], facts_of(3, job), recorded=(), publish=published([]))
    assert ledger.open_days(REPORT) == set(days(3, 5))
    ledger.landed([job], facts_of(4, job), recorded=[day(3)], publish=published([]))
    assert ledger.open_days(REPORT) == set(days(4, 5))
    ledger.finish(job, [day(4)], Outcome.DATA, "", NOON)
    assert ledger.open_days(REPORT) == {day(5)}
    ledger.finish(job, days(3, 5), Outcome.DATA, "", NOON)
    assert ledger.open_days(REPORT) == set()
    assert ledger.open_days("network/other") == set()


def test_how_a_job_ended_is_kept(ledger: Ledger, database_of_its_own: Database) -> None:
    _, job = bought(ledger, [day(3)])
    ledger.finish(job, [day(3)], Outcome.FAILED, "a bad day", NOON + HOUR)
    (row,) = database_of_its_own.run(lambda connection: connection.execute(sa.select(tables.jobs)).all())
    assert (row.state, row.owner, row.outcome, row.cause) == (JobState.CLOSED, None, "failed", "a bad day")
    assert row.closed_at == NOON + HOUR
    with pytest.raises(LostClaim):
        ledger.landed([job], facts_of(3, job), recorded=(), publish=published([]))


def test_an_answer_that_was_never_bought_leaves_no_day_open(ledger: Ledger) -> None:
    who = run_of(ledger)
    claimed(ledger, who, [day(3)])
    assert ledger.open_days(REPORT) == set(), "an intent is no answer"
    bought(ledger, [day(5)])
    assert ledger.open_days(REPORT) == {day(5)}


def test_the_days_of_a_run_that_lives_are_busy_and_no_others(ledger: Ledger) -> None:
    claimed(ledger, run_of(ledger), [day(3), day(6)])
    other = run_of(ledger, run="run-2")
    for touching in (days(1, 3), [day(4)], days(6, 9)):
        found = ledger.claim(other, touching, longest=90, parts=("",), halves=halves, now=NOON)
        assert found == Busy(Window(day(3), day(6)), "run-1")
    beside = claimed(ledger, other, [*days(1, 2), *days(7, 9)], longest=3)
    assert [job.request.window for job in beside.jobs] == [Window(day(1), day(2)), Window(day(7), day(9))]
    claimed(ledger, run_of(ledger, report="network/other"), days(1, 9))


def truncated(ledger: Ledger, request: Request, **who: str) -> None:
    claimant = run_of(ledger, **who)
    (job,) = claimed(ledger, claimant, request.window.days, parts=(request.part,)).jobs
    assert job.request == request
    ledger.close(job, Outcome.TRUNCATED, "cut", NOON)
    ledger.owners.leave(claimant.owner)


def windows(claim: Claim) -> list[tuple[int, int]]:
    return [(job.request.window.first.day, job.request.window.last.day) for job in claim.jobs]


@pytest.mark.parametrize("who", [{"report": "network/other"}, {"account": "b"}, {"fingerprint": "g"}])
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
    ledger.owners.leave(who.owner)
    claim = claimed(ledger, run_of(ledger), [day(1), day(8)])
    assert windows(claim) == [(1, 1), (5, 8)]
    assert claim.days == {Window(day(1), day(1)): {day(1)}, Window(day(5), day(8)): {day(8)}}


def test_parts_that_are_missing_of_a_window_are_bought_beside_those_that_are_there(ledger: Ledger) -> None:
    who = run_of(ledger)
    first, second = claimed(ledger, who, days(3, 4), parts=("x", "y")).jobs
    kept = ledger.downloaded(
        ledger.submitted(second, Handle(), NOON), raw_sha256="5" * 64, raw_bytes=1, expected_rows=None
    )
    ledger.owners.leave(who.owner)
    claim = claimed(ledger, run_of(ledger), days(3, 4), parts=("x", "y"))
    assert [(job.request.part, job.state) for job in claim.jobs] == [
        ("x", JobState.INTENDED),
        ("y", JobState.DOWNLOADED),
    ]
    assert claim.jobs[1].id == kept.id
    assert claim.jobs[0].id != first.id
    assert claim.days == {Window(day(3), day(4)): set(days(3, 4))}


def test_parts_of_a_day_that_was_cut_are_bought_once_each(ledger: Ledger) -> None:
    pieces = {"": ("am", "pm"), "am": ("early", "late")}

    def parted(request: Request) -> tuple[Request, ...]:
        return tuple(Request(request.window, part) for part in pieces.get(request.part, ()))

    def claim(who: Claimant) -> Claim:
        found = ledger.claim(who, [day(3)], longest=90, parts=("",), halves=parted, now=NOON)
        assert not isinstance(found, Busy)
        return found

    truncated(ledger, Request(Window(day(3), day(3))))
    who = run_of(ledger)
    morning, evening = claim(who).jobs
    assert (morning.request.part, evening.request.part) == ("am", "pm")
    ledger.submitted(evening, Handle(id="r"), NOON)
    ledger.owners.leave(who.owner)
    last = run_of(ledger)
    again = claim(last).jobs
    assert [(job.request.part, job.handle.id) for job in again] == [("am", ""), ("pm", "r")]
    ledger.close(again[0], Outcome.TRUNCATED, "cut", NOON)
    ledger.owners.leave(last.owner)
    parts = [(job.request.part, job.handle.id) for job in claim(run_of(ledger)).jobs]
    assert parts == [("early", ""), ("late", ""), ("pm", "r")]


def test_why_a_job_is_not_taken_up_is_kept(ledger: Ledger, database_of_its_own: Database) -> None:
    who = run_of(ledger)
    (job,) = claimed(ledger, who, [day(3)]).jobs
    ledger.owners.leave(who.owner)
    claimed(ledger, run_of(ledger), [day(3)])
    query = sa.select(tables.jobs).where(tables.jobs.c.id == job.id)
    row = database_of_its_own.run(lambda connection: connection.execute(query).one())
    assert (row.state, row.outcome, row.closed_at) == (JobState.CLOSED, "expired", NOON)
    assert row.cause == "its run ended before the provider's answer to it was saved"


def test_a_day_on_which_a_newer_answer_has_landed_is_asked_for_anew(ledger: Ledger) -> None:
    who, job = bought(ledger, days(3, 4))
    newer = replace(facts_of(3, job), asked_at=NOON + HOUR)
    ledger.landed([job], newer, recorded=(), publish=published([]))
    ledger.owners.leave(who.owner)
    claim = claimed(ledger, run_of(ledger), days(3, 4))
    assert claim.days == {Window(day(3), day(4)): {day(4)}, Window(day(3), day(3)): {day(3)}}
    assert {one.id == job.id for one in claim.jobs} == {True, False}


def test_days_that_land_anew_are_bought_for_again_until_they_have(ledger: Ledger) -> None:
    who, job = bought(ledger, days(3, 5))
    for number in (3, 4, 5):
        facts = replace(facts_of(number, job), jobs=(job.id,))
        ledger.landed([job], facts, recorded=(), publish=published([]))
    ledger.finish(job, days(3, 4), Outcome.DATA, "", NOON)
    ledger.owners.leave(who.owner)
    again = run_of(ledger, run="run-2")
    claim = ledger.reopen(again, [job.id], days(3, 4))
    assert claim == Claim([replace(job, fence=job.fence + 1)], {Window(day(3), day(5)): frozenset(days(3, 4))})
    assert ledger.open_days(REPORT) == set(days(3, 5)), "a crash from here on leaves them to the next run"
    assert ledger.reopen(run_of(ledger), [job.id], [day(3)]) == Busy(Window(day(3), day(5)), "run-2")
    ledger.owners.leave(again.owner)
    with pytest.raises(LostClaim, match="another answer has landed"):
        ledger.reopen(run_of(ledger), ["another"], [day(3)])


def test_a_job_that_has_closed_is_open_again_while_its_days_land_anew(
    ledger: Ledger, database_of_its_own: Database
) -> None:
    who, job = bought(ledger, days(3, 4))
    facts = replace(facts_of(3, job), jobs=(job.id,))
    ledger.landed([job], facts, recorded=(), publish=published([]))
    ledger.finish(job, days(3, 4), Outcome.FAILED, "a bad day", NOON)
    ledger.owners.leave(who.owner)
    _, others = bought(ledger, [day(3)], report="network/other")
    ledger.landed([others], facts_of(3, others), recorded=(), publish=published([]))
    claim = ledger.reopen(run_of(ledger), [job.id], [day(3)])
    assert isinstance(claim, Claim)
    assert claim == Claim([replace(job, fence=job.fence + 1)], {Window(day(3), day(4)): frozenset([day(3)])})
    query = sa.select(tables.jobs).where(tables.jobs.c.id == job.id)
    row = database_of_its_own.run(lambda connection: connection.execute(query).one())
    assert (row.state, row.closed_at, row.outcome, row.cause) == (JobState.DOWNLOADED, None, None, None)
    ledger.landed(claim.jobs, facts, recorded=[day(3)], publish=published([]))
    assert ledger.open_days(REPORT) == set()


def test_a_day_whose_job_the_ledger_has_forgotten_cannot_land_anew(
    ledger: Ledger, database_of_its_own: Database
) -> None:
    who, job = bought(ledger, [day(3)])
    ledger.landed([job], facts_of(3, job), recorded=(), publish=published([]))
    ledger.owners.leave(who.owner)
    assert ledger.reopen(run_of(ledger), [job.id, "another"], [day(3)]) == Claim([], {})


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
    put: list[str] = []
    first = once(lambda: put.append("put"))
    first()
    first()
    assert put == ["put"]


def test_calls_are_counted_by_job_and_by_report(ledger: Ledger) -> None:
    quota = Quota(api="queries")
    jobs = [bought(ledger, [day(number)], report=report)[1] for number, report in ((3, REPORT), (5, "network/other"))]
    for job, calls in zip(jobs, (2, 3), strict=True):
        for _ in range(calls):
            ledger.calls.spend(job, quota, "a", NOON, newest=False)
    assert [ledger.calls.count(job=job.id) for job in jobs] == [2, 3]
    assert [ledger.calls.count(report=report) for report in (REPORT, "network/other", "none")] == [2, 3, 0]
    assert ledger.calls.count() == 5
    assert ledger.calls.left(quota, "a", NOON) is None
