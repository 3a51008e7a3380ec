"""How a report settles: which share of the latest amount was known at each age, and whether it is asked long enough."""

from datetime import date, timedelta

import pytest

from reporting_dags.jobs.planning.restatement import RestatementCurve, restatement_curve
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.outcome import Outcome
from reporting_dags.reports.dt_offer_wall import PERFORMANCE

DAY = date(2026, 11, 1)


def landing(age: float, amount: str, *, day: int = 0, rows: int = 1) -> MaterializationRecord:
    """A landing of a day, requested `age` days after it was published."""
    when = DAY + day * ONE_DAY
    money = {"publisher_revenue": {"USD": amount}} if amount else {}
    requested_at = PERFORMANCE.calendar.published_at(when) + timedelta(days=age)
    return MaterializationRecord(
        day=when,
        code_version="v1",
        outcome=Outcome.DATA,
        requested_at=requested_at,
        landed_at=requested_at,
        data_version=f"{amount} {rows}",
        rows=rows,
        money=money,
    )


def settled(*landings: MaterializationRecord) -> RestatementCurve:
    return restatement_curve(PERFORMANCE, landings)


def test_what_was_known_at_each_age_is_a_share_of_the_newest() -> None:
    found = settled(landing(0.1, "80"), landing(1, "95"), landing(10, "100"))
    assert dict(found.known_share) == {0: 0.8, 1: 0.95, 10: 1.0}
    assert (found.days, found.last_change, list(found.late)) == (1, 10, [])


def test_days_are_told_by_their_median_and_in_any_order() -> None:
    days = [[landing(10, "100", day=n), landing(0, share, day=n)] for n, share in enumerate(("90", "80", "10"))]
    assert dict(settled(*(one for day in days for one in day)).known_share) == {0: 0.8, 10: 1.0}


def test_a_day_that_landed_once_tells_nothing() -> None:
    found = settled(landing(0, "80"))
    assert (found.days, dict(found.known_share), found.last_change) == (0, {}, None)


def test_the_same_content_again_is_no_change() -> None:
    assert settled(landing(0, "80"), landing(12, "80")).last_change is None


def test_a_change_after_the_last_declared_age_is_late() -> None:
    found = settled(landing(0, "80"), landing(11, "81"), landing(0, "5", day=1), landing(10.9, "6", day=1))
    assert found.last_change == 11
    assert list(found.late) == [DAY]


def test_a_day_that_is_asked_for_before_it_is_out_has_no_negative_age() -> None:
    assert dict(settled(landing(-1, "80"), landing(1, "160")).known_share) == {0: 0.5, 1: 1.0}


def test_a_report_without_money_settles_by_its_rows() -> None:
    assert dict(settled(landing(0, "", rows=3), landing(1, "", rows=4)).known_share) == {0: 0.75, 1: 1.0}


@pytest.mark.parametrize("amount", ["0", "0.00"])
def test_a_day_that_earned_nothing_in_the_end_has_no_share(amount: str) -> None:
    assert dict(settled(landing(0, "80"), landing(1, amount)).known_share) == {}
