"""What Integr8's API can be requested (IN2 to IN4, IN11), and declarations of it as reports.

A log (clicks, conversions, impressions, postbacks) comes in one of two ways: as an export of the Download Center, which
is made for much data, or from the report table, a page of 100 rows at a time, for small or urgent windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reporting_dags.model.column import Column, TimeForm, day, measure
from reporting_dags.model.days import Calendar, SnapshotCalendar
from reporting_dags.model.format import DelimitedText, JsonRows
from reporting_dags.model.report import ROWS, Report, as_given, declaration_error, require_known
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
"""Days whose rows are counted together: a call each, of which sixty a minute are allowed (IN10)."""
LOGS: dict[str, str] = {
    "clicks": "request_time",
    "conversions": "conversion_time",
    "impressions": "request_time",
    "postback-logs": "request_time",
}
"""Each log, and the time by which its rows belong to a day (IN4)."""
FIELDS = {"clicks": CLICK_FIELDS, "conversions": CONVERSION_FIELDS, "impressions": IMPRESSION_FIELDS}
"""The fields of a log that the document lists (IN11); it lists none of postbacks, whose own are assumed."""
TABLES = {"clicks": "click-table", "conversions": "conversion-table", "impressions": "impression-table"}
ENTITIES = ("offers", "publishers", "advertisers")
METHODS = ("export", "table")
FILTERS = ("status", "offer_id", "publisher", "advertiser")
NO_EXTRA_PARAMETERS = ("none",)
"""Some value is required (IN4); this one names no parameter, so that at most an empty column comes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportQuery:
    """An export of a log, but for its times, which are in `timezone`."""

    log: str
    fields: tuple[str, ...]
    timezone: str = "UTC"
    extra_parameters: tuple[str, ...] = NO_EXTRA_PARAMETERS
    delimiter: str = ","

    def scope(self) -> QueryScope:
        """The log; fields are columns."""
        return QueryScope(fixed={"log": self.log})


@dataclass(frozen=True, slots=True, kw_only=True)
class TableQuery:
    """The report table of a log, but for its times, which are in `timezone`; filters as pairs of name and value."""

    table: str
    timezone: str = "UTC"
    filters: tuple[tuple[str, str], ...] = ()

    def scope(self) -> QueryScope:
        """The log and the filters; fields are columns. A table and an export of a log hold the same rows."""
        log = next(name for name, table in TABLES.items() if table == self.table)
        filters = {name: frozenset([value]) for name, value in self.filters}
        return QueryScope(fixed={"log": log}, filters=filters)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountQuery:
    """How many rows the report table of a log has on each day, in `timezone` (IN3)."""

    table: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """An entity list."""

    entity: str

    def scope(self) -> QueryScope:
        """The list; fields are columns."""
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
    published_after: timedelta = timedelta(hours=1),
    time_forms: tuple[TimeForm, ...] = (TimeForm.TEXT,),
    description: str = "",
    none_texts: tuple[str, ...] = (),
) -> Report:
    """Declare a log.

    Args:
        name: of the asset: `integr8/<name>`.
        log: one of `LOGS`.
        fields: to request and keep; the log's time among them. A table sends all that it has, whatever is kept. A field
            that the document does not list is given as a `Column` of one's own.
        grain: fields that together name a row (IN10). No document promises that: rows that share them are a warning.
        method: "export", or "table" for small or urgent windows.
        filters: of a table: status, offer_id, publisher, advertiser (IN3).
        timezone: IANA name of the zone in which days begin and end.
        restated_at: ages in days at which a day is worth pulling again (IN9).
        published_after: from the end of a day until its data is published.
        time_forms: how times are written. The document shows texts with an offset (IN11); of texts without one, which
            it leaves open, those of `timezone` are meant, the zone in which the log is requested.
        description: for the UI and the data dictionary.
        none_texts: texts that mean no value in columns of numbers, such as "--".

    Raises:
        DeclarationError: naming file, report and field.
    """
    require_known(PROVIDER, name, "log", [log], LOGS)
    require_known(PROVIDER, name, "method", [method], METHODS)
    if method == "table":
        require_known(PROVIDER, name, "log", [log], TABLES)
    if isinstance(fields, str):
        raise declaration_error(PROVIDER, name, "fields", f"is the text {fields!r}; write a list of names")
    documented = FIELDS.get(log, POSTBACK_FIELDS)
    require_known(PROVIDER, name, "fields", [item for item in fields if isinstance(item, str)], documented)
    headers = tuple(item if isinstance(item, str) else item.header for item in fields)
    if LOGS[log] not in headers:
        raise declaration_error(PROVIDER, name, "fields", f"{LOGS[log]!r} is missing; it tells days apart (IN4)")
    given = as_given(filters or {})
    if not isinstance(given, Mapping) or not all(isinstance(text, str) for text in given.values()):
        raise declaration_error(PROVIDER, name, "filters", f"is {filters!r}; write a mapping of names to texts")
    if filters and method == "export":
        raise declaration_error(PROVIDER, name, "filters", "an export takes none; use method='table'")
    require_known(PROVIDER, name, "filters", filters or {}, FILTERS)
    query: Query = ExportQuery(log=log, fields=headers, timezone=timezone)
    if method == "table":
        query = TableQuery(table=TABLES[log], timezone=timezone, filters=tuple((filters or {}).items()))
    text = DelimitedText(multiline=True, ignored=NO_EXTRA_PARAMETERS)
    unwanted = tuple(field for field in documented if field not in headers)
    pages = JsonRows(rows="data.data", count="data.count", sparse=True, ignored=unwanted)
    report: Report = Report(
        provider=PROVIDER,
        name=name,
        query=query,
        columns=tuple(_column(item, log, time_forms) for item in fields),
        grain=tuple(grain),
        grain_promised=False,
        calendar=Calendar(timezone=timezone, publish_delay=published_after, restated_at=restated_at),
        window_days=MAX_WINDOW_DAYS if method == "export" else 1,
        format=text if method == "export" else pages,
        day_from=LOGS[log],
        entity="offer_db_id" if {"offer_db_id", "revenue"} <= set(headers) else "",
        description=description,
        none_texts=none_texts,
    )
    if method == "table" or log not in TABLES:
        # A table counts its own rows; of postbacks there is none.
        return report
    counted = (day("Date"), measure(ROWS, "Rows of the day", unit="rows"))
    question = CountQuery(table=TABLES[log], timezone=timezone)
    return report.with_control(question, counted, format=DelimitedText(), window_days=MAX_COUNTED_DAYS)


def _column(field: str | Column, log: str, time_forms: tuple[TimeForm, ...]) -> Column:
    """A field of a log; the provider may not know one that the document does not list, and leave it out (IN11)."""
    if not isinstance(field, str):
        return replace(field, documented=False)
    column = event_column(field, time_forms)
    return column if log in FIELDS else replace(column, documented=False, optional=field != LOGS[log])


def integr8_list(
    *, name: str, fields: Mapping[str, str], description: str = "", none_texts: tuple[str, ...] = ()
) -> Report:
    """Declare the latest snapshot of an entity list: `name` is the entity, `fields` its columns (IN2, IN11).

    `none_texts` mean no value in columns that are no text.

    Raises:
        DeclarationError: naming file, report and field.
    """
    require_known(PROVIDER, name, "name", [name], ENTITIES)
    if not isinstance(as_given(fields), Mapping):
        raise declaration_error(PROVIDER, name, "fields", "is not a mapping of fields to what they are")
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
