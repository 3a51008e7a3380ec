"""The queries of Integr8's API (IN2 to IN4, IN11), and its report declarations.

A log (clicks, conversions, impressions, postbacks) can be requested by one of two methods: as an export of the Download
Center, for large volumes, or from the report table, in pages of 100 rows, for small or urgent windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reporting_dags.model.column import Column, TimeForm, day, measure
from reporting_dags.model.days import Calendar, SnapshotCalendar
from reporting_dags.model.format import DelimitedText, JsonRows
from reporting_dags.model.report import ROWS, Report, declaration_error, require_known, untyped
from reporting_dags.model.scope import QueryScope
from reporting_dags.providers.integr8.fields import (
    CLICK_FIELDS,
    CONVERSION_FIELDS,
    IMPRESSION_FIELDS,
    POSTBACK_FIELDS,
    entity_columns,
    event_column,
)

PROVIDER = "integr8"
MAX_WINDOW_DAYS = 90
MAX_COUNTED_DAYS = 10
"""Maximum number of days in one count query: each day is one call, and sixty a minute are allowed (IN10)."""
LOGS: dict[str, str] = {
    "clicks": "request_time",
    "conversions": "conversion_time",
    "impressions": "request_time",
    "postback-logs": "request_time",
}
"""The logs, each with the time column that decides the day of a row (IN4)."""
FIELDS = {"clicks": CLICK_FIELDS, "conversions": CONVERSION_FIELDS, "impressions": IMPRESSION_FIELDS}
"""The documented fields of each log (IN11). Those of postbacks are not documented; see `POSTBACK_FIELDS`."""
TABLES = {"clicks": "click-table", "conversions": "conversion-table", "impressions": "impression-table"}
ENTITIES = ("offers", "publishers", "advertisers")
METHODS = ("export", "table")
FILTERS = ("status", "offer_id", "publisher", "advertiser")
NO_EXTRA_PARAMETERS = ("none",)
"""A value is required (IN4); this one is not the name of a parameter, so it adds an empty column at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportQuery:
    """The parameters of an export of a log, without its times, which are in `timezone`."""

    log: str
    fields: tuple[str, ...]
    timezone: str = "UTC"
    extra_parameters: tuple[str, ...] = NO_EXTRA_PARAMETERS
    delimiter: str = ","

    def scope(self) -> QueryScope:
        """Return the scope: the log. Fields are columns."""
        return QueryScope(fixed={"log": self.log})


