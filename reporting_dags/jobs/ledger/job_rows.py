"""Rows of the table of jobs, within a transaction: read, lease, close."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.records import Job, JobState
from reporting_dags.model.days import Window
from reporting_dags.model.errors import LeaseLost
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Request

SUPERSEDED = "no day is left to land from it"


def open_rows(connection: sa.Connection, report: str) -> Sequence[sa.Row[Any]]:
    """Return the open jobs of a report, oldest window first."""
    table = tables.jobs
    query = sa.select(table).where(table.c.report == report, table.c.state != JobState.CLOSED)
    return connection.execute(query.order_by(table.c.first_day, table.c.intended_at)).all()


def replayable_rows(connection: sa.Connection, report: str, **of: str) -> Sequence[sa.Row[Any]]:
    """Return closed jobs whose response is stored and has not landed on all days; `of` filters by column."""
    table = tables.jobs
    query = sa.select(table).where(
        table.c.report == report,
        table.c.state == JobState.CLOSED,
        table.c.outcome == Outcome.FAILED.value,
        table.c.raw_sha256 != "",
        table.c.days_left != "",
    )
    for name, value in of.items():
        query = query.where(table.c[name] == value)
    return connection.execute(query.order_by(table.c.first_day, table.c.intended_at)).all()


def truncated_requests(connection: sa.Connection, report: str, **of: str) -> set[Request]:
    """Return the requests whose responses the provider truncated; `of` filters by column, such as account."""
    table = tables.jobs
    query = sa.select(table.c.first_day, table.c.last_day, table.c.part).where(
        table.c.report == report, table.c.outcome == Outcome.TRUNCATED.value
    )
    for name, value in of.items():
        query = query.where(table.c[name] == value)
    return {Request(Window(first, last), part) for first, last, part in connection.execute(query).tuples()}


def window_of(row: sa.Row[Any]) -> Window:
    """Return the days that a job requests."""
    return Window(row.first_day, row.last_day)


def correlation_id_of(job: str, resends: int) -> str:
    """Return the id by which a lost job is found at the provider; each resend has another one."""
    return f"{job}.{resends}"


def job_of(row: sa.Row[Any]) -> Job:
    """Return the job of a row."""
    return Job(
        id=row.id,
        report=row.report,
        account=row.account,
        request=Request(window_of(row), row.part, correlation_id_of(row.id, row.resends)),
        state=JobState(row.state),
        fencing_token=row.fence,
        intended_at=row.intended_at,
        submitted_at=row.submitted_at,
        clock_skew=timedelta(seconds=row.ahead_seconds),
        resends=row.resends,
        handle=Handle(id=row.request_id or "", url=row.url, expires_at=row.expires_at),
        expected_rows=row.expected_rows,
        raw_sha256=row.raw_sha256 or "",
        raw_bytes=row.raw_bytes or 0,
    )


def take_lease(connection: sa.Connection, job: Job) -> None:
    """Lock the job's row until the transaction ends; raise `LeaseLost` if another run holds the job."""
    table = tables.jobs
    row = connection.execute(sa.select(table.c.fence, table.c.state, table.c.run).where(table.c.id == job.id)).first()
    if row is None or row.fence != job.fencing_token or row.state == JobState.CLOSED:
        by = f"run {row.run}" if row is not None else "somebody who emptied the ledger"
        raise LeaseLost(
            f"{job.report} {job.request.window} was taken over by {by} while this run was away",
            advice="This run wrote nothing more; what the other one lands stands.",
        )


def update(connection: sa.Connection, job: Job, **values: object) -> None:
    """Change the row of a job whose lease is held."""
    take_lease(connection, job)
    connection.execute(tables.jobs.update().where(tables.jobs.c.id == job.id).values(values))


def end_days(connection: sa.Connection, job: Job, ended: Collection[date]) -> set[date]:
    """Remove `ended` from the days of a leased job; return the remaining ones."""
    column = tables.jobs.c.days_left
    left = days_of(connection.scalar(sa.select(column).where(tables.jobs.c.id == job.id)) or "") - set(ended)
    update(connection, job, days_left=text_of(left))
    return left


def close(
    connection: sa.Connection,
    job: Job,
    outcome: Outcome,
    cause: str,
    now: datetime,
    *,
    retry_at: datetime | None = None,
) -> None:
    """Close a job, unless another run took it, and delete its signed address.

    The days that it was requested for and that have not ended count as failed. `retry_at` is when a retry makes sense.
    """
    table = tables.jobs
    own = (table.c.id == job.id) & (table.c.fence == job.fencing_token)
    values = {
        "state": JobState.CLOSED,
        "owner": None,
        "url": None,
        "expires_at": None,
        "closed_at": now,
        "outcome": outcome.value,
        "cause": cause,
        "retry_at": retry_at,
    }
    connection.execute(table.update().where(own).values(values))


def reopen(connection: sa.Connection, job: Job, **values: object) -> None:
    """Reopen a job whose response is stored."""
    again = {"state": JobState.DOWNLOADED, "closed_at": None, "outcome": None, "cause": None, "retry_at": None}
    connection.execute(tables.jobs.update().where(tables.jobs.c.id == job.id).values(again | values))


def close_unused(connection: sa.Connection, job: Job, cause: str, now: datetime) -> None:
    """Close a job that no run continues. Its days have not failed: they are requested again, or have landed."""
    own = (tables.jobs.c.id == job.id) & (tables.jobs.c.fence == job.fencing_token)
    connection.execute(tables.jobs.update().where(own).values(days_left=""))
    close(connection, job, Outcome.EXPIRED, cause, now)


def text_of(days: Collection[date]) -> str:
    """Return days as the text of a column."""
    return " ".join(sorted(day.isoformat() for day in days))


def days_of(text: str) -> set[date]:
    """Return the days of a column's text."""
    return {date.fromisoformat(day) for day in text.split()}
