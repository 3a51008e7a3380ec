"""What a new version of a day has that the one before had not: rows by their grain, as hashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.hashing import Hashes, row_hashes
from reporting_dags.landing.store import Store
from reporting_dags.model.report import Report


@dataclass(frozen=True, slots=True)
class Restated:
    """Rows whose grain is new, rows whose grain is gone, and rows that are there still with other values."""

    added: int = 0
    gone: int = 0
    changed: int = 0

    def __str__(self) -> str:
        return f"{self.added} rows added, {self.gone} gone, {self.changed} changed"


def restated(report: Report[Any], key: str, store: Store, after: Path) -> Restated | None:
    """Compare the day that lies at `key` with the finished file `after`.

    Returns:
        None where nothing lies there, or what lies there has other columns: then no row is the same.

    Raises:
        StorageError: the store refuses.
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
        raise store.trouble("read", error) from None
    return _compared(old, new)


def _rows(file: pq.ParquetFile, grain: Sequence[str]) -> tuple[Hashes, Hashes]:
    """The hash of each row's grain, in order, and of the whole row."""
    grains, rows = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.uint64)]
    for batch in file.iter_batches():
        rows.append(row_hashes(batch.schema.names, batch.columns))
        columns = [batch.column(name) for name in grain]
        grains.append(row_hashes(grain, columns) if grain else np.zeros(batch.num_rows, dtype=np.uint64))
    found, whole = np.concatenate(grains), np.concatenate(rows)
    order = np.argsort(found, kind="stable")
    return found[order], whole[order]


def _compared(old: tuple[Hashes, Hashes], new: tuple[Hashes, Hashes]) -> Restated:
    common, in_old, in_new = np.intersect1d(old[0], new[0], return_indices=True)
    changed = int(np.count_nonzero(old[1][in_old] != new[1][in_new]))
    return Restated(added=len(new[0]) - len(common), gone=len(old[0]) - len(common), changed=changed)
