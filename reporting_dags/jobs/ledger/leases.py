"""Leases: which run holds which days. No two live runs hold the same day of a report."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.job_rows import (
    SUPERSEDED,
    close_unused,
    correlation_id_of,
    days_of,
    job_of,
    open_rows,
    reopen,
    replayable_rows,
    text_of,
    truncated_requests,
    window_of,
)
from reporting_dags.jobs.planning.resume import (
    IsUsable,
    OpenJob,
    ResumedGroup,
    always_usable,
    group_by_window,
    is_superseded,
    resolve,
)
from reporting_dags.jobs.planning.windows import effective_window_days, plan_windows, split_known_too_large
from reporting_dags.jobs.records import Job, JobGroup, JobState, Lease, LeaseHeld, LeaseRequest
from reporting_dags.model.days import Window
from reporting_dags.model.errors import Expired, LeaseLost
from reporting_dags.providers.api import Request

_REQUESTED_AGAIN = (JobState.INTENDED, JobState.SUBMITTED)


class Leases:
    """The leases of runs on days, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.liveness = database.liveness

    def acquire(
        self,
        who: LeaseRequest,
        days: Collection[date],
        *,
        max_days: int,
        shards: Sequence[str],
        split: Callable[[Request], tuple[Request, ...]],
        now: datetime,
        can_find_lost_jobs: bool = False,
        is_usable: IsUsable = always_usable,
    ) -> Lease | LeaseHeld:
        """Hold `days` for a run: continue open jobs that serve them, and plan the fewest windows for the rest.

        Returns:
            The jobs to finish, in groups with the days to land from each; or `LeaseHeld` when a live run holds one of
            the days, and then nothing is held.
        """

        def work(connection: sa.Connection) -> Lease | LeaseHeld:
            busy = self._busy(connection, who, days)
            if busy is not None:
                return busy
            kept = replayable_rows(connection, who.report, account=who.account, fingerprint=who.query_hash)
            open_jobs = [_open_job(row) for row in (*open_rows(connection, who.report), *kept)]
            landed = dict(connection.execute(_asked_at_by_day(who.report)).tuples().all())
            cut = truncated_requests(connection, who.report, account=who.account, fingerprint=who.query_hash)

            def requests(window: Window) -> list[Request]:
                return [small for part in shards for small in split_known_too_large(Request(window, part), cut, split)]

            def parts_of(window: Window) -> list[str]:
                return [request.shard for request in requests(window) if request.window == window]

            verdict = resolve(
                open_jobs,
                days,
                who=who,
                shards=parts_of,
                landed=landed,
                now=now,
                can_find_lost_jobs=can_find_lost_jobs,
                is_usable=is_usable,
            )
            for job, reason in verdict.close:
                close_unused(connection, job, reason, now)
            for job in verdict.superseded:
                close_unused(connection, job, SUPERSEDED, now)
            groups = [_resumed(connection, who, item, parts_of(item.window), now) for item in verdict.resume]
            for window in plan_windows(verdict.submit, effective_window_days(max_days, cut)):
                groups += _planned(connection, who, requests(window), verdict.submit, now)
            return _claim(groups)

        return self._database.write(work, who.report)

    def open_jobs(self, report: str) -> list[OpenJob]:
        """Return the open jobs of a report, oldest window first."""
        rows = self._database.read(lambda connection: open_rows(connection, report))
        return [replace(_open_job(row), run=self._live_run(row)) for row in rows]

    def by_id(self, report: str, ids: Collection[str]) -> dict[str, OpenJob]:
        """Return the jobs with these ids that the ledger still has; closed ones as `DOWNLOADED`."""
        table = tables.jobs
        query = sa.select(table).where(table.c.report == report, table.c.id.in_(ids))
        rows = self._database.read(lambda connection: connection.execute(query).all()) if ids else []
        return {row.id: _open_job(row) for row in rows}

    def close_superseded(self, report: str, now: datetime) -> list[Window]:
        """Close open jobs whose days have all landed from newer responses; return their windows.

        Such jobs remain when a run is killed, and after a killed replay.
        """

        def work(connection: sa.Connection) -> list[Window]:
            landed = dict(connection.execute(_asked_at_by_day(report)).tuples().all())
            free = [row for row in open_rows(connection, report) if self._live_run(row) is None]
            closed: list[Window] = []
            for group in group_by_window([_open_job(row) for row in free]):
                if is_superseded(group, landed):
                    closed.append(group[0].job.request.window)
                    for open_job in group:
                        close_unused(connection, open_job.job, SUPERSEDED, now)
            return closed

        return self._database.write(work, report)

    def _live_run(self, row: sa.Row[Any]) -> str | None:
        held = row.owner is not None and self.liveness.is_alive(row.owner)
        return (row.run or "unknown") if held else None

    def reopen(
        self, who: LeaseRequest, ids: Sequence[str], days: Collection[date], *, parts: Collection[str]
    ) -> Lease | LeaseHeld:
        """Hold `days` for a run that lands them again from the jobs of `ids`, from which they landed.

        Returns:
            As `acquire`; a lease without jobs if the ledger no longer has one of `ids`, or one of them was submitted
            again.

        Raises:
            LeaseLost: one of the days has landed from other jobs since.
            Expired: the jobs do not cover everything that is requested now.
        """

        def work(connection: sa.Connection) -> Lease | LeaseHeld:
            busy = self._busy(connection, who, days)
            if busy is not None:
                return busy
            table = tables.jobs
            if _landed_from(connection, who.report, days) != {" ".join(ids)}:
                raise LeaseLost(f"{who.report}: another answer has landed just now", advice="It stands.")
            rows = connection.execute(sa.select(table).where(table.c.id.in_(ids))).all()
            if len(rows) < len(set(ids)) or any(row.state in _REQUESTED_AGAIN for row in rows):
                return Lease(())
            requested = {row.part for row in rows}
            if any(row.fingerprint != who.query_hash for row in rows) or (
                set(parts) != {""} and not requested >= set(parts)
            ):
                raise Expired(
                    "the day landed from the response to another question than is declared now",
                    advice="Materialize it without replay, which calls the provider.",
                )
            # The days are not left to whoever comes after a crash: they have landed, and stand.
            held: list[Job] = []
            for row in rows:
                job = replace(job_of(row), state=JobState.DOWNLOADED)
                # A closed job keeps the days that it failed.
                reopen(connection, job, **({"days_left": ""} if row.state == JobState.CLOSED else {}))
                held.append(_take(connection, job, who))
            return _claim([JobGroup(held[0].request.window, tuple(held), frozenset(days))])

        return self._database.write(work, who.report)

    def _busy(self, connection: sa.Connection, who: LeaseRequest, days: Collection[date]) -> LeaseHeld | None:
        for row in open_rows(connection, who.report):
            touching = any(day in window_of(row) for day in days)
            if touching and row.owner not in {None, who.owner} and self.liveness.is_alive(row.owner):
                return LeaseHeld(window_of(row), row.run or "unknown")
        return None


