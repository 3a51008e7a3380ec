"""Rows of many days wait in bounded memory: what is written when, and that all of it is in the file at last."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags.landing.parsing.decode import DecodedBatch, Note
from reporting_dags.landing.parsing.row_days import ordinal_of
from reporting_dags.landing.writing.day_files import DayFiles
from reporting_dags.landing.writing.split import Piece, Pieces, split
from reporting_dags_tests.landing.answers import FIRST, SECOND, THIRD, report

DAYS = (FIRST, SECOND, THIRD)
LIMITS = "reporting_dags.landing.writing.day_files"


def batch(rows: int, start: int = 0) -> pa.RecordBatch:
    schema = report().schema
    columns = {name: [None] * rows for name in schema.names} | {"clicks": list(range(start, start + rows))}
    return pa.RecordBatch.from_pydict(columns, schema=schema)


BYTES = batch(10).nbytes


def piece(day: date, rows: int, start: int = 0) -> Piece:
    hashes = np.arange(start, start + rows, dtype=np.uint64)
    return Piece(day=day, batch=batch(rows, start), rows=hashes, grains=hashes)


def pieces(*some: Piece, bad: Sequence[Note] = ()) -> Pieces:
    return Pieces(read=sum(one.batch.num_rows for one in some), pieces=some, bad=tuple(bad), rounded=())


def write(files: DayFiles, one: Piece) -> None:
    files.add(pieces(one))
    files[one.day].flush()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[DayFiles]:
    with DayFiles(report(), DAYS, tmp_path) as made:
        yield made


def waiting(files: DayFiles) -> list[int]:
    return [files[day].waiting_rows for day in DAYS]


def test_rows_wait_until_they_make_a_row_group(files: DayFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{LIMITS}._GROUP_ROWS", 30)
    for rows, expected in ((20, 20), (9, 29), (1, 0), (40, 0), (10, 10)):
        files.add(pieces(piece(FIRST, rows)))
        assert waiting(files) == [expected, 0, 0]
    files.finish()
    with pq.ParquetFile(files[FIRST].path) as file:
        assert [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)] == [30, 40, 10]


def test_a_group_is_made_of_few_rows_where_they_are_large(files: DayFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{LIMITS}._GROUP_BYTES", 2 * BYTES)
    for expected in (10, 0, 10, 0):
        files.add(pieces(piece(FIRST, 10)))
        assert waiting(files) == [expected, 0, 0]


def test_when_all_days_together_fill_the_memory_the_largest_are_written(
    files: DayFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIMITS}._BUFFER_BYTES", 3 * BYTES)
    files.add(pieces(piece(FIRST, 10), piece(SECOND, 10), piece(THIRD, 10)))
    assert waiting(files) == [10, 10, 10], "as much as may wait"
    files.add(pieces(piece(SECOND, 10)))
    assert waiting(files) == [10, 0, 10]
    monkeypatch.setattr(f"{LIMITS}._BUFFER_BYTES", BYTES * 3 // 2)
    files.add(pieces(piece(SECOND, 10)))
    assert sorted(waiting(files)) == [0, 0, 10], "as many as need be"


def test_days_that_fill_up_together_are_written_one_at_a_time(files: DayFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{LIMITS}._GROUP_ROWS", 10)
    files.add(pieces(piece(FIRST, 10), piece(SECOND, 12)))
    assert waiting(files) == [10, 0, 0]
    files.add(pieces())
    assert waiting(files) == [0, 0, 0]


def test_all_rows_are_in_the_file_in_their_order_and_every_day_has_one(
    files: DayFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIMITS}._GROUP_ROWS", 25)
    note = Note(day=SECOND, column="Clicks", example="x", count=1)
    for start in range(0, 100, 10):
        files.add(pieces(piece(FIRST, 10, start), bad=[note]))
    files.finish()
    assert pq.read_table(files[FIRST].path).column("clicks").to_pylist() == list(range(100))
    assert [files[day].rows for day in DAYS] == [100, 0, 0]
    assert files.read == 100
    assert (files[FIRST].bad, len(files[SECOND].bad), files[SECOND].rounded) == ([], 10, [])
    assert pq.read_table(files[THIRD].path).schema.equals(report().schema, check_metadata=True)


def test_a_full_disk_is_what_is_told_though_closing_fails_as_well(tmp_path: Path, small_files: None) -> None:
    noise = np.random.default_rng(7).integers(0, 2**62, 100_000).tolist()
    schema = report().schema
    columns = {name: [None] * len(noise) for name in schema.names} | {"clicks": noise}
    large = replace(piece(FIRST, 1), batch=pa.RecordBatch.from_pydict(columns, schema=schema))
    with pytest.raises(OSError, match="File too large"), DayFiles(report(), DAYS, tmp_path) as files:
        write(files, large)


def test_grains_that_stand_twice_are_found_over_all_pieces_and_each_once(files: DayFiles) -> None:
    files.add(pieces(piece(FIRST, 4), piece(SECOND, 4)))
    files.add(pieces(piece(FIRST, 2, 3), piece(FIRST, 1, 3)))
    assert files[FIRST].duplicate_keys().grains.tolist() == [3]
    assert files[SECOND].duplicate_keys().grains.tolist() == []
    assert files[THIRD].duplicate_keys().grains.tolist() == []


def decoded(rows: int, day: date = FIRST) -> DecodedBatch:
    hashes = np.arange(rows, dtype=np.uint64)
    days = np.full(rows, ordinal_of(day), dtype=np.int32)
    return DecodedBatch(rows_read=rows + 1, batch=batch(rows), days=days, row_hashes=hashes, grain_hashes=hashes + 1)


@pytest.mark.parametrize(("limit", "at"), [("_GATHER_ROWS", 20), ("_GATHER_BYTES", 2 * BYTES)])
def test_rows_are_gathered_before_they_are_told_apart(monkeypatch: pytest.MonkeyPatch, limit: str, at: int) -> None:
    monkeypatch.setattr(f"reporting_dags.landing.writing.split.{limit}", at)
    gathered = list(split([decoded(10), decoded(10, SECOND), decoded(10), decoded(10), decoded(10)]))
    assert [[(one.day, one.batch.num_rows) for one in each.pieces] for each in gathered] == [
        [(FIRST, 10), (SECOND, 10)],
        [(FIRST, 20)],
        [(FIRST, 10)],
    ]
    assert [each.read for each in gathered] == [22, 22, 11]
    assert gathered[0].pieces[1].grains.tolist() == list(range(1, 11))
    assert gathered[0].pieces[1].rows.tolist() == list(range(10))
    assert list(split([])) == []


def test_a_stretch_without_a_wanted_row_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    (nothing,) = split([decoded(0)])
    assert (nothing.read, nothing.pieces) == (1, ())
