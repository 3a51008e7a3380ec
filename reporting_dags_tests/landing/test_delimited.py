"""Text that is not the report is refused in one line; text that is arrives as it was sent."""

from dataclasses import replace

import pyarrow as pa
import pytest

from reporting_dags.model.column import Column, Kind, catch_all, day, flag, identity, measure
from reporting_dags.model.errors import DataError, Partial
from reporting_dags.model.format import DelimitedText
from reporting_dags_tests.landing.answers import FIRST, HEADER, Bench, report, rows

TEXTS = report((day("Date"), identity("A", ""), identity("B", "")), grain=("A",))
MULTILINE = report(TEXTS.columns, grain=("A",), format=DelimitedText(multiline=True))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"Date,App ID,Country,Clicks,Revenue,ARPU\n2026-11-01,\xff,US,1,1,1\n", "not UTF-8"),
        (b"Date,App ID,Country,Clicks,Revenue,ARPU\n2026-11-01,1,US,1,1,1,\xe2\x82", "not UTF-8"),
        (b"Date,App ID,Country,Clicks,Revenue,ARPU\n2026-11-01,\0,US,1,1,1\n", "NUL byte"),
        (b"<html><body>Sorry</body></html>", "is HTML or XML, not rows"),
        (b'\xef\xbb\xbf {"code": 10000}', "is JSON, not rows"),
        (b"Date,Date,App ID\n", "header 'Date' is duplicated"),
        (b"Date,App ID,Land,Clicks,Revenue,ARPU\n", "column 'Country' is missing; the response has Date, App ID,"),
        (f"{HEADER}\n2026-11-01,1,US,1,1,1\n\n2026-11-01,2,US,1,1,1,9\n".encode(), r"row 3 .* has 7 fields"),
        (f"{HEADER}\n2026-11-01,1,US,1,1\n2026-11-01,2,US,1,1,9\n".encode(), r"row 2 .* has 5 fields, the header 6"),
        (f"{HEADER}\n2026-11-1,1,US,1,1,1\n".encode(), "'Date' holds '2026-11-1', which is not a day"),
        (f"{HEADER}\n2026-11-31,1,US,1,1,1\n".encode(), "which is not a day"),
        (f"{HEADER}\n2026-11-01T01:00:00Z,1,US,1,1,1\n".encode(), "which is not a day"),
        (f"{HEADER}\n,1,US,1,1,1\n".encode(), "which is not a day"),
    ],
)  # fmt: skip
def test_what_is_not_the_report_is_refused_in_one_line(context: Bench, body: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as refused:
        context.land(body)
    assert "\n" not in refused.value.line
    assert refused.value.__cause__ is None or isinstance(refused.value.__cause__, UnicodeDecodeError)
    assert not context.path().exists()


def test_a_character_may_stand_across_two_reads(context: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting_dags.landing.parsing.row_count._CHUNK_BYTES", 7)
    context.landed(rows("2026-11-01,€€€,ÅÄÖ", header="Date,A,B"), of=TEXTS)
    assert context.rows() == [{"a": "€€€", "b": "ÅÄÖ"}]


def test_an_answer_cut_within_its_last_row_is_partial(context: Bench) -> None:
    with pytest.raises(Partial, match="cut off within its last row"):
        context.land(f"{HEADER}\n2026-11-01,1,US,1,1,1\n2026-11-01,2,U")


def test_a_row_longer_than_a_block_is_told(context: Bench) -> None:
    with pytest.raises(DataError, match="longer than 2 MiB"):
        context.land(rows("2026-11-01,1," + "x" * (5 << 20), header="Date,A,B"), of=TEXTS)


@pytest.mark.parametrize("text", ["NA", "null", "nan", "", "007", " a ", "12345678901234567890", "N/A", "-", "#N/A"])
def test_texts_stay_as_they_were_sent(context: Bench, text: str) -> None:
    context.landed(rows(f"2026-11-01,x,{text}", header="Date,A,B"), of=TEXTS)
    assert context.rows() == [{"a": "x", "b": text}]


def test_quotes_and_delimiters_inside_quotes_survive(context: Bench) -> None:
    context.landed(rows('2026-11-01,"a,""b""",5" wide', header="Date,A,B"), of=TEXTS)
    assert context.rows() == [{"a": 'a,"b"', "b": '5" wide'}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_no_rows_whatever_ends_a_line(context: Bench, end: str) -> None:
    answer = end.join(["", "Date,A,B", "", "2026-11-01,1,2", "", "", "2026-11-01,3,4", "", ""])
    assert context.landed(answer, of=TEXTS, expected=2).rows == 2


def test_tabs_without_quoting_take_quotes_as_they_are(context: Bench) -> None:
    tabs = report(TEXTS.columns, grain=("A",), format=DelimitedText(delimiter="\t", quoted=False))
    context.landed('Date\tA\tB\n20261101\t"x\ty"z\n20261101\t"y\t"\n', of=tabs, expected=2)
    assert context.rows() == [{"a": '"x', "b": 'y"z'}, {"a": '"y', "b": '"'}]


@pytest.mark.parametrize("chunk", [1, 2, 5, 1 << 20])
def test_breaks_inside_quotes_count_as_none_where_they_may_stand(
    context: Bench, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("reporting_dags.landing.parsing.row_count._CHUNK_BYTES", chunk)
    answer = 'Date,A,B\r\n2026-11-01,"1\n\n""2""","\r\n"\r\n\r\n2026-11-01,3,""\r\n'
    assert context.landed(answer, of=MULTILINE, expected=2).rows == 2
    assert context.rows() == [{"a": '1\n\n"2"', "b": "\r\n"}, {"a": "3", "b": ""}]


def test_a_quote_left_open_is_partial_where_breaks_may_stand_in_quotes(context: Bench) -> None:
    with pytest.raises(Partial, match="ends inside a quoted field"):
        context.land(rows('2026-11-01,"1,2', "2026-11-01,3,4", header="Date,A,B"), of=MULTILINE)


@pytest.mark.parametrize(
    "text", ["2026-11-01", "20261101", "2026-11-01T00:00:00Z", "2026-11-01 00:00:00", "2026-11-01T00:00:00.000+00:00"]
)
def test_a_day_is_read_in_the_forms_that_providers_use(context: Bench, text: str) -> None:
    counts = report((day("Date"), measure("N", "", unit="n")), grain=())
    result = context.landed(rows(f"{text},1", header="Date,N"), of=counts)
    assert (result.day, result.rows) == (FIRST, 1)


def test_an_optional_column_that_is_not_there_is_null(context: Bench) -> None:
    count = Column(header="N", kind=Kind.MEASURE, type=pa.int64(), optional=True)
    columns = (day("Date"), identity("A", ""), identity("B", "", optional=True), count)
    landed = context.landed(rows("2026-11-01,x", header="Date,A"), of=report(columns, grain=("A",)))
    assert context.rows() == [{"a": "x", "b": None, "n": None}]
    assert landed.warnings == ()
    context.landed(rows("2026-11-01,x,,7", header="Date,A,B,N"), of=report(columns, grain=("A",)))
    assert context.rows() == [{"a": "x", "b": "", "n": 7}]


def test_a_flag_is_worked_out_from_the_texts_of_another_column(context: Bench) -> None:
    masked = flag("B", "", of="A", texts=("", "masked"))
    flagged = report((day("Date"), identity("A", ""), masked), grain=("A",))
    landed = context.landed(rows(*(f"2026-11-01,{a},1" for a in ("x", "", "masked")), header="Date,A,B"), of=flagged)
    assert context.rows() == [{"a": "x", "b": False}, {"a": "", "b": True}, {"a": "masked", "b": True}]
    assert landed.warnings == ("new columns, not landed: B",)


def test_a_flag_of_a_column_that_is_not_there_takes_it_for_empty(context: Bench) -> None:
    columns = (
        day("Date"),
        identity("A", "", optional=True),
        flag("None", "", of="A", texts=("",)),
        flag("Some", "", of="A", texts=("x",)),
    )
    context.landed(rows("2026-11-01", header="Date"), of=report(columns, grain=()))
    assert context.rows() == [{"a": None, "none": True, "some": False}]


REST = report((*TEXTS.columns[:2], catch_all("More", "")), grain=("A",), format=DelimitedText(ignored=("Junk",)))


def test_the_rest_is_every_other_column_in_the_order_of_the_file(context: Bench) -> None:
    lines = ['2026-11-01,2,x,"é ""q""",j,m', "2026-11-01,,y,,j,"]
    landed = context.landed(rows(*lines, header="Date,Zeta,A,Beta,Junk,More"), of=REST)
    assert context.rows() == [
        {"a": "x", "more": r'{"Zeta":"2","Beta":"é \"q\"","More":"m"}'},
        {"a": "y", "more": ""},
    ]
    assert landed.warnings == ()


def test_without_other_columns_the_rest_is_empty(context: Bench) -> None:
    context.landed(rows("2026-11-01,x", header="Date,A"), of=REST)
    assert context.rows() == [{"a": "x", "more": ""}]


def test_ignored_columns_are_neither_landed_nor_told(context: Bench) -> None:
    ignoring = report(TEXTS.columns, grain=("A",), format=DelimitedText(ignored=("C", "D")))
    landed = context.landed(rows("2026-11-01,1,2,3,4", header="Date,A,B,C,E"), of=ignoring)
    assert landed.warnings == ("new columns, not landed: E",)
    assert context.rows() == [{"a": "1", "b": "2"}]


def test_an_empty_field_takes_the_constant_and_another_value_is_refused(context: Bench) -> None:
    answer = rows("2026-11-01,x,7", "2026-11-01,y,", header="Date,A,B")
    context.landed(context.part(answer, B="7"), of=TEXTS)
    assert [row["b"] for row in context.rows()] == ["7", "7"]
    with pytest.raises(DataError, match="column 'B' holds '7' in the response for '8'"):
        context.land(context.part(answer, B="8"), of=TEXTS)


def test_lines_of_text_have_no_place_for_claims(context: Bench) -> None:
    part = replace(context.part(rows("2026-11-01,x,7", header="Date,A,B")), expected_echo={"meta.currency": "USD"})
    with pytest.raises(ValueError, match="cannot repeat the request"):
        context.land(part, of=TEXTS)
