"""Lands the days of one response: each day is published complete and verified, or refused with an error."""

import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from reporting_dags.landing.checks.partition import CheckResult, day_and_currency, grain_unique, rows_complete, schema
from reporting_dags.landing.parsing.decode import Note, decode, open_raw_file
from reporting_dags.landing.parsing.raw_file import RawFile, RawFileReader, format_names
from reporting_dags.landing.parsing.total_rows import total_row_warnings
from reporting_dags.landing.storage.errors import storage_error
from reporting_dags.landing.storage.origin import Origin
from reporting_dags.landing.storage.spool import sha256_of
from reporting_dags.landing.storage.staging import staging_folder
from reporting_dags.landing.storage.store import Store
from reporting_dags.landing.writing.day_files import DayFile, DayFiles
from reporting_dags.landing.writing.prefetch import Prefetch
from reporting_dags.landing.writing.split import Pieces, split
from reporting_dags.model.days import Window
from reporting_dags.model.errors import DataError, Partial, ReplacementRefused, ReportingError, StorageError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report

# Each is some 16 MiB of rows.
_PIECES_AHEAD = 2


@dataclass(frozen=True, kw_only=True)
class LandedDay:
    """A day that is complete and verified.

    Attributes:
        day: the partition.
        path: path of the finished file, until it is put in place.
        outcome: `DATA`, or `EMPTY` for a typed file without rows.
        rows: number of rows.
        size: size of the Parquet file in bytes.
        sha256: SHA-256 of the file in hex.
        data_version: the data version, which changes only if rows or schema change.
        money: exact sums of the money columns, by column name and currency.
        totals: exact sums of the measures, by column name.
        ratios: ratios of the day, computed from its sums, by column name; only ratios with a formula.
        checks: the results of the checks; all blocking checks have passed.
        warnings: what users should know although the day is valid.
    """

    day: date
    path: Path
    outcome: Outcome
    rows: int
    size: int
    sha256: str
    data_version: str
    money: Mapping[str, Mapping[str, Decimal]]
    totals: Mapping[str, Decimal | int]
    ratios: Mapping[str, Decimal]
    checks: tuple[CheckResult, ...]
    warnings: tuple[str, ...]


class Put(Protocol):
    """Puts one finished partition in place."""

    def __call__(self, precondition: Callable[[], None] | None = None, /) -> None:
        """Put it in place; see `Store.put`."""
        ...


Publish = Callable[[LandedDay, Put], None]


@dataclass(frozen=True, kw_only=True)
class RefusedDay:
    """A day that was not published; the stored partition is unchanged.

    Attributes:
        day: the partition.
        error: why it was refused.
        checks: the results of the checks; empty if the stored day may not be replaced.
    """

    day: date
    error: ReportingError
    checks: tuple[CheckResult, ...]


def land(
    report: Report,
    parts: Sequence[RawFile],
    *,
    window: Window,
    days: Collection[date],
    store: Store,
    expected_rows: int | None,
    publish: Publish,
    origin: Origin | None = None,
) -> Iterator[LandedDay | RefusedDay]:
    """Decode one response and publish its days, oldest first; nothing is published before all of it was read.

    Args:
        report: the declaration.
        parts: the files of the response, which together are complete.
        window: the days that were requested; a row of any other day makes the response invalid.
        days: those of them to publish. Rows of the others are read, counted and dropped.
        store: the data root.
        expected_rows: number of rows according to the provider; None if it does not say. Counts in the files must be
            right too.
        publish: called once with each day and the function that puts it in place. `ReplacementRefused` refuses
            only that day; any other error ends the landing.
        origin: the origin, which is written into the files.

    Yields:
        Each day once. A day that is refused does not affect the others.

    Raises:
        Partial: the response is empty or truncated (DT8).
        DataError: the response does not match the declaration.
        StorageError: the store cannot be written.
    """
    requested = sorted(set(days))
    outside = [day for day in requested if day not in window]
    if outside:
        raise ValueError(f"{outside[0]} is to be published but was not requested ({window})")
    if not parts:
        raise Partial("empty response: not one file")
    opened = _opened(report, parts)
    counted = sum(part.records for part in opened)
    payload = [(counted, expected_rows), *((part.records, part.expected_records) for part in opened)]
    for held, expected in payload:
        if expected is not None and held != expected:
            complete = rows_complete(None, held, expected)
            for day in requested:
                yield RefusedDay(day=day, error=Partial(complete.detail), checks=(complete,))
            return
    with staging_folder(store) as folder, DayFiles(report, requested, folder, origin) as files:
        _fill(files, report, opened, window, requested, store)
        message = all(expected is not None for _, expected in payload[1:])
        complete = rows_complete(files.read, counted, counted if message else expected_rows)
        warnings = tuple(dict.fromkeys(warning for part in opened for warning in part.warnings))
        for day in requested:
            yield _landed(report, files[day], complete, warnings, store, publish)


