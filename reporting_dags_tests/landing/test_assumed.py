"""What no document promises blocks no day: keys that rows share, and columns that the provider may not know."""

from dataclasses import replace

import pytest

from reporting_dags.landing.writing.land import LandedDay
from reporting_dags.model.column import Column, day, identity, measure, money
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import JsonRows
from reporting_dags.model.privacy import Personal, PersonalData, Privacy
from reporting_dags_tests.landing.answers import FIRST, SECOND, Bench, report, rows

HEADER = "Date,Id,Event,Earned"
COLUMNS = (day("Date"), identity("Id", ""), identity("Event", ""), money("Earned", "", currency="USD"))
ASSUMED = report(COLUMNS, grain=("Id", "Event"), grain_promised=False)
SHARED = rows(
    "2026-11-01,a,1,1", "2026-11-01,b,,2", "2026-11-01,a,1,1", "2026-11-01,b,,4", "2026-11-01,b,,8", "2026-11-01,c,,16",
    header=HEADER,
)  # fmt: skip


def test_rows_that_share_an_assumed_key_land_with_a_warning_that_counts_them_and_names_one(context: Bench) -> None:
    landed = context.landed(SHARED, of=ASSUMED)
    assert landed.rows == 6
    assert str(landed.money["earned"]["USD"].normalize()) == "32"
    told = "5 rows share 2 keys of id, event, such as id="
    (warning,) = landed.warnings
    assert warning.startswith(told)
    assert warning.endswith(": no document promises that keys are unique")
    check = landed.checks[1]
    assert (check.name, check.passed, check.blocking, check.detail) == ("grain_unique", False, False, warning)
    assert dict(check.facts) == {"rows": 6, "rows_sharing_keys": 5, "shared_keys": 2}


def test_the_example_is_the_key_that_most_rows_share(context: Bench) -> None:
    assert "such as id=b, event= (3 rows)" in context.landed(SHARED, of=ASSUMED).warnings[0]


def test_days_of_one_answer_are_judged_alone(context: Bench) -> None:
    more = rows("2026-11-01,a,1,1", "2026-11-02,a,1,1", "2026-11-02,a,1,1", header=HEADER)
    first, second = context.land(more, of=ASSUMED, days=[FIRST, SECOND])
    assert isinstance(first, LandedDay)
    assert isinstance(second, LandedDay)
    assert (first.warnings, first.checks[1].detail) == ((), "unique by id, event")
    assert "2 rows share 1 keys" in second.warnings[0]


def test_what_else_is_wrong_blocks_such_a_day_as_any(context: Bench) -> None:
    refused = context.refused(rows("2026-11-01,a,1,x", "2026-11-01,a,1,1", header=HEADER), of=ASSUMED)
    assert (
        refused.error.message
        == "column 'Earned': 1 values are not decimals (of at most 20 digits before the point), such as 'x'"
    )
    assert [check.name for check in refused.checks if not check.passed] == ["schema", "grain_unique"]


def test_a_promised_key_refuses_its_day(context: Bench) -> None:
    refused = context.refused(SHARED, of=report(COLUMNS, grain=("Id", "Event")))
    assert "grain twice: id=b, event= (3 rows, 2 grains in all)" in refused.error.message


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        (PersonalData.HASH, ", such as device=… (2 rows)"),
        (PersonalData.KEEP, ", such as device=… (2 rows)"),
        (PersonalData.DROP, ""),
    ],
)
def test_a_personal_key_is_not_shown(context: Bench, mode: PersonalData, shown: str) -> None:
    columns = (day("Date"), identity("Device", "", personal=Personal.DEVICE))
    people = report(columns, grain=("Device",), grain_promised=False, privacy=Privacy(mode))
    landed = context.landed(rows("2026-11-01,abc", "2026-11-01,abc", "2026-11-01,d", header="Date,Device"), of=people)
    assert landed.warnings[0] == f"2 rows share 1 keys of device{shown}: no document promises that keys are unique"


