"""Ranges and single days that are run again after a kill: each day ends once, and the latest answer stays."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning.due import DuePartition, due_partitions, paused_until
from reporting_dags.jobs.planning.policy import for_sensor
from reporting_dags.jobs.planning.report_health import report_health
from reporting_dags.jobs.planning.resume import resolve
from reporting_dags.jobs.pulling import pull as pulling
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.probe import probe
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.replay import replay
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.errors import ReplacementRefused, StorageError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Request
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON, SandboxClock
from reporting_dags_tests.jobs.claiming import (
    HOUR,
    REPORT,
    bought,
    claimed,
    day,
    days,
    facts_of,
    landing,
    published,
    run_of,
)
from reporting_dags_tests.jobs.test_leftovers import NOW, WHO, left
from reporting_dags_tests.pulling import BenchOf, brought, check_truth, landed


class Killed(BaseException):
    """What a SIGKILL does to a run."""


def killed_after(
    context: PullContext, report: Report, wanted: list[date], count: int, patch: pytest.MonkeyPatch
) -> None:
    """A run that dies after `count` days have landed, before Dagster has recorded the last of them."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    running: Iterator[Any] = pull(context, report, wanted)
    for _ in range(count):
        next(running)
    with patch.context() as dying:
        dying.setattr(type(context.ledger.jobs), "close_days", die)
        running.close()  # type: ignore[attr-defined]


