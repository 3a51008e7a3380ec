"""The JSON of a response, formatted cell by cell so that faults can damage it like a file (OC5)."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reporting_dags.sandbox.damage import BOM
from reporting_dags.sandbox.orangeclick.catalog import DIMENSIONS
from reporting_dags.sandbox.table import QUOTE, Table

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def json_document(table: Table, meta: Mapping[str, Any], *, numbers: str) -> bytes:
    """Return the complete response; `numbers` is the JSON type of metrics: number or string."""
    header = [name.removeprefix(BOM) for name in table.header]
    prefix = BOM if table.header[0].startswith(BOM) else ""
    # One row per line, so that a response that is cut between rows looks complete to a parser of lines.
    data = ",\n".join(f"{{{','.join(_pairs(header, row, numbers))}}}" for row in table.rows)
    text = f'{prefix}{{"status":"success","data":[{data}],"meta":{_json(meta)}}}'
    return text.encode(table.encoding, errors="replace")


def _pairs(header: Sequence[str], row: Sequence[str], numbers: str) -> Iterator[str]:
    """Yield the members of an object. A short row has fewer members; an extra cell has its index as name."""
    for n, cell in enumerate(row):
        name = header[n] if n < len(header) else str(n)
        yield f"{_json(name)}:{_value(name, cell, numbers)}"


def _value(name: str, cell: str, numbers: str) -> str:
    if cell.startswith(QUOTE):
        return f'"{_value(name, cell.removeprefix(QUOTE), numbers)}'
    if name in DIMENSIONS:
        return _json(cell)
    if not cell:
        return "null"
    return cell if numbers == "number" and NUMBER.fullmatch(cell) else _json(cell)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
