"""An answer's files → typed rows of the days that are wanted. Where formats are told apart, and personal data met."""

import functools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reporting_dags.landing.arrow import AnyArray
from reporting_dags.landing.delimited import DelimitedPart, Part
from reporting_dags.landing.hashing import Hashes, row_hashes
from reporting_dags.landing.values import Mask, Typed, read_values, shortened
from reporting_dags.model.column import Column, Kind
from reporting_dags.model.days import Window
from reporting_dags.model.errors import DataError
from reporting_dags.model.report import DelimitedText, Report

_EPOCH = date(1970, 1, 1)
_DAY = re.compile(r"[0-9]{8}|([0-9]{4}-[0-9]{2}-[0-9]{2})([T ]00:00(:00(\.0+)?)?(Z|[+-]00(:?00)?)?)?")


class OpenPart(Protocol):
    """One file of an answer, ready to be read."""

    @property
    def records(self) -> int:
        """Rows that the bytes hold, counted without the parser."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know though the rows stand."""
        ...

    def batches(self) -> Iterator[list[AnyArray]]:
        """Every row as texts, in the order of the columns."""
        ...


@functools.singledispatch
def open_part(text: object, part: Part, columns: Sequence[Column]) -> OpenPart:
    """Open one file of an answer in the format that the report declares.

    Raises:
        Partial, DataError: the file is not whole, or not of the format, or lacks a column.
        OSError: it cannot be read.
    """
    raise NotImplementedError(f"answers of format {type(text).__name__}")


@open_part.register
def _(text: DelimitedText, part: Part, columns: Sequence[Column]) -> OpenPart:
    return DelimitedPart(part, text, columns)


def guarded(column: Column, texts: AnyArray) -> AnyArray:  # noqa: ARG001
    """The texts of a personal column as they may be kept. All personal data passes here and nowhere else."""
    return texts


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
    """

    read: int
    batch: pa.RecordBatch
    days: npt.NDArray[np.int32]
    rows: Hashes
    grains: Hashes
    bad: tuple[Note, ...] = ()
    rounded: tuple[Note, ...] = ()


def day_of(ordinal: int) -> date:
    """The date of a number of days since 1970-01-01."""
    return _EPOCH + timedelta(days=ordinal)


def ordinal_of(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


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
        self._columns = report.columns
        self._kept = report.kept
        self._schema = report.schema
        self._grain = report.grain_names
        self._day_place = report.columns.index(report.day_column)
        self._window = window
        self._wanted = np.array(sorted(ordinal_of(day) for day in days), dtype=np.int32)
        self._known: dict[str, int] = {}

    def decoded(self, texts: list[AnyArray]) -> Decoded:
        read = len(texts[0])
        days = self._days(texts[self._day_place])
        wanted = np.isin(days, self._wanted)
        if not wanted.all():
            days = days[wanted]
            texts = [column.filter(pa.array(wanted)) for column in texts]
        values: list[AnyArray] = []
        bad: list[Note] = []
        rounded: list[Note] = []
        for column, column_texts in zip(self._columns, texts, strict=True):
            if column.kind is Kind.DAY:
                continue
            typed = self._typed(column, column_texts)
            values.append(typed.values)
            bad += _notes(column, column_texts, days, typed.bad)
            rounded += _notes(column, column_texts, days, typed.rounded)
        batch = pa.RecordBatch.from_arrays(values, schema=self._schema)
        grain = [batch.column(name) for name in self._grain]
        return Decoded(
            read=read,
            batch=batch,
            days=days,
            rows=row_hashes(batch.schema.names, batch.columns) if values else np.zeros(len(days), dtype=np.uint64),
            grains=row_hashes(self._grain, grain) if grain else np.zeros(len(days), dtype=np.uint64),
            bad=tuple(bad),
            rounded=tuple(rounded),
        )

    def _typed(self, column: Column, texts: AnyArray) -> Typed:
        typed = read_values(texts, column.type)
        if not column.personal or not pa.types.is_string(column.type):
            return typed
        return Typed(guarded(column, typed.values), typed.bad, typed.rounded)

    def _days(self, texts: AnyArray) -> npt.NDArray[np.int32]:
        encoded = texts.dictionary_encode()
        places = encoded.indices.to_numpy(zero_copy_only=False)
        ordinals: list[int] = []
        for place, text in enumerate(encoded.dictionary.to_pylist()):
            text = text or ""  # noqa: PLW2901
            if text not in self._known:
                self._known[text] = self._day(text, count=int(np.count_nonzero(places == place)))
            ordinals.append(self._known[text])
        return np.array(ordinals, dtype=np.int32)[places]

    def _day(self, text: str, *, count: int) -> int:
        header = self._columns[self._day_place].header
        day = _parsed_day(text)
        if day is None:
            raise DataError(f"column {header!r} holds {shortened(text)!r}, which is no day")
        if day not in self._window:
            raise DataError(f"rows of {day} ({count} or more) in the answer for {self._window}")
        return ordinal_of(day)


def _parsed_day(text: str) -> date | None:
    found = _DAY.fullmatch(text)
    if not found:
        return None
    try:
        return date.fromisoformat(found.group(1) or text)
    except ValueError:
        return None


def _notes(column: Column, texts: AnyArray, days: npt.NDArray[np.int32], marked: Mask | None) -> list[Note]:
    if marked is None or not marked.any():
        return []
    places = np.flatnonzero(marked)
    notes: list[Note] = []
    for ordinal, first, count in zip(*np.unique(days[places], return_index=True, return_counts=True), strict=True):
        example = "" if column.personal else shortened(texts[int(places[first])].as_py())
        notes.append(Note(day=day_of(int(ordinal)), column=column.header, example=example, count=int(count)))
    return notes
