"""The ledger: what was asked of a provider, what came of it, and which days have landed.

An intent is written before a job is submitted and its handle after, so that a crash costs at most the one job whose
handle was not yet saved. A job is taken up by the next run that wants one of its days; each taking raises its `fence`,
and a run whose fence is old can write nothing more.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from reporting_dags.jobs import tables
from reporting_dags.jobs.database import Database
from reporting_dags.jobs.job import Busy, Claim, Claimant, Job, JobState, LandedFacts
from reporting_dags.jobs.landings import Landings
from reporting_dags.jobs.leftovers import Leftover, judge
from reporting_dags.jobs.planner import longest_answered, narrowed, plan
from reporting_dags.model.days import Window
from reporting_dags.model.errors import Denied, LostClaim
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Quota, Request


class Ledger(Landings):
    """Jobs, calls and landed days, in one database."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.owners = database.owners
        database.create(tables.metadata)

    def claim(
        self,
        who: Claimant,
        days: Collection[date],
        *,
        longest: int,
        parts: Sequence[str],
        halves: Callable[[Request], tuple[Request, ...]],
        now: datetime,
    ) -> Claim | Busy:
        """Hold `days` for a run: jobs left behind that serve some of them, and intents for the fewest windows besides.

        Returns:
            The jobs to finish and the days to land of each window, or `Busy` when a live run holds one of the days;
            then nothing is held.
        """

        def work(connection: sa.Connection) -> Claim | Busy:
            rows = self._open_rows(connection, who.report)
            for row in rows:
                touching = any(day in _window(row) for day in days)
                if touching and row.owner not in {None, who.owner} and self.owners.alive(row.owner):
                    return Busy(_window(row), row.run or "unknown")
            landed = dict(connection.execute(_asked_at_by_day(who.report)).tuples().all())
            leftovers = [_leftover(row) for row in rows]
            cut = self._cut(connection, who)

            def requests(window: Window) -> list[Request]:
                return [small for part in parts for small in narrowed(Request(window, part), cut, halves)]

            def parts_of(window: Window) -> list[str]:
                return [request.part for request in requests(window) if request.window == window]

            verdict = judge(leftovers, days, who=who, parts=parts_of, landed=landed, now=now)
            for job, reason in verdict.close:
                self._close(connection, job.id, job.fence, Outcome.EXPIRED, reason, now)
            held = [self._take(connection, one.job, who) for group in verdict.take.values() for one in group]
            assigned = dict(verdict.days)
            wanted = [Request(window, part) for window in assigned for part in parts_of(window)]
            for window in plan(verdict.ask, longest_answered(longest, cut)):
                for request in requests(window):
                    wanted.append(request)
                    assigned[request.window] = frozenset(day for day in verdict.ask if day in request.window)
            have = {job.request for job in held}
            wanted = [request for request in wanted if request not in have and assigned[request.window]]
            held += [self._intend(connection, who, request, assigned[request.window], now) for request in wanted]
            assigned = {window: mine for window, mine in assigned.items() if mine}
            return Claim(sorted(held, key=lambda job: (job.request.window, job.request.part)), assigned)

        return self._database.run(work)

    def spend(self, job: Job, quota: Quota, account: str, now: datetime) -> None:
        """Count one call for `job`; raises `Denied` with the time of reset when its quota of the UTC day is spent."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)

        def work(connection: sa.Connection) -> None:
            self._hold(connection, job)
            table = tables.calls
            spent = sa.select(sa.func.count()).where(
                table.c.api == quota.api, table.c.account == account, table.c.at >= midnight
            )
            used = connection.scalar(spent) or 0
            if quota.per_day is not None and used >= quota.per_day:
                raise Denied(
                    f"the quota of {quota.per_day} {quota.api} a day is spent",
                    advice=f"It is renewed on {midnight + timedelta(days=1):%Y-%m-%d} at 00:00 UTC; run again then.",
                )
            connection.execute(table.insert().values(api=quota.api, account=account, job=job.id, at=now))

        self._database.run(work)

    def submitted(self, job: Job, handle: Handle, now: datetime) -> Job:
        """Save the handle of a job that the provider has accepted."""
        self._update(
            job,
            state=JobState.SUBMITTED,
            submitted_at=now,
            request_id=handle.id,
            url=handle.url,
            expires_at=handle.expires_at,
        )
        return replace(job, state=JobState.SUBMITTED, submitted_at=now, handle=handle)

    def resending(self, job: Job) -> Job:
        """Write the intent to submit a job again; its old handle is forgotten."""
        self._update(job, state=JobState.INTENDED, url=None, expires_at=None, resends=job.resends + 1)
        return replace(job, state=JobState.INTENDED, resends=job.resends + 1, handle=Handle(id=job.handle.id))

    def downloaded(self, job: Job, *, raw_sha256: str, raw_bytes: int, expected_rows: int | None) -> Job:
        """Save where the raw answer is kept. The signed address is of no more use and is forgotten."""
        facts = {"raw_sha256": raw_sha256, "raw_bytes": raw_bytes, "expected_rows": expected_rows}
        self._update(job, state=JobState.DOWNLOADED, url=None, expires_at=None, **facts)
        return replace(
            job,
            state=JobState.DOWNLOADED,
            handle=Handle(id=job.handle.id),
            raw_sha256=raw_sha256,
            raw_bytes=raw_bytes,
            expected_rows=expected_rows,
        )

    def close(self, job: Job, outcome: Outcome, cause: str, now: datetime) -> None:
        """End a job: landed, or given up. The signed address is forgotten."""
        self._database.run(lambda connection: self._close(connection, job.id, job.fence, outcome, cause, now))

    def hold(self, job: Job) -> None:
        """Raise `LostClaim` unless this run still holds `job`."""
        self._database.run(lambda connection: self._hold(connection, job))

    def landed(self, jobs: Sequence[Job], facts: LandedFacts, *, recorded: Collection[date]) -> None:
        """Note a day that lies at the data root now, and that the days before it are `recorded` in Dagster too."""

        def work(connection: sa.Connection) -> None:
            for job in jobs:
                self._end_days(connection, job, recorded)
            self.keep(connection, jobs[0].report, jobs[0].id, facts)

        self._database.run(work)

    def finish(self, job: Job, ended: Collection[date], outcome: Outcome, cause: str, now: datetime) -> None:
        """Note that `ended` have ended; the job closes unless it was bought for other days too."""

        def work(connection: sa.Connection) -> None:
            if not self._end_days(connection, job, ended):
                self._close(connection, job.id, job.fence, outcome, cause, now)

        self._database.run(work)

    def open_days(self, report: str) -> set[date]:
        """Days for which an answer was bought whose landing was never finished."""
        bought = (JobState.SUBMITTED, JobState.DOWNLOADED)
        rows = self._database.run(lambda connection: self._open_rows(connection, report))
        return {day for row in rows if row.state in bought for day in _days(row.days_left)}

    def calls(self, *, job: str | None = None, report: str | None = None) -> int:
        """Calls counted so far, of one job or of one report."""
        table = tables.calls
        query = sa.select(sa.func.count()).select_from(table)
        if job is not None:
            query = query.where(table.c.job == job)
        if report is not None:
            of_report = sa.select(tables.jobs.c.id).where(tables.jobs.c.report == report)
            query = query.where(table.c.job.in_(of_report))
        return self._database.run(lambda connection: connection.scalar(query)) or 0

    def _open_rows(self, connection: sa.Connection, report: str) -> Sequence[sa.Row[Any]]:
        table = tables.jobs
        query = sa.select(table).where(table.c.report == report, table.c.state != JobState.CLOSED)
        return connection.execute(query.order_by(table.c.first_day, table.c.intended_at)).all()

    def _cut(self, connection: sa.Connection, who: Claimant) -> set[Request]:
        """Requests to which the provider is known to have cut its answer."""
        table = tables.jobs
        same = (table.c.report == who.report) & (table.c.account == who.account)
        same &= (table.c.fingerprint == who.fingerprint) & (table.c.outcome == Outcome.TRUNCATED.value)
        query = sa.select(table.c.first_day, table.c.last_day, table.c.part).where(same)
        return {Request(Window(first, last), part) for first, last, part in connection.execute(query).tuples()}

    def _take(self, connection: sa.Connection, job: Job, who: Claimant) -> Job:
        table = tables.jobs
        values = {"owner": who.owner, "run": who.run, "fence": job.fence + 1}
        connection.execute(table.update().where(table.c.id == job.id).values(values))
        return replace(job, fence=job.fence + 1)

    def _intend(
        self, connection: sa.Connection, who: Claimant, request: Request, days: Collection[date], now: datetime
    ) -> Job:
        job = Job(id=uuid4().hex, report=who.report, request=request, state=JobState.INTENDED, fence=1, intended_at=now)
        values = {
            "id": job.id,
            "report": who.report,
            "account": who.account,
            "fingerprint": who.fingerprint,
            "first_day": request.window.first,
            "last_day": request.window.last,
            "part": request.part,
            "days_left": _text(days),
            "state": job.state,
            "owner": who.owner,
            "run": who.run,
            "fence": job.fence,
            "resends": 0,
            "intended_at": now,
        }
        connection.execute(tables.jobs.insert().values(values))
        return job

    def _update(self, job: Job, **values: object) -> None:
        def work(connection: sa.Connection) -> None:
            self._hold(connection, job)
            connection.execute(tables.jobs.update().where(tables.jobs.c.id == job.id).values(values))

        self._database.run(work)

    def _hold(self, connection: sa.Connection, job: Job) -> None:
        table = tables.jobs
        row = connection.execute(
            sa.select(table.c.fence, table.c.state, table.c.run).where(table.c.id == job.id)
        ).first()
        if row is None or row.fence != job.fence or row.state == JobState.CLOSED:
            by = f"run {row.run}" if row is not None else "somebody who emptied the ledger"
            raise LostClaim(
                f"{job.report} {job.request.window} was taken over by {by} while this run was away",
                advice="This run wrote nothing more; what the other one lands stands.",
            )

    def _end_days(self, connection: sa.Connection, job: Job, ended: Collection[date]) -> set[date]:
        """Take `ended` from what the job was bought for; returns what is left."""
        self._hold(connection, job)
        column = tables.jobs.c.days_left
        mine = tables.jobs.c.id == job.id
        left = _days(connection.scalar(sa.select(column).where(mine)) or "") - set(ended)
        connection.execute(tables.jobs.update().where(mine).values(days_left=_text(left)))
        return left

    def _close(
        self, connection: sa.Connection, job_id: str, fence: int, outcome: Outcome, cause: str, now: datetime
    ) -> None:
        table = tables.jobs
        mine = (table.c.id == job_id) & (table.c.fence == fence)
        values = {
            "state": JobState.CLOSED,
            "owner": None,
            "url": None,
            "expires_at": None,
            "closed_at": now,
            "outcome": outcome.value,
            "cause": cause,
        }
        connection.execute(table.update().where(mine).values(values))


def _window(row: sa.Row[Any]) -> Window:
    return Window(row.first_day, row.last_day)


def _leftover(row: sa.Row[Any]) -> Leftover:
    job = Job(
        id=row.id,
        report=row.report,
        request=Request(_window(row), row.part),
        state=JobState(row.state),
        fence=row.fence,
        intended_at=row.intended_at,
        submitted_at=row.submitted_at,
        resends=row.resends,
        handle=Handle(id=row.request_id or "", url=row.url, expires_at=row.expires_at),
        expected_rows=row.expected_rows,
        raw_sha256=row.raw_sha256 or "",
        raw_bytes=row.raw_bytes or 0,
    )
    days_left = frozenset(_days(row.days_left))
    return Leftover(job=job, account=row.account, fingerprint=row.fingerprint, days_left=days_left)


def _asked_at_by_day(report: str) -> sa.Select[tuple[date, datetime]]:
    table = tables.days
    return sa.select(table.c.day, table.c.asked_at).where(table.c.report == report)


def _text(days: Collection[date]) -> str:
    return " ".join(sorted(day.isoformat() for day in days))


def _days(text: str) -> set[date]:
    return {date.fromisoformat(day) for day in text.split()}
