"""What entity lists have said over time: when each entity was seen first and last, and its currency at each time.

A list is replaced by its latest snapshot; what it said before stays here. An entity that was deleted keeps its last
known currency, and one that was edited keeps the earlier one for earlier days.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.landing.reading.entities import Entities, entities_of
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.days import ONE_DAY, SNAPSHOT, Calendar
from reporting_dags.model.report import Report

if TYPE_CHECKING:
    from reporting_dags.jobs.ledger.ledger import Ledger

_CHUNK = 500
"""Ids in one statement: databases bound the number of its parameters."""


@dataclass(frozen=True, slots=True)
class EntityPeriod:
    """A time in which a list gave an entity one currency, or none, from the first snapshot to the last that did so.

    Attributes:
        id: larger for what was written later.
        entity: id of the app, site or offer.
        currency: as the list has it; None if it gave none, and none was known before.
        first_seen: when the first of these snapshots was requested.
        last_seen: when the last was.
    """

    id: int
    entity: str
    currency: str | None
    first_seen: datetime
    last_seen: datetime


class KnownCurrencies:
    """The currency of each entity by time, as one state of the history has it."""

    def __init__(self, periods: Iterable[EntityPeriod] = ()) -> None:
        self.newest = 0
        self._by_entity: dict[str, list[EntityPeriod]] = {}
        for period in sorted(periods, key=_order):
            self.newest = max(self.newest, period.id)
            if period.currency is not None:
                self._by_entity.setdefault(period.entity, []).append(period)

    def on(self, day: date, calendar: Calendar) -> dict[str, str]:
        """Entity → currency on `day`: the latest that was seen by its end, else the earliest that was ever seen."""
        end = calendar.begins_at(day + ONE_DAY)
        results: dict[str, str] = {}
        for entity, periods in self._by_entity.items():
            seen = [period for period in periods if period.first_seen < end]
            results[entity] = (seen[-1] if seen else periods[0]).currency or ""
        return results


@dataclass(frozen=True, slots=True)
class Listed:
    """The latest snapshot of a list beside the one before that had any entity.

    Attributes:
        entities: how many the latest has.
        before: how many the one before had.
        gone: those of the one before that the latest lacks, in order.
    """

    entities: int
    before: int
    gone: Sequence[str]


class EntityHistory:
    """The history of entity lists, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def periods(self, report: str, *, after: int = 0) -> list[EntityPeriod]:
        """What the list `report` has said, of what was written after the id `after`."""
        return self._database.read(lambda connection: _periods(connection, report, after))

    def take_in(self, report: str, entities: Entities, at: datetime) -> None:
        """Add what a snapshot that was requested at `at` says; the same snapshot again changes nothing."""
        self._database.write(lambda connection: take_in(connection, report, entities, at), report)

    def listed(self, report: str, asked_at: datetime) -> Listed:
        """The latest snapshot of the list, which was requested at `asked_at`, beside the one before."""
        table = tables.landings
        earlier = (table.c.report == report) & (table.c.asked_at < asked_at) & (table.c.rows > 0)
        query = sa.select(table.c.asked_at).where(earlier).order_by(table.c.asked_at.desc()).limit(1)
        before = self._database.read(lambda connection: connection.execute(query).scalar())
        return compared(self.periods(report), asked_at, before)


def compared(periods: Iterable[EntityPeriod], asked_at: datetime, before: datetime | None) -> Listed:
    """The snapshot of `asked_at`, the latest, beside that of `before`; of a list whose history is `periods`."""
    first: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    for period in periods:
        first[period.entity] = min(period.first_seen, first.get(period.entity, period.first_seen))
        last[period.entity] = max(period.last_seen, last.get(period.entity, period.last_seen))
    now = [entity for entity, seen in last.items() if seen >= asked_at]
    if before is None:
        return Listed(len(now), 0, ())
    gone = sorted(entity for entity, seen in last.items() if seen == before)
    return Listed(len(now), len(gone) + sum(first[entity] <= before for entity in now), gone)


def catch_up(report: Report, ledger: "Ledger", data: Store) -> list[EntityPeriod]:
    """Take in the list that is at the data root, if its history does not have it: an earlier release kept none.

    Returns:
        The history with it. A file that cannot be read adds nothing: the next snapshot replaces it.

    Raises:
        StorageError: the ledger or the store refuses.
    """
    periods = ledger.entities.periods(report.key)
    facts = ledger.materializations.days(report.key).get(SNAPSHOT)
    last = max((period.last_seen for period in periods), default=None)
    if facts is None or (last is not None and last >= facts.requested_at) or not data.exists(report.file(SNAPSHOT)):
        return periods
    try:
        with data.open(report.file(SNAPSHOT)) as file:
            entities = entities_of(file)
    except (OSError, pa.ArrowException):
        return periods
    if not entities:
        return periods
    ledger.entities.take_in(report.key, entities, facts.requested_at)
    return ledger.entities.periods(report.key)


def take_in(connection: sa.Connection, report: str, entities: Entities, at: datetime) -> None:
    """Add what a snapshot says, within a transaction.

    A snapshot older than one that was taken in adds the entities that no other has named, and changes nothing else. An
    entity without a currency says nothing against the one that was known.
    """
    table = tables.entity_history
    periods = sorted(_periods(connection, report, 0), key=_order)
    newest = {period.entity: period for period in periods}
    older = any(period.last_seen > at for period in periods)
    seen: list[int] = []
    added: list[dict[str, object]] = []
    for entity, currency in entities.items():
        known = newest.get(entity)
        if known is not None and (older or currency in (None, known.currency)):
            seen.append(known.id)
        else:
            row = {"report": report, "entity": entity, "currency": currency}
            added.append({**row, "first_seen": at, "last_seen": at})
    for start in range(0, 0 if older else len(seen), _CHUNK):
        same = table.c.id.in_(seen[start : start + _CHUNK])
        connection.execute(table.update().where(same).values(last_seen=at))
    if added:
        connection.execute(table.insert(), added)


def _periods(connection: sa.Connection, report: str, after: int) -> list[EntityPeriod]:
    table = tables.entity_history
    columns = (table.c.id, table.c.entity, table.c.currency, table.c.first_seen, table.c.last_seen)
    query = sa.select(*columns).where(table.c.report == report, table.c.id > after).order_by(table.c.id)
    return [EntityPeriod(*row) for row in connection.execute(query).tuples()]


def _order(period: EntityPeriod) -> tuple[datetime, int]:
    return period.first_seen, period.id
