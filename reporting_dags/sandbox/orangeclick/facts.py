"""The generated facts of a day, at the finest grain. They depend only on seed, day and version."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import product
from math import ceil
from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.orangeclick.catalog import (
    COUNTRIES,
    DEALS,
    DEVICES,
    EDGE_CASE_COUNTRIES_FROM,
    EDGE_CASES_FROM,
    OPERATING_SYSTEMS,
    PLACEMENTS,
)

FIRST_DAY = date(2023, 1, 1)
PRELIMINARY = 0
"""The version of a day before its data is published."""
WEEK = (1.1, 1.12, 1.1, 1.06, 1.0, 0.8, 0.84)
NULLABLE_METRICS = ("impressions", "earnings", "viewable", "first_quartile", "midpoint", "third_quartile", "complete")
HUGE = 2**53 + 1


class Fact(NamedTuple):
    """The metrics of one combination of dimensions on one day, in US dollars; None is a missing metric.

    `variant` is the number of the copy of a placement, for a `rows_factor` above 1.
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
class Dataset:
    """The parameters of the data besides day and version; see the settings of the same names."""

    seed: int
    final_version: int
    empty_day_one_in: int
    empty_days: tuple[str, ...]
    null_metrics: int
    huge: bool
    rows_factor: float

    def is_empty(self, day: date) -> bool:
        """Return whether `day` has no traffic."""
        if day < FIRST_DAY or day.isoformat() in self.empty_days:
            return True
        draw = Random(f"{self.seed}|orangeclick|empty|{day}").random()
        return self.empty_day_one_in > 0 and draw * self.empty_day_one_in < 1


def euro_rate(seed: int, day: date) -> float:
    """Return the value of a US dollar in euros on `day`."""
    return round(0.88 + 0.06 * Random(f"{seed}|orangeclick|euros|{day}").random(), 4)


@lru_cache(maxsize=512)
def facts(dataset: Dataset, day: date, version: int) -> tuple[Fact, ...]:
    """Return the facts of a day at `version`.

    Versions count from 1 to the final version of the dataset. Later versions have more earnings and more cells.
    PRELIMINARY is a day that is only partly available.
    """
    if dataset.is_empty(day):
        return ()
    return (
        *_edge_cases(dataset),
        *(fact for variant in range(ceil(dataset.rows_factor)) for fact in _copy(dataset, day, version, variant)),
    )


def _copy(dataset: Dataset, day: date, version: int, variant: int) -> Iterator[Fact]:
    # Only random() is used: the only method whose results are guaranteed to stay the same in new Python versions.
    rng = Random(f"{dataset.seed}|orangeclick|{day}|{variant}")
    growth = 1 + (day - FIRST_DAY).days / 3000
    level = WEEK[day.weekday()] * growth * (0.92 + 0.16 * rng.random())
    known = 0.4 if version == PRELIMINARY else 0.8 + 0.2 * version / dataset.final_version
    for place in product(range(len(PLACEMENTS)), range(len(COUNTRIES)), range(len(DEVICES))):
        yield from _cell(dataset, rng, place, level=level, version=version, known=known, variant=variant)


def _cell(
    dataset: Dataset,
    rng: Random,
    place: tuple[int, int, int],
    *,
    level: float,
    version: int,
    known: float,
    variant: int,
) -> Iterator[Fact]:
    placement, country, device = place
    draw = rng.random
    weight = PLACEMENTS[placement].weight * COUNTRIES[country][1] * DEVICES[device][1]
    shown = placement >= EDGE_CASES_FROM and country == 0
    edge_case = variant == 0 and device == 0 and (shown or (placement == 0 and country >= EDGE_CASE_COUNTRIES_FROM))
    if draw() > 0.05 + weight * 0.09 and not edge_case:
        return
    # A cell draws the same count of random numbers in every version, so that a version does not change later cells.
    late, size, missing, which, copied = draw(), draw(), draw(), draw(), draw()
    parts = [(draw(), draw(), draw(), draw(), draw()) for _ in range(1 + int(which * 1.4))]
    if not edge_case and (
        copied >= dataset.rows_factor - variant or not _is_known(late, version, dataset.final_version)
    ):
        return
    lacks = NULLABLE_METRICS[int(which * 1000) % len(NULLABLE_METRICS)]
    for n, part in enumerate(parts):
        volume = 900 * weight * level * (0.3 + size) / len(parts)
        fact = _fact(place, variant, volume=volume, part=part, known=known, number=n)
        yield fact._replace(**{lacks: None}) if dataset.null_metrics and missing * dataset.null_metrics < 1 else fact


def _is_known(late: float, version: int, final: int) -> bool:
    if version == PRELIMINARY:
        return late < 0.6
    # 5% of the cells appear only in later versions.
    return late < 0.95 or (late - 0.95) * 20 * final <= version


def _fact(
    place: tuple[int, int, int], variant: int, *, volume: float, part: tuple[float, ...], known: float, number: int
) -> Fact:
    placement, country, device = place
    ad_unit = PLACEMENTS[placement]
    impressions = 1 + int(volume * (0.6 + part[0]))
    # Earnings are multiples of 0.001, so that sums have the rounding errors of sums of doubles.
    earnings = int(impressions * ad_unit.cpm * (0.5 + part[1]) * known) / 1000
    if part[1] > 0.97:
        # An amount so small that a double is formatted with an exponent.
        earnings *= 0.0000121
    seen = [0, 0, 0, 0]
    if ad_unit.media_type == "video":
        share = 0.95 * impressions
        for n in range(4):
            share *= 0.7 + 0.3 * part[3]
            seen[n] = int(share)
    deal = 0 if part[4] < 0.7 else 1 + int((part[4] - 0.7) / 0.3 * (len(DEALS) - 1))
    system = number % len(OPERATING_SYSTEMS[device])
    viewable = int(impressions * (0.4 + 0.5 * part[2]))
    return Fact(placement, variant, country, device, system, deal, impressions, earnings, viewable, *seen)


def _edge_cases(dataset: Dataset) -> Iterator[Fact]:
    """Yield the edge cases of every day: corrections, zeros, and numbers that a double cannot represent."""
    television, unknown = len(DEVICES), len(DEVICES) + 1
    zeros = (0, 0, 0, 0)
    yield Fact(0, 0, 0, unknown, 0, 0, 3, 0.036300000000000006, 2, *zeros)
    yield Fact(0, 0, 1, unknown, 0, 0, 1, 1.21e-05, 0, *zeros)
    yield Fact(0, 0, 2, unknown, 0, 0, 0, 0.0, 0, *zeros)
    yield Fact(0, 0, 3, unknown, 0, 0, 0, -0.17, 0, *zeros)
    if dataset.huge:
        yield Fact(2, 0, 0, television, 0, 0, HUGE, 0.1 + 0.2, HUGE, HUGE, HUGE, HUGE, HUGE)
