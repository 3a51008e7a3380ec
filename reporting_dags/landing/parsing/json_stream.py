"""JSON documents, one after another in a file, as a stream in bounded memory; refused where not exactly readable."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import ijson

from reporting_dags.landing.parsing.json_literals import BareWords, bare_words
from reporting_dags.landing.parsing.row_count import check_text
from reporting_dags.model.errors import DataError, Partial

Event = tuple[str, Any]
T = TypeVar("T")

LONGEST_BYTES = 32 << 20
"""Of one value, and so of what waits in memory."""

_CHUNK_BYTES = 1 << 20
# The parser crashes the process over integers of more than 4300 digits (Python's limit): none gets that far.
_MOST_DIGITS = 1000
_DIGITS = re.compile(rb"[0-9]{%d}" % _MOST_DIGITS)
_TWO_DIGITS = re.compile(rb"[0-9]{2}")
# The parser turns half a character, which is not a text, into a question mark.
_HALF_LIKELY = re.compile(rb"\\u[dD][89abAB]")
_HALF_CHARACTER = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])", re.DOTALL)
_INSEPARABLE = b"+-\\abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class JsonFile:
    """A file of documents. What it raises it raises while it is drawn from.

    Args:
        path: the file.
        quotes_words: whether bare words such as NaN, which are no JSON, are read as texts.

    Raises:
        Partial: the file is empty, is cut off, or is no JSON.
        DataError: it is no UTF-8, or holds a value that cannot be read exactly.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, *, quotes_words: bool = False) -> None:
        self.read = 0
        self._path = path
        self._quotes_words = quotes_words

    def words(self) -> BareWords:
        """Its bare words."""
        with self._path.open("rb") as file:
            marked = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
        return bare_words(_stretches(self._path), offset=len(codecs.BOM_UTF8) if marked else 0)

    def events(self) -> Iterator[Event]:
        """The parser's events, such as `("map_key", "data")` and `("number", 1)`; `read` follows in large steps."""
        results: list[Event] = ijson.sendable_list()
        parser = ijson.basic_parse_coro(results, multiple_values=True, use_float=False)
        made = 0
        for some in self._made(parser, results):
            if some:
                made = self.read
            elif self.read - made > LONGEST_BYTES:
                raise _too_long()
            yield from some

    def objects(self, prefix: str) -> Iterator[list[dict[str, Any]]]:
        """The objects at `prefix`, as ijson writes paths, some at a time: integers `int`, other numbers `Decimal`."""
        results: list[dict[str, Any]] = ijson.sendable_list()
        yield from self._made(ijson.items_coro(results, prefix, multiple_values=True, use_float=False), results)

    def _made(self, parser: Any, found: list[T]) -> Iterator[list[T]]:
        """What a parser makes of each stretch of the file; the list is the parser's own and is emptied after use."""
        blank, words = True, BareWords()
        for stretch in _stretches(self._path):
            try:
                parser.send(words.quoted(stretch) if self._quotes_words else stretch)
            except ijson.JSONError:
                # What the parser says holds some of the text.
                raise Partial(f"the response is not JSON, after byte {self.read}") from None
            except (ValueError, ArithmeticError):
                raise DataError(f"the response holds what cannot be read exactly, after byte {self.read}") from None
            self.read += len(stretch)
            blank = blank and stretch.isspace()
            yield found
            found.clear()
        if blank:
            raise Partial("empty response: no JSON at all")
        try:
            parser.close()
        except ijson.JSONError:
            raise Partial("the response is cut off: its JSON does not end") from None
        yield found


def _stretches(path: Path) -> Iterator[bytes]:
    """The file without a byte order mark, checked, in pieces between which no escape and no run of digits is torn."""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    read, held = 0, b""
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            check_text(chunk, utf8, read)
            held += chunk.removeprefix(codecs.BOM_UTF8) if not read else chunk
            read += len(chunk)
            whole = held.rstrip(_INSEPARABLE)
            if len(held) - len(whole) > LONGEST_BYTES:
                raise _too_long()
            yield from _exact(whole)
            held = held[len(whole) :]
    yield from _exact(held)


def _exact(stretch: bytes) -> Iterator[bytes]:
    # A long run of digits spans at least two of any bytes that stand half as far apart.
    if _TWO_DIGITS.search(stretch[:: _MOST_DIGITS // 2]) and _DIGITS.search(stretch):
        raise DataError(f"the response holds a run of {_MOST_DIGITS} digits or more")
    if _HALF_LIKELY.search(stretch) and _HALF_CHARACTER.search(stretch):
        raise DataError("the response holds half a character: an unpaired surrogate")
    if stretch:
        yield stretch


def _too_long() -> DataError:
    return DataError(f"the response holds a value longer than {LONGEST_BYTES >> 20} MiB")
