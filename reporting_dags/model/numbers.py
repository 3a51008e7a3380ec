"""Exact parsing of numbers in texts."""

import re
from decimal import Decimal

DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MAX_DIGITS = 40
"""Maximum number of digits of an integer: more than any type holds."""


def is_number(text: str) -> bool:
    """Return whether `text` is a decimal number."""
    return DECIMAL.fullmatch(text) is not None


def parse_integer(text: str) -> int | None:
    """Return the integer that `text` denotes: 12 for `12`, `12.00` and `1.2e1`; None if it does not denote one."""
    if not is_number(text):
        return None
    exact = Decimal(text)
    if exact.adjusted() >= _MAX_DIGITS:
        return None if exact else 0
    number = int(exact)
    return number if number == exact else None
