"""Checks the keys of the rows of a JSON response: missing, undeclared and duplicate keys."""

from collections.abc import Mapping

from reporting_dags.landing.parsing.raw_file import (
    find_name,
    format_names,
    may_be_missing,
    missing_column_error,
    sent_columns,
)
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.column import Column, Kind
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import JsonRows
from reporting_dags.model.report import Report

_MAX_SHAPES = 10_000
_MAX_KEYS = 1000


class RowKeys:
    """Collects the keys of rows, one row at a time. Most rows have the same keys, so a sequence of keys is cached."""

    def __init__(self, report: Report, literal_columns: Mapping[str, str], json_format: JsonRows) -> None:
        self._columns = tuple(column for column in sent_columns(report) if not column.catch_all)
        self._has_catch_all = any(column.catch_all for column in report.columns)
        self._literal_columns = literal_columns
        self._sparse = json_format.sparse
        self._ignored = frozenset(json_format.ignored)
        self._grain = frozenset(report.grain)
        self._grain_columns = [column for column in self._columns if column.header in self._grain]
        promised = self._grain if report.grain_promised else frozenset[str]()
        self._required_headers = {*promised, report.day_column.header if report.day_column else ""}
        self._shapes: set[tuple[str, ...]] = set()
        self._names_used: dict[str, set[str]] = {column.header: set() for column in self._columns}
        self._first_row_without: dict[str, int] = {}
        self._all_keys: dict[str, None] = {}
        self._undeclared_keys: dict[str, None] = {}

    def add_row(self, keys: list[str], row: int) -> None:
        """Add the keys of a row.

        Args:
            keys: the keys of the row, in their order.
            row: the number of the row, from 1.

        Raises:
            DataError: the row has a duplicate key.
        """
        shape = tuple(keys)
        if shape in self._shapes:
            return
        if len(self._shapes) >= _MAX_SHAPES:
            self._shapes.clear()
        self._shapes.add(shape)
        present = dict.fromkeys(keys)
        if len(present) < len(keys):
            duplicate = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"row {row} has the key {shortened(duplicate)!r} twice")
        used: set[str] = set()
        for column in self._columns:
            name = find_name(column, present)
            if name is None:
                self._first_row_without.setdefault(column.header, row)
            else:
                self._names_used[column.header].add(name)
                used.add(name)
        _remember(self._all_keys, present)
        _remember(self._undeclared_keys, {key: None for key in keys if key not in used and key not in self._ignored})

    def check(self) -> None:
        """Check that no required column is missing. Call it after every row is added, if there is at least one.

        Raises:
            DataError: a required column is missing, in every row or in one.
        """
        for column in self._columns:
            is_essential = column.kind is Kind.MONEY or column.header in self._grain
            has_no_grain = column.header in self._grain and self._is_unseen(*self._grain_columns)
            if is_essential and (self._undeclared_keys or has_no_grain) and self._is_unseen(column):
                # Rows may leave out nulls. But if no row has a money or grain column and there are undeclared keys, the
                # column was probably renamed. And rows without any grain column are not rows of this report.
                raise missing_column_error(column, [*self._all_keys])
            if may_be_missing(column, self._literal_columns) or (
                self._sparse and column.header not in self._required_headers
            ):
                continue
            if not self._names_used[column.header]:
                raise missing_column_error(column, [*self._all_keys])
            if column.header in self._first_row_without:
                raise DataError(f"row {self._first_row_without[column.header]} lacks {column.header!r}")

    @property
    def warnings(self) -> tuple[str, ...]:
        """Undeclared keys, and declared columns that no row has."""
        results: list[str] = []
        if self._undeclared_keys and not self._has_catch_all:
            results.append(f"new columns, not landed: {format_names([*self._undeclared_keys])}")
        unseen = [column.header for column in self._columns if self._is_unseen(column)] if self._shapes else []
        if unseen:
            results.append(f"columns that no row of the response has: {format_names(unseen)}")
        return tuple(results)

    def _is_unseen(self, *columns: Column) -> bool:
        """Return whether no row has any of `columns`, all of which are required."""
        return not any(
            self._names_used[column.header] or may_be_missing(column, self._literal_columns) for column in columns
        )

    def names_of(self, column: Column) -> tuple[str, ...]:
        """Return the names (header or aliases) of a column that rows use, in order of precedence."""
        return tuple(name for name in (column.header, *column.aliases) if name in self._names_used[column.header])


def _remember(known: dict[str, None], keys: Mapping[str, None]) -> None:
    if len(known) < _MAX_KEYS:
        known.update(keys)
