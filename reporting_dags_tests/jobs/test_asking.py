"""Asking once: a job whose handle did not arrive, or was not saved, is looked for before it is requested again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reporting_dags.jobs.pulling.submit import Submitter
from reporting_dags.jobs.records import Job, JobState
from reporting_dags.model.errors import Denied, Failed
from reporting_dags.providers.api import Handle, Quota
from reporting_dags.providers.http.errors import Unavailable
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.scripted import DAY, PENDING, READY, Scripted, Stage

THERE = Handle(id="found", url="https://files.example/found")
HOUR = timedelta(hours=1)


@pytest.fixture
def finding(stage: Stage) -> Stage:
    """A provider that can be requested what it has; its first question comes after four seconds."""
    stage.provider.policy = replace(stage.provider.policy, can_find_lost_jobs=True)
    return stage


def lost(*, exhausted: bool = False, retry_after: float | None = None) -> Unavailable:
    """A submit whose response did not arrive."""
    error = Unavailable("lost on the way")
    error.ambiguous, error.exhausted, error.retry_after = True, exhausted, retry_after
    return error


def taken_up(stage: Stage, after: timedelta = timedelta()) -> list[Job]:
    """The intent of a run that ended before it had a response, in the hands of the next."""
    (before,) = stage.claim()
    stage.leave()
    stage.clock.at += after
    (job,) = stage.claim(run="run-2")
    assert (job.id, job.state, job.fencing_token) == (before.id, JobState.INTENDED, 2)
    return [job]


def calls(provider: Scripted) -> list[tuple[str, float]]:
    return [(what, at) for what, _, at in provider.calls if what in {"find", "submit"}]


def test_a_fresh_intent_is_asked_for_without_a_look(finding: Stage) -> None:
    finding.provider.finds = [THERE]
    assert finding.one().job.handle.id == "r-1"
    assert calls(finding.provider) == [("submit", 0)]


def test_an_intent_that_is_taken_up_is_looked_for_and_found(finding: Stage) -> None:
    finding.provider.finds = [THERE]
    finding.provider.polls = [PENDING, READY]
    jobs = taken_up(finding, timedelta(minutes=5))
    driven = finding.one(jobs)
    assert calls(finding.provider) == [("find", 300)]
    assert (driven.error, driven.job.handle.id) == (None, "found")
    assert driven.job.submitted_at == driven.job.requested_at == NOON, (
        "as old as the intent: when it arrived is not known"
    )
    assert finding.lines[0] == f"found the submitted job of {EVENT.key} {DAY}: request found"
    assert finding.provider.when("poll") == [300, 304]


def test_what_is_found_counts_as_asked_for_by_the_providers_clock(finding: Stage) -> None:
    finding.provider.finds = [THERE]
    finding.provider.fast = timedelta(minutes=20)
    driven = finding.one(taken_up(finding))
    assert (driven.job.clock_skew, driven.job.requested_at) == (timedelta(minutes=20), NOON - timedelta(minutes=20))


def test_an_intent_that_is_taken_up_and_not_there_is_asked_for(finding: Stage) -> None:
    assert finding.one(taken_up(finding)).job.handle.id == "r-2"
    assert calls(finding.provider) == [("find", 0), ("submit", 0)]


def test_a_provider_that_finds_nothing_again_is_not_asked_to(stage: Stage) -> None:
    stage.provider.submits = [lost()]
    driven = stage.one()
    assert isinstance(driven.error, Unavailable)
    assert calls(stage.provider) == [("submit", 0)]


@pytest.mark.parametrize(("after", "asked"), [(HOUR - timedelta.resolution, False), (HOUR, True)])
def test_while_it_cannot_be_told_nothing_is_bought_for_an_hour(
    finding: Stage, after: timedelta, *, asked: bool
) -> None:
    finding.provider.finds = [Unavailable("no list")]
    driven = finding.one(taken_up(finding, after))
    assert (driven.error is None) is asked
    assert [what for what, _ in calls(finding.provider)] == (["find", "submit"] if asked else ["find"])


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_lost_answer_is_looked_for_at_growing_intervals(finding: Stage, nth: int) -> None:
    finding.provider.submits = [lost()]
    finding.provider.finds = [*[None] * (nth - 1), THERE]
    driven = finding.one()
    assert (driven.error, driven.job.handle.id) == (None, "found")
    assert calls(finding.provider) == [("submit", 0), *[("find", at) for at in (4, 16, 52)][:nth]]


def test_what_is_nowhere_to_be_found_is_asked_for_once_more(finding: Stage) -> None:
    finding.provider.submits = [lost(), None]
    assert finding.one().error is None
    assert calls(finding.provider) == [("submit", 0), ("find", 4), ("find", 16), ("find", 52), ("submit", 52)]


@pytest.mark.parametrize("error", [lost(exhausted=True), lost(retry_after=0.0)], ids=["exhausted", "retry after"])
def test_what_is_not_worth_another_try_is_looked_for_and_left_open(finding: Stage, error: Unavailable) -> None:
    finding.provider.submits = [error, None]
    assert finding.one().error is error
    assert [what for what, _ in calls(finding.provider)] == ["submit", "find", "find", "find"]
    finding.leave()
    (job,) = finding.claim(run="run-2")
    assert (job.state, job.fencing_token) == (JobState.INTENDED, 2)


@pytest.mark.parametrize("then", [Denied("none left"), Unavailable("away")], ids=["denied", "away"])
def test_what_may_be_bought_stays_open_when_asking_again_is_refused(finding: Stage, then: Exception) -> None:
    first = lost()
    finding.provider.submits = [first, then]
    assert finding.one().error is first
    finding.leave()
    finding.provider.finds = [THERE]
    assert finding.one(finding.claim(run="run-2")).job.handle.id == "found"


def test_a_refusal_of_the_question_itself_ends_the_job(finding: Stage) -> None:
    refusal = Failed("no such field")
    finding.provider.submits = [lost(), refusal]
    assert finding.one().error is refusal
    finding.leave()
    (job,) = finding.claim(run="run-2")
    assert job.fencing_token == 1, "a new job"


def test_where_the_list_cannot_be_read_the_job_is_left_open(finding: Stage) -> None:
    first = lost()
    finding.provider.submits = [first, None]
    finding.provider.finds = [Unavailable("no list")]
    assert finding.one().error is first
    assert calls(finding.provider) == [("submit", 0), ("find", 4)]


def test_a_submit_that_fails_for_certain_is_not_looked_for(finding: Stage) -> None:
    away = Unavailable("away")
    finding.provider.submits = [away]
    assert finding.one().error is away
    assert calls(finding.provider) == [("submit", 0)]


def test_a_job_has_a_mark_of_its_own_and_another_when_it_is_sent_again(finding: Stage) -> None:
    finding.provider.policy = replace(finding.provider.policy, resubmit_after=timedelta(seconds=20))
    finding.provider.polls = [PENDING]
    job = finding.one().job
    assert finding.provider.marks == [f"{job.id}.0", f"{job.id}.1"]
    finding.leave()
    finding.provider.polls = [READY]
    again = finding.one(finding.claim(run="run-2")).job
    assert (again.id, again.request.correlation_id) == (job.id, f"{job.id}.1"), "the ledger remembers which"


# Whether a call is left to ask once more.

NEWEST = EVENT.calendar.latest_available(NOON)
SMALL = Quota(bucket="queries", per_day=3, reserved=1)


def affordable(stage: Stage, job: Job, spent: int) -> bool:
    """Whether `job` may be requested once more after so many calls for days of old."""
    stage.provider.quota = SMALL
    asking = Submitter(stage.context, EVENT)
    for _ in range(spent):
        stage.context.ledger.quotas.spend(job, SMALL, stage.provider.account, stage.clock, newest=False)
    return asking.has_quota(job)


@pytest.mark.parametrize(("spent", "old", "new"), [(0, True, True), (1, True, True), (2, False, True)])
def test_what_is_kept_for_the_newest_day_is_affordable_for_it_alone(
    stage: Stage, spent: int, *, old: bool, new: bool
) -> None:
    before, newest = stage.claim([DAY, NEWEST])
    assert affordable(stage, before, spent) is old
    assert affordable(stage, newest, 0) is new


def test_the_last_call_of_all_is_affordable_and_none_after_it(stage: Stage) -> None:
    (newest,) = stage.claim([NEWEST])
    asking = Submitter(stage.context, EVENT)
    stage.provider.quota = SMALL
    for left in (3, 2, 1):
        assert asking.has_quota(newest), left
        stage.context.ledger.quotas.spend(newest, SMALL, stage.provider.account, stage.clock, newest=True)
    assert not asking.has_quota(newest)
    stage.provider.quota = None
    assert asking.has_quota(newest), "nothing is counted"


def test_the_newest_day_is_the_last_that_is_out_before_the_quotas_are_renewed(stage: Stage) -> None:
    out_at_midnight = replace(EVENT, calendar=replace(EVENT.calendar, publish_delay=timedelta()))
    today = NOON.date()
    yesterday, now = stage.claim([today - timedelta(days=1), today])
    stage.provider.quota = SMALL
    for _ in range(2):
        stage.context.ledger.quotas.spend(yesterday, SMALL, stage.provider.account, stage.clock, newest=False)
    asking = Submitter(stage.context, out_at_midnight)
    assert asking.has_quota(yesterday)
    assert not asking.has_quota(now), "it is published with the renewal, and has tomorrow's calls"


def test_a_request_without_an_id_is_told_as_such(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def submit(*_: object) -> Handle:
        return Handle(url="https://files.example/1")

    monkeypatch.setattr(stage.provider, "submit", submit)
    stage.one()
    assert stage.lines[0] == f"requested {EVENT.key} {DAY}: request without an id"
