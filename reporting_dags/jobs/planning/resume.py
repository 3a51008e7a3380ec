"""What jobs that earlier runs left open are worth to a run that asks for days. Decided here, done by the ledger.

An answer is bought for certain days. It serves the days that it was bought for and that have not ended yet; and when
it is taken up for one of them, it serves every asked day in its window, as long as nothing newer has landed there. A
day that has ended is never served by it alone: running a day again asks the provider again. Only where its stored
answer was refused, or landed with none since another part of the day was refused, is it tried again, without a call.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reporting_dags.jobs.records import Job, JobState, LeaseRequest
from reporting_dags.model.days import Window

MAX_AGE = timedelta(hours=24)
"""A job that was requested longer ago than this, and whose answer is not stored, is not continued."""

ORPHANED = "its run ended before the provider's answer to it was saved"
"""Of a job that may have been paid for and cannot be found again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """A job that a run can continue: an open one, or a closed one whose answer is stored and did not land.

    Attributes:
        job: which; one whose answer is stored is `DOWNLOADED`.
        account: whose.
        query_hash: of its query.
        remaining_days: days that it was requested for, and that have not landed from it.
        run: the live run that holds it, if one does.
        refused_parser_hash: the form of the report by which its answer was refused; None if it was not.
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
"""Whether a stored answer is still as good for a day as a new one, by the report's declaration and calendar."""


def always_usable(_leftover: OpenJob, _day: date) -> bool:
    """Every stored answer serves."""
    return True


@dataclass(frozen=True, slots=True)
class ResumedGroup:
    """Open jobs of one window that a run continues, and the days that it lands from them."""

    jobs: tuple[OpenJob, ...]
    days: frozenset[date]

    @property
    def window(self) -> Window:
        """The days that every one of the jobs asks for."""
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


def group_by_window(leftovers: Sequence[OpenJob]) -> list[list[OpenJob]]:
    """Open jobs that belong together: of one window, at most one a part; of several for a part the newest first."""
    groups: defaultdict[Window, list[list[OpenJob]]] = defaultdict(list)
    for leftover in sorted(leftovers, key=lambda one: one.job.requested_at, reverse=True):
        groups_of_window = groups[leftover.job.request.window]
        part = leftover.job.request.shard
        free = (group for group in groups_of_window if all(other.job.request.shard != part for other in group))
        group = next(free, None)
        if group is None:
            groups_of_window.append([leftover])
        else:
            group.append(leftover)
    found = (group for groups_of_window in groups.values() for group in groups_of_window)
    return [sorted(group, key=lambda one: one.job.request.shard) for group in found]


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
    """Decide on every leftover that touches an asked day; each asked day ends up in one resumed group, or in `ask`.

    Args:
        open_jobs: open jobs of the report, in any order.
        requested: the days that the run wants.
        who: the run.
        shards: the parts in which it wants a window.
        landed: when the answer that lies there was asked for, by day.
        now: the present moment.
        can_find_lost_jobs: whether the provider can be asked for a job whose handle was not saved.
        is_usable: whether a stored answer is still as good for a day as a new one.
    """
    verdict = Resolution(submit=set(requested))
    useful: list[OpenJob] = []
    for leftover in open_jobs:
        if not any(day in leftover.job.request.window for day in requested):
            continue
        reason = _unusable_reason(
            leftover, who, shards, now, can_find_lost_jobs=can_find_lost_jobs, is_usable=is_usable
        )
        if not reason:
            useful.append(leftover)
        elif not leftover.closed:
            verdict.close.append((leftover.job, reason))
    for group in sorted(group_by_window(useful), key=_asked_at, reverse=True):
        window, bought_at = group[0].job.request.window, _asked_at(group)
        left = frozenset[date]().union(*(leftover.remaining_days for leftover in group))
        current = {day for day in window.days if day not in landed or landed[day] <= bought_at}
        # Intents buy nothing that is certain: a window is not asked for whole for the sake of some of its days.
        intents = all(leftover.job.state is JobState.INTENDED for leftover in group)
        if intents and not verdict.submit & current >= set(window.days):
            verdict.close += [(leftover.job, ORPHANED) for leftover in group]
        elif verdict.submit & left & current:
            verdict.resume.append(ResumedGroup(tuple(group), frozenset(verdict.submit & current)))
            verdict.submit -= current
        elif not left & current:
            verdict.superseded += [leftover.job for leftover in group if not leftover.closed]
    return verdict


def is_superseded(group: Sequence[OpenJob], landed: Mapping[date, datetime]) -> bool:
    """Whether every day that is left to land from `group` has landed from a newer answer, by `landed`, since."""
    left = {day for leftover in group for day in leftover.remaining_days}
    return all(day in landed and landed[day] > _asked_at(group) for day in left)


def _asked_at(group: Sequence[OpenJob]) -> datetime:
    return min(leftover.job.requested_at for leftover in group)


def _unusable_reason(
    leftover: OpenJob,
    who: LeaseRequest,
    parts: Callable[[Window], Collection[str]],
    now: datetime,
    *,
    can_find_lost_jobs: bool,
    is_usable: IsUsable,
) -> str:
    job = leftover.job
    if (
        leftover.account != who.account
        or leftover.query_hash != who.query_hash
        or job.request.shard not in parts(job.request.window)
    ):
        return "another account, query or part is wanted now"
    if job.state is JobState.INTENDED and not can_find_lost_jobs:
        return ORPHANED
    asked = job.submitted_at or job.intended_at
    if job.state is JobState.DOWNLOADED:
        served = not leftover.remaining_days or any(is_usable(leftover, day) for day in leftover.remaining_days)
        return "" if served else "its stored answer was refused, or has been restated since"
    if now - asked > MAX_AGE:
        return f"asked for on {asked:%Y-%m-%d %H:%M} UTC and never landed"
    expires = job.handle.expires_at
    if job.state is JobState.SUBMITTED and expires is not None and expires <= now:
        return f"its download address served until {expires:%Y-%m-%d %H:%M} UTC"
    return ""
