"""What a landed day must hold, worked out from the sandbox's truth value by value and with no code of the landing."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.storage.store import Store
from reporting_dags.model.column import Column, Kind
from reporting_dags.model.privacy import Personal
from reporting_dags.model.report import Report
from reporting_dags.sandbox.server import Sandbox

Row = tuple[Any, ...]
_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
_NO_IDS = {"", "null", "none", "unknown", "n/a"}
_UNIT = Decimal(1).scaleb(-18)


def expected_rows(
    sandbox: Sandbox, report: Report, day: date, at: datetime | None = None, account: str = "ordinary"
) -> Counter[Row]:
    """The rows of an honest answer to `account` at `at` (None: now), as the report declares to keep them."""
    return kept_rows(report, sandbox.truth(report.key, day, at, account))


def kept_rows(report: Report, rows: Iterable[Mapping[str, str]]) -> Counter[Row]:
    """Rows of a response, as printed texts by header, as the report declares to keep them."""
    known = {name for column in report.columns for name in (column.header, *column.aliases)}
    found: Counter[Row] = Counter()
    for row in rows:
        others = {header: text for header, text in row.items() if header not in known and text}
        found[tuple(_kept(column, row, others) for column in report.stored_columns)] += 1
    return found


def landed_rows(data: Store, report: Report, day: date) -> Counter[Row]:
    """The rows that lie in the day's file."""
    with data.open(report.file(day)) as file:
        table = pq.read_table(file)
    assert table.schema.equals(report.schema)
    columns = [list(map(_alike, table.column(name).to_pylist())) for name in table.schema.names]
    return Counter(zip(*columns, strict=True))


def _kept(column: Column, row: Mapping[str, str], others: Mapping[str, str]) -> Any:
    if column.flags is not None:
        header, texts = column.flags
        plain = row[header].replace("-", "").lower()
        return row[header] in texts or (column.masks and (plain in _NO_IDS or not plain.strip("0")))
    if column.catch_all:
        return _alike(json.dumps(others)) if others else ""
    text = next(row[name] for name in (column.header, *column.aliases) if name in row)
    if pa.types.is_string(column.type):
        return _hashed(text, column.personal) if column.personal and text else _alike(text)
    if column.kind is Kind.RATIO and text in {"-", "--", "NaN", "n/a"}:
        return None
    return _typed(text, column.type) if text else None


def _alike(value: Any) -> Any:
    """A nested value with each number written in one way: 1.21e-05 and 0.0000121 are the same."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        told = json.loads(value, parse_float=lambda text: f"number {Decimal(text).normalize():f}")
    except ValueError:
        return value
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def _typed(text: str, kind: pa.DataType) -> Any:
    if pa.types.is_integer(kind):
        return int(text)
    if pa.types.is_decimal(kind):
        return Decimal(text).quantize(_UNIT, context=_EXACT)
    if pa.types.is_boolean(kind):
        return {"true": True, "false": False}[text]
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _hashed(text: str, why: Personal) -> str:
    if why is Personal.EMAIL:
        text = text.strip().lower()
        if len(text) == 64 and not set(text) - set("0123456789abcdef"):
            return text
    return hashlib.sha256(text.encode()).hexdigest()
