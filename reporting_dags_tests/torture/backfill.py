"""A backfill whose runs are killed at random moments and begun again until one ends by itself."""

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pyarrow as pa

from reporting_dags.jobs.planning.resume import ORPHANED
from reporting_dags.jobs.records import JobState
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.days import Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags_tests.processes import Process
from reporting_dags_tests.torture.aftermath import (
    FOUND_AGAIN,
    job_rows,
    landed_facts,
    open_jobs,
    outcomes,
    submits,
    unsettled,
    windows,
)
from reporting_dags_tests.torture.place import Place, materialize
from reporting_dags_tests.torture.row import Losses, Row, losses
from reporting_dags_tests.torture.steps import REPORTS
from reporting_dags_tests.truth import Row as Record
from reporting_dags_tests.truth import landed_rows

_AT_WORK = "STEP_START"
_PATIENCE = 180


@dataclass(kw_only=True)
class Truth:
    """What must are at a data root, and what of it was seen to: a file that is still the same is not read again."""

    days: dict[str, dict[date, Counter[Record]]]
    seen: dict[tuple[object, ...], Losses] = field(default_factory=dict[tuple[object, ...], Losses])

    def differs(self, place: Place) -> tuple[Losses, list[str]]:
        """How the files that are stored now differ from the truth, and those that have no business there."""
        store = open_store(str(place.data), scratch=place.folder)
        known = {report.file(day): (report, day) for report in REPORTS for day in self.days[report.key]}
        found, strays = Losses(), list[str]()
        # Staging is apart: the other backfill is at work there.
        tops = [top for top in place.data.glob("*") if top.name != ".staging"]
        for path in (path for top in tops for path in (top, *top.rglob("*")) if not path.is_dir()):
            key = path.relative_to(place.data).as_posix()
            if key not in known:
                strays.append(f"stray file {key}")
                continue
            report, day = known[key]
            told = path.stat()
            same = (path, told.st_ino, told.st_mtime_ns, told.st_size)
            if same not in self.seen:
                try:
                    self.seen[same] = losses(self.days[report.key][day], landed_rows(store, report, day))
                except (OSError, pa.ArrowException, AssertionError):
                    self.seen[same] = Losses(wrong=1)
            found += self.seen[same]
        return found, strays


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds that a backfill takes when it is left alone: from the start of its step, and from its first day on."""

    whole: float
    publishing: float


@dataclass(kw_only=True)
class Backfill:
    """One report's days, pulled by runs of which the first `limit` may be killed.

    Attributes:
        place: where to; another backfill may share it.
        report: what.
        days: which, unbroken.
        truth: what must are stored at any moment.
        limit: the run after so many kills is left alone.
        pace: within how many seconds of its work a run is killed; None: none has been left alone yet.
        chance: chooses the moments.
        phases: how often a run was killed in which phase.
    """

    place: Place
    report: Report
    days: Sequence[date]
    truth: Truth
    limit: int = 0
    pace: Pace | None = None
    chance: random.Random = field(default_factory=random.Random)
    phases: Counter[str] = field(default_factory=Counter[str])
    took: float = 0.0
    _losses: Losses = field(default_factory=Losses)
    _troubles: list[str] = field(default_factory=list[str])
    _runs: set[str] = field(default_factory=set[str])
    _anew: int = 0

    def complete(self) -> Row:
        """Run, be killed and run again until a run ends by itself; then judge."""
        killed = True
        while killed:
            self._anew += self._had_ended()
            killed = self._run(self._moment())
            found, strays = self.truth.differs(self.place)
            self._losses += found
            self._troubles += strays
        return self._judged()

    def measured(self) -> Pace:
        """How long the last run worked, which was left alone."""
        landed = [facts.landed_at for facts in landed_facts(self.place, self.report).values()]
        return Pace(whole=self.took, publishing=(max(landed) - min(landed)).total_seconds() if landed else 0.0)

    def _moment(self) -> float | None:
        """After how many seconds of work to kill the next run; what is bought and kept has but to be published."""
        if self.pace is None or self.phases.total() >= self.limit:
            return None
        states = {row.state for row in open_jobs(self.place, self.report)}
        kept = states == {JobState.DOWNLOADED}
        return self.chance.uniform(0, self.pace.publishing if kept else self.pace.whole)

    def _had_ended(self) -> bool:
        """Whether the next run finds nothing to take up, and requests days that have all ended."""
        facts = landed_facts(self.place, self.report)
        return set(self.days) <= set(facts) and not open_jobs(self.place, self.report)

    def _run(self, kill_after: float | None) -> bool:
        """One run; whether it was killed."""
        process = self.place.start(materialize(self.report, self.days[0], self.days[-1]))
        said: deque[str] = deque(maxlen=20)
        at_work = threading.Event()
        reader = threading.Thread(target=_listen, args=(process, said, at_work))
        reader.start()
        try:
            at_work.wait(_PATIENCE)
            began, clock = datetime.now(UTC), time.monotonic()
            killed = _killed(process, kill_after)
            self.took = time.monotonic() - clock
        finally:
            _kill(process)
            reader.join()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        if killed:
            self.phases[self._phase(began)] += 1
        elif process.returncode:
            self._troubles.append(f"a run ended with {process.returncode}: {''.join(said).strip()[-300:]}")
        return killed

    def _phase(self, began: datetime) -> str:
        """How far the run had come that began then, by what it left."""
        rows = [row for row in job_rows(self.place, self.report) if row.run not in self._runs]
        self._runs |= {row.run for row in rows}
        still = [row for row in rows if row.state != JobState.CLOSED]
        if not still:
            return "after the ledger's finish" if rows else "before the claim"
        facts = landed_facts(self.place, self.report)
        for row in still:
            if row.state == JobState.DOWNLOADED:
                window = Window(row.first_day, row.last_day)
                new = any(day in window and facts[day].landed_at >= began for day in facts)
                return "publishing" if new else "decoding"
        runs = self.place.home / "reporting_spool" / "runs"
        if still and any(runs.glob("run-*/answer-*")):
            return "downloading"
        if any(row.state == JobState.SUBMITTED for row in still):
            return "polling"
        return "between intent and handle"

    def _judged(self) -> Row:
        report, place = self.report, self.place
        rows = job_rows(place, report)
        orphans = sum(row.cause == ORPHANED for row in rows)
        least = windows(report, self.days)
        why = ""
        if report.provider not in FOUND_AGAIN:
            landed = sum(row.outcome == Outcome.DATA for row in rows)
            if landed > least * (1 + self._anew):
                self._troubles.append(
                    f"{landed} jobs landed, where {least} are enough and {self._anew} runs began again"
                )
            least = landed
            why = f"{orphans} intents closed, since {ORPHANED}" if orphans else ""
        return Row(
            fault=f"{self.phases.total()} kills over {report.key}, {len(self.days)} days",
            outcome=("killed, then " if self.phases else "left alone: ") + outcomes(place, report),
            losses=self._losses + place.losses(report, self.days),
            extra=submits(place.sandbox, report) - least,
            allowed=orphans if report.provider not in FOUND_AGAIN else 0,
            why=why,
            trouble="; ".join([*self._troubles, *unsettled(place, report, self.days)]),
        )


def _listen(process: Process, said: deque[str], at_work: threading.Event) -> None:
    """Take in what a process says: a full pipe would hold it up."""
    for line in process.stderr or ():
        said.append(line)
        if _AT_WORK in line:
            at_work.set()
    at_work.set()


def _killed(process: Process, after: float | None) -> bool:
    """Whether the process had to be killed, after so many seconds, or None: after more than it can honestly need."""
    try:
        process.wait(_PATIENCE if after is None else after)
    except subprocess.TimeoutExpired:
        _kill(process)
    return process.returncode == -signal.SIGKILL and after is not None


def _kill(process: Process) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
