"""Jobs that a run left behind, at any step, and what the next run makes of them; on SQLite and PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reporting_dags.jobs.drive import Bench
from reporting_dags.jobs.job import Busy, Claimant
from reporting_dags.jobs.planner import plan
from reporting_dags.jobs.pull import DayResult, pull
from reporting_dags.landing.store import partition_key
from reporting_dags.model.errors import LostClaim
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
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


def die(bench: Bench, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, **how: Any) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, owner, name, **how)
        with pytest.raises(Killed):
            list(pull(bench, EVENT, DAYS))


@pytest.mark.parametrize(
    ("place", "name", "how", "queries"),
    [
        ("provider", "submit", {}, 1),
        ("provider", "submit", {"after": True}, 2),
        ("ledger", "submitted", {}, 2),
        ("ledger", "submitted", {"after": True}, 1),
        ("provider", "poll", {}, 1),
        ("provider", "poll", {"after": True}, 1),
        ("provider", "download", {}, 1),
        ("raw", "put", {}, 1),
        ("raw", "put", {"after": True}, 1),
        ("ledger", "downloaded", {}, 1),
        ("ledger", "downloaded", {"after": True}, 1),
        ("ledger", "hold", {"nth": 3}, 1),
        ("data", "put", {"nth": 3}, 1),
        ("data", "put", {"nth": 3, "after": True}, 1),
        ("ledger", "landed", {"nth": 3}, 1),
        ("ledger", "landed", {"nth": 5, "after": True}, 1),
        ("ledger", "close", {}, 1),
    ],
)
def test_a_run_killed_at_any_step_is_taken_up_and_ends_exact(
    sandbox: Sandbox,
    make_bench: MakeBench,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    name: str,
    how: dict[str, Any],
    queries: int,
) -> None:
    sandbox.settings.change("dt", fill_seconds=60)
    bench = make_bench()
    die(bench, monkeypatch, getattr(bench, place), name, **how)
    again = make_bench("run-2")
    results = list(pull(again, EVENT, DAYS))
    assert all(result.outcome.publishes for result in results)
    check_truth(again, sandbox, DAYS)
    assert submits(sandbox) == queries, "only between a submit and its handle may one query be lost"


def test_a_job_left_behind_serves_a_run_that_wants_only_some_of_its_days(
    sandbox: Sandbox, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench()
    die(bench, monkeypatch, bench.ledger, "landed", nth=3)
    again = make_bench("run-2")
    assert set(outcomes(list(pull(again, EVENT, DAYS[2:])))) == set(DAYS[2:])
    assert submits(sandbox) == 1
    check_truth(again, sandbox, DAYS)


def test_an_answer_left_for_a_day_is_not_taken_up(
    sandbox: Sandbox, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    bench = make_bench()
    die(bench, monkeypatch, bench.ledger, "landed", nth=1)
    clock.sleep(25 * 3600)
    list(pull(make_bench("run-2"), EVENT, DAYS))
    assert submits(sandbox) == 2


def test_a_job_of_another_query_is_not_taken_up(
    sandbox: Sandbox, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench()
    die(bench, monkeypatch, bench.ledger, "landed", nth=1)
    list(pull(make_bench("run-2"), PERFORMANCE, DAYS))
    assert submits(sandbox) == 2


def test_a_run_whose_job_was_taken_over_writes_nothing_more(sandbox: Sandbox, make_bench: MakeBench) -> None:
    stale = make_bench("stale")
    results: Iterator[DayResult] = pull(stale, EVENT, DAYS)
    first = next(results)
    lost = stale.ledger.owners
    for owner in list(getattr(lost, "_held")):  # noqa: B009 - the lock is lost, as with a connection that broke
        lost.leave(owner)
    winner = make_bench("winner")
    assert all(result.outcome.publishes for result in pull(winner, EVENT, DAYS))
    written = [winner.data.open(partition_key(EVENT.key, day)).read() for day in DAYS]
    with pytest.raises(Exception, match="taken over by run winner"):
        list(results)
    assert first.outcome.publishes
    assert [winner.data.open(partition_key(EVENT.key, day)).read() for day in DAYS] == written


def changed(report: Report[Any]) -> Report[Any]:
    """The same report, asking for one metric less."""
    fewer = replace(report.query, metrics=report.query.metrics[:-1])
    return replace(report, query=fewer, columns=report.columns[:-1])


def test_a_job_of_a_query_that_was_edited_since_is_not_taken_up(
    sandbox: Sandbox, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench()
    die(bench, monkeypatch, bench.ledger, "landed", nth=1)
    results = list(pull(make_bench("run-2"), changed(EVENT), DAYS))
    assert all(result.outcome.publishes for result in results)
    assert submits(sandbox) == 2


def test_a_job_of_another_account_is_not_taken_up_and_quotas_are_each_accounts_own(
    sandbox: Sandbox, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock, offer_wall: OfferWall
) -> None:
    offer_wall.quota = replace(offer_wall.quota, per_day=1)
    bench = make_bench()
    die(bench, monkeypatch, bench.ledger, "landed", nth=1)
    account = sandbox.credentials["other"]
    other = OfferWall(
        base_url=sandbox.url, client_id=account.client_id, client_secret=account.client_secret, clock=clock
    )
    other.quota = offer_wall.quota
    results = list(pull(replace(make_bench("run-2"), provider=other), EVENT, DAYS))
    assert all(result.outcome.publishes for result in results)
    assert submits(sandbox) == 2


def test_dt5_a_job_that_was_sent_again_before_a_crash_is_not_sent_a_third_time(
    sandbox: Sandbox, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.add("dt.report", do="never", times=None)
    bench = make_bench()
    die(bench, monkeypatch, bench.ledger, "submitted", nth=2, after=True)
    assert submits(sandbox) == 2
    results = list(pull(make_bench("run-2"), EVENT, DAYS))
    assert set(outcomes(results).values()) == {Outcome.NOT_READY}
    assert submits(sandbox) == 2


def test_a_provider_that_cannot_be_reached_leaves_the_job_to_the_next_run(
    sandbox: Sandbox, make_bench: MakeBench
) -> None:
    sandbox.faults.add("dt.report", do="reset", times=4)
    bench = make_bench()
    assert set(outcomes(list(pull(bench, EVENT, DAYS))).values()) == {Outcome.FAILED}
    results = list(pull(make_bench("run-2"), EVENT, DAYS))
    assert all(result.outcome.publishes for result in results)
    assert results[0].evidence.calls_spent == 5, "one job, all of whose tries are counted"


def test_a_day_is_as_fresh_as_its_question_not_as_its_landing(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    bench = make_bench()
    die(bench, monkeypatch, bench.ledger, "landed", nth=1)
    clock.sleep(5 * 3600)
    again = make_bench("run-2")
    list(pull(again, EVENT, DAYS))
    facts = again.ledger.days(EVENT.key)[DAYS[0]]
    assert facts.asked_at - NOON < timedelta(minutes=1)
    assert facts.landed_at - NOON >= timedelta(hours=5)


def test_a_stale_run_can_neither_write_nor_close_a_job_that_another_holds(make_bench: MakeBench) -> None:
    stale, winner = make_bench("stale"), make_bench("winner")

    def claim(bench: Bench, owner: str) -> Any:
        who = Claimant(report=EVENT.key, account="a", fingerprint="f", owner=owner, run=bench.run)
        found = bench.ledger.claim(who, DAYS, plan=lambda days: plan(days, 90), parts=("",), now=NOON)
        assert not isinstance(found, Busy)
        return found[0]

    owner = stale.ledger.owners.enter()
    job = claim(stale, owner)
    stale.ledger.owners.leave(owner)
    taken = claim(winner, winner.ledger.owners.enter())
    assert taken.id == job.id
    stale.ledger.close(job, Outcome.FAILED, "too late", NOON)
    winner.ledger.hold(taken)
    with pytest.raises(LostClaim, match="taken over by run winner"):
        stale.ledger.hold(job)
