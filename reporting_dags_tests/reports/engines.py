"""SQL engines over the same landed files: those that read Parquet do so, the others get the rows in a table."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import sqlalchemy as sa
from datafusion import SessionContext

from reporting_dags.model.report import Report

Row = dict[str, Any]
Run = Callable[[str], list[Row]]
"""Runs one query, written for DuckDB, in the folder that holds `data`."""

_DATE = pa.field("date", pa.date32())
_READ = re.compile(r"read_parquet\('data/(\w+)/(\w+)/\*\*/\*\.parquet'[^)]*\)")


def landed(report: Report, folder: Path) -> pa.Table:
    """Every landed row under the columns that are declared now, with its partition as `date`."""
    schema = report.schema.append(_DATE)
    partitioning = ds.partitioning(pa.schema([_DATE]), flavor="hive")
    return ds.dataset(folder / "data" / report.key, schema=schema, partitioning=partitioning).to_table()


def on_tables(sql: str) -> str:
    """`sql` for an engine without `read_parquet`: the same rows are in a table `<provider>_<report>`."""
    return _READ.sub(r"\1_\2", sql)


def duckdb_engine(reports: Mapping[str, Report], folder: Path) -> Run:
    def run(sql: str) -> list[Row]:
        with duckdb.connect() as connection:
            told = connection.execute(sql.replace("'data/", f"'{folder}/data/"))
            names = [each[0] for each in told.description or ()]
            return [dict(zip(names, row, strict=True)) for row in told.fetchall()]

    return run


def datafusion_engine(reports: Mapping[str, Report], folder: Path) -> Run:
    context = SessionContext()
    for key, report in reports.items():
        place = str(folder / "data" / report.key)
        context.register_parquet(key.replace("/", "_"), place, table_partition_cols=[("date", pa.date32())])

    def run(sql: str) -> list[Row]:
        return context.sql(on_tables(sql)).to_pylist()

    return run


def polars_engine(reports: Mapping[str, Report], folder: Path) -> Run:
    frames = {key.replace("/", "_"): pl.from_arrow(landed(report, folder)) for key, report in reports.items()}

    def run(sql: str) -> list[Row]:
        return pl.SQLContext(frames).execute(on_tables(sql).removesuffix(";")).collect().to_dicts()

    return run


def sqlite_engine(reports: Mapping[str, Report], folder: Path) -> Run:
    return _database(sa.create_engine("sqlite://", poolclass=sa.StaticPool), reports, folder)


def postgres_engine(reports: Mapping[str, Report], folder: Path, url: str) -> Run:
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg2"), poolclass=sa.NullPool)
    return _database(engine, reports, folder)


def _database(engine: sa.Engine, reports: Mapping[str, Report], folder: Path) -> Run:
    exact = engine.dialect.name != "sqlite"
    with engine.begin() as connection:
        for key, report in reports.items():
            table = landed(report, folder)
            name = key.replace("/", "_")
            columns = ", ".join(f'"{field.name}" {_sql_type(field.type)}' for field in table.schema)
            connection.exec_driver_sql(f"CREATE TABLE {name} ({columns})")
            mark = "%s" if exact else "?"
            marks = ", ".join([mark] * table.num_columns)
            rows = [tuple(_value(value, exact=exact) for value in row.values()) for row in table.to_pylist()]
            connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({marks})", rows)

    def run(sql: str) -> list[Row]:
        with engine.connect() as connection:
            return [dict(row) for row in connection.exec_driver_sql(on_tables(sql)).mappings()]

    return run


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return "NUMERIC(38, 18)"
    names: dict[pa.DataType, str] = {pa.int64(): "BIGINT", pa.date32(): "DATE", pa.bool_(): "BOOLEAN"}
    return names.get(kind, "TIMESTAMP" if pa.types.is_timestamp(kind) else "TEXT")


def _value(value: Any, *, exact: bool) -> Any:
    # SQLite keeps a number of type NUMERIC as an integer where it can, and has no type for a day.
    if not exact and isinstance(value, Decimal | date | pd.Timestamp):
        return str(value)
    return value
