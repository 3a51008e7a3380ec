"""Values and their texts; texts and ids that are edge cases for parsers."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

Value = str | int | float | list[str] | Mapping[str, str | int | float] | None
"""A value of a JSON object or a cell of a file. A bool is an int."""

NAMES = (
    "Summer Campaign 2025",
    "NA",
    "null",
    "Kingdoms, Inc.",
    'Bank "Plus" & Söhne',
    "Shop\nfirst order",
    "Tab\there",
    "Été à Paris",
    "🎉 Party 🎉",
    "שלום עולם",
    "شركة الألعاب",
    " blank before and after ",
    "=SUM(A1:A9)",
    "0012",
    "N/A",
    "\\N",
    "two\r\nlines",
)
"""The names in the first rows of every day, in this order."""

SUBS = (
    "00042",
    "NA",
    "null",
    "a,b",
    'say "hi"',
    "two\nlines",
    "tab\there",
    "é",
    "🎉",
    "9007199254740993",
    "18446744073709551616000",
    "1e5",
    "",
    "TRUE",
    "2026-11-22",
    "'quoted'; | done",
    "-",
)
"""The sub ids in the first rows of every day, in this order."""

HUGE = 2**53 + 1


def cell_text(value: Value) -> str:
    """Return a value as the text of a CSV cell; lists and objects are compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def money(amount: float) -> int | float:
    """Return an amount; an integer if it has no fraction."""
    return int(amount) if amount.is_integer() else amount


def iso(moment: datetime) -> str:
    """Return a time in the documented format, with as many decimal places of a second as necessary."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def digest(*parts: object) -> str:
    """Return a hash of `parts`, as 64 hexadecimal digits."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def object_id(seed: int, kind: int, n: int) -> str:
    """Return the id of the `n`th object of a kind: 24 digits. Some look like numbers, with leading zeros."""
    if n == 3:
        return f"{kind:012d}{n:012d}"
    if n == 5:
        return f"18446744073709551616{kind}{n:03d}"
    if n == 9:
        return f"{kind}e{n:022d}"
    return digest(seed, "object", kind, n)[:24]
