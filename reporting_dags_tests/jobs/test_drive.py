"""Jobs driven step by step: how often they are looked at, sent again, given up."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.pulling.poller import JobOutcome
from reporting_dags.jobs.records import Job, JobState
from reporting_dags.landing.storage.store import raw_key
from reporting_dags.model.days import Window
from reporting_dags.model.errors import (
    Denied,
    Expired,
    LeaseLost,
    NotReady,
    Partial,
    ReportingError,
    StorageError,
    Truncated,
)
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Quota
from reporting_dags.providers.http.errors import Unavailable
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.scripted import CONTENT, DAY, DIGEST, PENDING, QUOTA, READY, Stage


def test_a_job_is_submitted_polled_and_downloaded_once_and_its_answer_is_kept(stage: Stage) -> None:
    driven = stage.one()
    assert stage.provider.calls == [(call, str(DAY), 0) for call in ("submit", "poll", "download")]
    job = driven.job
    assert (driven.error, driven.waited, job.state) == (None, timedelta(), JobState.DOWNLOADED)
    assert (job.raw_sha256, job.raw_bytes, job.expected_rows, job.resends) == (DIGEST, len(CONTENT), 3, 0)
    assert job.handle == Handle(id="r-1")
    with stage.context.raw.open(raw_key(EVENT.key, DIGEST, EVENT.format.suffix)) as file:
        assert file.read() == CONTENT
    assert list(stage.context.scratch.glob("answer-*")) == []
    assert stage.lines == [
        f"requested {EVENT.key} {DAY}: request r-1",
        f"{EVENT.key} {DAY}: {len(CONTENT)} bytes of raw response are stored",
    ]
    assert stage.open()


def test_a_job_is_looked_at_ever_less_often_and_a_last_time_when_its_time_is_up(stage: Stage) -> None:
    stage.provider.polls = [PENDING]
    driven = stage.one()
    assert stage.provider.when("poll") == [0, 4, 10, 19, 29, 39, 49, 59, 60]
    assert isinstance(driven.error, NotReady)
    assert driven.error.line == (
        f"{EVENT.key} {DAY}: still counting after 0:01:00 (request r-1). "
        "The job stays open; the next run of these days continues it."
    )
    assert (driven.waited, stage.open()) == (timedelta(seconds=60), True)
    assert stage.lines[1:] == [f"{EVENT.key} {DAY}: still counting"] * 8


def test_a_job_that_another_run_submitted_is_looked_at_like_one_of_its_own(stage: Stage) -> None:
    (job,) = stage.claim()
    sent = stage.context.ledger.jobs.record_submitted(job, Handle(id="r-0", url="https://files.example/0"), NOON)
    stage.provider.polls = [PENDING, PENDING, READY]
    assert stage.one([sent]).error is None
    assert (stage.provider.when("submit"), stage.provider.when("poll")) == ([], [0, 4, 10])


def test_an_answer_that_is_there_at_the_last_look_is_taken(stage: Stage) -> None:
    stage.provider.polls = [*[PENDING] * 8, READY]
    assert stage.one().error is None


def test_a_provider_that_is_away_for_a_while_is_asked_again(stage: Stage) -> None:
    stage.provider.polls = [Unavailable("no response from the host"), PENDING, READY]
    assert stage.one().error is None
    assert stage.provider.when("poll") == [0, 4, 10]
    assert f"{EVENT.key} {DAY}: no response from the host" in stage.lines


def test_an_answer_that_is_not_there_after_all_is_asked_for_again(stage: Stage) -> None:
    stage.provider.downloads = [NotReady("not yet"), NotReady("not yet"), CONTENT]
    assert stage.one().error is None
    assert stage.provider.when("download") == [0, 4, 10]
    assert f"{EVENT.key} {DAY}: not yet" in stage.lines


def test_no_more_jobs_than_are_allowed_are_open_at_once_and_each_is_looked_at_in_its_turn(stage: Stage) -> None:
    stage.provider.polls = [PENDING, PENDING, PENDING, READY]
    days = [DAY.replace(day=number) for number in (10, 11, 12)]
    ended = stage.drive(stage.claim(days))
    assert [driven.job.request.window.first.day for driven in ended] == [11, 12, 10]
    calls = [(what, int(day[-2:]), at) for what, day, at in stage.provider.calls if what != "download"]
    assert calls == [
        ("submit", 10, 0),
        ("poll", 10, 0),
        ("submit", 11, 0),
        ("poll", 11, 0),
        ("poll", 10, 4),
        ("poll", 11, 4),
        ("submit", 12, 4),
        ("poll", 12, 4),
        ("poll", 10, 10),
    ]
    assert [driven.waited for driven in ended] == [timedelta(seconds=seconds) for seconds in (4, 0, 10)]


@pytest.mark.parametrize("error", [Denied("no"), Truncated("cut"), Expired("gone")])
def test_a_submit_that_is_refused_ends_the_job(stage: Stage, error: ReportingError) -> None:
    stage.provider.submits = [error]
    jobs = stage.claim()
    driven = stage.one(jobs)
    assert driven.error is error
    assert stage.provider.when("poll") == []
    with pytest.raises(LeaseLost):
        stage.context.ledger.jobs.record_submitted(jobs[0], Handle(), NOON)
    (row,) = stage.database.read(lambda connection: connection.execute(sa.select(tables.jobs)).all())
    assert (row.outcome, row.cause, row.closed_at) == (error.outcome.value, error.line, NOON)


def lost() -> Unavailable:
    error = Unavailable("lost on the way")
    error.ambiguous = True
    return error


def test_a_submit_that_certainly_bought_nothing_closes_the_job_with_its_cause(stage: Stage) -> None:
    stage.provider.submits = [Unavailable("away")]
    stage.one()
    (row,) = stage.database.read(lambda connection: connection.execute(sa.select(tables.jobs)).all())
    assert (row.state, row.outcome, row.cause) == ("closed", "failed", "away")


@pytest.mark.parametrize("error", [lost(), NotReady("not yet"), Partial("broke off")])
def test_a_submit_that_may_have_arrived_leaves_the_intent(stage: Stage, error: Exception) -> None:
    stage.provider.submits = [error]
    jobs = stage.claim()
    assert stage.one(jobs).error is error
    stage.context.ledger.jobs.record_submitted(jobs[0], Handle(), NOON)


@pytest.mark.parametrize(("error", "stays"), [(Denied("no"), True), (Truncated("cut"), False)])
def test_what_was_bought_is_kept_when_access_is_denied_and_given_up_when_it_was_cut(
    stage: Stage, error: Exception, stays: bool
) -> None:
    stage.provider.polls = [error]
    assert stage.one().error is error
    assert stage.open() is stays


def test_a_store_that_refuses_ends_the_run_and_keeps_the_job(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise StorageError("raw store cannot be written")

    monkeypatch.setattr(stage.context.raw, "put", full)
    with pytest.raises(StorageError):
        stage.drive()
    assert stage.open()
    assert list(stage.context.scratch.glob("answer-*")) == []


@pytest.mark.parametrize("breaks", [Partial("broke off"), Unavailable("away")])
def test_a_download_that_breaks_off_is_tried_three_times_at_growing_intervals(stage: Stage, breaks: Exception) -> None:
    stage.provider.downloads = [breaks, breaks, CONTENT]
    assert stage.one().error is None
    assert stage.provider.when("download") == [0, 4, 12]
    assert len(stage.provider.when("submit")) == len(stage.provider.when("poll")) == 1


def test_a_download_is_tried_again_within_a_minute_however_seldom_jobs_are_looked_at(stage: Stage) -> None:
    stage.provider.policy = replace(stage.provider.policy, first_poll=timedelta(minutes=5))
    stage.provider.downloads = [Partial("broke off"), Partial("broke off"), CONTENT]
    assert stage.one().error is None
    assert stage.provider.when("download") == [0, 60, 120]


def test_a_download_that_always_breaks_off_leaves_the_job_to_the_next_run(stage: Stage) -> None:
    stage.provider.downloads = [Partial("broke off")]
    driven = stage.one()
    assert (str(driven.error), len(stage.provider.when("download")), stage.open()) == ("broke off", 3, True)


def test_a_provider_that_was_tried_often_enough_is_not_tried_for_each_download(stage: Stage) -> None:
    away = Unavailable("away")
    away.exhausted = True
    stage.provider.downloads = [away]
    assert stage.one().error is away
    assert len(stage.provider.when("download")) == 1


def test_a_file_that_turns_out_empty_is_no_answer(stage: Stage) -> None:
    stage.provider.downloads = [b""]
    driven = stage.one()
    assert isinstance(driven.error, Partial)
    assert driven.error.message == f"the file of {EVENT.key} {DAY} is empty"
    assert list(stage.context.raw.sizes("")) == []


def test_an_address_that_no_longer_serves_costs_one_submit_more_and_no_second(stage: Stage) -> None:
    stage.provider.polls = [PENDING, Expired("gone"), PENDING, READY]
    driven = stage.one()
    assert (driven.error, driven.job.resends) == (None, 1)
    assert stage.provider.when("submit") == [0, 4]
    assert stage.provider.when("poll") == [0, 4, 4, 8], "as often as at first"
    assert f"{EVENT.key} {DAY}: its download address expired; requesting it once more" in stage.lines
    stage.provider.polls = [Expired("gone")]
    gone = stage.one(stage.claim([DAY.replace(day=11)]))
    assert (str(gone.error), gone.job.resends, len(stage.provider.when("submit"))) == ("gone", 1, 4)


def test_a_job_that_stays_pending_for_too_long_is_sent_again_once(stage: Stage) -> None:
    stage.provider.policy = replace(stage.provider.policy, resubmit_after=timedelta(seconds=29))
    stage.provider.polls = [PENDING]
    driven = stage.one()
    assert stage.provider.when("submit") == [0, 29]
    assert stage.provider.when("poll") == [0, 4, 10, 19, 29, 29, 33, 39, 48, 58, 60]
    assert (driven.job.resends, driven.error and driven.error.outcome) == (1, Outcome.NOT_READY)
    assert f"{EVENT.key} {DAY}: still counting after 0:00:29; requesting it once more" in stage.lines


def test_a_job_of_a_day_that_went_out_of_reach_is_not_sent_again(stage: Stage) -> None:
    (job,) = stage.claim([date(2025, 5, 20)])
    sent = stage.context.ledger.jobs.record_submitted(job, Handle(id="r-1", url="https://files.example/1"), NOON)
    stage.clock.at = datetime(2026, 11, 21, 0, 0, 30, tzinfo=NOON.tzinfo)
    stage.provider.polls = [Expired("gone")]
    driven = stage.one([sent])
    assert driven.error is not None
    assert "older than the provider's retention (earliest available: 2025-05-21)" in driven.error.line
    assert stage.provider.when("submit") == []


def test_a_day_that_went_out_of_reach_before_it_was_asked_for_is_not_asked_for(stage: Stage) -> None:
    (job,) = stage.claim([date(2025, 5, 20)])
    stage.clock.at = datetime(2026, 11, 21, 0, 0, 30, tzinfo=NOON.tzinfo)
    driven = stage.one([job])
    assert driven.error is not None
    assert "older than the provider's retention" in driven.error.line
    assert stage.provider.calls == []
    assert not stage.open()


def kept(stage: Stage) -> Job:
    """A job whose response an earlier run has kept."""
    job = stage.one().job
    stage.provider.calls.clear()
    stage.lines.clear()
    return job


def test_an_answer_that_is_kept_is_used_without_a_call(stage: Stage) -> None:
    job = kept(stage)
    driven = stage.one([job])
    assert (driven, stage.provider.calls, stage.lines) == (JobOutcome(job, None, timedelta()), [], [])


def alter(path: Path) -> None:
    path.write_bytes(b"other")


@pytest.mark.parametrize("harm", [Path.unlink, alter], ids=["gone", "altered"])
def test_a_kept_answer_that_was_harmed_is_asked_for_again(
    stage: Stage, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    job = kept(stage)
    harm(tmp_path / "raw" / raw_key(EVENT.key, DIGEST, EVENT.format.suffix))
    driven = stage.one([job])
    assert (driven.error, driven.job.resends, driven.job.raw_sha256) == (None, 1, DIGEST)
    assert [call for call, *_ in stage.provider.calls] == ["submit", "poll", "download"]
    assert stage.lines[0] == f"{EVENT.key} {DAY}: its raw response is gone or was altered; requesting it once more"


@pytest.mark.parametrize(("days", "kept_share"), [([19], 9), ([10], 10)], ids=["the latest day", "a day of old"])
def test_a_call_is_counted_for_the_newest_day_or_for_others(stage: Stage, days: list[int], kept_share: int) -> None:
    stage.provider.quota = QUOTA
    stage.drive(stage.claim([DAY.replace(day=number) for number in days]))
    assert stage.context.ledger.quotas.left(QUOTA, "ours", NOON) == (49, kept_share)
    assert stage.lines[0] == "49 of 50 queries are left today"


def test_a_window_that_reaches_the_newest_day_counts_for_it(stage: Stage) -> None:
    stage.provider.quota = QUOTA
    (job,) = stage.claim([DAY, date(2026, 11, 19)], longest=90)
    assert job.request.window == Window(DAY, date(2026, 11, 19))
    stage.drive([job])
    assert stage.context.ledger.quotas.left(QUOTA, "ours", NOON) == (49, 9)


def test_calls_without_a_limit_are_counted_and_not_told(stage: Stage) -> None:
    stage.provider.pages = Quota(bucket="pages")
    job = stage.one().job
    assert stage.context.ledger.quotas.count(job=job.id) == 1
    assert not [line for line in stage.lines if "left today" in line]
