"""A first look at an answer's bytes, independent of the parser: is it rows, and how many."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reporting_dags.model.errors import DataError, Partial
from reporting_dags.model.report import DelimitedText

_CHUNK_BYTES = 1 << 20
_TAIL_BYTES = 4096
_QUOTE, _LF, _CR = b'"'[0], b"\n"[0], b"\r"[0]
_NOT_ROWS = {b"<": "HTML or XML", b"{": "JSON", b"[": "JSON"}


@dataclass(frozen=True, slots=True)
class Survey:
    """What the bytes alone tell.

    Attributes:
        records: lines that are not blank, the header among them; a break inside quotes counts only where the format
            forbids it.
        ended: whether the last record ends in a line break. If not, that the answer is whole cannot be seen from it.
        tail: the last bytes.
    """

    records: int
    ended: bool
    tail: bytes


def survey(path: Path, text: DelimitedText) -> Survey:
    """Read the file once and count its records.

    Raises:
        Partial: it is empty (DT8), or ends inside a quoted field.
        DataError: it is not UTF-8, holds a NUL byte, or is a page or document in place of rows.
        OSError: it cannot be read.
    """
    counter = _Counter(by_quotes=text.quoted and text.multiline)
    utf8 = codecs.getincrementaldecoder("utf-8")()
    start, tail, size = b"", b"", 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            start = start or chunk.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
            _check_text(chunk, utf8, size)
            counter.add(chunk)
            size += len(chunk)
            tail = (tail + chunk)[-_TAIL_BYTES:]
    if not start:
        raise Partial("empty answer: not even a header")
    if start in _NOT_ROWS:
        raise DataError(f"the answer is {_NOT_ROWS[start]}, not rows")
    _check_last(utf8, size)
    if counter.open_quote:
        raise Partial("the answer ends inside a quoted field")
    return Survey(records=counter.total(), ended=tail[-1] in {_LF, _CR}, tail=tail)


def _check_text(chunk: bytes, utf8: codecs.IncrementalDecoder, offset: int) -> None:
    if b"\0" in chunk:
        raise DataError(f"the answer holds a NUL byte, at byte {offset + chunk.index(0)}")
    if chunk.isascii() and not utf8.getstate()[0]:
        return
    try:
        utf8.decode(chunk)
    except UnicodeDecodeError as error:
        raise DataError(f"the answer is not UTF-8, about byte {offset + error.start}") from error


def _check_last(utf8: codecs.IncrementalDecoder, size: int) -> None:
    try:
        utf8.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise DataError(f"the answer is not UTF-8, about byte {size}") from error


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
