"""Splits decoded rows by day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from reporting_dags.landing.compute.hashing import Hashes
from reporting_dags.landing.parsing.decode import DecodedBatch, Note
from reporting_dags.landing.parsing.row_days import day_of
from reporting_dags.landing.parsing.total_rows import TotalKinds

# Rows wait until so many can be told apart at once: with many days, a copy a block would be all calls.
_GATHER_ROWS = 64 << 10
_GATHER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Rows of one day and file, in their own memory, with the hash of each row and of its grain.

    `total_kinds` says whether and how each row looks like a total; None if no row does.
    """

    day: date
    batch: pa.RecordBatch
    rows: Hashes
    grains: Hashes
    part: int = 0
    total_kinds: TotalKinds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """A part of the response, split by day; its attributes are those of `DecodedBatch` for all rows."""

    read: int
    pieces: tuple[Piece, ...]
    bad: tuple[Note, ...]
    rounded: tuple[Note, ...]
    changed: tuple[Note, ...] = ()
    strays: tuple[Note, ...] = ()


def split(batches: Iterable[DecodedBatch]) -> Iterator[Pieces]:
    """Yield the rows of `batches` by day, about 16 MiB at a time."""
    gathered: list[DecodedBatch] = []
    rows = size = 0
    for decoded in batches:
        if gathered and gathered[-1].file_index != decoded.file_index:
            yield _by_day(gathered)
            gathered, rows, size = [], 0, 0
        gathered.append(decoded)
        rows += decoded.batch.num_rows
        size += decoded.batch.nbytes
        if rows >= _GATHER_ROWS or size >= _GATHER_BYTES:
            yield _by_day(gathered)
            gathered, rows, size = [], 0, 0
    if gathered:
        yield _by_day(gathered)


def _by_day(gathered: list[DecodedBatch]) -> Pieces:
    days = np.concatenate([each.days for each in gathered])
    rows = np.concatenate([each.row_hashes for each in gathered])
    grains = np.concatenate([each.grain_hashes for each in gathered])
    whole = pa.Table.from_batches([each.batch for each in gathered]).combine_chunks().to_batches()
    batch = whole[0] if whole else gathered[0].batch
    part, likeness = gathered[0].file_index, _total_kinds(gathered)
    met = np.unique(days)
    pieces: list[Piece] = []
    for ordinal in met:
        day = day_of(int(ordinal))
        if len(met) == 1:
            pieces.append(Piece(day=day, batch=batch, rows=rows, grains=grains, part=part, total_kinds=likeness))
            continue
        places = np.flatnonzero(days == ordinal)
        # A copy, not a slice: a slice would keep the whole batch in memory for as long as it waits.
        taken = batch.take(pa.array(places, pa.int64()))
        alike = None if likeness is None else likeness[places]
        pieces.append(
            Piece(day=day, batch=taken, rows=rows[places], grains=grains[places], part=part, total_kinds=alike)
        )
    return Pieces(
        read=sum(each.rows_read for each in gathered),
        pieces=tuple(pieces),
        bad=tuple(note for each in gathered for note in each.bad),
        rounded=tuple(note for each in gathered for note in each.rounded),
        changed=tuple(note for each in gathered for note in each.changed),
        strays=tuple(note for each in gathered for note in each.strays),
    )


def _total_kinds(gathered: list[DecodedBatch]) -> TotalKinds | None:
    if all(each.total_kinds is None for each in gathered):
        return None
    held = [np.zeros(len(each.days), np.int8) if each.total_kinds is None else each.total_kinds for each in gathered]
    return np.concatenate(held)
