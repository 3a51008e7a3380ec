"""A provider in memory: two accounts, reports that take time, addresses that expire, days that are restated."""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reporting_dags.model.column import day, identity, integer
from reporting_dags.model.days import ONE_DAY, Calendar
from reporting_dags.model.errors import Expired, Failed
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, JobPolicy, Meter, Pending, Provider, Quota, Ready, Request
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.scripted import HandClock
from reporting_dags_tests.jobs.states.steps import Steps

FIRST, SECOND = "first account", "second account"
DAYS = [NOON.date() - number * ONE_DAY for number in (3, 2, 1)]
"""The latest days; the oldest of them is the first to fall out of a short reach."""
QUOTA = Quota(bucket="queries", per_day=10_000)
LATE = timedelta(hours=2)
SERVES = timedelta(hours=6)
"""How long an address can be used."""

Row = tuple[str, int]


def report_of(*, window_days: int, reach_days: int) -> Report:
    """A small report: each row names its account, and the version of its day."""
    return Report(
        provider="network",
        name="report",
        query="what is asked",
        columns=(day("Date"), identity("Account", "whose"), integer("Version", "of the day")),
        grain=("Account",),
        calendar=Calendar(restated_at=(1, 3), retention_days=reach_days),
        window_days=window_days,
    )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the provider has made of one request: the rows of each day as they were when it was asked."""

    id: str
    account: str
    request: Request
    asked_at: datetime
    ready_at: datetime
    rows: dict[date, tuple[Row, ...]]

    @property
    def expires_at(self) -> datetime:
        return self.ready_at + SERVES

    @property
    def content(self) -> bytes:
        lines = [f"{day},{account},{version}" for day, rows in self.rows.items() for account, version in rows]
        return "\n".join(["Date,Account,Version", *lines, ""]).encode()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def resent(self) -> int:
        """How often its job had been sent before."""
        return int(self.request.correlation_id.rpartition(".")[2])


@dataclass
class Behavior:
    """How the provider treats the current run; `waited`, `refused` and `lapsed` are the days that it treated so."""

    late: bool = False
    refuses: bool = False
    waited: set[date] = field(default_factory=set[date])
    refused: set[date] = field(default_factory=set[date])
    lapsed: set[date] = field(default_factory=set[date])
    answers: list[Answer] = field(default_factory=list[Answer])
    submits: list[Request] = field(default_factory=list[Request])


@dataclass
class World:
    """What both accounts have.

    Attributes:
        begins: since when each version of a day is the right one, by account and day; the first since long ago.
        broken: days whose rows are no valid answer.
        answers: every accepted request, by id.
    """

    clock: HandClock
    begins: dict[tuple[str, date], list[datetime]] = field(default_factory=dict[tuple[str, date], list[datetime]])
    broken: set[date] = field(default_factory=set[date])
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    behavior: Behavior = field(default_factory=Behavior)
    submits: int = 0

    def __post_init__(self) -> None:
        self.begins = {(account, day): [NOON - timedelta(days=365)] for account in (FIRST, SECOND) for day in DAYS}

    def restate(self, day: date, account: str = FIRST) -> None:
        """From now on the day has other rows."""
        self.begins[account, day].append(self.clock.now())

    def rows(self, account: str, day: date) -> tuple[Row, ...]:
        """What a request that is made now gets of a day; two rows of one account are a broken answer."""
        row = (account, len(self.begins[account, day]) - 1)
        return (row, row) if day in self.broken else (row,)

    def right_until(self, row: Row, day: date) -> datetime | None:
        """When the version of a row was replaced by the next one; None if it is the latest."""
        account, version = row
        begins = self.begins[account, day]
        return begins[version + 1] if version + 1 < len(begins) else None


class ProviderInMemory(Provider):
    """One account of the provider."""

    def __init__(self, account: str, world: World, steps: Steps, *, finds: bool, tags: bool) -> None:
        self.account = account
        self.world = world
        self._steps = steps
        self._tags = tags
        self.policy = JobPolicy(
            first_poll=timedelta(minutes=10),
            max_poll_interval=timedelta(minutes=30),
            timeout=timedelta(hours=1),
            can_find_lost_jobs=finds,
        )

    @property
    def quotas(self) -> tuple[Quota, ...]:
        return (QUOTA,)

    def find_lost_job(self, report: Report, request: Request) -> Handle | None:
        self._steps.reach("before provider.find")
        found = [one for one in self.world.answers.values() if one.request.correlation_id == request.correlation_id]
        return _handle(found[0]) if found else None

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        meter(QUOTA)
        self._steps.reach("before provider.submit")
        behavior, now, world = self.world.behavior, self.world.clock.now(), self.world
        behavior.submits.append(request)
        world.submits += 1
        if request.window.first < report.calendar.earliest_available(now):
            raise Expired(f"{request.window.first} cannot be had any more")
        if behavior.refuses:
            behavior.refused.update(request.window.days)
            raise Failed("the provider refuses the request")
        answer = Answer(
            id=f"answer-{len(world.answers) + 1}",
            account=self.account,
            request=request,
            asked_at=now,
            ready_at=now + (LATE if behavior.late else timedelta()),
            rows={day: world.rows(self.account, day) for day in request.window.days},
        )
        world.answers[answer.id] = answer
        behavior.answers.append(answer)
        self._steps.reach("after provider.submit")
        return _handle(answer)

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        assert handle.url, "a handle without an address finds nothing"
        self._steps.reach("before provider.poll")
        answer, now = self.world.answers[handle.id], self.world.clock.now()
        if now < answer.ready_at:
            self.world.behavior.waited.update(request.window.days)
            return Pending()
        if now >= answer.expires_at:
            self.world.behavior.lapsed.update(request.window.days)
            raise Expired("the address cannot be used any more")
        tag = answer.sha256 if self._tags else ""
        return Ready(expected_rows=sum(map(len, answer.rows.values())), content_tag=tag)

    @contextmanager
    def download(self, report: Report, request: Request, handle: Handle, meter: Meter) -> Generator[Iterator[bytes]]:
        assert handle.url, "a handle without an address finds nothing"
        self._steps.reach("before provider.download")
        yield iter([self.world.answers[handle.id].content])

    def close(self) -> None:
        """Nothing is open."""


def _handle(answer: Answer) -> Handle:
    url = f"https://files.example/{answer.id}?signature=secret"
    return Handle(id=answer.id, url=url, expires_at=answer.expires_at)
