"""The generated facts of a day, at the finest grain. They depend only on seed, source, day and version."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.digital_turbine.catalog import APPS, CAMPAIGNS, COUNTRIES

FIRST_DAY = date(2019, 6, 10)
PRELIMINARY = 0
"""The version of a day before its data is published."""
WEEK = (0.9, 0.86, 0.88, 0.92, 1.05, 1.25, 1.2)
NULLABLE_METRICS = ("revenue", "impressions", "clicks", "users")
HUGE = 2**53 + 1
EDGE_CASES_FROM = 25
"""Index of the first country with edge cases: every day has all of them, in the first app."""


class Fact(NamedTuple):
    """The metrics of an app, country and campaign on one day; None is a missing metric."""

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
class Dataset:
    """The parameters of the data besides source, day and version; see the settings of the same names."""

    seed: int
    final_version: int
    empty_day_one_in: int
    empty_days: tuple[str, ...]
    missing_one_in: int
    huge_one_in: int

    def is_empty(self, day: date) -> bool:
        """Return whether `day` has no traffic."""
        if day.isoformat() in self.empty_days:
            return True
        return self.empty_day_one_in > 0 and Random(f"{self.seed}|empty|{day}").random() * self.empty_day_one_in < 1


@lru_cache(maxsize=512)
def facts(dataset: Dataset, source: str, day: date, version: int) -> tuple[Fact, ...]:
    """Return the facts of a day at `version`.

    Versions count from 1 to the final version of the dataset. Later versions have more conversions and more cells.
    PRELIMINARY is a day that is only partly available.
    """
    if dataset.is_empty(day):
        return ()
    # Only random() is used: the only method whose results are guaranteed to stay the same in new Python versions.
    rng = Random(f"{dataset.seed}|{source}|{day}")
    growth = 1 + (day - FIRST_DAY).days / 2000
    level = WEEK[day.weekday()] * growth * (0.9 + 0.2 * rng.random())
    known = 0.4 if version == PRELIMINARY else 0.7 + 0.3 * version / dataset.final_version
    return tuple(
        fact
        for app in range(len(APPS))
        for country in range(len(COUNTRIES))
        for fact in _cell(dataset, rng, (app, country), level=level, version=version, known=known)
    )


def _cell(
    dataset: Dataset, rng: Random, indexes: tuple[int, int], *, level: float, version: int, known: float
) -> Iterator[Fact]:
    app, country = indexes
    draw = rng.random
    weight = APPS[app].weight * COUNTRIES[country][1]
    edge_case = app == 0 and country >= EDGE_CASES_FROM
    if draw() > 0.30 + weight * 0.12 and not edge_case:
        return
    # A cell draws the same count of random numbers in every version, so that a version does not change later cells.
    late, size, missing, which, huge = draw(), draw(), draw(), draw(), draw()
    parts = [(draw(), draw(), draw(), draw(), draw(), draw()) for _ in range(1 + int(which * 3))]
    if not edge_case and not _is_known(late, version, dataset.final_version):
        return
    lacks = (
        NULLABLE_METRICS[int(which * 1000) % 4]
        if dataset.missing_one_in and missing * dataset.missing_one_in < 1
        else None
    )
    volume = 14 * weight * level * (0.3 + size)
    for n, part in enumerate(parts):
        campaign = (app + country + n * 2) % len(CAMPAIGNS)
        fact = _fact((app, country, campaign), volume=volume / len(parts), part=part, known=known)
        if lacks is not None:
            fact = fact._replace(**{lacks: None})
        if dataset.huge_one_in and huge * dataset.huge_one_in < 1 and n == 0:
            fact = fact._replace(impressions=HUGE)
        yield fact


def _is_known(late: float, version: int, final: int) -> bool:
    if version == PRELIMINARY:
        return late < 0.6
    # 5% of the cells appear only in later versions.
    return late < 0.95 or (late - 0.95) * 20 * final <= version


def _fact(indexes: tuple[int, int, int], *, volume: float, part: tuple[float, ...], known: float) -> Fact:
    app, country, campaign = indexes
    requests = 1 + int(volume * (0.6 + part[0]))
    containers = int(requests * (0.7 + 0.3 * part[1]))
    impressions = int(containers * (2 + 4 * part[2]))
    clicks = int(impressions * 0.2 * part[3])
    users = min(containers, 1 + int(containers * (0.5 + 0.4 * part[4])))
    # Later versions have more conversions, so that versions differ in counts and in money.
    conversions = int(clicks * 0.5 * part[5] * known)
    installs = int(conversions * part[4])
    payout = CAMPAIGNS[campaign].payout
    revenue = conversions * payout + installs * payout * 0.1
    if part[1] > 0.96:
        # An amount so small that a float is formatted with an exponent.
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
