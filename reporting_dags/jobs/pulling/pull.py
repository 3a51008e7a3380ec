"""Bringing days home: the one way that every report takes, whatever its provider.

Judge the days, claim them in the ledger, drive their jobs until the raw answers are kept, land the days, close the
jobs. Everything that can be continued after a crash is: the ledger says how far each job had come.
"""

import functools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from reporting_dags.jobs.ledger.entity_history import catch_up
from reporting_dags.jobs.planning.resume import Leftover, Serves
from reporting_dags.jobs.planning.windows import refusal
from reporting_dags.jobs.pulling.context import Bench
from reporting_dags.jobs.pulling.poller import Driven, Driver
from reporting_dags.jobs.pulling.replacement import refused_replacements
from reporting_dags.jobs.pulling.result import DayResult, Evidence, Restatement
from reporting_dags.jobs.pulling.session import once_free, present
from reporting_dags.jobs.pulling.submit import WindowExpired
from reporting_dags.jobs.pulling.truncations import with_truncations
from reporting_dags.jobs.records import Busy, Claim, Claimant, Job, LandedFacts
from reporting_dags.landing.reading.diff import Restated, restated
from reporting_dags.landing.reading.entities import entities_of, weights
from reporting_dags.landing.storage.origin import Origin
from reporting_dags.landing.storage.store import raw_key
from reporting_dags.landing.writing.land import LandedDay, Part, Put, land, unreadable
from reporting_dags.model.days import Window, ranges
from reporting_dags.model.errors import (
    LostClaim,
    NotReady,
    ReplacementRefused,
    ReportingError,
    StorageError,
    Truncated,
)
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report


def pull(bench: Bench, report: Report, days: Collection[date]) -> Iterator[DayResult]:
    """Bring `days` of `report` home; yields each day once, as soon as it has ended.

    Raises:
        StorageError: the ledger or a store cannot be used; what was bought stays for the next run.
        LostClaim: another run took over.
    """
    # An answer that was requested before its day became too old lands all the same.
    requested = bench.ledger.open_days(report.key) | bench.ledger.kept_days(report.key, report.query_hash)
    wanted = sorted(set(days))
    refused = _refused(bench, report, [day for day in wanted if day not in requested])
    yield from refused.values()
    wanted = [day for day in wanted if day not in refused]
    if not wanted:
        return
    # Before anything is requested: an answer that may not land would waste quota. An open job ends as it lands.
    new = [day for day in wanted if day not in requested]
    origin = Origin(account=bench.account, scope=report.scope(bench.provider.parts(report)))
    kept = refused_replacements(bench, report, new, origin)
    yield from (DayResult(day=day, error=error) for day, error in kept.items())
    wanted = [day for day in wanted if day not in kept]
    if not wanted:
        return
    with present(bench, report) as (mine, who):
        for result in _until_ended(mine, report, wanted, who):
            yield with_truncations(mine, who, result)


def _refused(bench: Bench, report: Report, days: Collection[date]) -> dict[date, DayResult]:
    """The end of each of `days` that cannot be requested now."""
    now = bench.clock.now()
    errors = {day: refusal(report.calendar, day, now) for day in days}
    return {day: DayResult(day=day, error=error) for day, error in errors.items() if error is not None}


def _until_ended(bench: Bench, report: Report, days: list[date], who: Claimant) -> Iterator[DayResult]:
    """Pull `days`; those that have to be planned once more are, until each has ended."""
    while days:
        try:
            claim = once_free(bench, report, functools.partial(claim_days, bench, report, days, who))
        except NotReady as error:
            yield from (DayResult(day=day, error=error) for day in days)
            return
        days, too_old = [], list[date]()
        for result in bring_home(bench, report, claim):
            if isinstance(result.error, CutShort):
                bench.log(result.error.line)
                days.append(result.day)
            elif isinstance(result.error, WindowExpired):
                too_old.append(result.day)
            else:
                yield result
        refused = _refused(bench, report, too_old)
        yield from refused.values()
        days += [day for day in too_old if day not in refused]


class CutShort(Truncated):
    """The answer was cut, and smaller requests can be made in its place."""


def claim_days(
    bench: Bench, report: Report, days: list[date], who: Claimant, serves: Serves | None = None
) -> Claim | Busy:
    """Hold `days` for a run; stored answers count as `serves` says, which is as the report's calendar has it."""
    now = bench.clock.now()
    return bench.ledger.claim(
        who,
        days,
        longest=report.window_days,
        parts=bench.provider.parts(report),
        halves=functools.partial(bench.provider.halves, report),
        now=now,
        finds=bench.provider.policy.finds,
        serves=serves or _serves(report, now),
    )


def _serves(report: Report, now: datetime) -> Serves:
    """Whether a stored answer is as good for a day as a new one: none is to be had, or this one is not outdated."""
    calendar, form, oldest = report.calendar, report.form, report.calendar.oldest(now)

    def serves(leftover: Leftover, day: date) -> bool:
        if day < oldest:
            return True
        return leftover.refused_form != form and calendar.restated(day, leftover.job.asked_at, now) is None

    return serves


def bring_home(bench: Bench, report: Report, claim: Claim, *, asks: bool = True) -> Iterator[DayResult]:
    """Drive the jobs of a claim, and land each group of them as soon as the answer of every part is kept."""
    groups = {job.id: number for number, group in enumerate(claim.groups) for job in group.jobs}
    ended: list[list[Driven]] = [[] for _ in claim.groups]
    for driven in Driver(bench, report, asks=asks).drive(claim.jobs):
        number = groups[driven.job.id]
        group = claim.groups[number]
        ended[number].append(driven)
        if len(ended[number]) == len(group.jobs):
            yield from _end_window(bench, report, group.window, sorted(group.days), ended[number])


