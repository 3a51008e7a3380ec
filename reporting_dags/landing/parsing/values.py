"""Texts → typed values: exact or refused, never nearly right. Vectorised, with a careful path for what is odd."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, lengths, matches, viewed
from reporting_dags.model.decimals import is_negligible, rounded
from reporting_dags.model.numbers import is_number, whole_number

Mask = npt.NDArray[np.bool_]

_SHOWN_CHARACTERS = 40
_WHOLE = r"^([+-]?[0-9]+)\.0*$"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Typed:
    """A column's values.

    Attributes:
        values: of the column's type; null where the field was empty or is bad.
        bad: rows whose text is no such value.
        rounded: rows whose text says more than the type can hold, and whose value is another by more than 1e-9 of it.
        nulled: rows whose text is no such value and was read as null.
    """

    values: AnyArray
    bad: Mask | None = None
    rounded: Mask | None = None
    nulled: Mask | None = None


def shortened(text: str) -> str:
    """At most 40 characters of `text`, for a message."""
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def read_values(texts: AnyArray, kind: pa.DataType) -> Typed:
    """Read texts as `kind`: text as it stands, integer, decimal, true or false. Nothing but "" is null.

    Raises:
        NotImplementedError: `kind` is none of these.
    """
    if pa.types.is_string(kind):
        return Typed(texts)
    filled = _empty_to_null(texts)
    if pa.types.is_integer(kind):
        return _integers(filled, kind)
    if pa.types.is_decimal128(kind):
        return _decimals(filled, kind)
    if pa.types.is_boolean(kind):
        return _booleans(filled)
    raise NotImplementedError(f"columns of type {kind}")


def _empty_to_null(texts: AnyArray) -> AnyArray:
    empty = pc.equal(texts, pa.scalar("", pa.string()))
    if not pc.any(empty).as_py():
        return texts
    return pc.if_else(empty, pa.scalar(None, pa.string()), texts)


def _bytes_within(texts: AnyArray, low: bytes, high: bytes) -> bool:
    """Whether every byte lies between two. Arrow's own casts take `0x1F` for a number; this is what they do not say."""
    if len(texts) == 0:
        return True
    _, offsets, data = texts.buffers()
    first, last = viewed(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    held = viewed(data, np.uint8)[first:last]
    return held.size == 0 or (int(held.min()) >= low[0] and int(held.max()) <= high[0])


def _one_by_one(texts: AnyArray, kind: pa.DataType, read: Callable[[str], tuple[object, bool]]) -> Typed:
    """Let `read` say each text's value and whether it was rounded; a text that it refuses is bad."""
    values: list[object] = []
    bad, rounded = np.zeros(len(texts), dtype=np.bool_), np.zeros(len(texts), dtype=np.bool_)
    for place, text in enumerate(texts.to_pylist()):
        value = None
        if text is not None:
            try:
                value, rounded[place] = read(text)
            except (ValueError, LookupError, ArithmeticError):
                bad[place] = True
        values.append(value)
    return Typed(pa.array(values, type=kind), bad, rounded)


def _integers(texts: AnyArray, kind: pa.DataType) -> Typed:
    # Between "-" and "9" lie digits, ".", "/" and "-"; the cast refuses those that make no integer.
    if _bytes_within(texts, b"-", b"9"):
        for way in (lambda: texts, lambda: pc.replace_substring_regex(texts, _WHOLE, r"\1")):
            try:
                return Typed(pc.cast(way(), kind))
            except pa.ArrowInvalid:
                continue
    bits = kind.bit_width - 1

    def read(text: str) -> tuple[int, bool]:
        number = whole_number(text)
        if number is None or not -(1 << bits) <= number < 1 << bits:
            raise ValueError(text)
        return number, False

    return _one_by_one(texts, kind, read)


def _booleans(texts: AnyArray) -> Typed:
    try:
        return Typed(pc.cast(texts, pa.bool_()))
    except pa.ArrowInvalid:
        return _one_by_one(texts, pa.bool_(), lambda text: (_BOOLEANS[text.lower()], False))


def _decimals(texts: AnyArray, kind: pa.Decimal128Type) -> Typed:
    """Arrow's cast for texts that it cannot get wrong, Python for the rest.

    The cast wraps round in silence: 123456789012345678901234567890.5 becomes 46509284486016680346.33…, and 1e30 a
    number too. So it is given no text that could have more digits than the type. Rounding is Python's: Arrow's, in 256
    bits, cuts 19999999999999.9999999999999999999 where it should round it up.
    """
    digits = kind.precision - kind.scale
    fits = lengths(texts) <= digits
    if not fits.all() or not _bytes_within(texts, b"+", b"9"):
        # Here and above, every text keeps within the type's digits on both sides of its point.
        half = kind.scale // 2
        fits = matches(
            texts,
            rf"^[+-]?[0-9]{{0,{digits}}}(\.[0-9]{{0,{kind.scale}}}|(\.[0-9]{{0,{half}}})?[eE]-0?[0-{min(half, 9)}])?$",
        )
    if fits.all():
        return _decimals_cast(texts, kind)
    odd = pa.array(~fits)
    cast = _decimals_cast(pc.if_else(odd, pa.scalar(None, pa.string()), texts), kind)
    read = _decimals_one_by_one(texts.filter(odd), kind)
    return Typed(
        pc.replace_with_mask(cast.values, odd, read.values),
        _merged(cast.bad, read.bad, ~fits),
        _merged(cast.rounded, read.rounded, ~fits),
    )


def _merged(base: Mask | None, chosen: Mask | None, where: Mask) -> Mask:
    merged = np.zeros(len(where), dtype=np.bool_) if base is None else base
    if chosen is not None:
        merged[where] = chosen
    return merged


def _decimals_cast(texts: AnyArray, kind: pa.Decimal128Type) -> Typed:
    try:
        return Typed(pc.cast(texts, kind))
    except pa.ArrowInvalid:
        return _decimals_one_by_one(texts, kind)


def _decimals_one_by_one(texts: AnyArray, kind: pa.Decimal128Type) -> Typed:
    digits = kind.precision - kind.scale

    def read(text: str) -> tuple[Decimal, bool]:
        if not is_number(text):
            raise ValueError(text)
        exact = Decimal(text)
        if exact and exact.adjusted() >= digits:
            raise ValueError(text)
        near = rounded(exact, kind.scale)
        if near and near.adjusted() >= digits:
            raise ValueError(text)
        return near, not is_negligible(near, exact, kind.scale)

    return _one_by_one(texts, kind, read)
