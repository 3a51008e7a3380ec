"""Pull the days of a report: the same steps for every provider.

Check which days can be requested, take their lease in the ledger, run the jobs until the raw responses are stored, land
the days, close the jobs. The ledger records each step, so that the next run continues after a crash.
"""

import functools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from reporting_dags.jobs.ledger.entity_history import catch_up
from reporting_dags.jobs.planning.resume import IsUsable, OpenJob
from reporting_dags.jobs.planning.windows import availability_error
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.poller import JobOutcome, JobRunner
from reporting_dags.jobs.pulling.replacement import refused_replacements
from reporting_dags.jobs.pulling.result import DayResult, Provenance, Restatement
from reporting_dags.jobs.pulling.session import run_session, wait_for_lease
from reporting_dags.jobs.pulling.submit import WindowExpired
from reporting_dags.jobs.pulling.truncations import with_truncations
from reporting_dags.jobs.records import Job, Lease, LeaseHeld, LeaseRequest, MaterializationRecord
from reporting_dags.landing.reading.diff import RowDiff, diff_rows
from reporting_dags.landing.reading.entities import entities_of, weights
from reporting_dags.landing.storage.origin import Origin
from reporting_dags.landing.storage.store import raw_key
from reporting_dags.landing.writing.land import LandedDay, Put, RawFile, land, unreadable
from reporting_dags.model.days import Window, ranges
from reporting_dags.model.errors import (
    LeaseLost,
    NotReady,
    ReplacementRefused,
    ReportingError,
    StorageError,
    Truncated,
)
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report


def pull(context: PullContext, report: Report, days: Collection[date]) -> Iterator[DayResult]:
    """Pull `days` of `report`; yield each day once, as soon as it has ended.

    Raises:
        StorageError: the ledger or a store cannot be used; open jobs stay open for the next run.
        LeaseLost: another run took over.
    """
    # A job that was requested before its day expired can still land.
    requested = context.ledger.jobs.in_flight_days(report.key) | context.ledger.jobs.replayable_days(
        report.key, report.query_hash
    )
    required = sorted(set(days))
    refused = _refused(context, report, [day for day in required if day not in requested])
    yield from refused.values()
    required = [day for day in required if day not in refused]
    if not required:
        return
    # Checked before a request: a response that must not land would waste quota. Open jobs are checked when they land.
    new = [day for day in required if day not in requested]
    origin = Origin(account=context.account, scope=report.scope(context.provider.shards(report)))
    kept = refused_replacements(context, report, new, origin)
    yield from (DayResult(day=day, error=error) for day, error in kept.items())
    required = [day for day in required if day not in kept]
    if not required:
        return
    with run_session(context, report) as (own, who):
        for result in _until_ended(own, report, required, who):
            yield with_truncations(own, who, result)


def _refused(context: PullContext, report: Report, days: Collection[date]) -> dict[date, DayResult]:
    """Return the results of the days that cannot be requested now."""
    now = context.clock.now()
    errors = {day: availability_error(report.calendar, day, now) for day in days}
    return {day: DayResult(day=day, error=error) for day, error in errors.items() if error is not None}


def _until_ended(context: PullContext, report: Report, days: list[date], who: LeaseRequest) -> Iterator[DayResult]:
    """Pull `days`; plan the truncated and expired ones again until each day has ended."""
    while days:
        try:
            claim = wait_for_lease(context, report, functools.partial(acquire_lease, context, report, days, who))
        except NotReady as error:
            yield from (DayResult(day=day, error=error) for day in days)
            return
        days, too_old = [], list[date]()
        for result in pull_windows(context, report, claim):
            if isinstance(result.error, WindowTruncated):
                context.log(result.error.line)
                days.append(result.day)
            elif isinstance(result.error, WindowExpired):
                too_old.append(result.day)
            else:
                yield result
        refused = _refused(context, report, too_old)
        yield from refused.values()
        days += [day for day in too_old if day not in refused]


class WindowTruncated(Truncated):
    """The response was truncated, and smaller requests are possible."""


def acquire_lease(
    context: PullContext, report: Report, days: list[date], who: LeaseRequest, serves: IsUsable | None = None
) -> Lease | LeaseHeld:
    """Take the lease of `days`; `serves` decides which stored responses are used, by default by the calendar."""
    now = context.clock.now()
    return context.ledger.leases.acquire(
        who,
        days,
        max_days=report.window_days,
        shards=context.provider.shards(report),
        split=functools.partial(context.provider.split_request, report),
        now=now,
        can_find_lost_jobs=context.provider.policy.can_find_lost_jobs,
        is_usable=serves or _serves(report, now),
    )


