"""Times are read by the forms that a column declares and by the zone of its report, or they are bad."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting_dags.landing.parsing.times import read_times, time_error
from reporting_dags.landing.parsing.values import TypedValues
from reporting_dags.model.column import TIMESTAMP, TimeForm

TEXT, SECONDS, MILLISECONDS, HOUR = TimeForm
NEW_YORK = "America/New_York"
ZONES = (
    NEW_YORK,
    "America/Havana",  # clocks go back at 01:00, to midnight
    "America/St_Johns",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # clocks change by half an hour
    "Europe/London",
    "Etc/GMT-8",
)


def read(*texts: str | None, forms: Sequence[TimeForm] = (TEXT,), zone: str = "UTC") -> TypedValues:
    typed = read_times(pa.array(texts, pa.string()), forms, zone)
    assert typed.values.type == TIMESTAMP
    return typed


def bad(typed: TypedValues) -> list[bool]:
    return [False] * len(typed.values) if typed.bad is None else typed.bad.tolist()


def test_texts_are_utc_in_a_report_of_utc() -> None:
    moment = datetime(2026, 11, 1, 5, 6, 7, tzinfo=UTC)
    forms = [
        "2026-11-01 05:06:07",
        "2026-11-01T05:06:07Z",
        "2026-11-01T07:06:07+02:00",
        "2026-11-01T05:06:07.000000000Z",
    ]
    for texts in (*([form] for form in forms), forms):
        typed = read(*texts, "", None)
        assert typed.values.to_pylist() == [*[moment] * len(texts), None, None]
        assert not any(bad(typed))
        assert typed.rounded is None or not typed.rounded.any()


def test_times_that_are_none_are_bad_and_finer_ones_are_cut_and_said_so() -> None:
    typed = read("yesterday", "2026-11-31 00:00:00", "2026-11-01 05:06:07.123456789", "1700000000000")
    assert typed.rounded is not None
    assert bad(typed) == [True, True, False, True]
    assert typed.rounded.tolist() == [False, False, True, False]
    assert typed.values[2].as_py() == datetime(2026, 11, 1, 5, 6, 7, 123456, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["UTC", NEW_YORK])
@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-01", "2026-11-01 05", "2026-11-01T05:06", "2026-11-01T05:06Z", "2026-11-01T05:06:07.1+0200"),
        *("2026-11-01 01:30:00", "2027-03-14 02:30:00", "2026-11-01Z", "2026-11-01 24:00:00", "20261101", "1793509567"),
    ],
)
def test_a_time_is_read_the_same_alone_and_among_other_forms(text: str, zone: str) -> None:
    alone = read(text, zone=zone)
    among = read("2026-11-01 05:06:07.123456789", "2026-11-01 09:00:00Z", text, "x", "", zone=zone)
    assert among.values[2] == alone.values[0]
    assert bad(among) == [False, False, not alone.values[0].is_valid, True, False]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.integers(0, 99_999_999_999), max_size=6))
def test_nine_to_eleven_digits_are_unix_seconds_where_that_is_declared(seconds: list[int | None]) -> None:
    texts = [None if each is None else f"{each:09}" for each in seconds]
    start = datetime(1970, 1, 1, tzinfo=UTC)
    for zone in ("UTC", NEW_YORK):
        typed = read(*texts, forms=(SECONDS, TEXT), zone=zone)
        expected = [None if each is None else start + timedelta(seconds=each) for each in seconds]
        assert typed.values.to_pylist() == expected
        assert not any(bad(typed))


def test_each_number_is_read_by_the_declared_form_alone() -> None:
    texts = ("2026092013", "1789909200", "1789909200123", "2026-09-20 13:00:00", "20260920", "2026092024")
    at = datetime(2026, 9, 20, 13, tzinfo=UTC)
    none = [None] * len(texts)
    assert read(*texts).values.to_pylist() == [None, None, None, at, None, None]
    assert read(*texts, forms=(SECONDS,)).values.to_pylist()[1:-1] == [at, *none[3:]]
    assert read(*texts, forms=(MILLISECONDS,)).values.to_pylist() == [
        *none[:2],
        at + timedelta(milliseconds=123),
        *none[3:],
    ]
    assert read(*texts, forms=(HOUR,)).values.to_pylist() == [at, *none[1:]]
    assert read(*texts, forms=(HOUR, MILLISECONDS, TEXT)).values.to_pylist() == [
        *(at, None, at + timedelta(milliseconds=123), at, None, None),
    ]
    shanghai = read(*texts, forms=(HOUR,), zone="Etc/GMT-8")
    assert shanghai.values[0].as_py() == at - timedelta(hours=8)


@pytest.mark.parametrize("text", ["12345678", "123456789012", "1700000000000", "1700000000.5", "-170000000", "1.7E+9"])
def test_other_numbers_are_no_time(text: str) -> None:
    for texts in ([text], [text, "1700000000"]):
        assert bad(read(*texts, forms=(SECONDS, TEXT))) == [True, False][: len(texts)]


START = datetime(2026, 1, 1)  # noqa: DTZ001


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 366 * 86400 * 2), min_size=1, max_size=20), st.sampled_from(ZONES))
def test_local_times_are_what_python_makes_of_them_where_they_are_one_moment(seconds: list[int], zone: str) -> None:
    changes = (datetime(2026, 11, 1), datetime(2027, 3, 14), datetime(2026, 4, 5), datetime(2026, 3, 29))  # noqa: DTZ001
    local = [START + timedelta(seconds=each / 2) for each in seconds]
    local += [change + timedelta(seconds=each % 10800) for change in changes for each in seconds]
    expected: list[datetime | None] = []
    for one in local:
        early, late = (one.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
        expected.append(early if early == late else None)
    plain = read(*(one.isoformat(sep=" ") for one in local), zone=zone)
    mixed = read(*(one.isoformat(sep=" ") for one in local), "2026-11-01 05:06:07.1234567", zone=zone)
    for typed in (plain, mixed):
        assert typed.values.to_pylist()[: len(local)] == expected
        assert bad(typed)[: len(local)] == [one is None for one in expected]


def test_texts_with_an_offset_are_one_moment_whatever_the_zone() -> None:
    for text in ("2026-11-01T01:30:00-04:00", "2026-11-01T05:30:00Z"):
        assert read(text, zone=NEW_YORK).values[0].as_py() == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_local_times_at_the_ends_of_the_calendar_are_read_or_bad() -> None:
    for text in ("0001-01-01 00:00:00", "9999-12-31 23:59:59"):
        for zone in ZONES:
            typed = read(text, zone=zone)
            assert typed.values[0].is_valid or bad(typed) == [True], (text, zone)
            assert typed.values.to_pylist() == read(text, "x", zone=zone).values.to_pylist()[:1]


@pytest.mark.parametrize(
    ("text", "forms", "why"),
    [
        ("2026-11-01 01:30:00", (TEXT,), f"a local time that occurs twice in {NEW_YORK}, when clocks are set back"),
        ("2027-03-14T02:30", (TEXT,), f"a local time that does not exist in {NEW_YORK}, when clocks are set forward"),
        ("2026110101", (HOUR,), f"a local time that occurs twice in {NEW_YORK}, when clocks are set back"),
        ("2026110101", (TEXT,), "not a time of the form ISO text"),
        ("2026-11-01 01:30:00", (SECONDS,), "not a time of the form Unix seconds"),
        ("yesterday", (SECONDS, TEXT), "not a time of the form Unix seconds or ISO text"),
        ("2026-11-01 01:30:00-04:99", (TEXT,), "not a time of the form ISO text"),
    ],
)
def test_why_a_time_cannot_be_read(text: str, forms: tuple[TimeForm, ...], why: str) -> None:
    assert bad(read(text, forms=forms, zone=NEW_YORK)) == [True]
    assert time_error(text, forms, NEW_YORK) == why
