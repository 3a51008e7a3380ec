"""What happened on one day, at the finest grain: made up, but always the same for one seed, source, day and version."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.digital_turbine.catalogue import APPS, CAMPAIGNS, COUNTRIES

FIRST_DAY = date(2019, 6, 10)
EARLY = 0
"""The version of a day whose data is not out yet."""
WEEK = (0.9, 0.86, 0.88, 0.92, 1.05, 1.25, 1.2)
MISSABLE = ("revenue", "impressions", "clicks", "users")
HUGE = 2**53 + 1
HOSTILE_FROM = 25
"""Where the countries begin that every day shows in the first app, so that no reader is spared them."""


class Fact(NamedTuple):
    """One app, country and campaign on one day; None is a metric that the provider lacks."""

    app: int
    country: int
    campaign: int
    revenue: float | None
    impressions: int | None
    clicks: int | None
    users: int | None
    containers: int
    requests: int
    installs: int
    conversions: int
    positions: int
    completion_seconds: int


@dataclass(frozen=True)
class World:
    """What decides the data besides source, day and version; see the settings of the same names."""

    seed: int
    final_version: int
    empty_day_one_in: int
    empty_days: tuple[str, ...]
    missing_one_in: int
    huge_one_in: int

    def is_empty(self, day: date) -> bool:
        """Whether there was no traffic at all on `day`."""
        if day.isoformat() in self.empty_days:
            return True
        return self.empty_day_one_in > 0 and Random(f"{self.seed}|empty|{day}").random() * self.empty_day_one_in < 1


@lru_cache(maxsize=512)
def facts(world: World, source: str, day: date, version: int) -> tuple[Fact, ...]:
    """The facts of one day as the provider knows them at `version`.

    Versions count from 1 to the world's final one; each later one knows of more conversions, and of some cells for the
    first time. EARLY is a day that is only partly in.
    """
    if world.is_empty(day):
        return ()
    # Only random() is used: of all the generator's methods it alone is promised to stay as it is.
    rng = Random(f"{world.seed}|{source}|{day}")
    growth = 1 + (day - FIRST_DAY).days / 2000
    level = WEEK[day.weekday()] * growth * (0.9 + 0.2 * rng.random())
    known = 0.4 if version == EARLY else 0.7 + 0.3 * version / world.final_version
    return tuple(
        fact
        for app in range(len(APPS))
        for country in range(len(COUNTRIES))
        for fact in _cell(world, rng, (app, country), level=level, version=version, known=known)
    )


def _cell(
    world: World, rng: Random, place: tuple[int, int], *, level: float, version: int, known: float
) -> Iterator[Fact]:
    app, country = place
    draw = rng.random
    weight = APPS[app].weight * COUNTRIES[country][1]
    hostile = app == 0 and country >= HOSTILE_FROM
    if draw() > 0.30 + weight * 0.12 and not hostile:
        return
    # A cell draws as many numbers whether its version is known or not: a version must not shift the cells after it.
    late, size, missing, which, huge = draw(), draw(), draw(), draw(), draw()
    parts = [(draw(), draw(), draw(), draw(), draw(), draw()) for _ in range(1 + int(which * 3))]
    if not hostile and not _is_known(late, version, world.final_version):
        return
    lacks = MISSABLE[int(which * 1000) % 4] if world.missing_one_in and missing * world.missing_one_in < 1 else None
    volume = 14 * weight * level * (0.3 + size)
    for n, part in enumerate(parts):
        campaign = (app + country + n * 2) % len(CAMPAIGNS)
        fact = _fact((app, country, campaign), volume=volume / len(parts), part=part, known=known)
        if lacks is not None:
            fact = fact._replace(**{lacks: None})
        if world.huge_one_in and huge * world.huge_one_in < 1 and n == 0:
            fact = fact._replace(impressions=HUGE)
        yield fact


def _is_known(late: float, version: int, final: int) -> bool:
    if version == EARLY:
        return late < 0.6
    # The last twentieth of the cells comes in over the versions, one after another.
    return late < 0.95 or (late - 0.95) * 20 * final <= version


def _fact(place: tuple[int, int, int], *, volume: float, part: tuple[float, ...], known: float) -> Fact:
    app, country, campaign = place
    requests = 1 + int(volume * (0.6 + part[0]))
    containers = int(requests * (0.7 + 0.3 * part[1]))
    impressions = int(containers * (2 + 4 * part[2]))
    clicks = int(impressions * 0.2 * part[3])
    users = min(containers, 1 + int(containers * (0.5 + 0.4 * part[4])))
    # Whole conversions become known one by one, so that versions differ in counts as well as in money.
    conversions = int(clicks * 0.5 * part[5] * known)
    installs = int(conversions * part[4])
    payout = CAMPAIGNS[campaign].payout
    revenue = conversions * payout + installs * payout * 0.1
    if part[1] > 0.96:
        # Money so small that a float prints with an exponent.
        revenue = conversions * 0.0000121
    return Fact(
        app=app,
        country=country,
        campaign=campaign,
        revenue=revenue,
        impressions=impressions,
        clicks=clicks,
        users=users,
        containers=containers,
        requests=requests,
        installs=installs,
        conversions=conversions,
        positions=int(impressions * (1 + 6 * part[1])),
        completion_seconds=int(conversions * (60 + 900 * part[2])),
    )
