"""Reads published days or a snapshot as one table with the columns of the current declaration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.storage.store import Store
from reporting_dags.model.days import SNAPSHOT
from reporting_dags.model.errors import StorageError
from reporting_dags.model.report import Report

DATE = "date"
"""The first column of what is read: the partition."""
_REBUILD = (
    "Fix: rebuild the partition from its stored raw response (run config `replay: true`), or materialize it again "
    "while the provider serves the day, or declare the column as it was"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """How a file of an earlier declaration was adapted to the current one.

    Attributes:
        filled: names of declared columns that the file does not have; they are null in every row.
        dropped: names of columns in the file that are not declared now.
    """

    filled: tuple[str, ...]
    dropped: tuple[str, ...]

    def __str__(self) -> str:
        message = (("columns filled with null", self.filled), ("columns left out", self.dropped))
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in message if names)


OnAdapted = Callable[[date, Adapted], None]


def read_days(
    store: Store,
    report: Report,
    days: Sequence[date],
    *,
    allow_missing: bool = False,
    adapted: OnAdapted = lambda _day, _how: None,
) -> pa.Table:
    """Return the rows of `days`, in that order, with `date` as the first column.

    Args:
        store: the data root.
        report: the declaration, which defines the columns and their types.
        days: the partitions to read.
        allow_missing: whether missing days are left out; if not, they are an error.
        adapted: called for each day whose file has other columns than the current declaration.

    Raises:
        StorageError: a day is missing, has a column of another type or currency, or cannot be read.
    """
    whole = pa.schema([pa.field(DATE, pa.date32()), *report.schema])
    tables = [whole.empty_table()]
    for day in days:
        label = f"{report.key} {day}"
        table = _file(store, report, day, label, allow_missing=allow_missing, adapted=adapted)
        if table is not None:
            dates = pa.repeat(pa.scalar(day, pa.date32()), table.num_rows)
            tables.append(table.add_column(0, DATE, dates).cast(whole))
    return pa.concat_tables(tables)


def read_snapshot(
    store: Store,
    report: Report,
    *,
    allow_missing: bool = False,
    adapted: OnAdapted = lambda _day, _how: None,
) -> pa.Table:
    """Return the rows of a report without daily partitions; none if there is no file and `allow_missing`.

    Raises:
        StorageError: the file is missing, has a column of another type or currency, or cannot be read.
    """
    table = _file(store, report, SNAPSHOT, report.key, allow_missing=allow_missing, adapted=adapted)
    return report.schema.empty_table() if table is None else table


def _file(
    store: Store, report: Report, day: date, label: str, *, allow_missing: bool, adapted: OnAdapted
) -> pa.Table | None:
    key = report.file(day)
    if not store.exists(key):
        if allow_missing:
            return None
        raise StorageError(f"{label}: no such partition in {store.url}", advice="Materialize it first")
    with store.open(key) as file:
        try:
            table = pq.read_table(file)
        except (OSError, pa.ArrowException):
            raise StorageError(
                f"{label}: the file in {store.url} cannot be read as Parquet", advice="Materialize it again"
            ) from None
    if table.schema.equals(report.schema, check_metadata=True):
        return table
    return _as_declared(table, report, day, label, adapted)


def _as_declared(table: pa.Table, report: Report, day: date, label: str, adapted: OnAdapted) -> pa.Table:
    """Return the table with the declared columns only; missing columns are null."""
    there = set(table.schema.names)
    columns: list[pa.ChunkedArray[Any]] = []
    for field in report.schema:
        if field.name not in there:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)]))
            continue
        different = _difference(table.schema.field(field.name), field)
        if different:
            raise StorageError(f"{label}: column {field.name} is {different}", advice=_REBUILD)
        columns.append(table.column(field.name))
    names = report.schema.names
    how = Adapted(
        filled=tuple(name for name in names if name not in there),
        dropped=tuple(name for name in table.schema.names if name not in set(names)),
    )
    if how.filled or how.dropped:
        adapted(day, how)
    return pa.Table.from_arrays(columns, schema=report.schema)


def _difference(found: "pa.Field[Any]", declared: "pa.Field[Any]") -> str:
    """Return how the type or currency of a file's column differs from the declaration; empty if it does not."""
    if found.type != declared.type:
        return f"{found.type} in the file, {declared.type} in the declaration"
    earlier, now = _currency(found), _currency(declared)
    return f"in {earlier} in the file, {now} in the declaration" if earlier and now and earlier != now else ""


def _currency(field: "pa.Field[Any]") -> str:
    """Return the currency of a money field; empty if it has none."""
    facts = field.metadata or {}
    column = facts.get(b"currency_from", b"").decode()
    return f"the currency of {column}" if column else facts.get(b"currency", b"").decode()


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Return a DataFrame with Arrow types: decimals are exact, and integers with nulls stay integers."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)
