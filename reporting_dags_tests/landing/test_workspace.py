"""What a landing leaves behind, its own and of killed ones; and a file that is not what was written."""

import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags.landing.store import open_store
from reporting_dags.landing.workspace import workspace
from reporting_dags.model.errors import StorageError
from reporting_dags_tests.landing.answers import Bench, rows


def test_what_a_killed_landing_left_a_week_ago_is_swept_and_what_is_recent_stays(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "data"), scratch=tmp_path)
    old, recent = (store.staging() / f"landing-{name}" for name in ("old", "recent"))
    for folder in (old, recent):
        folder.mkdir()
        (folder / "2026-11-01.part").write_bytes(b"half a file")
    long_ago = time.time() - 8 * 86400
    for path in (old / "2026-11-01.part", old):
        os.utime(path, (long_ago, long_ago))
    with workspace(store) as mine:
        assert not old.exists()
        assert recent.exists()
        assert mine.stat().st_mode & 0o777 == 0o700
    assert not mine.exists()


def test_a_file_that_reads_back_otherwise_than_it_was_written_is_not_published(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = pq.ParquetWriter.write_table

    def losing_a_row(writer: pq.ParquetWriter, table: pa.Table, **how: Any) -> None:
        honest(writer, table.slice(1), **how)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", losing_a_row)
    with pytest.raises(StorageError, match="reads back with 1 of 2 rows"):
        bench.landed(rows("2026-11-01,a,US,1,1.5,1", "2026-11-01,b,US,2,2.5,1"))
