"""Materializations: the landed partitions of each report, and their history."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.builds import Build, last_begun, note_build
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.entity_history import take_in
from reporting_dags.jobs.ledger.job_rows import close, end_days, take_lease
from reporting_dags.jobs.records import Job, MaterializationRecord
from reporting_dags.landing.reading.diff import RowDiff
from reporting_dags.landing.writing.land import Put
from reporting_dags.model.errors import ReplacementRefused
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.scope import Scope


class _Outdated(Exception):
    """The sources have changed since the partition was built."""


class Materializations:
    """The landed partitions, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def days(self, report: str) -> dict[date, MaterializationRecord]:
        """Return every landed day of a report."""
        return self._database.read(lambda connection: materialized_days(connection, report))

    def history(self, report: str, days: Collection[date] | None = None) -> list[MaterializationRecord]:
        """Return every materialization under a current code version, of a report or of `days`, oldest first."""
        table = tables.landings
        query = sa.select(table).where(table.c.report == report).order_by(table.c.landed_at, table.c.id)
        if days is not None:
            query = query.where(table.c.day.in_(days))
        rows = self._database.read(lambda connection: connection.execute(query).all())
        versions = {facts.code_version for facts in self.days(report).values()}
        return [
            MaterializationRecord(
                day=row.day,
                code_version=row.version,
                data_version=row.fingerprint,
                outcome=Outcome.DATA if row.rows else Outcome.EMPTY,
                rows=row.rows,
                money=row.money,
                requested_at=row.asked_at,
                landed_at=row.landed_at,
            )
            for row in rows
            if row.version in versions
        ]

    def record_landed(
        self, jobs: Sequence[Job], facts: MaterializationRecord, *, recorded: Collection[date], publish: Put
    ) -> None:
        """Publish a partition and record it, as long as this run holds all of `jobs`.

        No lock is held during the upload. The lease is checked after the state of the stored file was read and before
        the file is replaced: if a suspended run lost its jobs meanwhile, either this check fails or the stored file has
        changed. The lease is checked again when the partition is recorded.

        Args:
            jobs: the jobs from which the partition lands.
            facts: the record of the partition.
            recorded: earlier days of the jobs that are in Dagster's event log by now.
            publish: puts the file in place.

        Raises:
            LeaseLost: another run holds one of the jobs.
            ReplacementRefused: the stored partition is from a newer response; it stays.
        """
        report = jobs[0].report

        def permitted(connection: sa.Connection) -> None:
            for job in jobs:
                take_lease(connection, job)
            _refuse_older(connection, report, facts)

        def note(connection: sa.Connection) -> None:
            for job in jobs:
                end_days(connection, job, recorded)
            _refuse_older(connection, report, facts)
            self.record(connection, report, facts)

        publish(lambda: self._database.read(permitted))
        self._database.write(note, report)

    def close_if_unchanged(
        self, jobs: Sequence[Job], tags: Mapping[str, str], *, version: str, size: int | None, now: datetime
    ) -> bool:
        """Close jobs whose responses are the ones that a day landed from, and record that the day was confirmed.

        Args:
            jobs: the jobs of all shards of one day.
            tags: the provider's tags of their responses, by shard.
            version: the current code version; a day of another one has to land again.
            size: bytes of the stored file; None if it is gone.
            now: the present moment.

        Returns:
            Whether the responses are the same, and the jobs are closed.

        Raises:
            LeaseLost: a run has taken one of the jobs.
        """
        report, day = jobs[0].report, jobs[0].request.window.first

        def work(connection: sa.Connection) -> bool:
            facts = materialized_days(connection, report).get(day)
            if facts is None or (facts.code_version, facts.size) != (version, size):
                return False
            table = tables.jobs
            ids = [job.id for job in jobs]
            requested = [table.c.part, table.c.tag, table.c.account, table.c.fingerprint]
            before = connection.execute(sa.select(*requested).where(table.c.id.in_(facts.jobs))).tuples().all()
            after = connection.execute(sa.select(*requested).where(table.c.id.in_(ids))).tuples().all()
            if {(part, tags.get(part), *rest) for part, _, *rest in after} != set(before):
                return False
            for job in jobs:
                take_lease(connection, job)
                close(connection, job, facts.outcome, "the same response as had landed", now)
            asked_at = min(job.requested_at for job in jobs)
            self.record(connection, report, replace(facts, requested_at=asked_at, confirmed_at=now, row_diff=RowDiff()))
            return True

        return self._database.write(work, report)

    def fill_scope(self, report: str, version: str, scope: Scope) -> None:
        """Record `scope` for days of an earlier release that landed under the current declaration."""
        table = tables.days

        def work(connection: sa.Connection) -> None:
            same = (table.c.report == report) & (table.c.version == version) & table.c.scope.is_(None)
            connection.execute(table.update().where(same).values(scope=note_scope(connection, scope)))

        self._database.write(work, report)

    def versions(self, reports: Sequence[str], *, since: date, until: date = date.max) -> dict[date, dict[str, str]]:
        """Return the data version of each landed day of `reports`: day → report → version."""
        return self._database.read(lambda connection: _versions(connection, reports, since, until))

    def record_build(
        self,
        report: str,
        facts: MaterializationRecord,
        *,
        sources: Mapping[str, str],
        publish: Put,
        build: Build | None = None,
    ) -> bool:
        """Publish a partition that was built from others, and record it.

        Args:
            report: key of the derived report.
            facts: the record of the partition.
            sources: report → data version that was read.
            publish: puts the file in place.
            build: what the partition depends on besides its sources.

        Returns:
            Whether it was recorded: not if a source has landed since it was read, or another run builds the same
            partition. Then the partition is still due, whatever file is in place.
        """

        def permitted(connection: sa.Connection) -> None:
            now = _versions(connection, list(sources), facts.day, facts.day)
            superseded = build is not None and last_begun(connection, report, facts.day) != build.number
            if superseded or now.get(facts.day, {}) != dict(sources):
                raise _Outdated

        def note(connection: sa.Connection) -> None:
            permitted(connection)
            self.record(connection, report, facts)
            if build is not None:
                note_build(connection, report, facts.day, build)

        try:
            publish(lambda: self._database.read(permitted))
            self._database.write(note, report)
        except _Outdated:
            return False
        return True

    def record(self, connection: sa.Connection, report: str, facts: MaterializationRecord) -> None:
        """Record a day whose file is published, within a transaction."""
        table = tables.days
        values = {
            "jobs": " ".join(facts.jobs),
            "version": facts.code_version,
            "outcome": facts.outcome.value,
            "rows": facts.rows,
            "bytes": facts.size,
            "sha256": facts.sha256,
            "fingerprint": facts.data_version,
            "raw_sha256": facts.raw_sha256,
            "money": facts.money,
            "totals": facts.totals,
            "asked_at": facts.requested_at,
            "landed_at": facts.landed_at,
            "confirmed_at": facts.confirmed_at,
            "account": facts.account or None,
            "scope": note_scope(connection, facts.scope),
        }
        same = (table.c.report == report) & (table.c.day == facts.day)
        if connection.execute(table.update().where(same).values(values)).rowcount == 0:
            connection.execute(table.insert().values(report=report, day=facts.day, **values))
        entry = {name: values[name] for name in ("version", "fingerprint", "rows", "money", "asked_at", "landed_at")}
        entry |= asdict(facts.row_diff) if facts.row_diff is not None else {}
        connection.execute(tables.landings.insert().values(report=report, day=facts.day, **entry))
        if facts.entities is not None:
            take_in(connection, report, facts.entities, facts.requested_at)


