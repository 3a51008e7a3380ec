"""From facts to a table: filtered, summed over the requested splits, printed as the provider prints."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random

from reporting_dags.sandbox.digital_turbine import catalogue
from reporting_dags.sandbox.digital_turbine.catalogue import APPS, CAMPAIGNS, COUNTRIES
from reporting_dags.sandbox.digital_turbine.facts import EARLY, Fact, World, facts
from reporting_dags.sandbox.digital_turbine.question import Question
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.owner import Owner
from reporting_dags.sandbox.table import Table

Number = int | float | None


def world(seed: int, settings: DtSettings) -> World:
    """What `settings` and the seed make of the data."""
    return World(
        seed=seed,
        final_version=max(1, settings.restate_days),
        empty_day_one_in=settings.empty_day_one_in,
        empty_days=settings.empty_days,
        missing_one_in=settings.missing_one_in,
        huge_one_in=settings.huge_one_in,
    )


def out_at(day: date, settings: DtSettings) -> datetime:
    """When the data of `day` is out (OW7)."""
    return datetime.combine(day + timedelta(days=1), time(settings.out_hour), UTC) + settings.late_by(day)


def version(source: str, day: date, at: datetime, settings: DtSettings) -> int | None:
    """Which version of `day` is known at `at`; None when nothing is yet (OW2, OW7)."""
    if at < out_at(day, settings):
        return EARLY if settings.early == "partial" and at.date() > day else None
    final = max(1, settings.restate_days)
    return final if source == "event" else min((at.date() - day).days, final)


def answer(question: Question, *, owner: Owner, at: datetime, settings: DtSettings, order: str = "") -> Table:
    """The honest answer to `question` requested at `at`; `order` seeds how its rows are shuffled (DT8)."""
    groups: dict[tuple[str, ...], list[Fact]] = {}
    readers = _dimensions(owner)
    dimensions = [readers.get(split) for split in question.splits]
    for day, fact in _facts(question, owner, at, settings):
        key = tuple([day if read is None else read(fact) for read in dimensions])
        groups.setdefault(key, []).append(fact)
    metrics = [_METRICS[metric] for metric in question.metrics]
    rows = [[*key, *[printed(metric(group), settings.floats) for metric in metrics]] for key, group in groups.items()]
    rng = Random(f"{owner.seed}|{question}|{order}")
    rows.sort(key=lambda _: rng.random())
    return Table(list(question.columns), rows, settings.line_end, entity=catalogue.APP)


def _facts(question: Question, owner: Owner, at: datetime, settings: DtSettings) -> Iterator[tuple[str, Fact]]:
    made, readers = world(owner.seed, settings), _dimensions(owner)
    wanted_days = [set(values) for dimension, values in question.filters if dimension == catalogue.DATE]
    wanted = [(readers[name], frozenset(values)) for name, values in question.filters if name != catalogue.DATE]
    for day in question.days:
        printed = day.isoformat()
        known = version(question.source, day, at, settings)
        if known is None or any(printed not in days for days in wanted_days):
            continue
        for fact in facts(made, question.source, day, known):
            if not wanted or all(read(fact) in values for read, values in wanted):
                yield printed, fact


@lru_cache(maxsize=8)
def _dimensions(owner: Owner) -> Mapping[str, Callable[[Fact], str]]:
    apps, bundles = [owner.text(app.id) for app in APPS], [owner.text(app.bundle) for app in APPS]
    campaigns, names = [owner.text(one.id) for one in CAMPAIGNS], [owner.text(one.name) for one in CAMPAIGNS]
    return {
        catalogue.APP: lambda fact: apps[fact.app],
        catalogue.COUNTRY: lambda fact: COUNTRIES[fact.country][0],
        catalogue.CAMPAIGN_ID: lambda fact: campaigns[fact.campaign],
        catalogue.CAMPAIGN_NAME: lambda fact: names[fact.campaign],
        catalogue.BUNDLE: lambda fact: bundles[fact.app],
    }


def _sum(values: Sequence[Number]) -> Number:
    # A provider that lacks a part says the sum of what it has, and nothing when it has nothing.
    there = [value for value in values if value is not None]
    return sum(there) if there else None


def _revenue(group: Sequence[Fact]) -> Number:
    return _sum([fact.revenue for fact in group])


def _impressions(group: Sequence[Fact]) -> Number:
    return _sum([fact.impressions for fact in group])


def _users(group: Sequence[Fact]) -> Number:
    """Unique users do not add up: of those beyond the largest part, three in ten are taken to be in it already."""
    there = [fact.users for fact in group if fact.users is not None]
    if not there:
        return None
    return max(there) + (sum(there) - max(there)) * 7 // 10


def _ratio(above: Number, below: Number) -> Number:
    return None if above is None or not below else above / below


_METRICS: dict[str, Callable[[Sequence[Fact]], Number]] = {
    catalogue.REVENUE: _revenue,
    catalogue.ARPU: lambda group: _ratio(_revenue(group), _users(group)),
    catalogue.IMPRESSIONS: _impressions,
    catalogue.CLICKS: lambda group: _sum([fact.clicks for fact in group]),
    catalogue.USERS: _users,
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


def printed(value: Number, floats: str) -> str:
    """The cell that says `value`; `floats` is the setting of that name (DT8)."""
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
