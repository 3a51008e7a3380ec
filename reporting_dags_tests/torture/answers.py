"""Hostile answers: what a provider, or what stands between, can send in place of the honest answer."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory

from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.torture import (
    answers_addresses,
    answers_calls,
    answers_files,
    answers_forms,
    answers_jobs,
    answers_way,
)
from reporting_dags_tests.torture.answers_stage import Case, Stage
from reporting_dags_tests.torture.row import Row


def cases() -> list[Case]:
    """Every hostile answer, each for every provider where it makes sense."""
    parts = (answers_way, answers_files, answers_forms, answers_calls, answers_jobs, answers_addresses)
    return list(chain.from_iterable(part.cases() for part in parts))


def some_cases() -> list[Case]:
    """Every hostile answer of `cases`, for two of the providers for which it makes sense: of each in its turn."""
    by_fault: dict[str, list[Case]] = {}
    for case in cases():
        by_fault.setdefault(case.fault, []).append(case)
    chosen: list[Case] = []
    for number, alike in enumerate(by_fault.values()):
        chosen += {alike[(number + n) % len(alike)].name: alike[(number + n) % len(alike)] for n in range(2)}.values()
    return chosen


@dataclass(frozen=True, slots=True)
class Theatre:
    """One sandbox and a folder, for cases that are played one after another."""

    sandbox: Sandbox
    folder: Path
    _landed: dict[str, tuple[Path, int]] = field(default_factory=dict[str, tuple[Path, int]])
    _numbers: Iterator[int] = field(default_factory=count)

    def play(self, case: Case) -> Row:
        """What comes of `case`, with the sandbox and a folder as new."""
        self.sandbox.reset()
        folder = self.folder / f"{next(self._numbers)}"
        folder.mkdir()
        return Stage(self.sandbox, folder, case, self._landed).play()


@contextmanager
def theatre() -> Generator[Theatre]:
    """A place to play in, gone when the context ends."""
    with (
        running_sandbox(seed=7, at=NOON, frozen=True) as sandbox,
        TemporaryDirectory(prefix="reporting_answers_") as folder,
    ):
        yield Theatre(sandbox, Path(folder))


def rows() -> Iterator[Row]:
    """A row a case."""
    with theatre() as opened:
        for case in cases():
            yield opened.play(case)
