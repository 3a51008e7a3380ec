"""Rows that are the total of the others, which would count everything twice."""

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

Likenesses = npt.NDArray[np.int8]
"""Of each row: 0, or how it looks like a total: `_BLANK` or `_WORD`."""

_BLANK, _WORD = 1, 2
_WORDS = ("total", "totals", "grand total", "grand totals", "subtotal", "sub total", "sum", "overall", "all", "*")
_BLANKS = ("", " ", "-", "--", " --", "n/a", "N/A", "null", "NULL", "None", r"\N", "(not set)")
_SPELLED = tuple({form for word in _WORDS for form in (word, word.title(), word.upper(), word.capitalize())})
_MOST_SINGLE = 200
"""Rows of a file and day that are looked at one by one."""
_RELATIVE = Fraction(1, 10**9)
_COARSEST = Fraction(1, 200)
"""The share by which a total that is printed with few digits may differ from the sum of its rows."""
_FIX = "Fix: ask the provider for the report without total rows"


def is_total(text: str) -> bool:
    """Whether a text says that its row is a total."""
    return text.strip().rstrip(":").lower() in _WORDS


def _dimensions(report: Report, constants: Mapping[str, str]) -> list[Column]:
    """The columns that say what a row of a file is about."""
    currencies = {column.currency_from for column in report.columns}
    named = {*report.grain} or {column.header for column in report.stored_columns}
    return [
        column
        for column in report.stored_columns
        if column.kind is Kind.IDENTITY
        and not column.catch_all
        and column.header in named - currencies
        and column.header not in constants
    ]


class TotalLooks:
    """Finds the rows of a file that name nothing: each dimension is blank, or says that the row is a total."""

    def __init__(self, report: Report, constants: Mapping[str, str]) -> None:
        self._headers = [column.header for column in _dimensions(report, constants)]
        self._nameless = pa.array([*_BLANKS, *_SPELLED], pa.string())
        self._words = pa.array(_SPELLED, pa.string())

    def of(self, texts: Mapping[str, AnyArray]) -> Likenesses | None:
        """How each row looks like a total, from the texts of its columns; None where no row does."""
        if not self._headers:
            return None
        places = np.arange(len(texts[self._headers[0]]))
        words = np.zeros(len(places), dtype=np.bool_)
        for header in self._headers:
            own = texts[header]
            own = own if len(places) == len(own) else own.take(pa.array(places, pa.int64()))
            alike = _among(own.fill_null("") if own.null_count else own, self._nameless)
            places, words = places[alike], words[alike]
            if not places.size:
                return None
            words |= _among(own.filter(pa.array(alike)), self._words)
        result = np.zeros(len(texts[self._headers[0]]), dtype=np.int8)
        result[places] = np.where(words, _WORD, _BLANK)
        return result


def _among(texts: AnyArray, values: AnyArray) -> npt.NDArray[np.bool_]:
    result: AnyArray = pc.is_in(texts, values)
    return result.to_numpy(zero_copy_only=False).astype(np.bool_)


class FileSums:
    """Sums of the rows of one file and day, and of those of them that look like a total."""

    def __init__(self, report: Report) -> None:
        self.rows = 0
        self.sums = Sums(report)
        self._report = report
        self._alike: dict[int, tuple[int, Sums]] = {}
        self._single: list[tuple[int, Sums]] = []

    def add(self, batch: pa.RecordBatch, likeness: Likenesses | None) -> None:
        """Take in rows."""
        self.rows += batch.num_rows
        self.sums.add(batch)
        for kind in (_BLANK, _WORD) if likeness is not None else ():
            places = np.flatnonzero(likeness == kind)
            if places.size:
                rows, sums = self._alike.setdefault(kind, (0, Sums(self._report)))
                sums.add(batch.take(pa.array(places, pa.int64())))
                self._alike[kind] = (rows + len(places), sums)
            for place in places[: max(0, _MOST_SINGLE - len(self._single))]:
                item = Sums(self._report)
                item.add(batch.slice(int(place), 1))
                self._single.append((kind, item))

    def suspects(self) -> "Iterator[_Suspects]":
        """The rows that look like totals, beside the rows that they may sum up.

        In groups of a kind: there may be a total for each hour or currency.
        """
        others, rows = self._copy(), self.rows
        # A row that calls itself a total sums up those too that merely name nothing.
        for kind in (_WORD, _BLANK):
            count, sums = self._alike.get(kind, (0, Sums(self._report)))
            others.merge(sums, sign=-1)
            rows -= count
            if count and rows:
                beside = Sums(self._report)
                beside.merge(others)
                yield _Suspects(says_total=kind == _WORD, rows=count, sums=sums, others=beside, other_rows=rows)

    def single_suspects(self) -> "Iterator[_Suspects]":
        """As `suspects`, one row after the other: some beside the total may merely name nothing."""
        for kind, item in self._single if len(self._single) > 1 and self.rows > len(self._single) else ():
            others = self._copy()
            others.merge(item, sign=-1)
            yield _Suspects(says_total=kind == _WORD, rows=1, sums=item, others=others, other_rows=self.rows - 1)

    def _copy(self) -> Sums:
        result = Sums(self._report)
        result.merge(self.sums)
        return result


