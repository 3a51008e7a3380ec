"""A request for a report: what may be asked, and what is said of anything else (OC3, OC4)."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

from reporting_dags.sandbox.orangeclick import filters
from reporting_dags.sandbox.orangeclick.catalogue import CURRENCIES, DIMENSIONS, METRICS
from reporting_dags.sandbox.orangeclick.filters import Group
from reporting_dags.sandbox.orangeclick.refusal import Refusal
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings

KEYS = ("dimensions", "metrics", "currency", "selectedDate", "filter_groups")
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Question:
    """A request that may be answered; both days count."""

    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    currency: str
    first: date
    last: date
    groups: tuple[Group, ...] = ()

    @property
    def days(self) -> Iterator[date]:
        """Every day asked for, oldest first."""
        return (self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))


def read(body: Any, *, settings: OrangeClickSettings, today: date) -> Question:
    """The question that the JSON value `body` asks; A: what is no object is as if it were empty.

    Raises:
        InvalidError: Something in it is not allowed; it says everything that is not.
    """
    given = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    refusal = Refusal(extra_keys=settings.extra_keys)
    refusal.check_keys(given, KEYS)
    dimensions = _names(given, "dimensions", DIMENSIONS, refusal)
    metrics = _names(given, "metrics", METRICS, refusal)
    currency = refusal.choice(given, "currency", CURRENCIES)
    first, last = _days(given, refusal, settings, today)
    groups = filters.read(given["filter_groups"], refusal) if "filter_groups" in given else ()
    refusal.raise_if_any()
    return Question(dimensions, metrics, currency, first, last, groups)


def _names(given: dict[str, Any], key: str, known: tuple[str, ...], refusal: Refusal) -> tuple[str, ...]:
    """A: the list may not be empty, nor name anything twice."""
    names = refusal.filled_list(given, key)
    for n, name in enumerate(names):
        if name not in known:
            refusal.add(f"{key}.{n}", f"One or more selected {key} are invalid.")
        elif name in names[:n]:
            refusal.add(f"{key}.{n}", f"The {key}.{n} field has a duplicate value.")
    return tuple(names)


def _days(given: dict[str, Any], refusal: Refusal, settings: OrangeClickSettings, today: date) -> tuple[date, date]:
    key = "selectedDate"
    if key not in given:
        return today, today
    value = given[key]
    if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
        refusal.add(key, f"The {key} field must hold a start date and an end date.")
        return today, today
    first, last = (_day(one, f"{key}.{n}", refusal) for n, one in enumerate(cast("list[Any]", value)))
    if first is None or last is None:
        return today, today
    if first > last:
        refusal.add(f"{key}.1", f"The {key}.1 field must be a date after or equal to {key}.0.")
    if last > months_after(first, settings.max_months):
        refusal.add(key, f"The date range may not exceed {settings.max_months} months.")
    if last > today and not settings.future_allowed:
        refusal.add(f"{key}.1", f"The {key}.1 field must be a date before or equal to today.")
    return first, last


def _day(value: Any, place: str, refusal: Refusal) -> date | None:
    if isinstance(value, str) and ISO_DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    refusal.add(place, f"The {place} field must be a valid date.")
    return None


def months_after(day: date, months: int) -> date:
    """The same day of the month, `months` later; the month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
