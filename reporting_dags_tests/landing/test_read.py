"""Published days come back as one table, exact."""

from datetime import date
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from reporting_dags.landing.reading.partitions import Adapted, read_days, to_pandas
from reporting_dags.model.column import Column, measure, money, number
from reporting_dags.model.errors import StorageError
from reporting_dags_tests.landing.answers import COLUMNS, FIRST, HEADER, SECOND, THIRD, Bench, report, rows


def test_days_come_in_the_order_asked_behind_their_date(context: Bench) -> None:
    context.land(rows("2026-11-01,1,US,1,0.1,1", "2026-11-02,2,US,9007199254740993,,1"), days=[FIRST, SECOND, THIRD])
    table = read_days(context.store, report(), [SECOND, THIRD, FIRST])
    assert table.schema.names == ["date", *report().schema.names]
    assert table.column("date").to_pylist() == [SECOND, FIRST]
    frame = to_pandas(table)
    assert frame["clicks"].tolist() == [9007199254740993, 1]
    assert frame["revenue"].tolist() == [pd.NA, Decimal("0.1")]
    assert str(frame["revenue"].dtype) == "decimal128(38, 18)[pyarrow]"


def test_a_day_that_is_not_there_is_named(context: Bench) -> None:
    context.land(rows("2026-11-01,1,US,1,1,1"))
    with pytest.raises(StorageError, match="dt_offer_wall/event 2026-11-02: no such partition"):
        read_days(context.store, report(), [FIRST, SECOND])
    assert read_days(context.store, report(), [FIRST, SECOND], allow_missing=True).num_rows == 1
    assert read_days(context.store, report(), [date(2020, 1, 1)], allow_missing=True).num_rows == 0


SIZE = measure("Size", "added later", unit="bytes")


def test_a_column_that_was_added_later_is_null_in_older_days_and_said_so(context: Bench) -> None:
    context.land(rows("2026-11-01,1,US,1,1,1"))
    later = report((*COLUMNS, SIZE))
    header = f"{HEADER},Size"
    context.landed(rows("2026-11-02,2,US,1,1,1,77", header=header), of=later, days=[SECOND])
    noted: list[tuple[date, Adapted]] = []
    table = read_days(context.store, later, [FIRST, SECOND], adapted=lambda day, how: noted.append((day, how)))
    assert table.schema.equals(pa.schema([pa.field("date", pa.date32()), *later.schema]))
    assert table.column("size").to_pylist() == [None, 77]
    assert table.column("revenue").to_pylist() == [1, 1]
    assert noted == [(FIRST, Adapted(filled=("size",), dropped=()))]


def test_a_column_that_is_declared_no_longer_is_left_out_and_said_so(context: Bench) -> None:
    context.land(rows("2026-11-01,1,US,1,1,1"))
    noted: list[tuple[date, Adapted]] = []
    fewer = report([column for column in COLUMNS if column.header != "Clicks"])
    table = read_days(context.store, fewer, [FIRST], adapted=lambda day, how: noted.append((day, how)))
    assert table.schema.names == ["date", "app_id", "country", "revenue", "arpu"]
    assert noted == [(FIRST, Adapted(filled=(), dropped=("clicks",)))]


def test_columns_that_merely_stand_in_another_order_are_read_in_the_order_of_the_declaration(context: Bench) -> None:
    context.land(rows("2026-11-01,1,US,1,1,1"))
    noted: list[tuple[date, Adapted]] = []
    turned = report((COLUMNS[0], *COLUMNS[:0:-1]))
    table = read_days(context.store, turned, [FIRST], adapted=lambda day, how: noted.append((day, how)))
    assert table.schema.names == ["date", "arpu", "revenue", "clicks", "country", "app_id"]
    assert noted == []


@pytest.mark.parametrize(
    ("column", "line"),
    [
        (number("Clicks", "clicks"), "column clicks is int64 in the file, decimal128(38, 18) in the declaration"),
        (money("Revenue", "earned", currency="EUR"), "column revenue is in USD in the file, EUR in the declaration"),
        (
            money("Revenue", "earned", currency_from="Country"),
            "column revenue is in USD in the file, the currency of Country in the declaration",
        ),
    ],
)
def test_a_column_of_another_type_or_currency_is_refused_with_advice_that_can_be_followed(
    context: Bench, column: Column, line: str
) -> None:
    context.land(rows("2026-11-01,1,US,1,1,1"))
    changed = report([column if column.header == one.header else one for one in COLUMNS])
    with pytest.raises(StorageError) as caught:
        read_days(context.store, changed, [FIRST])
    assert f"dt_offer_wall/event 2026-11-01: {line}" in caught.value.message
    for way in ("replay", "while the provider serves", "declare the column"):
        assert way in caught.value.advice


def test_a_file_that_is_no_parquet_is_refused(context: Bench) -> None:
    context.land(rows("2026-11-01,1,US,1,1,1"))
    context.path().write_bytes(b"PAR1 no more")
    with pytest.raises(StorageError, match="cannot be read as Parquet"):
        read_days(context.store, report(), [FIRST])
