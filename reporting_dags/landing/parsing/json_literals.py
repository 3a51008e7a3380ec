"""Bare words that JSON does not have, such as NaN: quoted, so that they are read as the texts that they are."""

import re
from collections.abc import Iterable

_STRING_REST = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("|\Z)|[-+]?[A-Za-z_][A-Za-z_0-9.]*', re.DOTALL)
_NUMBERS = frozenset({b"nan", b"inf", b"infinity"})
_JSON = frozenset({b"true", b"false", b"null"})
_OTHERS = frozenset({b"undefined", b"none"}) | _JSON


class BareWords:
    """Reads a JSON text in pieces, between which no word and no escape is torn.

    Attributes:
        count: numbers that are none (NaN, Infinity) met so far outside strings.
        first: the first of them, and where it begins, in bytes.
        refused: the first word that other languages write and JSON does not have, such as `None`, and where.
    """

    def __init__(self, *, offset: int = 0) -> None:
        self.count = 0
        self.first: tuple[str, int] | None = None
        self.refused: tuple[str, int] | None = None
        self._read = offset
        self._inside = False

    def quoted(self, piece: bytes) -> bytes:
        """The next piece, in which those numbers are strings."""
        rest = _STRING_REST.match(piece) if self._inside else None
        if self._inside and rest is None:
            self._read += len(piece)
            return piece
        begun, other = (piece[: rest.end()], piece[rest.end() :]) if rest else (b"", piece)
        self._inside = False
        self._read += len(begun)
        result = _TOKEN.sub(self._replaced, other)
        self._read += len(other)
        return begun + result

    def _replaced(self, token: re.Match[bytes]) -> bytes:
        text = token.group()
        if text.startswith(b'"'):
            self._inside = not token.group(1)
            return text
        place = self._read + token.start()
        if text.lstrip(b"+-").lower() in _NUMBERS:
            self.count += 1
            self.first = self.first or (text.decode(), place)
            return b'"' + text + b'"'
        if text.lower() in _OTHERS and text not in _JSON:
            self.refused = self.refused or (text.decode(), place)
        return text


def bare_words(pieces: Iterable[bytes], *, offset: int) -> BareWords:
    """The bare words of a text whose first piece begins at byte `offset`."""
    result = BareWords(offset=offset)
    for piece in pieces:
        result.quoted(piece)
    return result
