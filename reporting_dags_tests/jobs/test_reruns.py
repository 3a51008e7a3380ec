"""Ranges and single days that are run again after a kill: each day ends once, and the newest answer stays."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.report_state import known
from reporting_dags.jobs.planning.due import Due, due, paused
from reporting_dags.jobs.planning.policy import by_sensor
from reporting_dags.jobs.planning.report_health import standing
from reporting_dags.jobs.planning.resume import judge
from reporting_dags.jobs.pulling import pull as pulling
from reporting_dags.jobs.pulling.context import Bench
from reporting_dags.jobs.pulling.probe import look
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


def killed_after(bench: Bench, report: Report, wanted: list[date], count: int, patch: pytest.MonkeyPatch) -> None:
    """A run that dies after `count` days have landed, before Dagster has recorded the last of them."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    running: Iterator[Any] = pull(bench, report, wanted)
    for _ in range(count):
        next(running)
    with patch.context() as dying:
        dying.setattr(type(bench.ledger), "finish", die)
        running.close()  # type: ignore[attr-defined]


def test_a_range_run_again_after_a_kill_and_runs_of_single_days_ends_each_day_once_with_its_newest_answer(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of("dt_offer_wall")
    last = PERFORMANCE.calendar.newest(clock.now())
    wanted = Window(last - 6 * ONE_DAY, last).days
    killed_after(bench, PERFORMANCE, wanted, 2, monkeypatch)
    assert bench.ledger.open_days(PERFORMANCE.key) == set(wanted[1:])
    clock.sleep(23.9 * 3600)  # the provider restates meanwhile
    for again in (wanted[0], wanted[-1], wanted[-1]):
        landed(bench, PERFORMANCE, [again])
    before = bench.ledger.days(PERFORMANCE.key)
    results = brought(bench, PERFORMANCE, wanted)
    after = bench.ledger.days(PERFORMANCE.key)
    assert set(results) == set(wanted)
    assert all(after[one].asked_at >= before[one].asked_at for one in before)
    check_truth(bench, sandbox, PERFORMANCE, [wanted[0], wanted[-1]])


def test_an_open_window_and_an_equal_planned_one_are_two_groups(ledger: Ledger) -> None:
    who, open_job = bought(ledger, days(1, 7))
    ledger.owners.leave(who.owner)
    for number in (1, 7):
        newer = replace(facts_of(number, open_job), asked_at=NOON + HOUR)
        single = claimed(ledger, run := run_of(ledger), [day(number)]).jobs
        ledger.landed(single, newer, recorded=[day(number)], publish=published([]))
        for job in single:
            ledger.finish(job, [day(number)], Outcome.DATA, "", NOON)
        ledger.owners.leave(run.owner)
    claim = claimed(ledger, run_of(ledger), days(1, 7))
    window = Window(day(1), day(7))
    assert landing(claim) == [(window, set(days(2, 6))), (window, {day(1), day(7)})]
    assert [[job.id == open_job.id for job in group.jobs] for group in claim.groups] == [[True], [False]]


def test_of_two_open_groups_of_one_window_the_newer_serves_its_days_and_the_older_the_rest() -> None:
    window = Window(day(1), day(7))
    older = [left(1, 7, 5, request=Request(window, part), days=set(range(2, 7)), id=f"{part}-old") for part in "xy"]
    newer = [left(1, 7, 1, request=Request(window, part), days={1, 7}, id=f"{part}-new") for part in "xy"]
    wanted = [day(1), day(4)]
    verdict = judge(
        [older[0], newer[1], older[1], newer[0]],
        wanted,
        who=WHO,
        parts=lambda _: ("x", "y"),
        landed={each: NOW - timedelta(hours=3) for each in days(2, 6)},
        now=NOW,
    )
    assert [[one.job.id for one in group.jobs] for group in verdict.resume] == [["x-new", "y-new"]]
    assert verdict.resume[0].days == {day(1), day(4)}, "the newest answer serves every requested day of its window"
    assert verdict.ask == set()


def test_an_answer_older_than_the_one_that_landed_is_refused_and_not_put_in_place(ledger: Ledger) -> None:
    _, job = bought(ledger, days(3, 4))
    files: list[str] = []
    newer = replace(facts_of(3, job), asked_at=NOON + HOUR)
    ledger.landed([job], newer, recorded=(), publish=published(files))
    older = replace(newer, asked_at=NOON, fingerprint="v0")
    with pytest.raises(ReplacementRefused, match="requested at 2026-11-20 14:00 UTC has landed, which is newer"):
        ledger.landed([job], older, recorded=(), publish=published(files))
    assert files == ["put"]
    assert ledger.days(REPORT)[day(3)].fingerprint == newer.fingerprint
    ledger.landed([job], replace(older, asked_at=newer.asked_at), recorded=(), publish=published(files))
    assert ledger.days(REPORT)[day(3)].fingerprint == "v0", "the same answer may land again"


def test_a_day_whose_newer_answer_landed_meanwhile_is_refused_alone_and_is_no_failure(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, database_of_its_own: Database
) -> None:
    bench = bench_of("dt_offer_wall")
    last = EVENT.calendar.newest(clock.now())
    wanted = [last - ONE_DAY, last]
    running = pull(bench, EVENT, wanted)
    next(running)
    stored = bench.ledger.days(EVENT.key)
    before = bench.ledger.days

    facts = replace(stored[wanted[0]], day=wanted[1], asked_at=clock.now() + timedelta(hours=1))
    database_of_its_own.write(lambda connection: bench.ledger.keep(connection, EVENT.key, facts), "test")
    (result,) = list(running)
    assert isinstance(result.error, ReplacementRefused)
    assert before(EVENT.key)[wanted[1]] == facts
    assert bench.ledger.known(EVENT.key, since=NOON - HOUR).failures == {}
    assert bench.ledger.open_days(EVENT.key) == set()


@pytest.mark.rule("OW5", "MT4")
@pytest.mark.parametrize("report", [EVENT, OFFER_PERFORMANCE], ids=lambda report: report.key)
@pytest.mark.parametrize("stored", [True, False], ids=["its answer stored", "its answer removed"])
def test_a_day_of_an_open_job_that_became_too_old_fails_alone_or_lands_from_its_stored_answer(
    sandbox: Sandbox,
    bench_of: BenchOf,
    clock: SandboxClock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    report: Report,
    stored: bool,
) -> None:
    bench = bench_of(report.provider)
    oldest = report.calendar.oldest(clock.now())
    wanted = Window(oldest, oldest + 6 * ONE_DAY).days
    killed_after(bench, report, wanted, 1, monkeypatch)
    clock.sleep(25 * 3600)  # the first day cannot be requested any more
    if not stored:
        shutil.rmtree(tmp_path / "raw")
    results = brought(bench, report, wanted)
    assert set(results) == set(wanted)
    assert [one for one, result in results.items() if result.error is not None] == ([] if stored else [oldest])
    assert stored or results[oldest].outcome is Outcome.EXPIRED


@pytest.mark.rule("OW5", "DT5")
def test_a_window_whose_address_expires_while_its_first_day_becomes_too_old_is_planned_again_without_that_day(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    """The job is resumed, its address does not serve, and only the later days can be requested once more."""
    bench = bench_of("dt_offer_wall")
    oldest = EVENT.calendar.oldest(clock.now())
    wanted = Window(oldest, oldest + 3 * ONE_DAY).days
    clock.sleep(10 * 3600 + 30 * 60)  # half past eleven at night
    sandbox.faults.add("dt.report", do="never")
    waiting = replace(bench, waits=False)
    brought(waiting, EVENT, wanted)
    clock.sleep(3600)
    sandbox.faults.add("dt.file", do="expired")
    results = brought(bench, EVENT, wanted)
    assert {one for one, result in results.items() if result.error is not None} == {oldest}
    check_truth(bench, sandbox, EVENT, wanted[1:])


def ticks_asking(bench: Bench, report: Report, wanted: date) -> list[Due]:
    """What a tick of the late-data sensor requests anew of one day."""
    now = bench.clock.now()
    held = [one.window for one in look(bench, report, now)]
    facts = known(report, bench.ledger, now)
    days_due = due(report, facts, since=wanted, sizes=None, now=now)
    return [one for one in by_sensor(days_due, held=held, failures=facts.failures, now=now) if one.day == wanted]


@pytest.mark.parametrize("how", ["killed", "raw store away"])
def test_a_replay_that_breaks_off_does_not_hide_its_day_from_the_sensor(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    bench = bench_of("dt_user_level")
    wanted = REVENUE.calendar.newest(clock.now())
    landed(bench, REVENUE, [wanted])

    def fail(*_: object, **__: object) -> None:
        raise Killed if how == "killed" else StorageError("the raw store cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr(*((type(bench.ledger), "finish", fail) if how == "killed" else (type(bench.raw), "exists", fail)))
        with pytest.raises(Killed if how == "killed" else StorageError):
            list(replay(bench, REVENUE, [wanted]))
    made = sandbox.log.count("dt.user_level")
    clock.sleep((REVENUE.calendar.published_at(wanted) + timedelta(hours=26) - clock.now()).total_seconds())
    assert ticks_asking(bench, REVENUE, wanted), "it is due again, and the sensor requests it"
    assert bench.ledger.leftovers(REVENUE.key) == []
    assert sandbox.log.count("dt.user_level") == made


def confirmed(bench: Bench, clock: SandboxClock, wanted: date) -> None:
    """Let the sensor see that the newly requested file of a day is the one that has landed (by ETag)."""
    brought(replace(bench, waits=False), REVENUE, [wanted])
    for _ in range(8):
        looked = list(look(bench, REVENUE, clock.now()))
        if not looked or "landed already" in looked[0].told:
            break
        clock.sleep(300)
    assert bench.ledger.days(REVENUE.key)[wanted].confirmed_at == clock.now()


def test_a_failure_does_not_outlive_a_later_confirmation_of_the_same_day(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    sandbox.settings.change("dt", user_level_restate_days=1, fill_seconds=60.0)
    bench = bench_of("dt_user_level")
    wanted = REVENUE.calendar.newest(clock.now())
    landed(bench, REVENUE, [wanted])
    clock.sleep(24 * 3600)
    apps = len(bench.provider.parts(REVENUE))
    sandbox.faults.add("dt.user_level", do="status", times=apps, status=400, body='{"error": "invalid_query"}')
    brought(bench, REVENUE, [wanted])
    assert wanted in known(REVENUE, bench.ledger, clock.now()).failures
    clock.sleep(4 * 3600)
    sandbox.settings.change("dt", fill_seconds=600)
    confirmed(bench, clock, wanted)
    facts = known(REVENUE, bench.ledger, clock.now())
    assert facts.failures == {}
    checks = {check.name: check.passed for check in standing(REVENUE, facts, since=wanted, now=clock.now())}
    assert checks["no_day_failed"]


def test_a_replay_makes_a_confirmed_day_no_older(sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock) -> None:
    sandbox.settings.change("dt", user_level_restate_days=1, fill_seconds=60.0)
    bench = bench_of("dt_user_level")
    wanted = REVENUE.calendar.newest(clock.now())
    landed(bench, REVENUE, [wanted])
    clock.sleep(25 * 3600)
    sandbox.settings.change("dt", fill_seconds=600)
    confirmed(bench, clock, wanted)
    before = bench.ledger.days(REVENUE.key)[wanted]
    (result,) = replay(bench, REVENUE, [wanted])
    assert result.error is None
    after = bench.ledger.days(REVENUE.key)[wanted]
    assert (after.asked_at, after.confirmed_at) == (before.asked_at, before.confirmed_at)
    days_due = due(REVENUE, known(REVENUE, bench.ledger, clock.now()), since=wanted, sizes=None, now=clock.now())
    assert wanted not in [one.day for one in days_due]


def test_an_open_job_whose_days_have_all_landed_from_a_newer_answer_is_closed_and_causes_no_run(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of("dt_offer_wall")
    last = EVENT.calendar.newest(clock.now())
    numbered = {number: last - (10 - number) * ONE_DAY for number in range(1, 11)}

    def killed(wanted: list[date]) -> None:
        def die(*_: object, **__: object) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(pulling, "_end_window", die)
            with pytest.raises(Killed):
                list(pull(bench, EVENT, wanted))

    killed([numbered[5], numbered[6], numbered[7]])
    clock.sleep(60)
    killed([numbered[4], numbered[9]])
    clock.sleep(60)
    landed(bench, EVENT, [numbered[number] for number in range(5, 10)])
    made = sandbox.log.count("dt.report")
    worth = [one for one in look(bench, EVENT, clock.now()) if one.worth]
    assert [one.days for one in worth] == [(numbered[4],)], "of the second, one day is left to land"
    for one in worth:
        landed(bench, EVENT, list(one.days))
    assert sandbox.log.count("dt.report") == made
    assert bench.ledger.leftovers(EVENT.key) == []
    assert bench.ledger.known(EVENT.key, since=NOON - HOUR).failures == {}, "a closed job of landed days is no failure"


@pytest.mark.rule("OW4")
def test_days_denied_by_the_quota_are_due_from_its_renewal_on(bench_of: BenchOf, clock: SandboxClock) -> None:
    bench = bench_of("dt_offer_wall")
    quota = replace(bench.provider.quotas[0], per_day=0, kept=0)
    bench.provider.quota = quota  # type: ignore[attr-defined]
    wanted = EVENT.calendar.newest(clock.now())
    for _ in range(3):
        assert brought(bench, EVENT, [wanted])[wanted].outcome is Outcome.DENIED
        clock.sleep(3 * 3600)
    failures = known(EVENT, bench.ledger, clock.now()).failures
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    assert paused(failures, wanted, clock.now()) == midnight
    assert paused(failures, wanted, midnight) is None
