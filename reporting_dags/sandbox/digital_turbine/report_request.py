"""The request body of an Offer Wall report, and its validation (OW1 to OW6)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

from reporting_dags.sandbox.digital_turbine.catalog import (
    DATE,
    DOCUMENTED_DIMENSIONS,
    DOCUMENTED_METRICS,
    UNDOCUMENTED_DIMENSIONS,
    UNDOCUMENTED_METRICS,
)
from reporting_dags.sandbox.digital_turbine.facts import FIRST_DAY
from reporting_dags.sandbox.digital_turbine.settings import DtSettings

SOURCES = ("performance", "event")
KEYS = ("source", "dateRange", "metrics", "splits", "filters")
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class RefusedError(Exception):
    """A request that the documentation does not allow, with the error code and description of the response."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True)
class ReportRequest:
    """A valid request; both days are included."""

    source: str
    first: date
    last: date
    metrics: tuple[str, ...]
    splits: tuple[str, ...]
    filters: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def days(self) -> list[date]:
        """All requested days, oldest first."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def columns(self) -> tuple[str, ...]:
        """The header of the file: splits, then metrics, in the requested order (DT8)."""
        return (*self.splits, *self.metrics)


def parse(query: Any, *, settings: DtSettings, today: date) -> ReportRequest:
    """Return the request in the JSON value `query`.

    Raises:
        RefusedError: it is not valid (OW1 to OW6).
    """
    if not isinstance(query, dict):
        raise _schema_error(query, "", "")
    body = cast("dict[str, Any]", query)
    for key in KEYS:
        if key not in body:
            raise _schema_error(None, f"/{key}", _TYPES[key], undefined=True)
    if not settings.extra_keys and (unknown := [key for key in body if key not in KEYS]):
        raise RefusedError("invalid_query", f"Invalid keys: {','.join(unknown)}")
    source = _text(body["source"], "/source", "string")
    if source not in SOURCES:
        raise RefusedError("invalid_source", f"Invalid source: {source}")
    request = ReportRequest(
        source,
        *_date_range(body["dateRange"]),
        _texts(body["metrics"], "/metrics"),
        _texts(body["splits"], "/splits"),
        tuple(_filters(body["filters"])),
    )
    _check_names(request, settings)
    _check_days(request, settings, today)
    return request


_TYPES = {
    "source": "string",
    "dateRange": "DateRange",
    "metrics": "Array<string>",
    "splits": "Array<string>",
    "filters": "Array<Filter>",
}


def _schema_error(value: Any, path: str, kind: str, *, undefined: bool = False) -> RefusedError:
    shown = "undefined" if undefined else f'"{value}"'
    return RefusedError("invalid_query", f"Invalid value {shown} supplied to : Query{path}: {kind or 'Query'}")


def _text(value: Any, path: str, kind: str) -> str:
    if not isinstance(value, str):
        raise _schema_error(value, path, kind)
    return value


def _texts(value: Any, path: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _schema_error(value, path, "Array<string>")
    return tuple(_text(item, f"{path}/{n}", "string") for n, item in enumerate(cast("list[Any]", value)))


def _date_range(value: Any) -> tuple[date, date]:
    if not isinstance(value, dict):
        raise _schema_error(value, "/dateRange", "DateRange")
    given = cast("dict[str, Any]", value)
    return _day(given, "start"), _day(given, "end")


def _day(given: dict[str, Any], key: str) -> date:
    path = f"/dateRange: DateRange/{key}"
    if key not in given:
        raise _schema_error(None, path, "Date", undefined=True)
    text = _text(given[key], path, "Date")
    if not ISO_DAY.fullmatch(text):
        raise _schema_error(text, path, "Date")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _schema_error(text, path, "Date") from None


def _filters(value: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not isinstance(value, list):
        raise _schema_error(value, "/filters", "Array<Filter>")
    for n, item in enumerate(cast("list[Any]", value)):
        path = f"/filters/{n}"
        if not isinstance(item, dict):
            raise _schema_error(item, path, "Filter")
        given = cast("dict[str, Any]", item)
        for key in ("dimension", "values"):
            if key not in given:
                raise _schema_error(None, f"{path}/{key}", "string", undefined=True)
        yield _text(given["dimension"], f"{path}/dimension", "string"), _texts(given["values"], f"{path}/values")


def _check_names(request: ReportRequest, settings: DtSettings) -> None:
    """Check OW1, OW3 and OW4. A: duplicate names and empty filters are not allowed."""
    undocumented = settings.found_names
    metrics = (*DOCUMENTED_METRICS, *(UNDOCUMENTED_METRICS if undocumented else ()))
    dimensions = (*DOCUMENTED_DIMENSIONS, *(UNDOCUMENTED_DIMENSIONS if undocumented else ()))
    if not request.metrics:
        raise RefusedError("invalid_query", "Invalid metrics: at least one is needed")
    if wrong := _invalid_names(request.metrics, metrics):
        raise RefusedError("invalid_query", f"Invalid metrics: {','.join(wrong)}")
    filtered = tuple(dimension for dimension, _ in request.filters)
    if wrong := [*_invalid_names(request.splits, dimensions), *_invalid_names(filtered, dimensions)]:
        raise RefusedError("invalid_query", f"Invalid dimensions: {','.join(wrong)}")
    if any(not values for _, values in request.filters):
        raise RefusedError("invalid_query", "Invalid filters: a filter needs values")
    counted = [split for split in request.splits if split != DATE or settings.date_is_a_dimension]
    if len(counted) > settings.max_dimensions:
        raise RefusedError("invalid_query", f"Invalid dimensions: at most {settings.max_dimensions} in a query")


def _invalid_names(given: tuple[str, ...], known: tuple[str, ...]) -> list[str]:
    return [name for n, name in enumerate(given) if name not in known or name in given[:n]]


def _check_days(request: ReportRequest, settings: DtSettings, today: date) -> None:
    """Check OW4 and OW5."""
    if request.first > request.last:
        raise RefusedError("invalid_query", "Invalid date range: start is after end")
    if request.last >= today:
        raise RefusedError("invalid_query", "Invalid date range: end must be before the current date")
    if request.first < max(FIRST_DAY, months_before(today, 18)):
        raise RefusedError("invalid_query", "Invalid date range: start is too long ago")
    if len(request.days) > settings.max_days:
        raise RefusedError("invalid_query", f"Invalid date range: more than {settings.max_days} days")


def months_before(day: date, months: int) -> date:
    """Return the same day of the month, `months` earlier; the last day of the month if there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise ValueError(f"no day {months} months before {day}")
