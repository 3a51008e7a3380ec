"""Exact sums of money, by column and currency."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from reporting_dags.landing.arrow import AnyArray
from reporting_dags.landing.hashing import words_of
from reporting_dags.model.column import Column, Kind
from reporting_dags.model.report import Report

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


class Sums:
    """Sums of a report's money columns over the rows taken in so far, exact however large."""

    def __init__(self, report: Report[Any]) -> None:
        by_header = {column.header: column for column in report.columns}
        self._columns = [column for column in report.kept if column.kind is Kind.MONEY]
        self._sources = {
            column.name: by_header[column.currency_from].name if column.currency_from else None
            for column in self._columns
        }
        self._units: dict[str, dict[str, int]] = {
            column.name: {column.currency: 0} if column.currency else {} for column in self._columns
        }

    @property
    def names(self) -> list[str]:
        """The columns that `add` looks at."""
        sources = [source for source in self._sources.values() if source is not None]
        return list(dict.fromkeys([*self._sources, *sources]))

    def add(self, table: pa.Table | pa.RecordBatch) -> None:
        """Take in rows; nulls count as nothing."""
        for batch in table.to_batches() if isinstance(table, pa.Table) else [table]:
            for column in self._columns:
                self._add(column, batch)

    def _add(self, column: Column, batch: pa.RecordBatch) -> None:
        values, units, source = batch.column(column.name), self._units[column.name], self._sources[column.name]
        if source is None:
            units[column.currency or ""] += _total(values)
            return
        codes = batch.column(source).dictionary_encode()
        places = codes.indices.to_numpy(zero_copy_only=False)
        for place, currency in enumerate(_texts(codes.dictionary)):
            mine = values if len(codes.dictionary) == 1 else values.filter(pa.array(places == place))
            units[currency] = units.get(currency, 0) + _total(mine)

    def as_decimals(self) -> Mapping[str, Mapping[str, Decimal]]:
        """Column name → currency → sum."""
        scales = {column.name: _scale(column) for column in self._columns}
        return {
            name: {currency: _decimal(units[currency], scales[name]) for currency in sorted(units)}
            for name, units in self._units.items()
        }

    def currencies(self) -> list[str]:
        """Every currency met, in order."""
        return sorted({currency for units in self._units.values() for currency in units})


def _texts(values: AnyArray) -> list[str]:
    return [value or "" for value in values.to_pylist()]


def _scale(column: Column) -> int:
    if not pa.types.is_decimal(column.type):
        raise TypeError(f"money in {column.name} is {column.type}")
    return column.type.scale


def _total(values: AnyArray) -> int:
    # Arrow's own sum of decimals wraps round in silence past 38 digits. Halves of words cannot, below 2³¹ rows.
    words = words_of(values.drop_null() if values.null_count else values)
    low, high = words[:, 0], words[:, 1].view(np.int64)
    upper = (int((high >> 32).sum()) << 32) + int((high & 0xFFFFFFFF).sum())
    return (upper << 64) + (int((low >> _HALF).sum()) << 32) + int((low & _LOW).sum())


def _decimal(units: int, scale: int) -> Decimal:
    return Decimal((int(units < 0), tuple(int(digit) for digit in str(abs(units))), -scale))
