"""A machine whose clock is ahead requests days that are not published yet: what is answered then is never landed."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from reporting_dags.jobs.ledger.report_state import due_days
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.outcome import Outcome
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.pulling import BenchOf, brought, check_truth, landed, line_of

HALF_PAST_ELEVEN = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)
NOT_OUT = date(2026, 11, 19)
"""Out at noon."""


class Shifted(SandboxClock):
    """A clock that is wrong by so much."""

    by = timedelta(hours=1)

    def now(self) -> datetime:
        return super().now() + self.by


@pytest.fixture
def ahead(sandbox: Sandbox) -> Shifted:
    sandbox.clock.set(HALF_PAST_ELEVEN)
    return Shifted(sandbox)


@pytest.fixture
def clock(ahead: Shifted) -> SandboxClock:
    """What the benches of these tests go by."""
    return ahead


def test_a_day_that_is_not_out_by_the_providers_clock_does_not_land_and_the_others_do(
    sandbox: Sandbox, bench_of: BenchOf, ahead: Shifted
) -> None:
    context = bench_of("dt_offer_wall")
    days = [NOT_OUT - n * ONE_DAY for n in range(3)]
    results = brought(context, EVENT, days)
    line = line_of(results[NOT_OUT], Outcome.NOT_READY)
    assert "clock of this machine is 1:00:00 ahead" in line
    assert not context.data.exists(EVENT.file(NOT_OUT))
    check_truth(context, sandbox, EVENT, days[1:])
    ahead.by = timedelta()
    ahead.sleep(3600)
    landed(context, EVENT, [NOT_OUT])
    check_truth(context, sandbox, EVENT, days)
    assert len(sandbox.log.entries("dt.report", status=200)) == 2, "the early answer is not taken up"


def test_a_day_of_a_report_that_says_itself_that_it_is_not_complete_waits_for_it(
    sandbox: Sandbox, bench_of: BenchOf, ahead: Shifted
) -> None:
    ahead.by = timedelta(days=1)
    context = bench_of("mintegral", job_timeout_seconds=30)
    newest = OFFER_PERFORMANCE.calendar.latest_available(sandbox.clock.now())
    results = brought(context, OFFER_PERFORMANCE, [newest + ONE_DAY, newest])
    assert not results[newest + ONE_DAY].outcome.publishes
    assert not context.data.exists(OFFER_PERFORMANCE.file(newest + ONE_DAY))


@pytest.mark.parametrize("by", [timedelta(seconds=90), timedelta(hours=-3)])
def test_a_clock_that_is_a_little_off_or_behind_lands_what_is_out_for_both(
    sandbox: Sandbox, bench_of: BenchOf, ahead: Shifted, by: timedelta
) -> None:
    ahead.by = by
    context = bench_of("dt_offer_wall")
    days = [NOT_OUT - 2 * ONE_DAY, NOT_OUT - ONE_DAY]
    assert all(result.outcome is Outcome.DATA for result in pull(context, EVENT, days))
    assert context.provider.clock_skew == timedelta()
    check_truth(context, sandbox, EVENT, days)


class Killed(BaseException):
    """What a SIGKILL does to a run."""


@pytest.mark.parametrize("mended", [True, False], ids=["clock set right", "clock still ahead"])
@pytest.mark.parametrize("step", ["record_submitted", "record_downloaded"])
def test_an_early_answer_that_a_killed_run_left_does_not_land_either(
    sandbox: Sandbox, bench_of: BenchOf, ahead: Shifted, monkeypatch: pytest.MonkeyPatch, step: str, mended: bool
) -> None:
    context = bench_of("dt_offer_wall")
    work = getattr(context.ledger.jobs, step)

    def dying(*arguments: Any, **named: Any) -> None:
        work(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(context.ledger.jobs, step, dying)
        with pytest.raises(Killed):
            list(pull(context, EVENT, [NOT_OUT]))
    if mended:
        ahead.by = timedelta()
        sandbox.clock.advance(3600)
    line_of(brought(bench_of("dt_offer_wall"), EVENT, [NOT_OUT])[NOT_OUT], Outcome.NOT_READY)
    assert not context.data.exists(EVENT.file(NOT_OUT))


def test_days_that_were_pulled_by_a_fast_clock_are_restated_all_the_same(
    sandbox: Sandbox, bench_of: BenchOf, ahead: Shifted
) -> None:
    ahead.by = timedelta(days=12)
    day = NOT_OUT - 3 * ONE_DAY
    context = bench_of("dt_offer_wall")
    landed(context, PERFORMANCE, [day])
    ahead.by = timedelta()
    sandbox.clock.advance(24 * 3600)
    due = due_days(PERFORMANCE, since=day, ledger=context.ledger, data=context.data, now=ahead.now())
    assert day in due
