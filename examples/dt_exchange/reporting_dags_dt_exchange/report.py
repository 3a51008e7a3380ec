"""The declared report of DT Exchange. All of it is assumed: see README.md."""

from dataclasses import dataclass
from datetime import timedelta

from reporting_dags.model.column import day, identity, measure, money
from reporting_dags.model.days import Calendar, Window
from reporting_dags.model.format import DelimitedText
from reporting_dags.model.report import Report
from reporting_dags.model.scope import QueryScope

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DtExchangeQuery:
    """The body of a query, without its dates: the same keys as those of Offer Wall."""

    source: str
    splits: tuple[str, ...]
    metrics: tuple[str, ...]

    def scope(self) -> QueryScope:
        """Return the scope: the source. Splits and metrics are columns."""
        return QueryScope(fixed={"source": self.source}, filters={})

    def body(self, window: Window) -> dict[str, object]:
        """Return the JSON body for `window`; both dates are inclusive."""
        return {
            "source": self.source,
            "dateRange": {"start": window.first.isoformat(), "end": window.last.isoformat()},
            "metrics": list(self.metrics),
            "splits": list(self.splits),
            "filters": [],
        }


REVENUE = Report(
    provider=PROVIDER,
    name="revenue",
    description="Revenue, impressions and clicks by app, country, operating system and placement type.",
    query=DtExchangeQuery(
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
