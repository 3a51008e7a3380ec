"""Exact sums of a day: money by column and currency, measures by column, and the ratios computed from these sums."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, to_strings
from reporting_dags.landing.compute.hashing import to_words
from reporting_dags.model.column import Column, Kind
from reporting_dags.model.decimals import divide, from_units
from reporting_dags.model.report import Report

_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF_BITS = np.uint64(32)
_RATIO_DECIMALS = 18


class Sums:
    """Sums of a report's columns over the rows added so far, exact for values of any size."""

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
    def column_names(self) -> list[str]:
        """The names of the columns that `add` reads."""
        sources = [source for source in self._sources.values() if source is not None]
        return list(dict.fromkeys([*self._sources, *sources, *self._totals]))

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows; nulls are ignored."""
        for column in self._money:
            self._add_money(column, batch)
        for name in self._totals:
            self._totals[name] += _exact_total(batch.column(name))

    def merge(self, other: "Sums", *, sign: int = 1) -> None:
        """Add the sums of `other`; subtract them if `sign` is -1."""
        for name, units in other._units.items():  # noqa: SLF001 - of the same class
            for currency, amount in units.items():
                self._units[name][currency] = self._units[name].get(currency, 0) + sign * amount
        for name, total in other._totals.items():  # noqa: SLF001
            self._totals[name] += sign * total

    def _add_money(self, column: Column, batch: pa.RecordBatch) -> None:
        values = batch.column(column.name)
        units = self._units[column.name]
        source = self._sources[column.name]
        if source is None:
            units[column.currency or ""] += _exact_total(values)
            return
        codes = batch.column(source).fill_null("").dictionary_encode()
        indices = codes.indices.to_numpy(zero_copy_only=False)
        for index, currency in enumerate(to_strings(codes.dictionary)):
            amounts = values if len(codes.dictionary) == 1 else values.filter(pa.array(indices == index))
            units[currency] = units.get(currency, 0) + _exact_total(amounts)

    def money(self) -> Mapping[str, Mapping[str, Decimal]]:
        """Return the sums of money: column name → currency → sum."""
        return {
            column.name: {
                currency: from_units(self._units[column.name][currency], _scale(column))
                for currency in sorted(self._units[column.name])
            }
            for column in self._money
        }

    def totals(self) -> Mapping[str, Decimal | int]:
        """Return the sum of each measure: column name → sum."""
        return {
            column.name: from_units(self._totals[column.name], _scale(column))
            if pa.types.is_decimal(column.type)
            else self._totals[column.name]
            for column in self._measures
        }

    def ratios(self) -> Mapping[str, Decimal]:
        """Return the ratios of the sums, to 18 decimals: column name → ratio.

        A ratio is left out if its denominator is 0 or if one of its sums is in several currencies.
        """
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
        """Return every currency of the rows, sorted."""
        return sorted({currency for units in self._units.values() for currency in units})


def exact_sum(values: "pa.ChunkedArray[Any]") -> Decimal:
    """Return the exact sum of decimals; nulls are ignored."""
    return from_units(sum(_exact_total(chunk) for chunk in values.chunks), values.type.scale)


def _scale(column: Column) -> int:
    if not pa.types.is_decimal(column.type):
        raise TypeError(f"money in {column.name} is {column.type}")
    return column.type.scale


def _exact_total(values: AnyArray) -> int:
    # Arrow's own sums overflow without an error (decimals at 38 digits). Sums of half words cannot, below 2³¹ rows.
    wide = pc.cast(values, pa.int64()) if values.type.bit_width < 64 else values
    words = to_words(wide.drop_null() if wide.null_count else wide)
    upper = _exact_total_signed(words[:, -1].view(np.int64))
    if words.shape[1] == 1:
        return upper
    low = words[:, 0]
    return (upper << 64) + (int((low >> _HALF_BITS).sum()) << 32) + int((low & _LOW_HALF).sum())


def _exact_total_signed(words: "np.typing.NDArray[np.int64]") -> int:
    return (int((words >> 32).sum()) << 32) + int((words & 0xFFFFFFFF).sum())
