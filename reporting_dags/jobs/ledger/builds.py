"""Builds of derived partitions: what each depends on besides its sources, and which builds failed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database


@dataclass(frozen=True, slots=True)
class Build:
    """A build of a partition.

    Attributes:
        history: the latest id of the entity history that was used.
        unknown: entities of the day whose currency was never known.
        number: number of the build, as `begin_build` returned it.
        broken_off: whether a later build began and was not recorded.
    """

    history: int
    unknown: Collection[str]
    number: int = 0
    broken_off: bool = False


@dataclass(frozen=True, slots=True)
class BuildFailure:
    """A build that failed.

    Attributes:
        sources: a hash of the sources at that time.
        cause: what happened, in one line, without the fix, which can change from day to day.
        failed_at: when it failed.
    """

    sources: str
    cause: str
    failed_at: datetime


class Builds:
    """The builds of derived partitions, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def builds(self, report: str) -> dict[date, Build]:
        """Return what each built day of `report` depends on; earlier releases recorded nothing."""
        table = tables.builds
        query = sa.select(table).where(table.c.report == report)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {
            row.day: Build(row.history, frozenset(row.unknown), row.noted or 0, broken_off=row.begun != row.noted)
            for row in rows
        }

    def begin_build(self, report: str, day: date) -> int:
        """Record that a build of a day begins, and return its number. Only the latest build can be recorded as done."""
        table = tables.builds
        same = (table.c.report == report) & (table.c.day == day)

        def work(connection: sa.Connection) -> int:
            number = last_begun(connection, report, day) + 1
            if connection.execute(table.update().where(same).values(begun=number)).rowcount == 0:
                first = {"history": 0, "unknown": [], "begun": number}
                connection.execute(table.insert().values(report=report, day=day, **first))
            return number

        return self._database.write(work, report)

    def landed_sources(self, reports: Sequence[str], days: Collection[date]) -> dict[date, list[tuple[str, ...]]]:
        """Return report, data version and landing time of everything that landed of `reports` on `days`, in order."""
        table = tables.days
        own = table.c.report.in_(reports) & table.c.day.between(min(days), max(days))
        query = sa.select(table.c.day, table.c.report, table.c.fingerprint, table.c.landed_at).where(own)
        results: dict[date, list[tuple[str, ...]]] = {day: [] for day in days}
        rows = self._database.read(lambda connection: connection.execute(query).tuples().all())
        for day, source, version, landed_at in rows:
            if day in results:
                results[day].append((source, version, landed_at.isoformat()))
        return {day: sorted(sources) for day, sources in results.items()}

    def build_failed(self, report: str, day: date, failure: BuildFailure) -> Sequence[BuildFailure]:
        """Record that a day could not be built.

        Returns:
            The earlier failures with the same sources, oldest first; those with other sources are deleted.
        """
        table = tables.build_failures
        own = (table.c.report == report) & (table.c.day == day)
        facts = {"sources": failure.sources, "cause": failure.cause, "failed_at": failure.failed_at}

        def work(connection: sa.Connection) -> Sequence[BuildFailure]:
            connection.execute(table.delete().where(own, table.c.sources != failure.sources))
            query = sa.select(table.c.sources, table.c.cause, table.c.failed_at).where(own).order_by(table.c.id)
            before = [BuildFailure(*row) for row in connection.execute(query).tuples()]
            connection.execute(table.insert().values(report=report, day=day, **facts))
            return before

        return self._database.write(work, report)

    def build_failures(self, report: str) -> dict[date, list[BuildFailure]]:
        """Return the failures of each day of `report` that has not been built since, oldest first."""
        table = tables.build_failures
        columns = (table.c.day, table.c.sources, table.c.cause, table.c.failed_at)
        query = sa.select(*columns).where(table.c.report == report).order_by(table.c.id)
        results: dict[date, list[BuildFailure]] = {}
        rows = self._database.read(lambda connection: connection.execute(query).tuples().all())
        for day, sources, cause, failed_at in rows:
            results.setdefault(day, []).append(BuildFailure(sources, cause, failed_at))
        return results


def last_begun(connection: sa.Connection, report: str, day: date) -> int:
    """Return the number of the latest build of a day that began, within a transaction; 0 if there is none."""
    table = tables.builds
    return connection.scalar(sa.select(table.c.begun).where(table.c.report == report, table.c.day == day)) or 0


def note_build(connection: sa.Connection, report: str, day: date, build: Build) -> None:
    """Record what a built day depends on, within a transaction, and delete its failures."""
    table = tables.builds
    numbers = {"begun": build.number, "noted": build.number}
    values = {"history": build.history, "unknown": sorted(build.unknown), **numbers}
    same = (table.c.report == report) & (table.c.day == day)
    if connection.execute(table.update().where(same).values(values)).rowcount == 0:
        connection.execute(table.insert().values(report=report, day=day, **values))
    failures = tables.build_failures
    connection.execute(failures.delete().where(failures.c.report == report, failures.c.day == day))
