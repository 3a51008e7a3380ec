"""Changes of accounts, settings and declarations, and runs that are repeated after a kill: nothing stored is lost."""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.jobs.ledger.jobs import Jobs
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.rate_limit import RateLimits
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.replay import replay
from reporting_dags.landing.storage.store import open_store
from reporting_dags.local import sandbox_accounts
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.report import Report
from reporting_dags.providers.digital_turbine.offer_wall_report import Filter, offer_wall_report
from reporting_dags.providers.mintegral.report import advanced_performance_report
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import CONVERSIONS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.conftest import NOON, RESOURCES, SandboxClock
from reporting_dags_tests.torture.row import Losses, Row, losses
from reporting_dags_tests.truth import expected_rows, landed_rows


class Killed(BaseException):
    """What a SIGKILL does to a run."""


@dataclass(slots=True)
class Scene:
    """A data root, the homes that write to it, and a sandbox on a still clock.

    Attributes:
        sandbox: every provider.
        folder: holds data, raw responses and homes.
        troubles: what did not hold so far.
    """

    sandbox: Sandbox
    folder: Path
    troubles: list[str] = field(default_factory=list[str])

    @contextmanager
    def context(
        self, provider: str, *, account: str = "ordinary", home: str = "home", **settings: Any
    ) -> Generator[PullContext]:
        """What one run works with; `settings` are the resource's."""
        clock = SandboxClock(self.sandbox)
        place = self.folder / home
        scratch = place / "spool"
        scratch.mkdir(parents=True, exist_ok=True)
        database = open_database(None, place, lock_seconds=2)
        variables = sandbox_accounts(self.sandbox.url, account)
        with mock.patch.dict("os.environ", variables):
            client = RESOURCES[provider](**settings).client(clock, RateLimits(database).pace(clock))
        with closing(client), closing(database):
            yield PullContext(
                provider=client,
                ledger=Ledger(database),
                data=open_store(str(self.folder / "data"), scratch=scratch),
                raw=open_store(str(self.folder / "raw"), scratch=scratch, private=True),
                scratch=scratch,
                clock=clock,
                run="torture",
            )

    def pulled(
        self,
        report: Report,
        days: Collection[date],
        *,
        way: Callable[..., Iterator[Any]] = pull,
        expects: str = "data",
        says: str = "",
        **how: Any,
    ) -> str:
        """The outcome of a run over `days`, each of which must end once."""
        with self.context(report.provider, **how) as context:
            results = list(way(context, report, days))
        if sorted(result.day for result in results) != sorted(days):
            self.troubles.append(f"days that ended: {sorted(str(result.day) for result in results)}")
        outcome = "/".join(sorted({str(result.outcome) for result in results}))
        lines = [result.error.line for result in results if result.error is not None]
        published = {"confirmed empty", "confirmed empty/data"} if expects == "data" else set[str]()
        if outcome not in {expects, *published}:
            self.troubles.append(f"{outcome} in place of {expects}: {lines[:1]}")
        if says and not any(says in line for line in lines):
            self.troubles.append(f"no line says {says!r}: {lines[:1]}")
        return outcome

    def killed(self, report: Report, days: list[date], after: int) -> None:
        """A run that dies after `after` days have landed."""
        with self.context(report.provider) as context:
            running = pull(context, report, days)
            for _ in range(after):
                next(running)
            with mock.patch.object(Jobs, "close_days", side_effect=Killed):
                running.close()  # type: ignore[attr-defined]

    def bytes_of(self, report: Report, days: Collection[date]) -> list[bytes]:
        """The stored files."""
        return [(self.folder / "data" / report.file(day)).read_bytes() for day in days]

    def submits(self) -> int:
        """Calls to any provider, but for logins."""
        return sum("token" not in entry.point for entry in self.sandbox.log.entries())

    def row(
        self,
        fault: str,
        outcome: str,
        *,
        report: Report | None = None,
        days: Collection[date] = (),
        extra: int = 0,
        why: str = "",
    ) -> Row:
        """The row of a change; `report` and `days` name what must be as the ordinary account's provider has it now."""
        found = Losses()
        store = open_store(str(self.folder / "data"), scratch=self.folder)
        for day in days:
            if report is not None:
                found += losses(expected_rows(self.sandbox, report, day), landed_rows(store, report, day))
        return Row(fault=fault, outcome=outcome, losses=found, extra=extra, why=why, trouble="; ".join(self.troubles))


