"""Detects total rows, which sum up the other rows of a response. Landing them would count everything twice."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.landing.compute.sums import Sums
from reporting_dags.model.column import Column, Kind
from reporting_dags.model.report import Report

TotalKinds = npt.NDArray[np.int8]
"""For each row 0, or how it looks like a total: `_ALL_BLANK` or `_HAS_TOTAL_WORD`."""

_ALL_BLANK, _HAS_TOTAL_WORD = 1, 2
_TOTAL_WORDS = ("total", "totals", "grand total", "grand totals", "subtotal", "sub total", "sum", "overall", "all", "*")
_BLANK_TEXTS = ("", " ", "-", "--", " --", "n/a", "N/A", "null", "NULL", "None", r"\N", "(not set)")
_WORD_SPELLINGS = tuple(
    {form for word in _TOTAL_WORDS for form in (word, word.title(), word.upper(), word.capitalize())}
)
_MAX_SINGLE_ROWS = 200
"""How many rows of a file and day are compared one by one."""
_RELATIVE_TOLERANCE = Fraction(1, 10**9)
"""How far a total may differ from the sum of its rows, relative to the sum."""
_MAX_ROUNDING_SHARE = Fraction(1, 200)
"""How far a total that is rounded to few digits may differ from the sum of its rows, relative to the sum."""
_FIX = "Fix: ask the provider to send the report without total rows"


def is_total_word(text: str) -> bool:
    """Return whether a text, such as "Total", marks its row as a total."""
    return text.strip().rstrip(":").lower() in _TOTAL_WORDS


def _dimensions(report: Report, literal_columns: Mapping[str, str]) -> list[Column]:
    """Return the identity columns of the grain that a row of a file must fill, other than currencies."""
    currencies = {column.currency_from for column in report.columns}
    grain = {*report.grain} or {column.header for column in report.stored_columns}
    return [
        column
        for column in report.stored_columns
        if column.kind is Kind.IDENTITY
        and not column.catch_all
        and column.header in grain - currencies
        and column.header not in literal_columns
    ]


class TotalRowDetector:
    """Detects rows that may be totals: each of their dimensions is blank or a word such as "Total"."""

    def __init__(self, report: Report, literal_columns: Mapping[str, str]) -> None:
        self._headers = [column.header for column in _dimensions(report, literal_columns)]
        self._blank_or_total_texts = pa.array([*_BLANK_TEXTS, *_WORD_SPELLINGS], pa.string())
        self._total_texts = pa.array(_WORD_SPELLINGS, pa.string())

    def detect(self, texts: Mapping[str, AnyArray]) -> TotalKinds | None:
        """Return how each row looks like a total, given the texts by header; None if no row does."""
        if not self._headers:
            return None
        # The rows that look like a total in every dimension so far, and whether they have a total word.
        rows = np.arange(len(texts[self._headers[0]]))
        has_word = np.zeros(len(rows), dtype=np.bool_)
        for header in self._headers:
            column = texts[header]
            column = column if len(rows) == len(column) else column.take(pa.array(rows, pa.int64()))
            matches = _is_in(column.fill_null("") if column.null_count else column, self._blank_or_total_texts)
            rows, has_word = rows[matches], has_word[matches]
            if not rows.size:
                return None
            has_word |= _is_in(column.filter(pa.array(matches)), self._total_texts)
        result = np.zeros(len(texts[self._headers[0]]), dtype=np.int8)
        result[rows] = np.where(has_word, _HAS_TOTAL_WORD, _ALL_BLANK)
        return result


def _is_in(texts: AnyArray, values: AnyArray) -> npt.NDArray[np.bool_]:
    result: AnyArray = pc.is_in(texts, values)
    return result.to_numpy(zero_copy_only=False).astype(np.bool_)


class FileSums:
    """Sums of the rows of one file and day, and separately of those rows that look like a total."""

    def __init__(self, report: Report) -> None:
        self.rows = 0
        self.sums = Sums(report)
        self._report = report
        self._by_kind: dict[int, tuple[int, Sums]] = {}
        self._single_rows: list[tuple[int, Sums]] = []

    def add(self, batch: pa.RecordBatch, total_kinds: TotalKinds | None) -> None:
        """Add rows.

        Args:
            batch: the rows.
            total_kinds: how each row looks like a total; None if no row does.
        """
        self.rows += batch.num_rows
        self.sums.add(batch)
        for kind in (_ALL_BLANK, _HAS_TOTAL_WORD) if total_kinds is not None else ():
            rows = np.flatnonzero(total_kinds == kind)
            if rows.size:
                count, sums = self._by_kind.setdefault(kind, (0, Sums(self._report)))
                sums.add(batch.take(pa.array(rows, pa.int64())))
                self._by_kind[kind] = (count + len(rows), sums)
            for row in rows[: max(0, _MAX_SINGLE_ROWS - len(self._single_rows))]:
                sums_of_row = Sums(self._report)
                sums_of_row.add(batch.slice(int(row), 1))
                self._single_rows.append((kind, sums_of_row))

    def candidates(self) -> "Iterator[_TotalCandidate]":
        """Yield the rows that look like totals, grouped by kind, each with the rows that they may sum up.

        There may be several total rows, such as one for each hour or currency.
        """
        others, rows = self._copy(), self.rows
        # A row with a total word may also sum up rows that are only blank.
        for kind in (_HAS_TOTAL_WORD, _ALL_BLANK):
            count, sums = self._by_kind.get(kind, (0, Sums(self._report)))
            others.merge(sums, sign=-1)
            rows -= count
            if count and rows:
                summed_up = Sums(self._report)
                summed_up.merge(others)
                yield _TotalCandidate(
                    has_total_word=kind == _HAS_TOTAL_WORD, rows=count, sums=sums, others=summed_up, other_rows=rows
                )

    def single_row_candidates(self) -> "Iterator[_TotalCandidate]":
        """Yield each row that looks like a total on its own, since others of its kind may be blank but not totals."""
        if not 1 < len(self._single_rows) < self.rows:
            return
        for kind, sums in self._single_rows:
            others = self._copy()
            others.merge(sums, sign=-1)
            yield _TotalCandidate(
                has_total_word=kind == _HAS_TOTAL_WORD, rows=1, sums=sums, others=others, other_rows=self.rows - 1
            )

    def _copy(self) -> Sums:
        result = Sums(self._report)
        result.merge(self.sums)
        return result


@dataclass(frozen=True, slots=True)
class _TotalCandidate:
    """Rows that look like totals, and the rows that they may sum up.

    Attributes:
        has_total_word: whether the rows have a word such as "Total"; otherwise their dimensions are blank.
        rows: number of rows that look like totals.
        sums: their sums.
        others: the sums of the other rows.
        other_rows: number of other rows.
    """

    has_total_word: bool
    rows: int
    sums: Sums
    others: Sums
    other_rows: int

    def sum_up_others(self, dimensions: int) -> bool:
        """Return whether the rows sum up the others: in every amount of money, and in a count if there are any.

        A count that cannot be added up, such as unique users, is smaller in a total, but never larger. A single other
        row with the same values does not prove a total, unless the candidate has a total word, or lacks several
        dimensions and equals the other row in every count.

        Args:
            dimensions: number of dimensions of the report.
        """
        money = list(_pairs(self.sums.money(), self.others.money()))
        counts = [(own, other) for own, other in self._counts() if own or other]
        equal = sum(own == other for own, other in counts)
        if any(own > other for own, other in counts):
            return False
        if not all(map(_is_sum, money)):
            # A total over several currencies is in one currency, so only the counts can prove it.
            return self._has_mixed_currencies() and equal == len(counts) > 1 and self.other_rows > 1
        if not equal and (counts or not any(other for _, other in money)):
            return False
        return self.other_rows > 1 or self.has_total_word or (dimensions > 1 and equal == len(counts))

    def _has_mixed_currencies(self) -> bool:
        return any(len([amount for amount in sums.values() if amount]) > 1 for sums in self.others.money().values())

    def _counts(self) -> Iterator[tuple[int, int]]:
        other = self.others.totals()
        for name, total in self.sums.totals().items():
            if isinstance(total, int):
                yield total, int(other[name])


def _pairs(
    own: Mapping[str, Mapping[str, Decimal]], other: Mapping[str, Mapping[str, Decimal]]
) -> Iterator[tuple[Decimal, Decimal]]:
    """Yield the amounts of a candidate and of the other rows, for each column of money and each currency."""
    for column, sums in other.items():
        own_amounts, other_amounts = own[column], {currency: amount for currency, amount in sums.items() if amount}
        if len(other_amounts) == 1 and not any(map(_is_currency_code, own_amounts)):
            # The candidate has no currency: it has that of the other rows.
            own_amounts = {next(iter(other_amounts)): amount for amount in own_amounts.values()}
        for currency in {*other_amounts, *own_amounts}:
            yield own_amounts.get(currency, Decimal()), other_amounts.get(currency, Decimal())


def _is_currency_code(currency: str) -> bool:
    return bool(re.fullmatch("[A-Za-z]{3}", currency)) and not is_total_word(currency)


def _is_sum(pair: tuple[Decimal, Decimal]) -> bool:
    """Return whether the first amount equals the second, to the precision of the first amount's digits."""
    own, total = map(Fraction, pair)
    decimals = max(len(_trim_zeros(pair[0]).partition(".")[2]), 2)
    rounding = min(Fraction(1, 2 * 10**decimals), abs(total) * _MAX_ROUNDING_SHARE)
    return abs(own - total) <= max(rounding, abs(total) * _RELATIVE_TOLERANCE)


