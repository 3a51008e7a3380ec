"""Exact arithmetic: whatever the context of the thread is, no digit is lost."""

import decimal
from collections.abc import Generator
from decimal import Decimal

import pytest

from reporting_dags.model.decimals import difference, distance, divide, from_units, plain, rounded, total

LARGE = Decimal("98765432109876543210.123456789012345678")


@pytest.fixture(autouse=True)
def poor_context() -> Generator[None]:
    """One significant digit, and an error where a result needs more: nothing may compute by it."""
    with decimal.localcontext(decimal.Context(prec=1, traps=[decimal.Inexact, decimal.Rounded])):
        yield


def test_sums_and_differences_keep_every_digit() -> None:
    assert total([]) == 0
    assert total([LARGE] * 11) == Decimal("1086419753208641975311.358024679135802458")
    assert difference(LARGE, Decimal("1e-18")) == Decimal("98765432109876543210.123456789012345677")
    assert difference(Decimal(1), LARGE) == Decimal("-98765432109876543209.123456789012345678")
    assert distance(Decimal(1), LARGE) == Decimal("98765432109876543209.123456789012345678")


def test_a_quotient_is_rounded_once_at_its_declared_digit() -> None:
    assert divide(Decimal(2), 3, decimals=18, scale=100) == Decimal("66.666666666666666667")
    assert divide(LARGE, Decimal("1e-18"), decimals=0) == Decimal(98765432109876543210123456789012345678)
    assert [divide(amount, 2, decimals=0) for amount in (1, 3, -1, -3)] == [0, 2, 0, -2]
    with pytest.raises(ZeroDivisionError):
        divide(1, Decimal(), decimals=2)


def test_rounding_goes_half_to_even() -> None:
    assert [rounded(Decimal(text), 1) for text in ("0.25", "0.35", "-0.25")] == [
        Decimal("0.2"),
        Decimal("0.4"),
        Decimal("-0.2"),
    ]


def test_units_and_texts_are_exact() -> None:
    assert from_units(-(10**40) - 1, 18) == Decimal("-10000000000000000000000.000000000000000001")
    assert plain(LARGE) == "98765432109876543210.123456789012345678"
    assert [plain(Decimal(text)) for text in ("100.500", "1E+30", "1E-3")] == ["100.5", "1" + "0" * 30, "0.001"]


def test_what_cannot_be_exact_is_an_error() -> None:
    with pytest.raises(ArithmeticError):
        total([Decimal("1e300"), Decimal("1e-300")])
