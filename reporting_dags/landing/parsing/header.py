"""Reads the header of delimited text, strips blanks around the column names, and rejects a title line above it."""

import contextlib
import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reporting_dags.landing.parsing.raw_file import find_name, format_names, may_be_missing, missing_column_error
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.column import Column
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import DelimitedText

_MAX_HEADER_BYTES = 2 << 20
_MAX_LINES_SEARCHED = 10
"""How many lines below the first one are searched for a header."""


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file.

    Attributes:
        names: the column names without surrounding blanks, in the order of the file.
        raw_names: name → the name as written in the file, with its blanks.
        warnings: what a user should know about the header.
    """

    names: list[str]
    raw_names: Mapping[str, str]
    warnings: tuple[str, ...] = field(default=())


def read_header(
    path: Path, text_format: DelimitedText, columns: Sequence[Column], literal_columns: Mapping[str, str]
) -> Header:
    """Read the header, which is the first line that is not blank.

    Args:
        path: the raw file.
        text_format: the delimiter and quoting of the file.
        columns: the declared columns.
        literal_columns: header → value, for columns that the file itself may lack.

    Raises:
        DataError: the header cannot be read, is not a header, lacks a required column, or has a duplicate name.
        OSError: the file cannot be read.
    """
    lines = _lines(path, text_format)
    try:
        raw_header = next(lines)
    except (csv.Error, StopIteration):
        raise DataError("the header cannot be read") from None
    names = [name.strip() for name in raw_header]
    present = _columns_named(columns, names)
    lacking = [column for column in columns if column not in present and not may_be_missing(column, literal_columns)]
    if lacking or not present:
        _reject_title_line(raw_header, lines, columns, more_than=len(present))
    if not present:
        # The names are not shown: if the header is missing, they are values of the first row.
        raise DataError("the first line names no declared column: the response has no header, or a different one")
    for name in names:
        if names.count(name) > 1:
            spelled = sorted({repr(shortened(raw_name)) for raw_name in raw_header if raw_name.strip() == name})
            raise DataError(f"header {' and '.join(spelled)} is duplicated" if name else _SEVERAL_UNNAMED)
    if lacking:
        raise missing_column_error(lacking[0], names)
    padded = [name for name in raw_header if name != name.strip()]
    warnings = (f"blanks around headers were ignored: {format_names([repr(name) for name in padded])}",)
    return Header(names, dict(zip(names, raw_header, strict=True)), warnings if padded else ())


_SEVERAL_UNNAMED = "several columns of the header have no name ('' is duplicated)"


def _lines(path: Path, text_format: DelimitedText) -> Iterator[list[str]]:
    quoting = csv.QUOTE_MINIMAL if text_format.quoted else csv.QUOTE_NONE
    with path.open(encoding="utf-8-sig", newline="") as file:
        start = io.StringIO(file.read(_MAX_HEADER_BYTES), newline="")
    # Lines are read lazily, so that only a few are parsed. Blank lines are skipped, as pyarrow does.
    lines = (line for line in start if line.strip("\r\n"))
    yield from csv.reader(lines, delimiter=text_format.delimiter, quoting=quoting)


def _columns_named(columns: Sequence[Column], names: Sequence[str]) -> list[Column]:
    return [column for column in columns if find_name(column, names) is not None]


def _reject_title_line(
    first: Sequence[str], others: Iterator[list[str]], columns: Sequence[Column], *, more_than: int
) -> None:
    """Raise an error if a line below the first names more of the columns, since the first line is then a title.

    Args:
        first: the cells of the first line.
        others: the lines below it.
        columns: the declared columns.
        more_than: the number of columns that the first line names.

    Raises:
        DataError: the first line is a title.
    """
    for number, line in enumerate(itertools.islice(_until_error(others), _MAX_LINES_SEARCHED), 2):
        if len(_columns_named(columns, [name.strip() for name in line])) > max(1, more_than):
            cells = [cell.strip() for cell in first if cell.strip()]
            # Several cells may be the values of a row, which may be personal data.
            title = f" ({shortened(cells[0])!r})" if len(cells) == 1 else ""
            raise DataError(
                f"the first line is a title{title}, not the header, which is in line {number}",
                advice="Fix: ask the provider to send the report without lines above its header",
            )


def _until_error(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    with contextlib.suppress(csv.Error):
        yield from lines
