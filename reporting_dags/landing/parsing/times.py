"""Reads texts as times in UTC, in the forms that a column declares; a value in no declared form is bad."""

import functools
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, matches_pattern
from reporting_dags.landing.parsing.values import Mask, TypedValues
from reporting_dags.model.column import TIMESTAMP, TimeForm

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d(?::\d\d(?::\d\d(\.\d+)?)?)?)(Z|[+-]\d\d(?::?[0-5]\d)?)?)?", re.ASCII)
_HOUR = r"^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})$"
_DIGITS = {
    TimeForm.UNIX_SECONDS: "^[0-9]{9,11}$",
    TimeForm.UNIX_MILLISECONDS: "^[0-9]{12,14}$",
    TimeForm.HOUR: _HOUR,
}
_UNITS = {TimeForm.UNIX_SECONDS: pa.timestamp("s"), TimeForm.UNIX_MILLISECONDS: pa.timestamp("ms")}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
_MICROSECONDS = 1_000_000
# Shorter than any clock change, so that a change is visible at the first or last second of a slot.
_SLOT_SECONDS = 900


def read_times(texts: AnyArray, forms: Sequence[TimeForm], zone: str) -> TypedValues:
    """Read texts as times in UTC, to the microsecond. Only nulls and "" become null.

    Args:
        texts: the texts of one column; may contain nulls.
        forms: the forms that the column declares. No text fits two of them.
        zone: IANA name of the time zone of texts without an offset. A local time that occurs twice or never is bad.
    """
    filled: AnyArray = pc.if_else(pc.equal(texts, pa.scalar("", pa.string())), pa.scalar(None, pa.string()), texts)
    numbers: list[tuple[TimeForm, Mask]] = []
    for form in forms:
        if form is not TimeForm.TEXT:
            fits = matches_pattern(filled.fill_null(""), _DIGITS[form])
            if fits.all():
                return _parse_digits(filled, form, zone)
            if fits.any():
                numbers.append((form, fits))
    texts_left = filled
    for _, fits in numbers:
        texts_left = pc.if_else(pa.array(fits), pa.scalar(None, pa.string()), texts_left)
    read = _parse_texts(texts_left, zone) if TimeForm.TEXT in forms else _all_bad(texts_left)
    for form, fits in numbers:
        read = _merge(read, _parse_digits(filled.filter(pa.array(fits)), form, zone), fits)
    return read


def time_error(text: str, forms: Sequence[TimeForm], zone: str) -> str:
    """Return why `text` cannot be read as a time in these forms, as the end of a sentence "... which is"."""
    local = parse_local_time(text, forms)
    offsets = _offsets(zone, local) if local else None
    if offsets is None or offsets[0] == offsets[1]:
        return f"not a time of the form {' or '.join(forms)}"
    if offsets[0] > offsets[1]:
        return f"a local time that occurs twice in {zone}, when clocks are set back"
    return f"a local time that does not exist in {zone}, when clocks are set forward"


def parse_local_time(text: str, forms: Sequence[TimeForm]) -> datetime | None:
    """Return the date and time of `text` if it has no offset and is in one of `forms`; otherwise None."""
    if TimeForm.HOUR in forms:
        text = re.sub(_HOUR, r"\1-\2-\3 \4", text)
    elif TimeForm.TEXT not in forms:
        return None
    result = _TIME.fullmatch(text)
    if not result or result.group(4):
        return None
    try:
        return datetime.fromisoformat(text[:26])
    except ValueError:
        return None


def _all_bad(texts: AnyArray) -> TypedValues:
    """Return nulls, with every text marked as bad."""
    bad = pc.is_valid(texts).to_numpy(zero_copy_only=False)
    return TypedValues(pa.nulls(len(texts), TIMESTAMP), bad if bad.any() else None)


def _merge(base: TypedValues, some: TypedValues, mask: Mask) -> TypedValues:
    """Return `base` with the values of `some` in the rows of the mask."""
    values = pc.replace_with_mask(base.values, pa.array(mask), some.values)
    return TypedValues(values, _merge_masks(base.bad, some.bad, mask), _merge_masks(base.rounded, some.rounded, mask))


def _merge_masks(base: Mask | None, some: Mask | None, mask: Mask) -> Mask | None:
    if some is None:
        return base
    merged = np.zeros(len(mask), dtype=np.bool_) if base is None else base.copy()
    merged[mask] = some
    return merged


def _parse_digits(texts: AnyArray, form: TimeForm, zone: str) -> TypedValues:
    if form is TimeForm.HOUR:
        return _parse_texts(pc.replace_substring_regex(texts, _HOUR, r"\1-\2-\3 \4:00"), zone)
    return TypedValues(pc.cast(pc.cast(pc.cast(texts, pa.int64()), _UNITS[form]), TIMESTAMP))


