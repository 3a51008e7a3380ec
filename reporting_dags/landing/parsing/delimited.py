"""Reads delimited text into batches of texts; columns are matched by header name, never by position."""

import functools
from collections.abc import Iterator, Mapping
from typing import Literal

import pyarrow as pa
from pyarrow import csv as pa_csv

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.landing.parsing.header import read_header
from reporting_dags.landing.parsing.json_text import object_text
from reporting_dags.landing.parsing.pii import apply_privacy_to_members
from reporting_dags.landing.parsing.raw_file import (
    RawFile,
    find_name,
    format_names,
    repeat_text,
    require_literal,
    sent_columns,
)
from reporting_dags.landing.parsing.row_count import RowCount, count_rows
from reporting_dags.landing.parsing.total_rows import is_total_word
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.column import Column
from reporting_dags.model.errors import DataError, Partial
from reporting_dags.model.format import DelimitedText
from reporting_dags.model.report import Report

# Each block becomes one batch. Larger blocks do not fit the CPU caches; smaller blocks add overhead for each call.
_BLOCK_BYTES = 2 << 20


class DelimitedReader:
    """Reads a raw file of delimited text. Counts and checks the rows when created, parses them in `batches`.

    Raises:
        ValueError: `raw_file` has an `expected_echo`.
        Partial: the file is empty, or ends inside a quoted field.
        DataError: the file is not delimited UTF-8 text, a declared column is missing, or a header is duplicated.
        OSError: the file cannot be read.
    """

    def __init__(self, raw_file: RawFile, text_format: DelimitedText, report: Report) -> None:
        if raw_file.expected_echo:
            raise ValueError(f"{report.key}: delimited text cannot repeat the request: `expected_echo` must be empty")
        self._raw_file = raw_file
        self._format = text_format
        self._columns = sent_columns(report)
        self._row_count: RowCount = count_rows(raw_file.path, text_format)
        self._privacy = report.privacy
        self._header = read_header(raw_file.path, text_format, self._columns, raw_file.literal_columns)
        headers = self._header.names
        self._sources = {column.header: find_name(column, headers) for column in self._columns}
        known = {*self._sources.values(), *text_format.ignored}
        undeclared = tuple(header for header in headers if header not in known)
        has_catch_all = any(column.catch_all for column in self._columns)
        self._catch_all_headers, self._new_headers = (undeclared, ()) if has_catch_all else ((), undeclared)

    @property
    def records(self) -> int:
        """Number of rows, counted in the bytes of the file without the parser."""
        return self._row_count.records - 1

    @property
    def literal_columns(self) -> Mapping[str, str]:
        """Header → requested value, for columns that the file itself may lack."""
        return self._raw_file.literal_columns

    @property
    def expected_records(self) -> int | None:
        """Always None: delimited text does not declare its number of rows."""
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know about the file, although its rows are valid."""
        results: list[str] = []
        if self._new_headers:
            results.append(f"new columns, not landed: {format_names(self._new_headers)}")
        results += self._header.warnings
        if not self._row_count.ends_with_line_break:
            results.append("the response does not end in a line break: its last value may be incomplete")
        return tuple(results)

    def batches(self) -> Iterator[list[AnyArray]]:
        """Yield the rows as texts, one array for each of `sent_columns`; an empty field is an empty text.

        Raises:
            Partial: the last row is cut off.
            DataError: a row cannot be parsed or has the wrong number of fields, or a value differs from its literal.
        """
        if self.records == 0:
            return  # pyarrow mistakes a header without a line break for an empty file
        try:
            yield from self._parse()
        except pa.ArrowInvalid as error:
            if "straddling" in str(error):
                raise DataError(f"a row is longer than {_BLOCK_BYTES >> 20} MiB: an open quote?") from None
            raise DataError("the rows cannot be parsed") from None

    def _parse(self) -> Iterator[list[AnyArray]]:
        names = dict.fromkeys(
            [name for name in self._sources.values() if name is not None] + [*self._catch_all_headers]
        )
        raw_names = [self._header.raw_names[name] for name in names]
        invalid_rows: list[pa_csv.InvalidRow] = []
        try:
            reader = pa_csv.open_csv(
                self._raw_file.path,
                # pyarrow numbers rows only without threads; threads do not make the streaming reader faster.
                read_options=pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=pa_csv.ParseOptions(
                    delimiter=self._format.delimiter,
                    quote_char='"' if self._format.quoted else False,
                    newlines_in_values=self._format.quoted and self._format.multiline,
                    invalid_row_handler=functools.partial(_collect_invalid_row, invalid_rows),
                ),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=raw_names,
                    column_types={name: pa.string() for name in raw_names},
                    strings_can_be_null=False,
                    check_utf8=False,  # count_rows checked it
                ),
            )
            for batch in reader:
                if batch.num_rows:
                    yield [self._texts(column, batch) for column in self._columns]
        except pa.ArrowInvalid:
            if invalid_rows:
                raise self._wrong_field_count(invalid_rows[0]) from None
            raise

    def _texts(self, column: Column, batch: pa.RecordBatch) -> AnyArray:
        if column.catch_all:
            return self._catch_all_texts(batch)
        source = self._sources[column.header]
        literal = self._raw_file.literal_columns.get(column.header)
        if source is None:
            return repeat_text(literal, batch.num_rows)
        texts = batch.column(self._header.raw_names[source])
        return texts if literal is None else require_literal(column, texts, literal)

    def _catch_all_texts(self, batch: pa.RecordBatch) -> AnyArray:
        if not self._catch_all_headers:
            return repeat_text("", batch.num_rows)
        rows = zip(
            *(batch.column(self._header.raw_names[header]).to_pylist() for header in self._catch_all_headers),
            strict=True,
        )
        filled = [
            {header: text for header, text in zip(self._catch_all_headers, row, strict=True) if text} for row in rows
        ]
        return pa.array(
            [object_text(apply_privacy_to_members(members, self._privacy)) for members in filled], pa.string()
        )

    def _wrong_field_count(self, row: pa_csv.InvalidRow) -> DataError | Partial:
        if not self._row_count.ends_with_line_break and self._row_count.tail.endswith(row.text.encode()):
            return Partial("the response is cut off within its last row")
        where = f"row {row.number} (the header is row 1)" if row.number is not None else "a row"
        first = row.text.partition(self._format.delimiter)[0].strip('" ')
        if is_total_word(first):
            where += f", a total row ({shortened(first)!r}),"
        return DataError(f"{where} has {row.actual_columns} fields, the header {row.expected_columns}")


def _collect_invalid_row(invalid_rows: list[pa_csv.InvalidRow], row: pa_csv.InvalidRow) -> Literal["error"]:
    invalid_rows.append(row)
    return "error"
