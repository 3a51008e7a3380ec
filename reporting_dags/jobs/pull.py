"""Bringing days home: the one way that every report takes, whatever its provider.

Judge the days, claim them in the ledger, drive their jobs until the raw answers are kept, land the days, close the
jobs. Everything that can be continued after a crash is: the ledger says how far each job had come.
"""

import functools
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from reporting_dags.jobs.bench import Bench
from reporting_dags.jobs.drive import Driven, Driver
from reporting_dags.jobs.job import Busy, Claim, Claimant, Job, LandedFacts
from reporting_dags.jobs.planner import refusal
from reporting_dags.jobs.presence import once_free, present
from reporting_dags.jobs.result import DayResult, Evidence, Restatement
from reporting_dags.jobs.truncations import with_truncations
from reporting_dags.landing.entities import weights
from reporting_dags.landing.land import LandedDay, Part, Put, land
from reporting_dags.landing.restated import Restated, restated
from reporting_dags.landing.store import raw_key
from reporting_dags.model.days import Window
from reporting_dags.model.errors import LostClaim, NotReady, ReportingError, StorageError, Truncated
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report


def pull(bench: Bench, report: Report[Any], days: Collection[date]) -> Iterator[DayResult]:
    """Bring `days` of `report` home; yields each day once, as soon as it has ended.

    Raises:
        StorageError: the ledger or a store cannot be used; what was bought stays for the next run.
        LostClaim: another run took over.
    """
    now = bench.clock.now()
    askable: list[date] = []
    # What was bought before its day went out of reach lands all the same.
    bought = bench.ledger.open_days(report.key)
    for day in sorted(set(days)):
        error = refusal(report.calendar, day, now) if day not in bought else None
        if error is None:
            askable.append(day)
        else:
            yield DayResult(day=day, error=error)
    if not askable:
        return
    with present(bench, report) as (mine, who):
        for result in _until_ended(mine, report, askable, who):
            yield with_truncations(mine, who, result)


def _until_ended(bench: Bench, report: Report[Any], days: list[date], who: Claimant) -> Iterator[DayResult]:
    """Bring `days` home; those whose answer the provider cut are asked for again, in smaller requests."""
    while days:
        try:
            claim = once_free(bench, report, functools.partial(_claim, bench, report, days, who))
        except NotReady as error:
            yield from (DayResult(day=day, error=error) for day in days)
            return
        days = []
        for result in bring_home(bench, report, claim):
            if isinstance(result.error, CutShort):
                bench.log(result.error.line)
                days.append(result.day)
            else:
                yield result


class CutShort(Truncated):
    """The answer was cut, and smaller requests can be made in its place."""


def _claim(bench: Bench, report: Report[Any], days: list[date], who: Claimant) -> Claim | Busy:
    return bench.ledger.claim(
        who,
        days,
        longest=report.window_days,
        parts=bench.provider.parts(report),
        halves=functools.partial(bench.provider.halves, report),
        now=bench.clock.now(),
        finds=bench.provider.policy.finds,
    )


def bring_home(bench: Bench, report: Report[Any], claim: Claim, *, asks: bool = True) -> Iterator[DayResult]:
    """Drive the jobs of a claim, and land each window as soon as every part of it is kept."""
    ended: dict[Window, list[Driven]] = {window: [] for window in claim.days}
    for driven in Driver(bench, report, asks=asks).drive(claim.jobs):
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
    bad, failures = "", list[date]()
    early = _early(report, days, jobs)
    for day, error in early.items():
        bad = error.line
        failures.append(day)
        yield DayResult(day=day, error=error, evidence=evidence)
    left = [day for day in days if day not in early]
    try:
        for result in _land(bench, report, window, list(left), jobs, evidence) if left else ():
            left.remove(result.day)
            if result.error is not None:
                bad = bad or result.error.line
                failures.append(result.day)
            yield result
    except (LostClaim, StorageError):
        raise
    except ReportingError as failure:
        bad = failure.line
        failures += left
        yield from (DayResult(day=day, error=failure, evidence=evidence) for day in left)
    for job in jobs:
        outcome = Outcome.FAILED if bad else Outcome.DATA
        bench.ledger.finish(job, days, outcome, bad, bench.clock.now(), failures)


