"""Decodes the files of a response, in any supported format, into typed rows of the requested days."""

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
from reporting_dags.landing.parsing.flags import compute_flags
from reporting_dags.landing.parsing.json_rows import JsonReader
from reporting_dags.landing.parsing.pii import apply_privacy, is_dropped
from reporting_dags.landing.parsing.placeholders import without_placeholders
from reporting_dags.landing.parsing.raw_file import RawFile, RawFileReader, sent_columns
from reporting_dags.landing.parsing.row_days import Ordinals, RowDays, day_of, ordinal_of
from reporting_dags.landing.parsing.times import read_times
from reporting_dags.landing.parsing.total_rows import TotalKinds, TotalRowDetector
from reporting_dags.landing.parsing.values import Mask, TypedValues, read_values, shortened
from reporting_dags.model.column import TIMESTAMP, Column
from reporting_dags.model.days import Window
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import DelimitedText, JsonRows
from reporting_dags.model.report import Report

_UPPER_CASE = "codes in upper case"
_CURRENCY_CODE = re.compile("[A-Za-z]{3}")
_NULL_RATIO = "null, since a ratio is computed from sums"


@functools.singledispatch
def open_raw_file(format: object, raw_file: RawFile, report: Report) -> RawFileReader:  # noqa: A002
    """Open one file of a response in the format that the report declares.

    Raises:
        ValueError: `raw_file` has an `expected_echo`, but the format cannot repeat the request.
        Partial: the file is incomplete.
        DataError: the file is not in the declared format, or lacks a column.
        OSError: the file cannot be read.
    """
    raise NotImplementedError(f"{report.key}: responses of format {type(format).__name__}")


@open_raw_file.register
def _(format: DelimitedText, raw_file: RawFile, report: Report) -> RawFileReader:  # noqa: A002
    return DelimitedReader(raw_file, format, report)