def test_whether_a_key_is_promised_makes_no_landed_day_due_again() -> None:
    assert ASSUMED.version == report(COLUMNS, grain=("Id", "Event")).version
    undocumented = tuple(replace(column, documented=False) for column in COLUMNS)
    assert report(undocumented, grain=("Id", "Event")).version == ASSUMED.version


# Keys of JSON rows, which may be left out.

SPARSE = JsonRows(rows="rows", sparse=True)
EVENTS = report((day("date"), identity("id", ""), identity("event", "")), grain=("id", "event"), format=SPARSE)


def page(*found: str) -> str:
    return f'{{"rows": [{", ".join(found)}]}}'


def test_a_row_may_leave_out_an_assumed_key_and_no_promised_one(context: Bench) -> None:
    sent = page('{"date":"2026-11-01","id":"x","event":"1"}', '{"date":"2026-11-01","id":"x"}', '{"date":"2026-11-01"}')
    landed = context.landed(sent, of=replace(EVENTS, grain_promised=False))
    assert [row["event"] for row in context.rows()] == ["1", None, None]
    assert landed.checks[1].passed
    with pytest.raises(DataError, match="row 3 lacks 'id'"):
        context.land(sent, of=EVENTS)


def test_an_assumed_key_that_no_row_has_is_a_warning_and_beside_a_new_key_a_renamed_one(context: Bench) -> None:
    assumed = replace(EVENTS, grain_promised=False)
    landed = context.landed(page('{"date":"2026-11-01","id":"x"}', '{"date":"2026-11-01","id":"x"}'), of=assumed)
    assert landed.warnings[0] == "columns that no row of the response has: event"
    assert "2 rows share 1 keys of id, event, such as id=x, event=None (2 rows)" in landed.warnings[1]
    with pytest.raises(DataError, match="column 'event' is missing; the response has date, id, evt"):
        context.land(page('{"date":"2026-11-01","id":"x","evt":"1"}'), of=assumed)


# Columns that the provider may not know.


def unnamed(*columns: Column) -> tuple[Column, ...]:
    return tuple(replace(column, documented=False) for column in columns)


EMPTY = "columns that every row leaves empty, and that the provider's document does not name"


@pytest.mark.parametrize(
    ("lines", "warned"),
    [
        (("2026-11-01,a,,", "2026-11-01,b,,"), "Note, Clicks"),
        (("2026-11-01,a,,", "2026-11-01,b,x,"), "Clicks"),
        (("2026-11-01,a,,0", "2026-11-01,b,,"), "Note"),
        (("2026-11-01,a,x,1",), ""),
        (("2026-11-02,a,x,1",), ""),
        ((), ""),
    ],
)
def test_an_undocumented_column_that_every_row_of_the_day_leaves_empty_is_a_warning(
    context: Bench, lines: tuple[str, ...], warned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting_dags.landing.writing.split._GATHER_ROWS", 1)
    columns = (day("Date"), identity("Id", ""), *unnamed(identity("Note", ""), measure("Clicks", "", unit="clicks")))
    landed = context.landed(rows(*lines, header="Date,Id,Note,Clicks"), of=report(columns, grain=("Id",)))
    assert landed.warnings == ((f"{EMPTY}: {warned}",) if warned else ())
    documented = report(tuple(replace(column, documented=True) for column in columns), grain=("Id",))
    assert context.landed(rows(*lines, header="Date,Id,Note,Clicks"), of=documented).warnings == ()


def test_a_column_that_is_left_out_is_as_empty_and_a_personal_one_that_is_dropped_is_not(context: Bench) -> None:
    who = identity("Who", "", personal=Personal.EMAIL)
    columns = (day("Date"), identity("Id", ""), *unnamed(replace(who, optional=True), identity("Note", "")))
    columns = tuple(replace(column, optional=column.header in {"Who", "Note"}) for column in columns)
    for privacy, warned in ((Privacy(PersonalData.KEEP), "Who, Note"), (Privacy(PersonalData.DROP), "Note")):
        declared = report(columns, grain=("Id",), privacy=privacy)
        assert context.landed(rows("2026-11-01,a", header="Date,Id"), of=declared).warnings == (f"{EMPTY}: {warned}",)
