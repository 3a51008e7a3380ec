"""Run leased jobs until their raw responses are stored: submit, poll at growing intervals, resend, download.

One thread polls all open jobs of a run, because they mostly wait. A job ends with its raw response in the raw store, or
with an error. A job that can be continued after the error (still pending, download interrupted) stays open in the
ledger, and the next run continues it.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import tenacity

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.submit import Submitter
from reporting_dags.jobs.records import Job, JobState
from reporting_dags.landing.storage.spool import Spool, sha256_of
from reporting_dags.landing.storage.store import Store, raw_key
from reporting_dags.model.errors import (
    Deferred,
    Denied,
    Expired,
    LeaseLost,
    NotReady,
    Partial,
    ReportingError,
    StorageError,
)
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Pending
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable

_DOWNLOADS = 3
_GROWTH = 1.5
_NETWORK_FAILURE = timedelta(seconds=90)
"""How long a job is polled on an unreachable host before it is given up, so that short network failures pass."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a job ended in this run; without an error its raw response is stored.

    Attributes:
        job: the job as it is now.
        error: why it did not end; None if it did.
        waited: the time spent waiting for the provider to make the report.
    """

    job: Job
    error: ReportingError | None
    waited: timedelta


@dataclass(slots=True)
class _InFlight:
    job: Job
    deadline: datetime
    interval: timedelta
    poll_at: datetime
    waited: timedelta = timedelta()
    unreachable_since: datetime | None = None


class JobRunner:
    """Runs the jobs of one report."""

    def __init__(self, context: PullContext, report: Report, *, asks: bool = True) -> None:
        self._context = context
        self._asks = asks
        self._report = report
        self._policy = context.provider.policy
        self._asking = Submitter(context, report)

    def run(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        """Run `jobs` and yield each one as it ends; at most `JobPolicy.in_flight` of them are open at a time."""
        waiting = deque(jobs)
        flights: list[_InFlight] = []
        while waiting or flights:
            while waiting and len(flights) < self._policy.max_open_jobs:
                flights.append(self._launch(waiting.popleft()))
            flight = min(flights, key=lambda one: one.poll_at)
            self._context.clock.sleep((flight.poll_at - self._context.clock.now()).total_seconds())
            ended = self._step(flight)
            if ended is not None:
                flights.remove(flight)
                yield ended

    def _launch(self, job: Job) -> _InFlight:
        now = self._context.clock.now()
        return _InFlight(job, now + self._policy.timeout, self._policy.first_poll, now)

    def _step(self, flight: _InFlight) -> JobOutcome | None:
        """Advance a job by one step; return its outcome, or None while it goes on."""
        try:
            if self._advance(flight):
                return self._driven(flight, None)
        except (LeaseLost, StorageError):
            raise
        except (NotReady, Partial, Unavailable) as error:
            if flight.job.state is JobState.INTENDED and flight.job.fencing_token == 1 and not _may_have_arrived(error):
                # The provider counted nothing: the days are planned again by the next run.
                self._close(flight.job, error)
            pending = not self._context.waits and isinstance(error, NotReady) and flight.job.state is JobState.SUBMITTED
            return self._driven(flight, _deferred(error) if pending else error)
        except ReportingError as error:
            if isinstance(error, Denied) and flight.job.state is JobState.SUBMITTED:
                # The job is still there when the credentials are fixed.
                return self._driven(flight, error)
            self._close(flight.job, error)
            return self._driven(flight, error)
        return None

    def _close(self, job: Job, error: ReportingError) -> None:
        now = self._context.clock.now()
        self._context.ledger.jobs.close(job, error.outcome, error.line, now, retry_at=error.retry_at)

    def _driven(self, flight: _InFlight, error: ReportingError | None) -> JobOutcome:
        return JobOutcome(flight.job, error, flight.waited)

    def _advance(self, flight: _InFlight) -> bool:
        """Submit, poll or download the job; return True once its raw response is stored."""
        if flight.job.state is JobState.DOWNLOADED:
            if raw_response(self._context, self._report, flight.job):
                return True
            self._resend(flight, "its raw response is gone or was altered")
        if flight.job.state is JobState.INTENDED:
            if not self._asks:
                raise Expired(
                    f"{flight.job.report} {flight.job.request}: no response is stored",
                    advice="Materialize the day without replay, which calls the provider.",
                )
            self._submit(flight)
            return False
        try:
            return self._look(flight)
        except Expired:
            if flight.job.resends:
                raise
            self._resend(flight, "its download address expired")
            return False

    def _submit(self, flight: _InFlight) -> None:
        flight.job = self._asking.submit(flight.job)
        flight.interval = self._policy.first_poll
        flight.poll_at = self._context.clock.now()

    def _look(self, flight: _InFlight) -> bool:
        context, job = self._context, flight.job
        try:
            state = context.provider.poll(self._report, job.request, job.handle)
        except Unavailable as error:
            if self._is_given_up(flight, error):
                raise
            state = Pending(error.message)
        if isinstance(state, Pending):
            self._wait(flight, state)
            return False
        try:
            digest, size = self._download(job)
        except NotReady as error:
            self._wait(flight, Pending(error.message))
            return False
        flight.job = context.ledger.jobs.record_downloaded(
            job,
            raw_sha256=digest,
            raw_bytes=size,
            expected_rows=state.expected_rows,
            ahead=context.provider.clock_skew,
            tag=state.content_tag,
        )
        context.log(f"{job.report} {job.request}: {size} bytes of raw response are stored")
        return True

    def _is_given_up(self, flight: _InFlight, error: Unavailable) -> bool:
        """Return whether the host has been unreachable for too long; the job then stays open for the next run."""
        now = self._context.clock.now()
        if not error.unreachable:
            flight.unreachable_since = None
            return False
        flight.unreachable_since = flight.unreachable_since or now
        return self._context.waits and now - flight.unreachable_since >= _NETWORK_FAILURE

    def _wait(self, flight: _InFlight, state: Pending) -> None:
        now, job, policy = self._context.clock.now(), flight.job, self._policy
        age = now - (job.submitted_at or now)
        late = policy.resubmit_after is not None and age >= policy.resubmit_after
        if late and not job.resends and self._asking.has_quota(job):
            self._resend(flight, f"{state.reason} after {age}")
            return
        if not self._context.waits or now >= flight.deadline:
            after = f"after {policy.timeout}" if self._context.waits else "and the run does not wait"
            raise NotReady(
                f"{job.report} {job.request}: {state.reason} {after}",
                request_id=job.handle.id,
                advice="The job stays open; the next run of these days continues it.",
            )
        self._context.log(f"{job.report} {job.request}: {state.reason}")
        flight.poll_at = min(now + flight.interval, max(flight.deadline, now))
        flight.waited += flight.poll_at - now
        flight.interval = min(flight.interval * _GROWTH, policy.max_poll_interval)

    def _resend(self, flight: _InFlight, why: str) -> None:
        if not self._asks:
            message = f"{flight.job.report} {flight.job.request}: {why}"
            raise Expired(message, advice="Materialize the day without replay, which calls the provider.")
        self._context.log(f"{flight.job.report} {flight.job.request}: {why}; requesting it once more")
        flight.job = self._context.ledger.jobs.record_resend(flight.job)
        flight.poll_at = self._context.clock.now()

    def _download(self, job: Job) -> tuple[str, int]:
        """Download the response into the raw store; return its SHA-256 in hex and its bytes."""
        context = self._context
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_breaks_off),
            wait=tenacity.wait_exponential(multiplier=self._policy.first_poll.total_seconds(), max=60),
            stop=tenacity.stop_after_attempt(_DOWNLOADS),
            sleep=context.clock.sleep,
            reraise=True,
        )
        return retrying(lambda: self._download_once(job))

    def _download_once(self, job: Job) -> tuple[str, int]:
        context = self._context
        with Spool(context.scratch) as spool:
            with context.provider.download(self._report, job.request, job.handle, self._asking.meter(job)) as chunks:
                for chunk in chunks:
                    spool.write(chunk)
            raw = spool.finish()
            if not raw.size:
                raise Partial(f"the file of {job.report} {job.request} is empty", advice=RETRY_LATER)
            context.raw.put(raw.path, raw_key(job.report, raw.sha256, self._report.format.suffix))
        return raw.sha256, raw.size


def _deferred(error: ReportingError) -> Deferred:
    return Deferred(
        error.message,
        advice="The job stays open; the late-data sensor lands it when it is ready.",
        request_id=error.request_id,
    )


def _may_have_arrived(error: ReportingError) -> bool:
    """Return whether a submit that ended with `error` may have been accepted."""
    return not isinstance(error, Unavailable) or error.ambiguous


def _breaks_off(error: BaseException) -> bool:
    """Return whether to retry a download: if it was interrupted, not if its retries are exhausted."""
    return isinstance(error, Partial) or (isinstance(error, Unavailable) and not error.exhausted)


def raw_response(context: PullContext, report: Report, job: Job) -> bool:
    """Return whether the raw response of `job` is stored, unchanged."""
    return is_stored(context.raw, context.scratch, report, job)


def is_stored(raw: Store, scratch: Path, report: Report, job: Job) -> bool:
    """Return whether the raw response of `job` is in the store `raw`, with the bytes that were received."""
    key = raw_key(job.report, job.raw_sha256, report.format.suffix)
    return raw.exists(key) and sha256_of(raw.fetch(key, scratch)) == job.raw_sha256
