"""Probe open jobs of earlier runs: poll each once, without waiting and without taking its lease."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reporting_dags.jobs.ledger.job_rows import SUPERSEDED
from reporting_dags.jobs.planning.resume import MAX_AGE, OpenJob, group_by_window
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.records import Job, JobState
from reporting_dags.model.days import Window
from reporting_dags.model.errors import Denied, Partial, ReportingError
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Provider, Ready
from reporting_dags.providers.http.errors import Unavailable

_MAX_PAUSE = 60
"""Minutes between two runs for a job that does not land."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The state of the open jobs of one window.

    Attributes:
        window: the requested days.
        days: the days that have not ended.
        requested_at: when the first of the jobs was submitted.
        should_run: whether to launch a run: the jobs are ready, or will never be.
        message: the state as a text for users.
        run_key_part: part of a run key; it changes after a run has taken the jobs.
    """

    window: Window
    days: tuple[date, ...]
    requested_at: datetime
    should_run: bool
    message: str
    run_key_part: str


def probe(
    context: PullContext, report: Report, now: datetime, *, out_of_time: Callable[[], bool] = lambda: False
) -> Iterator[Probe]:
    """Poll each open job of `report`, window by window, latest first, until `out_of_time` returns True.

    A job is closed here if its response is the one that has landed already, by the provider's tag, or if newer
    responses landed on all of its days.
    """
    for window in context.ledger.leases.close_superseded(report.key, now):
        context.log(f"{report.key} {window}: closed, {SUPERSEDED}")
    groups = group_by_window(context.ledger.leases.open_jobs(report.key))
    for group in sorted(groups, key=lambda one: one[0].job.request.window, reverse=True):
        jobs, window = [open_job.job for open_job in group], group[0].job.request.window
        if all(job.state is JobState.INTENDED for job in jobs):
            continue
        worth, message = _state(context, report, group, now, out_of_time)
        yield Probe(
            window=window,
            days=tuple(sorted({day for open_job in group for day in open_job.remaining_days})),
            requested_at=min(job.submitted_at or job.intended_at for job in jobs),
            should_run=worth,
            message=message,
            run_key_part="-".join(f"{job.id[:8]}.{job.fencing_token}.{job.resends}" for job in jobs[:3]),
        )


def _state(
    context: PullContext, report: Report, group: Sequence[OpenJob], now: datetime, spent: Callable[[], bool]
) -> tuple[bool, str]:
    """Return whether to launch a run for the jobs of a window, and why."""
    for open_job in group:
        if open_job.run is not None:
            return False, f"run {open_job.run} holds it"
    for open_job in group:
        job = open_job.job
        if open_job.account != context.account or open_job.query_hash != report.query_hash:
            return True, "another account or query is requested now"
        requested = job.submitted_at or job.intended_at
        expires = job.handle.expires_at
        stored = job.state is JobState.DOWNLOADED
        if not stored and (now - requested > MAX_AGE or (expires is not None and expires <= now)):
            return True, f"the request of {requested:%Y-%m-%d %H:%M} UTC has expired"
    again_at = max(_again_at(open_job.job) for open_job in group)
    if now < again_at:
        tries = max(open_job.job.fencing_token for open_job in group) - 1
        return False, f"{tries} runs failed; next attempt at {again_at:%H:%M} UTC"
    return _ready(context, report, group, now, spent)


def _ready(
    context: PullContext, report: Report, group: Sequence[OpenJob], now: datetime, spent: Callable[[], bool]
) -> tuple[bool, str]:
    tags: dict[str, str] = {}
    for open_job in group:
        if spent():
            return False, "not polled: the time of the tick is over"
        state = _pending(context.provider, report, open_job, now)
        if isinstance(state, _JobStatus):
            return not state.waiting, state.text
        tags[open_job.job.request.shard] = state.content_tag
    jobs = [open_job.job for open_job in group]
    window = jobs[0].request.window
    if len(window) == 1 and all(tags.values()):
        size = context.data.size(report.file(window.first))
        if context.ledger.materializations.close_if_unchanged(jobs, tags, version=report.version, size=size, now=now):
            return False, "the response is the one that has already landed"
    return True, "it is ready"


def _again_at(job: Job) -> datetime:
    """Return from when on to launch a run: the pause doubles with each failed run, up to an hour."""
    minutes = sum(min(2**n, _MAX_PAUSE) for n in range(job.fencing_token - 1))
    return (job.submitted_at or job.intended_at) + timedelta(minutes=minutes)


@dataclass(frozen=True, slots=True)
class _JobStatus:
    """The status of a job that is not ready: whether to wait for it, and why."""

    waiting: bool
    text: str


def _pending(provider: Provider, report: Report, open_job: OpenJob, now: datetime) -> Ready | _JobStatus:
    """Poll a job once."""
    job = open_job.job
    if job.state is not JobState.SUBMITTED:
        return Ready()
    try:
        state = provider.poll(report, job.request, job.handle)
    except (Partial, Unavailable, Denied) as error:
        return _JobStatus(waiting=True, text=error.line)
    except ReportingError as error:
        # A run gets the same error and records it.
        return _JobStatus(waiting=False, text=error.line)
    if isinstance(state, Ready):
        return state
    age = now - (job.submitted_at or job.intended_at)
    resend_after = provider.policy.resubmit_after
    if resend_after is not None and age >= resend_after and not job.resends:
        return _JobStatus(waiting=False, text=f"{state.reason} after {resend_after}: it is requested once more")
    message = f"{state.reason}, {_minutes(age.total_seconds())} after it was requested"
    return _JobStatus(waiting=True, text=message)


def _minutes(seconds: float) -> str:
    return f"{round(seconds / 60)} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
