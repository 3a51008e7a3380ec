"""One file of a response, and what every format makes of it: texts by column."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.landing.parsing.total_rows import is_total
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.column import Column
from reporting_dags.model.errors import DataError
from reporting_dags.model.report import Report

_SHOWN_NAMES = 40


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """One file of a response.

    Attributes:
        path: the provider's bytes.
        literal_columns: header → value, for declared columns that the file itself does not have, such as the app of a
            file that is of one app. If the file does have the column, each of its rows must hold that value or none.
        expected_echo: dotted path in a JSON document → the text that must stand there: what was asked, as the provider
            repeats it. Lines of text have no place for any.
    """

    path: Path
    literal_columns: Mapping[str, str] = field(default_factory=dict[str, str])
    expected_echo: Mapping[str, str] = field(default_factory=dict[str, str])


class RawFileReader(Protocol):
    """One file of a response, ready to be read."""

    @property
    def records(self) -> int:
        """Rows that the bytes hold, counted without the parser."""
        ...

    @property
    def literal_columns(self) -> Mapping[str, str]:
        """Header → value of what was asked, which the rows need not hold."""
        ...

    @property
    def expected(self) -> int | None:
        """Rows that the file itself says there are, where its format has a place for that."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know though the rows stand."""
        ...

    def batches(self) -> Iterator[list[AnyArray]]:
        """Every row as texts, in the order of `sent`; null where the row does not have the column."""
        ...


def sent_columns(report: Report) -> tuple[Column, ...]:
    """The columns that batches hold: all but those that are worked out from another."""
    return tuple(column for column in report.columns if column.flags is None)


def name_among(column: Column, names: Container[str]) -> str | None:
    """Under which of its names a column stands among those of a file or row, if it does."""
    if column.catch_all:
        return None
    return next((name for name in (column.header, *column.aliases) if name in names), None)


def may_lack(column: Column, constants: Mapping[str, str]) -> bool:
    """Whether a file need not have the column."""
    return column.optional or column.catch_all or column.header in constants


def missing(column: Column, names: Sequence[str]) -> DataError:
    """The error to raise when a file that has `names` lacks a column."""
    return DataError(
        f"column {column.header!r} is missing; the response has {shown(names)}",
        advice="If the provider renamed it, add the new name to the column's aliases",
    )


def agreed(column: Column, texts: AnyArray, constant: str) -> AnyArray:
    """A column that holds `constant` in every row; empty fields take it.

    Raises:
        DataError: a row holds something else.
    """
    for other in texts.unique().to_pylist():
        if other and other != constant:
            message = (
                f"{shortened(other)!r} in the response for {constant!r}{': a total row' if is_total(other) else ''}"
            )
            raise DataError(
                f"column {column.header!r} holds {'more than what was asked' if column.personal else message}"
            )
    return repeated(constant, len(texts))


def repeated(text: str | None, rows: int) -> AnyArray:
    """A column of one text, or of nulls."""
    return pa.repeat(pa.scalar(text, pa.string()), rows)


def shown(names: Sequence[str]) -> str:
    """Names as a list for a message, bounded however many there are."""
    message = ", ".join(shortened(name) for name in names[:_SHOWN_NAMES])
    return f"{message} and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else message
