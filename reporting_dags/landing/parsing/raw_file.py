"""One raw file of a response, and the interface of the readers of all formats."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.landing.parsing.total_rows import is_total_word
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.column import Column
from reporting_dags.model.errors import DataError
from reporting_dags.model.report import Report

_MAX_SHOWN_NAMES = 40
_OTHER_VALUE = "values other than the requested one"


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """One file of a response.

    Attributes:
        path: the file with the bytes that the provider sent.
        literal_columns: header → value, for declared columns that the file itself may lack, such as the app id in a
            file for one app. If the file has the column, each row must contain that value or an empty one.
        expected_echo: dotted path in a JSON document → the text that it must contain: a part of the request, as the
            provider repeats it in the response. Empty for delimited text, which cannot repeat the request.
    """

    path: Path
    literal_columns: Mapping[str, str] = field(default_factory=dict[str, str])
    expected_echo: Mapping[str, str] = field(default_factory=dict[str, str])


class RawFileReader(Protocol):
    """Reads one file of a response into batches of texts."""

    @property
    def records(self) -> int:
        """Number of rows, counted without the parser that `batches` uses."""
        ...

    @property
    def literal_columns(self) -> Mapping[str, str]:
        """Header → requested value, for columns that the file itself may lack."""
        ...

    @property
    def expected_records(self) -> int | None:
        """Number of rows that the file itself declares; None if it does not."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know about the file, although its rows are valid."""
        ...

    def batches(self) -> Iterator[list[AnyArray]]:
        """Yield the rows as texts, one array for each of `sent_columns`; null where the row lacks the column."""
        ...


def sent_columns(report: Report) -> tuple[Column, ...]:
    """Return the columns that a provider sends: all except flags, which are computed from another column."""
    return tuple(column for column in report.columns if column.flags is None)


def find_name(column: Column, names: Container[str]) -> str | None:
    """Return the name (header or alias) of a column that is among `names`, or None."""
    if column.catch_all:
        return None
    return next((name for name in (column.header, *column.aliases) if name in names), None)


def may_be_missing(column: Column, literal_columns: Mapping[str, str]) -> bool:
    """Return whether a file may lack the column."""
    return column.optional or column.catch_all or column.header in literal_columns


def missing_column_error(column: Column, names: Sequence[str]) -> DataError:
    """Return the error for a file that has the columns `names` but lacks `column`."""
    return DataError(
        f"column {column.header!r} is missing; the response has {format_names(names)}",
        advice="If the provider renamed it, add the new name to the column's aliases",
    )


def require_literal(column: Column, texts: AnyArray, literal: str) -> AnyArray:
    """Return a column with `literal` in every row, after a check that the file agrees; empty fields are filled.

    Raises:
        DataError: a row contains a different value.
    """
    for text in texts.unique().to_pylist():
        if text and text != literal:
            total = ": a total row" if is_total_word(text) else ""
            message = f"{shortened(text)!r} in the response for {literal!r}{total}"
            # Personal data is not shown.
            raise DataError(f"column {column.header!r} holds {_OTHER_VALUE if column.personal else message}")
    return repeat_text(literal, len(texts))


def repeat_text(text: str | None, rows: int) -> AnyArray:
    """Return a column that repeats one text, or null if `text` is None."""
    return pa.repeat(pa.scalar(text, pa.string()), rows)


def format_names(names: Sequence[str]) -> str:
    """Return the names as a comma-separated list for a message, shortened if there are many."""
    message = ", ".join(shortened(name) for name in names[:_MAX_SHOWN_NAMES])
    return f"{message} and {len(names) - _MAX_SHOWN_NAMES} more" if len(names) > _MAX_SHOWN_NAMES else message
