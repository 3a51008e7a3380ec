"""From facts to a table: the hours that are in, summed over the requested dimensions, printed tab-separated (MT6)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from random import Random

from reporting_dags.sandbox.mintegral.catalogue import (
    AD_TYPES,
    CREATIVES,
    ENDCARDS,
    LOCATIONS,
    OUTPUT_TYPES,
    SUBS,
    offer,
)
from reporting_dags.sandbox.mintegral.facts import UNITS, Fact, World, facts
from reporting_dags.sandbox.mintegral.question import HOURLY, Question
from reporting_dags.sandbox.mintegral.settings import MintegralSettings
from reporting_dags.sandbox.owner import Owner
from reporting_dags.sandbox.table import Table

HOUR = timedelta(hours=1)
METRICS = ("Impression", "Click", "Conversion", "Ecpm", "Cpc", "Ctr", "Cvr", "Ivr", "Spend")


def printed(day: date) -> str:
    """A day as the file has it: 20220418."""
    return f"{day:%Y%m%d}"


def states(question: Question, at: datetime, settings: MintegralSettings) -> list[tuple[int, int]]:
    """Of each day asked for, how many of its hours are in at `at`, and which version of them is known (MT7)."""
    return [_state(question, day, at, settings) for day in question.days]


def _state(question: Question, day: date, at: datetime, settings: MintegralSettings) -> tuple[int, int]:
    start = question.start(day)
    out = settings.late_minutes if day.isoformat() in settings.late_days else settings.out_minutes
    is_out = at >= start + 24 * HOUR + timedelta(minutes=out)
    # An hour is in when it ends, as the document's example shows, but the day's last one not before the day is out.
    hours = 24 if is_out else max(0, min(23, (at - start) // HOUR))
    age = max(1, (at - start) // (24 * HOUR))
    return hours, min(age, _final(settings))


def _final(settings: MintegralSettings) -> int:
    return max(1, settings.restate_days)


def world(seed: int, settings: MintegralSettings) -> World:
    """What `settings` and the seed make of the data."""
    return World(
        seed=seed,
        final_version=_final(settings),
        empty_day_one_in=settings.empty_day_one_in,
        empty_days=settings.empty_days,
        rows_factor=settings.rows_factor,
        huge=settings.huge,
        corrections=settings.corrections,
    )


def answer(question: Question, *, owner: Owner, at: datetime, settings: MintegralSettings) -> Table:
    """The honest answer to `question` generated at `at`."""
    dimensions = _dimensions(owner)
    columns = [column for name in question.dimensions for column in dimensions[name]]
    read = [cell for _, cell in columns]
    groups: dict[tuple[str, ...], list[Fact]] = {}
    for when, fact in _facts(question, owner.seed, at, settings):
        key = (*when, *[cell(fact) for cell in read], fact.currency)
        groups.setdefault(key, []).append(fact)
    rows = [[*key, *_metrics(group, settings.no_ratio)] for key, group in groups.items()]
    rng = Random(f"{owner.seed}|{question}")
    rows.sort(key=lambda _: rng.random())
    when = ("Date", "Timestamp") if question.granularity == HOURLY else ("Date",)
    header = [*when, *[name for name, _ in columns], "Currency", *METRICS]
    return Table(header, rows, delimiter="\t", quoted=False, entity=columns[0][0], day_text=printed)


def _facts(
    question: Question, seed: int, at: datetime, settings: MintegralSettings
) -> Iterator[tuple[tuple[str, ...], Fact]]:
    made = world(seed, settings)
    for day, (hours, version) in zip(question.days, states(question, at, settings), strict=True):
        start = question.start(day)
        for hour in (start + n * HOUR for n in range(hours)):
            stamp = (_stamp(hour, question.zone, settings),) if question.granularity == HOURLY else ()
            # Where a zone is off by a part of an hour, its hours have the data of the UTC hours that they start in.
            for fact in facts(made, hour.replace(minute=0), version):
                yield (printed(day), *stamp), fact


@lru_cache(maxsize=8)
def _dimensions(owner: Owner) -> Mapping[str, tuple[tuple[str, Callable[[Fact], str]], ...]]:
    text = owner.text
    creatives = [(str(owner.number(number)), text(name)) for number, name in CREATIVES]
    subs = [(text(sub), text(package)) for sub, package in SUBS]
    endcards = [(str(owner.number(number)), text(name)) for number, name in ENDCARDS]
    return {
        "Offer": (
            ("Offer Id", lambda fact: str(owner.number(offer(fact.offer).id))),
            ("Offer Uuid", lambda fact: text(offer(fact.offer).uuid)),
            ("Offer Name", lambda fact: text(offer(fact.offer).name)),
        ),
        "Campaign": (("Campaign Id", lambda fact: str(owner.number(offer(fact.offer).campaign))),),
        "CampaignPackage": (("Campaign Package", lambda fact: text(offer(fact.offer).package)),),
        "Creative": (
            ("Creative Id", lambda fact: creatives[fact.creative][0]),
            ("Creative Name", lambda fact: creatives[fact.creative][1]),
        ),
        "AdType": (("Ad Type", lambda fact: AD_TYPES[fact.ad_type]),),
        "Sub": (("Sub Id", lambda fact: subs[fact.sub][0]),),
        "Package": (("Package Name", lambda fact: subs[fact.sub][1]),),
        "Location": (("Location", lambda fact: LOCATIONS[fact.location]),),
        "Endcard": (
            ("Endcard ID", lambda fact: endcards[fact.endcard][0]),
            ("Endcard Name", lambda fact: endcards[fact.endcard][1]),
        ),
        "AdOutputType": (("Ad Output Type", lambda fact: OUTPUT_TYPES[fact.output]),),
    }


def _stamp(hour: datetime, zone: int, settings: MintegralSettings) -> str:
    if settings.hour_form == "unix":
        return str(int(hour.timestamp()))
    local = hour + timedelta(minutes=zone)
    return f"{local:%Y%m%d%H}" if settings.hour_form == "digits" else f"{local:%Y-%m-%d %H:%M:%S}"


def _metrics(group: Sequence[Fact], no_ratio: str) -> Iterator[str]:
    impressions = sum(fact.impressions for fact in group)
    clicks = sum(fact.clicks for fact in group)
    conversions = sum(fact.conversions for fact in group)
    spend = sum(fact.spend for fact in group)
    yield from (str(impressions), str(clicks), str(conversions))
    for above, below in (
        (1000 * spend, impressions * UNITS),
        (spend, clicks * UNITS),
        (100 * clicks, impressions),
        (100 * conversions, clicks),
        (100 * conversions, impressions),
    ):
        yield repr(round(above / below, 2)) if below else no_ratio
    yield repr(spend / UNITS)
