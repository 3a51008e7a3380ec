"""Combines a day of several reports into one table: sums by entity, country, currency and time zone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.landing.compute.group_sums import sum_by_group
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.column import MIXED, MONEY, Column
from reporting_dags.model.errors import DataError, DeclarationError
from reporting_dags.model.report import Report

_KEYS = ("entity", "country", "currency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one report contributes to the table of all networks.

    Attributes:
        report: the source asset.
        entity: header of the app, site or offer.
        country: header of the country.
        counts: header of a measure by column of the table; "" if every row counts as one.
        money: header of a money column by column of the table.
        excluded_rows: header and text of rows whose money does not count, such as rejected ones.
    """

    report: Report
    entity: str
    country: str
    counts: Mapping[str, str] = field(default_factory=dict[str, str])
    money: Mapping[str, str] = field(default_factory=dict[str, str])
    excluded_rows: tuple[str, str] | None = None

    @property
    def currency_is_of_entity(self) -> bool:
        """Whether the currency of the money is not in the report but is that of the entity."""
        first = self.first_money
        return first.currency_from is None and first.currency == MIXED

    @property
    def first_money(self) -> Column:
        """The first money column, whose currency is that of all."""
        columns = {column.header: column for column in self.report.stored_columns}
        return columns[next(iter(self.money.values()))]

    def __post_init__(self) -> None:
        headers = {column.header for column in self.report.stored_columns}
        needed = [self.entity, self.country, *filter(None, self.counts.values()), *self.money.values()]
        for header in (*needed, *((self.excluded_rows[0],) if self.excluded_rows else ())):
            if header not in headers:
                why = f"{header!r} is gone, which network/daily needs: give it back, or take the source out"
                raise DeclarationError(f"reports/network.py: {self.report.key}: {why} there")


def combine(source: Source, day: date, store: Store, *, schema: pa.Schema, currencies: Mapping[str, str]) -> pa.Table:
    """Return one source's day as rows of `schema`: one row for each entity, country and currency.

    A figure that the report did not have when the day landed is null.

    Args:
        source: the source, whose partition of `day` exists.
        day: the partition.
        store: the data root.
        schema: schema of the table: network, entity, country, the figures, currency, report_timezone, source_asset.
        currencies: currency by entity, for money whose report does not say it; null if it is in neither.

    Raises:
        StorageError, OSError, pa.ArrowException: the partition cannot be read.
        KeyError: a column is missing; named.
        DataError: a sum has more digits than the table can hold.
    """
    report = source.report
    columns = {column.header: column for column in report.stored_columns}
    requested = {source.entity, source.country, *filter(None, source.counts.values()), *source.money.values()}
    requested |= {source.excluded_rows[0]} if source.excluded_rows else set()
    sources = {columns[header].currency_from for header in source.money.values()}
    requested |= {header for header in sources if header}
    names = sorted(columns[header].name for header in requested)
    with store.open(report.file(day)) as file, pq.ParquetFile(file) as parquet:
        stored = set(parquet.schema_arrow.names)
        table = parquet.read(columns=names)
    if stored <= {column.name for column in report.stored_columns}:
        # Added to the declaration later. A file with other columns than declared may hold it under another name.
        for header in (*filter(None, source.counts.values()), *source.money.values()):
            name = columns[header].name
            if name not in stored:
                table = table.append_column(name, pa.nulls(table.num_rows, report.schema.field(name).type))
    lacking = [name for name in names if name not in table.column_names]
    if lacking:
        raise KeyError(lacking[0])
    entity = table.column(columns[source.entity].name).combine_chunks()
    figures: dict[str, AnyArray] = {
        "entity": entity,
        "country": table.column(columns[source.country].name).combine_chunks(),
        "currency": _currency(source, table, entity, currencies),
    }
    ones = pa.repeat(pa.scalar(1, pa.int64()), table.num_rows)
    for name, header in source.counts.items():
        figures[name] = table.column(columns[header].name).combine_chunks() if header else ones
    for name, header in source.money.items():
        amounts = table.column(columns[header].name).combine_chunks()
        if source.excluded_rows is not None:
            status, text = source.excluded_rows
            result = table.column(columns[status].name).combine_chunks()
            void = pc.is_in(result, value_set=pa.array([text], result.type))
            amounts = pc.if_else(void, pa.scalar(Decimal(), MONEY), amounts)
        figures[name] = amounts
    summed_up = [*source.counts, *source.money]
    grouped = sum_by_group(pa.table(figures), _KEYS, summed_up)
    constants = {
        "network": report.provider,
        "report_timezone": report.calendar.timezone,
        "source_asset": report.key,
    }
    rows = grouped.num_rows
    arrays: list[AnyArray] = []
    for each in schema:
        if each.name in constants:
            arrays.append(pa.repeat(pa.scalar(constants[each.name], each.type), rows))
        elif each.name in _KEYS:
            arrays.append(grouped.column(each.name).combine_chunks())
        elif each.name in summed_up:
            arrays.append(_fitting(grouped.column(each.name).combine_chunks(), each, f"{report.key} {day}"))
        else:
            arrays.append(pa.nulls(rows, each.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _fitting(sums: AnyArray, field: "pa.Field[Any]", subject: str) -> AnyArray:
    """Return sums in the type of the column, or raise an error: digits are never cut off."""
    try:
        return pc.cast(sums, field.type)
    except pa.ArrowInvalid:
        message = "do not fit 64 bits"
        if pa.types.is_decimal(field.type):
            message = f"have more than {field.type.precision - field.type.scale} digits before the decimal point"
        raise DataError(
            f"{subject}: the {field.name} of one entity {message}",
            advice="Fix: compare the values with the provider's own report, then materialize that source again.",
        ) from None


def _currency(source: Source, table: pa.Table, entity: AnyArray, currencies: Mapping[str, str]) -> AnyArray:
    """Return the currency of each row: from its column, from the report, or from its entity."""
    if source.currency_is_of_entity:
        places = pc.index_in(entity, value_set=pa.array(list(currencies), pa.string()))
        return pa.array(list(currencies.values()), pa.string()).take(places)
    first = source.first_money
    if first.currency_from is not None:
        columns = {column.header: column for column in source.report.stored_columns}
        return table.column(columns[first.currency_from].name).combine_chunks()
    return pa.repeat(pa.scalar(first.currency, pa.string()), table.num_rows)
