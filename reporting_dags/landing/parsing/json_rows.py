"""Reads the rows of a JSON response into batches of texts; columns are matched by key."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.landing.parsing.json_keys import RowKeys
from reporting_dags.landing.parsing.json_literals import BareWords
from reporting_dags.landing.parsing.json_scan import JsonScan, scan_rows
from reporting_dags.landing.parsing.json_stream import JsonFile
from reporting_dags.landing.parsing.json_text import ABSENT, object_text, text_of, texts_of
from reporting_dags.landing.parsing.pii import apply_privacy_to_members
from reporting_dags.landing.parsing.raw_file import RawFile, find_name, repeat_text, require_literal, sent_columns
from reporting_dags.model.column import Column
from reporting_dags.model.errors import DataError, Partial
from reporting_dags.model.format import JsonRows
from reporting_dags.model.report import Report

_BATCH_ROWS = 20_000
_CACHED_SHAPES = 1000

Row = Mapping[str, Any]


class JsonReader:
    """Reads a raw file of JSON documents. Scans and checks the file when created, decodes the rows in `batches`.

    Raises:
        Partial: the file is empty, cut off or not JSON.
        DataError: the file does not contain the requested rows, or lacks a column.
        OSError: the file cannot be read.
    """

    def __init__(self, raw_file: RawFile, json_format: JsonRows, report: Report) -> None:
        self._raw_file = raw_file
        self._prefix = f"{json_format.rows}.item" if json_format.rows else "item"
        self._columns = sent_columns(report)
        self._privacy = report.privacy
        self._undeclared_keys = functools.lru_cache(_CACHED_SHAPES)(self._find_undeclared)
        self._bare_words = BareWords()
        try:
            self._row_keys, self._scan = self._scan_file(json_format, report)
        except Partial:
            self._bare_words = JsonFile(raw_file.path).find_bare_words()
            if self._bare_words.refused:
                word, position = self._bare_words.refused
                raise Partial(f"the response is not JSON: a bare {word} at byte {position}") from None
            if not self._bare_words.count:
                raise
            self._row_keys, self._scan = self._scan_file(json_format, report)

    def _scan_file(self, json_format: JsonRows, report: Report) -> tuple[RowKeys, JsonScan]:
        keys = RowKeys(report, self._raw_file.literal_columns, json_format)
        return keys, scan_rows(self._file(), json_format, self._raw_file.expected_echo, keys)

    def _file(self) -> JsonFile:
        return JsonFile(self._raw_file.path, quote_bare_words=bool(self._bare_words.count))

    @property
    def records(self) -> int:
        """Number of rows in all documents of the file."""
        return self._scan.records

    @property
    def literal_columns(self) -> Mapping[str, str]:
        """Header → requested value, for columns that the file itself may lack."""
        return self._raw_file.literal_columns

    @property
    def expected_records(self) -> int | None:
        """Number of rows that the documents declare, if they do."""
        return self._scan.expected_records

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know about the file, although its rows are valid."""
        if self._bare_words.first is None:
            return self._row_keys.warnings
        message = (
            "the response contains {} bare words that are not JSON and were read as texts: the first is {} at byte {}"
        )
        return (message.format(self._bare_words.count, *self._bare_words.first), *self._row_keys.warnings)

    def batches(self) -> Iterator[list[AnyArray]]:
        """Yield the rows as texts, one array for each of `sent_columns`.

        The JSON value `null` is an empty text; a missing key is a null.

        Raises:
            DataError: a value contains a NUL character or differs from its literal.
        """
        for rows in self._file().objects(self._prefix):
            for start in range(0, len(rows), _BATCH_ROWS):
                batch = rows[start : start + _BATCH_ROWS]
                yield [self._texts(column, batch) for column in self._columns]

    def _texts(self, column: Column, rows: Sequence[Row]) -> AnyArray:
        if column.catch_all:
            return pa.array([self._catch_all_text(row) for row in rows], pa.string())
        names = self._row_keys.names_of(column)
        literal = self._raw_file.literal_columns.get(column.header)
        if not names:
            return repeat_text(literal, len(rows))
        first, *others = names
        if others:
            texts = texts_of([next((row[name] for name in names if name in row), ABSENT) for row in rows])
        else:
            texts = texts_of([row.get(first, ABSENT) for row in rows])
        if pc.any(pc.match_substring(texts, "\0")).as_py():
            raise DataError(f"column {column.header!r} holds a NUL character")
        return texts if literal is None else require_literal(column, texts, literal)

    def _catch_all_text(self, row: Row) -> str:
        members = {key: text_of(row[key]) for key in self._undeclared_keys(tuple(row))}
        filled = {key: text for key, text in members.items() if text}
        return object_text(apply_privacy_to_members(filled, self._privacy))

    def _find_undeclared(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        declared = {find_name(column, keys) for column in self._columns}
        return tuple(key for key in keys if key not in declared)
