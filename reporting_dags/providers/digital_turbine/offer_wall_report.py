"""The query and the columns of Digital Turbine's Offer Wall API (OW1 to OW5), and its report declaration.

The known names are those of the API documentation and of its metrics page. A name that is in neither can be declared
with a `Column` instead of the name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from reporting_dags.model.column import Column, Kind, day, identity, measure, money, ratio
from reporting_dags.model.days import Calendar, Window
from reporting_dags.model.format import DelimitedText
from reporting_dags.model.report import Report, declaration_error, require_known
from reporting_dags.model.scope import QueryScope

PROVIDER = "dt_offer_wall"
SOURCES = ("performance", "event")
MAX_DIMENSIONS = 5
APP = "DT Publisher App ID"
_WITHOUT_LINE_BREAKS = frozenset({"Date", APP, "Country", "Campaign ID", "Publisher App Bundle"})
MAX_WINDOW_DAYS = 90


def _by_header(*columns: Column) -> dict[str, Column]:
    return {column.header: column for column in columns}


METRICS = _by_header(
    money("Publisher Revenue", "What the publisher earned", currency="USD"),
    ratio("Publisher ARPU", "Publisher revenue per unique user", unit="USD per user"),
    measure("Offer Impressions", "Offers shown", unit="impressions"),
    measure("Offer Clicks", "Offers clicked", unit="clicks"),
    measure("OFW Unique Users", "Unique users of the wall; not additive over splits", unit="users", additive=False),
    ratio("Avg. Offers per Container", "Offers shown per opened wall", unit="offers"),
    ratio("Avg. Position", "Average position of an offer on the wall", unit="position"),
    ratio("Container Fill Rate", "Walls that had offers to show", unit="ratio"),
    ratio("Offer Completion Time", "Time from click to completion", unit="as the provider gives it"),
    measure("OFW Container Impressions", "Walls opened", unit="impressions"),
    measure("Offer Installs", "Installs after a click on an offer", unit="installs"),
    measure("Offer Conversions", "Offers completed", unit="conversions"),
)
DIMENSIONS = _by_header(
    day("Date"),
    identity(APP, "DT's id of the publisher's app"),
    identity("Country", "Country of the user, mostly an English name in capitals"),
    identity("Campaign ID", "The advertiser's campaign"),
    identity("Campaign Name", "Name of the campaign"),
    identity("Publisher App Bundle", "Bundle or package name of the publisher's app"),
)
_DOCUMENTED = frozenset({"Date", APP, "Country", *list(METRICS)[:5]})
"""The only names in the API documentation itself (OW3); the others are on its metrics page."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps the rows whose `dimension` is one of `values`. Names and values are case-sensitive (OW1)."""

    dimension: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWallQuery:
    """The body of a report request, without its dates (OW1)."""

    source: str
    metrics: tuple[str, ...]
    splits: tuple[str, ...]
    filters: tuple[Filter, ...] = ()

    def scope(self) -> QueryScope:
        """Return the scope: source and filters. Splits and metrics are columns."""
        filters: dict[str, frozenset[str]] = {}
        for item in self.filters:
            filters[item.dimension] = filters.get(item.dimension, frozenset(item.values)) & frozenset(item.values)
        return QueryScope(fixed={"source": self.source}, filters=filters)

    def body(self, window: Window) -> dict[str, object]:
        """Return the JSON body for `window`; all five keys are mandatory, and both dates are inclusive (OW1, OW5)."""
        return {
            "source": self.source,
            "dateRange": {"start": window.first.isoformat(), "end": window.last.isoformat()},
            "metrics": list(self.metrics),
            "splits": list(self.splits),
            "filters": [{"dimension": item.dimension, "values": list(item.values)} for item in self.filters],
        }


