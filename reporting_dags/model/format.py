"""The formats of responses, as the decoder needs them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedText:
    """Rows are lines of text below a header line.

    Attributes:
        delimiter: the character between fields.
        quoted: whether fields can be in double quotes (RFC 4180).
        multiline: whether a quoted field can contain a line break. If not, rows are counted by lines.
        ignored: undeclared headers that cause no warning about new columns.
    """

    delimiter: str = ","
    quoted: bool = True
    multiline: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The file name extension of the raw response."""
        return ".tsv" if self.delimiter == "\t" else ".csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonRows:
    """Rows are objects in an array of a JSON document, or of several concatenated documents (pages).

    Attributes:
        rows: dotted path of the array: `data`, `data.data`.
        count: dotted path of the provider's row count, which counts all rows or those of each page; empty if none.
        sparse: whether a row may omit keys that have no value.
        ignored: undeclared keys that cause no warning about new columns.
    """

    rows: str
    count: str = ""
    sparse: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The file name extension of the raw response."""
        return ".json"


Format = DelimitedText | JsonRows
