"""Exact arithmetic on decimals.

Python's default context rounds every result to 28 significant digits without a warning, also in sums, `abs` and
`normalize`. This package does not use it: amounts are added, compared and formatted by this module.
"""

import decimal
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

_DIGITS = 200
"""More digits than any sum has: 38 for a value, and 20 for the number of rows, a 64-bit integer."""
_ROUNDING = decimal.Context(
    prec=_DIGITS,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
_EXACT = _ROUNDING.copy()
_EXACT.traps[decimal.Inexact] = True


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of `amounts`; 0 if there are none.

    Raises:
        ArithmeticError: the sum has more than 200 digits.
    """
    result = Decimal()
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def difference(amount: Decimal, other: Decimal) -> Decimal:
    """Return `amount - other`, exact.

    Raises:
        ArithmeticError: the result has more than 200 digits.
    """
    return _EXACT.subtract(amount, other)


def distance(amount: Decimal, other: Decimal) -> Decimal:
    """Return the exact absolute difference of two amounts.

    Raises:
        ArithmeticError: the result has more than 200 digits.
    """
    return difference(amount, other).copy_abs()


def divide(numerator: Decimal | int, denominator: Decimal | int, *, decimals: int, scale: int = 1) -> Decimal:
    """Return `scale * numerator / denominator`, rounded once, half to even, to `decimals` decimal places.

    Raises:
        ZeroDivisionError: `denominator` is 0.
    """
    return from_units(round(Fraction(numerator) * scale / Fraction(denominator) * 10**decimals), decimals)


def rounded(amount: Decimal, decimals: int) -> Decimal:
    """Return `amount` rounded half to even to `decimals` decimal places.

    Raises:
        ArithmeticError: the result has more than 200 digits.
    """
    return amount.quantize(Decimal((0, (1,), -decimals)), context=_ROUNDING)


def is_negligible(stored: Decimal, exact: Decimal, decimals: int) -> bool:
    """Return whether `stored`, which is `exact` rounded to `decimals` places, differs by at most 1e-9 of its value."""
    if stored == exact or exact.adjusted() >= 9 - decimals:
        return True
    # A value that is rounded to zero needs no computation: the difference is the value itself.
    return bool(stored) and abs(Fraction(stored) - Fraction(exact)) <= abs(Fraction(exact)) / 10**9


def from_units(units: int, decimals: int) -> Decimal:
    """Return `units / 10**decimals`, exact, with `decimals` decimal places."""
    return Decimal((int(units < 0), tuple(int(digit) for digit in str(abs(units))), -decimals))


def plain(amount: Decimal) -> str:
    """Return all digits of `amount` as text, without an exponent and without trailing zeros."""
    return f"{amount.normalize(_EXACT):f}"
