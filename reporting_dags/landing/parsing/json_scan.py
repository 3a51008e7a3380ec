"""A first look at a JSON answer: how many rows, what keys they have, and what the provider says of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reporting_dags.landing.parsing.json_keys import RowKeys
from reporting_dags.landing.parsing.json_stream import LONGEST_BYTES, JsonFile
from reporting_dags.landing.parsing.json_text import text_of
from reporting_dags.landing.parsing.raw_file import shown
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import JsonRows
from reporting_dags.model.numbers import whole_number

_DEEPEST = 64
_MOST_KEYS = 1000
_LARGEST_COUNT = 10**18
_OPENS = frozenset({"start_map", "start_array"})
_CLOSES = frozenset({"end_map", "end_array"})
_INSTEAD = {"null": "null", "start_map": "an empty object"}
_NOTHING = frozenset(_INSTEAD.values())
"""What PHP and Go write for an array without members."""
_OBJECT = "an object"


@dataclass(frozen=True, slots=True)
class JsonScan:
    """What a file tells before its rows are decoded.

    Attributes:
        records: rows of all its documents.
        expected: rows that the file says there are, if it says so; another number than `records` if that is wrong.
    """

    records: int
    expected: int | None


def scan_rows(file: JsonFile, text: JsonRows, claims: Mapping[str, str], keys: RowKeys) -> JsonScan:
    """Read the file once, let `keys` learn every row, and hold each document against what was asked.

    Raises:
        Partial: it is empty, cut off or no JSON.
        DataError: a document lacks rows, count or a claim, or says other than was asked; a row is not an object, or
            lacks a column; a value cannot be read exactly.
        OSError: it cannot be read.
    """
    surveyor = _Surveyor(file, text, claims, keys)
    documents = list(surveyor.documents())
    records = sum(held for held, _ in documents)
    if records:
        keys.check()
    counts = [payload for _, payload in documents if payload is not None]
    return JsonScan(records, _expected(counts, [held for held, _ in documents]) if counts else None)


def _expected(counts: list[int], held: list[int]) -> int:
    """The number to tell: all rows if every document counts all of them or each its own, else the nearest other."""
    total = sum(held)
    if counts == held or all(count == total for count in counts):
        return total
    return min(({*counts, sum(counts)} - {total}), key=lambda count: (abs(count - total), -count))


@dataclass(slots=True)
class _Document:
    rows: int | None = None
    instead: str = ""
    counts: dict[str, str] = field(default_factory=dict[str, str])
    keys: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


class _Surveyor:
    def __init__(self, file: JsonFile, text: JsonRows, claims: Mapping[str, str], keys: RowKeys) -> None:
        self._file = file
        self._events = self._file.events()
        self._path = text.rows
        self._count = text.count
        self._claims = claims
        self._requested = {*claims, text.count} - {""}
        names = text.rows.split(".")
        self._ways = [".".join(names[:length]) for length in range(len(names))]
        self._keys = keys
        self._row = 0

    def documents(self) -> Iterator[tuple[int, int | None]]:
        """Rows of each document, and how many it says there are."""
        while (document := self._document()) is not None:
            rows = self._without_rows(document) if document.rows is None else document.rows
            for path, requested in self._claims.items():
                if path not in document.counts:
                    raise DataError(f"the response does not say {path}, requested {requested!r}")
                if document.counts[path].casefold() != requested.casefold():
                    raise DataError(
                        f"the response says {path} is {shortened(document.counts[path])!r}, requested {requested!r}"
                    )
            yield rows, self._counted(document.counts) if self._count else None

    def _without_rows(self, document: _Document) -> int:
        """0 for a document that has nothing where its rows should be, and says that there are none.

        Raises:
            DataError: it is another one.
        """
        if not document.instead:
            there = next((document.keys[way] for way in reversed(self._ways) if way in document.keys), ["no keys"])
            raise DataError(f"the response has no array {self._path!r}; it has {shown(there)}")
        message = f"the response has {document.instead} in place of the array {self._path!r}"
        if document.instead not in _NOTHING or not self._count:
            raise DataError(message)
        count = self._counted(document.counts)
        if count:
            raise DataError(f"{message}, and {self._count} is {count}")
        return 0

    def _counted(self, counts: Mapping[str, str]) -> int:
        if self._count not in counts:
            raise DataError(f"the response does not say how many rows there are: it has no {self._count!r}")
        text = counts[self._count]
        count = whole_number(text)
        if count is None or not 0 <= count < _LARGEST_COUNT:
            raise DataError(f"the response says {self._count} is {shortened(text)!r}, which is not a number of rows")
        return count

    def _document(self) -> _Document | None:
        document = _Document()
        # Dotted paths of the objects that are open; None for arrays, into which no dotted path leads.
        inside: list[str | None] = []
        at: str | None = ""
        for event, value in self._events:
            if event == "map_key":
                outer = inside[-1]
                at = value if outer == "" else None if outer is None else f"{outer}.{value}"
                if outer == self._path:
                    document.instead = _OBJECT
                if outer in self._ways and len(known := document.keys.setdefault(outer, [])) < _MOST_KEYS:
                    known.append(value)
                continue
            if at == self._path and event not in _CLOSES:
                if document.rows is not None or document.instead:
                    raise _twice(self._path)
                document.instead = "" if event == "start_array" else _INSTEAD.get(event, "another value")
            if event == "start_array" and at == self._path:
                document.rows = self._rows()
            elif event in _OPENS:
                inside.append(at if event == "start_map" else None)
                at = inside[-1]
                _check_depth(len(inside))
            elif event in _CLOSES:
                inside.pop()
            elif at in self._requested:
                if at in document.counts:
                    raise _twice(at)
                document.counts[at] = text_of(value)
            if not inside:
                return document
        return None

    def _rows(self) -> int:
        before = self._row
        for event, _ in self._events:
            if event == "end_array":
                break
            self._row += 1
            if event != "start_map":
                raise DataError(f"row {self._row} is not an object")
            self._keys.learn(self._keys_of_row(), self._row)
        return self._row - before

    def _keys_of_row(self) -> list[str]:
        keys: list[str] = []
        depth = 1
        most = self._file.read + LONGEST_BYTES
        for event, value in self._events:
            if event == "map_key":
                if depth == 1:
                    keys.append(value)
                    self._check_length(most)
            elif event in _OPENS:
                depth += 1
                _check_depth(depth)
            elif event in _CLOSES:
                depth -= 1
                if not depth:
                    break
        self._check_length(most)
        return keys

    def _check_length(self, most: int) -> None:
        if self._file.read > most:
            raise DataError(f"row {self._row} is longer than {LONGEST_BYTES >> 20} MiB")


def _check_depth(depth: int) -> None:
    if depth > _DEEPEST:
        raise DataError(f"the response is nested more than {_DEEPEST} deep")


def _twice(path: str) -> DataError:
    return DataError(f"{path!r} is duplicated in the response")
