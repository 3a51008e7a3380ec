"""Days landed again from their kept raw responses, with no call to the provider."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from reporting_dags.jobs.ledger.report_state import due_days
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull, pull_windows
from reporting_dags.jobs.pulling.replay import replay
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.errors import LeaseLost
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.privacy import PersonalData, Privacy
from reporting_dags.model.report import Report
from reporting_dags.providers.digital_turbine.offer_wall_report import Filter
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import CONVERSIONS, OFFERS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.pulling import BenchOf, check_truth, landed, line_of

REPORTS = (EVENT, REVENUE, OFFER_PERFORMANCE, EARNINGS, CONVERSIONS, OFFERS)


def calls(sandbox: Sandbox) -> int:
    return len(sandbox.log.entries())


def replayed(context: PullContext, report: Report, days: list[date]) -> dict[date, DayResult]:
    return {result.day: result for result in replay(context, report, days)}


def newest_days(report: Report, clock: SandboxClock, count: int = 3) -> list[date]:
    newest = report.calendar.latest_available(clock.now())
    return [newest - n * ONE_DAY for n in range(count if report.partitioned else 1)]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.key)
def test_a_day_that_was_harmed_is_rebuilt_from_its_raw_answer_without_a_call(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, tmp_path: Path, report: Report
) -> None:
    context = bench_of(report.provider)
    days = newest_days(report, clock)
    before = landed(context, report, days)
    made = calls(sandbox)
    for day in days:
        (tmp_path / "data" / report.file(day)).write_bytes(b"PAR1 harmed")
    results = replayed(context, report, days)
    assert calls(sandbox) == made
    check_truth(context, sandbox, report, days)
    for day in days:
        result = results[day]
        assert result.landed is not None
        assert before[day].landed is not None
        assert result.landed.data_version == before[day].landed.data_version  # pyright: ignore[reportOptionalMemberAccess]
        assert result.provenance.replayed
    assert context.ledger.jobs.in_flight_days(report.key) == set()


def test_a_replay_lands_the_answer_as_the_settings_are_now(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context = bench_of("dt_user_level")
    days = newest_days(REVENUE, clock, 1)
    landed(context, REVENUE, days)
    made = calls(sandbox)
    kept = replace(REVENUE, privacy=Privacy(PersonalData.KEEP, ""))
    replayed(context, kept, days)
    assert calls(sandbox) == made
    assert context.ledger.materializations.days(REVENUE.key)[days[0]].code_version == kept.version
    assert kept.version != REVENUE.version


def test_a_replayed_day_is_no_fresher_than_its_answer(bench_of: BenchOf, clock: SandboxClock) -> None:
    context = bench_of("dt_offer_wall")
    days = newest_days(EVENT, clock)
    landed(context, EVENT, days)
    before = context.ledger.materializations.days(EVENT.key)
    clock.sleep(3 * 24 * 3600)
    replayed(context, EVENT, days)
    after = context.ledger.materializations.days(EVENT.key)
    assert [after[day].requested_at for day in days] == [before[day].requested_at for day in days]
    assert all(after[day].landed_at > before[day].landed_at for day in days)
    assert [after[day].jobs for day in days] == [before[day].jobs for day in days]


def test_days_of_several_answers_each_come_from_their_own(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, tmp_path: Path
) -> None:
    context = bench_of("dt_offer_wall")
    days = newest_days(EVENT, clock, 4)
    landed(context, EVENT, days)
    landed(context, EVENT, [days[1], days[2]])
    contents = {day: (tmp_path / "data" / EVENT.file(day)).read_bytes() for day in days}
    made = calls(sandbox)
    assert set(replayed(context, EVENT, days)) == set(days)
    assert calls(sandbox) == made
    check_truth(context, sandbox, EVENT, days)
    assert {day: (tmp_path / "data" / EVENT.file(day)).read_bytes() for day in days} == contents


def harm(raw: Path) -> None:
    raw.write_bytes(raw.read_bytes()[:-1])


@pytest.mark.parametrize("how", [Path.unlink, harm], ids=["gone", "altered"])
def test_a_day_whose_raw_answer_is_not_kept_says_so_and_stays_as_it_is(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, tmp_path: Path, how: Callable[[Path], None]
) -> None:
    context = bench_of("dt_user_level")
    days = newest_days(REVENUE, clock, 1)
    landed(context, REVENUE, days)
    made = calls(sandbox)
    how(next(path for path in sorted((tmp_path / "raw").rglob("*")) if path.is_file()))
    result = replayed(context, REVENUE, days)[days[0]]
    assert result.outcome is Outcome.EXPIRED
    assert result.error is not None
    assert "no longer stored" in result.error.line
    check_truth(context, sandbox, REVENUE, days)
    assert calls(sandbox) == made
    assert context.ledger.jobs.in_flight_days(REVENUE.key) == set(), "nothing is left for a later run to request"


def test_a_day_that_never_landed_is_refused_and_the_others_replay(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context = bench_of("dt_offer_wall")
    days = newest_days(EVENT, clock, 3)
    landed(context, EVENT, days[:2])
    made = calls(sandbox)
    results = replayed(context, EVENT, days)
    assert results[days[2]].outcome is Outcome.EXPIRED
    assert all(results[day].outcome is Outcome.DATA for day in days[:2])
    assert calls(sandbox) == made


def test_an_answer_that_lands_meanwhile_is_not_undone(bench_of: BenchOf, clock: SandboxClock) -> None:
    context = bench_of("dt_offer_wall")
    days = newest_days(EVENT, clock, 1)
    landed(context, EVENT, days)
    stale = context.ledger.materializations.days(EVENT.key)
    landed(context, EVENT, days)

    class Stale:
        def __getattr__(self, name: str) -> Any:
            return getattr(context.ledger.materializations, name)

        def days(self, _: str) -> Any:
            return stale

    newest = context.ledger.materializations.days(EVENT.key)
    ledger = copy(context.ledger)
    ledger.materializations = Stale()  # pyright: ignore[reportAttributeAccessIssue]
    (result,) = replay(replace(context, ledger=ledger), EVENT, days)
    assert isinstance(result.error, LeaseLost)
    assert "another answer has landed" in result.error.line
    assert context.ledger.materializations.days(EVENT.key) == newest


def test_a_run_over_the_day_is_waited_for(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bench_of("dt_offer_wall")
    monkeypatch.setattr(context.provider, "policy", replace(context.provider.policy, timeout=timedelta(minutes=2)))
    began = clock.now()
    days = newest_days(EVENT, clock, 2)
    landed(context, EVENT, days)
    running = pull(context, EVENT, days)
    next(running)
    results = replayed(context, EVENT, days)
    assert {result.outcome for result in results.values()} == {Outcome.NOT_READY}
    assert clock.now() - began >= timedelta(minutes=2)
    list(running)
    check_truth(context, sandbox, EVENT, days)


def test_the_answer_to_another_question_is_not_landed_as_the_one_to_todays(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context = bench_of("dt_offer_wall")
    days = newest_days(EVENT, clock, 2)
    landed(context, EVENT, days)
    made = calls(sandbox)
    query = replace(EVENT.query, filters=(Filter("Country", ("UNITED STATES",)),))
    edited = replace(EVENT, query=query)
    results = replayed(context, edited, days)
    assert {result.outcome for result in results.values()} == {Outcome.EXPIRED}
    assert "another question than is declared now" in line_of(results[days[0]], Outcome.EXPIRED)
    assert calls(sandbox) == made
    due = due_days(edited, since=days[-1], ledger=context.ledger, data=context.data, now=clock.now())
    assert due == [], "a narrower answer could not replace them"


def test_an_app_that_was_added_since_is_not_left_out_of_a_replayed_day(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    days = newest_days(REVENUE, clock, 1)
    first, *others = USER_LEVEL_APPS
    landed(bench_of("dt_user_level", app_ids=first), REVENUE, days)
    made = calls(sandbox)
    result = replayed(bench_of("dt_user_level", app_ids=",".join([first, *others])), REVENUE, days)[days[0]]
    assert result.outcome is Outcome.EXPIRED
    assert calls(sandbox) == made


class Killed(BaseException):
    """What a SIGKILL does to a run."""


def test_a_replay_that_is_killed_leaves_nothing_to_buy(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bench_of("dt_offer_wall")
    days = newest_days(EVENT, clock, 5)
    landed(context, EVENT, days)
    since, now = days[-1], clock.now()
    before = due_days(EVENT, since=since, ledger=context.ledger, data=context.data, now=now)

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(context.ledger.jobs, "close_days", die)
        with pytest.raises(Killed):
            list(replay(context, EVENT, days))
    assert due_days(EVENT, since=since, ledger=context.ledger, data=context.data, now=now) == before
    made = sandbox.log.count("dt.report")
    landed(context, EVENT, days)
    assert sandbox.log.count("dt.report") == made + 1, "run again, the days are requested again, not served from old"


def test_a_raw_answer_that_goes_while_it_is_replayed_is_not_asked_for(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bench_of("dt_offer_wall")
    days = newest_days(EVENT, clock, 1)
    landed(context, EVENT, days)
    made = calls(sandbox)

    def gone_then(*arguments: Any, **named: Any) -> Any:
        for path in (tmp_path / "raw").rglob("*.csv"):
            path.unlink()
        return pull_windows(*arguments, **named)

    monkeypatch.setattr("reporting_dags.jobs.pulling.replay.pull_windows", gone_then)
    result = replayed(context, EVENT, days)[days[0]]
    assert result.outcome is Outcome.EXPIRED
    assert calls(sandbox) == made
    check_truth(context, sandbox, EVENT, days)
