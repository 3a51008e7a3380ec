"""A row's day may be a moment's, in the report's zone, or that of the snapshot."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting_dags.landing.reading.partitions import read_days, read_snapshot
from reporting_dags.landing.writing.land import LandedDay, RefusedDay
from reporting_dags.model.column import TimeForm, day, identity, timestamp
from reporting_dags.model.days import Window
from reporting_dags.model.errors import DataError, StorageError
from reporting_dags_tests.landing.answers import FIRST, SECOND, Bench, report, rows

COLUMNS = (timestamp("At", "when", forms=(TimeForm.TEXT, TimeForm.UNIX_SECONDS)), identity("Id", ""))
BERLIN = report(COLUMNS, grain=("Id",), day_from="At", timezone="Europe/Berlin")
CHANGE = Window(date(2026, 10, 24), date(2026, 10, 26))
SNAPSHOT = report((identity("Id", ""), identity("Name", "")), grain=("Id",), partitioned=False)


def test_a_row_is_of_the_day_on_which_its_moment_falls_in_the_reports_zone(context: Bench) -> None:
    lines = ["2026-10-24 23:59:59,a", "2026-10-24T22:00:00Z,b", "2026-10-25T22:59:59Z,c", "2026-10-26 00:00:00,d"]
    results = context.land(rows(*lines, header="At,Id"), of=BERLIN, window=CHANGE, days=CHANGE.days)
    assert [each.rows for each in results if isinstance(each, LandedDay)] == [1, 2, 1]
    assert context.rows(date(2026, 10, 25)) == [
        {"at": datetime(2026, 10, 24, 22, tzinfo=UTC), "id": "b"},
        {"at": datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), "id": "c"},
    ]


START = datetime(2026, 1, 1, tzinfo=UTC)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 366 * 86400), max_size=30),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Pacific/Auckland", "Asia/Kolkata", "UTC"]),
)
def test_any_moments_fall_on_the_days_that_python_says(seconds: list[int], zone: str) -> None:
    declared = report(COLUMNS, grain=("Id",), day_from="At", timezone=zone)
    window = Window(date(2025, 12, 31), date(2027, 1, 3))
    moments = [START + timedelta(seconds=each) for each in seconds]
    texts = [(at.isoformat(), str(int(at.timestamp())), f"{at:%Y-%m-%d %H:%M:%SZ}") for at in moments]
    wanted = sorted({at.astimezone(ZoneInfo(zone)).date() for at in moments})
    with TemporaryDirectory() as folder:
        context = Bench(Path(folder))
        answer = rows(*(f"{forms[n % 3]},{n}" for n, forms in enumerate(texts)), header="At,Id")
        results = context.land(answer, of=declared, window=window, days=wanted)
        assert all(isinstance(each, LandedDay) for each in results), results
        found = read_days(context.store, declared, wanted).to_pylist()
    expected = [{"date": at.astimezone(ZoneInfo(zone)).date(), "at": at, "id": str(n)} for n, at in enumerate(moments)]
    assert sorted(found, key=lambda row: int(row["id"])) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "1700000000000", "2026-11-31 00:00:00"])
def test_a_moment_that_cannot_be_read_refutes_the_answer(context: Bench, text: str) -> None:
    events = report(COLUMNS, grain=("Id",), day_from="At")
    with pytest.raises(DataError, match=f"column 'At' holds '{text}', which is not a time"):
        context.land(rows("2026-11-01 05:00:00,a", f"{text},b", header="At,Id"), of=events)


def test_a_moment_outside_the_window_refutes_the_answer(context: Bench) -> None:
    events = report(COLUMNS, grain=("Id",), day_from="At")
    lines = ["2026-11-03 23:59:59,a", "2026-11-04 00:00:00,b", "2026-11-04 05:00:00,c"]
    told = r"holds '2026-11-04 00:00:00' \(2 such rows or more\) in the response for 2026-11-01...2026-11-03, UTC"
    with pytest.raises(DataError, match=told):
        context.land(rows(*lines, header="At,Id"), of=events)
    for text in ("0001-01-01 00:00:00", "9999-12-31 23:59:59", "2026-10-31 23:59:59.999999"):
        with pytest.raises(DataError, match=f"holds '{text}'"):
            context.land(rows(f"{text},a", header="At,Id"), of=events)


def test_a_local_time_that_is_no_one_moment_refuses_its_own_day_alone(context: Bench) -> None:
    lines = ["2026-10-24 12:00:00,a", "2026-10-25 02:30:00,b", "2026-10-25 12:00:00,c", "2026-10-26 12:00:00,d"]
    first, second, third = context.land(rows(*lines, header="At,Id"), of=BERLIN, window=CHANGE, days=CHANGE.days)
    assert isinstance(first, LandedDay)
    assert isinstance(third, LandedDay)
    assert isinstance(second, RefusedDay)
    assert second.error.line == (
        "column 'At': 1 values are not times, such as '2026-10-25 02:30:00', a local time that occurs twice "
        "in Europe/Berlin, when clocks are set back. Fix: declare the report in UTC, where every time is there once"
    )
    spring = Window(date(2026, 3, 29), date(2026, 3, 29))
    skipped = context.refused(rows("2026-03-29 02:30:00,a", header="At,Id"), of=BERLIN, window=spring, days=spring.days)
    assert "a local time that does not exist in Europe/Berlin, when clocks are set forward" in skipped.error.line


def test_a_local_time_that_is_no_one_moment_must_lie_in_the_window_too(context: Bench) -> None:
    window = Window(date(2026, 10, 24), date(2026, 10, 24))
    with pytest.raises(DataError, match=r"holds '2026-10-25 02:30:00' \(1 such rows"):
        context.land(rows("2026-10-25 02:30:00,b", header="At,Id"), of=BERLIN, window=window, days=window.days)


HOURLY = (day("Date"), timestamp("Hour", "", forms=(TimeForm.HOUR, TimeForm.TEXT)), identity("Id", ""))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026110200", "2026-11-02 00:00:00"),
        ("2026103123", "2026-10-31 23:00:00"),
        ("2026-10-31T15:59:59Z", "2026-10-31 23:59:59"),
    ],
)
def test_an_hour_outside_of_the_day_of_its_row_refuses_that_day_alone(context: Bench, text: str, shown: str) -> None:
    declared = report(HOURLY, grain=("Hour", "Id"), hour="Hour", timezone="Etc/GMT-8")
    lines = ["20261101,2026110100,a", "20261101,2026-10-31T16:00:00Z,b", "20261101,2026110123,c", "20261101,,d"]
    context.landed(rows(*lines, header="Date,Hour,Id"), of=declared)
    before = context.path().read_bytes()
    first, second = context.land(
        rows(*lines, f"20261101,{text},e", "20261102,2026110200,f", header="Date,Hour,Id"),
        of=declared,
        days=[FIRST, SECOND],
    )
    assert isinstance(first, RefusedDay)
    assert isinstance(second, LandedDay)
    assert [check.name for check in first.checks if not check.passed] == ["day_and_currency"]
    assert first.error.line == (
        f"column 'Hour' holds '{text}', which is {shown}, outside of the day of its row, 2026-11-01, Etc/GMT-8 "
        "(1 such rows). Fix: compare the report's time zone and the column's forms, as declared, with what the "
        "provider sends"
    )
    assert context.path().read_bytes() == before


def test_a_time_may_lie_as_far_outside_as_the_declaration_says(context: Bench) -> None:
    def landing(text: str, tolerance: timedelta | None) -> bool:
        columns = (day("Date"), timestamp("At", "", day_tolerance=tolerance), identity("Id", ""))
        (result,) = context.land(rows(f"2026-11-01,{text},a", header="Date,At,Id"), of=report(columns, grain=("Id",)))
        return isinstance(result, LandedDay)

    inside, before, after = "2026-11-01 23:59:59", "2026-10-31 23:59:59.999999", "2026-11-02 00:00:00"
    assert [landing(text, timedelta()) for text in (inside, before, after)] == [True, False, False]
    assert [landing(text, timedelta(hours=1)) for text in (inside, before, after)] == [True, True, True]
    assert not landing("2026-11-02 01:00:00", timedelta(hours=1))
    assert not landing("2026-10-31 22:59:59", timedelta(hours=1))
    assert landing("1999-01-01 00:00:00", None)


def test_a_snapshot_is_one_file_of_the_day_on_which_it_was_taken(context: Bench) -> None:
    with pytest.raises(StorageError, match="dt_offer_wall/event: no such partition"):
        read_snapshot(context.store, SNAPSHOT)
    assert read_snapshot(context.store, SNAPSHOT, allow_missing=True).num_rows == 0
    context.landed(rows("1,old", "2,b", header="Id,Name"), of=SNAPSHOT, window=Window(FIRST, FIRST))
    landed = context.landed(
        rows("1,new", header="Id,Name"), of=SNAPSHOT, window=Window(SECOND, SECOND), days=[SECOND], expected=1
    )
    assert landed.day == SECOND
    assert [path.name for path in (context.root / "dt_offer_wall/event").iterdir()] == ["part-0.parquet"]
    table = read_snapshot(context.store, SNAPSHOT)
    assert table.schema.names == ["id", "name"]
    assert table.to_pylist() == [{"id": "1", "name": "new"}]


def test_a_snapshot_that_is_refused_leaves_the_old_one(context: Bench) -> None:
    window = Window(FIRST, FIRST)
    context.landed(rows("1,old", header="Id,Name"), of=SNAPSHOT, window=window)
    told = context.refused(rows("1,a", "1,b", header="Id,Name"), of=SNAPSHOT, window=window)
    assert told.error.line == "grain twice: id=1 (2 rows, 1 grains in all)"
    assert read_snapshot(context.store, SNAPSHOT).to_pylist() == [{"id": "1", "name": "old"}]


def test_the_day_is_found_wherever_its_column_is_declared(context: Bench) -> None:
    declared = report((identity("App", ""), identity("Country", ""), day("Date")), grain=("App",))
    first, second = context.land(
        rows("a,US,2026-11-01", "b,US,2026-11-02", header="App,Country,Date"), of=declared, days=[FIRST, SECOND]
    )
    assert isinstance(first, LandedDay)
    assert isinstance(second, LandedDay)
    assert [row["app"] for each in (FIRST, SECOND) for row in context.rows(each)] == ["a", "b"]
