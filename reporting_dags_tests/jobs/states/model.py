"""What must hold of the job engine, whatever is done to it: a plain account of responses, landed days and calls."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reporting_dags.jobs.planning.windows import plan_windows
from reporting_dags.jobs.pulling.probe import Probe
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.jobs.records import JobState
from reporting_dags.model.outcome import Outcome
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.states.engine import Engine, JobRow, Landed, failed_at
from reporting_dags_tests.jobs.states.provider import DAYS, Answer, Row, World
from reporting_dags_tests.jobs.states.steps import Watched

FRESH = timedelta(hours=22)
"""A response is of use for at least so long after it was requested."""


@dataclass
class Accepted:
    """A request that the provider has accepted, and that a later run must not make again.

    Attributes:
        days: those that it was made for and that have not ended since, as far as that is certain.
        saved: whether the ledger has its handle.
    """

    answer: Answer
    days: set[date]
    saved: bool

    @property
    def job(self) -> str:
        """The job that requested it."""
        return job_of(self.answer)


@dataclass(frozen=True, kw_only=True)
class Before:
    """What is known of a run when it begins.

    Attributes:
        served: days to which there is a response already.
        most_submits: how many requests it may make.
        content: the files of the days.
        nested: whether another run is under way.
    """

    run: str
    account: str
    days: tuple[date, ...]
    served: frozenset[date]
    most_submits: int
    content: dict[date, bytes | None]
    landed: dict[date, Landed]
    replays: bool
    nested: bool


@dataclass(kw_only=True)
class Model:
    """What has happened so far, and what follows from it.

    Attributes:
        accepted: requests of which a response may be had, by the response's id.
        landed: what the ledger said of the days after the last run.
        rows: of each landed day.
        current_at: when each day last landed or was confirmed.
        uncommitted: days whose file a run may have replaced that broke off before the ledger said so.
        raw_removed_at: when the raw responses were last removed.
        jobs: the ledger's jobs after the last run.
    """

    engine: Engine
    world: World
    finds: bool
    accepted: dict[str, Accepted] = field(default_factory=dict[str, Accepted])
    landed: dict[date, Landed] = field(default_factory=dict[date, Landed])
    rows: dict[date, Row] = field(default_factory=dict[date, Row])
    current_at: dict[date, datetime] = field(default_factory=dict[date, datetime])
    uncommitted: set[date] = field(default_factory=set[date])
    raw_removed_at: datetime = NOON
    jobs: list[JobRow] = field(default_factory=list[JobRow])

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    @property
    def oldest(self) -> date:
        """The oldest day that the provider still serves."""
        return self.engine.report.calendar.earliest_available(self.now)

    def belongs_to_another(self, day: date, account: str) -> bool:
        """Whether the day has landed from another account."""
        return day in self.rows and self.rows[day][0] != account

    def before(self, run: str, account: str, days: Collection[date], *, replays: bool, nested: bool) -> Before:
        """A run of an account begins."""
        served = frozenset(day for day in days if self._is_served(account, day, days))
        needed = [day for day in days if day >= self.oldest and day not in served]
        intents = [job for job in self.jobs if job.state is JobState.INTENDED] if self.finds else []
        return Before(
            run=run,
            account=account,
            days=tuple(sorted(days)),
            served=served,
            most_submits=0 if replays else self._submits_for(needed) + len(intents),
            content={day: self.engine.content(day) for day in DAYS},
            landed=self.landed,
            replays=replays,
            nested=nested,
        )

    def _submits_for(self, days: Collection[date]) -> int:
        return len(plan_windows(days, self.engine.report.window_days))

    def _is_served(self, account: str, day: date, days: Collection[date]) -> bool:
        """Whether there is a response to the day, so that a run over `days` must not request it."""
        return any(self._serves(one, account, day, days) for one in self.accepted.values())

    def _serves(self, one: Accepted, account: str, day: date, days: Collection[date]) -> bool:
        answer = one.answer
        newer = day in self.landed and self.landed[day].asked_at > answer.asked_at
        restated = self.engine.report.calendar.restatement_age(day, answer.asked_at, self.now) is not None
        if answer.account != account or day not in one.days or newer or restated:
            return False
        if self.now - answer.asked_at > FRESH or self.now >= answer.expires_at:
            return False
        # What has no handle is looked up by a run that wants all of it, if no other job is open.
        alone = self.finds and sum(job.open for job in self.jobs) == 1
        return one.saved or (alone and set(answer.request.window.days) <= set(days))

    def after(self, before: Before, results: Sequence[DayResult], watched: Watched) -> None:
        """The run has ended, by itself or at the step at which it was interrupted."""
        self.jobs = self.engine.jobs()
        landed = self.engine.landed(self.engine.known())
        ended = [result.day for result in results]
        assert len(set(ended)) == len(ended), f"a day has ended twice: {ended}"
        if watched.broken_off:
            changed = {day for day in before.days if self.engine.content(day) != before.content[day]}
            self.uncommitted |= changed
        else:
            assert sorted(ended) == list(before.days), f"requested {before.days}, ended {ended}"
            for result in results:
                # A replay yields to what has landed meanwhile.
                if not (before.replays and watched.shared):
                    self._check_result(before, result)
            self._check_closed(before, results, landed)
        self._check_submits(before, watched)
        done = {result.day for result in results if result.outcome is not Outcome.NOT_READY}
        self._note_answers(before, done | {day for day in before.days if landed.get(day) != before.landed.get(day)})

    def _check_result(self, before: Before, result: DayResult) -> None:
        """A day fails for a reason of its own alone."""
        day, outcome, behavior = result.day, result.outcome, self.world.behavior
        if outcome.publishes or self.belongs_to_another(day, before.account):
            return
        reasons = {
            Outcome.EXPIRED: self._cannot_be_replayed(before.landed.get(day))
            if before.replays
            else day < self.oldest or day in behavior.lapsed,
            Outcome.NOT_READY: day in behavior.waited or before.nested,
            Outcome.FAILED: day in behavior.refused or self._was_broken(day),
        }
        line = result.error.line if result.error else ""
        assert reasons.get(outcome, False), f"{day} has failed for no reason of its own: {outcome}: {line}"

    def _cannot_be_replayed(self, landed: Landed | None) -> bool:
        again = (JobState.INTENDED, JobState.SUBMITTED)
        return (
            landed is None
            or not self.engine.has_raw(landed.raw_sha256)
            or any(job.id in landed.jobs and job.state in again for job in self.jobs)
        )

    def _was_broken(self, day: date) -> bool:
        return any(len(answer.rows.get(day, ())) > 1 for answer in self.world.answers.values())

    def _check_closed(self, before: Before, results: Sequence[DayResult], landed: Mapping[date, Landed]) -> None:
        """No job stays open for what the run has landed from it."""
        published = {result.day for result in results if result.outcome.publishes}
        for job in self.jobs:
            if job.open and job.run == before.run:
                assert job.days_left, f"the job of {job.window} is open though all of its days have ended"
                still = {day for day in job.days_left & published if job.id in landed[day].jobs}
                assert not still, f"the job of {job.window} is open for {still}, which have landed from it"

    def _check_submits(self, before: Before, watched: Watched) -> None:
        submits = self.world.behavior.submits
        first = [str(request) for request in submits if request.correlation_id.endswith(".0")]
        most = before.most_submits
        if watched.shared:
            most = max(most, self._submits_for(before.days)) + 1
        assert len(first) <= most, f"{len(first)} requests in place of {most}: {first}"
        for request in submits:
            job, _, resent = request.correlation_id.rpartition(".")
            earlier = next((one for one in self.world.answers.values() if job_of(one) == job), None)
            useless = earlier is None or self.now >= earlier.expires_at or earlier.asked_at <= self.raw_removed_at
            assert resent == "0" or (resent == "1" and useless), f"{request} was made again though it had a response"
        counted, made = self.engine.calls(), self.world.submits
        assert made <= counted, f"{made} requests were made, {counted} counted"

    def _note_answers(self, before: Before, ended: Collection[date]) -> None:
        """Remember which requests were accepted, and forget the days of them that have `ended`."""
        behavior = self.world.behavior
        saved = {job.answer for job in self.jobs}
        for answer in behavior.answers:
            days = set(before.days) & set(answer.request.window.days) - before.served
            for earlier in self.accepted.values():
                if earlier.job == job_of(answer):
                    days, earlier.days = earlier.days, set()
            self.accepted[answer.id] = Accepted(answer, days, answer.id in saved)
        for one in self.accepted.values():
            one.days -= set(ended)
            touched = any(day in one.answer.request.window for day in before.days)
            # What fails, and what another account requests, may end more than its own days.
            if touched and (behavior.refused or self.world.broken or one.answer.account != before.account):
                one.days.clear()

    def check_looked(self, looked: Probe) -> None:
        """No run is started for what has landed from newer responses."""
        newer = [day for day in looked.days if day in self.landed and self.landed[day].asked_at > looked.requested_at]
        wasted = looked.should_run and looked.days and len(newer) == len(looked.days)
        assert not wasted, f"a run is started for {looked.window}, which has landed from newer responses"

    def raw_answers_are_removed(self) -> None:
        """No raw response is kept any more."""
        self.engine.remove_raw()
        self.raw_removed_at = self.now
        self.accepted.clear()

    def forget(self, days: Collection[date]) -> None:
        """It is not certain any more which responses to `days` are of use."""
        for one in self.accepted.values():
            one.days -= set(days)

    def check(self) -> None:
        """What must hold between any two runs."""
        facts = self.engine.known()
        landed = self.engine.landed(facts)
        for day in DAYS:
            self._check_day(day, landed.get(day))
        self.landed = landed
        for day, current_at in self.current_at.items():
            old = [at for at in failed_at(facts, day) if at <= current_at]
            assert not old, f"{day} has landed or been confirmed since it failed, and still counts as failed"
        kept = [str(job.window) for job in self.jobs if job.address and job.state is not JobState.SUBMITTED]
        assert not kept, f"the jobs of {kept} need their address no more, and keep it"

    def _check_day(self, day: date, facts: Landed | None) -> None:
        content, before = self.engine.content(day), self.landed.get(day)
        if facts is None:
            assert before is None, f"the ledger has lost {day}"
            assert content is None or day in self.uncommitted, f"{day} has a file, and no row in the ledger"
            return
        assert content is not None, f"{day} has no file"
        rows = self.engine.rows(content)
        assert len(rows) == 1, f"{day} is not a complete answer: {rows}"
        if hashlib.sha256(content).hexdigest() != facts.sha256:
            assert day in self.uncommitted, f"the file of {day} is not the one that the ledger names"
            return
        self.uncommitted.discard(day)
        self._check_row(day, rows[0], facts, before)
        if before is None or facts.landed_at != before.landed_at:
            self.current_at[day] = facts.landed_at
        elif facts.asked_at != before.asked_at:
            self.current_at[day] = self.now
        if before != facts:
            self.forget([day])
        self.rows[day] = rows[0]

    def _check_row(self, day: date, row: Row, facts: Landed, before: Landed | None) -> None:
        named = [one for one in self.world.answers.values() if one.sha256 == facts.raw_sha256]
        assert named, f"{day}: the provider has never sent {facts.raw_sha256}"
        assert named[0].rows[day] == (row,), f"{day} has other rows than the response that the ledger names"
        account, version = row
        whose, known = self.rows.get(day, row)
        assert account == whose, f"{day} of the {whose} was replaced by that of the {account}"
        assert version >= known, f"{day}: an older response has replaced a newer one"
        if before is not None:
            assert facts.asked_at >= before.asked_at, f"{day} looks older than it is: {facts.asked_at}"
        until = self.world.right_until(row, day)
        assert until is None or facts.asked_at < until, f"{day} looks newer than it is: {facts.asked_at}"


def job_of(answer: Answer) -> str:
    """The job that requested a response."""
    return answer.request.correlation_id.rpartition(".")[0]
