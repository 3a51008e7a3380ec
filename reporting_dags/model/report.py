"""A report: one declaration of what is pulled from a provider, in what shape, and what makes a day of it whole."""

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
"""Fields of a report that do not decide whether a response can be read."""
ROWS = "rows"
"""The measure of a control that counts the rows of a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report. Wrong declarations raise `DeclarationError` here, so at load, naming file, report and field.

    Attributes:
        provider: first part of the asset key, and the file under `reports/` that declares it.
        name: second part of the asset key.
        query: what the provider is asked, in its own terms; opaque to everything but the provider.
        columns: every column of the response that is kept, the day column among them.
        grain: headers whose values together are unique within a day; empty where a day is one row.
        grain_promised: whether the provider's document promises that. Rows that share a promised grain refuse their
            day; those that share an assumed one are landed with a warning.
        calendar: when days are published, for how long they are restated and served.
        window_days: the most days that one query may cover.
        format: how the response is written.
        day_from: header of the time column whose day, in the calendar's time zone, is a row's day; where rows are
            events, and the response has no day column.
        partitioned: whether the report is kept by day. One that is not is a snapshot of the day on which it was taken.
        entity: header of the column that names the app, site or offer which earns.
        hour: header of the time column that tells the hour which a row is about, of a report by the hour; it must lie
            in the row's day.
        privacy: what becomes of personal columns.
        variable: environment variable that names what is asked besides the declaration, such as the apps.
        variable_value: what that variable holds now.
        description: what the report is, for the UI and the data dictionary.
        none_texts: texts that mean no value in columns of numbers, times and flags, such as "--"; blanks around them
            do not count. They are null. Text columns keep them as sent.
        control: a coarser question, whose totals are those of the report; None where the provider has none.
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
                self._refuse(field_name, f"{text!r} may hold letters, digits and underscores alone")
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
            self._refuse("columns", "more than one of them takes what is not declared")
        if self.window_days < 1:
            self._refuse("window_days", f"is {self.window_days}; a query covers at least one day")
        self._check_calendar()
        self._check_none_texts()

    def _check_none_texts(self) -> None:
        texts = as_given(self.none_texts)
        if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
            self._refuse("none_texts", f"{texts!r} is not a tuple of texts, such as ('--', 'N/A')")
        for text in texts:
            if text != text.strip():
                self._refuse("none_texts", f"{text!r} has blanks around it, which do not count: leave them out")
            if is_number(text):
                self._refuse("none_texts", f"{text!r} is a number: as null it would be missing from the sums")

    def _check_calendar(self) -> None:
        calendar = self.calendar
        try:
            ZoneInfo(calendar.timezone)
        except (KeyError, ValueError, OSError, TypeError):
            self._refuse("calendar.timezone", f"{calendar.timezone!r} is not an IANA time zone")
        ages = as_given(calendar.restated_at)
        if not isinstance(ages, tuple) or not all(isinstance(age, int) and age > 0 for age in ages):
            self._refuse("restated_at", f"{ages!r} is not a tuple of ages in days, such as (1, 2, 3)")
        after = as_given(calendar.publish_delay)
        if not isinstance(after, timedelta):
            self._refuse("publish_delay", f"{after!r} is not a length of time, such as timedelta(hours=6)")
        if after < timedelta() or after % timedelta(minutes=1):
            self._refuse("publish_delay", f"{after} must be whole minutes, 0 or more")

    def _check_sources(self) -> None:
        headers = {column.header: column for column in self.columns}
        if self.entity and self.entity not in headers:
            self._refuse("entity", f"{self.entity!r} is not a column of the report")
        if self.hour and (self.hour not in headers or headers[self.hour].kind is not Kind.TIME):
            self._refuse("hour", f"{self.hour!r} is no time column of the report")
        for column in self.columns:
            quotient, flags = column.ratio_of, column.flags
            sources = ((quotient.over, quotient.under) if quotient else ()) + ((flags[0],) if flags else ())
            for source in sources:
                if source not in headers or headers[source].flags:
                    self._refuse(
                        "columns", f"{column.header!r} is worked out from {source!r}, which is not a sent column"
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
            self._refuse("day_from", f"{self.day_from!r} is no time column of the report")
        requested = 0 if self.day_from or not self.partitioned else 1
        if len(days) != requested:
            self._refuse("columns", f"needs {'exactly one' if requested else 'no'} day column, has {len(days)}")

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
        forms, tolerance = as_given(column.forms), as_given(column.day_tolerance)
        if not forms or not isinstance(forms, tuple) or not all(isinstance(form, TimeForm) for form in forms):
            self._refuse("columns", f"{column.header!r}: forms: {forms!r} is not a tuple such as (TimeForm.TEXT,)")
        if {TimeForm.UNIX_SECONDS, TimeForm.HOUR} <= set(forms):
            why = "Unix seconds and YYYYMMDDHH are both ten digits; declare the one that the provider sends"
            self._refuse("columns", f"{column.header!r}: forms: {why}")
        if tolerance is not None and (not isinstance(tolerance, timedelta) or tolerance < timedelta()):
            self._refuse(
                "columns", f"{column.header!r}: day_tolerance: {tolerance!r} is not a length of time, or negative"
            )

    def _refuse(self, field_name: str, why: str) -> NoReturn:
        raise declaration_error(self.provider, self.name, field_name, why)

    def with_control(
        self, query: Any, columns: tuple[Column, ...], *, grain: tuple[str, ...] = (), **other: Any
    ) -> Self:
        """The report with a control: `query` answers `columns`, which tell the report's money by day, or its `ROWS`."""
        if not any(column.kind is Kind.MONEY or column.header == ROWS for column in columns):
            return self
        own: dict[str, Any] = {
            "name": f"{self.name}_control",
            "query": query,
            "columns": columns,
            "grain": grain,
            "grain_promised": True,
            "calendar": replace(self.calendar, restated_at=()),
            "day_from": "",
            "entity": "",
            "hour": "",
            "description": f"Totals by day, to which {self.key} is held.",
        }
        return replace(self, control=replace(self, **(own | other)))

    @property
    def key(self) -> str:
        """`provider/report`: the asset key, the dataset's folder, and the name in the ledger and in messages."""
        return f"{self.provider}/{self.name}"

    @property
    def query_hash(self) -> str:
        """A hash of the query: jobs of another query of the same report are not continued."""
        return hashlib.sha256(repr(self.query).encode()).hexdigest()

    @property
    def version(self) -> str:
        """A fingerprint of what is asked and in what shape it is kept: days landed under another one are due again."""
        policy = self.privacy.version if any(column.personal for column in self.columns) else ""
        derived = [(self.day_from, self.calendar.timezone), *(column.flags for column in self.columns if column.flags)]
        message = f"{self.query!r} {self.schema.to_string()} {policy} {derived!r} {self.variable_value}"
        return hashlib.sha256(message.encode()).hexdigest()[:16]

    def scope(self, parts: Collection[str]) -> Scope:
        """What a partition covers that is requested for `parts`, such as app ids, and stored as it is declared."""
        query = query_scope(self.query)
        days = {"time zone": self.calendar.timezone} | ({"day from": self.day_from} if self.day_from else {})
        return Scope(
            fixed={**query.fixed, **days},
            filters=query.filters,
            columns=frozenset(column.name for column in self.stored_columns),
            # Elsewhere a part is a piece of time, which says nothing of what the day covers.
            parts=frozenset(parts) if self.variable else frozenset(),
        )

    @property
    def parser_hash(self) -> str:
        """A hash of what decides whether a response can be parsed: columns, format, grain, row time and time zone."""
        parts = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in _NOT_PARSING}
        return hashlib.sha256(f"{parts!r} {self.calendar.timezone}".encode()).hexdigest()

    @property
    def requested_shards(self) -> tuple[str, ...]:
        """The parts that the environment names now, such as app ids; none where it names none."""
        return tuple(name for name in self.variable_value.split(",") if name)

    @property
    def day_column(self) -> Column | None:
        """The column from which a row's day is read; None in a snapshot, whose rows are all of the day it was taken."""
        requested = (column for column in self.columns if column.kind is Kind.DAY or column.header == self.day_from)
        return next(requested, None)

    @property
    def row_times(self) -> tuple[tuple[Column, timedelta], ...]:
        """The time columns that tell the hour or event of a row, and how far each may lie outside of the row's day.

        The column that decides the day is not among them, nor is any of a snapshot.
        """
        times = [
            (column, timedelta() if column.day_tolerance is None else column.day_tolerance)
            for column in self.columns
            if column.day_tolerance is not None or (self.hour and column.header == self.hour)
        ]
        return tuple(time for time in times if self.partitioned and time[0].header != self.day_from)

    def file(self, day: date) -> str:
        """Where, under the data root, the file of `day` lies."""
        folder = f"{self.key}/date={day.isoformat()}" if self.partitioned else self.key
        return f"{folder}/part-0.parquet"

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        """The columns of the Parquet file: all but the day, which is the partition."""
        return tuple(column for column in self.columns if column.kind is not Kind.DAY)

    @property
    def grain_names(self) -> tuple[str, ...]:
        """The grain in the file's column names, without the day."""
        by_header = {column.header: column for column in self.stored_columns}
        return tuple(by_header[header].name for header in self.grain if header in by_header)

    @property
    def schema(self) -> pa.Schema:
        """The Parquet schema; each field carries its provider's header, kind, unit and currency as metadata."""
        return pa.schema([_field(column) for column in self.stored_columns])