def total_row_error(report: Report, files: Iterable[FileSums]) -> str:
    """Return an error text if some rows of a day are totals of its other rows; otherwise an empty text."""
    dimensions = _dimensions(report, {})
    for file in files:
        for candidate in itertools.chain(file.candidates(), file.single_row_candidates()):
            if candidate.sum_up_others(len(dimensions)):
                which = "a total row" if candidate.rows == 1 else f"{candidate.rows} total rows"
                message = f"{_describe(candidate, dimensions)} sum up the other {candidate.other_rows} rows"
                return f"{which}, which would count everything twice: {message}. {_FIX}"
    return ""


def total_row_warnings(report: Report, files: Iterable[FileSums]) -> Iterator[str]:
    """Yield a warning for rows that look like totals but are not the sum of the other rows.

    Blank rows give no warning if the report has a single dimension, or declares that a dimension may be empty (for rows
    that aggregate users).
    """
    dimensions = _dimensions(report, {})
    blank_is_usual = len(dimensions) == 1 or any(column.flags and "" in column.flags[1] for column in report.columns)
    for file in files:
        for candidate in file.candidates():
            if candidate.has_total_word or not blank_is_usual:
                message = f"{_describe(candidate, dimensions)} do not sum up the other {candidate.other_rows} rows"
                which = (
                    "a row looks like a total and is"
                    if candidate.rows == 1
                    else f"{candidate.rows} rows look like totals and are"
                )
                yield f"{which} kept: {message}"


def _describe(candidate: _TotalCandidate, dimensions: Sequence[Column]) -> str:
    """Return a description of how the rows look like totals, with the first of their amounts and counts."""
    names = ", ".join(column.header for column in dimensions[:5])
    amounts = [
        f"{_trim_zeros(amount)} {currency} of {name}"
        for name, sums in candidate.sums.money().items()
        for currency, amount in sums.items()
        if amount
    ]
    counts = [f"{total} of {name}" for name, total in candidate.sums.totals().items() if total]
    shown = " and ".join((amounts + counts)[:2]) or "no amounts"
    return f"every dimension ({names}) {'says Total or All' if candidate.has_total_word else 'is empty'}, and {shown}"


def _trim_zeros(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