def _serves(report: Report, now: datetime) -> IsUsable:
    """Return the rule for stored responses: use one if the day expired at the provider, or no restatement is due."""
    calendar, form, oldest = report.calendar, report.parser_hash, report.calendar.earliest_available(now)

    def serves(open_job: OpenJob, day: date) -> bool:
        if day < oldest:
            return True
        return (
            open_job.refused_parser_hash != form
            and calendar.restatement_age(day, open_job.job.requested_at, now) is None
        )

    return serves


def pull_windows(context: PullContext, report: Report, claim: Lease, *, asks: bool = True) -> Iterator[DayResult]:
    """Run the jobs of a lease, and land each group as soon as the responses of all its shards are stored."""
    groups = {job.id: number for number, group in enumerate(claim.groups) for job in group.jobs}
    ended: list[list[JobOutcome]] = [[] for _ in claim.groups]
    for driven in JobRunner(context, report, asks=asks).run(claim.jobs):
        number = groups[driven.job.id]
        group = claim.groups[number]
        ended[number].append(driven)
        if len(ended[number]) == len(group.jobs):
            yield from _end_window(context, report, group.window, sorted(group.days), ended[number])


def _end_window(
    context: PullContext, report: Report, window: Window, days: list[date], parts: list[JobOutcome]
) -> Iterator[DayResult]:
    evidence = _evidence(context, window, parts)
    failed = next((driven for driven in parts if driven.error is not None), None)
    if failed is not None and failed.error is not None:
        error = failed.error
        if isinstance(error, Truncated) and context.provider.split_request(report, failed.job.request):
            error = WindowTruncated(error.message, advice="It is requested again in smaller windows.")
        yield from (DayResult(day=day, error=error, provenance=evidence) for day in days)
        return
    jobs = [driven.job for driven in parts]
    bad, failures = "", list[date]()
    at_fault: set[str] = set()
    early = _early(report, days, jobs)
    for day, error in early.items():
        bad = error.line
        failures.append(day)
        at_fault |= {job.id for job in jobs}
        yield DayResult(day=day, error=error, provenance=evidence)
    left = [day for day in days if day not in early]
    kept = refused_replacements(context, report, left, _origin(report, jobs))
    yield from (DayResult(day=day, error=error, provenance=evidence) for day, error in kept.items())
    left = [day for day in left if day not in kept]
    try:
        for result in _land(context, report, window, list(left), jobs, evidence) if left else ():
            left.remove(result.day)
            # A day that keeps its newer version has not failed.
            if result.error is not None and not isinstance(result.error, ReplacementRefused):
                bad = bad or result.error.line
                failures.append(result.day)
                at_fault |= {job.id for job in jobs}
            yield result
    except (LeaseLost, StorageError):
        raise
    except ReportingError as failure:
        bad = failure.line
        failures += left
        at_fault |= _at_fault(context, report, window, left, jobs, failure)
        yield from (DayResult(day=day, error=failure, provenance=evidence) for day in left)
    for job in jobs:
        outcome = Outcome.FAILED if bad else Outcome.DATA
        refused = report.parser_hash if job.id in at_fault else None
        context.ledger.jobs.close_days(job, days, outcome, bad, context.clock.now(), failures, refused_form=refused)


def _at_fault(
    context: PullContext, report: Report, window: Window, days: list[date], jobs: list[Job], failure: ReportingError
) -> set[str]:
    """Return the ids of the jobs whose responses were refused; those of the others can still land."""
    if failure.shard is None or len(jobs) == 1:
        return {job.id for job in jobs}
    # The landing ended at the first unreadable response: the others were not read yet.
    refused = unreadable(report, _parts(context, report, jobs), window=window, days=days)
    return {jobs[number].id for number in refused | {failure.shard}}


def _parts(context: PullContext, report: Report, jobs: list[Job]) -> list[RawFile]:
    """Return the stored responses of `jobs`, as local files."""
    return [
        RawFile(
            path=context.raw.fetch(raw_key(report.key, job.raw_sha256, report.format.suffix), context.scratch),
            literal_columns=context.provider.literal_columns(job.request),
            expected_echo=context.provider.expected_echo(report, job.request),
        )
        for job in jobs
    ]


def _early(report: Report, days: list[date], jobs: list[Job]) -> dict[date, NotReady]:
    """Return the days that were not published yet, by the provider's clock, when they were requested."""
    ahead = max(job.clock_skew for job in jobs)
    newest = report.calendar.latest_available(_asked_at(jobs))
    error = NotReady(
        f"the clock of this machine is {ahead} ahead of the provider's, by which the day was not published yet",
        advice="Set the clock right, then run the day again.",
    )
    return {day: error for day in days if ahead and day > newest}


