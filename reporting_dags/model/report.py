"""The declaration of a report: what is pulled from a provider, its columns, and when a day is complete."""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any, NoReturn, Self
from zoneinfo import ZoneInfo

import pyarrow as pa

from reporting_dags.model.column import Column, Kind, TimeForm
from reporting_dags.model.days import Calendar
from reporting_dags.model.errors import DeclarationError
from reporting_dags.model.format import DelimitedText, Format
from reporting_dags.model.numbers import is_number
from reporting_dags.model.privacy import Privacy
from reporting_dags.model.scope import Scope, query_scope

_SHOWN_CHOICES = 30
_NOT_PARSING = frozenset(
    {
        "provider",
        "name",
        "query",
        "calendar",
        "window_days",
        "privacy",
        "variable",
        "variable_value",
        "description",
        "control",
    }
)
"""Fields of a report that do not decide whether a response can be parsed."""
ROWS = "rows"
"""Header of the column of a control report that counts the rows of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The declaration of one report. An invalid one raises `DeclarationError`, which names file, report and field.

    Attributes:
        provider: first part of the asset key, and the file under `reports/` that declares it.
        name: second part of the asset key.
        query: the request to the provider; only the provider's package knows its type.
        columns: all columns of the response that are stored, and the day column.
        grain: headers whose combined values are unique within a day; empty if a day is one row.
        grain_promised: whether the provider's documentation promises a unique grain. Rows with a duplicate key fail
            the day if it does, and land with a warning if it does not.
        calendar: when days are published and restated, and how long the provider keeps them.
        window_days: maximum number of days that one query can cover.
        format: the format of the response.
        day_from: header of the time column from which the day of a row is read, in the calendar's time zone; for
            events in responses without a day column.
        partitioned: whether the report has a partition for each day. If not, it is one snapshot, which is replaced.
        entity: header of the column that identifies the app, site or offer to which the money belongs.
        hour: for an hourly report: header of the column with the hour of a row, which must be within the row's day.
        privacy: the policy for personal columns.
        variable: environment variable with further values to request, such as app ids; empty if there is none.
        variable_value: the current value of that variable.
        description: description of the report for the UI and the data dictionary.
        none_texts: texts that mean "no value" in number, time and flag columns, such as "--"; spaces around them are
            ignored. Such values are stored as null. Text columns keep them as sent.
        control: a less detailed report with the same totals; None if the provider has none.
    """

    provider: str
    name: str
    query: Any
    columns: tuple[Column, ...]
    grain: tuple[str, ...]
    calendar: Calendar
    window_days: int
    format: Format = field(default_factory=DelimitedText)
    day_from: str = ""
    partitioned: bool = True
    entity: str = ""
    hour: str = ""
    privacy: Privacy = field(default_factory=Privacy)
    grain_promised: bool = True
    variable: str = ""
    variable_value: str = ""
    description: str = ""
    none_texts: tuple[str, ...] = ()
    control: "Report | None" = None

    def __post_init__(self) -> None:
        for field_name, text in (("provider", self.provider), ("name", self.name)):
            if not re.fullmatch(r"[A-Za-z0-9_]+", text):
                self._refuse(field_name, f"{text!r} may contain only letters, digits and underscores")
        if not self.columns:
            self._refuse("columns", "has none")
        names = [column.name for column in self.columns]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._refuse("columns", f"{name} is duplicated")
        self._check_day()
        for column in self.columns:
            self._check_money(column)
            self._check_time(column)
        self._check_sources()
        if sum(column.catch_all for column in self.columns) > 1:
            self._refuse("columns", "more than one column holds the undeclared columns")
        if self.window_days < 1:
            self._refuse("window_days", f"is {self.window_days}; a query covers at least one day")
        self._check_calendar()
        self._check_none_texts()

    def _check_none_texts(self) -> None:
        texts = untyped(self.none_texts)
        if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
            self._refuse("none_texts", f"{texts!r} is not a tuple of texts, such as ('--', 'N/A')")
        for text in texts:
            if text != text.strip():
                self._refuse("none_texts", f"{text!r} has spaces around it, which are ignored. Fix: remove them")
            if is_number(text):
                self._refuse("none_texts", f"{text!r} is a number: stored as null, it would be missing from the sums")

    def _check_calendar(self) -> None:
        calendar = self.calendar
        try:
            ZoneInfo(calendar.timezone)
        except (KeyError, ValueError, OSError, TypeError):
            self._refuse("calendar.timezone", f"{calendar.timezone!r} is not an IANA time zone")
        ages = untyped(calendar.restated_at)
        if not isinstance(ages, tuple) or not all(isinstance(age, int) and age > 0 for age in ages):
            self._refuse("restated_at", f"{ages!r} is not a tuple of ages in days, such as (1, 2, 3)")
        delay = untyped(calendar.publish_delay)
        if not isinstance(delay, timedelta):
            self._refuse("publish_delay", f"{delay!r} is not a duration, such as timedelta(hours=6)")
        if delay < timedelta() or delay % timedelta(minutes=1):
            self._refuse("publish_delay", f"{delay} is not a number of full minutes, 0 or more")

    def _check_sources(self) -> None:
        headers = {column.header: column for column in self.columns}
        if self.entity and self.entity not in headers:
            self._refuse("entity", f"{self.entity!r} is not a column of the report")
        if self.hour and (self.hour not in headers or headers[self.hour].kind is not Kind.TIME):
            self._refuse("hour", f"{self.hour!r} is not a time column of the report")
        for column in self.columns:
            sources: list[str] = []
            if column.ratio_of:
                sources += [column.ratio_of.over, column.ratio_of.under]
            if column.flags:
                sources.append(column.flags[0])
            for source in sources:
                if source not in headers or headers[source].flags:
                    self._refuse(
                        "columns",
                        f"{column.header!r} is computed from {source!r}, which is not a column of the response",
                    )
        for header in self.grain:
            if header not in headers:
                self._refuse("grain", f"{header!r} is not a column of the report")
            if headers[header].kind not in {Kind.IDENTITY, Kind.TIME}:
                self._refuse("grain", f"{header!r} is a {headers[header].kind}, not an identity")

    def _check_day(self) -> None:
        days = [column for column in self.columns if column.kind is Kind.DAY]
        times = {column.header for column in self.columns if column.kind is Kind.TIME}
        if self.day_from and self.day_from not in times:
            self._refuse("day_from", f"{self.day_from!r} is not a time column of the report")
        required = 0 if self.day_from or not self.partitioned else 1
        if len(days) != required:
            self._refuse("columns", f"needs {'exactly one' if required else 'no'} day column, has {len(days)}")

    def _check_money(self, column: Column) -> None:
        is_money = column.kind is Kind.MONEY
        if is_money and (column.currency is None) == (column.currency_from is None):
            self._refuse("columns", f"money column {column.header!r} needs either a currency or a currency column")
        if is_money and not pa.types.is_decimal(column.type):
            self._refuse("columns", f"money column {column.header!r} must be a decimal, is {column.type}")
        source = column.currency_from
        if source is not None and source not in {other.header for other in self.columns}:
            self._refuse("columns", f"{column.header!r} takes its currency from {source!r}, which is not a column")

    def _check_time(self, column: Column) -> None:
        forms, tolerance = untyped(column.forms), untyped(column.day_tolerance)
        if not forms or not isinstance(forms, tuple) or not all(isinstance(form, TimeForm) for form in forms):
            self._refuse("columns", f"{column.header!r}: forms: {forms!r} is not a tuple such as (TimeForm.TEXT,)")
        if {TimeForm.UNIX_SECONDS, TimeForm.HOUR} <= set(forms):
            why = "Unix seconds and YYYYMMDDHH both have ten digits. Fix: declare only the one that the provider sends"
            self._refuse("columns", f"{column.header!r}: forms: {why}")
        if tolerance is not None and (not isinstance(tolerance, timedelta) or tolerance < timedelta()):
            self._refuse("columns", f"{column.header!r}: day_tolerance: {tolerance!r} is not a duration, or negative")

    def _refuse(self, field_name: str, why: str) -> NoReturn:
        raise declaration_error(self.provider, self.name, field_name, why)

    def with_control(
        self, query: Any, columns: tuple[Column, ...], *, grain: tuple[str, ...] = (), **other: Any
    ) -> Self:
        """Return the report with a control report, whose daily totals must equal those of the report.

        Args:
            query: the query of the control.
            columns: its columns. Without a money column or `ROWS` there is nothing to compare, and no control is added.
            grain: its grain.
            other: further fields that differ from those of the report.
        """
        if not any(column.kind is Kind.MONEY or column.header == ROWS for column in columns):
            return self
        values: dict[str, Any] = {
            "name": f"{self.name}_control",
            "query": query,
            "columns": columns,
            "grain": grain,
            "grain_promised": True,
            "calendar": replace(self.calendar, restated_at=()),
            "day_from": "",
            "entity": "",
            "hour": "",
            "description": f"Daily totals, with which {self.key} is compared.",
        }
        return replace(self, control=replace(self, **(values | other)))

    @property
    def key(self) -> str:
        """`provider/report`: the asset key, the folder of the dataset, and the name in the ledger and in messages."""
        return f"{self.provider}/{self.name}"

    @property
    def query_hash(self) -> str:
        """A hash of the query: a pending job is resumed only if its query is still the same."""
        return hashlib.sha256(repr(self.query).encode()).hexdigest()

    @property
    def version(self) -> str:
        """The code version: a hash of the query and the stored schema. Days of another version are pulled again."""
        policy = self.privacy.version if any(column.personal for column in self.columns) else ""
        derived = [(self.day_from, self.calendar.timezone), *(column.flags for column in self.columns if column.flags)]
        text = f"{self.query!r} {self.schema.to_string()} {policy} {derived!r} {self.variable_value}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def scope(self, parts: Collection[str]) -> Scope:
        """Return the scope of a partition that is requested for `parts`, such as app ids."""
        query = query_scope(self.query)
        days = {"time zone": self.calendar.timezone} | ({"day from": self.day_from} if self.day_from else {})
        return Scope(
            fixed={**query.fixed, **days},
            filters=query.filters,
            columns=frozenset(column.name for column in self.stored_columns),
            # Without a variable, parts are parts of a day, and all of them together cover it.
            parts=frozenset(parts) if self.variable else frozenset(),
        )

    @property
    def parser_hash(self) -> str:
        """A hash of all that decides whether a response can be parsed: columns, format, grain, row times, time zone."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in _NOT_PARSING}
        return hashlib.sha256(f"{values!r} {self.calendar.timezone}".encode()).hexdigest()

    @property
    def requested_shards(self) -> tuple[str, ...]:
        """The shards that the environment variable names now, such as app ids; empty if it names none."""
        return tuple(name for name in self.variable_value.split(",") if name)

    @property
    def day_column(self) -> Column | None:
        """The column from which the day of a row is read; None for a snapshot."""
        matches = (column for column in self.columns if column.kind is Kind.DAY or column.header == self.day_from)
        return next(matches, None)

    @property
    def row_times(self) -> tuple[tuple[Column, timedelta], ...]:
        """The columns with the hour or the event time of a row, each with its tolerance outside the row's day.

        The column from which the day is read is not included. A snapshot has none.
        """
        times = [
            (column, timedelta() if column.day_tolerance is None else column.day_tolerance)
            for column in self.columns
            if column.day_tolerance is not None or (self.hour and column.header == self.hour)
        ]
        return tuple(time for time in times if self.partitioned and time[0].header != self.day_from)

    def file(self, day: date) -> str:
        """Return the path of the file of `day`, relative to the data root."""
        folder = f"{self.key}/date={day.isoformat()}" if self.partitioned else self.key
        return f"{folder}/part-0.parquet"

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        """The columns of the Parquet file: all except the day, which is the partition."""
        return tuple(column for column in self.columns if column.kind is not Kind.DAY)

    @property
    def grain_names(self) -> tuple[str, ...]:
        """The grain as column names of the Parquet file, without the day."""
        by_header = {column.header: column for column in self.stored_columns}
        return tuple(by_header[header].name for header in self.grain if header in by_header)

    @property
    def schema(self) -> pa.Schema:
        """The Parquet schema; the metadata of each field are its header, kind, unit and currency."""
        return pa.schema([_field(column) for column in self.stored_columns])


def _field(column: Column) -> "pa.Field[pa.DataType]":
    metadata = {
        "header": column.header,
        "kind": column.kind.value,
        "unit": column.unit,
        "currency": column.currency or "",
        "currency_from": column.currency_from or "",
        "personal": column.personal or "",
    }
    return pa.field(column.name, column.type, metadata={key: value for key, value in metadata.items() if value})


def untyped(value: Any) -> Any:
    """Return `value` without its static type: declarations may not have been type-checked."""
    return value


def declaration_error(provider: str, name: str, field_name: str, why: str) -> DeclarationError:
    """Return a `DeclarationError` that names the file, the report and the field."""
    return DeclarationError(f"reports/{provider}.py: {provider}/{name}: {field_name}: {why}")


def require_known(provider: str, name: str, field_name: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise `DeclarationError` for the first of `names` that is not in `known`; the message lists known names."""
    choices = tuple(known)
    for item in names:
        if item not in choices:
            similar = get_close_matches(str(item), choices, n=3)
            if similar and len(choices) > _SHOWN_CHOICES:
                raise declaration_error(
                    provider, name, field_name, f"unknown {item!r}; similar names: {', '.join(similar)}"
                )
            more = f" and {len(choices) - _SHOWN_CHOICES} more" if len(choices) > _SHOWN_CHOICES else ""
            listed = f"{', '.join(choices[:_SHOWN_CHOICES])}{more}"
            raise declaration_error(provider, name, field_name, f"unknown {item!r}; known names: {listed}")
