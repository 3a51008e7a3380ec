"""Streams the JSON documents of a file in bounded memory; rejects values that cannot be read exactly."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import ijson

from reporting_dags.landing.parsing.json_literals import BareWords, find_bare_words
from reporting_dags.landing.parsing.row_count import check_text
from reporting_dags.model.errors import DataError, Partial

Event = tuple[str, Any]
T = TypeVar("T")

MAX_VALUE_BYTES = 32 << 20
"""Size limit of one value, and thus of the data held in memory."""

_CHUNK_BYTES = 1 << 20
# The parser crashes the process on integers of more than 4300 digits (Python's limit), so such runs are rejected first.
_MAX_DIGITS = 1000
_DIGITS = re.compile(rb"[0-9]{%d}" % _MAX_DIGITS)
_TWO_DIGITS = re.compile(rb"[0-9]{2}")
# The parser replaces an unpaired surrogate, which is not a character, with a question mark.
_MAYBE_SURROGATE = re.compile(rb"\\u[dD][89abAB]")
_UNPAIRED_SURROGATE = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])", re.DOTALL)
_INSEPARABLE = b"+-\\abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class JsonFile:
    """A file of one or more JSON documents. Errors are raised while its iterators are consumed.

    Args:
        path: the file.
        quote_bare_words: whether bare words such as NaN, which are not valid JSON, are read as texts.

    Attributes:
        bytes_read: number of bytes that the parser has processed.

    Raises:
        Partial: the file is empty, cut off or not JSON.
        DataError: the file is not UTF-8, or contains a value that cannot be read exactly.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path, *, quote_bare_words: bool = False) -> None:
        self.bytes_read = 0
        self._path = path
        self._quote_bare_words = quote_bare_words

    def find_bare_words(self) -> BareWords:
        """Return the bare words of the file."""
        with self._path.open("rb") as file:
            has_bom = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
        return find_bare_words(_checked_chunks(self._path), offset=len(codecs.BOM_UTF8) if has_bom else 0)

    def events(self) -> Iterator[Event]:
        """Yield the events of the parser, such as `("map_key", "data")` and `("number", 1)`.

        `bytes_read` increases by a chunk at a time, not with each event.
        """
        results: list[Event] = ijson.sendable_list()
        parser = ijson.basic_parse_coro(results, multiple_values=True, use_float=False)
        last_event_at = 0
        for events in self._parse(parser, results):
            if events:
                last_event_at = self.bytes_read
            elif self.bytes_read - last_event_at > MAX_VALUE_BYTES:
                raise _value_too_long()
            yield from events

    def objects(self, prefix: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the objects at `prefix`, a path in ijson's syntax, in lists of several.

        Integers are `int`, other numbers `Decimal`.
        """
        results: list[dict[str, Any]] = ijson.sendable_list()
        yield from self._parse(ijson.items_coro(results, prefix, multiple_values=True, use_float=False), results)

    def _parse(self, parser: Any, results: list[T]) -> Iterator[list[T]]:
        """Yield what the parser returns for each chunk of the file.

        Args:
            parser: the ijson coroutine.
            results: the list to which the parser appends; it is yielded and then emptied.
        """
        blank, words = True, BareWords()
        for chunk in _checked_chunks(self._path):
            try:
                parser.send(words.quote(chunk) if self._quote_bare_words else chunk)
            except ijson.JSONError:
                # The message of the parser is not shown: it contains some of the text.
                raise Partial(f"the response is not JSON, after byte {self.bytes_read}") from None
            except (ValueError, ArithmeticError):
                raise DataError(
                    f"the response contains a value that cannot be read exactly, after byte {self.bytes_read}"
                ) from None
            self.bytes_read += len(chunk)
            blank = blank and chunk.isspace()
            yield results
            results.clear()
        if blank:
            raise Partial("empty response: it contains no JSON")
        try:
            parser.close()
        except ijson.JSONError:
            raise Partial("the response is cut off: its JSON does not end") from None
        yield results


def _checked_chunks(path: Path) -> Iterator[bytes]:
    """Yield the file in checked chunks, without a byte order mark. None ends inside a word, escape or number."""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    read, pending = 0, b""
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            check_text(chunk, utf8, read)
            pending += chunk.removeprefix(codecs.BOM_UTF8) if not read else chunk
            read += len(chunk)
            complete = pending.rstrip(_INSEPARABLE)
            if len(pending) - len(complete) > MAX_VALUE_BYTES:
                raise _value_too_long()
            yield from _check_exact(complete)
            pending = pending[len(complete) :]
    yield from _check_exact(pending)


def _check_exact(chunk: bytes) -> Iterator[bytes]:
    """Yield the chunk, unless it is empty, after a check that the parser can read it exactly."""
    # A quick test first: of every 500th byte, a run of 1000 digits contains at least two in a row.
    if _TWO_DIGITS.search(chunk[:: _MAX_DIGITS // 2]) and _DIGITS.search(chunk):
        raise DataError(f"the response contains a run of {_MAX_DIGITS} digits or more")
    if _MAYBE_SURROGATE.search(chunk) and _UNPAIRED_SURROGATE.search(chunk):
        raise DataError("the response contains an unpaired surrogate (half a character)")
    if chunk:
        yield chunk


def _value_too_long() -> DataError:
    return DataError(f"the response contains a value longer than {MAX_VALUE_BYTES >> 20} MiB")
