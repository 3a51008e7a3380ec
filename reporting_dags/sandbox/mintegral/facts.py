"""The generated facts of an hour, at the finest grain. They depend only on seed, hour and version."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.mintegral.catalog import (
    AD_TYPES,
    CREATIVES,
    EDGE_CASE_CREATIVES,
    EDGE_CASE_LOCATIONS,
    ENDCARDS,
    LOCATIONS,
    OFFERS,
    ORDINARY_AD_TYPES,
    OUTPUT_TYPES,
    SUBS,
    offer,
)

UNITS = 10**18
"""The units of `spend` in one US dollar or yuan: sums of integers are exact in every grouping."""
WEEK = (0.9, 0.86, 0.88, 0.92, 1.05, 1.25, 1.2)
HUGE = 2**53 + 1
CELLS = 8 * len(OFFERS)
"""The number of ordinary cells: eight pairs of ad type and location for each offer."""
ACTIVE = 0.11
"""The share of the ordinary cells that have traffic in an hour."""


class Fact(NamedTuple):
    """The metrics of one combination of all dimensions in one hour. Dimensions are indexes in the catalog."""

    offer: int
    ad_type: int
    location: int
    creative: int
    sub: int
    endcard: int
    output: int
    currency: str
    impressions: int
    clicks: int
    conversions: int
    spend: int


@dataclass(frozen=True)
class Dataset:
    """The parameters of the data besides hour and version; see the settings of the same names."""

    seed: int
    final_version: int
    empty_day_one_in: int
    empty_days: tuple[str, ...]
    rows_factor: float
    huge: bool
    corrections: bool

    def is_empty(self, day: date) -> bool:
        """Return whether `day`, in UTC, has no traffic."""
        if day.isoformat() in self.empty_days:
            return True
        seed = f"{self.seed}|mintegral|empty|{day}"
        return self.empty_day_one_in > 0 and Random(seed).random() * self.empty_day_one_in < 1


@lru_cache(maxsize=2048)
def facts(dataset: Dataset, hour: datetime, version: int) -> tuple[Fact, ...]:
    """Return the facts of the hour that starts at `hour`, in UTC, at `version`.

    Versions count from 1 to the final version of the dataset. Later versions have more spend and more cells.
    """
    day = hour.date()
    if dataset.is_empty(day):
        return ()
    # Only random() is used: the only method whose results are guaranteed to stay the same in new Python versions.
    rng = Random(f"{dataset.seed}|mintegral|{hour:%Y-%m-%dT%H}")
    level = WEEK[day.weekday()] * (0.6 + 0.05 * min(hour.hour, 24 - hour.hour)) * (0.9 + 0.2 * rng.random())
    known = 1.0 if version == dataset.final_version else 0.7 + 0.3 * version / dataset.final_version
    ordinary = list(_ordinary(dataset, rng, hour, level=level, version=version, known=known))
    return (*ordinary, *_edge_case(dataset, rng, hour))


def _ordinary(
    dataset: Dataset, rng: Random, hour: datetime, *, level: float, version: int, known: float
) -> Iterator[Fact]:
    draw = rng.random
    for cell in range(int(CELLS * dataset.rows_factor)):
        if draw() >= ACTIVE:
            continue
        # A cell draws the same count of random numbers in every version, so that a version does not change later cells.
        late, size, *part = (draw() for _ in range(9))
        # 5% of the cells appear only in later versions.
        if late >= 0.95 and (late - 0.95) * 20 * dataset.final_version > version:
            continue
        number, place = divmod(cell, 8)
        impressions = 1 + int(9000 * level * size * size / (1 + place))
        clicks = int(impressions * 0.08 * part[0])
        conversions = int(clicks * 0.3 * part[1] * known)
        millionths = conversions * offer(number).payout + int(impressions * 400 * part[2] * known)
        ordinary = len(LOCATIONS) - EDGE_CASE_LOCATIONS
        yield Fact(
            offer=number,
            ad_type=place % ORDINARY_AD_TYPES,
            location=EDGE_CASE_LOCATIONS + (number * 3 + place * 5) % ordinary,
            creative=EDGE_CASE_CREATIVES + (number * 2 + int(2 * part[3])) % (len(CREATIVES) - EDGE_CASE_CREATIVES),
            sub=int(len(SUBS) * part[4]),
            endcard=int(len(ENDCARDS) * part[5]),
            output=int(len(OUTPUT_TYPES) * part[6]),
            currency=_currency(number, hour),
            impressions=impressions,
            clicks=clicks,
            conversions=conversions,
            spend=millionths * (UNITS // 10**6),
        )


def _edge_case(dataset: Dataset, rng: Random, hour: datetime) -> Iterator[Fact]:
    """Yield the edge case of an hour: one cell, with dimensions that no other cell of the day has."""
    number = hour.hour
    if number >= len(OFFERS):
        return
    impressions = 1000 + int(9000 * rng.random())
    ordinary = (impressions, 40, 3, 3 * offer(number).payout * (UNITS // 10**6))
    special = {
        # 0.0121 + 0.0242 as doubles.
        1: (30, 3, 3, 36300000000000006),
        2: (1, 1, 0, 12_100_000_000_000),
        3: (0, 0, 0, 0),
        4: (impressions, 0, 0, 0),
        # A conversion that is reported before its click.
        6: (0, 0, 1, offer(6).payout * (UNITS // 10**6)),
    }
    if dataset.huge:
        special[0] = (HUGE, 40, 3, ordinary[3])
    if dataset.corrections:
        special[5] = (0, 0, 0, -7 * UNITS // 10)
    impressions, clicks, conversions, spend = special.get(number, ordinary)
    yield Fact(
        offer=number,
        ad_type=ORDINARY_AD_TYPES + number % (len(AD_TYPES) - ORDINARY_AD_TYPES),
        location=number % EDGE_CASE_LOCATIONS,
        creative=number % EDGE_CASE_CREATIVES,
        sub=number % len(SUBS),
        endcard=number % len(ENDCARDS),
        output=number % len(OUTPUT_TYPES),
        currency=_currency(number, hour),
        impressions=impressions,
        clicks=clicks,
        conversions=conversions,
        spend=spend,
    )


def _currency(number: int, hour: datetime) -> str:
    currencies = offer(number).currencies
    return currencies[hour.hour % len(currencies)]
