"""The query and the columns of OrangeClickMedia's reporting API (OC3, OC4, OC7), and its report declaration."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reporting_dags.model.column import Column, Kind, RatioOf, day, identity, measure, money, ratio
from reporting_dags.model.days import Calendar, Window
from reporting_dags.model.format import JsonRows
from reporting_dags.model.report import Report, declaration_error, require_known
from reporting_dags.model.scope import QueryScope

PROVIDER = "orangeclick"
CURRENCIES = ("EUR", "USD")
COMPARATORS = ("in", "nin", "is_any_of")
COMPARISONS = ("gte", "lte", "eq", "neq", "between")
MAX_WINDOW_DAYS = 90
"""The API allows three months for each request (OC3)."""

DIMENSIONS: dict[str, Column] = {
    column.header: column
    for column in (
        day("day"),
        identity("month", "Month of the day"),
        identity("year", "Year of the day"),
        identity("product", "Product, such as Standard Display"),
        identity("domain", "Domain of the website"),
        identity("subdomain", "Subdomain of the website"),
        identity("media_type", "Media type: display, video or native"),
        identity("device", "Device type, such as desktop, mobile or tablet"),
        identity("os", "Operating system"),
        identity("ad_unit", "The ad unit"),
        identity("country", "Country code of the user"),
        identity("deal_id", "The deal"),
        identity("deal_name", "Name of the deal"),
        identity("deal_type", "Open auction, Deal or Proposal"),
    )
}
METRICS = (
    "impressions",
    "earnings",
    "ecpm",
    "viewable",
    "first_quartile",
    "midpoint",
    "third_quartile",
    "complete",
)


def _metric(header: str, currency: str) -> Column:
    """Return the column of a metric, with money in `currency`."""
    if header == "earnings":
        return money(header, "What the publisher earned, net", currency=currency)
    if header == "ecpm":
        unit = f"{currency} by 1000 impressions"
        return ratio(header, "Earnings per thousand impressions", unit=unit, ratio_of=RatioOf(*_ECPM_SOURCES, 1000))
    meaning, unit = _COUNTS[header]
    return measure(header, meaning, unit=unit)


_ECPM_SOURCES = ("earnings", "impressions")
_COUNTS = {
    "impressions": ("Ads shown", "impressions"),
    "viewable": ("Ads shown that were viewable", "impressions"),
    "first_quartile": ("Videos played to a quarter of their length", "plays"),
    "midpoint": ("Videos played to half of their length", "plays"),
    "third_quartile": ("Videos played to three quarters of their length", "plays"),
    "complete": ("Videos played to the end", "plays"),
}


@dataclass(frozen=True, slots=True)
class DimensionFilter:
    """Keeps the rows whose `dimension` is in (in, is_any_of) or not in (nin) `values`."""

    dimension: str
    values: tuple[str, ...]
    comparator: str = "in"

    def body(self) -> dict[str, object]:
        """Return the filter as JSON, for a filter group of the request."""
        return {
            "value": self.dimension,
            "type": "dimension",
            "comparator": self.comparator,
            "selectedValues": list(self.values),
        }


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """Keeps the rows whose `metric` is at least (gte), at most (lte), equal to (eq) or not equal to (neq) `value`.

    With "between", the metric is between `value` and `second`.
    """

    metric: str
    comparison: str
    value: int | float
    second: int | float | None = None

    def body(self) -> dict[str, object]:
        """Return the filter as JSON, for a filter group of the request."""
        results: dict[str, object] = {
            "value": self.metric,
            "type": "metric",
            "comparison": self.comparison,
            "selectedValue": self.value,
        }
        return results if self.second is None else {**results, "secondValue": self.second}


Filter = DimensionFilter | MetricFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class OrangeClickQuery:
    """The body of a request, without its dates (OC3). Groups are combined with OR, the filters of a group with AND."""

    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    currency: str
    filter_groups: tuple[tuple[Filter, ...], ...] = ()

    def scope(self) -> QueryScope:
        """Return the scope: currency and filters. Dimensions and metrics are columns.

        Two different sets of filter groups always count as different scopes.
        """
        filters = {"filter_groups": frozenset([repr(self.filter_groups)])} if self.filter_groups else {}
        return QueryScope(fixed={"currency": self.currency}, filters=filters)

    def body(self, window: Window) -> dict[str, object]:
        """Return the JSON body for `window`; both dates are inclusive. A request without dates would mean today."""
        groups = [{"operator": "or", "filters": [item.body() for item in group]} for group in self.filter_groups]
        return {
            "dimensions": list(self.dimensions),
            "metrics": list(self.metrics),
            "currency": self.currency,
            "selectedDate": [window.first.isoformat(), window.last.isoformat()],
            **({"filter_groups": groups} if groups else {}),
        }


def orangeclick_report(
    *,
    name: str,
    dimensions: Sequence[str],
    metrics: Sequence[str] = METRICS,
    currency: str = "USD",
    filter_groups: Sequence[Sequence[Filter]] = (),
    restated_at: tuple[int, ...] = (),
    publish_delay: timedelta = timedelta(hours=6),
    description: str = "",
    none_texts: tuple[str, ...] = (),
) -> Report:
    """Declare an OrangeClickMedia report.

    Args:
        name: second part of the asset key `orangeclick/<name>`.
        dimensions: the dimensions, including "day".
        metrics: at least one metric.
        currency: currency of all money: "EUR" or "USD".
        filter_groups: groups of filters; a row is kept if it passes all filters of at least one group. Empty keeps all.
        restated_at: ages in days at which a day is pulled again.
        publish_delay: time from the end of a day (UTC) until its data is published (OC7).
        description: description of the report for the UI and the data dictionary.
        none_texts: texts that mean "no value" in number columns, such as "--".

    Raises:
        DeclarationError: an argument is invalid; names file, report and field.
    """
    for field, value in (("dimensions", dimensions), ("metrics", metrics)):
        if isinstance(value, str):
            raise declaration_error(PROVIDER, name, field, f"is the text {value!r}. Fix: write a list of names")
    require_known(PROVIDER, name, "dimensions", dimensions, DIMENSIONS)
    require_known(PROVIDER, name, "metrics", metrics, METRICS)
    require_known(PROVIDER, name, "currency", [currency], CURRENCIES)
    if "day" not in dimensions:
        raise declaration_error(PROVIDER, name, "dimensions", "lacks 'day', which separates the days")
    if not metrics:
        raise declaration_error(PROVIDER, name, "metrics", "is empty; a request needs at least one (OC3)")
    for group in filter_groups:
        if isinstance(group, Filter):
            why = "is a list of filters. Fix: write a list of filter lists"
            raise declaration_error(PROVIDER, name, "filter_groups", why)
        _check_group(name, group)
    metric_columns = [_metric(header, currency) for header in metrics]
    for index, column in enumerate(metric_columns):
        if column.ratio_of and not set(_ECPM_SOURCES) <= set(metrics):
            # Without its sources in the report, the ratio cannot be computed from sums.
            metric_columns[index] = ratio(column.header, column.meaning, unit=column.unit)
    grain = [header for header in dimensions if header != "day"]
    report = Report(
        provider=PROVIDER,
        name=name,
        query=OrangeClickQuery(
            dimensions=tuple(dimensions),
            metrics=tuple(metrics),
            currency=currency,
            filter_groups=tuple(tuple(group) for group in filter_groups),
        ),
        columns=(*(DIMENSIONS[header] for header in dimensions), *metric_columns),
        grain=tuple(grain),
        calendar=Calendar(timezone="UTC", publish_delay=publish_delay, restated_at=restated_at),
        window_days=MAX_WINDOW_DAYS,
        format=JsonRows(rows="data", count="meta.count"),
        entity="domain" if "domain" in grain else "",
        description=description,
        none_texts=none_texts,
    )
    if any(isinstance(item, MetricFilter) for group in filter_groups for item in group):
        # A metric filter selects other rows in a less detailed report, so the totals would differ.
        return report
    totals = tuple(column for column in metric_columns if column.kind is Kind.MONEY)
    control_query = replace(report.query, dimensions=("day",), metrics=tuple(column.header for column in totals))
    return report.with_control(control_query, (DIMENSIONS["day"], *totals))


def _check_group(name: str, group: Sequence[Filter]) -> None:
    """Raise `DeclarationError` if a filter of the group is invalid."""
    if not group:
        raise declaration_error(PROVIDER, name, "filter_groups", "a group has no filters (OC4)")
    for item in group:
        if isinstance(item, DimensionFilter):
            require_known(PROVIDER, name, "filter_groups", [item.dimension], DIMENSIONS)
            require_known(PROVIDER, name, "filter_groups", [item.comparator], COMPARATORS)
            if isinstance(item.values, str) or not item.values:
                why = f"{item.dimension!r} needs a tuple of values, such as ('a',); has {item.values!r}"
                raise declaration_error(PROVIDER, name, "filter_groups", why)
        else:
            require_known(PROVIDER, name, "filter_groups", [item.metric], METRICS)
            require_known(PROVIDER, name, "filter_groups", [item.comparison], COMPARISONS)
            if (item.second is not None) != (item.comparison == "between"):
                why = f"{item.metric!r}: a second value is required for 'between', and not allowed otherwise"
                raise declaration_error(PROVIDER, name, "filter_groups", why)
            values = (item.value,) if item.second is None else (item.value, item.second)
            if not all(_is_finite(value) for value in values) or list(values) != sorted(values):
                why = f"{item.metric!r} must be compared with finite numbers, the lower one first; has {values!r}"
                raise declaration_error(PROVIDER, name, "filter_groups", why)


def _is_finite(value: object) -> bool:
    # bool is a subclass of int.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
