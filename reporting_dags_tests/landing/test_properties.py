"""What holds of any table."""

import csv
import io
from collections import Counter
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporting_dags.landing.compute.hashing import DataVersion, compute_data_version, row_hashes
from reporting_dags.landing.reading.partitions import read_days
from reporting_dags.landing.writing.land import LandedDay
from reporting_dags.model.column import MONEY, day, identity, measure, money
from reporting_dags.model.format import DelimitedText
from reporting_dags_tests.landing.answers import FIRST, WINDOW, Bench, report

ANY_TABLE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
COUNT = st.none() | st.integers(-(2**63), 2**63 - 1)
AMOUNT = st.none() | st.integers(-(10**38) + 1, 10**38 - 1).map(
    lambda units: Decimal((int(units < 0), digits(units), -18))
)
ROWS = st.lists(st.tuples(st.integers(0, 2), TEXT, TEXT, COUNT, AMOUNT), max_size=40)

SCHEMA = pa.schema([("a", pa.string()), ("n", pa.int64()), ("m", MONEY), ("t", pa.timestamp("us", "UTC"))])
VALUES = st.fixed_dictionaries(
    {
        "a": st.none() | TEXT,
        "n": COUNT,
        "m": AMOUNT,
        "t": st.none() | st.datetimes(timezones=st.just(UTC)),
    }
)


def digits(units: int) -> tuple[int, ...]:
    return tuple(int(digit) for digit in str(abs(units)))


def written(rows: list[tuple[Any, ...]]) -> str:
    answer = io.StringIO()
    writer = csv.writer(answer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["Day", "Row", "A", "B", "N", "M"])
    for place, (offset, a, b, count, amount) in enumerate(rows):
        fields = ["" if value is None else str(value) for value in (count, amount)]
        writer.writerow([(FIRST + timedelta(days=offset)).isoformat(), place, a, b, *fields])
    return answer.getvalue()


@ANY_TABLE
@given(ROWS)
def test_any_table_comes_home_as_it_was(rows: list[tuple[Any, ...]]) -> None:
    texts = [identity(header, "") for header in ("Row", "A", "B")]
    columns = (day("Day"), *texts, measure("N", "", unit="n"), money("M", "", currency="EUR"))
    declared = report(columns, grain=("Row",), format=DelimitedText(multiline=True))
    with TemporaryDirectory() as folder:
        context = Bench(Path(folder))
        results = context.land(written(rows), of=declared, days=WINDOW.days, expected=len(rows))
        assert all(isinstance(each, LandedDay) for each in results), results
        table = read_days(context.store, declared, WINDOW.days)
    found = [(row["date"], row["row"], row["a"], row["b"], row["n"], row["m"]) for row in table.to_pylist()]
    sent = [(FIRST + timedelta(days=row[0]), str(place), *row[1:]) for place, row in enumerate(rows)]
    assert found == sorted(sent, key=lambda row: (row[0], int(row[1])))
    for each in results:
        assert isinstance(each, LandedDay)
        mine = table.filter(pa.array([row[0] == each.day for row in found], pa.bool_())).drop_columns(["date"])
        assert each.data_version == compute_data_version(mine)
        units = sum(unscaled(row[5]) for row in found if row[0] == each.day and row[5] is not None)
        assert unscaled(each.money["m"]["EUR"]) == units


def unscaled(amount: Decimal) -> int:
    sign, held, exponent = amount.as_tuple()
    assert isinstance(exponent, int)
    number = int("".join(map(str, held))) * 10 ** (exponent + 18)
    return -number if sign else number


@ANY_TABLE
@given(st.lists(VALUES, max_size=30), st.randoms(use_true_random=False), st.integers(1, 7))
def test_a_fingerprint_knows_neither_order_nor_batches(rows: list[dict[str, Any]], chance: Any, step: int) -> None:
    whole = pa.Table.from_pylist(rows, SCHEMA)
    mixed = list(rows)
    chance.shuffle(mixed)
    table = pa.Table.from_pylist(mixed, SCHEMA)
    pieces = pa.concat_tables([SCHEMA.empty_table(), *(table.slice(at, step) for at in range(0, len(rows), step))])
    assert compute_data_version(pieces) == compute_data_version(whole)


@ANY_TABLE
@given(st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=6))
def test_a_fingerprint_tells_other_rows_apart(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    def counted(rows: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
        return Counter(tuple(row[name] for name in SCHEMA.names) for row in rows)

    same = counted(one) == counted(other)
    tables = [pa.Table.from_pylist(rows, SCHEMA) for rows in (one, other)]
    assert (compute_data_version(tables[0]) == compute_data_version(tables[1])) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([{"a": "", "n": 1}], [{"a": None, "n": 1}]),
        ([{"a": "x", "n": 0}], [{"a": "x", "n": None}]),
        ([{"a": "x", "n": 1}, {"a": "y", "n": 2}], [{"a": "x", "n": 2}, {"a": "y", "n": 1}]),
        ([{"a": "x"}, {"a": "x"}], [{"a": "x"}]),
        ([{"a": "x"}, {"a": "x"}], [{"a": "y"}, {"a": "y"}]),
    ],
)
def test_rows_that_look_alike_have_fingerprints_of_their_own(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    tables = [pa.Table.from_pylist(rows, SCHEMA) for rows in (one, other)]
    assert compute_data_version(tables[0]) != compute_data_version(tables[1])


def test_texts_do_not_run_into_one_another() -> None:
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    versions = {
        compute_data_version(pa.table({"a": [a], "b": [b]}, schema=schema))
        for a, b in (("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("c", "ab"))
    }
    assert len(versions) == 5


def test_names_and_types_are_part_of_a_fingerprint() -> None:
    tables = [
        pa.table({"a": pa.array([1], pa.int64())}),
        pa.table({"b": pa.array([1], pa.int64())}),
        pa.table({"a": pa.array([1], pa.int32())}),
        pa.table({"a": pa.array(["1"])}),
    ]
    assert len({compute_data_version(table) for table in tables}) == 4
    assert len({compute_data_version(table.slice(0, 0)) for table in tables}) == 4


def test_a_fingerprint_is_the_same_in_every_process_and_release() -> None:
    table = pa.table({"a": ["x", None], "n": pa.array([1, None], pa.int64())})
    found = DataVersion(table.schema)
    found.add(row_hashes(table.schema.names, [column.combine_chunks() for column in table.columns]))
    assert found.value == compute_data_version(table) == "d57a9a7c14662b6eb41e49efb6c152a0"


def test_hashes_of_a_million_rows_are_a_million() -> None:
    ids = pa.array(np.arange(1_000_000))
    assert len(np.unique(row_hashes(["id"], [ids]))) == 1_000_000
    assert len(np.unique(row_hashes(["id"], [ids.cast(pa.string())]))) == 1_000_000
