"""A first look at a response's bytes, independent of the parser: is it rows, and how many."""

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
_NOT_ROWS = {b"<": "HTML or XML", b"{": "JSON", b"[": "JSON"}


@dataclass(frozen=True, slots=True)
class RowCount:
    """What the bytes alone tell.

    Attributes:
        records: lines that are not blank, the header among them; a break inside quotes counts only where the format
            forbids it.
        ended: whether the last record ends in a line break. If not, that the response is whole cannot be seen from it.
        tail: the last bytes.
    """

    records: int
    ended: bool
    tail: bytes


def count_rows(path: Path, text: DelimitedText) -> RowCount:
    """Read the file once and count its records.

    Raises:
        Partial: it is empty (DT8), or ends inside a quoted field.
        DataError: it is not UTF-8, holds a NUL byte, or is a page or document in place of rows.
        OSError: it cannot be read.
    """
    counter = _Counter(by_quotes=text.quoted and text.multiline)
    quotes = _Quotes(text.delimiter) if text.quoted else None
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
    if start in _NOT_ROWS:
        raise DataError(f"the response is {_NOT_ROWS[start]}, not rows")
    _check_last(utf8, size)
    if counter.open_quote and not (quotes is not None and quotes.suspicious):
        raise Partial("the response ends inside a quoted field")
    records = counter.total()
    if quotes is not None and quotes.suspicious:
        strictly = _read_strictly(path, text)
        records = strictly if text.multiline else records
    return RowCount(records=records, ended=tail[-1] in {_LF, _CR}, tail=tail)


def check_text(chunk: bytes, utf8: codecs.IncrementalDecoder, offset: int) -> None:
    """Refuse bytes that are no text, wherever a chunk ends; `utf8` remembers what came before.

    Raises:
        DataError: a NUL byte, no UTF-8, or another kind of file.
    """
    if not offset:
        check_file_signature(chunk)
    if b"\0" in chunk:
        raise DataError(f"the response holds a NUL byte, at byte {offset + chunk.index(0)}")
    if chunk.isascii() and not utf8.getstate()[0]:
        return
    try:
        utf8.decode(chunk)
    except UnicodeDecodeError as error:
        raise DataError(f"the response is not UTF-8, about byte {offset + error.start}") from None


def _check_last(utf8: codecs.IncrementalDecoder, size: int) -> None:
    try:
        utf8.decode(b"", final=True)
    except UnicodeDecodeError:
        raise DataError(f"the response is not UTF-8, about byte {size}") from None


class _Quotes:
    """Sees quotes that stand elsewhere than at the ends of a field, whole chunks at a time."""

    def __init__(self, delimiter: str) -> None:
        self._around = np.array([delimiter.encode()[0], _LF, _CR, _QUOTE], dtype=np.uint8)
        self._inside = False
        self._before = _LF
        self._size = 0
        self.suspicious = False

    def add(self, chunk: bytes) -> None:
        bom = len(codecs.BOM_UTF8) if not self._size and chunk.startswith(codecs.BOM_UTF8) else 0
        self._size += len(chunk)
        data = np.frombuffer(chunk, dtype=np.uint8)[bom:]
        if not data.size or self.suspicious:
            return
        closed_before = self._before == _QUOTE and not self._inside
        places = np.flatnonzero(data == _QUOTE)
        opens = (np.arange(places.size) + int(self._inside)) & 1 == 0
        first = places[opens]
        after = places[~opens & (places + 1 < data.size)] + 1
        neighbours = [
            np.where(first > 0, data[first - 1], self._before),
            data[after],
            data[:1] if closed_before else data[:0],
        ]
        self.suspicious = not all(bool(np.isin(item, self._around).all()) for item in neighbours)
        self._inside ^= bool(places.size & 1)
        self._before = int(data[-1])


def _read_strictly(path: Path, text: DelimitedText) -> int:
    """Records by a slow, strict reading, which takes a quote within a plain field as it is and no other stray one.

    A parser that is less strict drops it: `"1"2` would land as 12.
    """
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=text.delimiter, strict=True)
        try:
            return sum(1 for row in reader if row)
        except csv.Error:
            raise DataError(
                f"the response holds a quote that neither opens nor closes a field, in line {reader.line_num}",
                advice="If the provider writes quotes as they are, declare the report's text with quoted=False",
            ) from None


class _Counter:
    def __init__(self, *, by_quotes: bool) -> None:
        self._by_quotes = by_quotes
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
        places = np.flatnonzero(breaks)
        if self._by_quotes:
            places = self._outside_quotes(data, places)
        if places.size:
            places += self._size
            self._records += int(places[0] - self._last_break > 1) + int(np.count_nonzero(np.diff(places) > 1))
            self._last_break = int(places[-1])
        self._size += len(chunk)

    def _outside_quotes(self, data: npt.NDArray[Any], places: npt.NDArray[Any]) -> npt.NDArray[Any]:
        quotes = np.flatnonzero(data == _QUOTE)
        inside = (np.searchsorted(quotes, places) + int(self.open_quote)) & 1
        self.open_quote ^= bool(quotes.size & 1)
        return places[inside == 0]

    def total(self) -> int:
        return self._records + int(self._size - self._last_break > 1)
