"""Compares two versions of a day: rows by their grain, as hashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.compute.hashing import Hashes, row_hashes
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.report import Report

Rows = tuple[Hashes, Hashes]


@dataclass(frozen=True, slots=True)
class RowDiff:
    """Numbers of rows whose grain is new, whose grain is removed, and whose values have changed."""

    added: int = 0
    gone: int = 0
    changed: int = 0

    def __str__(self) -> str:
        return f"{self.added} rows added, {self.gone} gone, {self.changed} changed"


def diff_rows(report: Report, key: str, store: Store, after: Path) -> RowDiff | None:
    """Compare the stored day at `key` with the finished file `after`.

    Returns:
        None if nothing is stored, or if the stored day has other columns, so that no row is equal.

    Raises:
        StorageError: the store cannot be read.
    """
    if not store.exists(key):
        return None
    names = report.grain_names
    try:
        with store.open(key) as file, pq.ParquetFile(file) as before:
            if not before.schema_arrow.equals(report.schema):
                return None
            old = _rows(before, names)
        with pq.ParquetFile(after) as finished:
            new = _rows(finished, names)
    except (OSError, pa.ArrowException) as error:
        raise store.error("read", error) from None
    return _compared(old, new)


def _rows(file: pq.ParquetFile, grain: Sequence[str]) -> Rows:
    """Return the hash of each row's grain, and of the complete row."""
    grains, rows = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.uint64)]
    for batch in file.iter_batches():
        rows.append(row_hashes(batch.schema.names, batch.columns))
        columns = [batch.column(name) for name in grain]
        grains.append(row_hashes(grain, columns) if grain else np.zeros(batch.num_rows, dtype=np.uint64))
    return np.concatenate(grains), np.concatenate(rows)


def _compared(old: Rows, new: Rows) -> RowDiff:
    """Return the numbers of rows that differ. Of rows that share a grain, those in both count as changed."""
    before, after = _unmatched(old, new), _unmatched(new, old)
    first, first_counts = np.unique(before, return_counts=True)
    second, second_counts = np.unique(after, return_counts=True)
    _, in_first, in_second = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    changed = int(np.minimum(first_counts[in_first], second_counts[in_second]).sum())
    return RowDiff(added=after.size - changed, gone=before.size - changed, changed=changed)


def _unmatched(these: Rows, others: Rows) -> Hashes:
    """Return the grains of the rows in `these` that `others` do not have, or have less often."""
    rows, first, counts = np.unique(these[1], return_index=True, return_counts=True)
    other_rows, other_counts = np.unique(others[1], return_counts=True)
    _, here, there = np.intersect1d(rows, other_rows, assume_unique=True, return_indices=True)
    held = np.zeros(rows.size, dtype=np.int64)
    held[here] = other_counts[there]
    return np.repeat(these[0][first], np.maximum(counts - held, 0))