@open_raw_file.register
def _(format: JsonRows, raw_file: RawFile, report: Report) -> RawFileReader:  # noqa: A002
    return JsonReader(raw_file, format, report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Describes the values of one column and day that differ from the declaration.

    Attributes:
        day: the day of the rows that contain the values.
        column: the header of the column.
        example: one of the values, shortened; empty if it must not be shown (personal data).
        count: the number of such values in this batch.
        read_as: what the values were read as, if that differs from what was sent.
    """

    day: date
    column: str
    example: str
    count: int
    read_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedBatch:
    """A batch of typed rows.

    Attributes:
        rows_read: number of rows read, including the rows of other days, which are then dropped.
        batch: the stored columns of the rows of the requested days.
        days: the day of each row, in days since 1970-01-01.
        row_hashes: the hash of each row.
        grain_hashes: the hash of each row's grain (its key columns).
        bad: values that cannot be read; null in `batch`.
        rounded: values that were rounded to the precision of their type.
        changed: values that were read as something other than what was sent.
        file_index: the position of the file among the files of the response, from 0.
        total_kinds: whether and how each row looks like a total; None if no row does.
        strays: times of rows (their hour, or when the event happened) that are outside the day of the row.
    """

    rows_read: int
    batch: pa.RecordBatch
    days: Ordinals
    row_hashes: Hashes
    grain_hashes: Hashes
    bad: tuple[Note, ...] = ()
    rounded: tuple[Note, ...] = ()
    changed: tuple[Note, ...] = ()
    file_index: int = 0
    total_kinds: TotalKinds | None = None
    strays: tuple[Note, ...] = ()


def decode(
    report: Report, readers: Sequence[RawFileReader], *, window: Window, days: Collection[date]
) -> Iterator[DecodedBatch]:
    """Yield the rows of every file as typed batches, without the rows of `window` whose day is not in `days`.

    Args:
        report: the declaration of the report.
        readers: the files of the response.
        window: the days that the response covers.
        days: the days to keep.

    Raises:
        DataError: the day of a row cannot be read or is outside `window`, or the parser rejects a row.
    """
    decoder = _Decoder(report, window, days)
    for index, reader in enumerate(readers):
        detector = TotalRowDetector(report, reader.literal_columns)
        try:
            for texts in reader.batches():
                yield decoder.decode_batch(texts, index, detector)
        except DataError as error:
            error.shard = index
            raise


class _Decoder:
    def __init__(self, report: Report, window: Window, days: Collection[date]) -> None:
        self._headers = [column.header for column in sent_columns(report)]
        self._stored_columns = report.stored_columns
        self._schema = report.schema
        self._privacy = report.privacy
        self._grain = report.grain_names
        self._none_texts = frozenset(report.none_texts)
        self._currency_headers = frozenset(column.currency_from for column in report.columns if column.currency_from)
        self._zone = report.calendar.timezone
        self._row_times = {column.name: tolerance for column, tolerance in report.row_times}
        self._row_days = RowDays(report, window)
        self._requested_days = np.array(sorted(ordinal_of(day) for day in days), dtype=np.int32)

    def decode_batch(self, texts: list[AnyArray], file_index: int, detector: TotalRowDetector) -> DecodedBatch:
        rows_read = len(texts[0])
        days = self._row_days.read(texts)
        requested = np.isin(days, self._requested_days)
        if not requested.all():
            days = days[requested]
            texts = [column.filter(pa.array(requested)) for column in texts]
        by_header = dict(zip(self._headers, texts, strict=True))
        stored: list[AnyArray] = []
        # Values for the grain: a dropped personal column is stored as nulls, but its values may make the rows unique.
        grain_values: dict[str, AnyArray] = {}
        bad: list[Note] = []
        rounded: list[Note] = []
        changed: list[Note] = []
        strays: list[Note] = []
        for column in self._stored_columns:
            if column.header in self._currency_headers:
                codes, was_lower_case = _upper_case(by_header[column.header])
                changed += _notes(column, by_header, days, was_lower_case, read_as=_UPPER_CASE)
                by_header[column.header] = codes
            typed = self._typed(column, by_header)
            if column.name in self._row_times:
                outside = self._row_days.outside_day(days, typed.values, self._row_times[column.name])
                strays += _notes(column, by_header, days, outside)
            stored.append(apply_privacy(column, typed.values, self._privacy))
            grain_values[column.name] = typed.values if is_dropped(column, self._privacy) else stored[-1]
            bad += _notes(column, by_header, days, typed.bad)
            rounded += _notes(column, by_header, days, typed.rounded)
            changed += _notes(column, by_header, days, typed.nulled, read_as=_NULL_RATIO)
        batch = pa.RecordBatch.from_arrays(stored, schema=self._schema)
        grain = [grain_values[name] for name in self._grain]
        return DecodedBatch(
            rows_read=rows_read,
            batch=batch,
            days=days,
            row_hashes=row_hashes(batch.schema.names, batch.columns)
            if stored
            else np.zeros(len(days), dtype=np.uint64),
            grain_hashes=row_hashes(self._grain, grain) if grain else np.zeros(len(days), dtype=np.uint64),
            bad=tuple(bad),
            rounded=tuple(rounded),
            changed=tuple(changed),
            strays=tuple(strays),
            file_index=file_index,
            total_kinds=detector.detect(by_header),
        )

    def _typed(self, column: Column, texts: Mapping[str, AnyArray]) -> TypedValues:
        if column.flags is not None:
            source, words = column.flags
            return TypedValues(compute_flags(texts[source], words, masks=column.masks))
        sent = texts[column.header]
        is_time = column.type.equals(TIMESTAMP)
        typed = read_times(sent, column.forms, self._zone) if is_time else read_values(sent, column.type)
        return without_placeholders(column, sent, typed, self._none_texts)


def _upper_case(texts: AnyArray) -> tuple[AnyArray, Mask | None]:
    """Return the texts with currency codes in upper case, and the mask of the texts that this changed."""
    encoded = texts.dictionary_encode()
    sent: list[str | None] = encoded.dictionary.to_pylist()
    codes = [text and (text.upper() if _CURRENCY_CODE.fullmatch(text) else text) for text in sent]
    if codes == sent:
        return texts, None
    result = pa.array(codes, pa.string()).take(encoded.indices)
    return result, pc.not_equal(result, texts).fill_null(False).to_numpy(zero_copy_only=False)


def _notes(
    column: Column, texts: Mapping[str, AnyArray], days: Ordinals, mask: Mask | None, *, read_as: str = ""
) -> list[Note]:
    """Return one note for each day that has values in `mask`."""
    if mask is None or not mask.any():
        return []
    rows = np.flatnonzero(mask)
    notes: list[Note] = []
    for ordinal, first, count in zip(*np.unique(days[rows], return_index=True, return_counts=True), strict=True):
        example = "" if column.personal else shortened(texts[column.header][int(rows[first])].as_py())
        day = day_of(int(ordinal))
        notes.append(Note(day=day, column=column.header, example=example, count=int(count), read_as=read_as))
    return notes
