"""A file with a header and rows, before it is bytes."""

import csv
import io
from dataclasses import dataclass, field


@dataclass
class Table:
    """Printed cells; damage may leave rows with more or fewer cells than the header has."""

    header: list[str]
    rows: list[list[str]] = field(default_factory=list[list[str]])
    line_end: str = "\n"
    encoding: str = "utf-8"

    def column(self, name: str) -> int | None:
        """Where the column `name` is, if it is there."""
        return self.header.index(name) if name in self.header else None

    def as_csv(self) -> bytes:
        """The file: comma-separated, quoted where needed."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=self.line_end)
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return text.getvalue().encode(self.encoding, errors="replace")

    def as_dicts(self) -> list[dict[str, str]]:
        """The rows by column name, sorted by all their cells."""
        return [dict(zip(self.header, row, strict=True)) for row in sorted(self.rows)]
