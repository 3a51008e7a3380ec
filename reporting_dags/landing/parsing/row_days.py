"""Determines the day of each row: from a day column, from a time in the report's time zone, or the snapshot's day."""

import functools
import re
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, to_strings
from reporting_dags.landing.parsing.raw_file import sent_columns
from reporting_dags.landing.parsing.times import parse_local_time, read_times, time_error
from reporting_dags.landing.parsing.total_rows import is_total_word
from reporting_dags.landing.parsing.values import Mask, shortened
from reporting_dags.model.column import TIMESTAMP, Column, Kind
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.errors import DataError
from reporting_dags.model.report import Report

Ordinals = npt.NDArray[np.int32]
"""Days since 1970-01-01."""

DECLARE_FORM_ADVICE = (
    "Fix: if the provider writes times like this, add the form to the column's forms in its declaration"
)
"""Advice for a value that is not a time of a declared form."""
_EPOCH = date(1970, 1, 1)
_DAY = re.compile(r"[0-9]{8}|([0-9]{4}-[0-9]{2}-[0-9]{2})([T ]00:00(:00(\.0+)?)?(Z|[+-]00(:?00)?)?)?")


def day_of(ordinal: int) -> date:
    """Return the date that is `ordinal` days after 1970-01-01."""
    return _EPOCH + timedelta(days=ordinal)


def ordinal_of(day: date) -> int:
    """Return the number of days from 1970-01-01 to `day`."""
    return (day - _EPOCH).days


class RowDays:
    """Determines the days of rows, all of which must be inside one window."""

    def __init__(self, report: Report, window: Window) -> None:
        self._column = report.day_column
        self._column_index = sent_columns(report).index(self._column) if self._column else 0
        self._calendar = report.calendar
        self._window = window
        self._ordinals_by_text: dict[str, int] = {}

    def read(self, texts: Sequence[AnyArray]) -> Ordinals:
        """Return the day of each row, given the texts of `sent_columns`.

        Raises:
            DataError: a day cannot be read or is outside the window.
        """
        column = self._column
        if column is None:
            return np.full(len(texts[0]), ordinal_of(self._window.first), dtype=np.int32)
        if column.kind is Kind.TIME:
            return self._from_moments(column, texts[self._column_index])
        return self._from_days(column.header, texts[self._column_index])

    def outside_day(self, days: Ordinals, moments: AnyArray, tolerance: timedelta) -> Mask:
        """Return which rows have a time outside their day by more than `tolerance`.

        Args:
            days: the day of each row.
            moments: the time of each row; a row with a null is not outside its day.
            tolerance: how far a time may be outside the day.
        """
        day_indices = days - ordinal_of(self._window.first)
        times: npt.NDArray[np.int64] = pc.cast(moments, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        slack = tolerance // timedelta(microseconds=1)
        early, late = (
            times < self._day_borders[day_indices] - slack,
            times >= self._day_borders[day_indices + 1] + slack,
        )
        return (early | late) & pc.is_valid(moments).to_numpy(zero_copy_only=False)

    def _from_moments(self, column: Column, texts: AnyArray) -> Ordinals:
        header = column.header
        moments = read_times(texts, column.forms, self._calendar.timezone).values
        unread = np.flatnonzero(pc.is_null(moments).to_numpy(zero_copy_only=False))
        local_days = [self._local_day(column, text) for text in to_strings(texts.filter(pc.is_null(moments)))]
        times: npt.NDArray[np.int64] = pc.cast(moments, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        day_indices = np.searchsorted(self._day_borders, times, side="right") - 1
        day_indices[unread] = [(day - self._window.first).days for day in local_days]
        outside = np.flatnonzero((day_indices < 0) | (day_indices >= len(self._window)))
        if outside.size:
            example = f"{shortened(to_strings(texts)[outside[0]])!r} ({outside.size} such rows or more)"
            zone = self._calendar.timezone
            raise DataError(f"column {header!r} holds {example} in the response for {self._window}, {zone}")
        return (day_indices + ordinal_of(self._window.first)).astype(np.int32)

    def _local_day(self, column: Column, text: str) -> date:
        """Return the day of a local time that occurs twice or never in the zone.

        Such a time has no single time in UTC, but its day is certain.

        Raises:
            DataError: the text is not a local time of a declared form.
        """
        local = parse_local_time(text, column.forms)
        if local is None:
            why = time_error(text, column.forms, self._calendar.timezone)
            raise DataError(
                f"column {column.header!r} holds {shortened(text)!r}, which is {why}", advice=DECLARE_FORM_ADVICE
            )
        return local.date()

    @functools.cached_property
    def _day_borders(self) -> npt.NDArray[np.int64]:
        """Start of each day of the window and end of the last one, in microseconds since 1970-01-01 UTC."""
        days = [*self._window.days, self._window.last + ONE_DAY]
        starts = pa.array([self._calendar.begins_at(day) for day in days], TIMESTAMP)
        return pc.cast(starts, pa.int64()).to_numpy(zero_copy_only=False)

    def _from_days(self, header: str, texts: AnyArray) -> Ordinals:
        encoded = texts.dictionary_encode()
        indices = encoded.indices.to_numpy(zero_copy_only=False)
        ordinals: list[int] = []
        for index, text in enumerate(to_strings(encoded.dictionary)):
            if text not in self._ordinals_by_text:
                day = _parse_day(text)
                if day is None:
                    message = "which is not a day: a total row" if is_total_word(text) else "which is not a day"
                    raise DataError(f"column {header!r} holds {shortened(text)!r}, {message}")
                if day not in self._window:
                    count = int(np.count_nonzero(indices == index))
                    raise DataError(f"rows of {day} ({count} or more) in the response for {self._window}")
                self._ordinals_by_text[text] = ordinal_of(day)
            ordinals.append(self._ordinals_by_text[text])
        return np.array(ordinals, dtype=np.int32)[indices]


def _parse_day(text: str) -> date | None:
    result = _DAY.fullmatch(text)
    if not result:
        return None
    try:
        return date.fromisoformat(result.group(1) or text)
    except ValueError:
        return None
