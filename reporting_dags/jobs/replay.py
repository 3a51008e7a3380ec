"""Landing days anew from the raw answers that they landed from: the provider is not asked, and no quota is spent."""

import functools
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from reporting_dags.jobs.bench import Bench
from reporting_dags.jobs.drive import kept_whole
from reporting_dags.jobs.job import Claim, Claimant
from reporting_dags.jobs.presence import once_free, present
from reporting_dags.jobs.pull import bring_home
from reporting_dags.jobs.result import DayResult
from reporting_dags.model.errors import Expired, LostClaim, NotReady
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report


def replay(bench: Bench, report: Report[Any], days: Collection[date]) -> Iterator[DayResult]:
    """Land `days` of `report` anew, as it is declared and set now; yields each day once.

    A day is as fresh as its answer: a replay does not make it newer, and an answer that landed since is not undone.

    Raises:
        StorageError: the ledger or a store cannot be used.
        LostClaim: another run took over.
    """
    landed = bench.ledger.days(report.key)
    groups: defaultdict[tuple[str, ...], list[date]] = defaultdict(list)
    for day in sorted(set(days)):
        groups[landed[day].jobs if day in landed else ()].append(day)
    with present(bench, report) as (mine, who):
        for ids, group in groups.items():
            yield from _again(mine, report, ids, group, who)


def _again(
    bench: Bench, report: Report[Any], ids: tuple[str, ...], days: list[date], who: Claimant
) -> Iterator[DayResult]:
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


def _whole(bench: Bench, report: Report[Any], claim: Claim) -> bool:
    return bool(claim.jobs) and all(kept_whole(bench, report, job) for job in claim.jobs)


def _refused(days: list[date], why: str) -> Iterator[DayResult]:
    error = Expired(f"the day {why}", advice="Materialize it without replay, which asks the provider.")
    yield from (DayResult(day=day, error=error) for day in days)
