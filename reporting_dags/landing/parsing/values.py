"""Reads texts as typed values, exactly or not at all. Vectorized, with a slower path for unusual texts."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, buffer_to_numpy, byte_lengths, matches_pattern
from reporting_dags.model.decimals import is_negligible, rounded
from reporting_dags.model.numbers import is_number, parse_integer

Mask = npt.NDArray[np.bool_]

_MAX_SHOWN_CHARACTERS = 40
_WHOLE_NUMBER = r"^([+-]?[0-9]+)\.0*$"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class TypedValues:
    """The typed values of a column.

    Attributes:
        values: values of the column's type; null where the text is empty or bad.
        bad: mask of the rows whose text is not a value of the type; None if there are none.
        rounded: mask of the rows whose text has more digits than the type can hold, and whose value differs from the
            text by more than 1e-9 of it; None if there are none.
        nulled: mask of the rows whose text is not a value of the type and was read as null; None if there are none.
    """

    values: AnyArray
    bad: Mask | None = None
    rounded: Mask | None = None
    nulled: Mask | None = None


def shortened(text: str) -> str:
    """Return at most 40 characters of `text`, for a message."""
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[: _MAX_SHOWN_CHARACTERS - 1]}…"


def read_values(texts: AnyArray, kind: pa.DataType) -> TypedValues:
    """Read texts as strings, integers, decimals or booleans. Only nulls and "" become null.

    Strings are returned unchanged, including "".

    Args:
        texts: the texts of one column; may contain nulls.
        kind: the Arrow type to read.

    Raises:
        NotImplementedError: `kind` is not one of these types.
    """
    if pa.types.is_string(kind):
        return TypedValues(texts)
    filled = _empty_to_null(texts)
    if pa.types.is_integer(kind):
        return _parse_integers(filled, kind)
    if pa.types.is_decimal128(kind):
        return _parse_decimals(filled, kind)
    if pa.types.is_boolean(kind):
        return _parse_booleans(filled)
    raise NotImplementedError(f"columns of type {kind}")


def _empty_to_null(texts: AnyArray) -> AnyArray:
    empty = pc.equal(texts, pa.scalar("", pa.string()))
    if not pc.any(empty).as_py():
        return texts
    return pc.if_else(empty, pa.scalar(None, pa.string()), texts)


def _all_bytes_between(texts: AnyArray, low: bytes, high: bytes) -> bool:
    """Return whether every byte is between `low` and `high`, inclusive.

    This excludes texts that Arrow's casts accept but that are not decimal numbers, such as `0x1F`.
    """
    if len(texts) == 0:
        return True
    _, offsets, data = texts.buffers()
    first, last = buffer_to_numpy(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    used = buffer_to_numpy(data, np.uint8)[first:last]
    return used.size == 0 or (int(used.min()) >= low[0] and int(used.max()) <= high[0])


def _one_by_one(texts: AnyArray, kind: pa.DataType, parse: Callable[[str], tuple[object, bool]]) -> TypedValues:
    """Read each text with `parse`.

    Args:
        texts: the texts to read; nulls stay null.
        kind: the Arrow type of the result.
        parse: returns the value of a text and whether it was rounded. A text for which it raises a `ValueError`,
            `LookupError` or `ArithmeticError` is bad.
    """
    values: list[object] = []
    bad, rounded = np.zeros(len(texts), dtype=np.bool_), np.zeros(len(texts), dtype=np.bool_)
    for row, text in enumerate(texts.to_pylist()):
        value = None
        if text is not None:
            try:
                value, rounded[row] = parse(text)
            except (ValueError, LookupError, ArithmeticError):
                bad[row] = True
        values.append(value)
    return TypedValues(pa.array(values, type=kind), bad, rounded)


def _parse_integers(texts: AnyArray, kind: pa.DataType) -> TypedValues:
    # The bytes from "-" to "9" are "-", ".", "/" and the digits. The cast rejects texts of them that are not integers.
    if _all_bytes_between(texts, b"-", b"9"):
        for candidate in (lambda: texts, lambda: pc.replace_substring_regex(texts, _WHOLE_NUMBER, r"\1")):
            try:
                return TypedValues(pc.cast(candidate(), kind))
            except pa.ArrowInvalid:
                continue
    bits = kind.bit_width - 1

    def parse(text: str) -> tuple[int, bool]:
        number = parse_integer(text)
        if number is None or not -(1 << bits) <= number < 1 << bits:
            raise ValueError(text)
        return number, False

    return _one_by_one(texts, kind, parse)


def _parse_booleans(texts: AnyArray) -> TypedValues:
    try:
        return TypedValues(pc.cast(texts, pa.bool_()))
    except pa.ArrowInvalid:
        return _one_by_one(texts, pa.bool_(), lambda text: (_BOOLEANS[text.lower()], False))


def _parse_decimals(texts: AnyArray, kind: pa.Decimal128Type) -> TypedValues:
    """Read decimals: with Arrow's cast where it is surely exact, with Python otherwise.

    Arrow's cast overflows without an error: 123456789012345678901234567890.5 becomes 46509284486016680346.33, and 1e30
    some other number. So it only gets texts that cannot have more digits than the type. Rounding is done in Python,
    since Arrow truncates 19999999999999.9999999999999999999 instead of rounding it up.
    """
    digits = kind.precision - kind.scale
    fits = byte_lengths(texts) <= digits
    if not fits.all() or not _all_bytes_between(texts, b"+", b"9"):
        # Only texts whose digits fit the type on both sides of the decimal point.
        half = kind.scale // 2
        fits = matches_pattern(
            texts,
            rf"^[+-]?[0-9]{{0,{digits}}}(\.[0-9]{{0,{kind.scale}}}|(\.[0-9]{{0,{half}}})?[eE]-0?[0-{min(half, 9)}])?$",
        )
    if fits.all():
        return _cast_decimals(texts, kind)
    is_unusual = pa.array(~fits)
    cast = _cast_decimals(pc.if_else(is_unusual, pa.scalar(None, pa.string()), texts), kind)
    parsed = _parse_decimals_one_by_one(texts.filter(is_unusual), kind)
    return TypedValues(
        pc.replace_with_mask(cast.values, is_unusual, parsed.values),
        _merge_masks(cast.bad, parsed.bad, ~fits),
        _merge_masks(cast.rounded, parsed.rounded, ~fits),
    )


def _merge_masks(base: Mask | None, some: Mask | None, mask: Mask) -> Mask:
    """Return `base` with the values of `some` in the rows of the mask."""
    merged = np.zeros(len(mask), dtype=np.bool_) if base is None else base
    if some is not None:
        merged[mask] = some
    return merged


def _cast_decimals(texts: AnyArray, kind: pa.Decimal128Type) -> TypedValues:
    try:
        return TypedValues(pc.cast(texts, kind))
    except pa.ArrowInvalid:
        return _parse_decimals_one_by_one(texts, kind)


def _parse_decimals_one_by_one(texts: AnyArray, kind: pa.Decimal128Type) -> TypedValues:
    digits = kind.precision - kind.scale

    def parse(text: str) -> tuple[Decimal, bool]:
        if not is_number(text):
            raise ValueError(text)
        exact = Decimal(text)
        if exact and exact.adjusted() >= digits:
            raise ValueError(text)
        value = rounded(exact, kind.scale)
        if value and value.adjusted() >= digits:
            raise ValueError(text)
        return value, not is_negligible(value, exact, kind.scale)

    return _one_by_one(texts, kind, parse)
