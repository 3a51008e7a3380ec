"""Numbers as texts write them, read exactly."""

import re
from decimal import Decimal

DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MOST_DIGITS = 40
"""Of an integer: more than any type holds."""


def is_number(text: str) -> bool:
    """Whether a text writes a number."""
    return DECIMAL.fullmatch(text) is not None


def whole_number(text: str) -> int | None:
    """The integer that a text writes in any notation, exact: 12 for `12`, `12.00` and `1.2e1`; None for other texts."""
    if not is_number(text):
        return None
    exact = Decimal(text)
    if exact.adjusted() >= _MOST_DIGITS:
        return None if exact else 0
    number = int(exact)
    return number if number == exact else None
