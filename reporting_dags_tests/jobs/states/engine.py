"""The job engine as the model of it sees it. What the engine is called and what it returns is known here alone."""

import itertools
import shutil
import tempfile
from collections.abc import Collection, Generator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning.due import DuePartition, due_partitions, included_for_free, paused_until
from reporting_dags.jobs.planning.policy import for_schedule, for_sensor
from reporting_dags.jobs.planning.windows import plan_windows
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.probe import Probe, probe
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.replay import replay
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.jobs.records import JobState, ReportState
from reporting_dags.landing.storage.store import raw_key
from reporting_dags.model.days import Window, contiguous_ranges
from reporting_dags.model.report import Report
from reporting_dags_tests.jobs.scripted import HandClock
from reporting_dags_tests.jobs.states.provider import DAYS, ProviderInMemory
from reporting_dags_tests.jobs.states.steps import SteppedDatabase, SteppedStore, Steps, table_of


@dataclass(frozen=True, kw_only=True)
class Landed:
    """What the ledger says of a day that has landed."""

    asked_at: datetime
    landed_at: datetime
    sha256: str
    raw_sha256: str
    jobs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """What the ledger says of a job."""

    id: str
    state: JobState
    answer: str
    address: str
    run: str
    window: Window
    days_left: frozenset[date]

    @property
    def open(self) -> bool:
        return self.state is not JobState.CLOSED


class Engine:
    """One ledger, one data root and one raw store, and the runs and ticks that use them."""

    def __init__(self, report: Report, clock: HandClock, steps: Steps) -> None:
        fast = Path("/dev/shm")  # a file system in memory, where there is one
        self.folder = Path(tempfile.mkdtemp(prefix="states-", dir=fast if fast.is_dir() else None))
        self.report = report
        self.clock = clock
        self.database = SteppedDatabase(steps)
        self.ledger = Ledger(self.database)
        self.data = SteppedStore(self.folder / "data", steps)
        self.raw = SteppedStore(self.folder / "raw", steps, private=True)
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    def _bench(self, provider: ProviderInMemory, run: str, *, waits: bool) -> PullContext:
        return PullContext(
            provider=provider,
            ledger=self.ledger,
            data=self.data,
            raw=self.raw,
            scratch=self.folder,
            clock=self.clock,
            run=run,
            waits=waits,
        )

    def new_run(self) -> str:
        """The name of a run."""
        return f"run-{next(self._numbers)}"

    def pull(
        self, provider: ProviderInMemory, days: Collection[date], *, run: str, waits: bool = True
    ) -> Generator[DayResult]:
        yield from pull(self._bench(provider, run, waits=waits), self.report, days)

    def replay(self, provider: ProviderInMemory, days: Collection[date], *, run: str) -> Generator[DayResult]:
        yield from replay(self._bench(provider, run, waits=True), self.report, days)

    def look(self, provider: ProviderInMemory) -> list[Probe]:
        return list(probe(self._bench(provider, self.new_run(), waits=False), self.report, self.clock.now()))

    def stop_owners(self) -> None:
        """Every run that is under way loses its lock."""
        self.database.liveness.close()

    def known(self) -> ReportState:
        """What the ledger knows of the report now."""
        return load_report_state(self.report, self.ledger, self.clock.now())

    def due(self, facts: ReportState | None = None) -> list[DuePartition]:
        """The due days among those of the model."""
        facts = facts or self.known()
        found = due_partitions(
            self.report, facts, since=DAYS[0], sizes=self.data.sizes(self.report.key), now=self.clock.now()
        )
        return [one for one in found if one.day in DAYS]

    def scheduled(self) -> list[list[date]]:
        """The days of each run that the schedule starts now."""
        facts, longest, now = self.known(), self.report.window_days, self.clock.now()
        taken = for_schedule(self.due(facts), max_days=longest, failures=facts.failures, now=now)
        windows = plan_windows([one.day for one in taken], longest)
        return [one.days for one in contiguous_ranges(day for window in windows for day in window.days)]

    def sensed(self, looked: Collection[Probe]) -> list[list[date]]:
        """The days of each run that the sensor starts now, given what it has `looked` at."""
        facts, now = self.known(), self.clock.now()
        failures, runs = facts.failures, list[list[date]]()
        for one in looked:
            failed = [day for day in one.days if any(at >= one.requested_at for at in failed_at(facts, day))]
            if one.should_run and not any(paused_until(failures, day, now) for day in failed):
                runs += [found.days for found in contiguous_ranges(one.days)]
        again = for_sensor(self.due(facts), open_windows=[one.window for one in looked], failures=failures, now=now)
        return runs + [window.days for window in plan_windows([one.day for one in again], self.report.window_days)]

    def only_due(self, days: Collection[date]) -> list[date]:
        """Those of `days` that a run which schedules or sensors have started pulls."""
        facts = self.known()
        found = {one.day for one in self.due(facts)} | self.ledger.jobs.in_flight_days(self.report.key)
        wanted = [day for day in days if day in found]
        along = included_for_free(self.report, facts, wanted)
        return [day for day in days if day in wanted or day in along]

    def landed(self, facts: ReportState) -> dict[date, Landed]:
        """What has landed."""
        return {
            day: Landed(
                asked_at=one.requested_at,
                landed_at=one.landed_at,
                sha256=one.sha256,
                raw_sha256=one.raw_sha256,
                jobs=one.jobs,
            )
            for day, one in facts.landed.items()
        }

    def content(self, day: date) -> bytes | None:
        """The bytes of the day's file; None if there is none."""
        return self.data.content(self.report.file(day))

    def rows(self, content: bytes) -> tuple[tuple[str, int], ...]:
        """The rows of a day's file."""
        return tuple((str(row["account"]), int(row["version"])) for row in table_of(content).to_pylist())

    def has_raw(self, sha256: str) -> bool:
        key = raw_key(self.report.key, sha256, self.report.format.suffix)
        return self.raw.content(key) is not None

    def remove_raw(self) -> None:
        """Every raw response is gone, as after its time."""
        shutil.rmtree(self.folder / "raw", ignore_errors=True)

    def jobs(self) -> list[JobRow]:
        """Every job of the ledger."""
        rows = self.database.read(lambda connection: connection.execute(sa.select(tables.jobs)).all())
        return [
            JobRow(
                id=row.id,
                state=JobState(row.state),
                answer=row.request_id or "",
                address=row.url or "",
                run=row.run or "",
                window=Window(row.first_day, row.last_day),
                days_left=frozenset(date.fromisoformat(day) for day in row.days_left.split()),
            )
            for row in rows
        ]

    def calls(self) -> int:
        """The calls that the ledger has counted."""
        return self.ledger.quotas.count(report=self.report.key)


def failed_at(facts: ReportState, day: date) -> list[datetime]:
    """When runs ended without landing the day, since it last landed."""
    return [one.at for one in facts.failures.get(day, ())]