def _field(column: Column) -> "pa.Field[pa.DataType]":
    facts = {
        "header": column.header,
        "kind": column.kind.value,
        "unit": column.unit,
        "currency": column.currency or "",
        "currency_from": column.currency_from or "",
        "personal": column.personal or "",
    }
    return pa.field(column.name, column.type, metadata={key: value for key, value in facts.items() if value})


def as_given(value: Any) -> Any:
    """What a declaration gives, whose author no type checker may have warned."""
    return value


def declaration_error(provider: str, name: str, field_name: str, why: str) -> DeclarationError:
    """A `DeclarationError` that names the file, the report and the field."""
    return DeclarationError(f"reports/{provider}.py: {provider}/{name}: {field_name}: {why}")


def require_known(provider: str, name: str, field_name: str, asked: Iterable[str], known: Iterable[str]) -> None:
    """Raise `DeclarationError` for the first of `asked` that is not `known`, with the names that are."""
    choices = tuple(known)
    for item in asked:
        if item not in choices:
            near = get_close_matches(str(item), choices, n=3)
            shown = near if near and len(choices) > _SHOWN_CHOICES else choices
            message = "near to it are" if shown is near else "known are"
            more = f" and {len(shown) - _SHOWN_CHOICES} more" if len(shown) > _SHOWN_CHOICES else ""
            listed = f"{', '.join(shown[:_SHOWN_CHOICES])}{more}"
            raise declaration_error(provider, name, field_name, f"unknown {item!r}; {message} {listed}")
