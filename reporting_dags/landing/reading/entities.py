"""The apps, sites or offers of a report: what each earned on a day, and the currency that an entity list gives it."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.compute.group_sums import sum_by_group
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.column import Kind
from reporting_dags.model.decimals import total
from reporting_dags.model.report import Report

Weights = Mapping[str, Decimal]
"""The first money column's sum by entity, or its rows where a report has no money."""

Entities = Mapping[str, str | None]
"""The currency of each entity of a list, by its id; None where the list gives it none."""
_ID, _CURRENCY = "id", "currency"


def entities_of(file: Path | pa.NativeFile) -> Entities:
    """Return the entities in the Parquet file of an entity list; none if its rows have no id.

    Raises:
        OSError, pa.ArrowException: the file cannot be read.
    """
    with pq.ParquetFile(file) as parquet:
        names = set(parquet.schema_arrow.names)
        if _ID not in names:
            return {}
        table = parquet.read(columns=[name for name in (_ID, _CURRENCY) if name in names])
    ids = table.column(_ID).to_pylist()
    currencies = table.column(_CURRENCY).to_pylist() if _CURRENCY in names else [None] * len(ids)
    return {str(key): currency or None for key, currency in zip(ids, currencies, strict=True) if key}


def weights(report: Report, day: date, data: Store) -> Weights:
    """Read the day's file; empty if the day is missing or has other columns, or if the report has no entity.

    Raises:
        StorageError: the store cannot be read, or the file is not Parquet.
    """
    if not report.entity or not report.partitioned or not data.exists(report.file(day)):
        return {}
    by_header = {column.header: column.name for column in report.stored_columns}
    entity = by_header[report.entity]
    money = next((column.name for column in report.stored_columns if column.kind is Kind.MONEY), None)
    requested = [entity] if money is None else [entity, money]
    try:
        with data.open(report.file(day)) as opened, pq.ParquetFile(opened) as file:
            if not set(requested) <= set(file.schema_arrow.names):
                return {}
            table = file.read(columns=requested)
    except (OSError, pa.ArrowException) as error:
        raise data.error("read", error) from None
    if money is None:
        summed, figure = table.group_by(entity).aggregate([(entity, "count")]), f"{entity}_count"
    else:
        summed, figure = sum_by_group(table, [entity], [money]), money
    values = zip(summed.column(entity).to_pylist(), summed.column(figure).to_pylist(), strict=True)
    return {str(name): Decimal(value or 0) for name, value in values if name is not None}


def lost_share(before: Weights, now: Weights) -> dict[str, Fraction]:
    """Return the entities that earned before and are missing now, with their share of the earnings, largest first."""
    earned = Fraction(total(before.values()))
    missing = {name: weight for name, weight in before.items() if name not in now and weight > 0}
    gone = {name: Fraction(weight) / earned for name, weight in missing.items() if earned > 0}
    return dict(sorted(gone.items(), key=lambda pair: -pair[1]))
