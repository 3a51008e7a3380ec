"""Days, contiguous_ranges, and when a provider has them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from reporting_dags.model.days import Calendar, Window, contiguous_ranges

OFFER_WALL = Calendar(
    publish_delay=timedelta(hours=12), restated_at=(1, 2, 3, 5, 7, 10), first_day=date(2019, 6, 10), retention_months=18
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_window_includes_both_its_ends() -> None:
    window = Window(date(2026, 2, 27), date(2026, 3, 1))
    assert [day.day for day in window.days] == [27, 28, 1]
    assert len(window) == 3
    assert date(2026, 3, 1) in window
    assert date(2026, 3, 2) not in window
    with pytest.raises(ValueError, match="before it begins"):
        Window(date(2026, 3, 1), date(2026, 2, 1))


def test_stretches_are_unbroken_sorted_and_free_of_doubles() -> None:
    days = [date(2026, 1, 5), date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 2)]
    assert [str(stretch) for stretch in contiguous_ranges(days)] == ["2026-01-01...2026-01-02", "2026-01-05"]


@pytest.mark.rule("OW7")
def test_ow7_a_day_is_out_at_noon_of_the_next() -> None:
    assert OFFER_WALL.latest_available(at("2026-11-20 11:59:59")) == date(2026, 11, 18)
    assert OFFER_WALL.latest_available(at("2026-11-20 12:00:00")) == date(2026, 11, 19)


@pytest.mark.rule("OW5")
def test_ow5_the_reach_is_eighteen_months_and_never_before_the_first_day() -> None:
    assert OFFER_WALL.earliest_available(at("2026-11-20 12:00")) == date(2025, 5, 20)
    assert OFFER_WALL.earliest_available(at("2026-08-31 12:00")) == date(2025, 2, 28)
    assert OFFER_WALL.earliest_available(at("2020-01-01 12:00")) == date(2019, 6, 10)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 6, 1), 24)])
def test_days_of_23_and_25_hours_end_when_they_end(day: date, hours: int) -> None:
    calendar = Calendar(timezone="America/New_York")
    assert calendar.published_at(day) - calendar.published_at(day - timedelta(days=1)) == timedelta(hours=hours)


def test_today_is_the_reports_own_today() -> None:
    assert Calendar(timezone="Asia/Shanghai").today(at("2026-11-20 17:00")) == date(2026, 11, 21)


def test_a_missing_day_is_due_while_the_provider_serves_it() -> None:
    now = at("2026-11-20 13:00")
    assert OFFER_WALL.is_due(date(2026, 11, 19), None, now)
    assert not OFFER_WALL.is_due(date(2026, 11, 20), None, now)
    assert not OFFER_WALL.is_due(date(2025, 5, 19), None, now)


def test_a_landed_day_is_due_again_once_at_each_age_of_the_plan() -> None:
    day = date(2026, 11, 1)
    out = at("2026-11-02 12:00")
    asked = out + timedelta(minutes=5)
    assert not OFFER_WALL.is_due(day, asked, out + timedelta(hours=23))
    assert OFFER_WALL.is_due(day, asked, out + timedelta(days=1))
    again = out + timedelta(days=1, minutes=5)
    assert not OFFER_WALL.is_due(day, again, out + timedelta(days=1, hours=2))
    assert OFFER_WALL.is_due(day, again, out + timedelta(days=5))
    final = out + timedelta(days=10)
    assert not OFFER_WALL.is_due(day, final, out + timedelta(days=60))


def test_a_report_that_is_never_restated_is_never_due_again() -> None:
    assert not Calendar().is_due(date(2026, 1, 1), at("2026-01-02 00:00"), at("2026-11-20 00:00"))


@pytest.mark.rule("OW5", "UL2", "MT4")
@pytest.mark.parametrize("reach", [{"retention_months": months} for months in (1, 3, 6, 18)] + [{"retention_days": 10}])
@pytest.mark.parametrize("timezone", ["UTC", "Etc/GMT-8"])
def test_a_day_is_lost_at_the_moment_from_which_on_it_is_served_no_more(reach: dict[str, int], timezone: str) -> None:
    """At the end of a month several days are lost at once: six months before 31 August is 28 February."""
    calendar = Calendar(timezone=timezone, **reach)  # type: ignore[arg-type]
    for day in Window(date(2027, 2, 20), date(2028, 4, 5)).days:
        lost_at = calendar.expires_at(day)
        assert lost_at is not None
        assert (
            calendar.earliest_available(lost_at - timedelta.resolution) <= day < calendar.earliest_available(lost_at)
        ), day


def test_the_last_day_of_february_is_served_until_the_end_of_august() -> None:
    assert Calendar(retention_months=6).expires_at(date(2026, 2, 28)) == at("2026-09-01 00:00")
    assert Calendar(retention_months=6).expires_at(date(2026, 2, 27)) == at("2026-08-28 00:00")
    assert Calendar(retention_months=6, retention_days=10).expires_at(date(2026, 2, 28)) == at("2026-03-11 00:00")
    assert Calendar().expires_at(date(2026, 2, 28)) is None
