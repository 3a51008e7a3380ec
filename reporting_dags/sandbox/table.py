"""A file with a header and rows, before it is bytes."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

# Stands for a bare quote until the rest of the file has been quoted as it should be.
QUOTE = "\x02"


@dataclass
class Table:
    """Printed cells; damage may leave rows with more or fewer cells than the header has.

    `day` and `entity` are the headers of the columns that say of which day and of which app, site or offer a row is;
    the cells of a day's rows begin with `day_text`.
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
        """Where the column `name` is, if it is there."""
        return self.header.index(name) if name in self.header else None

    def as_text(self) -> bytes:
        """The file: a line a row; quoted where needed, or never."""
        if not self.quoted:
            lines = [self.delimiter.join(row) + self.line_end for row in (self.header, *self.rows)]
            return "".join(lines).replace(QUOTE, '"').encode(self.encoding, errors="replace")
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=self.line_end, delimiter=self.delimiter)
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return text.getvalue().encode(self.encoding, errors="replace").replace(QUOTE.encode(), b'"')

    def as_dicts(self) -> list[dict[str, str]]:
        """The rows by column name, sorted by all their cells."""
        return [dict(zip(self.header, row, strict=True)) for row in sorted(self.rows)]
