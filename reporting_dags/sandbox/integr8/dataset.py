"""The parameters of the generated data, and the type of its rows."""

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
"""The payouts of the first rows of every day; a negative one is a correction."""
APPROVED, REJECTED = "Approved", "Rejected"


@dataclass(frozen=True)
class Dataset:
    """The parameters of the data besides log and day; see the settings of the same names."""

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
        """Return whether `day` has no traffic."""
        if day < FIRST_DAY or day.isoformat() in self.empty_days:
            return True
        return self.empty_day_one_in > 0 and Random(f"{self.seed}|empty|{day}").random() * self.empty_day_one_in < 1

    def size(self, kind: int, day: date, usual: int) -> int:
        """Return the number of rows of a kind on a day; `usual` is the average."""
        if self.is_empty(day):
            return 0
        level = WEEK[day.weekday()] * (0.92 + 0.16 * Random(f"{self.seed}|size|{kind}|{day}").random())
        return int(usual * level * self.rows_factor)


class Row(NamedTuple):
    """A row of a log. From `rejected_at` on (None: never), `rejection` replaces some of its values (IN9)."""

    moment: datetime
    key: str
    values: Mapping[str, Value]
    rejected_at: datetime | None = None
    rejection: Mapping[str, Value] = {}

    def values_at(self, at: datetime) -> Mapping[str, Value]:
        """Return the values at the time `at`."""
        if self.rejected_at is None or at < self.rejected_at:
            return self.values
        return {**self.values, **self.rejection}


def row_key(seed: int, kind: int, day: date, n: int) -> str:
    """Return the real_tx_id of a row. Some look like numbers, with leading zeros or too large for an integer."""
    if n == 0:
        return f"00{day:%Y%m%d}{kind}{n:06d}"
    if n == 1:
        return f"9223372036854{day:%Y%m%d}{kind}{n:03d}"
    if n == 2:
        return f"{day:%Y%m%d}e{kind}{n:03d}"
    return digest(seed, "row", kind, day, n)[:26].upper()


def moment_of(rng: Random, day: date, n: int) -> datetime:
    """Return the time of the `n`th row of a day: the first at its start, the second at its end, two at noon."""
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


def filter_result(n: int, *, approved: bool) -> dict[str, Value]:
    """Return the values of an approved row, or of a row that is rejected for the `n`th reason."""
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


def select_fields(dataset: Dataset, values: Mapping[str, Value], names: tuple[str, ...]) -> dict[str, Value]:
    """Return the values of `names`, in that order; null texts are empty if the dataset has no null texts."""
    if dataset.null_texts:
        return {name: values[name] for name in names}
    return {name: "" if values[name] is None and name not in _NUMBERS else values[name] for name in names}


# The values that can be null and are not texts.
_NUMBERS = frozenset({"lat", "long", "purchase_value", "response_code"})
