"""A provider that does what its script says, on a clock that moves only by waiting, and a context to drive its jobs."""

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.poller import JobOutcome, JobRunner
from reporting_dags.jobs.records import Job, LeaseHeld, LeaseRequest
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, JobPolicy, Meter, Pending, Provider, Quota, Ready, Request
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags_tests.conftest import NOON

DAY = date(2026, 11, 10)
CONTENT = b"what the provider answered"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PENDING, READY = Pending("still counting"), Ready(expected_rows=3)
QUOTA = Quota(bucket="queries", per_day=50, reserved=10)


@dataclass
class HandClock:
    """Time passes only where somebody sleeps; `meanwhile` is what happens then."""

    at: datetime = NOON
    slept: list[float] = field(default_factory=list[float])
    meanwhile: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=max(0.0, seconds))
        self.meanwhile()


class Scripted(Provider):
    """Does at each call what its list says, the last of it again and again; an error in a list is raised."""

    account = "ours"
    policy = JobPolicy(
        first_poll=timedelta(seconds=4),
        max_poll_interval=timedelta(seconds=10),
        timeout=timedelta(seconds=60),
        max_open_jobs=2,
    )

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.submits: list[Any] = [None]
        self.polls: list[Any] = [READY]
        self.downloads: list[Any] = [CONTENT]
        self.finds: list[Any] = [None]
        self.marks: list[str] = []
        self.fast = timedelta()
        self.calls: list[tuple[str, str, float]] = []
        self.quota: Quota | None = None
        self.pages: Quota | None = None

    def _next(self, what: str, report: Report, request: Request, script: list[Any]) -> Any:
        assert report is EVENT
        told = script.pop(0) if len(script) > 1 else script[0]
        self.calls.append((what, str(request), (self.clock.at - NOON).total_seconds()))
        if isinstance(told, Exception):
            raise told
        return told

    @property
    def quotas(self) -> tuple[Quota, ...]:
        return (self.quota,) if self.quota is not None else ()

    @property
    def clock_skew(self) -> timedelta:
        return self.fast

    def find_lost_job(self, report: Report, request: Request) -> Handle | None:
        self.marks.append(request.correlation_id)
        return self._next("find", report, request, self.finds)

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        self.marks.append(request.correlation_id)
        if self.quota is not None:
            meter(self.quota)
        self._next("submit", report, request, self.submits)
        return Handle(id=f"r-{len(self.calls)}", url=f"https://files.example/{len(self.calls)}")

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        assert handle.url, "a handle without an address finds nothing"
        return self._next("poll", report, request, self.polls)

    @contextmanager
    def download(self, report: Report, request: Request, handle: Handle, meter: Meter) -> Generator[Iterator[bytes]]:
        assert handle.url, "a handle without an address finds nothing"
        if self.pages is not None:
            meter(self.pages)
        yield iter([self._next("download", report, request, self.downloads)])

    def close(self) -> None:
        """Nothing is open."""

    def when(self, what: str) -> list[float]:
        """When each call of a kind was made, in seconds from the beginning."""
        return [at for each, _, at in self.calls if each == what]


@dataclass
class Stage:
    context: PullContext
    provider: Scripted
    clock: HandClock
    lines: list[str]
    database: Database
    owners: list[str] = field(default_factory=list[str])

    def leave(self) -> None:
        """Every run has ended."""
        while self.owners:
            self.context.ledger.liveness.release(self.owners.pop())

    def claim(self, days: list[date] | None = None, *, longest: int = 1, run: str = "run-1") -> list[Job]:
        ledger = self.context.ledger
        who = LeaseRequest(report=EVENT.key, account="ours", query_hash="f", owner=ledger.liveness.acquire(), run=run)
        self.owners.append(who.owner)
        found = ledger.leases.acquire(
            who,
            days or [DAY],
            max_days=longest,
            shards=("",),
            split=lambda _: (),
            now=self.clock.at,
            can_find_lost_jobs=self.provider.policy.can_find_lost_jobs,
        )
        assert not isinstance(found, LeaseHeld)
        return found.jobs

    def drive(self, jobs: list[Job] | None = None) -> list[JobOutcome]:
        return list(JobRunner(self.context, EVENT).run(jobs or self.claim()))

    def one(self, jobs: list[Job] | None = None) -> JobOutcome:
        (driven,) = self.drive(jobs)
        return driven

    def open(self) -> bool:
        """Whether what was bought for the day is there for the next run."""
        return self.context.ledger.jobs.in_flight_days(EVENT.key) == {DAY}
