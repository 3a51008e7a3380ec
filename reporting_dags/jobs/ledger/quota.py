"""Quotas: each call that a provider counts is a row; the calls of a UTC day are limited by the provider's quota."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.job_rows import take_lease
from reporting_dags.jobs.records import Job
from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Denied
from reporting_dags.providers.api import Quota


class Quotas:
    """The counted calls, in one database; all processes that share it share the quotas."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spend(self, job: Job, quota: Quota, account: str, clock: Clock, *, newest: bool) -> None:
        """Count one call for `job`.

        Args:
            job: the job, whose lease must be held.
            quota: the quota that counts the call.
            account: the account of the credentials.
            clock: read under the lock, because a call that waited for the lock is sent later.
            newest: whether the job requests the latest day, which may use the reserved calls.

        Raises:
            Denied: no call is left; the error names the time of the renewal.
            LeaseLost: another run holds the job.
        """

        def work(connection: sa.Connection) -> None:
            take_lease(connection, job)
            now = clock.now()
            if quota.per_day is not None:
                others, newest_ones = _spent(connection, quota, account, now)
                if others + newest_ones >= quota.per_day:
                    raise _denied(f"the quota of {quota.per_day} {quota.bucket} a day is spent", now)
                if not newest and others + max(newest_ones, quota.reserved) >= quota.per_day:
                    kept = quota.reserved - newest_ones
                    left = (
                        f"of {quota.per_day} {quota.bucket} a day the {kept} that are left are kept for the latest day"
                    )
                    raise _denied(left, now)
            row = {"api": quota.bucket, "account": account, "job": job.id, "newest": newest, "at": now}
            connection.execute(tables.calls.insert().values(row))

        self._database.write(work, job.report, f"quota {quota.bucket} {account}")

    def take_back(self, job: Job, since: datetime) -> None:
        """Delete the calls of `job` since `since` that never reached the provider."""
        table = tables.calls
        query = table.delete().where(table.c.job == job.id, table.c.at >= since)
        self._database.write(lambda connection: connection.execute(query), job.report)

    def left(self, quota: Quota, account: str, now: datetime) -> tuple[int, int] | None:
        """Return the calls left today and how many of them are reserved for the latest day; None without a limit."""
        if quota.per_day is None:
            return None
        others, newest_ones = self._database.read(lambda connection: _spent(connection, quota, account, now))
        left = max(0, quota.per_day - others - newest_ones)
        return left, min(left, max(0, quota.reserved - newest_ones))

    def count(self, *, job: str | None = None, report: str | None = None) -> int:
        """Return the number of calls counted so far, of one job or of one report."""
        table = tables.calls
        query = sa.select(sa.func.count()).select_from(table)
        if job is not None:
            query = query.where(table.c.job == job)
        if report is not None:
            of_report = sa.select(tables.jobs.c.id).where(tables.jobs.c.report == report)
            query = query.where(table.c.job.in_(of_report))
        return self._database.read(lambda connection: connection.scalar(query)) or 0


def renews_at(now: datetime) -> datetime:
    """Return when the quotas renew: the next midnight of UTC."""
    return _midnight(now) + timedelta(days=1)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _spent(connection: sa.Connection, quota: Quota, account: str, now: datetime) -> tuple[int, int]:
    """Return today's calls for older days, and those for the latest day."""
    table = tables.calls
    own = (table.c.api == quota.bucket) & (table.c.account == account) & (table.c.at >= _midnight(now))
    query = sa.select(table.c.newest, sa.func.count()).where(own).group_by(table.c.newest)
    results = dict(connection.execute(query).tuples().all())
    return results.get(False, 0), results.get(True, 0)


def _denied(message: str, now: datetime) -> Denied:
    until = renews_at(now)
    return Denied(message, advice=f"It is renewed on {until:%Y-%m-%d} at 00:00 UTC; run again then.", retry_at=until)
