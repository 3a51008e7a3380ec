"""Delimited text → batches of texts, by header name and never by position."""

import functools
from collections.abc import Iterator, Mapping
from typing import Literal

import pyarrow as pa
from pyarrow import csv as pa_csv

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.landing.parsing.header import read_header
from reporting_dags.landing.parsing.json_text import object_text
from reporting_dags.landing.parsing.pii import apply_privacy_to_members
from reporting_dags.landing.parsing.raw_file import RawFile, agreed, name_among, repeated, sent_columns, shown
from reporting_dags.landing.parsing.row_count import RowCount, count_rows
from reporting_dags.landing.parsing.total_rows import is_total
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.model.column import Column
from reporting_dags.model.errors import DataError, Partial
from reporting_dags.model.format import DelimitedText
from reporting_dags.model.report import Report

# A batch a block. Larger ones fall out of the processor's caches, smaller ones cost more calls than they save.
_BLOCK_BYTES = 2 << 20


class DelimitedReader:
    """A part whose rows are lines: surveyed at once, parsed when `batches` is drawn.

    Raises:
        ValueError: the part has claims.
        Partial: the file is empty, or ends inside a quoted field.
        DataError: it is no such text, a declared column is missing, or a header is duplicated.
        OSError: it cannot be read.
    """

    def __init__(self, part: RawFile, text: DelimitedText, report: Report) -> None:
        if part.expected_echo:
            raise ValueError(f"{report.key}: lines of text repeat nothing of what was asked")
        self._part = part
        self._text = text
        self._columns = sent_columns(report)
        self._survey: RowCount = count_rows(part.path, text)
        self._privacy = report.privacy
        self._header = read_header(part.path, text, self._columns, part.literal_columns)
        headers = self._header.names
        self._sources = {column.header: name_among(column, headers) for column in self._columns}
        known = {*self._sources.values(), *text.ignored}
        added = tuple(header for header in headers if header not in known)
        keeps_rest = any(column.catch_all for column in self._columns)
        self._rest, self._added = (added, ()) if keeps_rest else ((), added)

    @property
    def records(self) -> int:
        """Rows that the bytes hold, counted without the parser."""
        return self._survey.records - 1

    @property
    def literal_columns(self) -> Mapping[str, str]:
        """Header → value of what was asked, which the rows need not hold."""
        return self._part.literal_columns

    @property
    def expected(self) -> int | None:
        """None: lines of text do not say how many they are."""
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know though the rows stand."""
        results: list[str] = []
        if self._added:
            results.append(f"new columns, not landed: {shown(self._added)}")
        results += self._header.warnings
        if not self._survey.ended:
            results.append("the response does not end in a line break: nothing shows that its last value is whole")
        return tuple(results)

    def batches(self) -> Iterator[list[AnyArray]]:
        """Every row as texts, in the order of `sent`; an empty field is an empty text."""
        if self.records == 0:
            return  # pyarrow takes a header without a line break for an empty file
        try:
            yield from self._parsed()
        except pa.ArrowInvalid as error:
            if "straddling" in str(error):
                raise DataError(f"a row is longer than {_BLOCK_BYTES >> 20} MiB: an open quote?") from None
            raise DataError("the rows cannot be parsed") from None

    def _parsed(self) -> Iterator[list[AnyArray]]:
        names = dict.fromkeys([name for name in self._sources.values() if name is not None] + [*self._rest])
        present = [self._header.sent[name] for name in names]
        refused: list[pa_csv.InvalidRow] = []
        try:
            reader = pa_csv.open_csv(
                self._part.path,
                # Rows are numbered only where they are read in turn; the streaming reader gains nothing from threads.
                read_options=pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=pa_csv.ParseOptions(
                    delimiter=self._text.delimiter,
                    quote_char='"' if self._text.quoted else False,
                    newlines_in_values=self._text.quoted and self._text.multiline,
                    invalid_row_handler=functools.partial(_refuse, refused),
                ),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=present,
                    column_types={name: pa.string() for name in present},
                    strings_can_be_null=False,
                    check_utf8=False,  # the survey did
                ),
            )
            for batch in reader:
                if batch.num_rows:
                    yield [self._texts(column, batch) for column in self._columns]
        except pa.ArrowInvalid:
            if refused:
                raise self._misshapen(refused[0]) from None
            raise

    def _texts(self, column: Column, batch: pa.RecordBatch) -> AnyArray:
        if column.catch_all:
            return self._rest_of(batch)
        source = self._sources[column.header]
        constant = self._part.literal_columns.get(column.header)
        if source is None:
            return repeated(constant, batch.num_rows)
        texts = batch.column(self._header.sent[source])
        return texts if constant is None else agreed(column, texts, constant)

    def _rest_of(self, batch: pa.RecordBatch) -> AnyArray:
        if not self._rest:
            return repeated("", batch.num_rows)
        rows = zip(*(batch.column(self._header.sent[header]).to_pylist() for header in self._rest), strict=True)
        results = [{header: text for header, text in zip(self._rest, row, strict=True) if text} for row in rows]
        return pa.array(
            [object_text(apply_privacy_to_members(members, self._privacy)) for members in results], pa.string()
        )

    def _misshapen(self, row: pa_csv.InvalidRow) -> DataError | Partial:
        if not self._survey.ended and self._survey.tail.endswith(row.text.encode()):
            return Partial("the response is cut off within its last row")
        where = f"row {row.number} (the header is row 1)" if row.number is not None else "a row"
        first = row.text.partition(self._text.delimiter)[0].strip('" ')
        if is_total(first):
            where += f", a total row ({shortened(first)!r}),"
        return DataError(f"{where} has {row.actual_columns} fields, the header {row.expected_columns}")


def _refuse(refused: list[pa_csv.InvalidRow], row: pa_csv.InvalidRow) -> Literal["error"]:
    refused.append(row)
    return "error"
