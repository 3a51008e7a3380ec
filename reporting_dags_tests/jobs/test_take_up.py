"""Jobs that a run left behind, at any step, and what the next run makes of them; on SQLite and PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from reporting_dags.jobs.ledger.report_state import due_days
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.jobs.records import LeaseHeld, LeaseRequest
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.errors import LeaseLost
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle
from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.digital_turbine.auth import ApiKeys
from reporting_dags.providers.digital_turbine.offer_wall import OfferWall
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON, SandboxClock
from reporting_dags_tests.jobs.test_pull import DAYS, MakeBench, check_truth, outcomes, submits


class Killed(BaseException):
    """What a SIGKILL does to a run, at a chosen place: nothing after it is executed but what the system does."""


def kill_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *, after: bool = False, nth: int = 1) -> None:
    """Let the nth call of `owner.name` end the run as a kill would, before or after its work."""
    original = getattr(owner, name)
    calls = 0

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and not after:
            raise Killed
        result = original(*args, **kwargs)
        if calls == nth:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, dying)


def die(context: PullContext, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, **how: Any) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, owner, name, **how)
        with pytest.raises(Killed):
            list(pull(context, EVENT, DAYS))


@pytest.mark.parametrize(
    ("place", "name", "how", "queries"),
    [
        ("provider", "submit", {}, 1),
        ("provider", "submit", {"after": True}, 2),
        ("ledger.jobs", "record_submitted", {}, 2),
        ("ledger.jobs", "record_submitted", {"after": True}, 1),
        ("provider", "poll", {}, 1),
        ("provider", "poll", {"after": True}, 1),
        ("provider", "download", {}, 1),
        ("raw", "put", {}, 1),
        ("raw", "put", {"after": True}, 1),
        ("ledger.jobs", "record_downloaded", {}, 1),
        ("ledger.jobs", "record_downloaded", {"after": True}, 1),
        ("data", "put", {"nth": 3}, 1),
        ("data", "put", {"nth": 3, "after": True}, 1),
        ("ledger.materializations", "record_landed", {"nth": 3}, 1),
        ("ledger.materializations", "record_landed", {"nth": 5, "after": True}, 1),
        ("ledger.jobs", "close_days", {}, 1),
    ],
)
def test_a_run_killed_at_any_step_is_taken_up_and_ends_exact(
    sandbox: Sandbox,
    make_context: MakeBench,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    name: str,
    how: dict[str, Any],
    queries: int,
) -> None:
    sandbox.settings.change("dt", fill_seconds=60)
    context = make_context()
    die(context, monkeypatch, attrgetter(place)(context), name, **how)
    again = make_context("run-2")
    results = list(pull(again, EVENT, DAYS))
    assert all(result.outcome.publishes for result in results)
    check_truth(again, sandbox, DAYS)
    assert submits(sandbox) == queries, "only between a submit and its handle may one query be lost"


def test_a_job_left_behind_serves_a_run_that_wants_only_some_of_its_days(
    sandbox: Sandbox, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context()
    die(context, monkeypatch, context.ledger.materializations, "record_landed", nth=3)
    again = make_context("run-2")
    assert set(outcomes(list(pull(again, EVENT, DAYS[2:])))) == set(DAYS[2:])
    assert submits(sandbox) == 1
    check_truth(again, sandbox, DAYS)


def test_a_submitted_job_is_continued_for_a_day_and_a_stored_answer_until_its_day_is_restated(
    sandbox: Sandbox, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    context = make_context()
    die(context, monkeypatch, context.provider, "poll")
    clock.sleep(25 * 3600)
    list(pull(make_context("run-2"), EVENT, DAYS))
    assert submits(sandbox) == 2
    die(context, monkeypatch, context.ledger.materializations, "record_landed", nth=1)
    clock.sleep(25 * 3600)
    assert submits(sandbox) == 3
    list(pull(make_context("run-3"), EVENT, DAYS))
    assert submits(sandbox) == 3, "the billing view is not restated"
    newest = PERFORMANCE.calendar.latest_available(clock.now())
    leave_open(make_context("run-4"), monkeypatch, [newest], report=PERFORMANCE)
    clock.sleep(25 * 3600)
    list(pull(make_context("run-5"), PERFORMANCE, [newest]))
    assert submits(sandbox) == 5, "the view by click is, at the age of one day"


def test_a_job_of_another_query_is_not_taken_up(
    sandbox: Sandbox, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context()
    die(context, monkeypatch, context.ledger.materializations, "record_landed", nth=1)
    list(pull(make_context("run-2"), PERFORMANCE, DAYS))
    assert submits(sandbox) == 2


def test_a_run_whose_job_was_taken_over_writes_nothing_more(sandbox: Sandbox, make_context: MakeBench) -> None:
    stale = make_context("stale")
    results: Iterator[DayResult] = pull(stale, EVENT, DAYS)
    first = next(results)
    lost = getattr(stale.ledger.liveness, "_liveness")  # noqa: B009
    for owner in list(getattr(lost, "_held")):  # noqa: B009 - the lock is lost, as with a connection that broke
        lost.release(owner)
    winner = make_context("winner")
    assert all(result.outcome.publishes for result in pull(winner, EVENT, DAYS))
    written = [winner.data.open(EVENT.file(day)).read() for day in DAYS]
    with pytest.raises(Exception, match="taken over by run winner"):
        list(results)
    assert first.outcome.publishes
    assert [winner.data.open(EVENT.file(day)).read() for day in DAYS] == written


def changed(report: Report) -> Report:
    """The same report, requesting one metric less."""
    fewer = replace(report.query, metrics=report.query.metrics[:-1])
    return replace(report, query=fewer, columns=report.columns[:-1])


def test_a_job_of_a_query_that_was_edited_since_is_not_taken_up(
    sandbox: Sandbox, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context()
    die(context, monkeypatch, context.ledger.materializations, "record_landed", nth=1)
    results = list(pull(make_context("run-2"), changed(EVENT), DAYS))
    assert all(result.outcome.publishes for result in results)
    assert submits(sandbox) == 2


def test_a_job_of_another_account_is_not_taken_up_and_quotas_are_each_accounts_own(
    sandbox: Sandbox,
    make_context: MakeBench,
    monkeypatch: pytest.MonkeyPatch,
    clock: SandboxClock,
    offer_wall: OfferWall,
) -> None:
    offer_wall.quota = replace(offer_wall.quota, per_day=1, reserved=0)
    context = make_context()
    die(context, monkeypatch, context.ledger.materializations, "record_landed", nth=1)
    account = sandbox.credentials["other"]
    keys = ApiKeys(client_id=account.client_id, client_secret=account.client_secret)
    other = OfferWall(ClientSettings(base_url=sandbox.url, base_url_variable="DT_BASE_URL", clock=clock), keys)
    other.quota = offer_wall.quota
    results = list(pull(replace(make_context("run-2"), provider=other), EVENT, DAYS))
    assert all(result.outcome.publishes for result in results)
    assert submits(sandbox) == 2


@pytest.mark.rule("DT5")
def test_dt5_a_job_that_was_sent_again_before_a_crash_is_not_sent_a_third_time(
    sandbox: Sandbox, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.add("dt.report", do="never", times=None)
    context = make_context()
    die(context, monkeypatch, context.ledger.jobs, "record_submitted", nth=2, after=True)
    assert submits(sandbox) == 2
    results = list(pull(make_context("run-2"), EVENT, DAYS))
    assert set(outcomes(results).values()) == {Outcome.NOT_READY}
    assert submits(sandbox) == 2


def days_of_november(first: int, last: int) -> list[date]:
    return [date(2026, 11, number) for number in range(first, last + 1)]


def leave_open(
    context: PullContext,
    monkeypatch: pytest.MonkeyPatch,
    days: list[date],
    name: str = "record_downloaded",
    nth: int = 1,
    report: Report = EVENT,
) -> None:
    """A run that dies once its response is in the raw store, or after some days of it have landed."""
    with monkeypatch.context() as patch:
        owner = context.ledger.materializations if name == "record_landed" else context.ledger.jobs
        kill_at(patch, owner, name, nth=nth, after=True)
        with pytest.raises(Killed):
            list(pull(context, report, days))


def test_a_paid_answer_lands_though_the_query_for_the_other_days_is_denied(
    make_context: MakeBench, monkeypatch: pytest.MonkeyPatch, offer_wall: OfferWall
) -> None:
    offer_wall.quota = replace(offer_wall.quota, per_day=1, reserved=0)
    leave_open(make_context(), monkeypatch, days_of_november(10, 15))
    ended = outcomes(list(pull(make_context("run-2"), EVENT, days_of_november(1, 19))))
    assert all(ended[day].publishes for day in days_of_november(10, 15))
    assert {ended[day] for day in (*days_of_november(1, 9), *days_of_november(16, 19))} == {Outcome.DENIED}


def test_an_answer_taken_up_for_some_of_its_days_still_serves_the_others(
    sandbox: Sandbox, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_open(make_context(), monkeypatch, days_of_november(1, 15))
    list(pull(make_context("run-2"), EVENT, [date(2026, 11, 5)]))
    last = make_context("run-3")
    assert all(result.outcome.publishes for result in pull(last, EVENT, days_of_november(1, 15)))
    assert submits(sandbox) == 1
    check_truth(last, sandbox, days_of_november(1, 15))


def test_a_day_that_ended_is_asked_for_again_and_what_was_bought_for_others_stays(
    sandbox: Sandbox, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_open(make_context(), monkeypatch, days_of_november(1, 15), "record_landed", nth=10)
    list(pull(make_context("run-2"), EVENT, [date(2026, 11, 5)]))
    assert submits(sandbox) == 2, "its response had landed and was recorded: it is not used again"
    list(pull(make_context("run-3"), EVENT, days_of_november(11, 15)))
    assert submits(sandbox) == 2


def test_an_older_answer_never_replaces_a_newer_one(
    sandbox: Sandbox, make_context: MakeBench, offer_wall: OfferWall, clock: SandboxClock
) -> None:
    day = date(2026, 11, 18)
    offer_wall.policy = replace(offer_wall.policy, timeout=timedelta(minutes=5))
    sandbox.faults.add("dt.report", do="never")
    list(pull(make_context(), PERFORMANCE, [day, date(2026, 11, 19)]))
    clock.sleep(4 * 3600)  # the open job's address has expired: a newer response is bought for the day
    newer = make_context("run-2")
    list(pull(newer, PERFORMANCE, [day]))
    asked_at = newer.ledger.materializations.days(PERFORMANCE.key)[day].requested_at
    list(pull(make_context("run-3"), PERFORMANCE, [day, date(2026, 11, 19)]))
    assert newer.ledger.materializations.days(PERFORMANCE.key)[day].requested_at >= asked_at


@pytest.mark.rule("DT5")
def test_dt5_an_open_job_whose_address_has_expired_costs_no_query_of_its_own(
    sandbox: Sandbox, make_context: MakeBench, offer_wall: OfferWall, clock: SandboxClock
) -> None:
    offer_wall.policy = replace(offer_wall.policy, timeout=timedelta(minutes=5))
    sandbox.faults.add("dt.report", do="never")
    list(pull(make_context(), EVENT, days_of_november(10, 15)))
    clock.sleep(4 * 3600)
    assert all(result.outcome.publishes for result in pull(make_context("run-2"), EVENT, days_of_november(1, 19)))
    assert submits(sandbox) == 2


@pytest.mark.rule("OW5")
def test_ow5_an_intent_left_behind_is_planned_anew_when_a_day_of_it_is_lost(
    sandbox: Sandbox, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    lost, first = date(2025, 5, 20), date(2025, 5, 21)
    with monkeypatch.context() as patch:
        context = make_context()
        kill_at(patch, context.provider, "submit")
        with pytest.raises(Killed):
            list(pull(context, EVENT, [lost, first]))
    clock.sleep(12 * 3600)
    ended = outcomes(list(pull(make_context("run-2"), EVENT, [lost, first])))
    assert ended[lost] is Outcome.EXPIRED
    assert ended[first].publishes


@pytest.mark.parametrize("harm", ["altered", "gone"])
def test_a_kept_raw_answer_that_was_harmed_is_asked_for_again(
    sandbox: Sandbox, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, harm: str
) -> None:
    leave_open(make_context(), monkeypatch, DAYS)
    (kept,) = (tmp_path / "raw").rglob("*.csv")
    if harm == "gone":
        kept.unlink()
    else:
        kept.write_bytes(kept.read_bytes().replace(b"0.", b"9.", 1))
    again = make_context("run-2")
    assert all(result.outcome.publishes for result in pull(again, EVENT, DAYS))
    assert submits(sandbox) == 2
    check_truth(again, sandbox, DAYS)


def test_days_of_an_unfinished_landing_are_due(
    make_context: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    context = make_context()
    leave_open(context, monkeypatch, DAYS, "record_landed", nth=3)
    due = due_days(EVENT, since=DAYS[0], ledger=context.ledger, data=context.data, now=clock.now())
    assert set(DAYS[2:]) <= set(due), "the third day is stored, but was never recorded"
    assert not set(DAYS[:2]) & set(due)


def test_a_day_whose_file_is_of_another_size_than_noted_is_due(make_context: MakeBench, tmp_path: Path) -> None:
    context = make_context()
    list(pull(context, EVENT, DAYS))
    file = tmp_path / "data" / EVENT.file(DAYS[1])
    file.write_bytes(file.read_bytes()[:-1])
    due = due_days(EVENT, since=DAYS[0], ledger=context.ledger, data=context.data, now=context.clock.now())
    assert DAYS[1] in due
    assert DAYS[0] not in due


def test_a_day_is_as_fresh_as_its_question_not_as_its_landing(
    make_context: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    context = make_context()
    die(context, monkeypatch, context.ledger.materializations, "record_landed", nth=1)
    clock.sleep(5 * 3600)
    again = make_context("run-2")
    list(pull(again, EVENT, DAYS))
    facts = again.ledger.materializations.days(EVENT.key)[DAYS[0]]
    assert facts.requested_at - NOON < timedelta(minutes=1)
    assert facts.landed_at - NOON >= timedelta(hours=5)


def test_a_stale_run_can_neither_write_nor_close_a_job_that_another_holds(make_context: MakeBench) -> None:
    stale, winner = make_context("stale"), make_context("winner")

    def claim(context: PullContext, owner: str) -> Any:
        who = LeaseRequest(report=EVENT.key, account="a", query_hash="f", owner=owner, run=context.run)
        found = context.ledger.leases.acquire(who, DAYS, max_days=90, shards=("",), split=lambda _: (), now=NOON)
        assert not isinstance(found, LeaseHeld)
        return found.jobs[0]

    owner = stale.ledger.liveness.acquire()
    job = stale.ledger.jobs.record_submitted(claim(stale, owner), Handle(id="r"), NOON)
    stale.ledger.liveness.release(owner)
    taken = claim(winner, winner.ledger.liveness.acquire())
    assert taken.id == job.id
    stale.ledger.jobs.close(job, Outcome.FAILED, "too late", NOON)
    with pytest.raises(LeaseLost, match="taken over by run winner"):
        stale.ledger.jobs.record_downloaded(job, raw_sha256="0" * 64, raw_bytes=1, expected_rows=None)
    winner.ledger.jobs.record_downloaded(taken, raw_sha256="1" * 64, raw_bytes=1, expected_rows=None)


def test_days_landed_under_another_declaration_are_due_again(make_context: MakeBench, clock: SandboxClock) -> None:
    context = make_context()
    list(pull(context, changed(EVENT), DAYS))

    def due(report: Report) -> list[date]:
        found = due_days(report, since=DAYS[0], ledger=context.ledger, data=context.data, now=clock.now())
        return [day for day in found if day in DAYS]

    assert due(changed(EVENT)) == []
    assert due(EVENT) == DAYS


def test_clearing_away_after_killed_runs_leaves_a_buckets_staging_folder_alone(make_context: MakeBench) -> None:
    context = make_context()
    staging = open_store("s3://bucket/prefix", scratch=context.scratch).staging()
    (staging / "2026-11-01.part").write_bytes(b"another run is about to upload this")
    assert all(result.outcome.publishes for result in pull(context, EVENT, DAYS))
    assert (staging / "2026-11-01.part").exists()
