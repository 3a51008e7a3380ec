"""JSON values as texts, exact."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from reporting_dags.landing.compute.arrow import AnyArray


class Absent:
    """Stands in place of a value that a row does not have."""


ABSENT: Final = Absent()


def text_of(value: object) -> str:
    """A string as it is, `null` as an empty text, anything else as compact JSON.

    Decimals are written as Python does, exact: `0.0000121` for 1.21e-05.
    """
    if isinstance(value, str):
        return value
    return "" if value is None else _compact(value)


def texts_of(values: Sequence[object]) -> AnyArray:
    """Many values as texts; null for those that are absent."""
    try:
        return pa.array(values, pa.string()).fill_null("")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_WRITERS[type(value)](value) for value in values], pa.string())


def object_text(members: dict[str, str]) -> str:
    """One JSON object of texts; an empty text if it has no members."""
    return _ENCODER.encode(members) if members else ""


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _compact(value: Any) -> str:
    if isinstance(value, dict):
        members: dict[str, Any] = value
        return "{" + ",".join(f"{_ENCODER.encode(key)}:{_compact(member)}" for key, member in members.items()) + "}"
    if isinstance(value, list):
        items: list[Any] = value
        return "[" + ",".join(map(_compact, items)) + "]"
    # The encoder knows no decimals, and would make floats of them.
    return str(value) if isinstance(value, Decimal) else _ENCODER.encode(value)


_WRITERS: dict[type, Callable[[Any], str | None]] = {
    str: str,
    int: str,
    Decimal: str,
    bool: _compact,
    dict: _compact,
    list: _compact,
    type(None): text_of,
    Absent: lambda _: None,
}
