"""Finds rows of a day with duplicate keys: hashes select candidates, and the rows themselves are compared."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.compute.hashing import Hashes, row_hashes
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.column import Column

_CONFIRMED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class DuplicateKeys:
    """The hashes of grains that several rows of a day share, each once, and the number of those rows."""

    grains: Hashes
    rows: int

    @classmethod
    def among(cls, hashes: Hashes) -> "DuplicateKeys":
        """Return the duplicates among the grain hashes of a day, which are sorted in place."""
        hashes.sort()
        again = hashes[1:][hashes[1:] == hashes[:-1]]
        grains = np.unique(again)
        return cls(grains, int(again.size + grains.size))


def describe_duplicates(path: Path, grain: Sequence[Column], suspects: Hashes) -> str:
    """Return the duplicates of a finished file as text; empty if only hashes of different rows were equal by chance.

    Args:
        path: the file.
        grain: the columns of the key; if empty, the file may contain one row.
        suspects: the hashes that occur more than once.

    Returns:
        `grain twice: country=US (2 rows, 5 grains in all)`.
    """
    if not grain:
        return f"{pq.read_metadata(path).num_rows} rows, where a day is one row" if suspects.size else ""
    shown, rows, grains = confirmed_duplicates(path, grain, suspects)
    return f"grain twice: {shown} ({rows} rows, {grains} grains in all)" if rows else ""


def confirmed_duplicates(path: Path, grain: Sequence[Column], suspects: Hashes) -> tuple[str, int, int]:
    """Return a grain that several rows of a finished file share, the number of its rows, and the number of such grains.

    Returns:
        `("country=US", 2, 5)`; no rows if only the hashes of different rows were equal by chance.
    """
    cleared = 0
    for start in range(0, suspects.size, _CONFIRMED_AT_ONCE):
        some = suspects[start : start + _CONFIRMED_AT_ONCE]
        counts = _counts(path, [column.name for column in grain], some)
        values, rows = max(counts.items(), key=lambda item: item[1])
        if rows > 1:
            shown = ", ".join(_shown(column, value) for column, value in zip(grain, values, strict=True))
            return shown, rows, suspects.size - cleared
        cleared += some.size
    return "", 0, 0


def _counts(path: Path, names: list[str], hashes: Hashes) -> Counter[tuple[object, ...]]:
    counts: Counter[tuple[object, ...]] = Counter()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=names):
            columns = [batch.column(name) for name in names]
            result = pa.array(np.isin(row_hashes(names, columns), hashes))
            counts.update(zip(*(column.filter(result).to_pylist() for column in columns), strict=True))
    return counts


def _shown(column: Column, value: object) -> str:
    return f"{column.name}=…" if column.personal else f"{column.name}={shortened(str(value))}"
