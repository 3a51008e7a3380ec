"""The ledger as a state machine: runs claim, submit, download, land, replay, die and wake too late, in any order."""

import itertools
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from reporting_dags.jobs import tables
from reporting_dags.jobs.database import Database, open_database
from reporting_dags.jobs.job import Busy, Claim, Claimant, Job, JobState, LandedFacts
from reporting_dags.jobs.ledger import Ledger
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.errors import LostClaim
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle
from reporting_dags_tests.conftest import NOON

REPORT = "network/report"
DAYS = [date(2026, 11, 1) + n * ONE_DAY for n in range(6)]
SECRET = "https://files.example/answer?X-Amz-Signature=feed"


@dataclass
class Run:
    """A run as it knows itself; `lost` once its lock is gone though it lives on."""

    owner: str
    name: str
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    days: dict[date, list[str]] = field(default_factory=dict[date, list[str]])
    lost: bool = False


class LedgerStates(RuleBasedStateMachine):
    """Any order of what runs do; what must hold holds after each step."""

    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-"))
        self.database: Database = open_database(None, self.folder, lock_seconds=2)
        self.ledger = Ledger(self.database)
        self.now = NOON
        self.files: dict[date, str] = {}
        self.asked: dict[date, datetime] = {}
        self.submits: dict[str, int] = {}
        self.holders: dict[str, str] = {}
        self.numbers = itertools.count(1)

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @rule(target=runs, days=st.sets(st.sampled_from(DAYS), min_size=1), longest=st.integers(1, 4))
    def starts(self, days: set[date], longest: int) -> object:
        return self.claims(days, longest)

    def claims(self, days: set[date], longest: int) -> object:
        def claim(who: Claimant) -> Claim | Busy:
            return self.ledger.claim(who, days, longest=longest, parts=("",), halves=lambda _: (), now=self.now)

        return self.enters(claim, days)

    @rule(target=runs, day=st.sampled_from(DAYS))
    def starts_a_replay(self, day: date) -> object:
        facts = self.ledger.days(REPORT).get(day)
        if facts is None:
            return multiple()
        return self.enters(lambda who: self.ledger.reopen(who, facts.jobs, [day], parts=("",)), {day})

    def enters(self, claim: Callable[[Claimant], Claim | Busy], days: set[date]) -> object:
        run = Run(self.ledger.owners.enter(), f"run-{next(self.numbers)}")
        who = Claimant(report=REPORT, account="a", fingerprint="f", owner=run.owner, run=run.name)
        found = claim(who)
        if isinstance(found, Busy):
            self.ledger.owners.leave(run.owner)
            return multiple()
        assert sorted(day for group in found.groups for day in group.days) == sorted(days), "each day in one group"
        run.jobs = {job.id: job for job in found.jobs}
        self.holders |= dict.fromkeys(run.jobs, run.name)
        for group in found.groups:
            for day in group.days:
                run.days[day] = [job.id for job in group.jobs]
                assert run.days[day], "a job for each day"
        return run

    def tried(self, run: Run, jobs: list[Job], act: Callable[[], None]) -> bool:
        """Whether the ledger let a run write to `jobs`: it must not once another run has taken them."""
        try:
            act()
        except LostClaim:
            assert run.lost
            return False
        assert {self.holders[job.id] for job in jobs} == {run.name}, "a job was written that another run holds"
        return True

    @rule(run=runs, choice=st.integers(0, 5))
    def goes_on(self, run: Run, choice: int) -> None:
        """One job a step further: submitted, or downloaded."""
        open_jobs = [job for job in run.jobs.values() if job.state in {JobState.INTENDED, JobState.SUBMITTED}]
        if not open_jobs:
            return
        job = open_jobs[choice % len(open_jobs)]

        def submit() -> None:
            run.jobs[job.id] = self.ledger.submitted(job, Handle(id=f"r-{job.id}", url=SECRET), self.now)
            self.submits[job.id] = self.submits.get(job.id, 0) + 1

        def download() -> None:
            digest = f"{next(self.numbers):064x}"
            run.jobs[job.id] = self.ledger.downloaded(job, raw_sha256=digest, raw_bytes=1, expected_rows=None)

        self.tried(run, [job], submit if job.state is JobState.INTENDED else download)

    @rule(run=runs)
    def lands_a_day(self, run: Run) -> None:
        for day, ids in sorted(run.days.items()):
            jobs = [run.jobs[each] for each in ids]
            if any(job.state is not JobState.DOWNLOADED for job in jobs):
                continue
            version = f"{next(self.numbers):032x}"
            asked_at = min(job.submitted_at or job.intended_at for job in jobs)
            facts = LandedFacts(
                day=day,
                jobs=tuple(ids),
                version="v",
                outcome=Outcome.DATA,
                rows=1,
                size=1,
                fingerprint=version,
                raw_sha256="",
                money={},
                asked_at=asked_at,
                landed_at=self.now,
            )

            def put(last: Callable[[], None] = lambda: None, day: date = day, version: str = version) -> None:
                last()
                self.files[day] = version

            def land(jobs: list[Job] = jobs, facts: LandedFacts = facts) -> None:
                self.ledger.landed(jobs, facts, recorded=(), publish=put)

            before = dict(self.files)
            if not self.tried(run, jobs, land):
                assert self.files == before, "a run that lost its claim wrote a day"
                return
            assert asked_at >= self.asked.get(day, asked_at), "an older answer replaced a newer one"
            self.asked[day] = asked_at
            return

    @rule(run=runs, outcome=st.sampled_from([Outcome.DATA, Outcome.FAILED]))
    def finishes(self, run: Run, outcome: Outcome) -> None:
        for job in list(run.jobs.values()):
            ended = [day for day, ids in run.days.items() if job.id in ids]
            if job.state is JobState.DOWNLOADED:
                self.tried(
                    run, [job], lambda job=job, ended=ended: self.ledger.finish(job, ended, outcome, "", self.now)
                )
                del run.jobs[job.id]
                for day in ended:
                    del run.days[day]

    @rule(run=consumes(runs))
    def ends(self, run: Run) -> None:
        """By itself or by a kill: what it left open is anybody's."""
        if not run.lost:
            self.ledger.owners.leave(run.owner)

    @rule(target=runs, run=runs)
    def loses_its_lock_and_is_taken_over(self, run: Run) -> object:
        if run.lost:
            return multiple()
        run.lost = True
        self.ledger.owners.leave(run.owner)
        return self.claims(set(run.days), 4)

    @rule(hours=st.integers(1, 30))
    def waits(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def every_file_is_what_the_ledger_says(self) -> None:
        assert {day: facts.fingerprint for day, facts in self.ledger.days(REPORT).items()} == self.files

    @invariant()
    def no_two_live_runs_hold_a_day(self) -> None:
        held: dict[date, str] = {}
        for row in self.rows():
            if row.state != JobState.CLOSED and row.owner and self.ledger.owners.alive(row.owner):
                for day in row.days_left.split():
                    assert held.setdefault(date.fromisoformat(day), row.owner) == row.owner

    @invariant()
    def no_closed_or_downloaded_job_keeps_its_signed_address(self) -> None:
        for row in self.rows():
            assert (row.url is None) == (row.state != JobState.SUBMITTED)

    @invariant()
    def no_job_was_submitted_twice(self) -> None:
        assert set(self.submits.values()) <= {1}

    def rows(self) -> list[sa.Row[tuple[object, ...]]]:
        return list(self.database.run(lambda connection: connection.execute(sa.select(tables.jobs)).all()))


TestLedgerStates = LedgerStates.TestCase
TestLedgerStates.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
