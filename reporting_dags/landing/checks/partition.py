"""The checks of a day before it is published, with the texts that users see."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.checks.duplicate_keys import DuplicateKeys, confirmed_duplicates, describe_duplicates
from reporting_dags.landing.compute.sums import Sums
from reporting_dags.landing.parsing.decode import Note
from reporting_dags.landing.parsing.pii import is_dropped
from reporting_dags.landing.parsing.row_days import DECLARE_FORM_ADVICE
from reporting_dags.landing.parsing.times import read_times, time_error
from reporting_dags.landing.parsing.total_rows import FileSums, total_row_error
from reporting_dags.landing.parsing.values import shortened
from reporting_dags.landing.storage.origin import without_origin
from reporting_dags.model.column import TIMESTAMP
from reporting_dags.model.days import ranges
from reporting_dags.model.errors import StorageError
from reporting_dags.model.report import Report

SCHEMA = "schema"
GRAIN_UNIQUE = "grain_unique"
DAY_AND_CURRENCY = "day_and_currency"
ROWS_COMPLETE = "rows_complete"

_DECLARE = "Fix: if the provider does pay in it, add it to the report's currencies"
_CURRENCY = re.compile(r"[A-Z]{3}")
_STRAY_ADVICE = "Fix: compare the report's time zone and the column's forms, as declared, with what the provider sends"
_TIME_ADVICE = "Fix: declare the report in UTC, where every time is there once"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of one check on one day.

    Attributes:
        name: name of the check.
        passed: whether the check passed.
        blocking: whether a day that does not pass is not published; if not, it lands with a warning.
        detail: one line.
        facts: the numbers behind the result.
        advice: how to fix it if it did not pass; empty if `detail` says it.
    """

    name: str
    passed: bool
    detail: str
    facts: Mapping[str, int | float | str] = field(default_factory=dict[str, int | float | str])
    blocking: bool = True
    advice: str = ""


class CheckedDay(Protocol):
    """What the checks need of a day, which is about to land or is stored."""

    @property
    def day(self) -> date:
        """The partition."""
        ...

    @property
    def path(self) -> Path:
        """A local file with its rows."""
        ...

    @property
    def rows(self) -> int:
        """Number of rows."""
        ...

    @property
    def sums(self) -> Sums:
        """The sums of all rows."""
        ...

    @property
    def strays(self) -> Sequence[Note]:
        """Rows whose time is outside the day."""
        ...

    @property
    def files(self) -> Mapping[int, FileSums]:
        """The sums of each file of the response, with and without the rows that look like totals."""
        ...

    def duplicate_keys(self) -> DuplicateKeys:
        """Return the grains that several rows share; can be called once."""
        ...


class WrittenDay(CheckedDay, Protocol):
    """A day that was just written to a local file."""

    @property
    def bad(self) -> Sequence[Note]:
        """Values that do not have the type of their column."""
        ...


def schema(report: Report, file: WrittenDay) -> CheckResult:
    """Check that every value has the type of its column, and that the finished file contains the decoded rows.

    Raises:
        StorageError: the file reads back differently than it was written.
        OSError: the file cannot be read.
    """
    read_back(report, file)
    facts = {"columns": len(report.stored_columns), "rows": file.rows}
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for note in file.bad:
        counts[note.column] += note.count
        examples.setdefault(note.column, note.example)
    if not counts:
        return CheckResult(
            name=SCHEMA, passed=True, detail=f"{len(report.stored_columns)} columns as declared", facts=facts
        )
    columns = {column.header: column for column in report.stored_columns}
    messages: list[str] = []
    advice: list[str] = []
    for header, count in counts.items():
        column, example = columns[header], examples[header]
        text = f"column {header!r}: {count} values are not {_plain(column.type)}"
        text += f", such as {example!r}" if example else ""
        if example and column.type.equals(TIMESTAMP):
            why = time_error(example, column.forms, report.calendar.timezone)
            text += f", {why}"
            advice.append(_TIME_ADVICE if why.startswith("a local time") else DECLARE_FORM_ADVICE)
        messages.append(text)
    return CheckResult(
        name=SCHEMA,
        passed=False,
        detail="; ".join(messages),
        facts={**facts, "bad_values": counts.total()},
        advice=". ".join(dict.fromkeys(advice)),
    )


def read_back(report: Report, file: CheckedDay) -> None:
    """Open the finished file and compare schema, rows and sums with what was decoded.

    Raises:
        StorageError: they differ.
        OSError: it cannot be read.
    """
    sums = Sums(report)
    with pq.ParquetFile(file.path) as parquet:
        same = without_origin(parquet.schema_arrow).equals(report.schema, check_metadata=True)
        rows = parquet.metadata.num_rows
        if same and sums.column_names:
            for batch in parquet.iter_batches(columns=sums.column_names):
                sums.add(batch)
    if not same or rows != file.rows or (sums.money(), sums.totals()) != (file.sums.money(), file.sums.totals()):
        raise StorageError(
            f"{report.key} {ranges([file.day])}: the finished file reads back with {rows} of {file.rows} rows, "
            "or other values",
            advice="Suspect the disk or memory of this machine",
        )


