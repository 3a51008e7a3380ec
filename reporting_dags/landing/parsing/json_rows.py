"""JSON rows → batches of texts, by key."""

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
from reporting_dags.landing.parsing.raw_file import RawFile, agreed, name_among, repeated, sent_columns
from reporting_dags.model.column import Column
from reporting_dags.model.errors import DataError, Partial
from reporting_dags.model.format import JsonRows
from reporting_dags.model.report import Report

_BATCH_ROWS = 20_000
_SHAPES_KNOWN = 1000

Row = Mapping[str, Any]


class JsonReader:
    """A part whose rows are objects: surveyed at once, decoded when `batches` is drawn.

    Raises:
        Partial: the file is empty, cut off or no JSON.
        DataError: it does not hold the rows that were requested, or lacks a column.
        OSError: it cannot be read.
    """

    def __init__(self, part: RawFile, text: JsonRows, report: Report) -> None:
        self._part = part
        self._prefix = f"{text.rows}.item" if text.rows else "item"
        self._columns = sent_columns(report)
        self._privacy = report.privacy
        self._others = functools.lru_cache(_SHAPES_KNOWN)(self._undeclared)
        self._words = BareWords()
        try:
            self._keys, self._survey = self._surveyed(text, report)
        except Partial:
            self._words = JsonFile(part.path).words()
            if self._words.refused:
                word, place = self._words.refused
                raise Partial(f"the response is not JSON: a bare {word} at byte {place}") from None
            if not self._words.count:
                raise
            self._keys, self._survey = self._surveyed(text, report)

    def _surveyed(self, text: JsonRows, report: Report) -> tuple[RowKeys, JsonScan]:
        keys = RowKeys(report, self._part.literal_columns, text)
        return keys, scan_rows(self._file(), text, self._part.expected_echo, keys)

    def _file(self) -> JsonFile:
        return JsonFile(self._part.path, quotes_words=bool(self._words.count))

    @property
    def records(self) -> int:
        """Rows of all documents."""
        return self._survey.records

    @property
    def literal_columns(self) -> Mapping[str, str]:
        """Header → value of what was asked, which the rows need not hold."""
        return self._part.literal_columns

    @property
    def expected(self) -> int | None:
        """Rows that the documents say there are."""
        return self._survey.expected

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know though the rows stand."""
        if self._words.first is None:
            return self._keys.warnings
        message = "the response holds {} bare words that are no JSON, read as texts: the first is {} at byte {}"
        return (message.format(self._words.count, *self._words.first), *self._keys.warnings)

    def batches(self) -> Iterator[list[AnyArray]]:
        """Every row as texts, in the order of `sent`; `null` is an empty text, a key that is not there a null."""
        for rows in self._file().objects(self._prefix):
            for start in range(0, len(rows), _BATCH_ROWS):
                some = rows[start : start + _BATCH_ROWS]
                yield [self._texts(column, some) for column in self._columns]

    def _texts(self, column: Column, rows: Sequence[Row]) -> AnyArray:
        if column.catch_all:
            return pa.array([self._rest(row) for row in rows], pa.string())
        names = self._keys.names(column)
        constant = self._part.literal_columns.get(column.header)
        if not names:
            return repeated(constant, len(rows))
        first, *others = names
        if others:
            texts = texts_of([next((row[name] for name in names if name in row), ABSENT) for row in rows])
        else:
            texts = texts_of([row.get(first, ABSENT) for row in rows])
        if pc.any(pc.match_substring(texts, "\0")).as_py():
            raise DataError(f"column {column.header!r} holds a NUL character")
        return texts if constant is None else agreed(column, texts, constant)

    def _rest(self, row: Row) -> str:
        members = {key: text_of(row[key]) for key in self._others(tuple(row))}
        filled = {key: text for key, text in members.items() if text}
        return object_text(apply_privacy_to_members(filled, self._privacy))

    def _undeclared(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        taken = {name_among(column, keys) for column in self._columns}
        return tuple(key for key in keys if key not in taken)