def _refuse_older(connection: sa.Connection, report: str, facts: MaterializationRecord) -> None:
    stored = materialized_days(connection, report, facts.day).get(facts.day)
    if stored is not None and stored.requested_at > facts.requested_at:
        raise ReplacementRefused(
            f"a response requested at {stored.requested_at:%Y-%m-%d %H:%M} UTC has landed, which is newer than this "
            f"one of {facts.requested_at:%Y-%m-%d %H:%M} UTC",
            advice="The newer one stays.",
        )


def _versions(
    connection: sa.Connection, reports: Sequence[str], since: date, until: date
) -> dict[date, dict[str, str]]:
    table = tables.days
    own = table.c.report.in_(reports) & table.c.day.between(since, until)
    results: dict[date, dict[str, str]] = {}
    for day, report, version in connection.execute(
        sa.select(table.c.day, table.c.report, table.c.fingerprint).where(own)
    ):
        results.setdefault(day, {})[report] = version
    return results


def materialized_days(
    connection: sa.Connection, report: str, day: date | None = None
) -> dict[date, MaterializationRecord]:
    """Return every landed day of a report, or only `day`, within a transaction."""
    table = tables.days
    query = sa.select(table).where(table.c.report == report)
    if day is not None:
        query = query.where(table.c.day == day)
    rows = connection.execute(query).all()
    scopes = _scopes(connection, {row.scope for row in rows if row.scope})
    return {
        row.day: MaterializationRecord(
            day=row.day,
            jobs=tuple(row.jobs.split()),
            code_version=row.version,
            outcome=Outcome(row.outcome),
            rows=row.rows,
            size=row.bytes,
            sha256=row.sha256,
            data_version=row.fingerprint,
            raw_sha256=row.raw_sha256,
            money=row.money,
            totals=row.totals,
            requested_at=row.asked_at,
            landed_at=row.landed_at,
            confirmed_at=row.confirmed_at,
            account=row.account or "",
            scope=scopes.get(row.scope or ""),
        )
        for row in rows
    }


def note_scope(connection: sa.Connection, scope: Scope | None) -> str | None:
    """Return the id of a scope, which is stored once for all days that have it."""
    if scope is None:
        return None
    table = tables.scopes
    if connection.scalar(sa.select(table.c.id).where(table.c.id == scope.id)) is None:
        # A landing of another report may add the same at this moment.
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(table).values(id=scope.id, scope=scope.as_json()).on_conflict_do_nothing())
    return scope.id


def _scopes(connection: sa.Connection, ids: Collection[str]) -> dict[str, Scope]:
    if not ids:
        return {}
    table = tables.scopes
    result = connection.execute(sa.select(table.c.id, table.c.scope).where(table.c.id.in_(ids))).tuples()
    return {id_: Scope.from_json(scope) for id_, scope in result}