def _origin(report: Report, jobs: Sequence[Job]) -> Origin:
    """Return the account and scope of the days that land from `jobs`."""
    return Origin(account=jobs[0].account, scope=report.scope({job.request.shard for job in jobs}))


def _asked_at(jobs: list[Job]) -> datetime:
    return min(job.requested_at for job in jobs)


def _land(
    context: PullContext, report: Report, window: Window, days: list[date], jobs: list[Job], evidence: Provenance
) -> Iterator[DayResult]:
    expected = [job.expected_rows for job in jobs]
    recorded: list[date] = []
    parts = _parts(context, report, jobs)

    if not report.partitioned:
        catch_up(report, context.ledger, context.data)
    before = context.ledger.materializations.days(report.key)
    restatements: dict[date, Restatement] = {}

    def publish(landed: LandedDay, put: Put) -> None:
        facts = _facts(context, report, landed, jobs, evidence)
        known = before.get(landed.day)
        if known is not None and set(known.jobs) == set(facts.jobs):
            # The same response again is as fresh as when the provider last confirmed it.
            fresh = max(known.requested_at, facts.requested_at)
            facts = replace(facts, requested_at=fresh, confirmed_at=known.confirmed_at)
        if known is not None and known.code_version == facts.code_version:
            before_it = _restatement(context, report, landed, known)
            facts = replace(facts, row_diff=before_it.rows)
            restatements[landed.day] = before_it
        context.ledger.materializations.record_landed(jobs, facts, recorded=recorded, publish=put)

    for result in land(
        report,
        parts,
        window=window,
        days=days,
        store=context.data,
        expected_rows=None if None in expected else sum(rows or 0 for rows in expected),
        publish=publish,
        origin=_origin(report, jobs),
    ):
        if not isinstance(result, LandedDay):
            yield DayResult(day=result.day, error=result.error, checks=result.checks, provenance=evidence)
            continue
        message = replace(evidence, restatement=restatements.get(result.day))
        yield DayResult(day=result.day, landed=result, checks=result.checks, provenance=message)
        # The caller has recorded this result when it requests the next one.
        recorded.append(result.day)


def _evidence(context: PullContext, window: Window, parts: list[JobOutcome]) -> Provenance:
    jobs = [driven.job for driven in parts]
    now, account = context.clock.now(), context.account
    left = {quota.bucket: context.ledger.quotas.left(quota, account, now) for quota in context.provider.quotas}
    return Provenance(
        window=window,
        request_ids=tuple(job.handle.id for job in jobs if job.handle.id),
        raw_sha256=tuple(job.raw_sha256 for job in jobs if job.raw_sha256),
        raw_bytes=sum(job.raw_bytes for job in jobs),
        calls_spent=sum(context.ledger.quotas.count(job=job.id) for job in jobs),
        waited=max((driven.waited for driven in parts), default=timedelta()),
        calls_left={api: calls[0] for api, calls in left.items() if calls is not None},
    )


def _restatement(context: PullContext, report: Report, landed: LandedDay, known: MaterializationRecord) -> Restatement:
    """Compare the stored version with the new one; equal data versions are not read."""
    rows, earned = RowDiff(), dict[str, Decimal]()
    if known.data_version != landed.data_version:
        try:
            rows = diff_rows(report, report.file(landed.day), context.data, landed.path)
            earned = dict(weights(report, landed.day, context.data))
        except StorageError as error:
            # A damaged file is replaced even though it cannot be compared.
            context.log(f"{report.key} {ranges([landed.day])} is not compared with the previous version: {error.line}")
            rows, earned = None, {}
    return Restatement(known.requested_at, known.money_sums, rows, earned)


def _facts(
    context: PullContext, report: Report, landed: LandedDay, jobs: list[Job], evidence: Provenance
) -> MaterializationRecord:
    origin = _origin(report, jobs)
    return MaterializationRecord(
        day=landed.day,
        jobs=tuple(job.id for job in jobs),
        code_version=report.version,
        outcome=landed.outcome,
        rows=landed.rows,
        size=landed.size,
        sha256=landed.sha256,
        data_version=landed.data_version,
        raw_sha256=",".join(evidence.raw_sha256),
        money={
            column: {currency: str(amount) for currency, amount in sums.items()}
            for column, sums in landed.money.items()
        },
        totals={column: str(total) for column, total in landed.totals.items()},
        entities=None if report.partitioned else entities_of(landed.path),
        account=origin.account,
        scope=origin.scope,
        requested_at=_asked_at(jobs),
        landed_at=context.clock.now(),
    )
