"""The declared report of DT Exchange, with the query of Offer Wall. All of it is assumed: see README.md."""

from datetime import timedelta

from reporting_dags.model.column import day, identity, measure, money
from reporting_dags.model.days import Calendar
from reporting_dags.model.format import DelimitedText
from reporting_dags.model.report import Report
from reporting_dags.providers.digital_turbine.offer_wall_report import OfferWallQuery

PROVIDER = "dt_exchange"
MAX_WINDOW_DAYS = 30
SPLITS = (
    day("Date"),
    identity("Fyber App ID", "Digital Turbine's id of the app"),
    identity("Country", "Country of the user"),
    identity("Device OS", "Operating system of the device"),
    identity("Placement Type", "Type of the placement, such as Banner or Rewarded"),
)
METRICS = (
    measure("Impressions", "Ads shown", unit="impressions"),
    measure("Clicks", "Ads clicked", unit="clicks"),
    money("Revenue (USD)", "What the publisher earned", currency="USD"),
)


REVENUE = Report(
    provider=PROVIDER,
    name="revenue",
    description="Revenue, impressions and clicks by app, country, operating system and placement type.",
    query=OfferWallQuery(
        source="mediation",
        splits=tuple(column.header for column in SPLITS),
        metrics=tuple(column.header for column in METRICS),
    ),
    columns=(*SPLITS, *METRICS),
    grain=tuple(column.header for column in SPLITS[1:]),
    grain_promised=False,
    entity="Fyber App ID",
    calendar=Calendar(timezone="UTC", publish_delay=timedelta(hours=12), restated_at=(1, 3, 7)),
    window_days=MAX_WINDOW_DAYS,
    format=DelimitedText(),
)

REPORTS = (REVENUE,)