def test_a_range_run_again_after_a_kill_and_runs_of_single_days_ends_each_day_once_with_its_newest_answer(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bench_of("dt_offer_wall")
    last = PERFORMANCE.calendar.latest_available(clock.now())
    wanted = Window(last - 6 * ONE_DAY, last).days
    killed_after(context, PERFORMANCE, wanted, 2, monkeypatch)
    assert context.ledger.jobs.in_flight_days(PERFORMANCE.key) == set(wanted[1:])
    clock.sleep(23.9 * 3600)  # the provider restates meanwhile
    for again in (wanted[0], wanted[-1], wanted[-1]):
        landed(context, PERFORMANCE, [again])
    before = context.ledger.materializations.days(PERFORMANCE.key)
    results = brought(context, PERFORMANCE, wanted)
    after = context.ledger.materializations.days(PERFORMANCE.key)
    assert set(results) == set(wanted)
    assert all(after[one].requested_at >= before[one].requested_at for one in before)
    check_truth(context, sandbox, PERFORMANCE, [wanted[0], wanted[-1]])


def test_an_open_window_and_an_equal_planned_one_are_two_groups(ledger: Ledger) -> None:
    who, open_job = bought(ledger, days(1, 7))
    ledger.liveness.release(who.owner)
    for number in (1, 7):
        newer = replace(facts_of(number, open_job), requested_at=NOON + HOUR)
        single = claimed(ledger, run := run_of(ledger), [day(number)]).jobs
        ledger.materializations.record_landed(single, newer, recorded=[day(number)], publish=published([]))
        for job in single:
            ledger.jobs.close_days(job, [day(number)], Outcome.DATA, "", NOON)
        ledger.liveness.release(run.owner)
    claim = claimed(ledger, run_of(ledger), days(1, 7))
    window = Window(day(1), day(7))
    assert landing(claim) == [(window, set(days(2, 6))), (window, {day(1), day(7)})]
    assert [[job.id == open_job.id for job in group.jobs] for group in claim.groups] == [[True], [False]]


def test_of_two_open_groups_of_one_window_the_newer_serves_its_days_and_the_older_the_rest() -> None:
    window = Window(day(1), day(7))
    older = [left(1, 7, 5, request=Request(window, part), days=set(range(2, 7)), id=f"{part}-old") for part in "xy"]
    newer = [left(1, 7, 1, request=Request(window, part), days={1, 7}, id=f"{part}-new") for part in "xy"]
    wanted = [day(1), day(4)]
    verdict = resolve(
        [older[0], newer[1], older[1], newer[0]],
        wanted,
        who=WHO,
        shards=lambda _: ("x", "y"),
        landed={each: NOW - timedelta(hours=3) for each in days(2, 6)},
        now=NOW,
    )
    assert [[one.job.id for one in group.jobs] for group in verdict.resume] == [["x-new", "y-new"]]
    assert verdict.resume[0].days == {day(1), day(4)}, "the latest answer serves every requested day of its window"
    assert verdict.submit == set()


def test_an_answer_older_than_the_one_that_landed_is_refused_and_not_put_in_place(ledger: Ledger) -> None:
    _, job = bought(ledger, days(3, 4))
    files: list[str] = []
    newer = replace(facts_of(3, job), requested_at=NOON + HOUR)
    ledger.materializations.record_landed([job], newer, recorded=(), publish=published(files))
    older = replace(newer, requested_at=NOON, data_version="v0")
    with pytest.raises(ReplacementRefused, match="requested at 2026-11-20 14:00 UTC has landed, which is newer"):
        ledger.materializations.record_landed([job], older, recorded=(), publish=published(files))
    assert files == ["put"]
    assert ledger.materializations.days(REPORT)[day(3)].data_version == newer.data_version
    ledger.materializations.record_landed(
        [job], replace(older, requested_at=newer.requested_at), recorded=(), publish=published(files)
    )
    assert ledger.materializations.days(REPORT)[day(3)].data_version == "v0", "the same response may land again"


def test_a_day_whose_newer_answer_landed_meanwhile_is_refused_alone_and_is_no_failure(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, database_of_its_own: Database
) -> None:
    context = bench_of("dt_offer_wall")
    last = EVENT.calendar.latest_available(clock.now())
    wanted = [last - ONE_DAY, last]
    running = pull(context, EVENT, wanted)
    next(running)
    stored = context.ledger.materializations.days(EVENT.key)
    before = context.ledger.materializations.days

    facts = replace(stored[wanted[0]], day=wanted[1], requested_at=clock.now() + timedelta(hours=1))
    database_of_its_own.write(
        lambda connection: context.ledger.materializations.record(connection, EVENT.key, facts), "test"
    )
    (result,) = list(running)
    assert isinstance(result.error, ReplacementRefused)
    assert before(EVENT.key)[wanted[1]] == facts
    assert context.ledger.report_state(EVENT.key, since=NOON - HOUR).failures == {}
    assert context.ledger.jobs.in_flight_days(EVENT.key) == set()


@pytest.mark.rule("OW5", "MT4")
@pytest.mark.parametrize("report", [EVENT, OFFER_PERFORMANCE], ids=lambda report: report.key)
@pytest.mark.parametrize("stored", [True, False], ids=["its response stored", "its response removed"])
def test_a_day_of_an_open_job_that_became_too_old_fails_alone_or_lands_from_its_stored_answer(
    sandbox: Sandbox,
    bench_of: BenchOf,
    clock: SandboxClock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    report: Report,
    stored: bool,
) -> None:
    context = bench_of(report.provider)
    oldest = report.calendar.earliest_available(clock.now())
    wanted = Window(oldest, oldest + 6 * ONE_DAY).days
    killed_after(context, report, wanted, 1, monkeypatch)
    clock.sleep(25 * 3600)  # the first day cannot be requested any more
    if not stored:
        shutil.rmtree(tmp_path / "raw")
    results = brought(context, report, wanted)
    assert set(results) == set(wanted)
    assert [one for one, result in results.items() if result.error is not None] == ([] if stored else [oldest])
    assert stored or results[oldest].outcome is Outcome.EXPIRED


@pytest.mark.rule("OW5", "DT5")
def test_a_window_whose_address_expires_while_its_first_day_becomes_too_old_is_planned_again_without_that_day(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    """The job is resumed, its address does not serve, and only the later days can be requested once more."""
    context = bench_of("dt_offer_wall")
    oldest = EVENT.calendar.earliest_available(clock.now())
    wanted = Window(oldest, oldest + 3 * ONE_DAY).days
    clock.sleep(10 * 3600 + 30 * 60)  # half past eleven at night
    sandbox.faults.add("dt.report", do="never")
    waiting = replace(context, waits=False)
    brought(waiting, EVENT, wanted)
    clock.sleep(3600)
    sandbox.faults.add("dt.file", do="expired")
    results = brought(context, EVENT, wanted)
    assert {one for one, result in results.items() if result.error is not None} == {oldest}
    check_truth(context, sandbox, EVENT, wanted[1:])


def ticks_asking(context: PullContext, report: Report, wanted: date) -> list[DuePartition]:
    """What a tick of the late-data sensor requests again of one day."""
    now = context.clock.now()
    held = [one.window for one in probe(context, report, now)]
    facts = load_report_state(report, context.ledger, now)
    days_due = due_partitions(report, facts, since=wanted, sizes=None, now=now)
    return [
        one for one in for_sensor(days_due, open_windows=held, failures=facts.failures, now=now) if one.day == wanted
    ]


@pytest.mark.parametrize("how", ["killed", "raw store away"])
def test_a_replay_that_breaks_off_does_not_hide_its_day_from_the_sensor(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    context = bench_of("dt_user_level")
    wanted = REVENUE.calendar.latest_available(clock.now())
    landed(context, REVENUE, [wanted])

    def fail(*_: object, **__: object) -> None:
        raise Killed if how == "killed" else StorageError("the raw store cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr(
            *(
                (type(context.ledger.jobs), "close_days", fail)
                if how == "killed"
                else (type(context.raw), "exists", fail)
            )
        )
        with pytest.raises(Killed if how == "killed" else StorageError):
            list(replay(context, REVENUE, [wanted]))
    made = sandbox.log.count("dt.user_level")
    clock.sleep((REVENUE.calendar.published_at(wanted) + timedelta(hours=26) - clock.now()).total_seconds())
    assert ticks_asking(context, REVENUE, wanted), "it is due again, and the sensor requests it"
    assert context.ledger.leases.open_jobs(REVENUE.key) == []
    assert sandbox.log.count("dt.user_level") == made


def confirmed(context: PullContext, clock: SandboxClock, wanted: date) -> None:
    """Let the sensor see that the newly requested file of a day is the one that has landed (by ETag)."""
    brought(replace(context, waits=False), REVENUE, [wanted])
    for _ in range(8):
        looked = list(probe(context, REVENUE, clock.now()))
        if not looked or "already landed" in looked[0].message:
            break
        clock.sleep(300)
    assert context.ledger.materializations.days(REVENUE.key)[wanted].confirmed_at == clock.now()


def test_a_failure_does_not_outlive_a_later_confirmation_of_the_same_day(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    sandbox.settings.change("dt", user_level_restate_days=1, fill_seconds=60.0)
    context = bench_of("dt_user_level")
    wanted = REVENUE.calendar.latest_available(clock.now())
    landed(context, REVENUE, [wanted])
    clock.sleep(24 * 3600)
    apps = len(context.provider.shards(REVENUE))
    sandbox.faults.add("dt.user_level", do="status", times=apps, status=400, body='{"error": "invalid_query"}')
    brought(context, REVENUE, [wanted])
    assert wanted in load_report_state(REVENUE, context.ledger, clock.now()).failures
    clock.sleep(4 * 3600)
    sandbox.settings.change("dt", fill_seconds=600)
    confirmed(context, clock, wanted)
    facts = load_report_state(REVENUE, context.ledger, clock.now())
    assert facts.failures == {}
    checks = {check.name: check.passed for check in report_health(REVENUE, facts, since=wanted, now=clock.now())}
    assert checks["no_day_failed"]


def test_a_replay_makes_a_confirmed_day_no_older(sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock) -> None:
    sandbox.settings.change("dt", user_level_restate_days=1, fill_seconds=60.0)
    context = bench_of("dt_user_level")
    wanted = REVENUE.calendar.latest_available(clock.now())
    landed(context, REVENUE, [wanted])
    clock.sleep(25 * 3600)
    sandbox.settings.change("dt", fill_seconds=600)
    confirmed(context, clock, wanted)
    before = context.ledger.materializations.days(REVENUE.key)[wanted]
    (result,) = replay(context, REVENUE, [wanted])
    assert result.error is None
    after = context.ledger.materializations.days(REVENUE.key)[wanted]
    assert (after.requested_at, after.confirmed_at) == (before.requested_at, before.confirmed_at)
    days_due = due_partitions(
        REVENUE, load_report_state(REVENUE, context.ledger, clock.now()), since=wanted, sizes=None, now=clock.now()
    )
    assert wanted not in [one.day for one in days_due]


def test_an_open_job_whose_days_have_all_landed_from_a_newer_answer_is_closed_and_causes_no_run(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bench_of("dt_offer_wall")
    last = EVENT.calendar.latest_available(clock.now())
    numbered = {number: last - (10 - number) * ONE_DAY for number in range(1, 11)}

    def killed(wanted: list[date]) -> None:
        def die(*_: object, **__: object) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(pulling, "_end_window", die)
            with pytest.raises(Killed):
                list(pull(context, EVENT, wanted))

    killed([numbered[5], numbered[6], numbered[7]])
    clock.sleep(60)
    killed([numbered[4], numbered[9]])
    clock.sleep(60)
    landed(context, EVENT, [numbered[number] for number in range(5, 10)])
    made = sandbox.log.count("dt.report")
    worth = [one for one in probe(context, EVENT, clock.now()) if one.should_run]
    assert [one.days for one in worth] == [(numbered[4],)], "of the second, one day is left to land"
    for one in worth:
        landed(context, EVENT, list(one.days))
    assert sandbox.log.count("dt.report") == made
    assert context.ledger.leases.open_jobs(EVENT.key) == []
    assert context.ledger.report_state(EVENT.key, since=NOON - HOUR).failures == {}, (
        "a closed job of landed days is not a failure"
    )


@pytest.mark.rule("OW4")
def test_days_denied_by_the_quota_are_due_from_its_renewal_on(bench_of: BenchOf, clock: SandboxClock) -> None:
    context = bench_of("dt_offer_wall")
    quota = replace(context.provider.quotas[0], per_day=0, reserved=0)
    context.provider.quota = quota  # type: ignore[attr-defined]
    wanted = EVENT.calendar.latest_available(clock.now())
    for _ in range(3):
        assert brought(context, EVENT, [wanted])[wanted].outcome is Outcome.DENIED
        clock.sleep(3 * 3600)
    failures = load_report_state(EVENT, context.ledger, clock.now()).failures
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    assert paused_until(failures, wanted, clock.now()) == midnight
    assert paused_until(failures, wanted, midnight) is None
