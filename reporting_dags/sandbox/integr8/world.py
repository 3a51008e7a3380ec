"""What decides the data, and what a row is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.integr8.values import Value, digest

FIRST_DAY = date(2022, 1, 1)
WEEK = (0.92, 0.9, 0.92, 0.95, 1.05, 1.2, 1.15)
CLICK, IMPRESSION, CONVERSION, POSTBACK = range(1, 5)
PAYOUTS = (0.036300000000000006, 1.21e-05, 0.0, -1.5, 1234.56789)
"""What every day's first rows paid; below zero is a correction."""
APPROVED, REJECTED = "Approved", "Rejected"


@dataclass(frozen=True)
class World:
    """What decides the data besides log and day; see the settings of the same names."""

    seed: int
    integration: str
    organization: str
    rows_factor: float
    restate_days: int
    mask_personal: bool
    null_texts: bool
    empty_day_one_in: int
    empty_days: tuple[str, ...]

    def is_empty(self, day: date) -> bool:
        """Whether there was no traffic at all on `day`."""
        if day < FIRST_DAY or day.isoformat() in self.empty_days:
            return True
        return self.empty_day_one_in > 0 and Random(f"{self.seed}|empty|{day}").random() * self.empty_day_one_in < 1

    def size(self, kind: int, day: date, usual: int) -> int:
        """How many rows of a kind a day has where `usual` is the average."""
        if self.is_empty(day):
            return 0
        level = WEEK[day.weekday()] * (0.92 + 0.16 * Random(f"{self.seed}|size|{kind}|{day}").random())
        return int(usual * level * self.rows_factor)


class Row(NamedTuple):
    """One row; from `rejected_at` on (None: never) `rejection` stands in place of some of its values (IN9)."""

    moment: datetime
    key: str
    values: Mapping[str, Value]
    rejected_at: datetime | None = None
    rejection: Mapping[str, Value] = {}

    def seen(self, at: datetime) -> Mapping[str, Value]:
        """The values that are known at `at`."""
        if self.rejected_at is None or at < self.rejected_at:
            return self.values
        return {**self.values, **self.rejection}


def row_key(seed: int, kind: int, day: date, n: int) -> str:
    """A row's real_tx_id; some read as numbers, with zeros in front or too large."""
    if n == 0:
        return f"00{day:%Y%m%d}{kind}{n:06d}"
    if n == 1:
        return f"9223372036854{day:%Y%m%d}{kind}{n:03d}"
    if n == 2:
        return f"{day:%Y%m%d}e{kind}{n:03d}"
    return digest(seed, "row", kind, day, n)[:26].upper()


def moment_of(rng: Random, day: date, n: int) -> datetime:
    """When the `n`th row of a day came: the first at its very start, the second at its very end, two at once."""
    of_day, places, part = rng.random(), rng.random(), rng.random()
    start = datetime.combine(day, time(), UTC)
    if n == 0:
        return start
    if n == 1:
        return start + timedelta(days=1, microseconds=-1)
    if n in {2, 3}:
        return start + timedelta(hours=12)
    micro = 0 if places < 0.6 else int(part * 1000) * 1000 if places < 0.8 else int(part * 1_000_000)
    return start + timedelta(seconds=int(of_day * 86400), microseconds=micro)


def verdict(n: int, *, approved: bool) -> dict[str, Value]:
    """What a row says of its being approved, or rejected for the `n`th reason."""
    if approved:
        texts: dict[str, Value] = dict.fromkeys(_REASONS, "")
        return {**texts, "status": APPROVED, "rejections": []}
    reason = ("Duplicate IP, same day", 'Rule "GEO"', "NA", "Late\nrejection")[n % 4]
    return {
        **dict.fromkeys(_REASONS, reason),
        "rejection_type": ("Fraud", "Targeting")[n % 2],
        "rejected_language": "en",
        "status": REJECTED,
        "rejections": [reason, "score>90"],
    }


_REASONS = (
    "rejected_advanced_reason",
    "rejected_internal_reason",
    "rejected_language",
    "rejected_primary_reason",
    "rejected_simple_reason",
    "rejection_type",
)


def kept(world: World, values: Mapping[str, Value], names: tuple[str, ...]) -> dict[str, Value]:
    """The values of `names`, in that order; with no null texts where the world has none."""
    if world.null_texts:
        return {name: values[name] for name in names}
    return {name: "" if values[name] is None and name not in _NUMBERS else values[name] for name in names}


# Of the values that can be null these are no texts.
_NUMBERS = frozenset({"lat", "long", "purchase_value", "response_code"})