def grain_unique(report: Report, file: CheckedDay) -> CheckResult:
    """Check that no two rows of the day share their grain, and that no row is the total of the others.

    Duplicate keys are a warning where no document promises that they are unique.

    Raises:
        OSError: the finished file cannot be read.
    """
    by_name = {column.name: column for column in report.stored_columns}
    repeated = file.duplicate_keys()
    suspects = repeated.grains
    grain = [by_name[name] for name in report.grain_names]
    # Where the file does not hold what the hashes were made of, 64 bits of it have to do.
    hidden = any(is_dropped(column, report.privacy) for column in grain)
    message = ", ".join(report.grain_names) or "the day"
    facts: dict[str, int | float | str] = {"rows": file.rows}
    if not suspects.size:
        result = ""
    elif not report.grain_promised:
        shown, rows, keys = ("", 0, suspects.size) if hidden else confirmed_duplicates(file.path, grain, suspects)
        such = f", such as {shown} ({rows} rows)" if rows else ""
        result = f"{repeated.rows} rows share {keys} keys of {message}{such}: no document promises that keys are unique"
        result = result if keys else ""
        facts |= {"rows_sharing_keys": repeated.rows, "shared_keys": keys} if result else {}
    elif hidden:
        result = f"grain twice ({suspects.size} grains)"
    else:
        result = describe_duplicates(file.path, grain, suspects)
    total = total_row_error(report, file.files.values())
    detail = "; ".join(filter(None, [result, total])) or f"unique by {message}"
    blocking = report.grain_promised or bool(total)
    passed = not result and not total
    return CheckResult(name=GRAIN_UNIQUE, passed=passed, blocking=blocking, detail=detail, facts=facts)


def day_and_currency(report: Report, file: CheckedDay) -> CheckResult:
    """Check that rows and times belong to this day, and that currencies are declared or look like ISO 4217 codes."""
    currencies = file.sums.currencies()
    money = file.sums.money()
    declared = {column.name: column.currencies for column in report.stored_columns if column.currencies}
    others = [code for name, codes in declared.items() for code in money.get(name, {}) if code not in codes]
    wrong = [currency for currency in currencies if not _CURRENCY.fullmatch(currency)] + others
    facts = {"day": ranges([file.day]), "currencies": ", ".join(shortened(each) for each in currencies[:10])}
    if file.strays:
        strays = _strays(report, file)
        return CheckResult(name=DAY_AND_CURRENCY, passed=False, detail=strays, facts=facts, advice=_STRAY_ADVICE)
    if wrong:
        sources = sorted({column.currency_from for column in report.stored_columns if column.currency_from})
        known = sorted({code for codes in declared.values() for code in codes})
        message = f"{', '.join(sources)} holds {shortened(wrong[0])!r}, "
        if _CURRENCY.fullmatch(wrong[0]):
            message += f"a currency that the report does not declare ({', '.join(known)}). {_DECLARE}"
        else:
            message += f"which is not a currency code such as {' or '.join(known or ['USD'])}"
        return CheckResult(name=DAY_AND_CURRENCY, passed=False, detail=message, facts=facts)
    message = f"rows of {ranges([file.day])} alone" + (f", money in {facts['currencies']}" if currencies else "")
    return CheckResult(name=DAY_AND_CURRENCY, passed=True, detail=message, facts=facts)


def _strays(report: Report, file: CheckedDay) -> str:
    zone = report.calendar.timezone
    columns = {column.header: column for column in report.stored_columns}
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for note in file.strays:
        counts[note.column] += note.count
        examples.setdefault(note.column, note.example)
    messages: list[str] = []
    for header, count in counts.items():
        example = examples[header]
        text = f"column {header!r} holds {example!r}" if example else f"column {header!r} holds a time"
        if example:
            read = read_times(pa.array([example], pa.string()), columns[header].forms, zone).values[0].as_py()
            text += f", which is {read.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}" if read else ""
        messages.append(f"{text}, outside of the day of its row, {file.day}, {zone} ({count} such rows)")
    return "; ".join(messages)


def rows_complete(read: int | None, counted: int, expected: int | None) -> CheckResult:
    """Check that the number of decoded rows equals the count of the bytes and the count of the provider.

    Args:
        read: number of rows that were parsed; None if the file was not parsed, because a count was wrong already.
        counted: number of rows in the bytes, counted without the parser.
        expected: number of rows according to the provider; None if it does not say.
    """
    facts = {"rows_in_bytes": counted}
    facts |= {} if read is None else {"rows_decoded": read}
    facts |= {} if expected is None else {"rows_expected": expected}
    if expected is not None and counted != expected:
        detail = f"the response has {counted} rows, the provider said {expected}"
    elif read is not None and read != counted:
        detail = f"{read} rows decoded of the {counted} in the response: an open quote, or a line break inside a value?"
    else:
        compared = "" if expected is None else ", as many as the provider said"
        return CheckResult(
            name=ROWS_COMPLETE, passed=True, detail=f"{counted} rows in the response{compared}", facts=facts
        )
    return CheckResult(name=ROWS_COMPLETE, passed=False, detail=detail, facts=facts)


def _plain(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "integers"
    if pa.types.is_decimal(kind):
        return f"decimals (of at most {kind.precision - kind.scale} digits before the point)"
    return "true or false" if pa.types.is_boolean(kind) else "times"
