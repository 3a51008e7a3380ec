"""The body of a report request, and its validation (OC3, OC4)."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

from reporting_dags.sandbox.orangeclick import filters
from reporting_dags.sandbox.orangeclick.catalog import CURRENCIES, DIMENSIONS, METRICS
from reporting_dags.sandbox.orangeclick.filters import Group
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings
from reporting_dags.sandbox.orangeclick.validation import Validation

KEYS = ("dimensions", "metrics", "currency", "selectedDate", "filter_groups")
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class ReportRequest:
    """A valid request; both days are included."""

    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    currency: str
    first: date
    last: date
    groups: tuple[Group, ...] = ()

    @property
    def days(self) -> Iterator[date]:
        """All requested days, oldest first."""
        return (self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))


def parse(body: Any, *, settings: OrangeClickSettings, today: date) -> ReportRequest:
    """Return the request in the JSON value `body`. A: a value that is not an object is treated as an empty object.

    Raises:
        InvalidError: it is not valid; the error lists everything that is wrong.
    """
    given = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    validation = Validation(extra_keys=settings.extra_keys)
    validation.check_keys(given, KEYS)
    dimensions = _names(given, "dimensions", DIMENSIONS, validation)
    metrics = _names(given, "metrics", METRICS, validation)
    currency = validation.choice(given, "currency", CURRENCIES)
    first, last = _days(given, validation, settings, today)
    groups = filters.parse(given["filter_groups"], validation) if "filter_groups" in given else ()
    validation.raise_if_any()
    return ReportRequest(dimensions, metrics, currency, first, last, groups)


def _names(given: dict[str, Any], key: str, known: tuple[str, ...], validation: Validation) -> tuple[str, ...]:
    """Return a list of names. A: it must not be empty or have duplicates."""
    names = validation.non_empty_list(given, key)
    for n, name in enumerate(names):
        if name not in known:
            validation.add(f"{key}.{n}", f"One or more selected {key} are invalid.")
        elif name in names[:n]:
            validation.add(f"{key}.{n}", f"The {key}.{n} field has a duplicate value.")
    return tuple(names)


def _days(
    given: dict[str, Any], validation: Validation, settings: OrangeClickSettings, today: date
) -> tuple[date, date]:
    key = "selectedDate"
    if key not in given:
        return today, today
    value = given[key]
    if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
        validation.add(key, f"The {key} field must hold a start date and an end date.")
        return today, today
    first, last = (_day(item, f"{key}.{n}", validation) for n, item in enumerate(cast("list[Any]", value)))
    if first is None or last is None:
        return today, today
    if first > last:
        validation.add(f"{key}.1", f"The {key}.1 field must be a date after or equal to {key}.0.")
    if last > months_after(first, settings.max_months):
        validation.add(key, f"The date range may not exceed {settings.max_months} months.")
    if last > today and not settings.future_allowed:
        validation.add(f"{key}.1", f"The {key}.1 field must be a date before or equal to today.")
    return first, last


def _day(value: Any, place: str, validation: Validation) -> date | None:
    if isinstance(value, str) and ISO_DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    validation.add(place, f"The {place} field must be a valid date.")
    return None


def months_after(day: date, months: int) -> date:
    """Return the same day of the month, `months` later; the last day of the month if there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
