"""The table of a report: facts, filtered, summed by the requested splits and formatted as the provider does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random

from reporting_dags.sandbox.data_owner import DataOwner
from reporting_dags.sandbox.digital_turbine import catalog
from reporting_dags.sandbox.digital_turbine.catalog import APPS, CAMPAIGNS, COUNTRIES
from reporting_dags.sandbox.digital_turbine.facts import PRELIMINARY, Dataset, Fact, facts
from reporting_dags.sandbox.digital_turbine.report_request import ReportRequest
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.table import Table

Number = int | float | None


def dataset_of(seed: int, settings: DtSettings) -> Dataset:
    """Return the dataset for a seed and `settings`."""
    return Dataset(
        seed=seed,
        final_version=max(1, settings.restate_days),
        empty_day_one_in=settings.empty_day_one_in,
        empty_days=settings.empty_days,
        missing_one_in=settings.missing_one_in,
        huge_one_in=settings.huge_one_in,
    )


def published_at(day: date, settings: DtSettings) -> datetime:
    """Return when the data of `day` is published (OW7)."""
    return datetime.combine(day + timedelta(days=1), time(settings.out_hour), UTC) + settings.late_by(day)


def version(source: str, day: date, at: datetime, settings: DtSettings) -> int | None:
    """Return the version of `day` at `at`; None if there is no data yet (OW2, OW7)."""
    if at < published_at(day, settings):
        return PRELIMINARY if settings.early == "partial" and at.date() > day else None
    final = max(1, settings.restate_days)
    return final if source == "event" else min((at.date() - day).days, final)


def build_table(
    request: ReportRequest, *, owner: DataOwner, at: datetime, settings: DtSettings, order_seed: str = ""
) -> Table:
    """Return the correct table for `request` at `at`. `order_seed` is part of the seed of the row order (DT8)."""
    groups: dict[tuple[str, ...], list[Fact]] = {}
    readers = _dimensions(owner)
    dimensions = [readers.get(split) for split in request.splits]
    for day, fact in _facts(request, owner, at, settings):
        key = tuple([day if read is None else read(fact) for read in dimensions])
        groups.setdefault(key, []).append(fact)
    metrics = [_METRICS[metric] for metric in request.metrics]
    rows = [[*key, *[cell_text(metric(group), settings.floats) for metric in metrics]] for key, group in groups.items()]
    rng = Random(f"{owner.seed}|{request}|{order_seed}")
    rows.sort(key=lambda _: rng.random())
    return Table(list(request.columns), rows, settings.line_end, entity=catalog.APP)


def _facts(request: ReportRequest, owner: DataOwner, at: datetime, settings: DtSettings) -> Iterator[tuple[str, Fact]]:
    dataset, readers = dataset_of(owner.seed, settings), _dimensions(owner)
    requested_days = [set(values) for dimension, values in request.filters if dimension == catalog.DATE]
    filters = [(readers[name], frozenset(values)) for name, values in request.filters if name != catalog.DATE]
    for day in request.days:
        day_text = day.isoformat()
        known = version(request.source, day, at, settings)
        if known is None or any(day_text not in days for days in requested_days):
            continue
        for fact in facts(dataset, request.source, day, known):
            if not filters or all(read(fact) in values for read, values in filters):
                yield day_text, fact


@lru_cache(maxsize=8)
def _dimensions(owner: DataOwner) -> Mapping[str, Callable[[Fact], str]]:
    apps, bundles = [owner.text(app.id) for app in APPS], [owner.text(app.bundle) for app in APPS]
    campaigns, names = (
        [owner.text(campaign.id) for campaign in CAMPAIGNS],
        [owner.text(campaign.name) for campaign in CAMPAIGNS],
    )
    return {
        catalog.APP: lambda fact: apps[fact.app],
        catalog.COUNTRY: lambda fact: COUNTRIES[fact.country][0],
        catalog.CAMPAIGN_ID: lambda fact: campaigns[fact.campaign],
        catalog.CAMPAIGN_NAME: lambda fact: names[fact.campaign],
        catalog.BUNDLE: lambda fact: bundles[fact.app],
    }


def _sum(values: Sequence[Number]) -> Number:
    # The sum of the known values; None if none of them is known.
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _revenue(group: Sequence[Fact]) -> Number:
    return _sum([fact.revenue for fact in group])


def _impressions(group: Sequence[Fact]) -> Number:
    return _sum([fact.impressions for fact in group])


def _users(group: Sequence[Fact]) -> Number:
    """Return unique users, which are not additive: 3 of 10 users of the smaller parts are also in the largest part."""
    known = [fact.users for fact in group if fact.users is not None]
    if not known:
        return None
    return max(known) + (sum(known) - max(known)) * 7 // 10


def _ratio(numerator: Number, denominator: Number) -> Number:
    return None if numerator is None or not denominator else numerator / denominator


_METRICS: dict[str, Callable[[Sequence[Fact]], Number]] = {
    catalog.REVENUE: _revenue,
    catalog.ARPU: lambda group: _ratio(_revenue(group), _users(group)),
    catalog.IMPRESSIONS: _impressions,
    catalog.CLICKS: lambda group: _sum([fact.clicks for fact in group]),
    catalog.USERS: _users,
    "Avg. Offers per Container": lambda group: _ratio(_impressions(group), sum(fact.containers for fact in group)),
    "Avg. Position": lambda group: _ratio(sum(fact.positions for fact in group), _impressions(group)),
    "Container Fill Rate": lambda group: _ratio(
        sum(fact.containers for fact in group), sum(fact.requests for fact in group)
    ),
    "Offer Completion Time": lambda group: _ratio(
        sum(fact.completion_seconds for fact in group), sum(fact.conversions for fact in group)
    ),
    "OFW Container Impressions": lambda group: sum(fact.containers for fact in group),
    "Offer Installs": lambda group: sum(fact.installs for fact in group),
    "Offer Conversions": lambda group: sum(fact.conversions for fact in group),
}


def cell_text(value: Number, floats: str) -> str:
    """Return `value` as the text of a cell; for `floats` see the setting of that name (DT8)."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return _python(value) if floats == "python" else _javascript(value)


def _python(value: float) -> str:
    return repr(value)


def _javascript(value: float) -> str:
    if value.is_integer():
        return str(int(value))
    if abs(value) < 1e-6:
        mantissa, exponent = repr(value).split("e")
        return f"{mantissa}e{int(exponent)}"
    return format(Decimal(repr(value)), "f")
