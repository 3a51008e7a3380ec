"""The job engine as a state machine: what people, schedules, sensors and the provider do, in any order."""

import sys
from collections.abc import Sequence
from datetime import date, timedelta
from enum import Enum
from functools import partial
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.jobs.records import JobState
from reporting_dags.model.errors import LeaseLost, StorageError
from reporting_dags_tests.jobs.scripted import HandClock
from reporting_dags_tests.jobs.states.engine import Engine
from reporting_dags_tests.jobs.states.model import Model
from reporting_dags_tests.jobs.states.provider import DAYS, FIRST, SECOND, Behavior, ProviderInMemory, World, report_of
from reporting_dags_tests.jobs.states.steps import Interruption, Killed, Kind, Steps

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Which(Enum):
    """The days of a run."""

    ALL = (0, 1, 2)
    ENDS = (0, 2)
    MIDDLE = (1,)
    FIRST = (0,)
    LAST = (2,)

    def __repr__(self) -> str:
        return f"Which.{self.name}"

    @property
    def days(self) -> list[date]:
        return [DAYS[number] for number in self.value]


# The machine that draws them says how often it wants which.
some_days = st.runner().flatmap(lambda machine: st.sampled_from(machine.days_of_runs))
kinds = st.sampled_from([Kind.KILL, Kind.KILL, *Kind])
interruptions = st.builds(Interruption, kinds, st.integers(1, 30))
interruptions_of_replays = st.builds(Interruption, kinds, st.integers(1, 15))


class Ranges(RuleBasedStateMachine):
    """Runs of ranges and of single days, of a provider that answers a range at once."""

    window_days = 3
    days_of_runs: ClassVar = [*[Which.ALL] * 2, Which.ENDS, Which.MIDDLE, *Which]

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.steps = HandClock(), Steps()
        self.clock.meanwhile = partial(self.steps.reach, "after clock.sleep")
        self.begun = False

    @initialize(finds=st.booleans(), tags=st.sampled_from([False, True, True]), reach_days=st.sampled_from([30, 3, 3]))
    def begins(self, finds: bool, tags: bool, reach_days: int) -> None:
        self.world = World(self.clock)
        self.engine = Engine(report_of(window_days=self.window_days, reach_days=reach_days), self.clock, self.steps)
        self.model = Model(engine=self.engine, world=self.world, finds=finds)
        self.providers = {
            account: ProviderInMemory(account, self.world, self.steps, finds=finds, tags=tags)
            for account in (FIRST, SECOND)
        }
        self.begun = True

    def teardown(self) -> None:
        if not self.begun:
            return
        try:
            if sys.exc_info()[0] is None:
                self.settles()
        finally:
            self.engine.close()

    @rule(which=some_days, late=st.booleans(), times=st.integers(1, 2))
    def runs(self, which: Which, late: bool, times: int) -> None:
        for _ in range(times):
            self.run(which.days, late=late)

    @rule(which=some_days, until_ready=st.booleans())
    def runs_without_waiting(self, which: Which, until_ready: bool) -> None:
        self.run(which.days, late=True, waits=False)
        if until_ready:
            self.clock.at += 3 * HOUR
            self.the_sensor_ticks()

    @rule(which=some_days, interruption=interruptions, late=st.booleans())
    def runs_and_is_interrupted(self, which: Which, interruption: Interruption, late: bool) -> None:
        self.run(which.days, late=late, interruption=interruption)

    @rule(hours=st.sampled_from([3, 12, 25]))
    def time_passes(self, hours: int) -> None:
        self.clock.at += hours * HOUR

    @rule()
    def the_sensor_ticks(self) -> None:
        looked = self.engine.look(self.providers[FIRST])
        for one in looked:
            self.model.check_looked(one)
        if looked:
            self.model.check()
        for days in self.engine.sensed(looked):
            self.run(self.engine.only_due(days), waits=False)

    @rule()
    def the_schedule_ticks(self) -> None:
        for days in self.engine.scheduled():
            self.run(self.engine.only_due(days), waits=False)

    def settles(self) -> None:
        """When the provider answers again, a day of ticks lands everything."""
        self.world.broken.clear()
        for hours in (0, 3, 24, 2):
            self.clock.at += hours * HOUR
            self.the_schedule_ticks()
            self.the_sensor_ticks()
        due = [one for one in self.engine.due() if not self.model.belongs_to_another(one.day, FIRST)]
        late = [f"{one.day} {one.reason} since {one.since}" for one in due if one.since < self.clock.at - 4 * HOUR]
        assert not late, f"due days are never requested: {late}"
        uncommitted = [day for day in self.model.uncommitted if day >= self.model.oldest]
        assert not uncommitted, f"the files of {uncommitted} are still not those that the ledger names"
        left = [str(job.window) for job in self.engine.jobs() if job.open and job.state is not JobState.INTENDED]
        assert not left, f"jobs stay open for good: {left}"

    def run(
        self,
        days: Sequence[date],
        *,
        account: str = FIRST,
        waits: bool = True,
        late: bool = False,
        refuses: bool = False,
        replays: bool = False,
        interruption: Interruption | None = None,
        nested: bool = False,
    ) -> None:
        """One run, from its beginning to its end or interruption; then all that must hold."""
        if not days:
            return
        self.clock.at += MINUTE
        outer, self.world.behavior = self.world.behavior, Behavior(late=late, refuses=refuses)
        run, provider = self.engine.new_run(), self.providers[account]
        before = self.model.before(run, account, days, replays=replays, nested=nested)
        results: list[DayResult] = []

        def other_run(kind: Kind) -> None:
            self.model.forget(days)
            if kind is Kind.TAKEOVER:
                self.engine.stop_owners()
            self.run(days, account=account, waits=kind is Kind.TAKEOVER, nested=True)

        with self.steps.of_run(interruption, other_run) as watched:
            call = self.engine.replay if replays else partial(self.engine.pull, waits=waits)
            running = call(provider, days, run=run)
            try:
                for result in running:
                    results.append(result)
                    self.steps.reach("between two results")
            except (Killed, StorageError, LeaseLost):
                if not watched.broken_off:
                    raise
            finally:
                running.close()
        self.model.after(before, results, watched)
        self.world.behavior = outer
        self.model.check()


