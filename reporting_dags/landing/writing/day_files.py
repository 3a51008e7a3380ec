"""Writes decoded rows to one Parquet file for each day; many days are open at once, in bounded memory."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reporting_dags.landing.checks.duplicate_keys import DuplicateKeys
from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.landing.compute.hashing import DataVersion, Hashes
from reporting_dags.landing.compute.sums import Sums
from reporting_dags.landing.parsing.decode import Note
from reporting_dags.landing.parsing.pii import is_dropped
from reporting_dags.landing.parsing.total_rows import FileSums
from reporting_dags.landing.storage.origin import Origin
from reporting_dags.landing.writing.split import Piece, Pieces
from reporting_dags.model.report import Report

# Smaller groups cost more time and bytes, larger ones memory (a row group a block: a third more time).
_GROUP_ROWS = 128 << 10
_GROUP_BYTES = 48 << 20
_BUFFER_BYTES = 128 << 20
_WRITERS = 2


class DayFile:
    """The file of one day that is being written: buffered rows, and what is known about all rows."""

    def __init__(self, report: Report, day: date, folder: Path, origin: Origin | None = None) -> None:
        self.day = day
        # No name that a reader's glob over *.parquet could match, hidden folder or not.
        self.path = folder / f"{day.isoformat()}.part"
        self.rows = 0
        self.waiting_rows = 0
        self.waiting_bytes = 0
        self.files: dict[int, FileSums] = {}
        self.data_version = DataVersion(report.schema)
        self.bad: list[Note] = []
        self.rounded: list[Note] = []
        self.changed: list[Note] = []
        self._report = report
        self.strays: list[Note] = []
        self._schema = report.schema
        self._origin = origin
        self._waiting: list[pa.RecordBatch] = []
        self._grains: list[Hashes] = []
        # What is dropped is empty for another reason.
        self._unfilled = [
            each for each in report.stored_columns if not each.documented and not is_dropped(each, report.privacy)
        ]
        self._writer: pq.ParquetWriter | None = None

    def add(self, piece: Piece) -> None:
        """Add rows of this day."""
        self.rows += piece.batch.num_rows
        if piece.part not in self.files:
            self.files[piece.part] = FileSums(self._report)
        self.files[piece.part].add(piece.batch, piece.total_kinds)
        self.data_version.add(piece.rows)
        self._grains.append(piece.grains)
        self._unfilled = [column for column in self._unfilled if not _filled(piece.batch.column(column.name))]
        self._waiting.append(piece.batch)
        self.waiting_rows += piece.batch.num_rows
        self.waiting_bytes += piece.batch.nbytes

    @property
    def sums(self) -> Sums:
        """Return the sums of all rows."""
        result = Sums(self._report)
        for part in self.files.values():
            result.merge(part.sums)
        return result

    def flush(self) -> None:
        """Write the buffered rows as one row group.

        Raises:
            OSError: the staging folder cannot be written.
        """
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, self._schema, compression="zstd", compression_level=1)
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._waiting, self.waiting_rows, self.waiting_bytes = [], 0, 0

    def finish(self) -> None:
        """Write the buffered rows and close the file; a day without rows becomes a typed file without rows.

        Raises:
            OSError: the staging folder cannot be written.
        """
        self.flush()
        writer, self._writer = self._writer, None
        if writer is not None:
            if self._origin is not None:
                writer.add_key_value_metadata(self._origin.metadata)
            writer.close()

    def abandon(self) -> None:
        """Release all resources; the file may be incomplete."""
        self._waiting = []
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()

    def duplicate_keys(self) -> DuplicateKeys:
        """Return the grains that several rows share; can be called once."""
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *self._grains])
        self._grains = []
        return DuplicateKeys.among(hashes)

    @property
    def unfilled(self) -> list[str]:
        """Return the headers of undocumented columns that are empty in every row; none for a day without rows."""
        return [column.header for column in self._unfilled] if self.rows else []


class DayFiles:
    """The files of all requested days; a context manager that releases them."""

    def __init__(self, report: Report, days: Sequence[date], folder: Path, origin: Origin | None = None) -> None:
        self.read = 0
        self._files = {day: DayFile(report, day, folder, origin) for day in days}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.abandon()

    def __getitem__(self, day: date) -> DayFile:
        return self._files[day]

    def add(self, pieces: Pieces) -> None:
        """Add rows of any days, and write the days with enough buffered rows.

        Raises:
            OSError: the staging folder cannot be written.
        """
        self.read += pieces.read
        for note in pieces.bad:
            self._files[note.day].bad.append(note)
        for note in pieces.rounded:
            self._files[note.day].rounded.append(note)
        for note in pieces.changed:
            self._files[note.day].changed.append(note)
        for note in pieces.strays:
            self._files[note.day].strays.append(note)
        for piece in pieces.pieces:
            self._files[piece.day].add(piece)
        self._relieve()

    def finish(self) -> None:
        """Write the remaining rows of every day, in two threads, because many rows can be buffered.

        Raises:
            OSError: the staging folder cannot be written.
        """
        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(DayFile.finish, self._files.values()):
                pass

    def _relieve(self) -> None:
        waiting = sum(file.waiting_bytes for file in self._files.values())
        while self._files:
            largest = max(self._files.values(), key=lambda file: file.waiting_bytes)
            full = largest.waiting_rows >= _GROUP_ROWS or largest.waiting_bytes >= _GROUP_BYTES
            if not full and waiting <= _BUFFER_BYTES:
                return
            waiting -= largest.waiting_bytes
            largest.flush()
            # One at a time while there is room: days fill up together, and the decoder would wait for all of them.
            if waiting <= _BUFFER_BYTES:
                return


def _filled(values: AnyArray) -> bool:
    """Return whether any value is neither null nor an empty text."""
    if values.null_count == len(values):
        return False
    return not pa.types.is_string(values.type) or bool(pc.any(pc.not_equal(values, pa.scalar(""))).as_py())
