"""Which keys the rows of a JSON answer have: what is missing, what is new, what is duplicated."""

from collections.abc import Mapping

from reporting_dags.landing.parsing.raw_file import may_lack, missing, name_among, sent_columns, shown
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.column import Column, Kind
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import JsonRows
from reporting_dags.model.report import Report

_MOST_SHAPES = 10_000
_MOST_KEYS = 1000


class RowKeys:
    """Learns the keys of one row after the other; rows of a kind are alike, so most cost a look-up."""

    def __init__(self, report: Report, constants: Mapping[str, str], text: JsonRows) -> None:
        self._columns = tuple(column for column in sent_columns(report) if not column.catch_all)
        self._keeps_rest = any(column.catch_all for column in report.columns)
        self._constants = constants
        self._sparse = text.sparse
        self._ignored = frozenset(text.ignored)
        self._grain = frozenset(report.grain)
        self._keys = [column for column in self._columns if column.header in self._grain]
        promised = self._grain if report.grain_promised else frozenset[str]()
        self._always = {*promised, report.day_column.header if report.day_column else ""}
        self._shapes: set[tuple[str, ...]] = set()
        self._names: dict[str, set[str]] = {column.header: set() for column in self._columns}
        self._lacking: dict[str, int] = {}
        self._met: dict[str, None] = {}
        self._new: dict[str, None] = {}

    def learn(self, keys: list[str], row: int) -> None:
        """Take in the keys of a row; rows count from 1.

        Raises:
            DataError: a key is duplicated.
        """
        shape = tuple(keys)
        if shape in self._shapes:
            return
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
        self._shapes.add(shape)
        there = dict.fromkeys(keys)
        if len(there) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"row {row} has {shortened(twice)!r} twice")
        used: set[str] = set()
        for column in self._columns:
            name = name_among(column, there)
            if name is None:
                self._lacking.setdefault(column.header, row)
            else:
                self._names[column.header].add(name)
                used.add(name)
        _remember(self._met, there)
        _remember(self._new, {key: None for key in keys if key not in used and key not in self._ignored})

    def check(self) -> None:
        """Once every row is known, of which there is at least one.

        Raises:
            DataError: a column is missing that may not be.
        """
        for column in self._columns:
            needed = column.kind is Kind.MONEY or column.header in self._grain
            nameless = column.header in self._grain and self._lost(*self._keys)
            if needed and (self._new or nameless) and self._lost(column):
                # Rows may leave out what is null. Money or a key that all lack, beside an unknown key, was renamed;
                # and rows that have no part of their key at all are no such rows.
                raise missing(column, [*self._met])
            if may_lack(column, self._constants) or (self._sparse and column.header not in self._always):
                continue
            if not self._names[column.header]:
                raise missing(column, [*self._met])
            if column.header in self._lacking:
                raise DataError(f"row {self._lacking[column.header]} lacks {column.header!r}")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is new, and what is declared but stood in no row."""
        results: list[str] = []
        if self._new and not self._keeps_rest:
            results.append(f"new columns, not landed: {shown([*self._new])}")
        unseen = [column.header for column in self._columns if self._lost(column)] if self._shapes else []
        if unseen:
            results.append(f"columns that no row of the response has: {shown(unseen)}")
        return tuple(results)

    def _lost(self, *columns: Column) -> bool:
        """Whether no row has any of `columns`, none of which may be lacking."""
        return not any(self._names[column.header] or may_lack(column, self._constants) for column in columns)

    def names(self, column: Column) -> tuple[str, ...]:
        """The names under which rows have a column, in the order in which they count."""
        return tuple(name for name in (column.header, *column.aliases) if name in self._names[column.header])


def _remember(known: dict[str, None], keys: Mapping[str, None]) -> None:
    if len(known) < _MOST_KEYS:
        known.update(keys)
