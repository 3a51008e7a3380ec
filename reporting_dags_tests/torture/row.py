"""What one fault did: a row of the matrix, and the count of what it cost."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reporting_dags_tests.truth import Row as Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """How landed rows differ from the truth, as multisets.

    Attributes:
        lost: rows of the truth that are not there.
        doubled: rows that are there more often than in the truth.
        wrong: rows that the truth does not have.
    """

    lost: int = 0
    doubled: int = 0
    wrong: int = 0

    def __add__(self, other: "Losses") -> "Losses":
        return Losses(lost=self.lost + other.lost, doubled=self.doubled + other.doubled, wrong=self.wrong + other.wrong)


def losses(truth: Counter[Record], found: Counter[Record]) -> Losses:
    """Compare what was landed with the truth; a changed row counts once, as wrong."""
    surplus = found - truth
    doubled = sum(count for row, count in surplus.items() if row in truth)
    wrong = surplus.total() - doubled
    return Losses(lost=max(0, (truth - found).total() - wrong), doubled=doubled, wrong=wrong)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault and what came of it.

    Attributes:
        fault: what was done, in the issue's own words: "gzip cut short".
        outcome: how the struck days ended, then how the next run ended them: "partial, then data".
        losses: in what lay at the data root at any time.
        extra: submits beyond the least that this could have cost.
        allowed: how many of them the rules explain, by `why`.
        why: the explanation of `allowed`, or a remark.
        trouble: what did not hold though no row is lost, doubled or wrong; empty when all did.
    """

    fault: str
    outcome: str
    losses: Losses
    extra: int = 0
    allowed: int = 0
    why: str = ""
    trouble: str = ""

    @property
    def held(self) -> bool:
        """Whether the promise held."""
        return self.losses == Losses() and self.extra <= self.allowed and not self.trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the matrix.

    Attributes:
        name: of the section.
        rows: makes them, one after another while they are requested.
        aside: it mostly waits, so it runs beside the others, in a process of its own.
    """

    name: str
    rows: Callable[[], Iterator[Row]]
    aside: bool = False


def held(rows: Iterable[Row]) -> list[Row]:
    """Every row, for a test: raises AssertionError that names the rows that did not hold."""
    found = list(rows)
    bad = [row for row in found if not row.held]
    assert found, "not one row"
    assert not bad, bad
    return found


def numbers(rows: Iterable[Row]) -> dict[str, Any]:
    """The sums of many rows, by name."""
    found = list(rows)
    whole = sum((row.losses for row in found), Losses())
    return {
        "rows": len(found),
        "held": sum(row.held for row in found),
        "lost": whole.lost,
        "doubled": whole.doubled,
        "wrong": whole.wrong,
        "extra": sum(row.extra for row in found),
        "unexplained": sum(max(0, row.extra - row.allowed) for row in found),
    }