@dataclass(frozen=True, slots=True, kw_only=True)
class TableQuery:
    """The parameters of a log's report table, without its times, which are in `timezone`."""

    table: str
    timezone: str = "UTC"
    filters: tuple[tuple[str, str], ...] = ()

    def scope(self) -> QueryScope:
        """Return the scope: the log and the filters. Fields are columns.

        It equals the scope of an export of the same log, which has the same rows.
        """
        log = next(name for name, table in TABLES.items() if table == self.table)
        filters = {name: frozenset([value]) for name, value in self.filters}
        return QueryScope(fixed={"log": log}, filters=filters)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountQuery:
    """A query for the number of rows that a log's report table has on each day, in `timezone` (IN3)."""

    table: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A query for an entity list."""

    entity: str

    def scope(self) -> QueryScope:
        """Return the scope: the list. Fields are columns."""
        return QueryScope(fixed={"list": self.entity})


Query = ExportQuery | TableQuery | CountQuery | ListQuery


def integr8_log(
    *,
    name: str,
    log: str,
    fields: Sequence[str | Column],
    grain: Sequence[str] = ("real_tx_id",),
    method: str = "export",
    filters: Mapping[str, str] | None = None,
    timezone: str = "UTC",
    restated_at: tuple[int, ...] = (),
    publish_delay: timedelta = timedelta(hours=1),
    time_forms: tuple[TimeForm, ...] = (TimeForm.TEXT,),
    description: str = "",
    none_texts: tuple[str, ...] = (),
) -> Report:
    """Declare a log.

    Args:
        name: second part of the asset key `integr8/<name>`.
        log: one of `LOGS`.
        fields: the fields to request and store, including the time column of the log. A table sends all its fields;
            the others are ignored. Declare a field that is not documented with a `Column`.
        grain: fields whose combined values identify a row (IN10). The documentation does not promise this, so rows with
            a duplicate key give a warning.
        method: "export", or "table" for small or urgent windows.
        filters: filters of a table: status, offer_id, publisher, advertiser (IN3).
        timezone: IANA name of the time zone in which days begin and end.
        restated_at: ages in days at which a day is pulled again (IN9).
        publish_delay: time from the end of a day until its data is published.
        time_forms: the formats of times. The documentation shows texts with an offset (IN11). A text without an offset,
            which is not documented, is in `timezone`, the time zone in which the log is requested.
        description: description of the report for the UI and the data dictionary.
        none_texts: texts that mean "no value" in number columns, such as "--".

    Raises:
        DeclarationError: an argument is invalid; names file, report and field.
    """
    require_known(PROVIDER, name, "log", [log], LOGS)
    require_known(PROVIDER, name, "method", [method], METHODS)
    if method == "table":
        require_known(PROVIDER, name, "log", [log], TABLES)
    if isinstance(fields, str):
        raise declaration_error(PROVIDER, name, "fields", f"is the text {fields!r}. Fix: write a list of names")
    documented = FIELDS.get(log, POSTBACK_FIELDS)
    require_known(PROVIDER, name, "fields", [item for item in fields if isinstance(item, str)], documented)
    headers = tuple(item if isinstance(item, str) else item.header for item in fields)
    if LOGS[log] not in headers:
        raise declaration_error(PROVIDER, name, "fields", f"lacks {LOGS[log]!r}, which separates the days (IN4)")
    untyped_filters = untyped(filters or {})
    if not isinstance(untyped_filters, Mapping) or not all(isinstance(text, str) for text in untyped_filters.values()):
        raise declaration_error(PROVIDER, name, "filters", f"is {filters!r}. Fix: write a mapping of names to texts")
    if filters and method == "export":
        raise declaration_error(PROVIDER, name, "filters", "an export has no filters. Fix: use method='table'")
    require_known(PROVIDER, name, "filters", filters or {}, FILTERS)
    query: Query = ExportQuery(log=log, fields=headers, timezone=timezone)
    if method == "table":
        query = TableQuery(table=TABLES[log], timezone=timezone, filters=tuple((filters or {}).items()))
    export_format = DelimitedText(multiline=True, ignored=NO_EXTRA_PARAMETERS)
    ignored = tuple(field for field in documented if field not in headers)
    table_format = JsonRows(rows="data.data", count="data.count", sparse=True, ignored=ignored)
    report: Report = Report(
        provider=PROVIDER,
        name=name,
        query=query,
        columns=tuple(_column(item, log, time_forms) for item in fields),
        grain=tuple(grain),
        grain_promised=False,
        calendar=Calendar(timezone=timezone, publish_delay=publish_delay, restated_at=restated_at),
        window_days=MAX_WINDOW_DAYS if method == "export" else 1,
        format=export_format if method == "export" else table_format,
        day_from=LOGS[log],
        entity="offer_db_id" if {"offer_db_id", "revenue"} <= set(headers) else "",
        description=description,
        none_texts=none_texts,
    )
    if method == "table" or log not in TABLES:
        # A table contains its row count. Postbacks have no table that could be counted.
        return report
    count_columns = (day("Date"), measure(ROWS, "Rows of the day", unit="rows"))
    count_query = CountQuery(table=TABLES[log], timezone=timezone)
    return report.with_control(count_query, count_columns, format=DelimitedText(), window_days=MAX_COUNTED_DAYS)


def _column(field: str | Column, log: str, time_forms: tuple[TimeForm, ...]) -> Column:
    """Return the column of a field of a log. The response may lack a field that is not documented (IN11)."""
    if not isinstance(field, str):
        return replace(field, documented=False)
    column = event_column(field, time_forms)
    return column if log in FIELDS else replace(column, documented=False, optional=field != LOGS[log])


def integr8_list(
    *, name: str, fields: Mapping[str, str], description: str = "", none_texts: tuple[str, ...] = ()
) -> Report:
    """Declare the latest snapshot of an entity list (IN2, IN11).

    Args:
        name: the entity, one of `ENTITIES`; also the second part of the asset key `integr8/<name>`.
        fields: the fields of the entity, each with its kind and meaning, such as `OFFER_FIELDS`.
        description: description of the report for the UI and the data dictionary.
        none_texts: texts that mean "no value" in columns that are not texts, such as "--".

    Raises:
        DeclarationError: an argument is invalid; names file, report and field.
    """
    require_known(PROVIDER, name, "name", [name], ENTITIES)
    if not isinstance(untyped(fields), Mapping):
        raise declaration_error(PROVIDER, name, "fields", "is not a mapping of field names to meanings")
    return Report(
        provider=PROVIDER,
        name=name,
        query=ListQuery(entity=name),
        columns=entity_columns(fields),
        grain=("id",),
        calendar=SnapshotCalendar(),
        window_days=1,
        format=JsonRows(rows="data", count="meta.total_count", sparse=True),
        partitioned=False,
        description=description,
        none_texts=none_texts,
    )
