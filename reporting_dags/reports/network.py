"""Every network in one table by day: what each report gives to it.

A report that does not know a figure leaves it null, never zero. Rows keep the currency, the time zone and the asset
that they come from, so that sums over several of them are a choice and no accident.
"""

from collections.abc import Iterator

from reporting_dags.landing.reading.combine import Source
from reporting_dags.model.column import day, identity, measure, money
from reporting_dags.model.days import Calendar
from reporting_dags.model.report import Report
from reporting_dags.reports.registry import all_reports

_REPORTS = {report.key: report for report in all_reports()}


def _source(
    key: str,
    *,
    entity: str,
    country: str,
    counts: dict[str, str],
    money: dict[str, str],
    excluded_rows: tuple[str, str] | None = None,
) -> Iterator[Source]:
    """What the report `key` gives; nothing when it is not pulled."""
    report = _REPORTS.get(key)
    if report is not None:
        yield Source(
            report=report, entity=entity, country=country, counts=counts, money=money, excluded_rows=excluded_rows
        )


def _integr8(name: str) -> Iterator[Source]:
    """A log of Integr8: each row counts as one; what was rejected earns and costs nothing."""
    return _source(
        f"integr8/{name}",
        entity="offer_db_id",
        country="country",
        counts={name: ""},
        money={"earnings": "revenue", "spend": "payout"},
        excluded_rows=("status", "Rejected"),
    )


SOURCES: tuple[Source, ...] = (
    *_source(
        "dt_offer_wall/event",
        entity="DT Publisher App ID",
        country="Country",
        counts={"impressions": "Offer Impressions", "clicks": "Offer Clicks"},
        money={"earnings": "Publisher Revenue"},
    ),
    *_source(
        "dt_user_level/revenue",
        entity="App ID",
        country="Country",
        counts={"impressions": "Impressions"},
        money={"earnings": "Revenue"},
    ),
    *_source(
        "mintegral/offer_performance",
        entity="Offer Id",
        country="Location",
        counts={"impressions": "Impression", "clicks": "Click", "conversions": "Conversion"},
        money={"spend": "Spend"},
    ),
    *_source(
        "orangeclick/earnings",
        entity="domain",
        country="country",
        counts={"impressions": "impressions"},
        money={"earnings": "earnings"},
    ),
    *_integr8("impressions"),
    *_integr8("clicks"),
    *_integr8("conversions"),
)
CURRENCIES = _REPORTS.get("integr8/offers")
"""The list that knows the `currency` of entities, by `id`, whose own reports do not tell it; None if not pulled.

What it said earlier counts too: the ledger keeps a history of it."""

NETWORK: Report = Report(
    provider="network",
    name="daily",
    query=tuple(source.report.key for source in SOURCES),
    columns=(
        day("date"),
        identity("network", "Provider of the source asset"),
        identity("entity", "App, site or offer, by the network's own id"),
        identity("country", "Country as the network writes it: a code or a name"),
        measure("impressions", "Ads or offers shown; null where the report does not tell", unit="impressions"),
        measure("clicks", "Clicks, whether approved or not; null where the report does not tell", unit="clicks"),
        measure("conversions", "Conversions, whether approved or not; null where not told", unit="conversions"),
        money(
            "earnings", "What comes in; rejected traffic earns nothing; null where not told", currency_from="currency"
        ),
        money("spend", "What goes out; rejected traffic costs nothing; null where not told", currency_from="currency"),
        identity("currency", "Currency of the row's money, as known for that day; null where none was ever known"),
        identity("report_timezone", "Time zone in which the source's day begins and ends"),
        identity("source_asset", "Asset from which the row was summed"),
    ),
    grain=("source_asset", "entity", "country", "currency"),
    calendar=Calendar(),
    window_days=1,
    description="Every network in one table: impressions, clicks, conversions, earnings and spend by app, site or "
    "offer and country. A day holds the sources that have landed; a check names those that have not.",
)
