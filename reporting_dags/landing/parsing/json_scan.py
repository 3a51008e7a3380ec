"""Scans a JSON response before decoding: counts its rows, checks their keys, row counts and the repeated request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reporting_dags.landing.parsing.json_keys import RowKeys
from reporting_dags.landing.parsing.json_stream import MAX_VALUE_BYTES, JsonFile
from reporting_dags.landing.parsing.json_text import text_of
from reporting_dags.landing.parsing.raw_file import format_names
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import JsonRows
from reporting_dags.model.numbers import parse_integer

_MAX_DEPTH = 64
_MAX_KEYS = 1000
_MAX_COUNT = 10**18
_OPENING_EVENTS = frozenset({"start_map", "start_array"})
_CLOSING_EVENTS = frozenset({"end_map", "end_array"})
_NOT_AN_ARRAY = {"null": "null", "start_map": "an empty object"}
_EMPTY_VALUES = frozenset(_NOT_AN_ARRAY.values())
"""What PHP and Go write in place of an empty array."""
_OBJECT = "an object"


@dataclass(frozen=True, slots=True)
class JsonScan:
    """The result of scanning a file.

    Attributes:
        records: number of rows in all documents of the file.
        expected_records: number of rows that the file declares; None if it declares none. It differs from `records` if
            a declared number is wrong.
    """

    records: int
    expected_records: int | None


def scan_rows(file: JsonFile, json_format: JsonRows, expected_echo: Mapping[str, str], keys: RowKeys) -> JsonScan:
    """Read the file once, add the keys of every row to `keys`, and check each document against the request.

    Args:
        file: the file to scan.
        json_format: the paths of the rows and of the row count.
        expected_echo: dotted path → the text that each document must contain there.
        keys: collects and checks the keys of the rows.

    Raises:
        Partial: the file is empty, cut off or not JSON.
        DataError: a document has no rows, no row count or no `expected_echo`, or a different echo; a row is not an
            object, or lacks a column; a value cannot be read exactly.
        OSError: the file cannot be read.
    """
    documents = list(_Scanner(file, json_format, expected_echo, keys).documents())
    rows = [rows_of_document for rows_of_document, _ in documents]
    records = sum(rows)
    if records:
        keys.check()
    counts = [count for _, count in documents if count is not None]
    return JsonScan(records, _expected_records(counts, rows) if counts else None)


def _expected_records(counts: list[int], rows: list[int]) -> int:
    """Return the number of rows that the documents declare.

    It is the actual total if each document declares its own number of rows, or each declares the total. Otherwise it is
    the declared number that is nearest to the total without being equal to it.

    Args:
        counts: the number of rows that each document declares.
        rows: the number of rows that each document has.
    """
    total = sum(rows)
    if counts == rows or all(count == total for count in counts):
        return total
    return min(({*counts, sum(counts)} - {total}), key=lambda count: (abs(count - total), -count))


@dataclass(slots=True)
class _Document:
    """What is known of one document.

    Attributes:
        rows: number of its rows; None if it has no array of rows.
        instead_of_rows: description of the value in place of the array; empty if there is none.
        texts: dotted path → value, of the row count and of the repeated request.
        keys: dotted path of each object that should lead to the rows → its keys.
    """

    rows: int | None = None
    instead_of_rows: str = ""
    texts: dict[str, str] = field(default_factory=dict[str, str])
    keys: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


class _Scanner:
    def __init__(self, file: JsonFile, json_format: JsonRows, expected_echo: Mapping[str, str], keys: RowKeys) -> None:
        self._file = file
        self._events = self._file.events()
        self._rows_path = json_format.rows
        self._count_path = json_format.count
        self._expected_echo = expected_echo
        self._value_paths = {*expected_echo, json_format.count} - {""}
        names = json_format.rows.split(".")
        self._parent_paths = [".".join(names[:length]) for length in range(len(names))]
        self._row_keys = keys
        self._row_number = 0

    def documents(self) -> Iterator[tuple[int, int | None]]:
        """Yield the number of rows of each document, and the number that it declares (None if it need not).

        Raises:
            DataError: a document has no rows or no row count, or differs from the request.
        """
        while (document := self._next_document()) is not None:
            rows = self._rows_without_array(document) if document.rows is None else document.rows
            for path, requested in self._expected_echo.items():
                if path not in document.texts:
                    raise DataError(f"the response has no {path}, requested {requested!r}")
                if document.texts[path].casefold() != requested.casefold():
                    raise DataError(
                        f"in the response {path} is {shortened(document.texts[path])!r}, requested {requested!r}"
                    )
            yield rows, self._declared_count(document.texts) if self._count_path else None

    def _rows_without_array(self, document: _Document) -> int:
        """Return 0 for a document with an empty value in place of its array of rows and a row count of 0.

        Raises:
            DataError: the document is any other one.
        """
        if not document.instead_of_rows:
            present = next(
                (document.keys[path] for path in reversed(self._parent_paths) if path in document.keys), ["no keys"]
            )
            raise DataError(f"the response has no array {self._rows_path!r}; it has {format_names(present)}")
        message = f"the response has {document.instead_of_rows} in place of the array {self._rows_path!r}"
        if document.instead_of_rows not in _EMPTY_VALUES or not self._count_path:
            raise DataError(message)
        count = self._declared_count(document.texts)
        if count:
            raise DataError(f"{message}, and {self._count_path} is {count}")
        return 0

    def _declared_count(self, texts: Mapping[str, str]) -> int:
        if self._count_path not in texts:
            raise DataError(f"the response has no row count: it has no {self._count_path!r}")
        text = texts[self._count_path]
        count = parse_integer(text)
        if count is None or not 0 <= count < _MAX_COUNT:
            raise DataError(f"in the response {self._count_path} is {shortened(text)!r}, which is not a number of rows")
        return count

    def _next_document(self) -> _Document | None:
        document = _Document()
        # Dotted paths of the enclosing objects, outermost first; None for arrays, whose contents have no path.
        enclosing: list[str | None] = []
        path: str | None = ""
        for event, value in self._events:
            if event == "map_key":
                parent = enclosing[-1]
                path = _child_path(parent, value)
                if parent == self._rows_path:
                    document.instead_of_rows = _OBJECT
                if parent in self._parent_paths and len(known := document.keys.setdefault(parent, [])) < _MAX_KEYS:
                    known.append(value)
                continue
            if path == self._rows_path and event not in _CLOSING_EVENTS:
                if document.rows is not None or document.instead_of_rows:
                    raise _duplicate_path(self._rows_path)
                document.instead_of_rows = "" if event == "start_array" else _NOT_AN_ARRAY.get(event, "another value")
            if event == "start_array" and path == self._rows_path:
                document.rows = self._scan_rows()
            elif event in _OPENING_EVENTS:
                enclosing.append(path if event == "start_map" else None)
                path = enclosing[-1]
                _check_depth(len(enclosing))
            elif event in _CLOSING_EVENTS:
                enclosing.pop()
            elif path in self._value_paths:
                if path in document.texts:
                    raise _duplicate_path(path)
                document.texts[path] = text_of(value)
            if not enclosing:
                return document
        return None

    def _scan_rows(self) -> int:
        before = self._row_number
        for event, _ in self._events:
            if event == "end_array":
                break
            self._row_number += 1
            if event != "start_map":
                raise DataError(f"row {self._row_number} is not an object")
            self._row_keys.add_row(self._read_row_keys(), self._row_number)
        return self._row_number - before

    def _read_row_keys(self) -> list[str]:
        keys: list[str] = []
        depth = 1
        max_bytes_read = self._file.bytes_read + MAX_VALUE_BYTES
        for event, value in self._events:
            if event == "map_key":
                if depth == 1:
                    keys.append(value)
                    self._check_length(max_bytes_read)
            elif event in _OPENING_EVENTS:
                depth += 1
                _check_depth(depth)
            elif event in _CLOSING_EVENTS:
                depth -= 1
                if not depth:
                    break
        self._check_length(max_bytes_read)
        return keys

    def _check_length(self, max_bytes_read: int) -> None:
        if self._file.bytes_read > max_bytes_read:
            raise DataError(f"row {self._row_number} is longer than {MAX_VALUE_BYTES >> 20} MiB")


def _child_path(parent: str | None, key: str) -> str | None:
    """Return the dotted path of a member; None if its parent has none."""
    if parent is None:
        return None
    return f"{parent}.{key}" if parent else key


def _check_depth(depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise DataError(f"the response is nested more than {_MAX_DEPTH} levels deep")


def _duplicate_path(path: str) -> DataError:
    return DataError(f"{path!r} is duplicated in the response")
