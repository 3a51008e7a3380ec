"""Who holds which days: a run claims them with the jobs that bring them home, and no other live run has them then."""

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
    cut_requests,
    days_of,
    job_of,
    kept_rows,
    mark_of,
    open_rows,
    reopen,
    text_of,
    window_of,
)
from reporting_dags.jobs.planning.resume import Leftover, Resumed, Serves, always, by_window, is_superseded, judge
from reporting_dags.jobs.planning.windows import longest_answered, narrowed, plan
from reporting_dags.jobs.records import Busy, Claim, Claimant, Job, JobGroup, JobState
from reporting_dags.model.days import Window
from reporting_dags.model.errors import Expired, LostClaim
from reporting_dags.providers.api import Request

_ASKED_ANEW = (JobState.INTENDED, JobState.SUBMITTED)


class Claims:
    """The claims of runs, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.owners = database.owners

    def claim(
        self,
        who: Claimant,
        days: Collection[date],
        *,
        longest: int,
        parts: Sequence[str],
        halves: Callable[[Request], tuple[Request, ...]],
        now: datetime,
        finds: bool = False,
        serves: Serves = always,
    ) -> Claim | Busy:
        """Hold `days` for a run: jobs left behind that serve some of them, and intents for the fewest windows besides.

        Returns:
            The jobs to finish, in groups with the days to land from each, or `Busy` when a live run holds one of the
            days; then nothing is held.
        """

        def work(connection: sa.Connection) -> Claim | Busy:
            busy = self._busy(connection, who, days)
            if busy is not None:
                return busy
            kept = kept_rows(connection, who.report, account=who.account, fingerprint=who.fingerprint)
            leftovers = [_leftover(row) for row in (*open_rows(connection, who.report), *kept)]
            landed = dict(connection.execute(_asked_at_by_day(who.report)).tuples().all())
            cut = cut_requests(connection, who.report, account=who.account, fingerprint=who.fingerprint)

            def requests(window: Window) -> list[Request]:
                return [small for part in parts for small in narrowed(Request(window, part), cut, halves)]

            def parts_of(window: Window) -> list[str]:
                return [request.part for request in requests(window) if request.window == window]

            verdict = judge(
                leftovers, days, who=who, parts=parts_of, landed=landed, now=now, finds=finds, serves=serves
            )
            for job, reason in verdict.close:
                close_unused(connection, job, reason, now)
            for job in verdict.superseded:
                close_unused(connection, job, SUPERSEDED, now)
            groups = [_resumed(connection, who, one, parts_of(one.window), now) for one in verdict.resume]
            for window in plan(verdict.ask, longest_answered(longest, cut)):
                groups += _planned(connection, who, requests(window), verdict.ask, now)
            return _claim(groups)

        return self._database.write(work, who.report)

    def leftovers(self, report: str) -> list[Leftover]:
        """The open jobs of a report, oldest window first."""
        rows = self._database.read(lambda connection: open_rows(connection, report))
        return [replace(_leftover(row), run=self._live_run(row)) for row in rows]

    def jobs(self, report: str, ids: Collection[str]) -> dict[str, Leftover]:
        """The jobs of a report that have these ids, as far as the ledger knows them; closed ones as `DOWNLOADED`."""
        table = tables.jobs
        query = sa.select(table).where(table.c.report == report, table.c.id.in_(ids))
        rows = self._database.read(lambda connection: connection.execute(query).all()) if ids else []
        return {row.id: _leftover(row) for row in rows}

    def close_superseded(self, report: str, now: datetime) -> list[Window]:
        """Close the open jobs of which no day is left to land, unless a live run holds them; returns their windows.

        Such jobs are left by a kill: of a run whose days have landed from a newer answer since, or of a replay.
        """

        def work(connection: sa.Connection) -> list[Window]:
            landed = dict(connection.execute(_asked_at_by_day(report)).tuples().all())
            free = [row for row in open_rows(connection, report) if self._live_run(row) is None]
            closed: list[Window] = []
            for group in by_window([_leftover(row) for row in free]):
                if is_superseded(group, landed):
                    closed.append(group[0].job.request.window)
                    for leftover in group:
                        close_unused(connection, leftover.job, SUPERSEDED, now)
            return closed

        return self._database.write(work, report)

    def _live_run(self, row: sa.Row[Any]) -> str | None:
        held = row.owner is not None and self.owners.alive(row.owner)
        return (row.run or "unknown") if held else None

    def reopen(
        self, who: Claimant, ids: Sequence[str], days: Collection[date], *, parts: Collection[str]
    ) -> Claim | Busy:
        """Hold `days` for a run that lands them anew from the jobs of `ids`, which they landed from.

        Returns:
            As `claim`; no job where the ledger knows one of `ids` no longer, or the provider is asked for one anew.

        Raises:
            LostClaim: one of the days has landed from other jobs since.
            Expired: they do not answer all that is requested now.
        """

        def work(connection: sa.Connection) -> Claim | Busy:
            busy = self._busy(connection, who, days)
            if busy is not None:
                return busy
            table = tables.jobs
            if _landed_from(connection, who.report, days) != {" ".join(ids)}:
                raise LostClaim(f"{who.report}: another answer has landed just now", advice="It stands.")
            rows = connection.execute(sa.select(table).where(table.c.id.in_(ids))).all()
            if len(rows) < len(set(ids)) or any(row.state in _ASKED_ANEW for row in rows):
                return Claim(())
            asked = {row.part for row in rows}
            if any(row.fingerprint != who.fingerprint for row in rows) or (
                set(parts) != {""} and not asked >= set(parts)
            ):
                raise Expired(
                    "the day landed from the answer to another question than is declared now",
                    advice="Materialize it without replay, which asks the provider.",
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

    def _busy(self, connection: sa.Connection, who: Claimant, days: Collection[date]) -> Busy | None:
        for row in open_rows(connection, who.report):
            touching = any(day in window_of(row) for day in days)
            if touching and row.owner not in {None, who.owner} and self.owners.alive(row.owner):
                return Busy(window_of(row), row.run or "unknown")
        return None


def _leftover(row: sa.Row[Any]) -> Leftover:
    job, closed = job_of(row), row.state == JobState.CLOSED
    return Leftover(
        job=replace(job, state=JobState.DOWNLOADED) if closed else job,
        account=row.account,
        fingerprint=row.fingerprint,
        days_left=frozenset(days_of(row.days_left)),
        refused_form=row.refused_form,
        closed=closed,
    )


def _claim(groups: Collection[JobGroup]) -> Claim:
    """The claim with groups in the order of their windows, and the jobs of each in the order of their parts."""
    ordered = [
        replace(group, jobs=tuple(sorted(group.jobs, key=lambda job: job.request.part)))
        for group in sorted(groups, key=lambda group: group.window)
    ]
    return Claim(tuple(ordered))


def _resumed(
    connection: sa.Connection, who: Claimant, resumed: Resumed, parts: Collection[str], now: datetime
) -> JobGroup:
    """Take over open jobs, with intents for the parts that none of them asks for."""
    jobs: list[Job] = []
    for one in resumed.jobs:
        if one.closed:
            reopen(connection, one.job)
        jobs.append(_take(connection, one.job, who))
    lacking = sorted(set(parts) - {job.request.part for job in jobs})
    requests = [Request(resumed.window, part) for part in lacking]
    jobs += [_intend(connection, who, request, resumed.days, now) for request in requests]
    return JobGroup(resumed.window, tuple(jobs), resumed.days)


def _planned(
    connection: sa.Connection, who: Claimant, requests: Sequence[Request], days: Collection[date], now: datetime
) -> list[JobGroup]:
    """Intents for `requests`, a group for each of their windows that has one of `days`."""
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
    mine = (table.c.report == report) & table.c.day.in_(days)
    return set(connection.scalars(sa.select(table.c.jobs).where(mine)))


def _take(connection: sa.Connection, job: Job, who: Claimant) -> Job:
    table = tables.jobs
    values = {"owner": who.owner, "run": who.run, "fence": job.fence + 1}
    connection.execute(table.update().where(table.c.id == job.id).values(values))
    return replace(job, fence=job.fence + 1)


def _intend(connection: sa.Connection, who: Claimant, request: Request, days: Collection[date], now: datetime) -> Job:
    id_ = uuid4().hex
    marked = replace(request, mark=mark_of(id_, 0))
    job = Job(
        id=id_,
        report=who.report,
        account=who.account,
        request=marked,
        state=JobState.INTENDED,
        fence=1,
        intended_at=now,
    )
    values = {
        "id": job.id,
        "report": who.report,
        "account": who.account,
        "fingerprint": who.fingerprint,
        "first_day": request.window.first,
        "last_day": request.window.last,
        "part": request.part,
        "days_left": text_of(days),
        "state": job.state,
        "owner": who.owner,
        "run": who.run,
        "fence": job.fence,
        "resends": 0,
        "intended_at": now,
        "ahead_seconds": 0.0,
    }
    connection.execute(tables.jobs.insert().values(values))
    return job
