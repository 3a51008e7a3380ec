"""What must hold of the job engine, whatever is done to it: a plain account of answers, landed days and calls."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reporting_dags.jobs.job import JobState
from reporting_dags.jobs.look import Looked
from reporting_dags.jobs.planner import plan
from reporting_dags.jobs.result import DayResult
from reporting_dags.model.outcome import Outcome
from reporting_dags_tests.jobs.states.engine import Engine, JobRow, Landed
from reporting_dags_tests.jobs.states.provider import DAYS, Answer, Row, World
from reporting_dags_tests.jobs.states.steps import Watched

YOUNG = timedelta(hours=22)
"""An answer that is kept is of use at least so long."""


@dataclass
class Bought:
    """An accepted request that a later run must not make again.

    Attributes:
        left: days that it was made for and that it has not brought yet, as far as that is certain.
        saved: whether the ledger has its handle.
    """

    answer: Answer
    left: set[date]
    saved: bool


@dataclass(frozen=True, kw_only=True)
class Before:
    """What is known of a run when it begins."""

    run: str
    account: str
    days: tuple[date, ...]
    served: frozenset[date]
    most_submits: int
    content: dict[date, bytes | None]
    landed: dict[date, Landed]
    nested: bool


@dataclass(kw_only=True)
class Model:
    """What has happened so far, and what follows from it.

    Attributes:
        rows: of each landed day.
        fresh_at: when each day last landed or was confirmed.
        torn: days whose file an interrupted run may have put in place without the ledger's knowledge.
        jobs: the rows of the ledger after the last run.
    """

    engine: Engine
    world: World
    finds: bool
    bought: dict[str, Bought] = field(default_factory=dict[str, Bought])
    landed: dict[date, Landed] = field(default_factory=dict[date, Landed])
    rows: dict[date, Row] = field(default_factory=dict[date, Row])
    fresh_at: dict[date, datetime] = field(default_factory=dict[date, datetime])
    torn: set[date] = field(default_factory=set[date])
    jobs: list[JobRow] = field(default_factory=list[JobRow])

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def belongs_to_another(self, day: date, account: str) -> bool:
        """Whether another account's answer has landed."""
        return day in self.rows and self.rows[day][0] != account

    def before(self, run: str, account: str, days: Collection[date], *, replays: bool, nested: bool) -> Before:
        """A run of an account begins."""
        oldest = self.engine.report.calendar.oldest(self.now)
        served = frozenset(day for day in days if self._is_served(account, day, days))
        needed = [day for day in days if day >= oldest and day not in served]
        intents = [job for job in self.jobs if job.state is JobState.INTENDED] if self.finds else []
        return Before(
            run=run,
            account=account,
            days=tuple(sorted(days)),
            served=served,
            most_submits=0 if replays else self._submits_for(needed) + len(intents),
            content={day: self.engine.content(day) for day in DAYS},
            landed=self.landed,
            nested=nested,
        )

    def _submits_for(self, days: Collection[date]) -> int:
        return len(plan(days, self.engine.report.window_days))

    def _is_served(self, account: str, day: date, days: Collection[date]) -> bool:
        """Whether an answer to the day is there, so that a run over `days` must not ask for it."""
        return any(self._serves(one, account, day, days) for one in self.bought.values())

    def _serves(self, one: Bought, account: str, day: date, days: Collection[date]) -> bool:
        answer = one.answer
        newer = day in self.landed and self.landed[day].asked_at > answer.asked_at
        if answer.account != account or day not in one.left or newer:
            return False
        if self.now - answer.asked_at > YOUNG or self.now >= answer.expires_at:
            return False
        # What has no handle is looked for by a run that wants all of it, and nothing else that is open.
        alone = self.finds and sum(job.open for job in self.jobs) == 1
        return one.saved or (alone and set(answer.request.window.days) <= set(days))

    def after(self, before: Before, results: Sequence[DayResult], watched: Watched, *, replays: bool = False) -> None:
        """The run has ended, by itself or at the step at which it was interrupted."""
        self.jobs = self.engine.jobs()
        landed = self.engine.landed(self.engine.known())
        told = sorted(result.day for result in results)
        assert len(set(told)) == len(told), f"a day has ended twice: {told}"
        if not watched.broken_off:
            assert told == list(before.days), f"asked for {before.days}, ended {told}"
            for result in results:
                self._check_result(before, result, replays=replays)
            self._check_closed(before, results, landed)
        self._check_submits(before, watched)
        ended = {result.day for result in results if result.outcome is not Outcome.NOT_READY}
        ended |= {day for day in before.days if landed.get(day) != before.landed.get(day)}
        self._note_answers(before, ended)
        if watched.broken_off:
            self.torn |= {day for day in before.days if self.engine.content(day) != before.content[day]}

    def _check_result(self, before: Before, result: DayResult, *, replays: bool) -> None:
        """A day fails for a reason of its own alone."""
        day, outcome, behavior = result.day, result.outcome, self.world.behavior
        if outcome.publishes or self.belongs_to_another(day, before.account):
            return
        was = before.landed.get(day)
        no_answer = was is None or not self.engine.has_raw(was.raw_sha256) or self._is_asked_again(was.jobs)
        reasons = {
            Outcome.EXPIRED: no_answer if replays else day < self._oldest or day in behavior.lapsed,
            Outcome.NOT_READY: day in behavior.waited or before.nested,
            Outcome.FAILED: day in behavior.refused or self._is_broken(day),
        }
        line = result.error.line if result.error else ""
        assert reasons.get(outcome, False), f"{day} has failed for no reason of its own: {outcome}: {line}"

    @property
    def _oldest(self) -> date:
        return self.engine.report.calendar.oldest(self.now)

    def _is_broken(self, day: date) -> bool:
        return any(len(answer.rows.get(day, ())) > 1 for answer in self.world.answers.values())

    def _is_asked_again(self, jobs: Collection[str]) -> bool:
        again = (JobState.INTENDED, JobState.SUBMITTED)
        return any(job.id in jobs and job.state in again for job in self.jobs)

    def _check_closed(self, before: Before, results: Sequence[DayResult], landed: Mapping[date, Landed]) -> None:
        """What a run has brought, no job of it promises any more."""
        brought = {result.day for result in results if result.outcome.publishes}
        for job in self.jobs:
            if job.open and job.run == before.run:
                assert job.days_left, f"the job of {job.window} is open though all of its days have ended"
                still = {day for day in job.days_left & brought if job.id in landed[day].jobs}
                assert not still, f"the job of {job.window} is open for {still}, which have landed from it"

    def _check_submits(self, before: Before, watched: Watched) -> None:
        submits = self.world.behavior.submits
        first = [str(request) for request in submits if request.mark.endswith(".0")]
        most = before.most_submits
        if watched.shared:
            most = max(most, self._submits_for(before.days)) + 1
        assert len(first) <= most, f"{len(first)} requests in place of {most}: {first}"
        for request in submits:
            job, _, resent = request.mark.rpartition(".")
            before_it = [one for one in self.world.answers.values() if one.request.mark.startswith(job)]
            useless = all(self.now >= one.expires_at or not self.engine.has_raw(one.sha256) for one in before_it[:1])
            assert resent == "0" or (resent == "1" and useless), f"{request} was made again for nothing"
        counted, made = self.engine.calls(), self.world.submits
        assert made <= counted, f"{made} requests were made, {counted} counted"

    def _note_answers(self, before: Before, ended: Collection[date]) -> None:
        """Remember what was bought, and forget what it was bought for once that has `ended`."""
        behavior = self.world.behavior
        saved = {job.answer for job in self.jobs}
        for answer in behavior.answers:
            job = answer.request.mark.rpartition(".")[0]
            earlier = [one for one in self.bought.values() if one.answer.request.mark.startswith(job)]
            left = set(before.days) & set(answer.request.window.days) - before.served
            for one in earlier:
                left, one.left = one.left, set()
            self.bought[answer.id] = Bought(answer, left, answer.id in saved)
        for one in self.bought.values():
            one.left -= set(ended)
            touched = any(day in one.answer.request.window for day in before.days)
            # What fails, and what another account asks for, may end more than its own days.
            if touched and (behavior.refused or self.world.broken or one.answer.account != before.account):
                one.left.clear()

    def check_looked(self, looked: Looked) -> None:
        """No run is started for what has landed from a newer answer."""
        newer = [day for day in looked.days if day in self.landed and self.landed[day].asked_at > looked.asked_at]
        wasted = looked.worth and looked.days and len(newer) == len(looked.days)
        assert not wasted, f"a run is started for {looked.window}, which has landed from newer answers"

    def forget(self, days: Collection[date] = DAYS) -> None:
        """It is not certain any more which answers to `days` are of use."""
        for one in self.bought.values():
            one.left -= set(days)

    def check(self) -> None:
        """What must hold between any two runs."""
        facts = self.engine.known()
        landed = self.engine.landed(facts)
        for day in DAYS:
            self._check_day(day, landed.get(day))
        self.landed = landed
        for day, times in facts.failures.items():
            old = [at for at in times if day in self.fresh_at and at <= self.fresh_at[day]]
            assert not old, f"{day} has landed or been confirmed since it failed, and is still called failed"
        kept = [job.window for job in self.jobs if job.address and job.state is not JobState.SUBMITTED]
        assert not kept, f"the jobs of {kept} need their address no more, and keep it"

    def _check_day(self, day: date, facts: Landed | None) -> None:
        content, before = self.engine.content(day), self.landed.get(day)
        if facts is None:
            assert before is None, f"{day} is known no more"
            assert content is None or day in self.torn, f"{day} is there, and nobody has landed it"
            return
        assert content is not None, f"{day} is not there"
        rows = self.engine.rows(content)
        assert len(rows) == 1, f"{day} is no complete answer: {rows}"
        if hashlib.sha256(content).hexdigest() != facts.sha256:
            assert day in self.torn, f"{day} is not what the ledger says"
            return
        self.torn.discard(day)
        self._check_row(day, rows[0], facts, before)
        if before is None or facts.landed_at != before.landed_at:
            self.fresh_at[day] = facts.landed_at
        elif facts.asked_at != before.asked_at:
            self.fresh_at[day] = self.now
        self.rows[day] = rows[0]

    def _check_row(self, day: date, row: Row, facts: Landed, before: Landed | None) -> None:
        named = [one for one in self.world.answers.values() if one.sha256 == facts.raw_sha256]
        assert named, f"{day}: the provider has never answered {facts.raw_sha256}"
        assert named[0].rows[day] == (row,), f"{day} has other rows than the answer that it landed from"
        account, version = row
        whose, known = self.rows.get(day, row)
        assert account == whose, f"{day} of the {whose} was replaced by that of the {account}"
        assert version >= known, f"{day}: an older answer has replaced a newer one"
        if before is not None:
            assert facts.asked_at >= before.asked_at, f"{day} looks older than it is: {facts.asked_at}"
        until = self.world.right_until(row, day)
        assert until is None or facts.asked_at < until, f"{day} looks newer than it is: {facts.asked_at}"
