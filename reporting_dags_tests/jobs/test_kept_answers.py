"""Stored responses that were refused: they land without a call once the declaration can read them."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning.due import due_partitions
from reporting_dags.jobs.planning.policy import for_schedule
from reporting_dags.jobs.planning.report_health import report_health
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.replay import replay
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.pulling import BenchOf, brought, check_truth, landed


def with_alias(report: Report, header: str, alias: str) -> Report:
    """The report once its author has added the name that the provider uses now."""
    columns = tuple(
        replace(column, aliases=(*column.aliases, alias)) if column.header == header else column
        for column in report.columns
    )
    return replace(report, columns=columns)


def renamed(sandbox: Sandbox, header: str, to: str, **how: Any) -> None:
    sandbox.faults.add("dt.data", do="rename_column", column=header, to=to, **how)


def refuse(sandbox: Sandbox, context: PullContext, report: Report, days: list[date]) -> None:
    """Pull days whose file has a column under another name."""
    renamed(sandbox, "Country", "Geo", times=1)
    results = brought(context, report, days)
    assert {result.outcome for result in results.values()} == {Outcome.FAILED}
    assert all("column 'Country' is missing" in result.error.line for result in results.values() if result.error)


def due_days(context: PullContext, report: Report, since: date) -> dict[date, str]:
    now = context.clock.now()
    facts = load_report_state(report, context.ledger, now)
    found = due_partitions(report, facts, since=since, sizes=context.data.sizes(report.key), now=now)
    taken = for_schedule(found, max_days=report.window_days, failures=facts.failures, now=now)
    return {one.day: one.message for one in taken}


def test_days_refused_for_a_renamed_column_land_without_a_call_once_the_declaration_knows_the_name(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    days = [day - ONE_DAY, day]
    refuse(sandbox, context, EVENT, days)
    made = len(sandbox.log.entries())
    assert due_days(context, EVENT, days[0]) == {}, "the same declaration is left alone after a failure"
    fixed = with_alias(EVENT, "Country", "Geo")
    told = "has a stored response that did not land under an earlier declaration"
    assert due_days(context, fixed, days[0]) == dict.fromkeys(days, told), "at the next tick"
    landed(context, fixed, days)
    assert len(sandbox.log.entries()) == made
    check_truth(context, sandbox, EVENT, days)
    assert due_days(context, fixed, days[0]) == {}
    assert load_report_state(fixed, context.ledger, clock.now()).failures == {}
    landed(context, fixed, days)
    assert sandbox.log.count("dt.report") == 2, "run again, the provider is asked again"


def test_a_replay_lands_a_day_that_was_refused(sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    refuse(sandbox, context, EVENT, [day])
    made = len(sandbox.log.entries())
    (before,) = replay(context, EVENT, [day])
    assert before.error is not None
    assert "column 'Country' is missing" in before.error.line, "the cause, not that there is no response"
    (result,) = replay(context, with_alias(EVENT, "Country", "Geo"), [day])
    assert result.error is None
    assert result.provenance.replayed
    assert len(sandbox.log.entries()) == made
    check_truth(context, sandbox, EVENT, [day])


def test_a_run_under_the_declaration_that_refused_the_answer_asks_the_provider(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    refuse(sandbox, context, EVENT, [day])
    landed(context, EVENT, [day])
    assert sandbox.log.count("dt.report") == 2
    check_truth(context, sandbox, EVENT, [day])


def test_a_declaration_that_does_not_read_it_either_tries_the_stored_answer_once(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    refuse(sandbox, context, EVENT, [day])
    other = with_alias(EVENT, "Country", "Region")
    assert brought(context, other, [day])[day].outcome is Outcome.FAILED
    assert sandbox.log.count("dt.report") == 1
    landed(context, other, [day])
    assert sandbox.log.count("dt.report") == 2


def test_a_stored_answer_of_a_day_that_was_restated_since_is_outdated(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context, day = bench_of("dt_offer_wall"), PERFORMANCE.calendar.latest_available(clock.now())
    refuse(sandbox, context, PERFORMANCE, [day])
    clock.sleep(25 * 3600)
    landed(context, with_alias(PERFORMANCE, "Country", "Geo"), [day])
    assert sandbox.log.count("dt.report") == 2
    check_truth(context, sandbox, PERFORMANCE, [day])


@pytest.mark.rule("UL2")
def test_a_day_older_than_the_retention_lands_from_its_stored_answer_and_is_not_called_lost(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context = bench_of("dt_user_level")
    day = REVENUE.calendar.earliest_available(clock.now())
    renamed(sandbox, "Revenue", "Money", times=None)
    assert brought(context, REVENUE, [day])[day].outcome is Outcome.FAILED
    fixed = with_alias(REVENUE, "Revenue", "Money")
    facts = load_report_state(fixed, context.ledger, clock.now())
    checks = {one.name: one for one in report_health(fixed, facts, since=day, now=clock.now())}
    assert str(day) not in checks["no_day_in_danger"].detail
    clock.sleep(3 * 24 * 3600)
    assert day < REVENUE.calendar.earliest_available(clock.now())
    made = len(sandbox.log.entries())
    again = brought(context, REVENUE, [day])[day]
    assert again.error is not None
    assert "column 'Revenue' is missing" in again.error.line, "the cause that can be fixed"
    assert next(iter(due_days(context, fixed, day))) == day
    landed(context, fixed, [day])
    assert len(sandbox.log.entries()) == made


def test_a_day_older_than_the_retention_whose_stored_answer_was_removed_fails_alone(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock, tmp_path: Path
) -> None:
    context = bench_of("dt_offer_wall")
    oldest = EVENT.calendar.earliest_available(clock.now())
    refuse(sandbox, context, EVENT, [oldest, oldest + ONE_DAY])
    clock.sleep(24 * 3600)
    for path in (tmp_path / "raw").rglob("*.csv"):
        path.unlink()
    results = brought(context, EVENT, [oldest, oldest + ONE_DAY])
    assert results[oldest].outcome is Outcome.EXPIRED
    assert results[oldest + ONE_DAY].error is None


@pytest.mark.rule("UL1")
def test_of_a_day_only_the_app_that_was_refused_is_asked_for_again(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context, day = bench_of("dt_user_level"), REVENUE.calendar.latest_available(clock.now())
    renamed(sandbox, "Revenue", "Money", times=1)
    assert brought(context, REVENUE, [day])[day].outcome is Outcome.FAILED
    assert sandbox.log.count("dt.user_level") == len(USER_LEVEL_APPS)
    landed(context, REVENUE, [day])
    assert sandbox.log.count("dt.user_level") == len(USER_LEVEL_APPS) + 1
    check_truth(context, sandbox, REVENUE, [day])


@pytest.mark.rule("UL3")
def test_while_an_app_is_not_permitted_the_answers_of_the_others_are_not_asked_for_again(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    report = replace(REVENUE, calendar=replace(REVENUE.calendar, restated_at=()))
    context, day = bench_of("dt_user_level"), REVENUE.calendar.latest_available(clock.now())
    for _ in range(4):
        sandbox.faults.add("dt.user_level", do="status", times=1, status=400, body='{"error": "invalid_query"}')
        assert brought(context, report, [day])[day].error is not None
        clock.sleep(timedelta(hours=26).total_seconds())
    landed(context, report, [day])
    assert sandbox.log.count("dt.user_level") == 4 + len(USER_LEVEL_APPS)
