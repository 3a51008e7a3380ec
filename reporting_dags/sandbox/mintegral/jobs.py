"""Report jobs and their generated data: requests with equal parameters are one job (MT2, MT3)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from reporting_dags.sandbox.mintegral.report_request import ReportRequest
from reporting_dags.sandbox.mintegral.report_table import hours_and_versions
from reporting_dags.sandbox.mintegral.settings import MintegralSettings

ACCEPTED, GENERATING = 201, 202
UNKNOWN, NOT_READY, EXPIRED = 203, 204, 205


@dataclass(frozen=True)
class GeneratedData:
    """The time and the settings from which the data was generated."""

    at: datetime
    settings: MintegralSettings


@dataclass
class Job:
    """The job of a request.

    Attributes:
        request: the request.
        started: when the generation began.
        pending_responses: number of 202 responses since then.
        data: the generated data; None until it is ready.
        had_expired: whether earlier data has expired.
        stuck_by: number of the fault that keeps the job from being ready.
    """

    request: ReportRequest
    started: datetime
    pending_responses: int = 0
    data: GeneratedData | None = None
    had_expired: bool = False
    stuck_by: int | None = None

    def start(self, now: datetime, *, expired: bool = False) -> None:
        """Restart the generation and delete earlier data."""
        self.started, self.pending_responses, self.data, self.had_expired = now, 0, None, expired

    def fill(self, at: datetime, settings: MintegralSettings) -> GeneratedData:
        """Set and return the data, as of `at`."""
        self.data, self.had_expired = GeneratedData(at, settings), False
        return self.data

    def is_expired(self, now: datetime, settings: MintegralSettings) -> bool:
        """Return whether the data has expired."""
        return self.data is not None and now - self.data.at > timedelta(days=settings.keep_days)

    def is_outdated(self, now: datetime, settings: MintegralSettings) -> bool:
        """Return whether more hours or a later version are available than the data has."""
        if self.data is None:
            return False
        pairs = zip(
            hours_and_versions(self.request, now, settings),
            hours_and_versions(self.request, self.data.at, self.data.settings),
            strict=True,
        )
        return any(newer > older for newer, older in pairs)


class Jobs:
    """All jobs by id; `scripted` returns the numbers of the current faults."""

    def __init__(self, scripted: Callable[[], Collection[int]]) -> None:
        self._scripted = scripted
        self._jobs: dict[str, Job] = {}

    def put(self, name: str, request: ReportRequest, now: datetime) -> Job:
        """Return the job with an id; create it if it does not exist."""
        return self._jobs.setdefault(name, Job(request, now))

    def generate(
        self,
        name: str,
        request: ReportRequest,
        *,
        now: datetime,
        settings: MintegralSettings,
        stuck_by: int | None = None,
    ) -> GeneratedData | int:
        """Return the data for a type=1 call, or the code of the response if it is not ready (MT2).

        If `stuck_by` is a fault, restart the job; it is not ready until the fault is removed.
        """
        new = name not in self._jobs
        job = self.put(name, request, now)
        if stuck_by is not None:
            job.start(now)
            job.stuck_by = stuck_by
        elif new and settings.ready_at_once:
            job.fill(now, settings)
        if new and job.data is None:
            return ACCEPTED
        if job.is_expired(now, settings):
            job.start(now, expired=True)
        elif job.is_outdated(now, settings):
            job.start(now)
        data = self._data(job, now, settings)
        if data is None:
            job.pending_responses += 1
            return GENERATING
        return data

    def download(self, name: str, *, now: datetime, settings: MintegralSettings, expired: bool) -> GeneratedData | int:
        """Return the data for a type=2 call, or the code of the response if there is none (MT3).

        A: data is ready only after a type=1 call has returned it. If `expired`, treat the data as expired.
        """
        job = self._jobs.get(name)
        if job is None:
            return UNKNOWN
        if job.is_expired(now, settings) or (expired and job.data is not None):
            job.start(now, expired=True)
            return EXPIRED
        missing = EXPIRED if job.had_expired else NOT_READY
        return job.data or missing

    def _data(self, job: Job, now: datetime, settings: MintegralSettings) -> GeneratedData | None:
        """Return the data of `job` if it is ready at `now`."""
        if job.data is not None:
            return job.data
        due = job.started + timedelta(seconds=settings.fill_seconds)
        if job.stuck_by in self._scripted() or now < due or job.pending_responses < settings.fill_polls:
            return None
        return job.fill(job.started, settings)
