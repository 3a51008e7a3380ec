"""The header of delimited text: names of columns, without blanks around them; a title line is told apart from it."""

import contextlib
import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reporting_dags.landing.parsing.raw_file import may_lack, missing, name_among, shown
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.column import Column
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import DelimitedText

_BYTES = 2 << 20
_LINES_ABOVE = 10
"""In how many lines below the first a header is looked for."""


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file.

    Attributes:
        names: in the order of the file.
        sent: name → as it stands in the file, with its blanks.
        warnings: what a user should know.
    """

    names: list[str]
    sent: Mapping[str, str]
    warnings: tuple[str, ...] = field(default=())


def read_header(path: Path, text: DelimitedText, columns: Sequence[Column], constants: Mapping[str, str]) -> Header:
    """The header in the first line that is not blank.

    Raises:
        DataError: it cannot be read, is not a header, lacks a column that the file may not lack, or names one twice.
        OSError: the file cannot be read.
    """
    lines = _lines(path, text)
    try:
        sent = next(lines)
    except (csv.Error, StopIteration):
        raise DataError("the header cannot be read") from None
    names = [name.strip() for name in sent]
    there = _named(columns, names)
    lacking = [column for column in columns if column not in there and not may_lack(column, constants)]
    if lacking or not there:
        _refuse_title(sent, lines, columns, more_than=len(there))
    if not there:
        # Not shown: where the header is missing, these are the values of the first row.
        raise DataError("the first line names no declared column: the response has no header, or another one")
    for name in names:
        if names.count(name) > 1:
            spelled = sorted({repr(shortened(each)) for each in sent if each.strip() == name})
            raise DataError(f"header {' and '.join(spelled)} is duplicated" if name else _NAMELESS)
    if lacking:
        raise missing(lacking[0], names)
    padded = [name for name in sent if name != name.strip()]
    warnings = (f"headers with blanks around them, which were ignored: {shown([repr(name) for name in padded])}",)
    return Header(names, dict(zip(names, sent, strict=True)), warnings if padded else ())


_NAMELESS = "several columns of the header have no name ('' is duplicated)"


def _lines(path: Path, text: DelimitedText) -> Iterator[list[str]]:
    quoting = csv.QUOTE_MINIMAL if text.quoted else csv.QUOTE_NONE
    with path.open(encoding="utf-8-sig", newline="") as file:
        start = io.StringIO(file.read(_BYTES), newline="")
    # csv takes its lines lazily, so that few are read; lines that are blank are none for pyarrow either.
    lines = (line for line in start if line.strip("\r\n"))
    yield from csv.reader(lines, delimiter=text.delimiter, quoting=quoting)


def _named(columns: Sequence[Column], names: Sequence[str]) -> list[Column]:
    return [column for column in columns if name_among(column, names) is not None]


def _refuse_title(
    first: Sequence[str], others: Iterator[list[str]], columns: Sequence[Column], *, more_than: int
) -> None:
    """Raise where a line below the first names more of the columns: the first is a title."""
    for number, line in enumerate(itertools.islice(_readable(others), _LINES_ABOVE), 2):
        if len(_named(columns, [name.strip() for name in line])) > max(1, more_than):
            cells = [cell.strip() for cell in first if cell.strip()]
            # Several cells may be the values of a row, and those of a person.
            title = f" ({shortened(cells[0])!r})" if len(cells) == 1 else ""
            raise DataError(
                f"the first line is a title{title}, not the header, which is in line {number}",
                advice="Fix: ask the provider for the report without lines above its header",
            )


def _readable(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    with contextlib.suppress(csv.Error):
        yield from lines
