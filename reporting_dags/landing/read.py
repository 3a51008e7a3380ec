"""Published days, read back as one table."""

from collections.abc import Sequence
from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.store import Store, partition_key
from reporting_dags.model.errors import StorageError

DATE = "date"
"""The first column of what is read: the partition."""


def read_days(
    store: Store, report_key: str, schema: pa.Schema, days: Sequence[date], *, allow_missing: bool = False
) -> pa.Table:
    """The rows of `days`, in that order, behind a first column `date`.

    Args:
        store: where the partitions live.
        report_key: `provider/report`.
        schema: the report's; a file of another one is refused, not converted.
        days: the partitions to read.
        allow_missing: leave out days that are not there, in place of raising.

    Raises:
        StorageError: a day is missing, is of another schema, or cannot be read.
    """
    whole = pa.schema([pa.field(DATE, pa.date32()), *schema])
    tables = [whole.empty_table()]
    for day in days:
        key = partition_key(report_key, day)
        if store.exists(key):
            tables.append(_day(store, report_key, schema, day).cast(whole))
        elif not allow_missing:
            raise StorageError(f"{report_key} {day}: no such partition in {store.url}", advice="Materialize it first")
    return pa.concat_tables(tables)


def _day(store: Store, report_key: str, schema: pa.Schema, day: date) -> pa.Table:
    with store.open(partition_key(report_key, day)) as file:
        try:
            table = pq.read_table(file)
        except (OSError, pa.ArrowException):
            raise StorageError(
                f"{report_key} {day}: the file in {store.url} cannot be read as Parquet", advice="Materialize it again"
            ) from None
    if not table.schema.equals(schema):
        raise StorageError(
            f"{report_key} {day}: the file in {store.url} has other columns than the report declares now",
            advice="Materialize it again",
        )
    dates = pa.repeat(pa.scalar(day, pa.date32()), table.num_rows)
    return table.add_column(0, DATE, dates)


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A frame over Arrow's own types: decimals are exact, integers with nulls stay integers."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)
