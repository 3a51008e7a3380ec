"""Which open jobs of earlier runs a new run continues. Decided here, carried out by the ledger.

A job was requested for certain days. It serves those of them that have not ended; once it is continued for one of
them, it serves every requested day in its window where nothing newer has landed. It never serves a day that has ended:
running a day again calls the provider again. The exception is a stored response that was refused, or that did not land
because another shard of the day was refused: it is landed again without a call.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reporting_dags.jobs.records import Job, JobState, LeaseRequest
from reporting_dags.model.days import Window

MAX_AGE = timedelta(hours=24)
"""An older job whose response is not stored is not continued."""

ORPHANED = "its run ended before the provider's response to it was saved"
"""Why a job is closed that the provider may have counted and that cannot be found again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """A job that a run can continue: an open job, or a closed one whose stored response did not land.

    Attributes:
        job: the job; `DOWNLOADED` if its response is stored.
        account: the account that submitted it.
        query_hash: hash of its query.
        remaining_days: days that it was requested for, and that have not landed from it.
        run: the live run that holds it, if one does.
        refused_parser_hash: `Report.parser_hash` under which its response was refused; None if it was not refused.
        closed: whether the job is closed.
    """

    job: Job
    account: str
    query_hash: str
    remaining_days: frozenset[date]
    run: str | None = None
    refused_parser_hash: str | None = None
    closed: bool = False


IsUsable = Callable[[OpenJob, date], bool]
"""Whether a stored response is still as good for a day as a new one."""


def always_usable(_job: OpenJob, _day: date) -> bool:
    """Return True: every stored response is usable."""
    return True


@dataclass(frozen=True, slots=True)
class ResumedGroup:
    """Open jobs of one window that a run continues, and the days that it lands from them."""

    jobs: tuple[OpenJob, ...]
    days: frozenset[date]

    @property
    def window(self) -> Window:
        """The days that each of the jobs requests."""
        return self.jobs[0].job.request.window


@dataclass(slots=True)
class Resolution:
    """What to do with open jobs.

    Attributes:
        close: jobs to close, and why.
        superseded: jobs to close because newer responses landed on all of their days.
        resume: jobs to continue, and the days that they land.
        submit: days that need a new request.
    """

    close: list[tuple[Job, str]] = field(default_factory=list[tuple[Job, str]])
    superseded: list[Job] = field(default_factory=list[Job])
    resume: list[ResumedGroup] = field(default_factory=list[ResumedGroup])
    submit: set[date] = field(default_factory=set[date])


def group_by_window(open_jobs: Sequence[OpenJob]) -> list[list[OpenJob]]:
    """Group open jobs of the same window: at most one for each shard in a group, the latest ones first."""
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
    """Decide on every open job that covers a requested day; each day ends in one resumed group, or in `submit`.

    Args:
        open_jobs: open jobs of the report, in any order.
        requested: the requested days.
        who: the requesting run.
        shards: the shards that the run would request for a window.
        landed: when the stored response of each day was requested.
        now: the present moment.
        can_find_lost_jobs: whether the provider can find a job whose handle was not saved.
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
        # An intent may never have reached the provider: it is continued only if all of its days are needed.
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
    """Return whether newer responses landed on every remaining day of `group`."""
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
        return "another account, query or shard is requested now"
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
        return f"its download address expired on {expires:%Y-%m-%d %H:%M} UTC"
    return ""