@contextmanager
def scene() -> Generator[Scene]:
    """A scene of its own."""
    with (
        TemporaryDirectory(prefix="reporting_torture_") as folder,
        running_sandbox(seed=7, at=NOON, frozen=True) as one,
    ):
        yield Scene(one, Path(folder))


def newest(made: Scene, report: Report, count: int = 1) -> list[date]:
    """The latest days that are published, oldest first."""
    last = report.calendar.latest_available(made.sandbox.clock.now())
    return [last - number * ONE_DAY for number in reversed(range(count))]


def rows() -> Iterator[Row]:
    """Every row of the section."""
    for report in (EVENT, REVENUE, OFFER_PERFORMANCE, EARNINGS, CONVERSIONS):
        for home in ("home", "another home"):
            yield _another_account(report, home)
    for name, stored, now in _narrower():
        yield _declared_narrower(name, stored, now)
    yield _an_app_less()
    yield _renamed_then_declared()
    yield _renamed_then_replayed()
    yield _one_app_refused()
    yield _again_after_a_kill()
    yield _too_old_after_a_kill()
    yield _a_replay_breaks_off()


def quick() -> Iterator[Row]:
    """A row of each kind."""
    yield _another_account(EVENT, "another home")
    yield _declared_narrower(*next(iter(_narrower())))
    yield _an_app_less()
    yield _renamed_then_declared()
    yield _one_app_refused()
    yield _again_after_a_kill()
    yield _a_replay_breaks_off()


def _another_account(report: Report, home: str) -> Row:
    with scene() as made:
        days = newest(made, report, 2)
        made.pulled(report, days)
        stored, before = made.bytes_of(report, days), made.submits()
        outcome = made.pulled(report, days, account="other", home=home, expects="failed", says="another account")
        if made.bytes_of(report, days) != stored:
            made.troubles.append("a partition is another")
        extra = made.submits() - before
        return made.row(f"another account, {home}: {report.key}", outcome, report=report, days=days, extra=extra)


def _narrower() -> Iterator[tuple[str, Report, Report]]:
    def wall(
        metrics: Sequence[str] = ("Publisher Revenue", "Offer Clicks"),
        splits: Sequence[str] = ("Date", "DT Publisher App ID", "Country"),
        filters: Sequence[Filter] = (),
    ) -> Report:
        return offer_wall_report(name="narrow", source="event", splits=splits, metrics=metrics, filters=filters)

    yield "a metric less", wall(), wall(metrics=("Publisher Revenue",))
    yield "a dimension less", wall(), wall(splits=("Date", "Country"))
    yield "a filter more", wall(), wall(filters=(Filter("Country", ("GERMANY",)),))

    def offers(timezone: str) -> Report:
        return advanced_performance_report(name="narrow", dimensions=("Offer",), timezone=timezone)

    yield "another time zone", offers("+0"), offers("+8")


def _declared_narrower(name: str, stored: Report, now: Report) -> Row:
    with scene() as made:
        days = newest(made, stored, 2)
        made.pulled(stored, days)
        files, before = made.bytes_of(stored, days), made.submits()
        outcome = made.pulled(now, days, expects="failed", says="covers more than is requested now")
        if made.bytes_of(stored, days) != files:
            made.troubles.append("a partition is another")
        return made.row(f"declared narrower: {name}", outcome, extra=made.submits() - before)


def _an_app_less() -> Row:
    with scene() as made:
        days = newest(made, REVENUE)
        every = ",".join(USER_LEVEL_APPS)
        made.pulled(REVENUE, days, app_ids=every)
        before, fewer = made.submits(), USER_LEVEL_APPS[0]
        outcome = made.pulled(REVENUE, days, app_ids=fewer, expects="failed", says="app or part")
        made.pulled(REVENUE, days, app_ids=fewer, way=replay)
        extra = made.submits() - before
        return made.row("an app taken out of the setting", outcome, report=REVENUE, days=days, extra=extra)


