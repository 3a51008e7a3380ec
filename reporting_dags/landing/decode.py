"""An answer's files → typed rows of the days that are wanted. Where formats are told apart."""

import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from reporting_dags.landing.arrow import AnyArray
from reporting_dags.landing.delimited import DelimitedPart
from reporting_dags.landing.flags import flagged
from reporting_dags.landing.guard import dropped, guarded
from reporting_dags.landing.hashing import Hashes, row_hashes
from reporting_dags.landing.json_rows import JsonPart
from reporting_dags.landing.part import OpenPart, Part, sent
from reporting_dags.landing.rowdays import Ordinals, RowDays, day_of, ordinal_of
from reporting_dags.landing.times import read_times
from reporting_dags.landing.values import Mask, Typed, read_values, shortened
from reporting_dags.model.column import MOMENT, Column
from reporting_dags.model.days import Window
from reporting_dags.model.format import DelimitedText, JsonRows
from reporting_dags.model.report import Report


@functools.singledispatch
def open_part(format: object, part: Part, report: Report[Any]) -> OpenPart:  # noqa: A002
    """Open one file of an answer in the format that the report declares.

    Raises:
        ValueError: the part claims what the format cannot tell.
        Partial, DataError: the file is not whole, or not of the format, or lacks a column.
        OSError: it cannot be read.
    """
    raise NotImplementedError(f"{report.key}: answers of format {type(format).__name__}")


@open_part.register
def _(format: DelimitedText, part: Part, report: Report[Any]) -> OpenPart:  # noqa: A002
    return DelimitedPart(part, format, report)


@open_part.register
def _(format: JsonRows, part: Part, report: Report[Any]) -> OpenPart:  # noqa: A002
    return JsonPart(part, format, report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Values of one column and day that are not as declared.

    Attributes:
        day: whose rows they stand in.
        column: the column's header.
        example: one such text, shortened; empty where it may not be shown.
        count: how many there are in this batch.
    """

    day: date
    column: str
    example: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A batch of rows.

    Attributes:
        read: rows read, before those of days that are not wanted were dropped.
        batch: the kept columns of the wanted rows.
        days: each row's day, in days since 1970-01-01.
        rows: each row's hash.
        grains: the hash of each row's grain.
        bad: values that cannot be read; null in `batch`.
        rounded: values that were rounded to what their type holds.
        strays: times that tell their row's hour or event, and lie outside of the row's day.
    """

    read: int
    batch: pa.RecordBatch
    days: Ordinals
    rows: Hashes
    grains: Hashes
    bad: tuple[Note, ...] = ()
    rounded: tuple[Note, ...] = ()
    strays: tuple[Note, ...] = ()


def decode(
    report: Report[Any], parts: Sequence[OpenPart], *, window: Window, days: Collection[date]
) -> Iterator[Decoded]:
    """Read every row of every part, typed; rows of `window` that are not of `days` are dropped.

    Raises:
        DataError: a row's day cannot be read or lies outside `window`, or the parser refuses a row.
    """
    decoder = _Decoder(report, window, days)
    for part in parts:
        for texts in part.batches():
            yield decoder.decoded(texts)


class _Decoder:
    def __init__(self, report: Report[Any], window: Window, days: Collection[date]) -> None:
        self._headers = [column.header for column in sent(report)]
        self._kept = report.kept
        self._schema = report.schema
        self._privacy = report.privacy
        self._grain = report.grain_names
        self._zone = report.calendar.timezone
        self._row_times = {column.name: tolerance for column, tolerance in report.row_times}
        self._days = RowDays(report, window)
        self._wanted = np.array(sorted(ordinal_of(day) for day in days), dtype=np.int32)

    def decoded(self, texts: list[AnyArray]) -> Decoded:
        read = len(texts[0])
        days = self._days.of(texts)
        wanted = np.isin(days, self._wanted)
        if not wanted.all():
            days = days[wanted]
            texts = [column.filter(pa.array(wanted)) for column in texts]
        by_header = dict(zip(self._headers, texts, strict=True))
        kept: list[AnyArray] = []
        # A dropped column tells rows apart no more, though it may be what makes them unique.
        distinct: dict[str, AnyArray] = {}
        bad: list[Note] = []
        rounded: list[Note] = []
        strays: list[Note] = []
        for column in self._kept:
            typed = _typed(column, by_header, self._zone)
            if column.name in self._row_times:
                outside = self._days.outside(days, typed.values, self._row_times[column.name])
                strays += _notes(column, by_header, days, outside)
            kept.append(guarded(column, typed.values, self._privacy))
            distinct[column.name] = typed.values if dropped(column, self._privacy) else kept[-1]
            bad += _notes(column, by_header, days, typed.bad)
            rounded += _notes(column, by_header, days, typed.rounded)
        batch = pa.RecordBatch.from_arrays(kept, schema=self._schema)
        grain = [distinct[name] for name in self._grain]
        return Decoded(
            read=read,
            batch=batch,
            days=days,
            rows=row_hashes(batch.schema.names, batch.columns) if kept else np.zeros(len(days), dtype=np.uint64),
            grains=row_hashes(self._grain, grain) if grain else np.zeros(len(days), dtype=np.uint64),
            bad=tuple(bad),
            rounded=tuple(rounded),
            strays=tuple(strays),
        )


def _typed(column: Column, texts: Mapping[str, AnyArray], zone: str) -> Typed:
    if column.flags is not None:
        source, words = column.flags
        return Typed(flagged(texts[source], words, masks=column.masks))
    if column.type.equals(MOMENT):
        return read_times(texts[column.header], column.forms, zone)
    return read_values(texts[column.header], column.type)


def _notes(column: Column, texts: Mapping[str, AnyArray], days: Ordinals, marked: Mask | None) -> list[Note]:
    if marked is None or not marked.any():
        return []
    places = np.flatnonzero(marked)
    notes: list[Note] = []
    for ordinal, first, count in zip(*np.unique(days[places], return_index=True, return_counts=True), strict=True):
        example = "" if column.personal else shortened(texts[column.header][int(places[first])].as_py())
        notes.append(Note(day=day_of(int(ordinal)), column=column.header, example=example, count=int(count)))
    return notes
