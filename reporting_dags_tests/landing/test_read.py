"""Published days come back as one table, exact."""

from datetime import date
from decimal import Decimal

import pandas as pd
import pytest

from reporting_dags.landing.read import read_days, to_pandas
from reporting_dags.model.errors import StorageError
from reporting_dags_tests.landing.answers import COLUMNS, FIRST, SECOND, THIRD, Bench, report, rows


def test_days_come_in_the_order_asked_behind_their_date(bench: Bench) -> None:
    bench.land(rows("2026-11-01,1,US,1,0.1,1", "2026-11-02,2,US,9007199254740993,,1"), days=[FIRST, SECOND, THIRD])
    table = read_days(bench.store, report(), [SECOND, THIRD, FIRST])
    assert table.schema.names == ["date", *report().schema.names]
    assert table.column("date").to_pylist() == [SECOND, FIRST]
    frame = to_pandas(table)
    assert frame["clicks"].tolist() == [9007199254740993, 1]
    assert frame["revenue"].tolist() == [pd.NA, Decimal("0.1")]
    assert str(frame["revenue"].dtype) == "decimal128(38, 18)[pyarrow]"


def test_a_day_that_is_not_there_is_named(bench: Bench) -> None:
    bench.land(rows("2026-11-01,1,US,1,1,1"))
    with pytest.raises(StorageError, match="dt_offer_wall/event 2026-11-02: no such partition"):
        read_days(bench.store, report(), [FIRST, SECOND])
    assert read_days(bench.store, report(), [FIRST, SECOND], allow_missing=True).num_rows == 1
    assert read_days(bench.store, report(), [date(2020, 1, 1)], allow_missing=True).num_rows == 0


def test_a_file_of_other_columns_is_refused_not_converted(bench: Bench) -> None:
    bench.land(rows("2026-11-01,1,US,1,1,1"))
    with pytest.raises(StorageError, match="has other columns than the report declares now"):
        read_days(bench.store, report(COLUMNS[:-1]), [FIRST])
    bench.path().write_bytes(b"PAR1 no more")
    with pytest.raises(StorageError, match="cannot be read as Parquet"):
        read_days(bench.store, report(), [FIRST])
