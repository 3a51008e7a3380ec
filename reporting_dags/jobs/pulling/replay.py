"""Replay: land days again from their stored raw responses, without a call to the provider."""

import functools
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date

from reporting_dags.jobs.planning.resume import always_usable
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.poller import raw_response
from reporting_dags.jobs.pulling.pull import acquire_lease, pull_windows
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.jobs.pulling.session import run_session, wait_for_lease
from reporting_dags.jobs.records import Lease, LeaseRequest
from reporting_dags.model.errors import Expired, LeaseLost, NotReady
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report


def replay(context: PullContext, report: Report, days: Collection[date]) -> Iterator[DayResult]:
    """Land `days` of `report` again under the current declaration and settings; yield each day once.

    A replay does not make a day newer, and it does not undo a newer response.

    Raises:
        StorageError: the ledger or a store cannot be used.
        LeaseLost: another run took over.
    """
    landed, kept = (
        context.ledger.materializations.days(report.key),
        context.ledger.jobs.replayable_days(report.key, report.query_hash),
    )
    groups: defaultdict[tuple[str, ...], list[date]] = defaultdict(list)
    refused: list[date] = []
    for day in sorted(set(days)):
        if day not in landed and day in kept:
            refused.append(day)
        else:
            groups[landed[day].jobs if day in landed else ()].append(day)
    with run_session(context, report) as (own, who):
        for ids, group in groups.items():
            yield from _again(own, report, ids, group, who)
        yield from _refused_before(own, report, refused, who)


def _refused_before(context: PullContext, report: Report, days: list[date], who: LeaseRequest) -> Iterator[DayResult]:
    """Land days that have never landed, from stored responses that were refused."""
    if not days:
        return
    claim_kept = functools.partial(acquire_lease, context, report, days, who, always_usable)
    try:
        claim = wait_for_lease(context, report, claim_kept)
    except NotReady as error:
        yield from (DayResult(day=day, error=error) for day in days)
        return
    for result in pull_windows(context, report, claim, asks=False):
        yield replace(result, provenance=replace(result.provenance, replayed=True))


def _again(
    context: PullContext, report: Report, ids: tuple[str, ...], days: list[date], who: LeaseRequest
) -> Iterator[DayResult]:
    if not ids:
        yield from _refused(days, "has never landed, so there is no response to land again")
        return
    reopen = functools.partial(context.ledger.leases.reopen, who, ids, days, parts=context.provider.shards(report))
    try:
        claim = wait_for_lease(context, report, reopen)
    except (NotReady, Expired, LeaseLost) as error:
        yield from (DayResult(day=day, error=error) for day in days)
        return
    if not _whole(context, report, claim):
        for job in claim.jobs:
            context.ledger.jobs.close_days(
                job, days, Outcome.EXPIRED, "its raw response is no longer stored", context.clock.now()
            )
        yield from _refused(days, "landed from a response that is no longer stored")
        return
    for result in pull_windows(context, report, claim, asks=False):
        yield replace(result, provenance=replace(result.provenance, replayed=True))


def _whole(context: PullContext, report: Report, claim: Lease) -> bool:
    return bool(claim.jobs) and all(raw_response(context, report, job) for job in claim.jobs)


def _refused(days: list[date], why: str) -> Iterator[DayResult]:
    error = Expired(f"the day {why}", advice="Materialize it without replay, which calls the provider.")
    yield from (DayResult(day=day, error=error) for day in days)
