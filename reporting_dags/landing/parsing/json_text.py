"""Converts JSON values to texts without loss."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from reporting_dags.landing.compute.arrow import AnyArray


class Absent:
    """Type of `ABSENT`, which represents a key that a row does not have."""


ABSENT: Final = Absent()


def text_of(value: object) -> str:
    """Return a string unchanged, `null` as an empty text, and any other value as compact JSON.

    Decimals are written exactly, in Python's format: `0.0000121` for 1.21e-05.
    """
    if isinstance(value, str):
        return value
    return "" if value is None else _compact(value)


def texts_of(values: Sequence[object]) -> AnyArray:
    """Return the values as an array of texts; null for values that are `ABSENT`."""
    try:
        return pa.array(values, pa.string()).fill_null("")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_TEXT_BY_TYPE[type(value)](value) for value in values], pa.string())


def object_text(members: dict[str, str]) -> str:
    """Return the members as a JSON object; an empty text if there are none."""
    return _ENCODER.encode(members) if members else ""


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _compact(value: Any) -> str:
    if isinstance(value, dict):
        members: dict[str, Any] = value
        return "{" + ",".join(f"{_ENCODER.encode(key)}:{_compact(member)}" for key, member in members.items()) + "}"
    if isinstance(value, list):
        items: list[Any] = value
        return "[" + ",".join(map(_compact, items)) + "]"
    # The JSON encoder does not support decimals.
    return str(value) if isinstance(value, Decimal) else _ENCODER.encode(value)


_TEXT_BY_TYPE: dict[type, Callable[[Any], str | None]] = {
    str: str,
    int: str,
    Decimal: str,
    bool: _compact,
    dict: _compact,
    list: _compact,
    type(None): text_of,
    Absent: lambda _: None,
}
