"""Bringing days home: the one way that every report takes, whatever its provider.

Judge the days, claim them in the ledger, drive their jobs until the raw answers are kept, land the days, close the
jobs. Everything that can be continued after a crash is: the ledger says how far each job had come.
"""

import functools
import hashlib
import shutil
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reporting_dags.jobs.drive import Bench, Driven, Driver
from reporting_dags.jobs.job import Busy, Claim, Claimant, Job, LandedFacts
from reporting_dags.jobs.planner import refusal
from reporting_dags.landing.land import CheckResult, LandedDay, Part, land
from reporting_dags.landing.store import raw_key
from reporting_dags.model.days import Window
from reporting_dags.model.errors import LostClaim, NotReady, ReportingError, StorageError, Truncated
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report

_LONGEST_BUSY_LOOK = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How a day's answer was got; empty for a day that was never asked for."""

    window: Window | None = None
    request_ids: tuple[str, ...] = ()
    raw_sha256: tuple[str, ...] = ()
    raw_bytes: int = 0
    calls_spent: int = 0
    waited: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """The end of one day: what landed, or why nothing did. One of `landed` and `error` is set."""

    day: date
    evidence: Evidence = field(default_factory=Evidence)
    landed: LandedDay | None = None
    error: ReportingError | None = None
    checks: tuple[CheckResult, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """How the day ended."""
        if self.landed is not None:
            return self.landed.outcome
        return self.error.outcome if self.error is not None else Outcome.FAILED


def pull(bench: Bench, report: Report[Any], days: Collection[date]) -> Iterator[DayResult]:
    """Bring `days` of `report` home; yields each day once, as soon as it has ended.

    Raises:
        StorageError: the ledger or a store cannot be used; what was bought stays for the next run.
        LostClaim: another run took over.
    """
    now = bench.clock.now()
    askable: list[date] = []
    for day in sorted(set(days)):
        error = refusal(report.calendar, day, now)
        if error is None:
            askable.append(day)
        else:
            yield DayResult(day=day, error=error)
    if not askable:
        return
    owner = bench.ledger.owners.enter()
    try:
        with _scratch_of(bench, owner) as scratch:
            yield from _until_ended(replace(bench, scratch=scratch), report, askable, owner)
    finally:
        # Jobs that are still open need no word: an owner that has left is as good as dead, and the next run takes up.
        bench.ledger.owners.leave(owner)


@contextmanager
def _scratch_of(bench: Bench, owner: str) -> Generator[Path]:
    """A folder of this owner's own for files on their way; what killed owners left behind is cleared away."""
    # A folder apart: stores keep files of their own beside it, which are no owner's.
    everyones = bench.scratch / "owners"
    mine = everyones / owner
    try:
        everyones.mkdir(mode=0o700, exist_ok=True)
        for folder in everyones.iterdir():
            if not bench.ledger.owners.alive(folder.name):
                shutil.rmtree(folder, ignore_errors=True)
        mine.mkdir(mode=0o700)
    except OSError as error:
        raise StorageError(f"{bench.scratch} cannot be written: {error.strerror}") from None
    try:
        yield mine
    finally:
        shutil.rmtree(mine, ignore_errors=True)


def _until_ended(bench: Bench, report: Report[Any], days: list[date], owner: str) -> Iterator[DayResult]:
    """Bring `days` home; those whose answer the provider cut are asked for again, in smaller requests."""
    while days:
        claim = _claim(bench, report, days, owner)
        if isinstance(claim, ReportingError):
            yield from (DayResult(day=day, error=claim) for day in days)
            return
        days = []
        for result in _bring_home(bench, report, claim):
            if isinstance(result.error, CutShort):
                bench.log(result.error.line)
                days.append(result.day)
            else:
                yield result


class CutShort(Truncated):
    """The answer was cut, and smaller requests can be made in its place."""


def _claim(bench: Bench, report: Report[Any], days: list[date], owner: str) -> Claim | ReportingError:
    """The jobs that bring `days` home, once no other live run holds one of the days."""
    policy = bench.provider.policy
    who = Claimant(
        report=report.key,
        account=bench.provider.account,
        fingerprint=hashlib.sha256(repr(report.query).encode()).hexdigest(),
        owner=owner,
        run=bench.run,
    )
    deadline = bench.clock.now() + policy.timeout
    told = False
    while True:
        found = bench.ledger.claim(
            who,
            days,
            longest=report.window_days,
            parts=bench.provider.parts(report),
            halves=functools.partial(bench.provider.halves, report),
            now=bench.clock.now(),
        )
        if not isinstance(found, Busy):
            return found
        if bench.clock.now() >= deadline:
            return NotReady(
                f"run {found.run} is still bringing {report.key} {found.window} home",
                advice="Run again when it has ended.",
            )
        if not told:
            bench.log(f"run {found.run} is bringing {report.key} {found.window} home: waiting for it")
            told = True
        bench.clock.sleep(min(policy.first_poll.total_seconds(), _LONGEST_BUSY_LOOK))


def _bring_home(bench: Bench, report: Report[Any], claim: Claim) -> Iterator[DayResult]:
    """Land each window as soon as every part of it is kept."""
    ended: dict[Window, list[Driven]] = {window: [] for window in claim.days}
    for driven in Driver(bench, report).drive(claim.jobs):
        window = driven.job.request.window
        ended[window].append(driven)
        if len(ended[window]) == sum(job.request.window == window for job in claim.jobs):
            yield from _end_window(bench, report, window, sorted(claim.days[window]), ended[window])


def _end_window(
    bench: Bench, report: Report[Any], window: Window, days: list[date], parts: list[Driven]
) -> Iterator[DayResult]:
    evidence = _evidence(bench, window, parts)
    failed = next((driven for driven in parts if driven.error is not None), None)
    if failed is not None and failed.error is not None:
        error = failed.error
        if isinstance(error, Truncated) and bench.provider.halves(report, failed.job.request):
            error = CutShort(error.message, advice="Asking again in smaller pieces")
        yield from (DayResult(day=day, error=error, evidence=evidence) for day in days)
        return
    jobs = [driven.job for driven in parts]
    left = list(days)
    bad = ""
    try:
        for result in _land(bench, report, window, days, jobs, evidence):
            left.remove(result.day)
            bad = bad or (result.error.line if result.error else "")
            yield result
    except (LostClaim, StorageError):
        raise
    except ReportingError as failure:
        bad = failure.line
        yield from (DayResult(day=day, error=failure, evidence=evidence) for day in left)
    for job in jobs:
        bench.ledger.finish(job, days, Outcome.FAILED if bad else Outcome.DATA, bad, bench.clock.now())


def _land(
    bench: Bench, report: Report[Any], window: Window, days: list[date], jobs: list[Job], evidence: Evidence
) -> Iterator[DayResult]:
    expected = [job.expected_rows for job in jobs]
    recorded: list[date] = []
    parts = [
        Part(
            path=bench.raw.fetch(raw_key(report.key, job.raw_sha256, report.format.suffix), bench.scratch),
            constants=bench.provider.constants(job.request),
            claims=bench.provider.claims(report, job.request),
        )
        for job in jobs
    ]
    for result in land(
        report,
        parts,
        window=window,
        days=days,
        store=bench.data,
        expected_rows=None if None in expected else sum(rows or 0 for rows in expected),
        before_publish=lambda _: _hold(bench, jobs),
    ):
        if not isinstance(result, LandedDay):
            yield DayResult(day=result.day, error=result.error, checks=result.checks, evidence=evidence)
            continue
        bench.ledger.landed(jobs, _facts(bench, report, result, jobs, evidence), recorded=recorded)
        yield DayResult(day=result.day, landed=result, checks=result.checks, evidence=evidence)
        # Whoever takes the results has recorded this one when it comes back for the next.
        recorded.append(result.day)


def _hold(bench: Bench, jobs: list[Job]) -> None:
    for job in jobs:
        bench.ledger.hold(job)


def _evidence(bench: Bench, window: Window, parts: list[Driven]) -> Evidence:
    jobs = [driven.job for driven in parts]
    return Evidence(
        window=window,
        request_ids=tuple(job.handle.id for job in jobs if job.handle.id),
        raw_sha256=tuple(job.raw_sha256 for job in jobs if job.raw_sha256),
        raw_bytes=sum(job.raw_bytes for job in jobs),
        calls_spent=sum(bench.ledger.calls(job=job.id) for job in jobs),
        waited=max((driven.waited for driven in parts), default=timedelta()),
    )


def _facts(bench: Bench, report: Report[Any], landed: LandedDay, jobs: list[Job], evidence: Evidence) -> LandedFacts:
    return LandedFacts(
        day=landed.day,
        version=report.version,
        outcome=landed.outcome,
        rows=landed.rows,
        size=landed.size,
        fingerprint=landed.fingerprint,
        raw_sha256=",".join(evidence.raw_sha256),
        money={
            column: {currency: str(amount) for currency, amount in sums.items()}
            for column, sums in landed.money.items()
        },
        asked_at=min(job.submitted_at or job.intended_at for job in jobs),
        landed_at=bench.clock.now(),
    )
