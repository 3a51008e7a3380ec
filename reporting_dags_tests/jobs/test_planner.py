"""The fewest windows, and days that are refused unasked."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting_dags.jobs.planning.windows import (
    availability_error,
    effective_window_days,
    plan_windows,
    split_known_too_large,
)
from reporting_dags.model.days import Calendar, Window
from reporting_dags.model.errors import Expired, NotReady, ReportingError
from reporting_dags.providers.api import Request
from reporting_dags.reports.dt_offer_wall import EVENT

DAYS = st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=40)


def least_possible(days: list[date], longest: int) -> int:
    """By trying every way to group the sorted days, with memory."""
    best = [0]
    for end in range(1, len(days) + 1):
        starts = [start for start in range(end) if (days[end - 1] - days[start]).days < longest]
        best.append(1 + min(best[start] for start in starts))
    return best[-1]


@given(days=DAYS, longest=st.integers(1, 120))
def test_windows_cover_every_day_within_the_limit_and_are_the_fewest(days: set[date], longest: int) -> None:
    windows = plan_windows(days, longest)
    assert all(any(day in window for window in windows) for day in days)
    assert all(len(window) <= longest for window in windows)
    assert all(window.first in days and window.last in days for window in windows)
    assert all(one.last < other.first for one, other in pairwise(windows))
    assert len(windows) == least_possible(sorted(days), longest)


@pytest.mark.rule("OW4")
def test_ow4_ninety_days_are_one_window() -> None:
    first = date(2026, 8, 1)
    days = [first + timedelta(days=n) for n in range(91)]
    assert len(plan_windows(days[:90], EVENT.window_days)) == 1
    assert len(plan_windows(days, EVENT.window_days)) == 2


NOW = datetime(2026, 11, 20, 13, tzinfo=UTC)


@pytest.mark.rule("OW5")
@pytest.mark.parametrize(
    ("day", "kind", "says"),
    [
        (date(2019, 6, 9), Expired, "before the provider's first day, 2019-06-10"),
        (date(2025, 5, 19), Expired, "retention (earliest available: 2025-05-20)"),
        (date(2026, 11, 20), NotReady, "not published yet: the provider publishes it on 2026-11-21 at 12:00 UTC"),
        (date(2027, 1, 1), NotReady, "publishes it on 2027-01-02 at 12:00 UTC"),
    ],
)
def test_ow5_a_day_out_of_reach_or_not_out_yet_is_refused_in_one_line(
    day: date, kind: type[ReportingError], says: str
) -> None:
    error = availability_error(EVENT.calendar, day, NOW)
    assert isinstance(error, kind)
    assert says in error.line


def test_the_ends_of_the_reach_are_served() -> None:
    assert availability_error(EVENT.calendar, date(2025, 5, 20), NOW) is None
    assert availability_error(EVENT.calendar, date(2026, 11, 19), NOW) is None


def test_a_day_is_served_from_its_hour_on_and_from_the_providers_first_day() -> None:
    out = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert availability_error(EVENT.calendar, date(2026, 11, 19), out) is None
    assert isinstance(availability_error(EVENT.calendar, date(2026, 11, 19), out - timedelta(microseconds=1)), NotReady)
    calendar = Calendar(first_day=date(2026, 1, 5))
    assert availability_error(calendar, date(2026, 1, 5), NOW) is None
    assert isinstance(availability_error(calendar, date(2026, 1, 4), NOW), Expired)


def request(first: int, last: int, part: str = "") -> Request:
    return Request(Window(date(2026, 11, first), date(2026, 11, last)), part)


@pytest.mark.rule("IN7")
def test_windows_get_shorter_where_the_number_of_days_was_too_much_and_not_where_one_day_was() -> None:
    assert effective_window_days(90, set()) == 90
    # Ten days were cut, and their halves were not: no window of more than five is requested again.
    assert effective_window_days(90, {request(1, 10)}) == 5
    # Day 3 alone is too much: every window that holds it was cut, and the others may be as long as ever.
    monster = {request(1, 10), request(1, 5), request(3, 5), request(3, 3), request(3, 3, "00000/43200")}
    assert effective_window_days(90, monster) == 90
    assert effective_window_days(90, {request(1, 9)}) == 5, "the larger half of nine"
    assert effective_window_days(90, {request(1, 2)}) == 1
    assert effective_window_days(90, {request(1, 1)}) == 90
    assert effective_window_days(90, {request(1, 20), request(1, 10), request(11, 20)}) == 5
    assert effective_window_days(3, {request(1, 10)}) == 3
    # Of parts of a window, each speaks for its own.
    assert effective_window_days(90, {request(1, 10, "x"), request(1, 5, "y")}) == 3


def halved(one: Request) -> tuple[Request, ...]:
    days = one.window.days
    middle = len(days) // 2
    pieces = (days[:middle], days[middle:]) if middle else ()
    return tuple(Request(Window(piece[0], piece[-1]), one.shard) for piece in pieces)


@pytest.mark.rule("IN7")
@pytest.mark.parametrize(
    ("asked", "cut", "smaller"),
    [
        (request(1, 8), set[Request](), [request(1, 8)]),
        (request(1, 8), {request(1, 9)}, [request(1, 8)]),
        (request(1, 8), {request(1, 8)}, [request(1, 4), request(5, 8)]),
        (request(1, 8), {request(2, 3)}, [request(1, 2), request(3, 4), request(5, 8)]),
        (request(1, 8), {request(4, 5)}, [request(1, 4), request(5, 8)]),
        (request(1, 1), {request(1, 1)}, [request(1, 1)]),
        (request(1, 2), {request(1, 2, "x")}, [request(1, 1), request(2, 2)]),
        (request(1, 2, "x"), {request(1, 2)}, [request(1, 2, "x")]),
        (request(1, 2, "x"), {request(1, 2, "y")}, [request(1, 2, "x")]),
        (request(1, 2, "x"), {request(1, 2, "x")}, [request(1, 1, "x"), request(2, 2, "x")]),
    ],
)
def test_what_was_cut_is_asked_for_in_smaller_pieces_and_nothing_else_is(
    asked: Request, cut: set[Request], smaller: list[Request]
) -> None:
    assert split_known_too_large(asked, cut, halved) == smaller
