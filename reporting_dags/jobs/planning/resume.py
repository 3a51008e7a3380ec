"""What jobs that earlier runs left open are worth to a run that requests days. Decided here, done by the ledger.

A response is bought for certain days. It serves the days that it was bought for and that have not ended yet; and when
it is taken up for one of them, it serves every asked day in its window, as long as nothing newer has landed there. A
day that has ended is never served by it alone: running a day again calls the provider again. Only where its stored
answer was refused, or landed with none since another part of the day was refused, is it tried again, without a call.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reporting_dags.jobs.records import Job, JobState, LeaseRequest
from reporting_dags.model.days import Window

MAX_AGE = timedelta(hours=24)
"""A job that was requested longer ago than this, and whose response is not stored, is not continued."""

ORPHANED = "its run ended before the provider's response to it was saved"
"""Of a job that may have been paid for and cannot be found again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """A job that a run can continue: an open one, or a closed one whose response is stored and did not land.

    Attributes:
        job: which; one whose response is stored is `DOWNLOADED`.
        account: whose.
        query_hash: of its query.
        remaining_days: days that it was requested for, and that have not landed from it.
        run: the live run that holds it, if one does.
        refused_parser_hash: the form of the report by which its response was refused; None if it was not.
        closed: whether it is a closed one.
    """

    job: Job
    account: str
    query_hash: str
    remaining_days: frozenset[date]
    run: str | None = None
    refused_parser_hash: str | None = None
    closed: bool = False


IsUsable = Callable[[OpenJob, date], bool]
"""Whether a stored response is still as good for a day as a new one, by the report's declaration and calendar."""


def always_usable(_job: OpenJob, _day: date) -> bool:
    """Every stored response serves."""
    return True


@dataclass(frozen=True, slots=True)
class ResumedGroup:
    """Open jobs of one window that a run continues, and the days that it lands from them."""

    jobs: tuple[OpenJob, ...]
    days: frozenset[date]

    @property
    def window(self) -> Window:
        """The days that every one of the jobs requests."""
        return self.jobs[0].job.request.window


@dataclass(slots=True)
class Resolution:
    """Which open jobs to close.

    Attributes:
        close: jobs that are of no use, and why.
        superseded: jobs of which no day is left to land.
        resume: jobs to continue, and for which days.
        submit: days that are left to request.
    """

    close: list[tuple[Job, str]] = field(default_factory=list[tuple[Job, str]])
    superseded: list[Job] = field(default_factory=list[Job])
    resume: list[ResumedGroup] = field(default_factory=list[ResumedGroup])
    submit: set[date] = field(default_factory=set[date])


def group_by_window(open_jobs: Sequence[OpenJob]) -> list[list[OpenJob]]:
    """Open jobs that belong together: of one window, at most one a part; of several for a part the latest first."""
    groups: defaultdict[Window, list[list[OpenJob]]] = defaultdict(list)
    for open_job in sorted(open_jobs, key=lambda one: one.job.requested_at, reverse=True):
        groups_of_window = groups[open_job.job.request.window]
        part = open_job.job.request.shard
        free = (group for group in groups_of_window if all(other.job.request.shard != part for other in group))
        group = next(free, None)
        if group is None:
            groups_of_window.append([open_job])
        else:
            group.append(open_job)
    result = (group for groups_of_window in groups.values() for group in groups_of_window)
    return [sorted(group, key=lambda one: one.job.request.shard) for group in result]


def resolve(
    open_jobs: Sequence[OpenJob],
    requested: Collection[date],
    *,
    who: LeaseRequest,
    shards: Callable[[Window], Collection[str]],
    landed: Mapping[date, datetime],
    now: datetime,
    can_find_lost_jobs: bool = False,
    is_usable: IsUsable = always_usable,
) -> Resolution:
    """Decide on every open job that touches an asked day; each asked day ends up in one resumed group, or in `ask`.

    Args:
        open_jobs: open jobs of the report, in any order.
        requested: the days that the run wants.
        who: the run.
        shards: the parts in which it wants a window.
        landed: when the response that is stored was requested, by day.
        now: the present moment.
        can_find_lost_jobs: whether the provider can be requested a job whose handle was not saved.
        is_usable: whether a stored response is still as good for a day as a new one.
    """
    verdict = Resolution(submit=set(requested))
    useful: list[OpenJob] = []
    for open_job in open_jobs:
        if not any(day in open_job.job.request.window for day in requested):
            continue
        reason = _unusable_reason(
            open_job, who, shards, now, can_find_lost_jobs=can_find_lost_jobs, is_usable=is_usable
        )
        if not reason:
            useful.append(open_job)
        elif not open_job.closed:
            verdict.close.append((open_job.job, reason))
    for group in sorted(group_by_window(useful), key=_asked_at, reverse=True):
        window, requested_at = group[0].job.request.window, _asked_at(group)
        left = frozenset[date]().union(*(open_job.remaining_days for open_job in group))
        current = {day for day in window.days if day not in landed or landed[day] <= requested_at}
        # Intents buy nothing that is certain: a window is not requested whole for the sake of some of its days.
        intents = all(open_job.job.state is JobState.INTENDED for open_job in group)
        if intents and not verdict.submit & current >= set(window.days):
            verdict.close += [(open_job.job, ORPHANED) for open_job in group]
        elif verdict.submit & left & current:
            verdict.resume.append(ResumedGroup(tuple(group), frozenset(verdict.submit & current)))
            verdict.submit -= current
        elif not left & current:
            verdict.superseded += [open_job.job for open_job in group if not open_job.closed]
    return verdict


def is_superseded(group: Sequence[OpenJob], landed: Mapping[date, datetime]) -> bool:
    """Whether every day that is left to land from `group` has landed from a newer response, by `landed`, since."""
    left = {day for open_job in group for day in open_job.remaining_days}
    return all(day in landed and landed[day] > _asked_at(group) for day in left)


def _asked_at(group: Sequence[OpenJob]) -> datetime:
    return min(open_job.job.requested_at for open_job in group)


def _unusable_reason(
    open_job: OpenJob,
    who: LeaseRequest,
    parts: Callable[[Window], Collection[str]],
    now: datetime,
    *,
    can_find_lost_jobs: bool,
    is_usable: IsUsable,
) -> str:
    job = open_job.job
    if (
        open_job.account != who.account
        or open_job.query_hash != who.query_hash
        or job.request.shard not in parts(job.request.window)
    ):
        return "another account, query or part is wanted now"
    if job.state is JobState.INTENDED and not can_find_lost_jobs:
        return ORPHANED
    requested = job.submitted_at or job.intended_at
    if job.state is JobState.DOWNLOADED:
        served = not open_job.remaining_days or any(is_usable(open_job, day) for day in open_job.remaining_days)
        return "" if served else "its stored response was refused, or has been restated since"
    if now - requested > MAX_AGE:
        return f"requested on {requested:%Y-%m-%d %H:%M} UTC and never landed"
    expires = job.handle.expires_at
    if job.state is JobState.SUBMITTED and expires is not None and expires <= now:
        return f"its download address served until {expires:%Y-%m-%d %H:%M} UTC"
    return ""