def _end_window(
    bench: Bench, report: Report, window: Window, days: list[date], parts: list[Driven]
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
    at_fault: set[str] = set()
    early = _early(report, days, jobs)
    for day, error in early.items():
        bad = error.line
        failures.append(day)
        at_fault |= {job.id for job in jobs}
        yield DayResult(day=day, error=error, evidence=evidence)
    left = [day for day in days if day not in early]
    kept = refused_replacements(bench, report, left, _origin(report, jobs))
    yield from (DayResult(day=day, error=error, evidence=evidence) for day, error in kept.items())
    left = [day for day in left if day not in kept]
    try:
        for result in _land(bench, report, window, list(left), jobs, evidence) if left else ():
            left.remove(result.day)
            # A day whose newer version stays has not failed.
            if result.error is not None and not isinstance(result.error, ReplacementRefused):
                bad = bad or result.error.line
                failures.append(result.day)
                at_fault |= {job.id for job in jobs}
            yield result
    except (LostClaim, StorageError):
        raise
    except ReportingError as failure:
        bad = failure.line
        failures += left
        at_fault |= _at_fault(bench, report, window, left, jobs, failure)
        yield from (DayResult(day=day, error=failure, evidence=evidence) for day in left)
    for job in jobs:
        outcome = Outcome.FAILED if bad else Outcome.DATA
        refused = report.form if job.id in at_fault else None
        bench.ledger.finish(job, days, outcome, bad, bench.clock.now(), failures, refused_form=refused)


def _at_fault(
    bench: Bench, report: Report, window: Window, days: list[date], jobs: list[Job], failure: ReportingError
) -> set[str]:
    """The ids of the jobs whose answers were refused; the answers of the others can land with a better one of these."""
    if failure.part is None or len(jobs) == 1:
        return {job.id for job in jobs}
    # The first that cannot be read ended the landing: the others have yet to be read.
    refused = unreadable(report, _parts(bench, report, jobs), window=window, days=days)
    return {jobs[number].id for number in refused | {failure.part}}


def _parts(bench: Bench, report: Report, jobs: list[Job]) -> list[Part]:
    """The stored answers of `jobs`, ready to be read."""
    return [
        Part(
            path=bench.raw.fetch(raw_key(report.key, job.raw_sha256, report.format.suffix), bench.scratch),
            constants=bench.provider.constants(job.request),
            claims=bench.provider.claims(report, job.request),
        )
        for job in jobs
    ]


def _early(report: Report, days: list[date], jobs: list[Job]) -> dict[date, NotReady]:
    """The days that were not out by the provider's clock when they were asked for: what was answered is not whole."""
    ahead = max(job.ahead for job in jobs)
    newest = report.calendar.newest(_asked_at(jobs))
    error = NotReady(
        f"the clock of this machine is {ahead} ahead of the provider's, by which the day was not out yet",
        advice="Set the clock right, then run the day again.",
    )
    return {day: error for day in days if ahead and day > newest}


def _origin(report: Report, jobs: Sequence[Job]) -> Origin:
    """Whose the days are that land from `jobs`, and what they cover."""
    return Origin(account=jobs[0].account, scope=report.scope({job.request.part for job in jobs}))


def _asked_at(jobs: list[Job]) -> datetime:
    return min(job.asked_at for job in jobs)


def _land(
    bench: Bench, report: Report, window: Window, days: list[date], jobs: list[Job], evidence: Evidence
) -> Iterator[DayResult]:
    expected = [job.expected_rows for job in jobs]
    recorded: list[date] = []
    parts = _parts(bench, report, jobs)

    if not report.partitioned:
        catch_up(report, bench.ledger, bench.data)
    before = bench.ledger.days(report.key)
    restatements: dict[date, Restatement] = {}

    def publish(landed: LandedDay, put: Put) -> None:
        facts = _facts(bench, report, landed, jobs, evidence)
        known = before.get(landed.day)
        if known is not None and set(known.jobs) == set(facts.jobs):
            # The same answer again is as fresh as when the provider last confirmed it.
            fresh = max(known.asked_at, facts.asked_at)
            facts = replace(facts, asked_at=fresh, confirmed_at=known.confirmed_at)
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
        origin=_origin(report, jobs),
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
    now, account = bench.clock.now(), bench.account
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


def _restatement(bench: Bench, report: Report, landed: LandedDay, known: LandedFacts) -> Restatement:
    """What the version that lies there is to the new one; what is the same as a whole needs no reading."""
    rows, earned = Restated(), dict[str, Decimal]()
    if known.fingerprint != landed.fingerprint:
        try:
            rows = restated(report, report.file(landed.day), bench.data, landed.path)
            earned = dict(weights(report, landed.day, bench.data))
        except StorageError as error:
            # A file that was harmed is replaced by a whole one, not kept for want of a comparison.
            bench.log(f"{report.key} {ranges([landed.day])} is not compared with the version before: {error.line}")
            rows, earned = None, {}
    return Restatement(known.asked_at, known.money_sums, rows, earned)


def _facts(bench: Bench, report: Report, landed: LandedDay, jobs: list[Job], evidence: Evidence) -> LandedFacts:
    origin = _origin(report, jobs)
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
        entities=None if report.partitioned else entities_of(landed.path),
        account=origin.account,
        scope=origin.scope,
        asked_at=_asked_at(jobs),
        landed_at=bench.clock.now(),
    )