def _with_alias(report: Report, header: str, alias: str) -> Report:
    columns = [replace(one, aliases=(*one.aliases, alias)) if one.header == header else one for one in report.columns]
    return replace(report, columns=tuple(columns))


def _renamed_then_declared() -> Row:
    return _renamed("a renamed column, then an alias", pull)


def _renamed_then_replayed() -> Row:
    return _renamed("a renamed column, then an alias and a replay", replay)


def _renamed(fault: str, way: Callable[..., Iterator[Any]]) -> Row:
    with scene() as made:
        days = newest(made, EVENT, 2)
        made.sandbox.faults.add("dt.data", do="rename_column", column="Country", to="Geo")
        outcome = made.pulled(EVENT, days, expects="failed", says="'Country' is missing")
        made.sandbox.faults.clear()
        before = made.submits()
        outcome += ", then " + made.pulled(_with_alias(EVENT, "Country", "Geo"), days, way=way)
        return made.row(fault, outcome, report=EVENT, days=days, extra=made.submits() - before)


def _one_app_refused() -> Row:
    with scene() as made:
        days = newest(made, REVENUE)
        made.sandbox.faults.add("dt.data", do="rename_column", column="Revenue", to="Money", times=1)
        outcome = made.pulled(REVENUE, days, expects="failed")
        before = made.sandbox.log.count("dt.user_level")
        outcome += ", then " + made.pulled(REVENUE, days)
        extra = made.sandbox.log.count("dt.user_level") - before - 1
        return made.row("one app of several refused", outcome, report=REVENUE, days=days, extra=extra)


def _again_after_a_kill() -> Row:
    with scene() as made:
        days = newest(made, PERFORMANCE, 7)
        made.killed(PERFORMANCE, days, after=2)
        made.sandbox.clock.advance(23.9 * 3600)
        for day in (days[0], days[-1], days[-1]):
            made.pulled(PERFORMANCE, [day])
        with made.context(PERFORMANCE.provider) as context:
            before = {
                day: facts.requested_at for day, facts in context.ledger.materializations.days(PERFORMANCE.key).items()
            }
        outcome = made.pulled(PERFORMANCE, days)
        with made.context(PERFORMANCE.provider) as context:
            after = {
                day: facts.requested_at for day, facts in context.ledger.materializations.days(PERFORMANCE.key).items()
            }
        made.troubles += [f"{day} is from an older response" for day in before if after[day] < before[day]]
        extra = made.sandbox.log.count("dt.report") - 4
        ends = [days[0], days[-1]]
        return made.row(
            "a range again after a kill and single days", outcome, report=PERFORMANCE, days=ends, extra=extra
        )


def _too_old_after_a_kill() -> Row:
    with scene() as made:
        oldest = EVENT.calendar.earliest_available(made.sandbox.clock.now())
        days = [oldest + number * ONE_DAY for number in range(4)]
        made.killed(EVENT, days, after=1)
        for path in (made.folder / "raw").rglob("*.csv"):
            path.unlink()
        made.sandbox.clock.advance(24 * 3600)
        outcome = made.pulled(EVENT, days, expects="data/expired", says="older than the provider's retention")
        extra = made.sandbox.log.count("dt.report") - 2
        return made.row("a day of an open window too old", outcome, report=EVENT, days=days[1:], extra=extra)


def _a_replay_breaks_off() -> Row:
    with scene() as made:
        days = newest(made, EVENT, 2)
        made.pulled(EVENT, days)
        before = made.submits()
        with made.context(EVENT.provider) as context, mock.patch.object(Jobs, "close_days", side_effect=Killed):
            try:
                list(replay(context, EVENT, days))
                made.troubles.append("was not killed")
            except Killed:
                pass
        with made.context(EVENT.provider) as context:
            context.ledger.leases.close_superseded(EVENT.key, context.clock.now())
            made.troubles += [f"{one.job.request} stays open" for one in context.ledger.leases.open_jobs(EVENT.key)]
        outcome = made.pulled(EVENT, days, way=replay)
        return made.row("a replay that breaks off", outcome, report=EVENT, days=days, extra=made.submits() - before)
