"""From facts to a table: filtered, summed over the asked dimensions (OC5, OC6, OC7)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random

from reporting_dags.sandbox.orangeclick.catalogue import (
    COUNTRIES,
    DAY,
    DEALS,
    DEVICES,
    DOMAIN,
    EARNINGS,
    ECPM,
    FURTHER_DEVICES,
    OPERATING_SYSTEMS,
    PLACEMENTS,
)
from reporting_dags.sandbox.orangeclick.facts import EARLY, Fact, World, euros, facts
from reporting_dags.sandbox.orangeclick.filters import Number
from reporting_dags.sandbox.orangeclick.question import Question
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings
from reporting_dags.sandbox.owner import Owner
from reporting_dags.sandbox.table import Table

_Readers = Mapping[str, Callable[[date, Fact], str]]
"""What reads the value of a dimension."""

_DEVICE_NAMES = (*(name for name, _ in DEVICES), *FURTHER_DEVICES)


@dataclass
class _Part:
    """The facts of one row, and which filter groups let any of them in."""

    facts: list[Fact] = field(default_factory=list[Fact])
    groups: set[int] = field(default_factory=set[int])


def version(day: date, at: datetime, settings: OrangeClickSettings) -> int | None:
    """Which version of `day` is known at `at`; None when nothing is yet (OC7)."""
    late = timedelta(hours=settings.late_hours if day.isoformat() in settings.late_days else 0)
    if at < datetime.combine(day + timedelta(days=1), time(settings.out_hour), UTC) + late:
        return EARLY if settings.early == "partial" and at.date() >= day else None
    return min(max(1, (at.date() - day).days), max(1, settings.restate_days))


def answer(question: Question, *, owner: Owner, at: datetime, settings: OrangeClickSettings) -> Table:
    """The honest answer to `question` requested at `at`; A: its rows are in no order."""
    parts: dict[tuple[str, ...], _Part] = {}
    readers = _dimensions(owner)
    dimensions = [readers[name] for name in question.dimensions]
    for day, fact in _facts(question, owner, at, settings):
        let_in = _groups(question, readers, day, fact)
        if let_in:
            part = parts.setdefault(tuple([read(day, fact) for read in dimensions]), _Part())
            part.facts.append(fact)
            part.groups.update(let_in)
    metrics = [_METRICS[name] for name in question.metrics]
    rows = [
        [*key, *[_printed(metric(part.facts)) for metric in metrics]]
        for key, part in parts.items()
        if _is_kept(question, part)
    ]
    rng = Random(f"{owner.seed}|{question}")
    rows.sort(key=lambda _: rng.random())
    return Table([*question.dimensions, *question.metrics], rows, day=DAY, entity=DOMAIN)


def _facts(
    question: Question, owner: Owner, at: datetime, settings: OrangeClickSettings
) -> Iterator[tuple[date, Fact]]:
    """The facts that the account has access to, in the asked currency."""
    world = World(
        seed=owner.seed,
        final_version=max(1, settings.restate_days),
        empty_day_one_in=settings.empty_day_one_in,
        empty_days=settings.empty_days,
        null_metrics=settings.null_metrics,
        huge=settings.huge,
        rows_factor=float(settings.rows_factor),
    )
    lost = {n for n, one in enumerate(PLACEMENTS) if owner.text(one.domain) in settings.lost_domains}
    for day in question.days:
        known = version(day, at, settings)
        if known is None:
            continue
        rate = euros(owner.seed, day) if question.currency == "EUR" else 1.0
        for fact in facts(world, day, known):
            if fact.placement in lost:
                continue
            yield day, fact if fact.earnings is None else fact._replace(earnings=fact.earnings * rate)


def _groups(question: Question, readers: _Readers, day: date, fact: Fact) -> list[int]:
    """The filter groups whose dimensions let the fact in; one that lets in everything where none is asked for."""
    if not question.groups:
        return [0]
    return [
        n
        for n, group in enumerate(question.groups)
        if all(one.holds(readers[one.dimension](day, fact)) for one in group.dimensions)
    ]


def _is_kept(question: Question, part: _Part) -> bool:
    """A: metric filters look at the row, and count in the groups that let facts of it in."""
    if not question.groups:
        return True
    return any(
        all(one.holds(_METRICS[one.metric](part.facts)) for one in question.groups[n].metrics) for n in part.groups
    )


@lru_cache(maxsize=8)
def _dimensions(owner: Owner) -> _Readers:
    domains = [owner.text(one.domain) for one in PLACEMENTS]
    subdomains = [owner.text(one.subdomain) for one in PLACEMENTS]
    ad_units = [owner.text(one.ad_unit) for one in PLACEMENTS]
    deals = [(owner.text(one.id), owner.text(one.name)) for one in DEALS]
    return {
        DAY: lambda day, _: day.isoformat(),
        "month": lambda day, _: f"{day:%Y-%m}",
        "year": lambda day, _: f"{day:%Y}",
        "product": lambda _, fact: PLACEMENTS[fact.placement].product,
        DOMAIN: lambda _, fact: domains[fact.placement],
        "subdomain": lambda _, fact: subdomains[fact.placement],
        "media_type": lambda _, fact: PLACEMENTS[fact.placement].media_type,
        "device": lambda _, fact: _DEVICE_NAMES[fact.device],
        "os": lambda _, fact: OPERATING_SYSTEMS[fact.device][fact.os],
        "ad_unit": lambda _, fact: ad_units[fact.placement] + (f"-{fact.variant}" if fact.variant else ""),
        "country": lambda _, fact: COUNTRIES[fact.country][0],
        "deal_id": lambda _, fact: deals[fact.deal][0],
        "deal_name": lambda _, fact: deals[fact.deal][1],
        "deal_type": lambda _, fact: DEALS[fact.deal].type,
    }


def _sum(values: Sequence[Number | None]) -> Number | None:
    # A provider that lacks a part says the sum of what it has, and nothing when it has nothing.
    there = [value for value in values if value is not None]
    return sum(there) if there else None


def _impressions(part: Sequence[Fact]) -> Number | None:
    return _sum([fact.impressions for fact in part])


def _earnings(part: Sequence[Fact]) -> Number | None:
    return _sum([fact.earnings for fact in part])


def _ecpm(part: Sequence[Fact]) -> Number | None:
    earnings, impressions = _earnings(part), _impressions(part)
    if earnings is None or impressions is None:
        return None
    return 1000 * earnings / impressions if impressions else 0.0


_METRICS: dict[str, Callable[[Sequence[Fact]], Number | None]] = {
    "impressions": _impressions,
    EARNINGS: _earnings,
    ECPM: _ecpm,
    "viewable": lambda part: _sum([fact.viewable for fact in part]),
    "first_quartile": lambda part: _sum([fact.first_quartile for fact in part]),
    "midpoint": lambda part: _sum([fact.midpoint for fact in part]),
    "third_quartile": lambda part: _sum([fact.third_quartile for fact in part]),
    "complete": lambda part: _sum([fact.complete for fact in part]),
}


def _printed(value: Number | None) -> str:
    return "" if value is None else repr(value)
