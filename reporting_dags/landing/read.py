"""Published days or a snapshot, read back as one table."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.store import Store
from reporting_dags.model.errors import StorageError
from reporting_dags.model.report import Report

DATE = "date"
"""The first column of what is read: the partition."""


def read_days(store: Store, report: Report[Any], days: Sequence[date], *, allow_missing: bool = False) -> pa.Table:
    """The rows of `days`, in that order, behind a first column `date`.

    Args:
        store: where the partitions live.
        report: whose; a file of another schema than its own is refused, not converted.
        days: the partitions to read.
        allow_missing: leave out days that are not there, in place of raising.

    Raises:
        StorageError: a day is missing, is of another schema, or cannot be read.
    """
    whole = pa.schema([pa.field(DATE, pa.date32()), *report.schema])
    tables = [whole.empty_table()]
    for day in days:
        table = _file(store, report, report.file(day), f"{report.key} {day}", allow_missing=allow_missing)
        if table is not None:
            dates = pa.repeat(pa.scalar(day, pa.date32()), table.num_rows)
            tables.append(table.add_column(0, DATE, dates).cast(whole))
    return pa.concat_tables(tables)


def read_snapshot(store: Store, report: Report[Any], *, allow_missing: bool = False) -> pa.Table:
    """The rows of a report that is not kept by day; none if there is no file and `allow_missing`.

    Raises:
        StorageError: the file is missing, is of another schema, or cannot be read.
    """
    # Every day of a snapshot is the same file.
    table = _file(store, report, report.file(date.min), report.key, allow_missing=allow_missing)
    return report.schema.empty_table() if table is None else table


def _file(store: Store, report: Report[Any], key: str, label: str, *, allow_missing: bool) -> pa.Table | None:
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
    if not table.schema.equals(report.schema):
        raise StorageError(
            f"{label}: the file in {store.url} has other columns than the report declares now",
            advice="Materialize it again",
        )
    return table


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A frame over Arrow's own types: decimals are exact, integers with nulls stay integers."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)
