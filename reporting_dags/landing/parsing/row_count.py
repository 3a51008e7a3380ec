"""Checks the bytes of a delimited text and counts its rows, independently of the parser."""

import codecs
import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reporting_dags.landing.parsing.file_signatures import check_file_signature
from reporting_dags.model.errors import DataError, Partial
from reporting_dags.model.format import DelimitedText

_CHUNK_BYTES = 1 << 20
_TAIL_BYTES = 4096
_QUOTE, _LF, _CR = b'"'[0], b"\n"[0], b"\r"[0]
_OTHER_FORMATS = {b"<": "HTML or XML", b"{": "JSON", b"[": "JSON"}


@dataclass(frozen=True, slots=True)
class RowCount:
    """The result of counting the rows of a file.

    Attributes:
        records: number of lines that are not blank, including the header. A line break inside quotes ends a line only
            if the format does not allow multi-line values.
        ends_with_line_break: whether the last record ends in a line break. If not, the response may be incomplete.
        tail: the last bytes of the file, at most 4096.
    """

    records: int
    ends_with_line_break: bool
    tail: bytes


def count_rows(path: Path, text_format: DelimitedText) -> RowCount:
    """Read the file once and count its records.

    Raises:
        Partial: the file is empty (DT8), or ends inside a quoted field.
        DataError: the file is not UTF-8, contains a NUL byte or a misplaced quote, or is HTML, XML or JSON.
        OSError: the file cannot be read.
    """
    counter = _RecordCounter(ignore_quoted_breaks=text_format.quoted and text_format.multiline)
    quotes = _QuoteChecker(text_format.delimiter) if text_format.quoted else None
    utf8 = codecs.getincrementaldecoder("utf-8")()
    start, tail, size = b"", b"", 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            start = start or chunk.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
            check_text(chunk, utf8, size)
            counter.add(chunk)
            if quotes is not None:
                quotes.add(chunk)
            size += len(chunk)
            tail = (tail + chunk)[-_TAIL_BYTES:]
    if not start:
        raise Partial("empty response: not even a header")
    if start in _OTHER_FORMATS:
        raise DataError(f"the response is {_OTHER_FORMATS[start]}, not rows")
    _check_last_character(utf8, size)
    if counter.open_quote and not (quotes is not None and quotes.suspicious):
        raise Partial("the response ends inside a quoted field")
    records = counter.total()
    if quotes is not None and quotes.suspicious:
        strict_records = _count_strictly(path, text_format)
        records = strict_records if text_format.multiline else records
    return RowCount(records=records, ends_with_line_break=tail[-1] in {_LF, _CR}, tail=tail)


def check_text(chunk: bytes, utf8: codecs.IncrementalDecoder, offset: int) -> None:
    """Check that a chunk of a file is UTF-8 text; a chunk may end inside a character.

    Args:
        chunk: the next bytes of the file.
        utf8: the decoder of the file, which keeps the state between chunks.
        offset: the position of the chunk in the file, in bytes.

    Raises:
        DataError: the chunk contains a NUL byte, is not UTF-8, or shows that the file has another format.
    """
    if not offset:
        check_file_signature(chunk)
    if b"\0" in chunk:
        raise DataError(f"the response contains a NUL byte, at byte {offset + chunk.index(0)}")
    if chunk.isascii() and not utf8.getstate()[0]:
        return
    try:
        utf8.decode(chunk)
    except UnicodeDecodeError as error:
        raise DataError(f"the response is not UTF-8, about byte {offset + error.start}") from None


def _check_last_character(utf8: codecs.IncrementalDecoder, size: int) -> None:
    try:
        utf8.decode(b"", final=True)
    except UnicodeDecodeError:
        raise DataError(f"the response is not UTF-8, about byte {size}") from None


class _QuoteChecker:
    """Detects quotes that are not at the beginning or end of a field, one chunk at a time.

    Attributes:
        suspicious: whether there may be such a quote in the chunks so far.
    """

    def __init__(self, delimiter: str) -> None:
        self._allowed_neighbors = np.array([delimiter.encode()[0], _LF, _CR, _QUOTE], dtype=np.uint8)
        self._in_quotes = False
        self._last_byte = _LF
        self._size = 0
        self.suspicious = False

    def add(self, chunk: bytes) -> None:
        bom = len(codecs.BOM_UTF8) if not self._size and chunk.startswith(codecs.BOM_UTF8) else 0
        self._size += len(chunk)
        data = np.frombuffer(chunk, dtype=np.uint8)[bom:]
        if not data.size or self.suspicious:
            return
        quote_closed_before = self._last_byte == _QUOTE and not self._in_quotes
        quotes = np.flatnonzero(data == _QUOTE)
        opens = (np.arange(quotes.size) + int(self._in_quotes)) & 1 == 0
        opening = quotes[opens]
        after_closing = quotes[~opens & (quotes + 1 < data.size)] + 1
        neighbors = [
            np.where(opening > 0, data[opening - 1], self._last_byte),
            data[after_closing],
            data[:1] if quote_closed_before else data[:0],
        ]
        self.suspicious = not all(bool(np.isin(item, self._allowed_neighbors).all()) for item in neighbors)
        self._in_quotes ^= bool(quotes.size & 1)
        self._last_byte = int(data[-1])


def _count_strictly(path: Path, text_format: DelimitedText) -> int:
    """Return the number of records, read by a slow and strict parser.

    It accepts a quote inside an unquoted field as a part of the value. Any other misplaced quote is an error, since the
    parser of `batches` drops it: `"1"2` would land as 12.

    Raises:
        DataError: a quote is misplaced.
    """
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=text_format.delimiter, strict=True)
        try:
            return sum(1 for row in reader if row)
        except csv.Error:
            raise DataError(
                f"the response contains a quote that neither opens nor closes a field, in line {reader.line_num}",
                advice="If the provider does not quote fields, declare the format of the report with quoted=False",
            ) from None


class _RecordCounter:
    """Counts lines that are not blank, one chunk at a time."""

    def __init__(self, *, ignore_quoted_breaks: bool) -> None:
        self._ignore_quoted_breaks = ignore_quoted_breaks
        self._size = 0
        self._last_break = -1
        self._records = 0
        self.open_quote = False

    def add(self, chunk: bytes) -> None:
        data = np.frombuffer(chunk, dtype=np.uint8)
        if self._size == 0 and chunk.startswith(codecs.BOM_UTF8):
            self._last_break = len(codecs.BOM_UTF8) - 1
        breaks = data == _LF
        if b"\r" in chunk:
            breaks |= data == _CR
        positions = np.flatnonzero(breaks)
        if self._ignore_quoted_breaks:
            positions = self._outside_quotes(data, positions)
        if positions.size:
            positions += self._size
            # A record ends at each line break that does not directly follow another one.
            self._records += int(positions[0] - self._last_break > 1) + int(np.count_nonzero(np.diff(positions) > 1))
            self._last_break = int(positions[-1])
        self._size += len(chunk)

    def _outside_quotes(self, data: npt.NDArray[Any], positions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        quotes = np.flatnonzero(data == _QUOTE)
        inside = (np.searchsorted(quotes, positions) + int(self.open_quote)) & 1
        self.open_quote ^= bool(quotes.size & 1)
        return positions[inside == 0]

    def total(self) -> int:
        return self._records + int(self._size - self._last_break > 1)
