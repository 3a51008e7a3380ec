"""Control totals: a second, coarser query adds up to what landed, to the cent, and tells what does not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import cast

import pytest

from reporting_dags.jobs.planning.control_totals import control_window, days_compared, differences, failed_attempts
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.integr8 import CLICKS
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON

DAYS = Window(date(2026, 11, 10), date(2026, 11, 14)).days
CONTROLLED = [report for report in all_reports() if report.control is not None]


def control_of(report: Report) -> Report:
    assert report.control is not None
    return report.control


@pytest.mark.rule("OW1", "MT5", "OC3", "IN3")
@pytest.mark.parametrize("report", CONTROLLED, ids=lambda report: report.key)
def test_every_control_adds_up_to_what_its_report_landed(
    sandbox: Sandbox, bench_of: Callable[..., PullContext], report: Report
) -> None:
    sandbox.settings.change("mintegral", fill_polls=0)
    context = bench_of(report.provider)
    for one in (report, control_of(report)):
        results = list(pull(context, one, DAYS))
        assert all(result.landed for result in results), [result.error for result in results]
    landed, control = (
        context.ledger.materializations.days(report.key),
        context.ledger.materializations.days(control_of(report).key),
    )
    assert days_compared(landed, control) == len(DAYS)
    assert differences(landed, control, {}) == []


@pytest.mark.rule("IN3")
def test_a_count_that_is_of_the_page_alone_is_no_control(
    sandbox: Sandbox, bench_of: Callable[..., PullContext]
) -> None:
    sandbox.faults.add("integr8.click_table", do="count", count=1, times=None)
    (result,) = pull(bench_of("integr8"), control_of(CLICKS), DAYS[:1])
    assert result.error is not None
    assert "does not return the number of rows" in result.error.line


def facts(
    day: date, money: dict[str, str] | None = None, *, asked: datetime = NOON, rows: int = 5
) -> MaterializationRecord:
    return MaterializationRecord(
        day=day,
        code_version="v",
        outcome=Outcome.DATA,
        rows=rows,
        size=1,
        data_version="f",
        raw_sha256="",
        money={"publisher_revenue": money} if money else {},
        requested_at=asked,
        landed_at=asked,
    )


DAY = DAYS[0]
LATER = NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("landed", "control", "told"),
    [
        ({"USD": "10.00"}, {"USD": "10.0049"}, None),
        ({"USD": "10.00"}, {"USD": "10.005"}, "10.00 USD of publisher_revenue, the control total is 10.00"),
        ({"USD": "10.00"}, {"USD": "12"}, "10.00 USD of publisher_revenue, the control total is 12.00"),
        ({"USD": "10.00", "CNY": "3"}, {"USD": "10"}, "3.00 CNY of publisher_revenue, the control total is 0.00"),
        ({"USD": "10.00"}, {"USD": "10", "CNY": "3"}, "0.00 CNY of publisher_revenue, the control total is 3.00"),
    ],
)
def test_amounts_are_the_same_to_the_cent(landed: dict[str, str], control: dict[str, str], told: str | None) -> None:
    found = differences({DAY: facts(DAY, landed)}, {DAY: facts(DAY, control, asked=LATER)}, {})
    assert [str(one) for one in found] == ([f"{DAY} landed {told}"] if told else [])


def test_rows_are_counted_exactly_and_a_day_that_one_side_lacks_is_no_difference() -> None:
    counted = replace(facts(DAY, rows=1), totals={"rows": "6"})
    assert [str(one) for one in differences({DAY: facts(DAY)}, {DAY: counted}, {})] == [
        f"{DAY} landed 5 rows, the control total is 6"
    ]
    assert differences({DAY: facts(DAY, rows=6)}, {DAY: counted}, {}) == []
    assert differences({DAYS[1]: facts(DAYS[1])}, {DAY: counted}, {}) == []
    assert days_compared({DAYS[1]: facts(DAYS[1])}, {DAY: counted}) == 0


def test_a_control_is_newer_than_the_day_only_if_it_was_asked_for_later() -> None:
    old, new = facts(DAY, {"USD": "1"}), facts(DAY, {"USD": "2"}, asked=LATER)
    assert [one.newer for one in differences({DAY: old}, {DAY: new}, {})] == [True]
    assert [one.newer for one in differences({DAY: new}, {DAY: old}, {})] == [False]
    assert [one.newer for one in differences({DAY: old}, {DAY: replace(new, requested_at=NOON)}, {})] == [False]


@pytest.mark.parametrize(("tries", "lasts"), [(1, False), (2, True)])
def test_what_differs_still_after_two_landings_more_differs_for_good(tries: int, lasts: bool) -> None:
    (one,) = differences({DAY: facts(DAY, {"USD": "1"})}, {DAY: facts(DAY, {"USD": "2"}, asked=LATER)}, {DAY: tries})
    assert one.is_lasting is lasts
    assert ("also after 2 more landings" in str(one)) is lasts


def landing(hour: int, amount: str = "", fingerprint: str = "f") -> MaterializationRecord:
    money = {"publisher_revenue": {"USD": amount}} if amount else {}
    at = NOON + timedelta(hours=hour)
    return replace(facts(DAY, {}), requested_at=at, data_version=fingerprint, rows=1, money=money)


def said(*amounts: str) -> list[MaterializationRecord]:
    """What a control said, two hours apart, the first an hour after the day had landed."""
    return [landing(1 + 2 * number, amount) for number, amount in enumerate(amounts)]


def fell(*amounts: str) -> list[MaterializationRecord]:
    """What the day came to, two hours apart, each an hour before the control was requested."""
    return [landing(2 * number, amount) for number, amount in enumerate(amounts)]


@pytest.mark.parametrize(
    ("control", "landings", "times"),
    [
        (said("5", "5", "5"), fell("4", "4", "4"), 2),
        (said("4", "5", "5"), fell("4", "4", "4"), 1),
        (said("4", "4", "5"), fell("4", "4", "4"), 0),
        (said("5", "5.0049"), fell("4", "4"), 1),
        (said("5", "5.005"), fell("4", "4"), 0),
        (said("5", "6", "5"), fell("4", "4", "4", "4"), 1),
        # It agreed, and was restated or came short since: the first that differs is what there is to repair.
        (said("5", "5", "5", "5"), fell("4", "5", "5", "4"), 0),
        (said("5", "5", "5", "5"), fell("4", "5", "4", "4"), 1),
        (said("5", "5", "5"), [*fell("4", "4"), landing(2, "4")], 1),
    ],
)
def test_landings_that_differ_since_the_control_first_said_so_are_in_vain(
    control: list[MaterializationRecord], landings: list[MaterializationRecord], times: int
) -> None:
    now = {DAY: facts(DAY, control[-1].money.get("publisher_revenue", {}))}
    assert failed_attempts(now, control, landings) == {DAY: times}


def test_counts_of_rows_are_the_same_where_the_control_is_the_same_to_the_byte() -> None:
    now = {DAY: replace(facts(DAY), totals={"rows": "7"})}
    landings = [landing(0), landing(2), landing(4)]
    assert failed_attempts(now, [landing(1), landing(3)], landings) == {DAY: 2}
    assert failed_attempts(now, [landing(1), landing(3, fingerprint="g")], landings) == {DAY: 1}
    agreed = [landing(0), replace(landing(2), rows=7), landing(4)]
    assert failed_attempts(now, [landing(1), landing(3)], agreed) == {DAY: 0}


def test_a_day_is_seen_while_the_control_reaches_it() -> None:
    old, other = facts(DAY, {"USD": "1"}), facts(DAY, {"USD": "2"}, asked=LATER)
    for hours, seen in ((47, True), (48, False)):
        control = {DAY: other, DAYS[1]: facts(DAYS[1], asked=LATER + timedelta(hours=hours))}
        assert [one.is_recent for one in differences({DAY: old}, control, {})] == [seen]


NEWEST = EVENT.calendar.latest_available(NOON)
OUT = EVENT.calendar.published_at(NEWEST)
SHORT = replace(EVENT, control=replace(cast("Report", EVENT.control), window_days=7))
LONG = replace(EVENT, calendar=replace(EVENT.calendar, restated_at=(1, 20)))
LANDED = {day: facts(day) for day in Window(NEWEST - 40 * ONE_DAY, NEWEST).days}


@pytest.mark.parametrize(
    ("report", "days"), [(EVENT, 30), (PERFORMANCE, 30), (SHORT, 7), (LONG, 40)], ids=["30", "ages", "short", "long"]
)
def test_a_control_reaches_a_month_back_and_past_the_restatement_where_one_question_does(
    report: Report, days: int
) -> None:
    at = OUT + timedelta(hours=1)
    assert control_window(report, LANDED, {}, at) == Window(NEWEST - (days - 1) * ONE_DAY, NEWEST)
    assert control_window(report, {NEWEST: facts(NEWEST)}, {}, at) == Window(NEWEST, NEWEST)
    assert control_window(report, {}, {}, OUT + timedelta(hours=7)) is None


def test_a_control_is_asked_for_once_a_day_when_the_newest_day_has_landed() -> None:
    hour = timedelta(hours=1)
    before = {DAY: facts(DAY, asked=OUT - hour)}
    assert control_window(EVENT, LANDED, before, OUT + hour - timedelta.resolution) is None
    assert control_window(EVENT, LANDED, before, OUT + hour) is not None
    assert control_window(EVENT, LANDED, {DAY: facts(DAY, asked=OUT + hour)}, OUT + 20 * hour) is None
    late = {day: LANDED[day] for day in LANDED if day != NEWEST}
    assert control_window(EVENT, late, {}, OUT + 6 * hour - timedelta.resolution) is None
    assert control_window(EVENT, late, {}, OUT + 6 * hour) == Window(NEWEST - 29 * ONE_DAY, NEWEST)


def test_a_report_without_any_total_does_not_wait_for_the_hour_after_a_publication() -> None:
    soon = OUT + timedelta(minutes=5)
    last = NEWEST - ONE_DAY
    assert control_window(EVENT, LANDED, {}, soon) == Window(last - 29 * ONE_DAY, last)
    asked = {DAY: facts(DAY, asked=soon)}
    assert control_window(EVENT, LANDED, asked, soon + timedelta(minutes=30)) is None, "once for that day"
    assert control_window(EVENT, LANDED, asked, OUT + timedelta(hours=1)) is not None, "and once for the latest"
