"""A table of texts, and its conversion to a delimited text file."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

# Placeholder for an unescaped quote character, which must not be escaped by the CSV writer.
QUOTE = "\x02"


@dataclass
class Table:
    """A header and rows of texts. After damage, rows can have more or fewer cells than the header.

    Attributes:
        header: names of the columns.
        rows: cells of each row.
        line_end: line terminator of the file.
        encoding: encoding of the file.
        delimiter: character between cells.
        quoted: whether cells are quoted where needed.
        day: name of the column with the day of a row.
        entity: name of the column with the app, site or offer of a row.
        day_text: formats a day as the cells of the day column begin.
    """

    header: list[str]
    rows: list[list[str]] = field(default_factory=list[list[str]])
    line_end: str = "\n"
    encoding: str = "utf-8"
    delimiter: str = ","
    quoted: bool = True
    day: str = "Date"
    entity: str = ""
    day_text: Callable[[date], str] = date.isoformat

    def column(self, name: str) -> int | None:
        """Return the index of the column `name`; None if there is no such column."""
        return self.header.index(name) if name in self.header else None

    def as_text(self) -> bytes:
        """Return the file as bytes."""
        if not self.quoted:
            lines = [self.delimiter.join(row) + self.line_end for row in (self.header, *self.rows)]
            return "".join(lines).replace(QUOTE, '"').encode(self.encoding, errors="replace")
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=self.line_end, delimiter=self.delimiter)
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return text.getvalue().encode(self.encoding, errors="replace").replace(QUOTE.encode(), b'"')

    def as_dicts(self) -> list[dict[str, str]]:
        """Return the sorted rows as dictionaries by column name."""
        return [dict(zip(self.header, row, strict=True)) for row in sorted(self.rows)]
