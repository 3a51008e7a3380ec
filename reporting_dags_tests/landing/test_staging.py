"""What a landing leaves behind, its own and of killed ones; and a file that is not what was written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags.landing.storage.staging import staging_folder
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.errors import StorageError
from reporting_dags_tests.landing.answers import Bench, rows


def test_what_a_killed_landing_left_is_swept_and_what_a_live_one_holds_stays(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "data"), scratch=tmp_path)
    left = store.staging() / "landing-left"
    left.mkdir()
    (left / "2026-11-01.part").write_bytes(b"half a file")
    with staging_folder(store) as first:
        assert not left.exists()
        with staging_folder(store) as second:
            assert first.exists()
            assert second.stat().st_mode & 0o777 == 0o700
        assert not second.exists()
    assert not first.exists()


def test_a_file_that_says_nothing_of_its_columns_is_not_published(
    context: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = pq.ParquetWriter

    def forgetful(path: Path, schema: pa.Schema, **how: Any) -> pq.ParquetWriter:
        return honest(path, pa.schema([field.remove_metadata() for field in schema]), **how)

    monkeypatch.setattr("reporting_dags.landing.writing.day_files.pq.ParquetWriter", forgetful)
    with pytest.raises(StorageError, match="the finished file reads back"):
        context.landed(rows("2026-11-01,a,US,1,1.5,1"))
    assert not context.path().exists()


def test_a_file_that_reads_back_otherwise_than_it_was_written_is_not_published(
    context: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = pq.ParquetWriter.write_table

    def losing_a_row(writer: pq.ParquetWriter, table: pa.Table, **how: Any) -> None:
        honest(writer, table.slice(1), **how)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", losing_a_row)
    with pytest.raises(StorageError, match="reads back with 1 of 2 rows"):
        context.landed(rows("2026-11-01,a,US,1,1.5,1", "2026-11-01,b,US,2,2.5,1"))


def without_the_last(table: pa.Table) -> pa.Table:
    return table.slice(0, table.num_rows - 1)


def with_more_money(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("revenue")
    return table.set_column(place, table.schema.field(place), pa.array([5] * table.num_rows, table.schema.types[place]))


def with_more_clicks(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("clicks")
    return table.set_column(place, table.schema.field(place), pa.array([5] * table.num_rows, pa.int64()))


@pytest.mark.parametrize("harm", [without_the_last, with_more_money, with_more_clicks])
def test_a_file_of_other_rows_or_values_than_were_decoded_is_not_published(
    context: Bench, monkeypatch: pytest.MonkeyPatch, harm: Callable[[pa.Table], pa.Table]
) -> None:
    honest = pq.ParquetWriter.write_table

    def harming(writer: pq.ParquetWriter, table: pa.Table, **how: Any) -> None:
        honest(writer, harm(table), **how)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", harming)
    with pytest.raises(StorageError, match=r"the finished file reads back with . of 2 rows, or other values"):
        context.landed(rows("2026-11-01,a,US,1,1.5,1", "2026-11-01,b,US,,,"))
    assert not context.path().exists()
    assert context.leftovers() == []
