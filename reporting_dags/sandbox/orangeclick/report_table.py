"""From facts to a table: filtered, summed over the request dimensions (OC5, OC6, OC7)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random

from reporting_dags.sandbox.data_owner import DataOwner
from reporting_dags.sandbox.orangeclick.catalog import (
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
from reporting_dags.sandbox.orangeclick.facts import PRELIMINARY, Dataset, Fact, euro_rate, facts
from reporting_dags.sandbox.orangeclick.filters import Number
from reporting_dags.sandbox.orangeclick.report_request import ReportRequest
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings
from reporting_dags.sandbox.table import Table

_Readers = Mapping[str, Callable[[date, Fact], str]]
"""Functions that return the value of a dimension, by its name."""

_DEVICE_NAMES = (*(name for name, _ in DEVICES), *FURTHER_DEVICES)


@dataclass
class _RowFacts:
    """The facts of one row, and the filter groups that match any of them."""

    facts: list[Fact] = field(default_factory=list[Fact])
    groups: set[int] = field(default_factory=set[int])


def version(day: date, at: datetime, settings: OrangeClickSettings) -> int | None:
    """Return the version of `day` at `at`; None if there is no data yet (OC7)."""
    late = timedelta(hours=settings.late_hours if day.isoformat() in settings.late_days else 0)
    if at < datetime.combine(day + timedelta(days=1), time(settings.out_hour), UTC) + late:
        return PRELIMINARY if settings.early == "partial" and at.date() >= day else None
    return min(max(1, (at.date() - day).days), max(1, settings.restate_days))


def build_table(request: ReportRequest, *, owner: DataOwner, at: datetime, settings: OrangeClickSettings) -> Table:
    """Return the correct table for `request` at `at`. A: its rows have a random order."""
    parts: dict[tuple[str, ...], _RowFacts] = {}
    readers = _dimensions(owner)
    dimensions = [readers[name] for name in request.dimensions]
    for day, fact in _facts(request, owner, at, settings):
        matching_groups = _groups(request, readers, day, fact)
        if matching_groups:
            part = parts.setdefault(tuple([read(day, fact) for read in dimensions]), _RowFacts())
            part.facts.append(fact)
            part.groups.update(matching_groups)
    metrics = [_METRICS[name] for name in request.metrics]
    rows = [
        [*key, *[_cell_text(metric(part.facts)) for metric in metrics]]
        for key, part in parts.items()
        if _is_kept(request, part)
    ]
    rng = Random(f"{owner.seed}|{request}")
    rows.sort(key=lambda _: rng.random())
    return Table([*request.dimensions, *request.metrics], rows, day=DAY, entity=DOMAIN)


def _facts(
    request: ReportRequest, owner: DataOwner, at: datetime, settings: OrangeClickSettings
) -> Iterator[tuple[date, Fact]]:
    """Yield the facts of the account, in the requested currency."""
    dataset = Dataset(
        seed=owner.seed,
        final_version=max(1, settings.restate_days),
        empty_day_one_in=settings.empty_day_one_in,
        empty_days=settings.empty_days,
        null_metrics=settings.null_metrics,
        huge=settings.huge,
        rows_factor=float(settings.rows_factor),
    )
    lost = {n for n, place in enumerate(PLACEMENTS) if owner.text(place.domain) in settings.lost_domains}
    for day in request.days:
        known = version(day, at, settings)
        if known is None:
            continue
        rate = euro_rate(owner.seed, day) if request.currency == "EUR" else 1.0
        for fact in facts(dataset, day, known):
            if fact.placement in lost:
                continue
            yield day, fact if fact.earnings is None else fact._replace(earnings=fact.earnings * rate)


def _groups(request: ReportRequest, readers: _Readers, day: date, fact: Fact) -> list[int]:
    """Return the filter groups whose dimension filters match a fact; one group if the request has none."""
    if not request.groups:
        return [0]
    return [
        n
        for n, group in enumerate(request.groups)
        if all(item.holds(readers[item.dimension](day, fact)) for item in group.dimensions)
    ]


def _is_kept(request: ReportRequest, part: _RowFacts) -> bool:
    """Return whether a row passes the metric filters. A: they apply to the row, in the groups that match its facts."""
    if not request.groups:
        return True
    return any(
        all(item.holds(_METRICS[item.metric](part.facts)) for item in request.groups[n].metrics) for n in part.groups
    )


@lru_cache(maxsize=8)
def _dimensions(owner: DataOwner) -> _Readers:
    domains = [owner.text(place.domain) for place in PLACEMENTS]
    subdomains = [owner.text(place.subdomain) for place in PLACEMENTS]
    ad_units = [owner.text(place.ad_unit) for place in PLACEMENTS]
    deals = [(owner.text(deal.id), owner.text(deal.name)) for deal in DEALS]
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
    # The sum of the known values; None if none of them is known.
    known = [value for value in values if value is not None]
    return sum(known) if known else None


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


def _cell_text(value: Number | None) -> str:
    return "" if value is None else repr(value)
