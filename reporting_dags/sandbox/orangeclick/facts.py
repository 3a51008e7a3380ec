"""What happened on one day, at the finest grain: made up, but always the same for one seed, day and version."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import product
from math import ceil
from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.orangeclick.catalogue import (
    COUNTRIES,
    DEALS,
    DEVICES,
    HOSTILE_COUNTRIES_FROM,
    HOSTILE_FROM,
    OPERATING_SYSTEMS,
    PLACEMENTS,
)

FIRST_DAY = date(2023, 1, 1)
EARLY = 0
"""The version of a day whose data is not out yet."""
WEEK = (1.1, 1.12, 1.1, 1.06, 1.0, 0.8, 0.84)
MISSABLE = ("impressions", "earnings", "viewable", "first_quartile", "midpoint", "third_quartile", "complete")
HUGE = 2**53 + 1


class Fact(NamedTuple):
    """One ad unit's impressions of one kind on one day, in US dollars; None is a metric that the provider lacks.

    `variant` counts the copies of a placement that a larger rows_factor makes.
    """

    placement: int
    variant: int
    country: int
    device: int
    os: int
    deal: int
    impressions: int | None
    earnings: float | None
    viewable: int | None
    first_quartile: int | None
    midpoint: int | None
    third_quartile: int | None
    complete: int | None


@dataclass(frozen=True)
class World:
    """What decides the data besides day and version; see the settings of the same names."""

    seed: int
    final_version: int
    empty_day_one_in: int
    empty_days: tuple[str, ...]
    null_metrics: int
    huge: bool
    rows_factor: float

    def is_empty(self, day: date) -> bool:
        """Whether there was no traffic at all on `day`."""
        if day < FIRST_DAY or day.isoformat() in self.empty_days:
            return True
        draw = Random(f"{self.seed}|orangeclick|empty|{day}").random()
        return self.empty_day_one_in > 0 and draw * self.empty_day_one_in < 1


def euros(seed: int, day: date) -> float:
    """What a US dollar was worth on `day`."""
    return round(0.88 + 0.06 * Random(f"{seed}|orangeclick|euros|{day}").random(), 4)


@lru_cache(maxsize=512)
def facts(world: World, day: date, version: int) -> tuple[Fact, ...]:
    """The facts of one day as the provider knows them at `version`.

    Versions count from 1 to the world's final one; each later one knows of more earnings, and of some cells for the
    first time. EARLY is a day that is only partly in.
    """
    if world.is_empty(day):
        return ()
    return (
        *_oddities(world),
        *(fact for variant in range(ceil(world.rows_factor)) for fact in _copy(world, day, version, variant)),
    )


def _copy(world: World, day: date, version: int, variant: int) -> Iterator[Fact]:
    # Only random() is used: of all the generator's methods it alone is promised to stay as it is.
    rng = Random(f"{world.seed}|orangeclick|{day}|{variant}")
    growth = 1 + (day - FIRST_DAY).days / 3000
    level = WEEK[day.weekday()] * growth * (0.92 + 0.16 * rng.random())
    known = 0.4 if version == EARLY else 0.8 + 0.2 * version / world.final_version
    for place in product(range(len(PLACEMENTS)), range(len(COUNTRIES)), range(len(DEVICES))):
        yield from _cell(world, rng, place, level=level, version=version, known=known, variant=variant)


def _cell(
    world: World, rng: Random, place: tuple[int, int, int], *, level: float, version: int, known: float, variant: int
) -> Iterator[Fact]:
    placement, country, device = place
    draw = rng.random
    weight = PLACEMENTS[placement].weight * COUNTRIES[country][1] * DEVICES[device][1]
    shown = placement >= HOSTILE_FROM and country == 0
    hostile = variant == 0 and device == 0 and (shown or (placement == 0 and country >= HOSTILE_COUNTRIES_FROM))
    if draw() > 0.05 + weight * 0.09 and not hostile:
        return
    # A cell draws as many numbers whether its version is known or not: a version must not shift the cells after it.
    late, size, missing, which, copied = draw(), draw(), draw(), draw(), draw()
    parts = [(draw(), draw(), draw(), draw(), draw()) for _ in range(1 + int(which * 1.4))]
    if not hostile and (copied >= world.rows_factor - variant or not _is_known(late, version, world.final_version)):
        return
    lacks = MISSABLE[int(which * 1000) % len(MISSABLE)]
    for n, part in enumerate(parts):
        volume = 900 * weight * level * (0.3 + size) / len(parts)
        fact = _fact(place, variant, volume=volume, part=part, known=known, number=n)
        yield fact._replace(**{lacks: None}) if world.null_metrics and missing * world.null_metrics < 1 else fact


def _is_known(late: float, version: int, final: int) -> bool:
    if version == EARLY:
        return late < 0.6
    # The last twentieth of the cells comes in over the versions, one after another.
    return late < 0.95 or (late - 0.95) * 20 * final <= version


def _fact(
    place: tuple[int, int, int], variant: int, *, volume: float, part: tuple[float, ...], known: float, number: int
) -> Fact:
    placement, country, device = place
    where = PLACEMENTS[placement]
    impressions = 1 + int(volume * (0.6 + part[0]))
    # Earnings become known by thousandths of a dollar, so that sums have the tails that sums of doubles have.
    earnings = int(impressions * where.cpm * (0.5 + part[1]) * known) / 1000
    if part[1] > 0.97:
        # Money so small that a double prints with an exponent.
        earnings *= 0.0000121
    seen = [0, 0, 0, 0]
    if where.media_type == "video":
        share = 0.95 * impressions
        for n in range(4):
            share *= 0.7 + 0.3 * part[3]
            seen[n] = int(share)
    deal = 0 if part[4] < 0.7 else 1 + int((part[4] - 0.7) / 0.3 * (len(DEALS) - 1))
    system = number % len(OPERATING_SYSTEMS[device])
    viewable = int(impressions * (0.4 + 0.5 * part[2]))
    return Fact(placement, variant, country, device, system, deal, impressions, earnings, viewable, *seen)


def _oddities(world: World) -> Iterator[Fact]:
    """What every day has besides its traffic: corrections, nothing at all, and numbers that doubles cannot hold."""
    television, unknown = len(DEVICES), len(DEVICES) + 1
    zeros = (0, 0, 0, 0)
    yield Fact(0, 0, 0, unknown, 0, 0, 3, 0.036300000000000006, 2, *zeros)
    yield Fact(0, 0, 1, unknown, 0, 0, 1, 1.21e-05, 0, *zeros)
    yield Fact(0, 0, 2, unknown, 0, 0, 0, 0.0, 0, *zeros)
    yield Fact(0, 0, 3, unknown, 0, 0, 0, -0.17, 0, *zeros)
    if world.huge:
        yield Fact(2, 0, 0, television, 0, 0, HUGE, 0.1 + 0.2, HUGE, HUGE, HUGE, HUGE, HUGE)
