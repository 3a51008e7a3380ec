"""Quotes bare words that are not valid JSON, such as NaN, so that a JSON parser reads them as strings."""

import re
from collections.abc import Iterable

_REST_OF_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("|\Z)|[-+]?[A-Za-z_][A-Za-z_0-9.]*', re.DOTALL)
_NON_FINITE_NUMBERS = frozenset({b"nan", b"inf", b"infinity"})
_JSON_WORDS = frozenset({b"true", b"false", b"null"})
_WORDS_OF_OTHER_LANGUAGES = frozenset({b"undefined", b"none"}) | _JSON_WORDS


class BareWords:
    """Finds and quotes bare words in a JSON text that is read in chunks. No chunk may end inside a word or an escape.

    Attributes:
        count: number of non-finite numbers (NaN, Infinity) outside strings so far.
        first: the first of them, and its position in bytes.
        refused: the first word of another language that is not valid JSON, such as `None`, and its position in bytes.
    """

    def __init__(self, *, offset: int = 0) -> None:
        self.count = 0
        self.first: tuple[str, int] | None = None
        self.refused: tuple[str, int] | None = None
        self._offset = offset
        self._in_string = False

    def quote(self, chunk: bytes) -> bytes:
        """Return the next chunk of the text with its non-finite numbers quoted."""
        rest = _REST_OF_STRING.match(chunk) if self._in_string else None
        if self._in_string and rest is None:
            self._offset += len(chunk)
            return chunk
        string_end, other = (chunk[: rest.end()], chunk[rest.end() :]) if rest else (b"", chunk)
        self._in_string = False
        self._offset += len(string_end)
        result = _TOKEN.sub(self._replace, other)
        self._offset += len(other)
        return string_end + result

    def _replace(self, token: re.Match[bytes]) -> bytes:
        text = token.group()
        if text.startswith(b'"'):
            self._in_string = not token.group(1)
            return text
        position = self._offset + token.start()
        if text.lstrip(b"+-").lower() in _NON_FINITE_NUMBERS:
            self.count += 1
            self.first = self.first or (text.decode(), position)
            return b'"' + text + b'"'
        if text.lower() in _WORDS_OF_OTHER_LANGUAGES and text not in _JSON_WORDS:
            self.refused = self.refused or (text.decode(), position)
        return text


def find_bare_words(chunks: Iterable[bytes], *, offset: int) -> BareWords:
    """Return the bare words of a text whose first chunk begins at byte `offset` of the file."""
    result = BareWords(offset=offset)
    for chunk in chunks:
        result.quote(chunk)
    return result