def offer_wall_report(
    *,
    name: str,
    source: str,
    splits: Sequence[str | Column],
    metrics: Sequence[str | Column],
    filters: Sequence[Filter] = (),
    restated_at: tuple[int, ...] = (),
    publish_delay: timedelta = timedelta(hours=12),
    description: str = "",
    none_texts: tuple[str, ...] = (),
) -> Report:
    """Declare an Offer Wall report.

    Args:
        name: second part of the asset key `dt_offer_wall/<name>`.
        source: "performance" (attributed to click and impression, later restated) or "event" (billing) (OW2).
        splits: the dimensions: "Date" and at most five others (OW4).
        metrics: at least one metric (OW1).
        filters: filters that a row must pass; empty keeps all rows.
        restated_at: ages in days at which a day is pulled again (OW7).
        publish_delay: time from the end of a day (UTC) until its data is published (OW7).
        description: description of the report for the UI and the data dictionary.
        none_texts: texts that mean "no value" in number columns, such as "--".

    Raises:
        DeclarationError: an argument is invalid; names file, report and field.
    """
    for field, value in (("splits", splits), ("metrics", metrics)):
        if isinstance(value, str):
            raise declaration_error(PROVIDER, name, field, f"is the text {value!r}. Fix: write a list of names")
    dimension_columns = _resolve_columns(name, "splits", splits, DIMENSIONS)
    metric_columns = _resolve_columns(name, "metrics", metrics, METRICS)
    require_known(PROVIDER, name, "source", [source], SOURCES)
    if not metric_columns:
        raise declaration_error(PROVIDER, name, "metrics", "is empty; a query needs at least one (OW1)")
    if not any(column.kind is Kind.DAY for column in dimension_columns):
        raise declaration_error(PROVIDER, name, "splits", "lacks 'Date', which separates the days (OW4)")
    dimensions = [column for column in dimension_columns if column.kind is not Kind.DAY]
    if len(dimensions) > MAX_DIMENSIONS:
        why = f"has {len(dimensions)} dimensions besides Date; the maximum is {MAX_DIMENSIONS} (OW4)"
        raise declaration_error(PROVIDER, name, "splits", why)
    known = [*DIMENSIONS, *(column.header for column in dimension_columns)]
    require_known(PROVIDER, name, "filters", [item.dimension for item in filters], known)
    for item in filters:
        if isinstance(item.values, str):
            why = f"{item.dimension!r} has the text {item.values!r}. Fix: write a tuple of values, such as ('a',)"
            raise declaration_error(PROVIDER, name, "filters", why)
        if not item.values:
            raise declaration_error(PROVIDER, name, "filters", f"{item.dimension!r} has no values to keep")
    report = Report(
        provider=PROVIDER,
        name=name,
        query=OfferWallQuery(
            source=source,
            metrics=tuple(column.header for column in metric_columns),
            splits=tuple(column.header for column in dimension_columns),
            filters=tuple(filters),
        ),
        columns=(*dimension_columns, *metric_columns),
        grain=tuple(column.header for column in dimensions),
        calendar=Calendar(
            timezone="UTC",
            publish_delay=publish_delay,
            restated_at=restated_at,
            first_day=date(2019, 6, 10),
            retention_months=18,
        ),
        window_days=MAX_WINDOW_DAYS,
        # Ids and countries contain no line breaks; names that people choose may.
        format=DelimitedText(multiline=any(column.header not in _WITHOUT_LINE_BREAKS for column in dimension_columns)),
        entity=APP if any(column.header == APP for column in dimension_columns) else "",
        description=description,
        none_texts=none_texts,
    )
    totals = tuple(column for column in metric_columns if column.kind is Kind.MONEY)
    control_query = replace(report.query, splits=("Date",), metrics=tuple(column.header for column in totals))
    return report.with_control(control_query, (DIMENSIONS["Date"], *totals))


def _resolve_columns(
    name: str, field: str, requested: Sequence[str | Column], known: Mapping[str, Column]
) -> tuple[Column, ...]:
    """Return the columns of the names in `requested`, in which columns may be given directly."""
    require_known(PROVIDER, name, field, [item for item in requested if isinstance(item, str)], known)
    columns = (known[item] if isinstance(item, str) else item for item in requested)
    return tuple(replace(column, documented=column.header in _DOCUMENTED) for column in columns)
