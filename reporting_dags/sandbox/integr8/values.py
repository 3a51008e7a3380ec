"""Values and how they print; the texts and ids that a careless reader trips over."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

Value = str | int | float | list[str] | Mapping[str, str | int | float] | None
"""What a key of a JSON object or a cell of a file holds; bool is an int here as everywhere."""

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
"""Every day's first rows show them, in this order."""

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
"""The sub ids of every day's first rows, likewise."""

HUGE = 2**53 + 1


def printed(value: Value) -> str:
    """A value as a cell of a CSV file shows it; lists and objects are compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def money(amount: float) -> int | float:
    """An amount; a whole one has no decimal point."""
    return int(amount) if amount.is_integer() else amount


def iso(moment: datetime) -> str:
    """A time as the document writes it, with as many decimals of a second as it needs."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def digest(*parts: object) -> str:
    """64 hexadecimal digits that `parts` alone decide."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def object_id(seed: int, kind: int, n: int) -> str:
    """The id of the `n`th object of a kind: 24 digits; some read as numbers, with zeros in front or too large."""
    if n == 3:
        return f"{kind:012d}{n:012d}"
    if n == 5:
        return f"18446744073709551616{kind}{n:03d}"
    if n == 9:
        return f"{kind}e{n:022d}"
    return digest(seed, "object", kind, n)[:24]
