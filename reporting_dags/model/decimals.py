"""Exact arithmetic on decimals.

Python's default context rounds every result to 28 significant digits without notice, sums and `abs` and `normalize`
included. Nothing in the package computes with it: amounts are added, compared and shown through this module.
"""

import decimal
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

_DIGITS = 200
"""More than any sum has: 38 digits a value, and 20 for as many rows as 64 bits count."""
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
    """The exact sum of `amounts`; 0 of none.

    Raises:
        ArithmeticError: the sum has more than 200 digits.
    """
    result = Decimal()
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def difference(amount: Decimal, other: Decimal) -> Decimal:
    """`amount` less `other`, exact.

    Raises:
        ArithmeticError: the result has more than 200 digits.
    """
    return _EXACT.subtract(amount, other)


def distance(amount: Decimal, other: Decimal) -> Decimal:
    """The exact absolute difference of two amounts.

    Raises:
        ArithmeticError: the result has more than 200 digits.
    """
    return difference(amount, other).copy_abs()


def divide(over: Decimal | int, under: Decimal | int, *, decimals: int, scale: int = 1) -> Decimal:
    """`scale` times `over` by `under`, rounded half to even at `decimals` digits after the point, and nowhere before.

    Raises:
        ZeroDivisionError: `under` is 0.
    """
    return from_units(round(Fraction(over) * scale / Fraction(under) * 10**decimals), decimals)


def rounded(amount: Decimal, decimals: int) -> Decimal:
    """`amount` rounded half to even at `decimals` digits after the point.

    Raises:
        ArithmeticError: the result has more than 200 digits.
    """
    return amount.quantize(Decimal((0, (1,), -decimals)), context=_ROUNDING)


def is_negligible(near: Decimal, exact: Decimal, decimals: int) -> bool:
    """Whether `near`, which is `exact` rounded at `decimals` digits, differs from it by at most 1e-9 of its value."""
    if near == exact or exact.adjusted() >= 9 - decimals:
        return True
    # What is rounded to zero need not be computed, however small it is.
    return bool(near) and abs(Fraction(near) - Fraction(exact)) <= abs(Fraction(exact)) / 10**9


def from_units(units: int, decimals: int) -> Decimal:
    """The amount that is `units` of its last digit, with `decimals` digits after the point."""
    return Decimal((int(units < 0), tuple(int(digit) for digit in str(abs(units))), -decimals))


def plain(amount: Decimal) -> str:
    """All digits of `amount`, without exponent and trailing zeros."""
    return f"{amount.normalize(_EXACT):f}"
