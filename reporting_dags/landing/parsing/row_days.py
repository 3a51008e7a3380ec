"""The day of each row: from the day column, from a moment in the report's time zone, or the one day of a snapshot."""

import functools
import re
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, listed
from reporting_dags.landing.parsing.raw_file import sent_columns
from reporting_dags.landing.parsing.times import local_time, read_times, why_unread
from reporting_dags.landing.parsing.total_rows import is_total
from reporting_dags.landing.parsing.values import Mask, shortened
from reporting_dags.model.column import MOMENT, Column, Kind
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.errors import DataError
from reporting_dags.model.report import Report

Ordinals = npt.NDArray[np.int32]
"""Days since 1970-01-01."""

DECLARE_FORM = "Fix: if the provider writes times so, name the form among the column's forms in its declaration"
"""What to do about a value that is no time of a declared form."""
_EPOCH = date(1970, 1, 1)
_DAY = re.compile(r"[0-9]{8}|([0-9]{4}-[0-9]{2}-[0-9]{2})([T ]00:00(:00(\.0+)?)?(Z|[+-]00(:?00)?)?)?")


def day_of(ordinal: int) -> date:
    """The date of a number of days since 1970-01-01."""
    return _EPOCH + timedelta(days=ordinal)


def ordinal_of(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


class RowDays:
    """Reads the days of rows, all of which must lie in one window."""

    def __init__(self, report: Report, window: Window) -> None:
        self._column = report.day_column
        self._place = sent_columns(report).index(self._column) if self._column else 0
        self._calendar = report.calendar
        self._window = window
        self._known: dict[str, int] = {}

    def of(self, texts: Sequence[AnyArray]) -> Ordinals:
        """The day of each row, from the texts of its columns.

        Raises:
            DataError: a day cannot be read or lies outside the window.
        """
        column = self._column
        if column is None:
            return np.full(len(texts[0]), ordinal_of(self._window.first), dtype=np.int32)
        if column.kind is Kind.TIME:
            return self._from_moments(column, texts[self._place])
        return self._from_days(column.header, texts[self._place])

    def outside(self, days: Ordinals, moments: AnyArray, tolerance: timedelta) -> Mask:
        """Rows whose moment lies outside of their day by more than `tolerance`; a row without a moment does not."""
        places = days - ordinal_of(self._window.first)
        times: npt.NDArray[np.int64] = pc.cast(moments, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        slack = tolerance // timedelta(microseconds=1)
        early, late = times < self._borders[places] - slack, times >= self._borders[places + 1] + slack
        return (early | late) & pc.is_valid(moments).to_numpy(zero_copy_only=False)

    def _from_moments(self, column: Column, texts: AnyArray) -> Ordinals:
        header = column.header
        moments = read_times(texts, column.forms, self._calendar.timezone).values
        unread = np.flatnonzero(pc.is_null(moments).to_numpy(zero_copy_only=False))
        local = [self._local_day(column, text) for text in listed(texts.filter(pc.is_null(moments)))]
        times: npt.NDArray[np.int64] = pc.cast(moments, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        places = np.searchsorted(self._borders, times, side="right") - 1
        places[unread] = [(day - self._window.first).days for day in local]
        outside = np.flatnonzero((places < 0) | (places >= len(self._window)))
        if outside.size:
            held = f"{shortened(listed(texts)[outside[0]])!r} ({outside.size} such rows or more)"
            zone = self._calendar.timezone
            raise DataError(f"column {header!r} holds {held} in the response for {self._window}, {zone}")
        return (places + ordinal_of(self._window.first)).astype(np.int32)

    def _local_day(self, column: Column, text: str) -> date:
        """The day of a local time that the zone has twice or skips: the day stands, though the moment does not.

        Raises:
            DataError: the text is not a local time.
        """
        local = local_time(text, column.forms)
        if local is None:
            why = why_unread(text, column.forms, self._calendar.timezone)
            raise DataError(f"column {column.header!r} holds {shortened(text)!r}, which is {why}", advice=DECLARE_FORM)
        return local.date()

    @functools.cached_property
    def _borders(self) -> npt.NDArray[np.int64]:
        """Where the window's days begin and the last one ends, in microseconds since 1970-01-01 UTC."""
        days = [*self._window.days, self._window.last + ONE_DAY]
        starts = pa.array([self._calendar.begins_at(day) for day in days], MOMENT)
        return pc.cast(starts, pa.int64()).to_numpy(zero_copy_only=False)

    def _from_days(self, header: str, texts: AnyArray) -> Ordinals:
        encoded = texts.dictionary_encode()
        places = encoded.indices.to_numpy(zero_copy_only=False)
        ordinals: list[int] = []
        for place, text in enumerate(listed(encoded.dictionary)):
            if text not in self._known:
                day = _parsed_day(text)
                if day is None:
                    message = "which is not a day: a total row" if is_total(text) else "which is not a day"
                    raise DataError(f"column {header!r} holds {shortened(text)!r}, {message}")
                if day not in self._window:
                    count = int(np.count_nonzero(places == place))
                    raise DataError(f"rows of {day} ({count} or more) in the response for {self._window}")
                self._known[text] = ordinal_of(day)
            ordinals.append(self._known[text])
        return np.array(ordinals, dtype=np.int32)[places]


def _parsed_day(text: str) -> date | None:
    result = _DAY.fullmatch(text)
    if not result:
        return None
    try:
        return date.fromisoformat(result.group(1) or text)
    except ValueError:
        return None
