"""How providers write rows: what the decoder must know of a response's bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedText:
    """Rows as lines of text under a header.

    Attributes:
        delimiter: between fields.
        quoted: whether a field may stand in double quotes (RFC 4180).
        multiline: whether a quoted field may hold a line break. Where it may not, rows are counted by lines.
        ignored: headers that may stand in the file and are not news when they do.
    """

    delimiter: str = ","
    quoted: bool = True
    multiline: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """Ending of the raw response's file name."""
        return ".tsv" if self.delimiter == "\t" else ".csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonRows:
    """Rows as objects in an array of a JSON document, or of several documents one after another: pages.

    Attributes:
        rows: dotted path of the array: `data`, `data.data`.
        count: dotted path of the number of rows that the provider says there are; of all rows, or of each page's own.
        sparse: whether a row may leave out keys that have no value.
        ignored: keys that may stand in a row and are not news when they do.
    """

    rows: str
    count: str = ""
    sparse: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """Ending of the raw response's file name."""
        return ".json"


Format = DelimitedText | JsonRows
