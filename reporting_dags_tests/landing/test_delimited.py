"""Text that is not the report is refused in one line; text that is arrives as it was sent."""

import pytest

from reporting_dags.model.column import day, identity, measure
from reporting_dags.model.errors import DataError, Partial
from reporting_dags.model.report import DelimitedText
from reporting_dags_tests.landing.answers import FIRST, HEADER, Bench, report, rows

TEXTS = report((day("Date"), identity("A", ""), identity("B", "")), grain=("A",))
MULTILINE = report(TEXTS.columns, grain=("A",), text=DelimitedText(multiline=True))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"Date,App ID,Country,Clicks,Revenue,ARPU\n2026-11-01,\xff,US,1,1,1\n", "not UTF-8"),
        (b"Date,App ID,Country,Clicks,Revenue,ARPU\n2026-11-01,1,US,1,1,1,\xe2\x82", "not UTF-8"),
        (b"Date,App ID,Country,Clicks,Revenue,ARPU\n2026-11-01,\0,US,1,1,1\n", "NUL byte"),
        (b"<html><body>Sorry</body></html>", "is HTML or XML, not rows"),
        (b'\xef\xbb\xbf {"code": 10000}', "is JSON, not rows"),
        (b"Date,Date,App ID\n", "header 'Date' stands twice"),
        (b"Date,App ID,Land,Clicks,Revenue,ARPU\n", "column 'Country' is missing; the answer has Date, App ID, Land,"),
        (f"{HEADER}\n2026-11-01,1,US,1,1,1\n\n2026-11-01,2,US,1,1,1,9\n".encode(), r"row 3 .* has 7 fields"),
        (f"{HEADER}\n2026-11-01,1,US,1,1\n2026-11-01,2,US,1,1,9\n".encode(), r"row 2 .* has 5 fields, the header 6"),
        (f"{HEADER}\n2026-11-1,1,US,1,1,1\n".encode(), "'Date' holds '2026-11-1', which is no day"),
        (f"{HEADER}\n2026-11-31,1,US,1,1,1\n".encode(), "which is no day"),
        (f"{HEADER}\n2026-11-01T01:00:00Z,1,US,1,1,1\n".encode(), "which is no day"),
        (f"{HEADER}\n,1,US,1,1,1\n".encode(), "which is no day"),
    ],
)  # fmt: skip
def test_what_is_not_the_report_is_refused_in_one_line(bench: Bench, body: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as refused:
        bench.land(body)
    assert "\n" not in refused.value.line
    assert refused.value.__cause__ is None or isinstance(refused.value.__cause__, UnicodeDecodeError)
    assert not bench.path().exists()


def test_a_character_may_stand_across_two_reads(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting_dags.landing.survey._CHUNK_BYTES", 7)
    bench.landed(rows("2026-11-01,€€€,ÅÄÖ", header="Date,A,B"), of=TEXTS)
    assert bench.rows() == [{"a": "€€€", "b": "ÅÄÖ"}]


def test_an_answer_cut_within_its_last_row_is_partial(bench: Bench) -> None:
    with pytest.raises(Partial, match="cut off within its last row"):
        bench.land(f"{HEADER}\n2026-11-01,1,US,1,1,1\n2026-11-01,2,U")


def test_a_row_longer_than_a_block_is_told(bench: Bench) -> None:
    with pytest.raises(DataError, match="longer than 2 MiB"):
        bench.land(rows("2026-11-01,1," + "x" * (5 << 20), header="Date,A,B"), of=TEXTS)


@pytest.mark.parametrize("text", ["NA", "null", "nan", "", "007", " a ", "12345678901234567890", "N/A", "-", "#N/A"])
def test_texts_stay_as_they_were_sent(bench: Bench, text: str) -> None:
    bench.landed(rows(f"2026-11-01,x,{text}", header="Date,A,B"), of=TEXTS)
    assert bench.rows() == [{"a": "x", "b": text}]


def test_quotes_and_delimiters_inside_quotes_survive(bench: Bench) -> None:
    bench.landed(rows('2026-11-01,"a,""b""",5" wide', header="Date,A,B"), of=TEXTS)
    assert bench.rows() == [{"a": 'a,"b"', "b": '5" wide'}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_no_rows_whatever_ends_a_line(bench: Bench, end: str) -> None:
    answer = end.join(["", "Date,A,B", "", "2026-11-01,1,2", "", "", "2026-11-01,3,4", "", ""])
    assert bench.landed(answer, of=TEXTS, expected=2).rows == 2


def test_tabs_without_quoting_take_quotes_as_they_are(bench: Bench) -> None:
    tabs = report(TEXTS.columns, grain=("A",), text=DelimitedText(delimiter="\t", quoted=False))
    bench.landed('Date\tA\tB\n20261101\t"x\ty"z\n20261101\t"y\t"\n', of=tabs, expected=2)
    assert bench.rows() == [{"a": '"x', "b": 'y"z'}, {"a": '"y', "b": '"'}]


@pytest.mark.parametrize("chunk", [1, 2, 5, 1 << 20])
def test_breaks_inside_quotes_count_as_none_where_they_may_stand(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("reporting_dags.landing.survey._CHUNK_BYTES", chunk)
    answer = 'Date,A,B\r\n2026-11-01,"1\n\n""2""","\r\n"\r\n\r\n2026-11-01,3,""\r\n'
    assert bench.landed(answer, of=MULTILINE, expected=2).rows == 2
    assert bench.rows() == [{"a": '1\n\n"2"', "b": "\r\n"}, {"a": "3", "b": ""}]


def test_a_quote_left_open_is_partial_where_breaks_may_stand_in_quotes(bench: Bench) -> None:
    with pytest.raises(Partial, match="ends inside a quoted field"):
        bench.land(rows('2026-11-01,"1,2', "2026-11-01,3,4", header="Date,A,B"), of=MULTILINE)


@pytest.mark.parametrize(
    "text", ["2026-11-01", "20261101", "2026-11-01T00:00:00Z", "2026-11-01 00:00:00", "2026-11-01T00:00:00.000+00:00"]
)
def test_a_day_is_read_in_the_forms_that_providers_use(bench: Bench, text: str) -> None:
    counts = report((day("Date"), measure("N", "", unit="n")), grain=())
    result = bench.landed(rows(f"{text},1", header="Date,N"), of=counts)
    assert (result.day, result.rows) == (FIRST, 1)
