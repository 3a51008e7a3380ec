"""Numbers are exact, or bad; never nearly right."""

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting_dags.landing.parsing.values import read_values
from reporting_dags.model.column import MONEY


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.036300000000000006", "0.036300000000000006"),
        ("3.63e-05", "0.0000363"),
        ("1E-7", "0.0000001"),
        ("1e5", "100000"),
        ("1E+19", "10000000000000000000"),
        ("-0", "0"),
        ("0e99999", "0"),
        ("+.5", "0.5"),
        ("5.", "5"),
        ("0000000000000000000000000001.5", "1.5"),
        ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999"),
        ("-99999999999999999999", "-99999999999999999999"),
    ],
)
def test_decimals_are_exact(text: str, value: str) -> None:
    for texts in ([text], [text, "1.25", "", "2e-3", "0.0036300000000000006"]):
        typed = read_values(pa.array(texts), MONEY)
        assert typed.values[0].as_py() == Decimal(value)
        assert typed.values.type == MONEY
        assert typed.bad is None or not typed.bad.any()
        assert typed.rounded is None or not typed.rounded[0]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "nan",
            "NaN",
            "inf",
            "-Infinity",
            "abc",
            " 1",
            "1 ",
            "1,5",
            "1_0",
            "--1",
            "1-2",
            ".",
            "-",
            "e5",
            "1e",
            "0x1F",
        ),
        *("100000000000000000000", "1e20", "1e30", "1e999999999999", "1" * 25, "123456789012345678901234567890.5", "٣"),
        *("99999999999999999999.9999999999999999999", "1/2", "1.2.3", "$1"),
    ],
)
def test_what_is_no_decimal_or_too_large_is_bad_and_alone(text: str) -> None:
    typed = read_values(pa.array([text, "1.5", "0.0036300000000000005", ""]), MONEY)
    assert typed.bad is not None
    assert typed.bad.tolist() == [True, False, False, False]
    assert typed.values.to_pylist() == [None, Decimal("1.5"), Decimal("0.003630000000000000"), None]


@pytest.mark.parametrize(
    ("text", "value", "matters"),
    [
        ("0.0000000000000000005", "0", True),
        ("0.0000000000000000015", "0.000000000000000002", True),
        ("0.0000000000000000025", "0.000000000000000002", True),
        ("0.0000000004000000005", "0.0000000004", True),
        ("0.0000000006000000005", "0.0000000006", False),
        ("-1.0000000000000000015", "-1.000000000000000002", False),
        ("1e-400", "0", True),
        ("19999999999999.9999999999999999999", "20000000000000", False),
        ("-123459999999999999.9999999999999999995", "-123460000000000000", False),
        ("1." + "3" * 90, "1.333333333333333333", False),
    ],
)
def test_decimals_past_the_eighteenth_are_rounded_half_even_and_said_so_if_it_matters(
    text: str, value: str, matters: bool
) -> None:
    typed = read_values(pa.array([text, "1"]), MONEY)
    assert typed.values[0].as_py() == Decimal(value)
    assert typed.rounded is not None
    assert typed.rounded.tolist() == [matters, False], "by more than a billionth of the value"


def exactly(text: str, kind: pa.Decimal128Type) -> tuple[Decimal | None, bool]:
    """The value of `text` under `kind` by exact arithmetic, and whether it was rounded; None if it does not fit."""
    exact = Decimal(text)
    near = exact.quantize(Decimal((0, (1,), -kind.scale)), ROUND_HALF_EVEN, Context(prec=200))
    fits = near.copy_abs() < Decimal(10) ** (kind.precision - kind.scale)
    return (near, abs(Fraction(near) - Fraction(exact)) > abs(Fraction(exact)) / 10**9) if fits else (None, False)


@pytest.mark.parametrize(("precision", "scale"), [(38, 18), (10, 2)])
def test_at_the_boundary_of_a_precision_every_digit_counts(precision: int, scale: int) -> None:
    kind, digits, half = pa.decimal128(precision, scale), precision - scale, scale // 2
    wholes = ["0", "", f"00{'9' * digits}", *("9" * count for count in range(digits - 1, digits + 3))]
    wholes += ["1" + "0" * count for count in range(digits - 1, digits + 2)]
    fractions = ["", *(f".{digit * count}" for digit in "15" for count in (half, half + 1, scale, scale + 1))]
    exponents = ["", *(f"e-{count}" for count in (1, half, half + 1)), f"E-0{half}", "e1"]
    texts = [f"{whole}{fraction}{exponent}" for whole in wholes for fraction in fractions for exponent in exponents]
    texts = [f"{sign}{text}" for text in texts if text[:1] not in "eE" for sign in ("", "-")]
    wrong: list[str] = []
    for text in texts:
        # By itself a text takes the quick path where it may; beside one that may not, another.
        for others in ([], ["1e99"]):
            typed = read_values(pa.array([text, *others]), kind)
            value, rounded = exactly(text, kind)
            said = typed.rounded is not None and bool(typed.rounded[0])
            bad = typed.bad is not None and bool(typed.bad[0])
            if (typed.values[0].as_py(), said, bad) != (value, rounded, value is None):
                wrong.append(f"{text}: {typed.values[0].as_py()} in place of {value}")
    assert wrong == []


