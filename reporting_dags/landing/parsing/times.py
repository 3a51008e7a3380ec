"""Texts → moments in UTC, read by the forms that a column declares; a value of no declared form is bad."""

import functools
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, matches
from reporting_dags.landing.parsing.values import Mask, Typed
from reporting_dags.model.column import MOMENT, TimeForm

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
# Shorter than any time by which clocks change: a change shows at the first or the last second of some slot.
_SLOT_SECONDS = 900


def read_times(texts: AnyArray, forms: Sequence[TimeForm], zone: str) -> Typed:
    """Read texts as moments in UTC, to the microsecond. Nothing but "" is null.

    Args:
        texts: of one column; may hold nulls.
        forms: those that the column declares, no two of which fit one text.
        zone: IANA name of the zone of texts without an offset. A local time that the zone has twice or skips is bad.
    """
    filled: AnyArray = pc.if_else(pc.equal(texts, pa.scalar("", pa.string())), pa.scalar(None, pa.string()), texts)
    numbers: list[tuple[TimeForm, Mask]] = []
    for form in forms:
        if form is not TimeForm.TEXT:
            fits = matches(filled.fill_null(""), _DIGITS[form])
            if fits.all():
                return _from_digits(filled, form, zone)
            if fits.any():
                numbers.append((form, fits))
    texts_left = filled
    for _, fits in numbers:
        texts_left = pc.if_else(pa.array(fits), pa.scalar(None, pa.string()), texts_left)
    read = _from_text(texts_left, zone) if TimeForm.TEXT in forms else _none_of(texts_left)
    for form, fits in numbers:
        read = _placed(read, _from_digits(filled.filter(pa.array(fits)), form, zone), fits)
    return read


def why_unread(text: str, forms: Sequence[TimeForm], zone: str) -> str:
    """Why `text` is not a moment for a column of these forms, as the end of "… which is": one phrase."""
    local = local_time(text, forms)
    offsets = _offsets(zone, local) if local else None
    if offsets is None or offsets[0] == offsets[1]:
        return f"no time of the form {' or '.join(forms)}"
    if offsets[0] > offsets[1]:
        return f"a local time that {zone} has twice, as clocks are set back"
    return f"a local time that {zone} skips, as clocks are set forward"


def local_time(text: str, forms: Sequence[TimeForm]) -> datetime | None:
    """The date and time that `text` shows without an offset, if it is written so and one of `forms` allows that."""
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


def _none_of(texts: AnyArray) -> Typed:
    bad = pc.is_valid(texts).to_numpy(zero_copy_only=False)
    return Typed(pa.nulls(len(texts), MOMENT), bad if bad.any() else None)


def _placed(base: Typed, part: Typed, where: Mask) -> Typed:
    """`base` with the rows of `part` put where the mask says."""
    values = pc.replace_with_mask(base.values, pa.array(where), part.values)
    return Typed(values, _merged(base.bad, part.bad, where), _merged(base.rounded, part.rounded, where))


def _merged(base: Mask | None, part: Mask | None, where: Mask) -> Mask | None:
    if part is None:
        return base
    merged = np.zeros(len(where), dtype=np.bool_) if base is None else base.copy()
    merged[where] = part
    return merged


def _from_digits(texts: AnyArray, form: TimeForm, zone: str) -> Typed:
    if form is TimeForm.HOUR:
        return _from_text(pc.replace_substring_regex(texts, _HOUR, r"\1-\2-\3 \4:00"), zone)
    return Typed(pc.cast(pc.cast(pc.cast(texts, pa.int64()), _UNITS[form]), MOMENT))


def _from_text(texts: AnyArray, zone: str) -> Typed:
    result = _TIME.fullmatch(pc.first(texts).as_py() or "")
    # A cast that fails costs thirty times one that does not: the first text says which of the two to try.
    has_offset = bool(result and result.group(4))
    try:
        cast = pc.cast(texts, MOMENT if has_offset else pa.timestamp("us"))
    except pa.ArrowInvalid:
        return _one_by_one(texts, zone)
    return Typed(cast) if has_offset else _from_local(cast, zone)


def _one_by_one(texts: AnyArray, zone: str) -> Typed:
    values: list[datetime | None] = []
    bad, rounded = np.zeros(len(texts), dtype=np.bool_), np.zeros(len(texts), dtype=np.bool_)
    for place, text in enumerate(texts.to_pylist()):
        value = None
        if text is not None:
            try:
                value, rounded[place] = _time(text, zone)
            except (ValueError, OverflowError):
                bad[place] = True
        values.append(value)
    return Typed(pa.array(values, type=MOMENT), bad, rounded)


def _time(text: str, zone: str) -> tuple[datetime, bool]:
    """A moment in UTC, and whether it was given more finely than in microseconds."""
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


def _from_local(naive: AnyArray, zone: str) -> Typed:
    """Local times of a zone as moments; by slots in which the offset is one and the same, else by the second."""
    if zone == "UTC":
        return Typed(pc.cast(naive, MOMENT))
    times: npt.NDArray[np.int64] = pc.cast(naive, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    seconds = times // _MICROSECONDS
    slots, places = np.unique(seconds // _SLOT_SECONDS, return_inverse=True)
    offsets = [_offset_of_slot(zone, int(slot)) for slot in slots]
    shift = np.array([offset or 0 for offset in offsets], dtype=np.int64)[places]
    unsure = np.array([offset is None for offset in offsets], dtype=np.bool_)[places]
    if unsure.any():
        doubtful, places = np.unique(seconds[unsure], return_inverse=True)
        offsets = [_offset(zone, int(second)) for second in doubtful]
        shift[unsure] = np.array([offset or 0 for offset in offsets], dtype=np.int64)[places]
        unsure[unsure] = np.array([offset is None for offset in offsets], dtype=np.bool_)[places]
    missing = pc.is_null(naive).to_numpy(zero_copy_only=False)
    bad = unsure & ~missing
    moments = pa.array(times - shift * _MICROSECONDS, mask=bad | missing)
    return Typed(pc.cast(moments, MOMENT), bad if bad.any() else None)


@functools.lru_cache(maxsize=1 << 14)
def _offset_of_slot(zone: str, slot: int) -> int | None:
    first, last = (_offset(zone, slot * _SLOT_SECONDS + second) for second in (0, _SLOT_SECONDS - 1))
    return first if first == last else None


def _offset(zone: str, second: int) -> int | None:
    """Seconds by which the zone is ahead of UTC at a local second since 1970; None where that is not one number."""
    try:
        offsets = _offsets(zone, _EPOCH + timedelta(seconds=second))
    except OverflowError:
        return None
    return round(offsets[0].total_seconds()) if offsets and offsets[0] == offsets[1] else None


def _offsets(zone: str, local: datetime) -> tuple[timedelta, timedelta] | None:
    """The zone's offsets before and after a change at `local`, equal where there is none; None past the year 9999."""
    there = ZoneInfo(zone)
    early, late = (local.replace(tzinfo=there, fold=fold).utcoffset() for fold in (0, 1))
    if early is None or late is None:
        return None
    try:
        _ = local - early
    except OverflowError:
        return None
    return early, late
