"""Every network in one table by day: what each report gives to it.

A report that does not know a figure leaves it null, never zero. Rows keep the currency, the time zone and the asset
that they come from, so that sums over several of them are a choice and no accident.
"""

from reporting_dags.landing.combine import Source
from reporting_dags.model.column import day, identity, measure, money
from reporting_dags.model.days import Calendar
from reporting_dags.model.report import Report
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import CLICKS, CONVERSIONS, IMPRESSIONS, OFFERS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS

_APPROVED_MONEY = {"earnings": "revenue", "spend": "payout"}

SOURCES = (
    Source(
        report=EVENT,
        entity="DT Publisher App ID",
        country="Country",
        counts={"impressions": "Offer Impressions", "clicks": "Offer Clicks"},
        money={"earnings": "Publisher Revenue"},
    ),
    Source(
        report=REVENUE,
        entity="App ID",
        country="Country",
        counts={"impressions": "Impressions"},
        money={"earnings": "Revenue"},
    ),
    Source(
        report=OFFER_PERFORMANCE,
        entity="Offer Id",
        country="Location",
        counts={"impressions": "Impression", "clicks": "Click", "conversions": "Conversion"},
        money={"spend": "Spend"},
    ),
    Source(
        report=EARNINGS,
        entity="domain",
        country="country",
        counts={"impressions": "impressions"},
        money={"earnings": "earnings"},
    ),
    *(
        Source(
            report=report,
            entity="offer_db_id",
            country="country",
            counts={figure: ""},
            money=_APPROVED_MONEY,
            worthless=("status", "Rejected"),
        )
        for report, figure in ((IMPRESSIONS, "impressions"), (CLICKS, "clicks"), (CONVERSIONS, "conversions"))
    ),
)
CURRENCIES = (OFFERS, "id", "currency")
"""The list that knows the currency of entities whose reports do not tell it: report, entity, currency."""

NETWORK: Report[tuple[str, ...]] = Report(
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
        identity("currency", "Currency of the row's money; null where no report tells it"),
        identity("report_timezone", "Time zone in which the source's day begins and ends"),
        identity("source_asset", "Asset from which the row was summed"),
    ),
    grain=("source_asset", "entity", "country", "currency"),
    calendar=Calendar(),
    window_days=1,
    description="Every network in one table: impressions, clicks, conversions, earnings and spend by app, site or "
    "offer and country. A day holds the sources that have landed; a check names those that have not.",
)