PLAIN = st.from_regex(r"[+-]?[0-9]{0,22}(\.[0-9]{0,24})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(st.lists(PLAIN, max_size=8))
def test_any_decimals_are_what_exact_arithmetic_makes_of_them(texts: list[str]) -> None:
    context = Context(prec=200)
    typed = read_values(pa.array(texts, pa.string()), MONEY)
    for place, text in enumerate(texts):
        try:
            near = Decimal(text).quantize(Decimal("1e-18"), ROUND_HALF_EVEN, context)
        except InvalidOperation:
            near = None
        found = typed.values[place].as_py()
        assert found == (near if near is not None and abs(near) < 10**20 else None), text
        assert (typed.bad is not None and bool(typed.bad[place])) == (found is None and text != ""), text


def test_integers_are_strict() -> None:
    good = ["0", "-5", "007", "9223372036854775807", "-9223372036854775808", ""]
    typed = read_values(pa.array(good), pa.int64())
    assert typed.values.to_pylist() == [0, -5, 7, 2**63 - 1, -(2**63), None]
    assert typed.bad is None
    bad = ["12.5", " 12", "12 ", "0x1F", "9223372036854775808", "--1", "1-2", "-", "1_000", "1/2", "nan", "1e-1", "٣"]
    bad += [
        "9223372036854775808.0",
        "1e19",
        "1e999999999",
        "1.0.0",
        ".",
        "12,0",
        "0.99999999999999999999999999999999999",
    ]
    typed = read_values(pa.array([*bad, "4", ""]), pa.int64())
    assert typed.bad is not None
    assert typed.bad.tolist() == [True] * len(bad) + [False, False]
    assert typed.values.to_pylist() == [*[None] * len(bad), 4, None]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("12.0", 12), ("12.00", 12), ("12.", 12), ("1.2e1", 12), ("1.2E+01", 12), ("120e-1", 12), ("+12", 12)),
        *(("-12.0", -12), ("-0.0", 0), ("0e99999", 0), (".0", 0), ("12." + "0" * 500, 12)),
        *(
            ("9007199254740993.0", 2**53 + 1),
            ("9.223372036854775807e18", 2**63 - 1),
            ("-9223372036854775808.0", -(2**63)),
        ),
    ],
)
def test_a_whole_count_is_the_same_integer_in_any_notation(text: str, value: int) -> None:
    for texts in ([text], [text, "7", "", "3.0"], [text, "7", "1e1", "x"]):
        typed = read_values(pa.array(texts), pa.int64())
        assert typed.values[0].as_py() == value
        assert typed.bad is None or not typed.bad[0]


@settings(max_examples=300, deadline=None)
@given(st.lists(PLAIN, max_size=8))
def test_any_integers_are_what_exact_arithmetic_makes_of_them(texts: list[str]) -> None:
    typed = read_values(pa.array(texts, pa.string()), pa.int64())
    for place, text in enumerate(texts):
        try:
            exact = Fraction(text.rstrip(".") if text.endswith(".") else text)
        except ValueError:
            exact = Fraction(1, 2)
        whole = exact.denominator == 1 and -(2**63) <= exact < 2**63
        assert typed.values[place].as_py() == (int(exact) if whole else None), text
        assert (typed.bad is not None and bool(typed.bad[place])) == (not whole and text != ""), text


def test_a_slice_is_read_like_the_whole() -> None:
    texts = pa.array(["x" * 30, "1", "2.5", "nan"])
    assert read_values(texts.slice(1, 2), MONEY).values.to_pylist() == [Decimal(1), Decimal("2.5")]
    assert read_values(texts.slice(1, 1), pa.int64()).values.to_pylist() == [1]


def test_booleans_are_strict() -> None:
    typed = read_values(pa.array(["true", "FALSE", "1", "0", "", "True"]), pa.bool_())
    assert typed.values.to_pylist() == [True, False, True, False, None, True]
    assert typed.bad is None
    bad = ["yes", "t", " true", "2", "01", "null"]
    typed = read_values(pa.array([*bad, "TRUE", "0", ""]), pa.bool_())
    assert typed.bad is not None
    assert typed.bad.tolist() == [True] * len(bad) + [False] * 3
    assert typed.values.to_pylist() == [*[None] * len(bad), True, False, None]
