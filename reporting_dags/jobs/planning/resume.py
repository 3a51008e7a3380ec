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

from reporting_dags.jobs.records import Claimant, Job, JobState
from reporting_dags.model.days import Window

FRESH = timedelta(hours=24)
"""A job that was requested longer ago than this, and whose answer is not stored, is not continued."""

ORPHANED = "its run ended before the provider's answer to it was saved"
"""Of a job that may have been paid for and cannot be found again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A job that a run can continue: an open one, or a closed one whose answer is stored and did not land.

    Attributes:
        job: which; one whose answer is stored is `DOWNLOADED`.
        account: whose.
        fingerprint: of its query.
        days_left: days that it was requested for, and that have not landed from it.
        run: the live run that holds it, if one does.
        refused_form: the form of the report by which its answer was refused; None if it was not.
        closed: whether it is a closed one.
    """

    job: Job
    account: str
    fingerprint: str
    days_left: frozenset[date]
    run: str | None = None
    refused_form: str | None = None
    closed: bool = False


Serves = Callable[[Leftover, date], bool]
"""Whether a stored answer is still as good for a day as a new one, by the report's declaration and calendar."""


def always(_leftover: Leftover, _day: date) -> bool:
    """Every stored answer serves."""
    return True


@dataclass(frozen=True, slots=True)
class Resumed:
    """Open jobs of one window that a run continues, and the days that it lands from them."""

    jobs: tuple[Leftover, ...]
    days: frozenset[date]

    @property
    def window(self) -> Window:
        """The days that every one of the jobs asks for."""
        return self.jobs[0].job.request.window


@dataclass(slots=True)
class Verdict:
    """Which open jobs to close.

    Attributes:
        close: jobs that are of no use, and why.
        superseded: jobs of which no day is left to land.
        resume: jobs to continue, and for which days.
        ask: days that are left to request.
    """

    close: list[tuple[Job, str]] = field(default_factory=list[tuple[Job, str]])
    superseded: list[Job] = field(default_factory=list[Job])
    resume: list[Resumed] = field(default_factory=list[Resumed])
    ask: set[date] = field(default_factory=set[date])


def by_window(leftovers: Sequence[Leftover]) -> list[list[Leftover]]:
    """Open jobs that belong together: of one window, at most one a part; of several for a part the newest first."""
    groups: defaultdict[Window, list[list[Leftover]]] = defaultdict(list)
    for leftover in sorted(leftovers, key=lambda one: one.job.asked_at, reverse=True):
        groups_of_window = groups[leftover.job.request.window]
        part = leftover.job.request.part
        free = (group for group in groups_of_window if all(other.job.request.part != part for other in group))
        group = next(free, None)
        if group is None:
            groups_of_window.append([leftover])
        else:
            group.append(leftover)
    found = (group for groups_of_window in groups.values() for group in groups_of_window)
    return [sorted(group, key=lambda one: one.job.request.part) for group in found]


def judge(
    leftovers: Sequence[Leftover],
    asked: Collection[date],
    *,
    who: Claimant,
    parts: Callable[[Window], Collection[str]],
    landed: Mapping[date, datetime],
    now: datetime,
    finds: bool = False,
    serves: Serves = always,
) -> Verdict:
    """Decide on every leftover that touches an asked day; each asked day ends up in one resumed group, or in `ask`.

    Args:
        leftovers: open jobs of the report, in any order.
        asked: the days that the run wants.
        who: the run.
        parts: the parts in which it wants a window.
        landed: when the answer that lies there was asked for, by day.
        now: the present moment.
        finds: whether the provider can be asked for a job whose handle was not saved.
        serves: whether a stored answer is still as good for a day as a new one.
    """
    verdict = Verdict(ask=set(asked))
    useful: list[Leftover] = []
    for leftover in leftovers:
        if not any(day in leftover.job.request.window for day in asked):
            continue
        reason = _useless(leftover, who, parts, now, finds=finds, serves=serves)
        if not reason:
            useful.append(leftover)
        elif not leftover.closed:
            verdict.close.append((leftover.job, reason))
    for group in sorted(by_window(useful), key=_asked_at, reverse=True):
        window, bought_at = group[0].job.request.window, _asked_at(group)
        left = frozenset[date]().union(*(leftover.days_left for leftover in group))
        current = {day for day in window.days if day not in landed or landed[day] <= bought_at}
        # Intents buy nothing that is certain: a window is not asked for whole for the sake of some of its days.
        intents = all(leftover.job.state is JobState.INTENDED for leftover in group)
        if intents and not verdict.ask & current >= set(window.days):
            verdict.close += [(leftover.job, ORPHANED) for leftover in group]
        elif verdict.ask & left & current:
            verdict.resume.append(Resumed(tuple(group), frozenset(verdict.ask & current)))
            verdict.ask -= current
        elif not left & current:
            verdict.superseded += [leftover.job for leftover in group if not leftover.closed]
    return verdict


def is_superseded(group: Sequence[Leftover], landed: Mapping[date, datetime]) -> bool:
    """Whether every day that is left to land from `group` has landed from a newer answer, by `landed`, since."""
    left = {day for leftover in group for day in leftover.days_left}
    return all(day in landed and landed[day] > _asked_at(group) for day in left)


def _asked_at(group: Sequence[Leftover]) -> datetime:
    return min(leftover.job.asked_at for leftover in group)


def _useless(
    leftover: Leftover,
    who: Claimant,
    parts: Callable[[Window], Collection[str]],
    now: datetime,
    *,
    finds: bool,
    serves: Serves,
) -> str:
    job = leftover.job
    if (
        leftover.account != who.account
        or leftover.fingerprint != who.fingerprint
        or job.request.part not in parts(job.request.window)
    ):
        return "another account, query or part is wanted now"
    if job.state is JobState.INTENDED and not finds:
        return ORPHANED
    asked = job.submitted_at or job.intended_at
    if job.state is JobState.DOWNLOADED:
        served = not leftover.days_left or any(serves(leftover, day) for day in leftover.days_left)
        return "" if served else "its stored answer was refused, or has been restated since"
    if now - asked > FRESH:
        return f"asked for on {asked:%Y-%m-%d %H:%M} UTC and never landed"
    expires = job.handle.expires_at
    if job.state is JobState.SUBMITTED and expires is not None and expires <= now:
        return f"its download address served until {expires:%Y-%m-%d %H:%M} UTC"
    return ""
