"""Landing days anew from the raw answers that they landed from: the provider is not asked, and no quota is spent."""

import functools
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date

from reporting_dags.jobs.planning.resume import always
from reporting_dags.jobs.pulling.context import Bench
from reporting_dags.jobs.pulling.poller import kept_whole
from reporting_dags.jobs.pulling.pull import bring_home, claim_days
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.jobs.pulling.session import once_free, present
from reporting_dags.jobs.records import Claim, Claimant
from reporting_dags.model.errors import Expired, LostClaim, NotReady
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report


def replay(bench: Bench, report: Report, days: Collection[date]) -> Iterator[DayResult]:
    """Land `days` of `report` anew, as it is declared and set now; yields each day once.

    A day is as fresh as its answer: a replay does not make it newer, and an answer that landed since is not undone.

    Raises:
        StorageError: the ledger or a store cannot be used.
        LostClaim: another run took over.
    """
    landed, kept = bench.ledger.days(report.key), bench.ledger.kept_days(report.key, report.query_hash)
    groups: defaultdict[tuple[str, ...], list[date]] = defaultdict(list)
    refused: list[date] = []
    for day in sorted(set(days)):
        if day not in landed and day in kept:
            refused.append(day)
        else:
            groups[landed[day].jobs if day in landed else ()].append(day)
    with present(bench, report) as (mine, who):
        for ids, group in groups.items():
            yield from _again(mine, report, ids, group, who)
        yield from _refused_before(mine, report, refused, who)


def _refused_before(bench: Bench, report: Report, days: list[date], who: Claimant) -> Iterator[DayResult]:
    """Land days that never have, from stored answers that were refused."""
    if not days:
        return
    claim_kept = functools.partial(claim_days, bench, report, days, who, always)
    try:
        claim = once_free(bench, report, claim_kept)
    except NotReady as error:
        yield from (DayResult(day=day, error=error) for day in days)
        return
    for result in bring_home(bench, report, claim, asks=False):
        yield replace(result, evidence=replace(result.evidence, replayed=True))


def _again(bench: Bench, report: Report, ids: tuple[str, ...], days: list[date], who: Claimant) -> Iterator[DayResult]:
    if not ids:
        yield from _refused(days, "has never landed, so there is no answer to land again")
        return
    reopen = functools.partial(bench.ledger.reopen, who, ids, days, parts=bench.provider.parts(report))
    try:
        claim = once_free(bench, report, reopen)
    except (NotReady, Expired, LostClaim) as error:
        yield from (DayResult(day=day, error=error) for day in days)
        return
    if not _whole(bench, report, claim):
        for job in claim.jobs:
            bench.ledger.finish(job, days, Outcome.EXPIRED, "its raw answer is not kept any more", bench.clock.now())
        yield from _refused(days, "landed from an answer that is not kept any more")
        return
    for result in bring_home(bench, report, claim, asks=False):
        yield replace(result, evidence=replace(result.evidence, replayed=True))


def _whole(bench: Bench, report: Report, claim: Claim) -> bool:
    return bool(claim.jobs) and all(kept_whole(bench, report, job) for job in claim.jobs)


def _refused(days: list[date], why: str) -> Iterator[DayResult]:
    error = Expired(f"the day {why}", advice="Materialize it without replay, which asks the provider.")
    yield from (DayResult(day=day, error=error) for day in days)
