"""Exact sums of a day: money by column and currency, counts by column, and the quotients that follow from them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, listed
from reporting_dags.landing.compute.hashing import words_of
from reporting_dags.model.column import Column, Kind
from reporting_dags.model.decimals import divide, from_units
from reporting_dags.model.report import Report

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_RATIO_DECIMALS = 18


class Sums:
    """Sums of a report's columns over the rows taken in so far, exact however large."""

    def __init__(self, report: Report) -> None:
        self._by_header = {column.header: column for column in report.columns}
        self._money = [column for column in report.stored_columns if column.kind is Kind.MONEY]
        self._measures = [column for column in report.stored_columns if column.kind is Kind.MEASURE]
        self._ratios = [column for column in report.stored_columns if column.kind is Kind.RATIO and column.ratio_of]
        self._sources = {
            column.name: self._by_header[column.currency_from].name if column.currency_from else None
            for column in self._money
        }
        self._units: dict[str, dict[str, int]] = {
            column.name: {column.currency: 0} if column.currency else {} for column in self._money
        }
        self._totals = {column.name: 0 for column in self._measures}

    @property
    def names(self) -> list[str]:
        """The columns that `add` looks at."""
        sources = [source for source in self._sources.values() if source is not None]
        return list(dict.fromkeys([*self._sources, *sources, *self._totals]))

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in rows; nulls count as nothing."""
        for column in self._money:
            self._add_money(column, batch)
        for name in self._totals:
            self._totals[name] += _total(batch.column(name))

    def merge(self, other: "Sums", *, sign: int = 1) -> None:
        """Take in what `other` has summed; with a `sign` of -1 take it out again."""
        for name, units in other._units.items():  # noqa: SLF001 - of its own kind
            for currency, amount in units.items():
                self._units[name][currency] = self._units[name].get(currency, 0) + sign * amount
        for name, total in other._totals.items():  # noqa: SLF001
            self._totals[name] += sign * total

    def _add_money(self, column: Column, batch: pa.RecordBatch) -> None:
        values = batch.column(column.name)
        units = self._units[column.name]
        source = self._sources[column.name]
        if source is None:
            units[column.currency or ""] += _total(values)
            return
        codes = batch.column(source).fill_null("").dictionary_encode()
        places = codes.indices.to_numpy(zero_copy_only=False)
        for place, currency in enumerate(listed(codes.dictionary)):
            own = values if len(codes.dictionary) == 1 else values.filter(pa.array(places == place))
            units[currency] = units.get(currency, 0) + _total(own)

    def money(self) -> Mapping[str, Mapping[str, Decimal]]:
        """Column name → currency → sum."""
        return {
            column.name: {
                currency: from_units(self._units[column.name][currency], _scale(column))
                for currency in sorted(self._units[column.name])
            }
            for column in self._money
        }

    def totals(self) -> Mapping[str, Decimal | int]:
        """Column name → sum, of every measure."""
        return {
            column.name: from_units(self._totals[column.name], _scale(column))
            if pa.types.is_decimal(column.type)
            else self._totals[column.name]
            for column in self._measures
        }

    def ratios(self) -> Mapping[str, Decimal]:
        """Column name → quotient of sums, to 18 decimals; left out over 0 or in several currencies."""
        results: dict[str, Decimal] = {}
        for column in self._ratios:
            if column.ratio_of is None:
                continue
            over, under = self._sum(column.ratio_of.over), self._sum(column.ratio_of.under)
            if over is not None and under:
                results[column.name] = divide(over, under, scale=column.ratio_of.scale, decimals=_RATIO_DECIMALS)
        return results

    def _sum(self, header: str) -> Decimal | int | None:
        name = self._by_header[header].name
        amounts = self.money().get(name)
        if amounts is not None:
            return next(iter(amounts.values())) if len(amounts) == 1 else None
        return self.totals().get(name)

    def currencies(self) -> list[str]:
        """Every currency met, in order."""
        return sorted({currency for units in self._units.values() for currency in units})


def total_of(values: "pa.ChunkedArray[Any]") -> Decimal:
    """The exact sum of decimals; nulls count as nothing."""
    return from_units(sum(_total(chunk) for chunk in values.chunks), values.type.scale)


def _scale(column: Column) -> int:
    if not pa.types.is_decimal(column.type):
        raise TypeError(f"money in {column.name} is {column.type}")
    return column.type.scale


def _total(values: AnyArray) -> int:
    # Arrow's own sums wrap round in silence, of decimals past 38 digits. Halves of words cannot, below 2³¹ rows.
    wide = pc.cast(values, pa.int64()) if values.type.bit_width < 64 else values
    words = words_of(wide.drop_null() if wide.null_count else wide)
    upper = _signed_total(words[:, -1].view(np.int64))
    if words.shape[1] == 1:
        return upper
    low = words[:, 0]
    return (upper << 64) + (int((low >> _HALF).sum()) << 32) + int((low & _LOW).sum())


def _signed_total(words: "np.typing.NDArray[np.int64]") -> int:
    return (int((words >> 32).sum()) << 32) + int((words & 0xFFFFFFFF).sum())
