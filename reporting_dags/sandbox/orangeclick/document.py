"""The answer's JSON, printed by hand: damage must reach it as it would reach a file (OC5)."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reporting_dags.sandbox.damage import BOM
from reporting_dags.sandbox.orangeclick.catalogue import DIMENSIONS
from reporting_dags.sandbox.table import QUOTE, Table

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def document(table: Table, meta: Mapping[str, Any], *, numbers: str) -> bytes:
    """The whole answer; `numbers` is how metrics stand in it, number or string."""
    header = [name.removeprefix(BOM) for name in table.header]
    mark = BOM if table.header[0].startswith(BOM) else ""
    # A row a line, so that an answer cut between rows is one that a reader of lines takes for whole.
    data = ",\n".join(f"{{{','.join(_pairs(header, row, numbers))}}}" for row in table.rows)
    text = f'{mark}{{"status":"success","data":[{data}],"meta":{_json(meta)}}}'
    return text.encode(table.encoding, errors="replace")


def _pairs(header: Sequence[str], row: Sequence[str], numbers: str) -> Iterator[str]:
    """The members of one object: fewer where the row is short; a cell too many goes by its place."""
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