def _parse_texts(texts: AnyArray, zone: str) -> TypedValues:
    result = _TIME.fullmatch(pc.first(texts).as_py() or "")
    # A failed cast takes thirty times as long as a successful one, so the first text decides which cast is tried.
    has_offset = bool(result and result.group(4))
    try:
        cast = pc.cast(texts, TIMESTAMP if has_offset else pa.timestamp("us"))
    except pa.ArrowInvalid:
        return _one_by_one(texts, zone)
    return TypedValues(cast) if has_offset else _localize(cast, zone)


def _one_by_one(texts: AnyArray, zone: str) -> TypedValues:
    values: list[datetime | None] = []
    bad, rounded = np.zeros(len(texts), dtype=np.bool_), np.zeros(len(texts), dtype=np.bool_)
    for row, text in enumerate(texts.to_pylist()):
        value = None
        if text is not None:
            try:
                value, rounded[row] = _parse_time(text, zone)
            except (ValueError, OverflowError):
                bad[row] = True
        values.append(value)
    return TypedValues(pa.array(values, type=TIMESTAMP), bad, rounded)


def _parse_time(text: str, zone: str) -> tuple[datetime, bool]:
    """Return a time in UTC, and whether the text has more digits than microseconds."""
    result = _TIME.fullmatch(text)
    if not result:
        raise ValueError(text)
    day, clock, fraction, offset = result.groups(default="")
    clock = clock.removesuffix(fraction) or "00"
    moment = datetime.fromisoformat(f"{day}T{clock}{fraction[:7]}{offset}")
    if moment.tzinfo is None:
        offsets = _offsets(zone, moment)
        if offsets is None or offsets[0] != offsets[1]:
            raise ValueError(text)
        moment = (moment - offsets[0]).replace(tzinfo=UTC)
    return moment.astimezone(UTC), bool(fraction[7:].strip("0"))


def _localize(naive: AnyArray, zone: str) -> TypedValues:
    """Convert local times of a zone to UTC.

    The offset is looked up for each slot of 15 minutes; where it changes inside a slot, for each second.
    """
    if zone == "UTC":
        return TypedValues(pc.cast(naive, TIMESTAMP))
    times: npt.NDArray[np.int64] = pc.cast(naive, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    seconds = times // _MICROSECONDS
    slots, slot_of_row = np.unique(seconds // _SLOT_SECONDS, return_inverse=True)
    offsets = [_offset_of_slot(zone, int(slot)) for slot in slots]
    shift = np.array([offset or 0 for offset in offsets], dtype=np.int64)[slot_of_row]
    unresolved = np.array([offset is None for offset in offsets], dtype=np.bool_)[slot_of_row]
    if unresolved.any():
        distinct_seconds, second_of_row = np.unique(seconds[unresolved], return_inverse=True)
        offsets = [_offset(zone, int(second)) for second in distinct_seconds]
        shift[unresolved] = np.array([offset or 0 for offset in offsets], dtype=np.int64)[second_of_row]
        unresolved[unresolved] = np.array([offset is None for offset in offsets], dtype=np.bool_)[second_of_row]
    is_null = pc.is_null(naive).to_numpy(zero_copy_only=False)
    bad = unresolved & ~is_null
    moments = pa.array(times - shift * _MICROSECONDS, mask=bad | is_null)
    return TypedValues(pc.cast(moments, TIMESTAMP), bad if bad.any() else None)


@functools.lru_cache(maxsize=1 << 14)
def _offset_of_slot(zone: str, slot: int) -> int | None:
    first, last = (_offset(zone, slot * _SLOT_SECONDS + second) for second in (0, _SLOT_SECONDS - 1))
    return first if first == last else None


def _offset(zone: str, second: int) -> int | None:
    """Return how many seconds the zone is ahead of UTC at a local second since 1970.

    The result is None if the local time occurs twice or never.
    """
    try:
        offsets = _offsets(zone, _EPOCH + timedelta(seconds=second))
    except OverflowError:
        return None
    return round(offsets[0].total_seconds()) if offsets and offsets[0] == offsets[1] else None


def _offsets(zone: str, local: datetime) -> tuple[timedelta, timedelta] | None:
    """Return the offsets of the zone before and after a clock change at `local`; they are equal if there is none.

    The result is None if the time in UTC is outside the years 1 to 9999.
    """
    timezone = ZoneInfo(zone)
    early, late = (local.replace(tzinfo=timezone, fold=fold).utcoffset() for fold in (0, 1))
    if early is None or late is None:
        return None
    try:
        _ = local - early
    except OverflowError:
        return None
    return early, late
