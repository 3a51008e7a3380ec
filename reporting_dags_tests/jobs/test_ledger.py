"""What the ledger keeps of jobs, and to whom it says no."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.job_rows import SUPERSEDED, close_unused
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.records import JobState
from reporting_dags.model.errors import LeaseLost
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Quota
from reporting_dags_tests.conftest import NOON, StillClock
from reporting_dags_tests.jobs.claiming import HOUR, REPORT, bought, claimed, day, days, facts_of, published, run_of


def test_a_job_that_is_about_to_be_sent_again_keeps_no_address(ledger: Ledger, database_of_its_own: Database) -> None:
    (job,) = claimed(ledger, run_of(ledger), [day(3)]).jobs
    sent = ledger.jobs.record_submitted(
        job, Handle(id="r-1", url="https://files.example/1?secret", expires_at=NOON), NOON
    )
    again = ledger.jobs.record_resend(sent)
    assert again == replace(sent, state=JobState.INTENDED, resends=1, handle=Handle(id="r-1"))
    (row,) = database_of_its_own.read(lambda connection: connection.execute(sa.select(tables.jobs)).all())
    assert (row.state, row.url, row.expires_at) == (JobState.INTENDED, None, None)


def test_nobody_lands_or_calls_for_a_job_that_another_run_holds(ledger: Ledger) -> None:
    stale, job = bought(ledger, days(3, 4))
    ledger.liveness.release(stale.owner)
    (taken,) = claimed(ledger, run_of(ledger, run="run-2"), days(3, 4)).jobs
    put: list[str] = []
    with pytest.raises(LeaseLost, match="taken over by run run-2"):
        ledger.materializations.record_landed([job], facts_of(3, job), recorded=(), publish=published(put))
    with pytest.raises(LeaseLost):
        ledger.quotas.spend(job, Quota(bucket="queries"), "a", StillClock(NOON), newest=True)
    with pytest.raises(LeaseLost):
        ledger.jobs.close_days(job, days(3, 4), Outcome.DATA, "", NOON)
    ledger.jobs.close(job, Outcome.FAILED, "too late", NOON)
    assert (put, ledger.materializations.days(REPORT), ledger.quotas.count()) == ([], {}, 0)
    assert ledger.jobs.in_flight_days(REPORT) == set(days(3, 4))
    ledger.quotas.spend(taken, Quota(bucket="queries"), "a", StillClock(NOON), newest=True)
    ledger.materializations.record_landed([taken], facts_of(3, taken), recorded=(), publish=published(put))
    ledger.jobs.close_days(taken, days(3, 4), Outcome.DATA, "", NOON)
    assert (put, list(ledger.materializations.days(REPORT)), ledger.quotas.count()) == (["put"], [day(3)], 1)


def test_a_job_that_the_ledger_has_forgotten_is_not_held(ledger: Ledger, database_of_its_own: Database) -> None:
    _, job = bought(ledger, [day(3)])
    database_of_its_own.write(lambda connection: connection.execute(tables.jobs.delete()), "test")
    with pytest.raises(LeaseLost, match=f"{REPORT} 2026-11-03 was taken over by somebody who emptied the ledger"):
        ledger.materializations.record_landed([job], facts_of(3, job), recorded=(), publish=published([]))


def test_a_day_of_several_jobs_lands_only_while_all_of_them_are_held(ledger: Ledger) -> None:
    first = run_of(ledger)
    jobs = [
        ledger.jobs.record_downloaded(
            ledger.jobs.record_submitted(job, Handle(), NOON), raw_sha256="5" * 64, raw_bytes=1, expected_rows=None
        )
        for job in claimed(ledger, first, [day(3)], parts=("x", "y")).jobs
    ]
    put: list[str] = []
    for held, lost in (jobs, jobs[::-1]):
        stale = replace(lost, fencing_token=lost.fencing_token - 1)
        with pytest.raises(LeaseLost):
            ledger.materializations.record_landed(
                [held, stale], facts_of(3, held), recorded=[day(3)], publish=published(put)
            )
    assert put == []
    assert ledger.jobs.in_flight_days(REPORT) == {day(3)}, "nothing of a transaction that failed stays"


def test_a_day_that_was_recorded_is_bought_no_more_and_the_rest_is(ledger: Ledger) -> None:
    _, job = bought(ledger, days(3, 5))
    ledger.materializations.record_landed([job], facts_of(3, job), recorded=(), publish=published([]))
    assert ledger.jobs.in_flight_days(REPORT) == set(days(3, 5))
    ledger.materializations.record_landed([job], facts_of(4, job), recorded=[day(3)], publish=published([]))
    assert ledger.jobs.in_flight_days(REPORT) == set(days(4, 5))
    ledger.jobs.close_days(job, [day(4)], Outcome.DATA, "", NOON)
    assert ledger.jobs.in_flight_days(REPORT) == {day(5)}
    ledger.jobs.close_days(job, days(3, 5), Outcome.DATA, "", NOON)
    assert ledger.jobs.in_flight_days(REPORT) == set()
    assert ledger.jobs.in_flight_days("network/other") == set()


def test_how_a_job_ended_is_kept(ledger: Ledger, database_of_its_own: Database) -> None:
    _, job = bought(ledger, [day(3)])
    ledger.jobs.close_days(job, [day(3)], Outcome.FAILED, "a bad day", NOON + HOUR)
    (row,) = database_of_its_own.read(lambda connection: connection.execute(sa.select(tables.jobs)).all())
    assert (row.state, row.owner, row.outcome, row.cause) == (JobState.CLOSED, None, "failed", "a bad day")
    assert row.closed_at == NOON + HOUR
    with pytest.raises(LeaseLost):
        ledger.materializations.record_landed([job], facts_of(3, job), recorded=(), publish=published([]))
    _, given_up = bought(ledger, [day(5)])
    ledger.jobs.close(given_up, Outcome.TRUNCATED, "cut", NOON + 2 * HOUR)
    query = sa.select(tables.jobs).where(tables.jobs.c.id == given_up.id)
    row = database_of_its_own.read(lambda connection: connection.execute(query).one())
    assert (row.state, row.outcome, row.cause, row.closed_at) == (JobState.CLOSED, "truncated", "cut", NOON + 2 * HOUR)


@pytest.mark.parametrize("end", ["finished", "closed", "superseded"])
def test_a_job_that_has_ended_keeps_no_signed_address(ledger: Ledger, database_of_its_own: Database, end: str) -> None:
    (job,) = claimed(ledger, run_of(ledger), [day(3)]).jobs
    sent = ledger.jobs.record_submitted(
        job, Handle(id="r-1", url="https://files.example/1?secret", expires_at=NOON + HOUR), NOON
    )
    if end == "finished":
        ledger.jobs.close_days(sent, [day(3)], Outcome.FAILED, "refused", NOON, [day(3)])
    elif end == "closed":
        ledger.jobs.close(sent, Outcome.EXPIRED, "never filled", NOON)
    else:
        database_of_its_own.write(lambda connection: close_unused(connection, sent, SUPERSEDED, NOON), "test")
    (row,) = database_of_its_own.read(lambda connection: connection.execute(sa.select(tables.jobs)).all())
    assert (row.state, row.request_id, row.url, row.expires_at) == (JobState.CLOSED, "r-1", None, None)


def test_an_answer_that_was_never_bought_leaves_no_day_open(ledger: Ledger) -> None:
    who = run_of(ledger)
    claimed(ledger, who, [day(3)])
    assert ledger.jobs.in_flight_days(REPORT) == set(), "an intent is not a response"
    bought(ledger, [day(5)])
    assert ledger.jobs.in_flight_days(REPORT) == {day(5)}


def test_calls_are_counted_by_job_and_by_report(ledger: Ledger) -> None:
    quota = Quota(bucket="queries")
    jobs = [bought(ledger, [day(number)], report=report)[1] for number, report in ((3, REPORT), (5, "network/other"))]
    for job, calls in zip(jobs, (2, 3), strict=True):
        for _ in range(calls):
            ledger.quotas.spend(job, quota, "a", StillClock(NOON), newest=False)
    assert [ledger.quotas.count(job=job.id) for job in jobs] == [2, 3]
    assert [ledger.quotas.count(report=report) for report in (REPORT, "network/other", "none")] == [2, 3, 0]
    assert ledger.quotas.count() == 5
    assert ledger.quotas.left(quota, "a", NOON) is None


def test_a_job_without_a_handle_was_asked_for_by_the_worse_of_the_clocks_of_its_runs(ledger: Ledger) -> None:
    (job,) = claimed(ledger, run_of(ledger), [day(3)]).jobs
    sent = ledger.jobs.record_submitted(job, Handle(), NOON, 2 * HOUR)
    kept = ledger.jobs.record_downloaded(sent, raw_sha256="0" * 64, raw_bytes=1, expected_rows=None)
    assert kept.requested_at == NOON - 2 * HOUR, "a clock that was set right since does not make the response later"
    assert kept.clock_skew == 2 * HOUR


def failures(ledger: Ledger) -> dict[int, int]:
    """How often each day, by its number, has failed of late."""
    found = ledger.report_state(REPORT, since=NOON - HOUR).failures
    return {failed.day: len(times) for failed, times in found.items()}


def test_of_a_window_those_days_alone_have_failed_that_were_wanted_and_did_not_land(ledger: Ledger) -> None:
    _, job = bought(ledger, days(1, 3))
    for number in (1, 2):
        landed = replace(facts_of(number, job), landed_at=NOON)
        ledger.materializations.record_landed([job], landed, recorded=(), publish=published([]))
    ledger.jobs.close_days(job, days(1, 3), Outcome.FAILED, "day 3: no currency", NOON + HOUR, [day(3)])
    assert failures(ledger) == {3: 1}
    who = run_of(ledger, run="run-2")
    (spanning,) = claimed(ledger, who, [day(4), day(9)]).jobs
    ledger.jobs.close(spanning, Outcome.FAILED, "refused", NOON + 2 * HOUR)
    assert failures(ledger) == {3: 1, 4: 1, 9: 1}, "those between were requested by no one"


def test_a_day_that_has_landed_since_has_not_failed(ledger: Ledger) -> None:
    who, job = bought(ledger, [day(5)])
    ledger.jobs.close_days(job, [day(5)], Outcome.FAILED, "", NOON, [day(5)])
    assert failures(ledger) == {5: 1}
    (again,) = claimed(ledger, who, [day(5)]).jobs
    ledger.materializations.record_landed([again], facts_of(5, again), recorded=(), publish=published([]))
    ledger.jobs.close_days(again, [day(5)], Outcome.DATA, "", NOON + HOUR)
    assert failures(ledger) == {}


def test_the_jobs_of_one_run_for_a_day_have_failed_once_and_those_of_two_twice(ledger: Ledger) -> None:
    for run in ("run-1", "run-2"):
        for job in claimed(ledger, run_of(ledger, run=run), [day(6)], parts=("a", "b", "c")).jobs:
            ledger.jobs.close(job, Outcome.FAILED, "refused", NOON)
    assert failures(ledger) == {6: 2}
    assert ledger.report_state(REPORT, since=NOON + HOUR).failures == {}, "long ago"


def test_a_failure_counts_from_the_moment_after_the_day_has_landed_on(ledger: Ledger) -> None:
    landed_at = NOON + 6 * HOUR
    for number, later in ((6, timedelta()), (7, timedelta.resolution)):
        who, job = bought(ledger, [day(number)])
        ledger.materializations.record_landed(
            [job], replace(facts_of(number, job), landed_at=landed_at), recorded=(), publish=published([])
        )
        ledger.jobs.close_days(job, [day(number)], Outcome.DATA, "", landed_at)
        (again,) = claimed(ledger, who, [day(number)]).jobs
        ledger.jobs.close_days(again, [day(number)], Outcome.FAILED, "refused", landed_at + later, [day(number)])
    assert failures(ledger) == {7: 1}, "a run that landed the day and ended at that moment has not failed after it"


def test_failures_are_remembered_from_a_moment_on_that_moment_included(ledger: Ledger) -> None:
    _, job = bought(ledger, [day(5)])
    ledger.jobs.close_days(job, [day(5)], Outcome.FAILED, "refused", NOON, [day(5)])
    assert list(ledger.report_state(REPORT, since=NOON).failures) == [day(5)]
    assert list(ledger.report_state(REPORT, since=NOON + timedelta.resolution).failures) == []
