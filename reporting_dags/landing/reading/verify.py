"""Verifies one published file: reads it completely and compares it with its record in the ledger."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.compute.hashing import DataVersion, row_hashes
from reporting_dags.landing.compute.sums import Sums
from reporting_dags.landing.storage.origin import without_origin
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.column import Column, Kind
from reporting_dags.model.decimals import plain
from reporting_dags.model.errors import DeclarationError, StorageError
from reporting_dags.model.report import Report

# Memory stays bounded however large a file is: this many rows are in hand at a time.
_BATCH_ROWS = 64 << 10
_CHUNK_BYTES = 8 << 20
# A damaged file can make its reader stumble over anything: bytes, types, texts that are none, lengths. What is damaged
# is told of, and the next file is read.
_UNREADABLE = (
    OSError,
    pa.ArrowException,
    DeclarationError,
    StorageError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
)


class Recorded(Protocol):
    """What was recorded of a partition when it landed."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        ...

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        ...

    @property
    def sha256(self) -> str:
        """SHA-256 of the file in hex."""
        ...

    @property
    def data_version(self) -> str:
        """Hash of the file's rows."""
        ...

    @property
    def money_sums(self) -> Mapping[str, Mapping[str, Decimal]]:
        """Exact sums by column and currency."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file contains.

    Attributes:
        rows: number of rows that were read.
        differences: how the file differs from its record, one line each; empty if it is intact.
        damage: the kind of the differences, the same text for files that are damaged in the same way; empty if none.
        declared: whether its columns are those of the current declaration.
        sums: sums of its rows; None if it cannot be read.
    """

    rows: int = 0
    differences: tuple[str, ...] = ()
    damage: str = ""
    declared: bool = False
    sums: Sums | None = field(default=None, compare=False)


def read_back(
    report: Report,
    day: date,
    recorded: Recorded,
    store: Store,
    *,
    each: Callable[[pa.RecordBatch], None] | None = None,
) -> Reading:
    """Read the file of `day` in batches and compare it with what was `recorded`.

    The data version is computed from the rows and columns of the file, whatever is declared now. So a file that agrees
    with its record but has other columns than the declaration is an older one, not a damaged one.

    Args:
        report: the current declaration.
        day: the partition.
        recorded: what was recorded when it landed.
        store: the data root.
        each: called with each batch of rows.

    Raises:
        StorageError: the store cannot be read.
    """
    key = report.file(day)
    if not store.exists(key):
        return Reading(differences=("the file is gone",), damage="the file is gone")
    differences: list[str] = []
    try:
        size = store.size(key)
        differences += [] if size == recorded.size else [f"{size} bytes in place of {recorded.size}"]
        with store.open(key) as file, pq.ParquetFile(file) as parquet:
            # What a reader may skip by, such as a column's least value, is in no row: the bytes themselves are noted.
            differences += [] if _sha256(file) == recorded.sha256 or differences else ["other bytes than landed"]
            schema = without_origin(parquet.schema_arrow)
            sums = Sums(report if schema.equals(report.schema, check_metadata=True) else _as_landed(report, schema))
            version = DataVersion(schema)
            rows = 0
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
                rows += batch.num_rows
                version.add(row_hashes(batch.schema.names, batch.columns))
                sums.add(batch)
                if each is not None:
                    each(batch)
    except _UNREADABLE as error:
        line = f"cannot be read as Parquet ({type(error).__name__})"
        return Reading(differences=(*differences, line), damage="cannot be read as Parquet")
    damage = "other bytes than landed" if differences else ""
    differences += [] if rows == recorded.rows else [f"{rows} rows in place of {recorded.rows}"]
    differences += [] if version.value == recorded.data_version else ["other values or columns than landed"]
    other_money = list(_other_money(sums.money(), recorded.money_sums))
    if rows != recorded.rows or version.value != recorded.data_version or other_money:
        damage = "other rows or values than landed"
    differences += other_money
    declared = schema.equals(report.schema, check_metadata=True)
    return Reading(rows=rows, differences=tuple(differences), damage=damage, declared=declared, sums=sums)


def _sha256(file: pa.NativeFile) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _other_money(
    found: Mapping[str, Mapping[str, Decimal]], recorded: Mapping[str, Mapping[str, Decimal]]
) -> Iterator[str]:
    for column in sorted({*found, *recorded}):
        own, other = found.get(column, {}), recorded.get(column, {})
        for currency in sorted({*own, *other}):
            if own.get(currency) != other.get(currency):
                sums = f"{_amount_text(own.get(currency))} {currency}".strip()
                yield f"{column} sums to {sums} in place of {_amount_text(other.get(currency))}"


def _amount_text(amount: Decimal | None) -> str:
    return "nothing" if amount is None else plain(amount)


def _as_landed(report: Report, schema: pa.Schema) -> Report:
    """Return the report with the columns with which the file was landed, according to its schema."""
    return replace(
        report,
        columns=tuple(_column(field) for field in schema),
        grain=(),
        entity="",
        hour="",
        day_from="",
        partitioned=False,
    )


def _column(field: "pa.Field[Any]") -> Column:
    facts = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    return Column(
        header=facts.get("header", field.name),
        kind=Kind(facts.get("kind", Kind.IDENTITY)),
        type=field.type,
        unit=facts.get("unit", ""),
        currency=facts.get("currency"),
        currency_from=facts.get("currency_from"),
    )