def unreadable(report: Report, parts: Sequence[RawFile], *, window: Window, days: Collection[date]) -> set[int]:
    """Return the indexes of the files in `parts` that cannot be parsed on their own.

    Raises:
        StorageError: a file cannot be read on this machine.
    """
    results: set[int] = set()
    for number, part in enumerate(parts):
        try:
            for _ in decode(report, _opened(report, [part]), window=window, days=days):
                pass
        except StorageError:
            raise
        except ReportingError:
            results.add(number)
    return results


def _opened(report: Report, parts: Sequence[RawFile]) -> list[RawFileReader]:
    opened: list[RawFileReader] = []
    for number, part in enumerate(parts):
        try:
            opened.append(open_raw_file(report.format, part, report))
        except OSError as error:
            raise _unreadable(error) from None
        except ReportingError as error:
            error.shard = number
            raise
    return opened


def _unreadable(error: OSError) -> StorageError:
    return storage_error("raw response", "on this machine", "read", error)


def _fill(
    files: DayFiles, report: Report, parts: Sequence[RawFileReader], window: Window, days: Sequence[date], store: Store
) -> None:
    """Decode in one thread and write in another: each uses one core, and together they take half the time."""

    def source() -> Iterator[Pieces]:
        try:
            yield from split(decode(report, parts, window=window, days=days))
        except OSError as error:
            raise _unreadable(error) from None

    with Prefetch(source(), depth=_PIECES_AHEAD) as contiguous_ranges:
        try:
            for pieces in contiguous_ranges:
                files.add(pieces)
            files.finish()
        except OSError as error:
            raise store.error("written", error) from None


def _landed(
    report: Report,
    file: DayFile,
    complete: CheckResult,
    warnings: tuple[str, ...],
    store: Store,
    publish: Publish,
) -> LandedDay | RefusedDay:
    try:
        checks = (schema(report, file), grain_unique(report, file), day_and_currency(report, file), complete)
        size = file.path.stat().st_size
        digest = sha256_of(file.path)
    except (OSError, pa.ArrowException) as error:
        raise store.error("written", error) from None
    failed = [check for check in checks if check.blocking and not check.passed]
    if failed:
        kind = Partial if complete in failed else DataError
        advice = ". ".join(check.advice for check in failed if check.advice)
        error = kind("; ".join(check.detail for check in failed), advice=advice)
        return RefusedDay(day=file.day, error=error, checks=checks)
    landed = LandedDay(
        day=file.day,
        path=file.path,
        outcome=Outcome.DATA if file.rows else Outcome.EMPTY,
        rows=file.rows,
        size=size,
        sha256=digest,
        data_version=file.data_version.value,
        money=file.sums.money(),
        totals=file.sums.totals(),
        ratios=file.sums.ratios(),
        checks=checks,
        warnings=(
            *warnings,
            *(check.detail for check in checks if not check.passed),
            *_unfilled(file),
            *_rounding(report, file),
            *_changes(file),
            *total_row_warnings(report, file.files.values()),
        ),
    )
    try:
        publish(landed, functools.partial(store.put, file.path, report.file(file.day)))
    except ReplacementRefused as error:
        return RefusedDay(day=file.day, error=error, checks=())
    return landed


def _unfilled(file: DayFile) -> Iterator[str]:
    if headers := file.unfilled:
        names = format_names(headers)
        yield f"columns that every row leaves empty, and that the provider's document does not name: {names}"


def _rounding(report: Report, file: DayFile) -> Iterator[str]:
    for column in report.stored_columns:
        count = sum(note.count for note in file.rounded if note.column == column.header)
        if count and pa.types.is_decimal(column.type):
            scale = column.type.scale
            yield f"{count} values of column {column.name} have more than {scale} decimals: rounded at the {scale}th"
        elif count:
            yield f"{count} values of column {column.name} are finer than a microsecond: cut there"


def _changes(file: DayFile) -> Iterator[str]:
    """Yield a line for each column and each way in which values were converted, such as null for "n/a"."""
    groups: dict[tuple[str, str], list[Note]] = {}
    for note in file.changed:
        groups.setdefault((note.column, note.read_as), []).append(note)
    for (column, read_as), notes in groups.items():
        count, example = sum(note.count for note in notes), notes[0].example
        shown = f" such as {example!r}" if example else ""
        yield f"column {column!r}: {count} values{shown} were read as {read_as}"