@dataclass(frozen=True, slots=True)
class _Suspects:
    says_total: bool
    rows: int
    sums: Sums
    others: Sums
    other_rows: int

    def are_totals(self, dimensions: int) -> bool:
        """Whether the rows sum up the others: every amount, and each count that can be added up.

        Counts that cannot, such as unique users, are smaller in a total. One other row with the same values is no
        proof, unless the row calls itself a total, or lacks several dimensions and equals the other in every column.
        """
        money = list(_pairs(self.sums.money(), self.others.money()))
        counts = [(own, other) for own, other in self._counts() if own or other]
        equal = sum(own == other for own, other in counts)
        if any(own > other for own, other in counts):
            return False
        if not all(map(_is_sum, money)):
            # A total of several currencies is in one of them, converted or not: the counts have to show it.
            return self._mixed() and equal == len(counts) > 1 and self.other_rows > 1
        if not equal and (counts or not any(other for _, other in money)):
            return False
        return self.other_rows > 1 or self.says_total or (dimensions > 1 and equal == len(counts))

    def _mixed(self) -> bool:
        return any(len([amount for amount in sums.values() if amount]) > 1 for sums in self.others.money().values())

    def _counts(self) -> Iterator[tuple[int, int]]:
        other = self.others.totals()
        for name, total in self.sums.totals().items():
            if isinstance(total, int):
                yield total, int(other[name])


def _pairs(
    own: Mapping[str, Mapping[str, Decimal]], other: Mapping[str, Mapping[str, Decimal]]
) -> Iterator[tuple[Decimal, Decimal]]:
    for column, sums in other.items():
        current, amounts = own[column], {currency: amount for currency, amount in sums.items() if amount}
        if len(amounts) == 1 and not any(map(_is_code, current)):
            # The row names no currency either: it has that of the others.
            current = {next(iter(amounts)): amount for amount in current.values()}
        for currency in {*amounts, *current}:
            yield current.get(currency, Decimal()), amounts.get(currency, Decimal())


def _is_code(currency: str) -> bool:
    return bool(re.fullmatch("[A-Za-z]{3}", currency)) and not is_total(currency)


def _is_sum(pair: tuple[Decimal, Decimal]) -> bool:
    """Whether an amount is a sum, as far as its digits go."""
    own, total = map(Fraction, pair)
    decimals = max(len(_trimmed(pair[0]).partition(".")[2]), 2)
    printed = min(Fraction(1, 2 * 10**decimals), abs(total) * _COARSEST)
    return abs(own - total) <= max(printed, abs(total) * _RELATIVE)


def total_row(report: Report, parts: Iterable[FileSums]) -> str:
    """Which rows of a day are shown to be totals of its other rows; empty where none is."""
    dimensions = _dimensions(report, {})
    for part in parts:
        for result in itertools.chain(part.suspects(), part.single_suspects()):
            if result.are_totals(len(dimensions)):
                which = "a total row" if result.rows == 1 else f"{result.rows} total rows"
                message = f"{_described(result, dimensions)} sum up the other {result.other_rows} rows"
                return f"{which}, which would count everything twice: {message}. {_FIX}"
    return ""


def suspicions(report: Report, parts: Iterable[FileSums]) -> Iterator[str]:
    """Warnings of rows that look like totals, and are not the sum of the others.

    None where a dimension is declared to be empty in rows that aggregate users, or is the only one.
    """
    dimensions = _dimensions(report, {})
    usual = len(dimensions) == 1 or any(column.flags and "" in column.flags[1] for column in report.columns)
    for part in parts:
        for result in part.suspects():
            if result.says_total or not usual:
                message = f"{_described(result, dimensions)} do not sum up the other {result.other_rows} rows"
                which = (
                    "a row looks like a total and is"
                    if result.rows == 1
                    else f"{result.rows} rows look like totals and are"
                )
                yield f"{which} kept: {message}"


def _described(found: _Suspects, dimensions: Sequence[Column]) -> str:
    """How the rows look like totals, and the first of what they hold."""
    names = ", ".join(column.header for column in dimensions[:5])
    amounts = [
        f"{_trimmed(amount)} {currency} of {name}"
        for name, sums in found.sums.money().items()
        for currency, amount in sums.items()
        if amount
    ]
    counts = [f"{total} of {name}" for name, total in found.sums.totals().items() if total]
    shown = " and ".join((amounts + counts)[:2]) or "no amounts"
    return f"every dimension ({names}) {'says Total or All' if found.says_total else 'is empty'}, and {shown}"


def _trimmed(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
