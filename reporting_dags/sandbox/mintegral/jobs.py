"""The requests that were made, and the data generated for them: the same parameters are the same job (MT2, MT3)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from reporting_dags.sandbox.mintegral.answer import states
from reporting_dags.sandbox.mintegral.question import Question
from reporting_dags.sandbox.mintegral.settings import MintegralSettings

ACCEPTED, GENERATING = 201, 202
UNKNOWN, NOT_READY, EXPIRED = 203, 204, 205


@dataclass(frozen=True)
class Generated:
    """What decides generated data: it stays as it was at that moment."""

    at: datetime
    settings: MintegralSettings


@dataclass
class Job:
    """One set of parameters and how far the generation of its data has come; `data` is None until it is there.

    `waits` counts the 202 answers since generation began; `lapsed` says that there was data, which has expired;
    `stuck_by` is the number of the fault for which it is never ready.
    """

    question: Question
    started: datetime
    waits: int = 0
    data: Generated | None = None
    lapsed: bool = False
    stuck_by: int | None = None

    def start(self, now: datetime, *, lapsed: bool = False) -> None:
        """Generate the data anew; what there was is gone."""
        self.started, self.waits, self.data, self.lapsed = now, 0, None, lapsed

    def fill(self, at: datetime, settings: MintegralSettings) -> Generated:
        """Have the data, as of `at`."""
        self.data, self.lapsed = Generated(at, settings), False
        return self.data

    def is_expired(self, now: datetime, settings: MintegralSettings) -> bool:
        """Whether there is data, kept too long."""
        return self.data is not None and now - self.data.at > timedelta(days=settings.keep_days)

    def is_outdated(self, now: datetime, settings: MintegralSettings) -> bool:
        """Whether there is data, but by now more hours are in, or a later version."""
        if self.data is None:
            return False
        pairs = zip(
            states(self.question, now, settings),
            states(self.question, self.data.at, self.data.settings),
            strict=True,
        )
        return any(newer > older for newer, older in pairs)


class Jobs:
    """Every job, by its id; `scripted` tells the numbers of the faults that are there now."""

    def __init__(self, scripted: Callable[[], Collection[int]]) -> None:
        self._scripted = scripted
        self._jobs: dict[str, Job] = {}

    def put(self, name: str, question: Question, now: datetime) -> Job:
        """The job with that id, a new one if there is none."""
        return self._jobs.setdefault(name, Job(question, now))

    def asked(
        self, name: str, question: Question, *, now: datetime, settings: MintegralSettings, stuck_by: int | None = None
    ) -> Generated | int:
        """The data that a type=1 call finds, or else the code of its answer (MT2).

        `stuck_by`: begin anew, and never be ready as long as that fault is there.
        """
        new = name not in self._jobs
        job = self.put(name, question, now)
        if stuck_by is not None:
            job.start(now)
            job.stuck_by = stuck_by
        elif new and settings.ready_at_once:
            job.fill(now, settings)
        if new and job.data is None:
            return ACCEPTED
        if job.is_expired(now, settings):
            job.start(now, lapsed=True)
        elif job.is_outdated(now, settings):
            job.start(now)
        data = self._data(job, now, settings)
        if data is None:
            job.waits += 1
            return GENERATING
        return data

    def fetched(self, name: str, *, now: datetime, settings: MintegralSettings, expired: bool) -> Generated | int:
        """The data for a type=2 call, or else the code of its answer (MT3).

        Data is generated once a type=1 call has found it so (A). `expired`: take it to have been kept too long.
        """
        job = self._jobs.get(name)
        if job is None:
            return UNKNOWN
        if job.is_expired(now, settings) or (expired and job.data is not None):
            job.start(now, lapsed=True)
            return EXPIRED
        missing = EXPIRED if job.lapsed else NOT_READY
        return job.data or missing

    def _data(self, job: Job, now: datetime, settings: MintegralSettings) -> Generated | None:
        """The data of `job`, if it is generated at `now`."""
        if job.data is not None:
            return job.data
        due = job.started + timedelta(seconds=settings.fill_seconds)
        if job.stuck_by in self._scripted() or now < due or job.waits < settings.fill_polls:
            return None
        return job.fill(job.started, settings)
