"""What OrangeClickMedia's reporting API can be requested (OC3, OC4, OC7), and a declaration of it as a report."""

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
"""Three months (OC3), whichever they are."""

DIMENSIONS: dict[str, Column] = {
    column.header: column
    for column in (
        day("day"),
        identity("month", "Month of the day"),
        identity("year", "Year of the day"),
        identity("product", "Product, such as Standard Display"),
        identity("domain", "Domain of the website"),
        identity("subdomain", "Subdomain of the website"),
        identity("media_type", "display, video or native"),
        identity("device", "desktop, mobile, tablet and so on"),
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
    if header == "earnings":
        return money(header, "What the publisher earned, net", currency=currency)
    if header == "ecpm":
        unit = f"{currency} by 1000 impressions"
        return ratio(header, "Earnings by thousand impressions", unit=unit, ratio_of=RatioOf(*_ECPM, 1000))
    meaning, unit = _COUNTS[header]
    return measure(header, meaning, unit=unit)


_ECPM = ("earnings", "impressions")
_COUNTS = {
    "impressions": ("Ads shown", "impressions"),
    "viewable": ("Ads shown that could be seen", "impressions"),
    "first_quartile": ("Videos played to a quarter", "plays"),
    "midpoint": ("Videos played to the half", "plays"),
    "third_quartile": ("Videos played to three quarters", "plays"),
    "complete": ("Videos played to the end", "plays"),
}


@dataclass(frozen=True, slots=True)
class DimensionFilter:
    """Only rows whose `dimension` is (in), is not (nin) or is any of `values`."""

    dimension: str
    values: tuple[str, ...]
    comparator: str = "in"

    def body(self) -> dict[str, object]:
        """As it stands in a filter group."""
        return {
            "value": self.dimension,
            "type": "dimension",
            "comparator": self.comparator,
            "selectedValues": list(self.values),
        }


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """Only rows whose `metric` is at least (gte), at most (lte), exactly (eq), not (neq) `value`, or between two."""

    metric: str
    comparison: str
    value: int | float
    second: int | float | None = None

    def body(self) -> dict[str, object]:
        """As it stands in a filter group."""
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
    """The body of a request, but for its dates (OC3). Groups are combined with OR, the filters of one with AND."""

    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    currency: str
    filter_groups: tuple[tuple[Filter, ...], ...] = ()

    def scope(self) -> QueryScope:
        """The currency and the filters; dimensions and metrics are columns. Two sets of filters are not compared."""
        filters = {"filter_groups": frozenset([repr(self.filter_groups)])} if self.filter_groups else {}
        return QueryScope(fixed={"currency": self.currency}, filters=filters)

    def body(self, window: Window) -> dict[str, object]:
        """The JSON body for `window`, both days included; dates are always sent, since left out they mean today."""
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
    published_after: timedelta = timedelta(hours=6),
    description: str = "",
    none_texts: tuple[str, ...] = (),
) -> Report:
    """Declare an OrangeClickMedia report.

    Args:
        name: of the asset: `orangeclick/<name>`.
        dimensions: "day" among them.
        metrics: at least one.
        currency: of all money: "EUR" or "USD".
        filter_groups: rows to keep: those that pass every filter of at least one group; none keeps all.
        restated_at: ages in days at which a day is worth pulling again.
        published_after: from the end of a day (UTC) until its data is published (OC7).
        description: for the UI and the data dictionary.
        none_texts: texts that mean no value in columns of numbers, such as "--".

    Raises:
        DeclarationError: naming file, report and field.
    """
    for field, given in (("dimensions", dimensions), ("metrics", metrics)):
        if isinstance(given, str):
            raise declaration_error(PROVIDER, name, field, f"is the text {given!r}; write a list of names")
    require_known(PROVIDER, name, "dimensions", dimensions, DIMENSIONS)
    require_known(PROVIDER, name, "metrics", metrics, METRICS)
    require_known(PROVIDER, name, "currency", [currency], CURRENCIES)
    if "day" not in dimensions:
        raise declaration_error(PROVIDER, name, "dimensions", "'day' is missing; without it days cannot be told apart")
    if not metrics:
        raise declaration_error(PROVIDER, name, "metrics", "is empty; a request needs at least one (OC3)")
    for group in filter_groups:
        if isinstance(group, Filter):
            raise declaration_error(PROVIDER, name, "filter_groups", "is a list of filters; write a list of such lists")
        _check_group(name, group)
    figures = [_metric(header, currency) for header in metrics]
    for column in figures:
        if column.ratio_of and not set(_ECPM) <= set(metrics):
            figures[figures.index(column)] = ratio(column.header, column.meaning, unit=column.unit)
    keys = [header for header in dimensions if header != "day"]
    report = Report(
        provider=PROVIDER,
        name=name,
        query=OrangeClickQuery(
            dimensions=tuple(dimensions),
            metrics=tuple(metrics),
            currency=currency,
            filter_groups=tuple(tuple(group) for group in filter_groups),
        ),
        columns=(*(DIMENSIONS[header] for header in dimensions), *figures),
        grain=tuple(keys),
        calendar=Calendar(timezone="UTC", publish_delay=published_after, restated_at=restated_at),
        window_days=MAX_WINDOW_DAYS,
        format=JsonRows(rows="data", count="meta.count"),
        entity="domain" if "domain" in keys else "",
        description=description,
        none_texts=none_texts,
    )
    if any(isinstance(item, MetricFilter) for group in filter_groups for item in group):
        # Which rows pass such a filter depends on how fine they are.
        return report
    totals = tuple(column for column in figures if column.kind is Kind.MONEY)
    coarse = replace(report.query, dimensions=("day",), metrics=tuple(column.header for column in totals))
    return report.with_control(coarse, (DIMENSIONS["day"], *totals))


def _check_group(name: str, group: Sequence[Filter]) -> None:
    if not group:
        raise declaration_error(PROVIDER, name, "filter_groups", "a group has no filters (OC4)")
    for item in group:
        if isinstance(item, DimensionFilter):
            require_known(PROVIDER, name, "filter_groups", [item.dimension], DIMENSIONS)
            require_known(PROVIDER, name, "filter_groups", [item.comparator], COMPARATORS)
            if isinstance(item.values, str) or not item.values:
                why = f"{item.dimension!r} needs a tuple of values, with a comma; has {item.values!r}"
                raise declaration_error(PROVIDER, name, "filter_groups", why)
        else:
            require_known(PROVIDER, name, "filter_groups", [item.metric], METRICS)
            require_known(PROVIDER, name, "filter_groups", [item.comparison], COMPARISONS)
            if (item.second is not None) != (item.comparison == "between"):
                why = f"{item.metric!r}: 'between' takes a second value, and nothing else does"
                raise declaration_error(PROVIDER, name, "filter_groups", why)
            values = (item.value,) if item.second is None else (item.value, item.second)
            if not all(_is_finite(value) for value in values) or list(values) != sorted(values):
                why = f"{item.metric!r}: is compared with numbers, the lower one first; has {values!r}"
                raise declaration_error(PROVIDER, name, "filter_groups", why)


def _is_finite(value: object) -> bool:
    # A bool is an int to isinstance, but no number of anything.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
