"""The processes of a race, as handles: two that pull days at a word, one that reads all the time."""

import json
import os
import selectors
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from reporting_dags.model.report import Report
from reporting_dags_tests.processes import Process, start
from reporting_dags_tests.torture.place import Place, kill
from reporting_dags_tests.torture.racer import VARIABLE

_ANSWERS_WITHIN = 120
Reading = list[tuple[str, int]]
"""What a reader saw, in order, and in how many reads on end."""


@dataclass(frozen=True)
class Racer:
    """A process that pulls days when it is told to."""

    process: Process

    def go(self, report: Report, *days: date) -> None:
        """Begin to bring `days` home."""
        assert self.process.stdin
        task = {"report": report.key, "days": [day.isoformat() for day in days]}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()

    def told(self) -> dict[str, Any]:
        """What it says of its days, once it does."""
        first_of([self])
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a racer ended: {self.process.communicate()[1][-1000:]}")
        return json.loads(line)

    @property
    def has_spoken(self) -> bool:
        """Whether it has something to say."""
        return _ready([self], 0) is not None

    @property
    def stopped(self) -> bool:
        """Whether it has stopped itself."""
        status = Path(f"/proc/{self.process.pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "T"

    def wake(self) -> None:
        """Let it go on."""
        os.kill(self.process.pid, signal.SIGCONT)


def first_of(racers: Sequence[Racer]) -> Racer:
    """The first that has something to say."""
    found = _ready(racers, _ANSWERS_WITHIN)
    if found is None:
        raise TimeoutError(f"no racer said anything for {_ANSWERS_WITHIN} s")
    return found


def _ready(racers: Sequence[Racer], seconds: float) -> Racer | None:
    with selectors.DefaultSelector() as selector:
        for one in racers:
            assert one.process.stdout
            selector.register(one.process.stdout, selectors.EVENT_READ, one)
        ready = selector.select(seconds)
    return ready[0][0].data if ready else None


@contextmanager
def racing(place: Place, count: int, *, stops: str = "", **variables: str) -> Generator[list[Racer]]:
    """`count` racers that are ready; none outlives the block."""
    more = {**variables, **({VARIABLE: stops} if stops else {})}
    with ExitStack() as stack:
        command = ["-m", "reporting_dags_tests.torture.racer"]
        racers = [Racer(stack.enter_context(_running(place, command, more))) for _ in range(count)]
        for one in racers:
            assert one.told() == {"ready": True}
        yield racers


class Reader:
    """A process that reads a day all the time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def end(self) -> Reading:
        """What it saw, from the first read to the last."""
        told, failed = self._process.communicate(timeout=_ANSWERS_WITHIN)
        if self._process.returncode:
            raise RuntimeError(f"the reader ended: {failed[-1000:]}")
        return [(line["saw"], line["reads"]) for line in map(json.loads, told.splitlines())]


@contextmanager
def reading(place: Place, report: Report, day: date) -> Generator[Reader]:
    """A reader of `day`; it does not outlive the block."""
    command = ["-m", "reporting_dags_tests.torture.reader", str(place.data), report.key, day.isoformat()]
    with _running(place, command, {}) as process:
        yield Reader(process)


@contextmanager
def _running(place: Place, command: Sequence[str], variables: dict[str, str]) -> Generator[Process]:
    process = start(command, cwd=place.home, env={**place.environment(), **variables}, stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            kill(process)
