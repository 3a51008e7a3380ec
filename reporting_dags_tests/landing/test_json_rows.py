"""JSON that is not the response is refused in one line; JSON that is arrives exact, whatever its pages."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting_dags.landing.parsing import json_stream
from reporting_dags.landing.reading.partitions import read_days
from reporting_dags.landing.writing.land import LandedDay
from reporting_dags.model.column import (
    Column,
    TimeForm,
    boolean,
    catch_all,
    day,
    flag,
    identity,
    measure,
    money,
    ratio,
    timestamp,
)
from reporting_dags.model.errors import DataError, Partial, ReportingError
from reporting_dags.model.format import JsonRows
from reporting_dags.model.report import Report
from reporting_dags_tests.landing.answers import FIRST, SECOND, WINDOW, Bench, report

TEXTS = (day("date"), identity("a", ""), identity("b", ""))
PLAIN = JsonRows(rows="data.rows")


def declared(columns: Sequence[Column] = TEXTS, *, form: JsonRows = PLAIN, grain: Sequence[str] = ("a",)) -> Report:
    return report(columns, grain=grain, format=form)


def page(*rows: str, **meta: Any) -> str:
    said = "".join(f"{json.dumps(key)}:{json.dumps(value)}," for key, value in meta.items())
    return f'{{{said}"data":{{"rows":[{",".join(rows)}]}}}}'


def row(a: str, /, **more: str) -> str:
    values = "".join(f',"{key}":{value}' for key, value in more.items())
    return f'{{"date":"2026-11-01","a":"{a}"{values}}}'


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ('"NA"', "NA"),
        ('""', ""),
        ("null", ""),
        ("true", "true"),
        ("false", "false"),
        ("0", "0"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1.10", "1.10"),
        ("1.0", "1.0"),
        ('"\\ud83d\\ude00 \\u00e9 \\\\u0000 \\\\ud83d\\n"', "😀 é \\u0000 \\ud83d\n"),
        ("[]", "[]"),
        (
            '{ "k" : [1, 2.50, 9007199254740993, "é\\"", null, true, {"": 0.036300000000000006}] }',
            '{"k":[1,2.50,9007199254740993,"é\\"",null,true,{"":0.036300000000000006}]}',
        ),
    ],
)
def test_values_become_the_texts_that_they_are(context: Bench, token: str, text: str) -> None:
    context.landed(page(row("x", b=token), row("y", b='"z"')), of=declared())
    assert context.rows() == [{"a": "x", "b": text}, {"a": "y", "b": "z"}]


def test_numbers_are_exact_and_a_fraction_is_no_integer(context: Bench) -> None:
    columns = (*TEXTS[:2], measure("n", "", unit="n"), money("m", "", currency="USD"), boolean("f", ""))
    good = [
        row("x", n="9223372036854775807", m="0.036300000000000006", f="true"),
        row("y", n="-5", m="1.21e-05", f='"false"'),
        row("z", n="null", m="1e2", f="null"),
        row("w", n='"7"', m='"2.5"', f="0"),
        row("v", n="9007199254740993.0", m="1", f="null"),
        row("u", n='"1.2e1"', m="1", f="null"),
    ]
    context.landed(page(*good), of=declared(columns))
    assert [(each["n"], each["m"], each["f"]) for each in context.rows()] == [
        (2**63 - 1, Decimal("0.036300000000000006"), True),
        (-5, Decimal("0.0000121"), False),
        (None, Decimal(100), None),
        (7, Decimal("2.5"), False),
        (2**53 + 1, Decimal(1), None),
        (12, Decimal(1), None),
    ]
    for token in ("5.5", "1e-2", "9223372036854775808", "true", "[1]"):
        told = context.refused(page(row("x", n=token, m="1", f="true")), of=declared(columns))
        assert told.error.line.startswith("column 'n': 1 values are not integers")


@pytest.mark.parametrize("between", ["", "\n", " \r\n\t"])
def test_pages_one_after_another_are_one_answer(context: Bench, between: str) -> None:
    pages = [page(row("x", b="1"), row("y", b="2")), page(), page(row("z", b="3"))]
    assert context.landed(f"\ufeff{between.join(pages)}{between}", of=declared(), expected=3).rows == 3
    assert [each["a"] for each in context.rows()] == ["x", "y", "z"]


def test_an_answer_without_rows_is_an_empty_day(context: Bench) -> None:
    landed = context.landed(page(count=0), of=declared(form=JsonRows(rows="data.rows", count="count")), expected=0)
    assert (landed.outcome, landed.rows, landed.warnings) == ("confirmed empty", 0, ())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("", "empty response"),
        (" \r\n", "empty response"),
        ("\ufeff", "empty response"),
        ("<html></html>", "is not JSON"),
        ("Date,A\n2026-11-01,1\n", "is not JSON"),
        (page(row("x", b="1"))[:-1], "cut off"),
        (page(row("x", b="1"))[:-9], "cut off"),
        (page(row("x", b="1")) + '{"da', "cut off"),
        (page(row("x", b="1")) + ",", "is not JSON"),
        (page(row("x", b="undefined")), "is not JSON: a bare undefined at byte 50$"),
        (page(row("x", b='"é NaN"'), row("y", b="None")), "is not JSON: a bare None at byte 93$"),
        (page(row("x", b="sesame")), "is not JSON, after byte 0$"),
        (page(row("x", b='"NaN')), "cut off"),
        (page(row("x", b="NaN"))[:-1], "cut off"),
        (page(row("x", b="NaN")) + ",", "is not JSON"),
        (page(row("x", b="01")), "is not JSON"),
        (page(row("x", b='"a\nb"')), "is not JSON"),
    ],
)
def test_json_that_is_cut_off_or_none_is_partial(context: Bench, answer: str, told: str) -> None:
    with pytest.raises(Partial, match=told):
        context.land(answer, of=declared())
    assert not context.path().exists()


def test_every_cut_is_seen(context: Bench) -> None:
    answer = page(row("é", b="12.5"), row("y", b='[true,"\\u00e9"]')).encode()
    for length in range(len(answer)):
        with pytest.raises(Partial):
            context.land(answer[:length], of=declared())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b'{"data":{"rows":["\xff"]}}', "not UTF-8"),
        (b'{"data":{"rows":[]}}\0', "NUL byte"),
        (page(row("x", b='"1\\u00002"')), "column 'b' holds a NUL character"),
        (page(row("x", b='"\\ud83d"')), "an unpaired surrogate"),
        (page(row("x", b='"\\\\\\ud83dx"')), "an unpaired surrogate"),
        (page(row("x", b='"\\ude00"')), "cannot be read exactly"),
        (page(row("x", b="1" * 5000)), "a run of 1000 digits or more"),
        (page(row("x", b="1e99999999999999999999")), "cannot be read exactly"),
        (page(row("x", b="[" * 65 + "]" * 65)), "nested more than 64 levels deep"),
        ("[" * 70, "nested more than 64 levels deep"),
        ('{"code":10000,"message":"no"}', "the response has no array 'data.rows'; it has code, message"),
        ('{"data":{"list":[],"n":1}}', "the response has no array 'data.rows'; it has list, n"),
        ('{"data":{"rows":{}}}', "the response has an empty object in place of the array 'data.rows'"),
        ('{"data":{"rows":null}}', "the response has null in place of the array 'data.rows'"),
        ('{"data":{"rows":{"a":1}}}', "the response has an object in place of the array 'data.rows'"),
        ('{"data":{"rows":7}}', "the response has another value in place of the array 'data.rows'"),
        ('{"data":{"rows":null,"rows":[]}}', "'data.rows' is duplicated in the response"),
        ('{"data":{"rows":[],"rows":{}}}', "'data.rows' is duplicated in the response"),
        ('{"data":[{"rows":[]}]}', "the response has no array 'data.rows'; it has data"),
        (page(row("x", b="1")) + "[]", "the response has no array 'data.rows'; it has no keys"),
        (page(row("x", b="1")) + "5", "the response has no array 'data.rows'"),
        ('{"data":{"rows":[],"rows":[]}}', "'data.rows' is duplicated in the response"),
        (page(row("x", b="1"), "[]"), "row 2 is not an object"),
        (page(row("x", b="1")) + page("null"), "row 2 is not an object"),
        (page(row("x", b="1"), row("y", b="1", c="1", a='"z"')), "row 2 has the key 'a' twice"),
        (page(row("x", b="1"), row("y")), "row 2 lacks 'b'"),
        (page(row("x", c="1"), row("y")), "column 'b' is missing; the response has date, a, c"),
    ],
)  # fmt: skip
def test_what_is_not_the_report_is_refused_in_one_line(context: Bench, answer: str | bytes, told: str) -> None:
    with pytest.raises(DataError, match=told.replace("[", r"\[")) as refused:
        context.land(answer, of=declared())
    assert "\n" not in refused.value.line
    assert not context.path().exists()


def test_a_message_about_keys_is_bounded(context: Bench) -> None:
    answer = json.dumps({f"{n}-{'k' * 200}": n for n in range(5000)})
    with pytest.raises(DataError) as refused:
        context.land(answer, of=declared())
    assert len(refused.value.line) < 3000


def test_a_key_may_be_an_alias_and_new_ones_are_told(context: Bench) -> None:
    columns = (*TEXTS[:2], identity("b", "", aliases=("bee", "be")))
    answer = page(row("x", b="1", new="2"), row("y", bee="3"), row("z", be="4", bee="5", more="6"))
    landed = context.landed(answer, of=declared(columns))
    assert [each["b"] for each in context.rows()] == ["1", "3", "5"]
    assert landed.warnings == ("new columns, not landed: new, be, more",)


SPARSE = JsonRows(rows="data.rows", sparse=True)


def test_sparse_rows_may_leave_keys_out(context: Bench) -> None:
    columns = (*TEXTS, measure("n", "", unit="n"), identity("c", "", optional=True))
    landed = context.landed(page(row("x", b="null"), row("y", n="3")), of=declared(columns, form=SPARSE))
    assert context.rows() == [
        {"a": "x", "b": "", "n": None, "c": None},
        {"a": "y", "b": None, "n": 3, "c": None},
    ]
    assert landed.warnings == ()
    landed = context.landed(page(row("x", b="null")), of=declared(columns, form=SPARSE))
    assert landed.warnings == ("columns that no row of the response has: n",)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (['{"date":"2026-11-01","a":"x"}', '{"date":"2026-11-01"}'], "row 2 lacks 'a'"),
        (['{"date":"2026-11-01","b":"x"}'], "column 'a' is missing; the response has date, b"),
        (['{"date":"2026-11-01","a":"x"}', '{"a":"y"}'], "row 2 lacks 'date'"),
    ],
)
def test_grain_and_day_stand_in_every_row_however_sparse(context: Bench, rows: list[str], told: str) -> None:
    with pytest.raises(DataError, match=told):
        context.land(page(*rows), of=declared(form=SPARSE))


COUNTED = JsonRows(rows="data.rows", count="meta.count")


def counted(count: Any, rows: int, start: int = 0) -> str:
    return page(*(row(str(start + n), b="1") for n in range(rows)), meta={"count": count})


@pytest.mark.parametrize(
    "answer",
    [
        counted(2, 2),
        counted("2", 2),
        counted(5, 2) + counted(5, 3, start=2),
        counted(2, 2) + counted(3, 3, start=2),
        counted(0, 0) + counted(0, 0),
        counted(2.0, 2),
        counted("2.00", 2),
        counted(0, 0) + '{"meta":{"count":0},"data":{"rows":null}}',
    ],
)
def test_a_count_may_be_of_all_rows_or_of_each_page(context: Bench, answer: str) -> None:
    landed = context.landed(answer, of=declared(form=COUNTED))
    assert landed.checks[3].facts["rows_expected"] == landed.rows


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (counted(3, 2), "the response has 2 rows, the provider said 3"),
        (counted(0, 2), "the response has 2 rows, the provider said 0"),
        (counted(5, 2) + counted(5, 2, start=2), "the response has 4 rows, the provider said 5"),
        (counted(2, 2) + counted(3, 2, start=2), "the response has 4 rows, the provider said 5"),
        (counted(1, 2) + counted(3, 2, start=2), "the response has 4 rows, the provider said 3"),
        (counted(4, 2) + counted(0, 2, start=2), "the response has 4 rows, the provider said 0"),
    ],
)
def test_another_number_of_rows_than_the_answer_says_refuses_every_day(context: Bench, answer: str, told: str) -> None:
    results = context.land(answer, of=declared(form=COUNTED), days=[FIRST, SECOND])
    assert [each.day for each in results] == [FIRST, SECOND]
    for each in results:
        assert not isinstance(each, LandedDay)
        assert isinstance(each.error, Partial)
        assert each.error.line == told
        assert [check.name for check in each.checks] == ["rows_complete"]
    assert not context.path().exists()


def test_the_callers_number_and_the_answers_own_must_both_hold(context: Bench) -> None:
    for own, expected in ((2, 3), (3, 2)):
        told = context.refused(counted(own, 2), of=declared(form=COUNTED), expected=expected)
        assert told.error.line == "the response has 2 rows, the provider said 3"
    assert context.landed(counted(2, 2), counted(1, 1, start=2), of=declared(form=COUNTED), expected=3).rows == 3


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (page(), "it has no 'meta.count'"),
        (counted(0, 0) + page(), "it has no 'meta.count'"),
        (counted([1], 1), "it has no 'meta.count'"),
        (counted("many", 0), "meta.count is 'many', which is not a number of rows"),
        (counted(2.5, 2), "meta.count is '2.5', which is not a number of rows"),
        (counted("1e30", 2), "meta.count is '1e30', which is not a number of rows"),
        (counted(-1, 1), "meta.count is '-1', which is not a number of rows"),
        (page(meta={"count": True}), "meta.count is 'true', which is not a number of rows"),
        ('{"meta":{"count":0,"count":0},"data":{"rows":[]}}', "'meta.count' is duplicated"),
    ],
)
def test_a_count_that_is_none_is_refused(context: Bench, answer: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        context.land(answer, of=declared(form=COUNTED))


@pytest.mark.parametrize("none", ["null", "{}", "{ }"])
@pytest.mark.parametrize("last", [True, False])
def test_null_or_an_empty_object_beside_a_count_of_0_is_an_empty_day(context: Bench, none: str, last: bool) -> None:
    parts = ['"meta":{"count":0}', f'"data":{{"rows":{none}}}']
    answer = f"{{{','.join(parts if last else reversed(parts))}}}"
    landed = context.landed(answer, of=declared(form=COUNTED))
    assert (landed.outcome, landed.rows, landed.warnings) == ("confirmed empty", 0, ())
    with pytest.raises(DataError, match=r"in place of the array 'data.rows', and meta.count is 3"):
        context.land(answer.replace('"count":0', '"count":3'), of=declared(form=COUNTED))
    with pytest.raises(DataError, match=r"it has no 'meta.count'"):
        context.land(answer.replace('"count"', '"total"'), of=declared(form=COUNTED))


def test_a_value_that_repeats_what_was_asked_may_differ_in_case_alone(context: Bench) -> None:
    answer = page(row("x", b="1"), meta={"currency": "usd"}, status="Success")
    context.landed(context.claiming(answer, meta__currency="USD", status="success"), of=declared())


RATIO = (*TEXTS[:2], ratio("r", "", unit=""), money("m", "", currency="USD"))


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"])
@pytest.mark.parametrize("chunk", [3, 7, 11, 1 << 20])
def test_a_bare_nan_is_null_in_a_ratio_and_named_with_its_place(
    context: Bench, monkeypatch: pytest.MonkeyPatch, token: str, chunk: int
) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK_BYTES", chunk)
    answer = page(row(r"\"NaN, ", r="0.5", m="1"), row("NaN:[", r=token, m="2"), row("z", r=token, m="3"))
    landed = context.landed(answer, of=declared(RATIO))
    assert [(each["a"], each["r"], each["m"]) for each in context.rows()] == [
        ('"NaN, ', Decimal("0.5"), 1),
        ("NaN:[", None, 2),
        ("z", None, 3),
    ]
    place = answer.index(f'"r":{token}') + 4
    assert landed.warnings == (
        (
            "the response contains 2 bare words that are not JSON and were read as texts: "
            f"the first is {token} at byte {place}"
        ),
        f"column 'r': 2 values such as {token!r} were read as null, since a ratio is computed from sums",
    )


def test_a_bare_nan_in_money_is_refused_by_column_and_value(context: Bench) -> None:
    refused = context.refused(page(row("x", r="1", m="NaN")), of=declared(RATIO))
    assert refused.error.line.startswith("column 'm': 1 values are not decimals")
    assert "such as 'NaN'" in refused.error.line
    with pytest.raises(DataError, match="'NaN', which is not a number of rows"):
        context.land('{"meta":{"count":NaN},"data":{"rows":[]}}', of=declared(form=COUNTED))


def test_what_was_asked_must_stand_in_every_page(context: Bench) -> None:
    claims = {"meta__currency": "USD", "page": "7"}
    right = page(row("x", b="1"), meta={"currency": "USD"}, page=7)
    context.landed(context.claiming(right, **claims), of=declared())
    for other, told in (
        (page(meta={"currency": "EUR"}, page=7), r"in the response meta.currency is 'EUR', requested 'USD'"),
        (page(meta={"currency": "USD "}, page=7), r"in the response meta.currency is 'USD ', requested 'USD'"),
        (page(meta={"currency": "USD"}, page=7.0), r"in the response page is '7.0', requested '7'"),
        (page(meta={"currency": "x" * 500}, page=7), r"is 'x{39}…', requested 'USD'"),
        (page(meta={"currency": ["USD"]}, page=7), r"the response has no meta.currency, requested 'USD'"),
        (page(page=7), r"the response has no meta.currency, requested 'USD'"),
    ):
        with pytest.raises(DataError, match=told):
            context.land(context.claiming(right + other, **claims), of=declared())


def test_constants_stand_in_for_keys_that_are_missing_or_empty(context: Bench) -> None:
    for rows in ([row("x"), row("y")], [row("x", b='"7"'), row("y", b="null"), row("z"), row("w", b="7")]):
        context.landed(context.part(page(*rows), b="7"), of=declared())
        assert {each["b"] for each in context.rows()} == {"7"}
    with pytest.raises(DataError, match="column 'b' holds '8' in the response for '7'"):
        context.land(context.part(page(row("x", b="8")), b="7"), of=declared())


def test_the_rest_is_every_other_key_as_texts_in_the_order_of_the_row(context: Bench) -> None:
    columns = (
        *TEXTS[:2],
        identity("b", "", aliases=("bee",)),
        catch_all("more", ""),
        flag("big", "", of="b", texts=("9",)),
    )
    answer = page(
        row("x", z="1.50", b="9", empty='""', nothing="null", list="[1, 2]", c='"é"', ok="true"), row("y", bee="8")
    )
    landed = context.landed(answer, of=declared(columns))
    assert context.rows() == [
        {"a": "x", "b": "9", "more": '{"z":"1.50","list":"[1,2]","c":"é","ok":"true"}', "big": True},
        {"a": "y", "b": "8", "more": "", "big": False},
    ]
    assert landed.warnings == ()


def test_events_take_their_day_from_a_moment(context: Bench) -> None:
    columns = (timestamp("at", "", forms=(TimeForm.UNIX_SECONDS, TimeForm.TEXT)), identity("a", ""))
    events = report(columns, grain=("a",), format=PLAIN, day_from="at", timezone="Asia/Tokyo")
    answer = page('{"at":1793458800,"a":"x"}', '{"at":"2026-11-01T14:59:59Z","a":"y"}')
    assert context.landed(answer, of=events).rows == 2
    assert context.rows()[0]["at"] == datetime(2026, 10, 31, 15, tzinfo=UTC)


def test_many_rows_come_in_bounded_batches(context: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting_dags.landing.parsing.json_rows._BATCH_ROWS", 7)
    monkeypatch.setattr(json_stream, "_CHUNK_BYTES", 1000)
    pages = [page(*(row(f"é{n}", b=str(n)) for n in range(start, start + 500))) for start in range(0, 3000, 500)]
    assert context.landed("".join(pages), of=declared(), expected=3000).rows == 3000
    assert [each["b"] for each in context.rows()] == [str(n) for n in range(3000)]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (page(row("x", b=f'"{"y" * 5000}"')), "a value longer than"),
        (page(row("x", b=f'"{"y " * 2500}"')), "a value longer than"),
        (page(row("x", **{f"k{n}": "1" for n in range(1000)})), "row 1 is longer than"),
        (page(row("x", b=f"[{'1,' * 5000}1]")), "row 1 is longer than"),
    ],
)
def test_what_would_fill_the_memory_is_refused(
    context: Bench, monkeypatch: pytest.MonkeyPatch, answer: str, told: str
) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK_BYTES", 100)
    monkeypatch.setattr(json_stream, "MAX_VALUE_BYTES", 2000)
    monkeypatch.setattr("reporting_dags.landing.parsing.json_scan.MAX_VALUE_BYTES", 2000)
    with pytest.raises(DataError, match=told):
        context.land(answer, of=declared())


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
COUNT = st.none() | st.integers(-(2**63), 2**63 - 1)
AMOUNT = st.none() | st.decimals(-(10**19), 10**19, allow_nan=False, places=18)
ROWS = st.lists(st.tuples(st.integers(0, 2), TEXT, COUNT, AMOUNT, st.none() | st.booleans()), max_size=30)


def written(pages: list[list[tuple[Any, ...]]], *, ascii_only: bool, indent: int | None, bom: bool) -> bytes:
    documents: list[str] = []
    place = 0
    for rows in pages:
        tokens: list[str] = []
        for offset, text, count, amount, truth in rows:
            held = {"date": str(FIRST + timedelta(days=offset)), "id": str(place), "t": text, "n": count, "f": truth}
            # Money by its exact token: Python's own writer has no decimals.
            token = json.dumps(held, ensure_ascii=ascii_only, indent=indent)
            tokens.append(f'{token[:-1]},"m":{"null" if amount is None else amount}}}')
            place += 1
        documents.append(f'{{"meta":{{"count":{len(rows)}}},"data":{{"rows":[{",".join(tokens)}]}}}}')
    return ("\ufeff" * bom + "".join(documents)).encode()


@settings(max_examples=80, deadline=None)
@given(
    st.lists(ROWS, min_size=1, max_size=3), st.booleans(), st.sampled_from([None, 1]), st.booleans(), st.integers(4, 90)
)
def test_any_table_comes_home_from_its_pages_as_it_was(
    pages: list[list[tuple[Any, ...]]], ascii_only: bool, indent: int | None, bom: bool, chunk: int
) -> None:
    columns = (
        day("date"),
        identity("id", ""),
        identity("t", ""),
        measure("n", "", unit="n"),
        money("m", "", currency="USD"),
        boolean("f", ""),
    )
    table = declared(columns, form=COUNTED, grain=("id",))
    rows = [each for some in pages for each in some]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK_BYTES", chunk)
        context = Bench(Path(folder))
        answer = written(pages, ascii_only=ascii_only, indent=indent, bom=bom)
        results = context.land(answer, of=table, days=WINDOW.days, expected=len(rows))
        assert all(isinstance(each, LandedDay) for each in results), results
        found = [tuple(each.values()) for each in read_days(context.store, table, WINDOW.days).to_pylist()]
    sent = [(FIRST + timedelta(days=offset), str(place), *values) for place, (offset, *values) in enumerate(rows)]
    assert found == sorted(sent, key=lambda each: (each[0], int(each[1])))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | st.text('{}[]",:\\u01dea \n', max_size=40).map(str.encode))
def test_no_bytes_whatever_do_more_than_raise_one_line(answer: bytes) -> None:
    with TemporaryDirectory() as folder:
        context = Bench(Path(folder))
        with pytest.raises(ReportingError) as refused:
            context.land(answer, of=declared())
        assert "\n" not in refused.value.line
