"""Filter groups: OR between them, AND inside (OC3, OC4)."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from reporting_dags.sandbox.orangeclick.catalogue import DIMENSIONS, METRICS
from reporting_dags.sandbox.orangeclick.refusal import Refusal

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
    """Keeps what has, or with nin has not, one of the values."""

    dimension: str
    comparator: str
    values: tuple[str, ...]

    def holds(self, value: str) -> bool:
        """Whether `value` passes."""
        return (value in self.values) is not (self.comparator == "nin")


@dataclass(frozen=True)
class MetricFilter:
    """Keeps rows by a metric; `second` is the upper end of between, which counts (A)."""

    metric: str
    comparison: str
    value: Number
    second: Number

    def holds(self, value: Number | None) -> bool:
        """Whether `value` passes; A: a missing one never does."""
        if value is None:
            return False
        if self.comparison == BETWEEN:
            return self.value <= value <= self.second
        return COMPARISONS[self.comparison](value, self.value)


@dataclass(frozen=True)
class Group:
    """Filters that must all hold."""

    dimensions: tuple[DimensionFilter, ...]
    metrics: tuple[MetricFilter, ...]


def read(value: Any, refusal: Refusal) -> tuple[Group, ...]:
    """The groups that the JSON value `value` holds, none of them if it is an empty list."""
    if not isinstance(value, list):
        refusal.add("filter_groups", "The filter_groups field must be an array.")
        return ()
    return tuple(_group(one, f"filter_groups.{n}", refusal) for n, one in enumerate(cast("list[Any]", value)))


def _group(value: Any, place: str, refusal: Refusal) -> Group:
    given = _object(value, place, refusal)
    inside = f"{place}."
    refusal.check_keys(given, ("operator", "filters"), inside)
    refusal.choice(given, "operator", ("or",), inside)
    dimensions: list[DimensionFilter] = []
    metrics: list[MetricFilter] = []
    for n, one in enumerate(refusal.filled_list(given, "filters", inside)):
        here = f"{place}.filters.{n}"
        found = _object(one, here, refusal)
        match refusal.choice(found, "type", ("dimension", "metric"), f"{here}."):
            case "dimension":
                dimensions.append(_dimension_filter(found, f"{here}.", refusal))
            case "metric":
                metrics.append(_metric_filter(found, f"{here}.", refusal))
            case _:
                pass
    return Group(tuple(dimensions), tuple(metrics))


def _object(value: Any, place: str, refusal: Refusal) -> dict[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    refusal.add(place, f"The {place} field must be an object.")
    return {}


def _dimension_filter(given: dict[str, Any], place: str, refusal: Refusal) -> DimensionFilter:
    """A: the values to look for are strings."""
    refusal.check_keys(given, ("value", "type", "comparator", "selectedValues"), place)
    values = refusal.filled_list(given, "selectedValues", place)
    for n, value in enumerate(values):
        if not isinstance(value, str):
            refusal.add(f"{place}selectedValues.{n}", f"The {place}selectedValues.{n} field must be a string.")
    return DimensionFilter(
        refusal.choice(given, "value", DIMENSIONS, place),
        refusal.choice(given, "comparator", COMPARATORS, place),
        tuple(values),
    )


def _metric_filter(given: dict[str, Any], place: str, refusal: Refusal) -> MetricFilter:
    """A: between needs its upper value, and nothing else may have one."""
    comparison = refusal.choice(given, "comparison", (*COMPARISONS, BETWEEN), place)
    second = ("secondValue",) if comparison == BETWEEN else ()
    refusal.check_keys(given, ("value", "type", "comparison", "selectedValue", *second), place)
    lower, *upper = [_number(given, key, place, refusal) for key in ("selectedValue", *second)]
    return MetricFilter(refusal.choice(given, "value", METRICS, place), comparison, lower, *(upper or [lower]))


def _number(given: dict[str, Any], key: str, place: str, refusal: Refusal) -> Number:
    value = given.get(key)
    # A bool is an int to isinstance, but no number of anything.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    refusal.add(place + key, f"The {place}{key} field must be a number.")
    return 0