class DayByDay(Ranges):
    """Everything that one account can do, of a provider that answers one day at a time."""

    window_days = 1
    days_of_runs: ClassVar = [*[Which.LAST] * 4, Which.MIDDLE, Which.FIRST, Which.ALL]

    @rule(which=some_days)
    def runs_and_is_refused(self, which: Which) -> None:
        self.run(which.days, refuses=True)

    @rule(which=some_days)
    def replays(self, which: Which) -> None:
        self.run(which.days, replays=True)

    @rule(which=some_days, interruption=interruptions_of_replays)
    def replays_and_is_interrupted(self, which: Which, interruption: Interruption) -> None:
        self.run(which.days, replays=True, interruption=interruption)

    @rule(what=st.sampled_from(["restated", "broken", "repaired", "raw responses removed"]), which=some_days)
    def things_change(self, what: str, which: Which) -> None:
        """The provider has other rows of the days from now on, broken ones are no valid answer; or nothing is kept."""
        self.clock.at += MINUTE
        if what == "raw responses removed":
            self.model.raw_answers_are_removed()
            return
        for day in which.days:
            for account in (FIRST, SECOND):
                self.world.restate(day, account)
            (self.world.broken.add if what == "broken" else self.world.broken.discard)(day)


class TwoAccounts(DayByDay):
    """Everything that two accounts can do that use the same ledger and the same data root, with ranges."""

    window_days = 3
    days_of_runs: ClassVar = Ranges.days_of_runs

    @rule(which=some_days, interruption=st.none() | interruptions)
    def another_account_runs(self, which: Which, interruption: Interruption | None) -> None:
        self.run(which.days, account=SECOND, interruption=interruption)
