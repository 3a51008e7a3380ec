"""A response's files → typed rows of the days that are wanted. Where formats are told apart."""

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.landing.compute.hashing import Hashes, row_hashes
from reporting_dags.landing.parsing.delimited import DelimitedReader
from reporting_dags.landing.parsing.flags import flagged
from reporting_dags.landing.parsing.json_rows import JsonReader
from reporting_dags.landing.parsing.pii import apply_privacy, is_dropped
from reporting_dags.landing.parsing.placeholders import without_placeholders
from reporting_dags.landing.parsing.raw_file import RawFile, RawFileReader, sent_columns
from reporting_dags.landing.parsing.row_days import Ordinals, RowDays, day_of, ordinal_of
from reporting_dags.landing.parsing.times import read_times
from reporting_dags.landing.parsing.total_rows import Likenesses, TotalLooks
from reporting_dags.landing.parsing.values import Mask, Typed, read_values, shortened
from reporting_dags.model.column import MOMENT, Column
from reporting_dags.model.days import Window
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import DelimitedText, JsonRows
from reporting_dags.model.report import Report

_UPPER_CASE = "codes in upper case"
_CODE = re.compile("[A-Za-z]{3}")
_NULL_RATIO = "null, since a ratio is computed from sums"


@functools.singledispatch
def open_raw_file(format: object, part: RawFile, report: Report) -> RawFileReader:  # noqa: A002
    """Open one file of a response in the format that the report declares.

    Raises:
        ValueError: the part claims what the format cannot tell.
        Partial, DataError: the file is not whole, or not of the format, or lacks a column.
        OSError: it cannot be read.
    """
    raise NotImplementedError(f"{report.key}: responses of format {type(format).__name__}")


@open_raw_file.register
def _(format: DelimitedText, part: RawFile, report: Report) -> RawFileReader:  # noqa: A002
    return DelimitedReader(part, format, report)


@open_raw_file.register
def _(format: JsonRows, part: RawFile, report: Report) -> RawFileReader:  # noqa: A002
    return JsonReader(part, format, report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Values of one column and day that are not as declared.

    Attributes:
        day: whose rows they stand in.
        column: the column's header.
        example: one such text, shortened; empty where it may not be shown.
        count: how many there are in this batch.
        read_as: what they were read as, where that is not what was sent.
    """

    day: date
    column: str
    example: str
    count: int
    read_as: str = ""


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
        changed: values that were read as something else than was sent.
        part: the place of the file among those of the response.
        likeness: whether each row looks like a total; None where none does.
        strays: times that tell their row's hour or event, and lie outside of the row's day.
    """

    read: int
    batch: pa.RecordBatch
    days: Ordinals
    rows: Hashes
    grains: Hashes
    bad: tuple[Note, ...] = ()
    rounded: tuple[Note, ...] = ()
    changed: tuple[Note, ...] = ()
    part: int = 0
    likeness: Likenesses | None = None
    strays: tuple[Note, ...] = ()


def decode(
    report: Report, parts: Sequence[RawFileReader], *, window: Window, days: Collection[date]
) -> Iterator[Decoded]:
    """Read every row of every part, typed; rows of `window` that are not of `days` are dropped.

    Raises:
        DataError: a row's day cannot be read or lies outside `window`, or the parser refuses a row.
    """
    decoder = _Decoder(report, window, days)
    for number, part in enumerate(parts):
        looks = TotalLooks(report, part.literal_columns)
        try:
            for texts in part.batches():
                yield decoder.decoded(texts, number, looks)
        except DataError as error:
            error.shard = number
            raise


class _Decoder:
    def __init__(self, report: Report, window: Window, days: Collection[date]) -> None:
        self._headers = [column.header for column in sent_columns(report)]
        self._kept = report.stored_columns
        self._schema = report.schema
        self._privacy = report.privacy
        self._grain = report.grain_names
        self._none_texts = frozenset(report.none_texts)
        self._codes = frozenset(column.currency_from for column in report.columns if column.currency_from)
        self._zone = report.calendar.timezone
        self._row_times = {column.name: tolerance for column, tolerance in report.row_times}
        self._days = RowDays(report, window)
        self._requested_days = np.array(sorted(ordinal_of(day) for day in days), dtype=np.int32)

    def decoded(self, texts: list[AnyArray], part: int, looks: TotalLooks) -> Decoded:
        read = len(texts[0])
        days = self._days.of(texts)
        requested = np.isin(days, self._requested_days)
        if not requested.all():
            days = days[requested]
            texts = [column.filter(pa.array(requested)) for column in texts]
        by_header = dict(zip(self._headers, texts, strict=True))
        kept: list[AnyArray] = []
        # A dropped column tells rows apart no more, though it may be what makes them unique.
        distinct: dict[str, AnyArray] = {}
        bad: list[Note] = []
        rounded: list[Note] = []
        changed: list[Note] = []
        strays: list[Note] = []
        for column in self._kept:
            if column.header in self._codes:
                codes, lower = _upper_case(by_header[column.header])
                changed += _notes(column, by_header, days, lower, read_as=_UPPER_CASE)
                by_header[column.header] = codes
            typed = self._typed(column, by_header)
            if column.name in self._row_times:
                outside = self._days.outside(days, typed.values, self._row_times[column.name])
                strays += _notes(column, by_header, days, outside)
            kept.append(apply_privacy(column, typed.values, self._privacy))
            distinct[column.name] = typed.values if is_dropped(column, self._privacy) else kept[-1]
            bad += _notes(column, by_header, days, typed.bad)
            rounded += _notes(column, by_header, days, typed.rounded)
            changed += _notes(column, by_header, days, typed.nulled, read_as=_NULL_RATIO)
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
            changed=tuple(changed),
            strays=tuple(strays),
            part=part,
            likeness=looks.of(by_header),
        )

    def _typed(self, column: Column, texts: Mapping[str, AnyArray]) -> Typed:
        if column.flags is not None:
            source, words = column.flags
            return Typed(flagged(texts[source], words, masks=column.masks))
        own = texts[column.header]
        is_time = column.type.equals(MOMENT)
        typed = read_times(own, column.forms, self._zone) if is_time else read_values(own, column.type)
        return without_placeholders(column, own, typed, self._none_texts)


def _upper_case(texts: AnyArray) -> tuple[AnyArray, Mask | None]:
    """Currency codes in upper case, and which of them were not."""
    encoded = texts.dictionary_encode()
    sent: list[str | None] = encoded.dictionary.to_pylist()
    codes = [text and (text.upper() if _CODE.fullmatch(text) else text) for text in sent]
    if codes == sent:
        return texts, None
    result = pa.array(codes, pa.string()).take(encoded.indices)
    return result, pc.not_equal(result, texts).fill_null(False).to_numpy(zero_copy_only=False)


def _notes(
    column: Column, texts: Mapping[str, AnyArray], days: Ordinals, marked: Mask | None, *, read_as: str = ""
) -> list[Note]:
    if marked is None or not marked.any():
        return []
    places = np.flatnonzero(marked)
    notes: list[Note] = []
    for ordinal, first, count in zip(*np.unique(days[places], return_index=True, return_counts=True), strict=True):
        example = "" if column.personal else shortened(texts[column.header][int(places[first])].as_py())
        day = day_of(int(ordinal))
        notes.append(Note(day=day, column=column.header, example=example, count=int(count), read_as=read_as))
    return notes