def _early(report: Report[Any], days: list[date], jobs: list[Job]) -> dict[date, NotReady]:
    """The days that were not out by the provider's clock when they were asked for: what was answered is not whole."""
    ahead = max(job.ahead for job in jobs)
    newest = report.calendar.newest(_asked_at(jobs))
    error = NotReady(
        f"the clock of this machine is {ahead} ahead of the provider's, by which the day was not out yet",
        advice="Set the clock right, then run the day again.",
    )
    return {day: error for day in days if ahead and day > newest}


def _asked_at(jobs: list[Job]) -> datetime:
    return min(job.asked_at for job in jobs)


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

    before = bench.ledger.days(report.key)
    restatements: dict[date, Restatement] = {}

    def publish(landed: LandedDay, put: Put) -> None:
        facts = _facts(bench, report, landed, jobs, evidence)
        known = before.get(landed.day)
        if known is not None and known.version == facts.version:
            before_it = _restatement(bench, report, landed, known)
            facts = replace(facts, restated=before_it.rows)
            restatements[landed.day] = before_it
        bench.ledger.landed(jobs, facts, recorded=recorded, publish=put)

    for result in land(
        report,
        parts,
        window=window,
        days=days,
        store=bench.data,
        expected_rows=None if None in expected else sum(rows or 0 for rows in expected),
        publish=publish,
    ):
        if not isinstance(result, LandedDay):
            yield DayResult(day=result.day, error=result.error, checks=result.checks, evidence=evidence)
            continue
        told = replace(evidence, restatement=restatements.get(result.day))
        yield DayResult(day=result.day, landed=result, checks=result.checks, evidence=told)
        # Whoever takes the results has recorded this one when it comes back for the next.
        recorded.append(result.day)


def _evidence(bench: Bench, window: Window, parts: list[Driven]) -> Evidence:
    jobs = [driven.job for driven in parts]
    now, account = bench.clock.now(), bench.provider.account
    left = {quota.api: bench.ledger.calls.left(quota, account, now) for quota in bench.provider.quotas}
    return Evidence(
        window=window,
        request_ids=tuple(job.handle.id for job in jobs if job.handle.id),
        raw_sha256=tuple(job.raw_sha256 for job in jobs if job.raw_sha256),
        raw_bytes=sum(job.raw_bytes for job in jobs),
        calls_spent=sum(bench.ledger.calls.count(job=job.id) for job in jobs),
        waited=max((driven.waited for driven in parts), default=timedelta()),
        calls_left={api: calls[0] for api, calls in left.items() if calls is not None},
    )


def _restatement(bench: Bench, report: Report[Any], landed: LandedDay, known: LandedFacts) -> Restatement:
    """What the version that lies there is to the new one; what is the same as a whole needs no reading."""
    rows, earned = Restated(), dict[str, Decimal]()
    if known.fingerprint != landed.fingerprint:
        try:
            rows = restated(report, report.file(landed.day), bench.data, landed.path)
            earned = dict(weights(report, landed.day, bench.data))
        except StorageError as error:
            # A file that was harmed is replaced by a whole one, not kept for want of a comparison.
            bench.log(f"{report.key} {landed.day} is not compared with the version before: {error.line}")
            rows, earned = None, {}
    return Restatement(known.asked_at, known.money_sums, rows, earned)


def _facts(bench: Bench, report: Report[Any], landed: LandedDay, jobs: list[Job], evidence: Evidence) -> LandedFacts:
    return LandedFacts(
        day=landed.day,
        jobs=tuple(job.id for job in jobs),
        version=report.version,
        outcome=landed.outcome,
        rows=landed.rows,
        size=landed.size,
        sha256=landed.sha256,
        fingerprint=landed.fingerprint,
        raw_sha256=",".join(evidence.raw_sha256),
        money={
            column: {currency: str(amount) for currency, amount in sums.items()}
            for column, sums in landed.money.items()
        },
        totals={column: str(total) for column, total in landed.totals.items()},
        asked_at=_asked_at(jobs),
        landed_at=bench.clock.now(),
    )
