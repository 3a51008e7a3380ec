"""What happened in one hour, at the finest grain: made up, but always the same for one seed, hour and version."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.mintegral.catalogue import (
    AD_TYPES,
    CREATIVES,
    ENDCARDS,
    HOSTILE_CREATIVES,
    HOSTILE_LOCATIONS,
    LOCATIONS,
    OFFERS,
    ORDINARY_AD_TYPES,
    OUTPUT_TYPES,
    SUBS,
    offer,
)

UNITS = 10**18
"""What `spend` is counted in, to one US dollar or yuan: whole numbers add up alike in every grouping."""
WEEK = (0.9, 0.86, 0.88, 0.92, 1.05, 1.25, 1.2)
HUGE = 2**53 + 1
CELLS = 8 * len(OFFERS)
"""Ordinary cells: so many offers, each with eight pairs of ad type and location."""
ACTIVE = 0.11
"""The share of the ordinary cells that are seen in an hour."""


class Fact(NamedTuple):
    """What one combination of everything did in one hour; all but the last five are places in the catalogue."""

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
class World:
    """What decides the data besides hour and version; see the settings of the same names."""

    seed: int
    final_version: int
    empty_day_one_in: int
    empty_days: tuple[str, ...]
    rows_factor: float
    huge: bool
    corrections: bool

    def is_empty(self, day: date) -> bool:
        """Whether there was no traffic at all on `day`, in UTC."""
        if day.isoformat() in self.empty_days:
            return True
        seeded = f"{self.seed}|mintegral|empty|{day}"
        return self.empty_day_one_in > 0 and Random(seeded).random() * self.empty_day_one_in < 1


@lru_cache(maxsize=2048)
def facts(world: World, hour: datetime, version: int) -> tuple[Fact, ...]:
    """The facts of the hour that starts at `hour`, in UTC, as the provider knows them at `version`.

    Versions count from 1 to the world's final one; each later one knows of more money, and of some cells for the first
    time.
    """
    day = hour.date()
    if world.is_empty(day):
        return ()
    # Only random() is used: of all the generator's methods it alone is promised to stay as it is.
    rng = Random(f"{world.seed}|mintegral|{hour:%Y-%m-%dT%H}")
    level = WEEK[day.weekday()] * (0.6 + 0.05 * min(hour.hour, 24 - hour.hour)) * (0.9 + 0.2 * rng.random())
    known = 1.0 if version == world.final_version else 0.7 + 0.3 * version / world.final_version
    found = list(_ordinary(world, rng, hour, level=level, version=version, known=known))
    return (*found, *_hostile(world, rng, hour))


def _ordinary(world: World, rng: Random, hour: datetime, *, level: float, version: int, known: float) -> Iterator[Fact]:
    draw = rng.random
    for cell in range(int(CELLS * world.rows_factor)):
        if draw() >= ACTIVE:
            continue
        # A cell draws as many numbers whether its version is known or not: a version must not shift the cells after it.
        late, size, *part = (draw() for _ in range(9))
        # The last twentieth of the cells comes in over the versions, one after another.
        if late >= 0.95 and (late - 0.95) * 20 * world.final_version > version:
            continue
        number, place = divmod(cell, 8)
        impressions = 1 + int(9000 * level * size * size / (1 + place))
        clicks = int(impressions * 0.08 * part[0])
        conversions = int(clicks * 0.3 * part[1] * known)
        millionths = conversions * offer(number).payout + int(impressions * 400 * part[2] * known)
        ordinary = len(LOCATIONS) - HOSTILE_LOCATIONS
        yield Fact(
            offer=number,
            ad_type=place % ORDINARY_AD_TYPES,
            location=HOSTILE_LOCATIONS + (number * 3 + place * 5) % ordinary,
            creative=HOSTILE_CREATIVES + (number * 2 + int(2 * part[3])) % (len(CREATIVES) - HOSTILE_CREATIVES),
            sub=int(len(SUBS) * part[4]),
            endcard=int(len(ENDCARDS) * part[5]),
            output=int(len(OUTPUT_TYPES) * part[6]),
            currency=_currency(number, hour),
            impressions=impressions,
            clicks=clicks,
            conversions=conversions,
            spend=millionths * (UNITS // 10**6),
        )


def _hostile(world: World, rng: Random, hour: datetime) -> Iterator[Fact]:
    """What every day has, so that no reader is spared it: one cell an hour, which no other hour or cell adds to."""
    number = hour.hour
    if number >= len(OFFERS):
        return
    impressions = 1000 + int(9000 * rng.random())
    ordinary = (impressions, 40, 3, 3 * offer(number).payout * (UNITS // 10**6))
    special = {
        # As a double prints the sum of 0.0121 and 0.0242.
        1: (30, 3, 3, 36300000000000006),
        2: (1, 1, 0, 12_100_000_000_000),
        3: (0, 0, 0, 0),
        4: (impressions, 0, 0, 0),
        # An install that is known before its click.
        6: (0, 0, 1, offer(6).payout * (UNITS // 10**6)),
    }
    if world.huge:
        special[0] = (HUGE, 40, 3, ordinary[3])
    if world.corrections:
        special[5] = (0, 0, 0, -7 * UNITS // 10)
    impressions, clicks, conversions, spend = special.get(number, ordinary)
    yield Fact(
        offer=number,
        ad_type=ORDINARY_AD_TYPES + number % (len(AD_TYPES) - ORDINARY_AD_TYPES),
        location=number % HOSTILE_LOCATIONS,
        creative=number % HOSTILE_CREATIVES,
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
