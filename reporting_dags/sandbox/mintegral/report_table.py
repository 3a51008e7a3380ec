"""The table of a report: the facts of the available hours, summed by the requested dimensions (MT6)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from random import Random

from reporting_dags.sandbox.data_owner import DataOwner
from reporting_dags.sandbox.mintegral.catalog import (
    AD_TYPES,
    CREATIVES,
    ENDCARDS,
    LOCATIONS,
    OUTPUT_TYPES,
    SUBS,
    offer,
)
from reporting_dags.sandbox.mintegral.facts import UNITS, Dataset, Fact, facts
from reporting_dags.sandbox.mintegral.report_request import HOURLY, ReportRequest
from reporting_dags.sandbox.mintegral.settings import MintegralSettings
from reporting_dags.sandbox.table import Table

HOUR = timedelta(hours=1)
METRICS = ("Impression", "Click", "Conversion", "Ecpm", "Cpc", "Ctr", "Cvr", "Ivr", "Spend")


def day_text(day: date) -> str:
    """Return a day in the format of the file: 20220418."""
    return f"{day:%Y%m%d}"


def hours_and_versions(request: ReportRequest, at: datetime, settings: MintegralSettings) -> list[tuple[int, int]]:
    """Return the number of available hours and their version at `at`, for each requested day (MT7)."""
    return [_hours_and_version(request, day, at, settings) for day in request.days]


def _hours_and_version(request: ReportRequest, day: date, at: datetime, settings: MintegralSettings) -> tuple[int, int]:
    start = request.start(day)
    delay = settings.late_minutes if day.isoformat() in settings.late_days else settings.out_minutes
    is_complete = at >= start + 24 * HOUR + timedelta(minutes=delay)
    # An hour is available when it ends, as in the documented example, but the last one only when the day is complete.
    hours = 24 if is_complete else max(0, min(23, (at - start) // HOUR))
    age = max(1, (at - start) // (24 * HOUR))
    return hours, min(age, _final(settings))


def _final(settings: MintegralSettings) -> int:
    return max(1, settings.restate_days)


def dataset_of(seed: int, settings: MintegralSettings) -> Dataset:
    """Return the dataset for a seed and `settings`."""
    return Dataset(
        seed=seed,
        final_version=_final(settings),
        empty_day_one_in=settings.empty_day_one_in,
        empty_days=settings.empty_days,
        rows_factor=settings.rows_factor,
        huge=settings.huge,
        corrections=settings.corrections,
    )


def build_table(request: ReportRequest, *, owner: DataOwner, at: datetime, settings: MintegralSettings) -> Table:
    """Return the correct table for `request`, generated at `at`."""
    dimensions = _dimensions(owner)
    columns = [column for name in request.dimensions for column in dimensions[name]]
    read = [cell for _, cell in columns]
    groups: dict[tuple[str, ...], list[Fact]] = {}
    for when, fact in _facts(request, owner.seed, at, settings):
        key = (*when, *[cell(fact) for cell in read], fact.currency)
        groups.setdefault(key, []).append(fact)
    rows = [[*key, *_metrics(group, settings.no_ratio)] for key, group in groups.items()]
    rng = Random(f"{owner.seed}|{request}")
    rows.sort(key=lambda _: rng.random())
    when = ("Date", "Timestamp") if request.granularity == HOURLY else ("Date",)
    header = [*when, *[name for name, _ in columns], "Currency", *METRICS]
    return Table(header, rows, delimiter="\t", quoted=False, entity=columns[0][0], day_text=day_text)


def _facts(
    request: ReportRequest, seed: int, at: datetime, settings: MintegralSettings
) -> Iterator[tuple[tuple[str, ...], Fact]]:
    dataset = dataset_of(seed, settings)
    for day, (hours, version) in zip(request.days, hours_and_versions(request, at, settings), strict=True):
        start = request.start(day)
        for hour in (start + n * HOUR for n in range(hours)):
            stamp = (_stamp(hour, request.zone, settings),) if request.granularity == HOURLY else ()
            # In time zones with an offset of half hours, an hour has the data of the UTC hour in which it starts.
            for fact in facts(dataset, hour.replace(minute=0), version):
                yield (day_text(day), *stamp), fact


@lru_cache(maxsize=8)
def _dimensions(owner: DataOwner) -> Mapping[str, tuple[tuple[str, Callable[[Fact], str]], ...]]:
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
    for numerator, denominator in (
        (1000 * spend, impressions * UNITS),
        (spend, clicks * UNITS),
        (100 * clicks, impressions),
        (100 * conversions, clicks),
        (100 * conversions, impressions),
    ):
        yield repr(round(numerator / denominator, 2)) if denominator else no_ratio
    yield repr(spend / UNITS)
