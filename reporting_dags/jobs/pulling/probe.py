"""A look at the jobs that earlier runs left open: cheap, without waiting, and without taking them up."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reporting_dags.jobs.ledger.job_rows import SUPERSEDED
from reporting_dags.jobs.planning.resume import FRESH, Leftover, by_window
from reporting_dags.jobs.pulling.context import Bench
from reporting_dags.jobs.records import Job, JobState
from reporting_dags.model.days import Window
from reporting_dags.model.errors import Denied, Partial, ReportingError
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Provider, Ready
from reporting_dags.providers.http.errors import Unavailable

_LONGEST_PAUSE = 60
"""Minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What is known of the open jobs of one window.

    Attributes:
        window: what they ask for.
        days: those that they were bought for and that have not ended.
        asked_at: when the first of them was asked for.
        worth: whether a run is worth starting for them: they are ready, or cannot become so.
        told: how far they are, in words.
        token: names them as far as they have come; another one after a run has taken them up.
    """

    window: Window
    days: tuple[date, ...]
    asked_at: datetime
    worth: bool
    told: str
    token: str


def look(bench: Bench, report: Report, now: datetime, *, spent: Callable[[], bool] = lambda: False) -> Iterator[Looked]:
    """Ask how far each open job of `report` is; one window at a time, newest first, until time is `spent`.

    A job whose answer is the one that its day landed from already, by the provider's own tag, is closed here; so is one
    of which no day is left to land.
    """
    for window in bench.ledger.close_superseded(report.key, now):
        bench.log(f"{report.key} {window}: closed, {SUPERSEDED}")
    groups = by_window(bench.ledger.leftovers(report.key))
    for group in sorted(groups, key=lambda one: one[0].job.request.window, reverse=True):
        jobs, window = [leftover.job for leftover in group], group[0].job.request.window
        if all(job.state is JobState.INTENDED for job in jobs):
            continue
        worth, told = _state(bench, report, group, now, spent)
        yield Looked(
            window=window,
            days=tuple(sorted({day for leftover in group for day in leftover.days_left})),
            asked_at=min(job.submitted_at or job.intended_at for job in jobs),
            worth=worth,
            told=told,
            token="-".join(f"{job.id[:8]}.{job.fence}.{job.resends}" for job in jobs[:3]),
        )


def _state(
    bench: Bench, report: Report, group: Sequence[Leftover], now: datetime, spent: Callable[[], bool]
) -> tuple[bool, str]:
    """Whether a run is worth starting for the jobs of a window, and why (not)."""
    for leftover in group:
        if leftover.run is not None:
            return False, f"run {leftover.run} is at work on it"
    for leftover in group:
        job = leftover.job
        if leftover.account != bench.account or leftover.fingerprint != report.query_hash:
            return True, "another account or query is wanted now"
        asked = job.submitted_at or job.intended_at
        expires = job.handle.expires_at
        stored = job.state is JobState.DOWNLOADED
        if not stored and (now - asked > FRESH or (expires is not None and expires <= now)):
            return True, f"what was asked for on {asked:%Y-%m-%d at %H:%M} UTC serves no longer"
    again_at = max(_again_at(leftover.job) for leftover in group)
    if now < again_at:
        tries = max(leftover.job.fence for leftover in group) - 1
        return False, f"{tries} runs could not land it: the next one is at {again_at:%H:%M} UTC"
    return _ready(bench, report, group, now, spent)


def _ready(
    bench: Bench, report: Report, group: Sequence[Leftover], now: datetime, spent: Callable[[], bool]
) -> tuple[bool, str]:
    tags: dict[str, str] = {}
    for leftover in group:
        if spent():
            return False, "there was no time left to look at it"
        state = _pending(bench.provider, report, leftover, now)
        if isinstance(state, _Told):
            return not state.waiting, state.text
        tags[leftover.job.request.part] = state.tag
    jobs = [leftover.job for leftover in group]
    window = jobs[0].request.window
    if len(window) == 1 and all(tags.values()):
        size = bench.data.size(report.file(window.first))
        if bench.ledger.unchanged(jobs, tags, version=report.version, size=size, now=now):
            return False, "the answer is the one that has landed already"
    return True, "it is ready"


def _again_at(job: Job) -> datetime:
    """From when on a run is worth starting: each that came to nothing makes the pause longer, up to an hour."""
    minutes = sum(min(2**n, _LONGEST_PAUSE) for n in range(job.fence - 1))
    return (job.submitted_at or job.intended_at) + timedelta(minutes=minutes)


@dataclass(frozen=True, slots=True)
class _Told:
    """That a job is not ready, whether it is still to be waited for, and why."""

    waiting: bool
    text: str


def _pending(provider: Provider, report: Report, leftover: Leftover, now: datetime) -> Ready | _Told:
    """How far a job is."""
    job = leftover.job
    if job.state is not JobState.SUBMITTED:
        return Ready()
    try:
        state = provider.poll(report, job.request, job.handle)
    except (Partial, Unavailable, Denied) as error:
        return _Told(waiting=True, text=error.line)
    except ReportingError as error:
        # A run meets the same, and notes it where it belongs.
        return _Told(waiting=False, text=error.line)
    if isinstance(state, Ready):
        return state
    age = now - (job.submitted_at or job.intended_at)
    resend_after = provider.policy.resend_after
    if resend_after is not None and age >= resend_after and not job.resends:
        return _Told(waiting=False, text=f"{state.reason} after {resend_after}: it is asked for once more")
    told = f"{state.reason}, {_minutes(age.total_seconds())} after it was asked for"
    return _Told(waiting=True, text=told)


def _minutes(seconds: float) -> str:
    return f"{round(seconds / 60)} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
