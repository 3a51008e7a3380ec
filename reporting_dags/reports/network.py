"""The asset `network/daily`: all networks in one table, and the columns that each report contributes.

A figure that a report does not have is null, never zero. Each row keeps its currency, time zone and source asset, so
that rows with different ones are not summed by mistake.
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
    """Yield the source for the report `key`; nothing if no such report is declared."""
    report = _REPORTS.get(key)
    if report is not None:
        yield Source(
            report=report, entity=entity, country=country, counts=counts, money=money, excluded_rows=excluded_rows
        )


def _integr8(name: str) -> Iterator[Source]:
    """Yield the source for a log of Integr8. Each row counts as 1; rejected rows have no earnings and no spend."""
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
"""The entity list with the `currency` of entities by `id`, for reports without one; None if it is not declared.

Earlier currencies of an entity apply to earlier days: the ledger keeps their history."""

NETWORK: Report = Report(
    provider="network",
    name="daily",
    query=tuple(source.report.key for source in SOURCES),
    columns=(
        day("date"),
        identity("network", "Provider of the source asset"),
        identity("entity", "App, site or offer, as the id that the network uses"),
        identity("country", "Country as the network sends it: a code or a name"),
        measure("impressions", "Ads or offers shown; null if the report does not have them", unit="impressions"),
        measure("clicks", "Clicks, approved or not; null if the report does not have them", unit="clicks"),
        measure(
            "conversions", "Conversions, approved or not; null if the report does not have them", unit="conversions"
        ),
        money(
            "earnings",
            "Revenue without rejected traffic; null if the report does not have it",
            currency_from="currency",
        ),
        money("spend", "Cost without rejected traffic; null if the report does not have it", currency_from="currency"),
        identity("currency", "Currency of earnings and spend on that day; null if it is not known"),
        identity("report_timezone", "Time zone in which the days of the source begin and end"),
        identity("source_asset", "Asset from which the row was aggregated"),
    ),
    grain=("source_asset", "entity", "country", "currency"),
    calendar=Calendar(),
    window_days=1,
    description="All networks in one table: impressions, clicks, conversions, earnings and spend by app, site or "
    "offer and country. A day holds the sources that have landed; a check names the missing ones.",
)
