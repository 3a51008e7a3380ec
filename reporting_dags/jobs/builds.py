"""Days that are built from others: what each depends on besides the versions of its sources."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from reporting_dags.jobs import tables
from reporting_dags.jobs.database import Database


@dataclass(frozen=True, slots=True)
class Build:
    """What a built day took from the history of an entity list.

    Attributes:
        history: the newest id of that history.
        unknown: the day's entities whose currency nothing had told.
    """

    history: int
    unknown: Collection[str]


class Builds:
    """Built days, in one database."""

    _database: Database

    def builds(self, report: str) -> dict[date, Build]:
        """What each built day of `report` depends on; an earlier release noted nothing."""
        table = tables.builds
        query = sa.select(table.c.day, table.c.history, table.c.unknown).where(table.c.report == report)
        rows = self._database.run(lambda connection: connection.execute(query).tuples().all())
        return {day: Build(history, frozenset(unknown)) for day, history, unknown in rows}


def note_build(connection: sa.Connection, report: str, day: date, build: Build) -> None:
    """Note what a built day depends on, within a transaction."""
    table = tables.builds
    values = {"history": build.history, "unknown": sorted(build.unknown)}
    same = (table.c.report == report) & (table.c.day == day)
    if connection.execute(table.update().where(same).values(values)).rowcount == 0:
        connection.execute(table.insert().values(report=report, day=day, **values))
