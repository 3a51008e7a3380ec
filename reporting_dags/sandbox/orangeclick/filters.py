"""Filter groups, which are combined by OR; filters in a group are combined by AND (OC3, OC4)."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from reporting_dags.sandbox.orangeclick.catalog import DIMENSIONS, METRICS
from reporting_dags.sandbox.orangeclick.validation import Validation

Number = int | float
BETWEEN = "between"
COMPARATORS = ("in", "nin", "is_any_of")
COMPARISONS: Mapping[str, Callable[[Number, Number], bool]] = {
    "gte": operator.ge,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}


@dataclass(frozen=True)
class DimensionFilter:
    """A filter that requires one of the values, or with `nin` none of them."""

    dimension: str
    comparator: str
    values: tuple[str, ...]

    def holds(self, value: str) -> bool:
        """Return whether `value` passes the filter."""
        return (value in self.values) is not (self.comparator == "nin")


@dataclass(frozen=True)
class MetricFilter:
    """A filter of rows by a metric; `second` is the upper bound of `between`, which is inclusive (A)."""

    metric: str
    comparison: str
    value: Number
    second: Number

    def holds(self, value: Number | None) -> bool:
        """Return whether `value` passes the filter. A: a missing value never passes."""
        if value is None:
            return False
        if self.comparison == BETWEEN:
            return self.value <= value <= self.second
        return COMPARISONS[self.comparison](value, self.value)


@dataclass(frozen=True)
class Group:
    """A group of filters that must all pass."""

    dimensions: tuple[DimensionFilter, ...]
    metrics: tuple[MetricFilter, ...]


def parse(value: Any, validation: Validation) -> tuple[Group, ...]:
    """Return the filter groups in the JSON value `value`; none for an empty list."""
    if not isinstance(value, list):
        validation.add("filter_groups", "The filter_groups field must be an array.")
        return ()
    return tuple(_group(item, f"filter_groups.{n}", validation) for n, item in enumerate(cast("list[Any]", value)))


def _group(value: Any, place: str, validation: Validation) -> Group:
    given = _object(value, place, validation)
    inside = f"{place}."
    validation.check_keys(given, ("operator", "filters"), inside)
    validation.choice(given, "operator", ("or",), inside)
    dimensions: list[DimensionFilter] = []
    metrics: list[MetricFilter] = []
    for n, item in enumerate(validation.non_empty_list(given, "filters", inside)):
        path = f"{place}.filters.{n}"
        filter_object = _object(item, path, validation)
        match validation.choice(filter_object, "type", ("dimension", "metric"), f"{path}."):
            case "dimension":
                dimensions.append(_dimension_filter(filter_object, f"{path}.", validation))
            case "metric":
                metrics.append(_metric_filter(filter_object, f"{path}.", validation))
            case _:
                pass
    return Group(tuple(dimensions), tuple(metrics))


def _object(value: Any, place: str, validation: Validation) -> dict[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    validation.add(place, f"The {place} field must be an object.")
    return {}


def _dimension_filter(given: dict[str, Any], place: str, validation: Validation) -> DimensionFilter:
    """Return a dimension filter. A: its values must be strings."""
    validation.check_keys(given, ("value", "type", "comparator", "selectedValues"), place)
    values = validation.non_empty_list(given, "selectedValues", place)
    for n, value in enumerate(values):
        if not isinstance(value, str):
            validation.add(f"{place}selectedValues.{n}", f"The {place}selectedValues.{n} field must be a string.")
    return DimensionFilter(
        validation.choice(given, "value", DIMENSIONS, place),
        validation.choice(given, "comparator", COMPARATORS, place),
        tuple(values),
    )


def _metric_filter(given: dict[str, Any], place: str, validation: Validation) -> MetricFilter:
    """Return a metric filter. A: `between` requires a second value; other comparisons must not have one."""
    comparison = validation.choice(given, "comparison", (*COMPARISONS, BETWEEN), place)
    second = ("secondValue",) if comparison == BETWEEN else ()
    validation.check_keys(given, ("value", "type", "comparison", "selectedValue", *second), place)
    lower, *upper = [_number(given, key, place, validation) for key in ("selectedValue", *second)]
    return MetricFilter(validation.choice(given, "value", METRICS, place), comparison, lower, *(upper or [lower]))


def _number(given: dict[str, Any], key: str, place: str, validation: Validation) -> Number:
    value = given.get(key)
    # isinstance accepts a bool as an int, but a bool is not a number here.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    validation.add(place + key, f"The {place}{key} field must be a number.")
    return 0