def _open_job(row: sa.Row[Any]) -> OpenJob:
    job, closed = job_of(row), row.state == JobState.CLOSED
    return OpenJob(
        job=replace(job, state=JobState.DOWNLOADED) if closed else job,
        account=row.account,
        query_hash=row.fingerprint,
        remaining_days=frozenset(days_of(row.days_left)),
        refused_parser_hash=row.refused_form,
        closed=closed,
    )


def _claim(groups: Collection[JobGroup]) -> Lease:
    """Return the lease, with groups ordered by window and the jobs of each by shard."""
    ordered = [
        replace(group, jobs=tuple(sorted(group.jobs, key=lambda job: job.request.shard)))
        for group in sorted(groups, key=lambda group: group.window)
    ]
    return Lease(tuple(ordered))


def _resumed(
    connection: sa.Connection, who: LeaseRequest, resumed: ResumedGroup, parts: Collection[str], now: datetime
) -> JobGroup:
    """Take open jobs, and write intents for the shards that none of them requests."""
    jobs: list[Job] = []
    for item in resumed.jobs:
        if item.closed:
            reopen(connection, item.job)
        jobs.append(_take(connection, item.job, who))
    lacking = sorted(set(parts) - {job.request.shard for job in jobs})
    requests = [Request(resumed.window, part) for part in lacking]
    jobs += [_intend(connection, who, request, resumed.days, now) for request in requests]
    return JobGroup(resumed.window, tuple(jobs), resumed.days)


def _planned(
    connection: sa.Connection, who: LeaseRequest, requests: Sequence[Request], days: Collection[date], now: datetime
) -> list[JobGroup]:
    """Write intents for `requests`: one group for each of their windows that has one of `days`."""
    windows: dict[Window, list[Request]] = {}
    for request in requests:
        windows.setdefault(request.window, []).append(request)
    groups: list[JobGroup] = []
    for window, of_window in windows.items():
        landing = frozenset(day for day in days if day in window)
        if landing:
            jobs = tuple(_intend(connection, who, request, landing, now) for request in of_window)
            groups.append(JobGroup(window, jobs, landing))
    return groups


def _asked_at_by_day(report: str) -> sa.Select[tuple[date, datetime]]:
    table = tables.days
    return sa.select(table.c.day, table.c.asked_at).where(table.c.report == report)


def _landed_from(connection: sa.Connection, report: str, days: Collection[date]) -> set[str]:
    table = tables.days
    own = (table.c.report == report) & table.c.day.in_(days)
    return set(connection.scalars(sa.select(table.c.jobs).where(own)))


def _take(connection: sa.Connection, job: Job, who: LeaseRequest) -> Job:
    table = tables.jobs
    values = {"owner": who.owner, "run": who.run, "fence": job.fencing_token + 1}
    connection.execute(table.update().where(table.c.id == job.id).values(values))
    return replace(job, fencing_token=job.fencing_token + 1)


def _intend(
    connection: sa.Connection, who: LeaseRequest, request: Request, days: Collection[date], now: datetime
) -> Job:
    id_ = uuid4().hex
    marked = replace(request, correlation_id=correlation_id_of(id_, 0))
    job = Job(
        id=id_,
        report=who.report,
        account=who.account,
        request=marked,
        state=JobState.INTENDED,
        fencing_token=1,
        intended_at=now,
    )
    values = {
        "id": job.id,
        "report": who.report,
        "account": who.account,
        "fingerprint": who.query_hash,
        "first_day": request.window.first,
        "last_day": request.window.last,
        "part": request.shard,
        "days_left": text_of(days),
        "state": job.state,
        "owner": who.owner,
        "run": who.run,
        "fence": job.fencing_token,
        "resends": 0,
        "intended_at": now,
        "ahead_seconds": 0.0,
    }
    connection.execute(tables.jobs.insert().values(values))
    return job
