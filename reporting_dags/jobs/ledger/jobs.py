"""Jobs: each step of a job is recorded before the next one, so that a killed run costs at most one call.

An intent is written before a job is submitted, and its handle after it. The next run that needs one of its days
continues the job. Each run that takes a job increments its fencing token; a run with an older token can write nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.job_rows import (
    close,
    correlation_id_of,
    days_of,
    end_days,
    job_of,
    open_rows,
    replayable_rows,
    text_of,
    update,
)
from reporting_dags.jobs.ledger.materializations import materialized_days
from reporting_dags.jobs.records import Failure, Job, JobState, LeaseRequest, MaterializationRecord
from reporting_dags.model.days import Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Request

_LONGEST_TAG = 200
_FAILED = tuple(one.value for one in Outcome if not one.publishes and one is not Outcome.TRUNCATED)


class Jobs:
    """The jobs of every report, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_submitted(self, job: Job, handle: Handle, now: datetime, ahead: timedelta = timedelta()) -> Job:
        """Save the handle of a job that the provider accepted."""
        self._update(
            job,
            state=JobState.SUBMITTED,
            submitted_at=now,
            ahead_seconds=ahead.total_seconds(),
            request_id=handle.id,
            url=handle.url,
            expires_at=handle.expires_at,
        )
        return replace(job, state=JobState.SUBMITTED, submitted_at=now, clock_skew=ahead, handle=handle)

    def record_resend(self, job: Job) -> Job:
        """Write the intent to submit a job again; its old handle is deleted."""
        self._update(job, state=JobState.INTENDED, url=None, expires_at=None, resends=job.resends + 1)
        resends = job.resends + 1
        request = replace(job.request, correlation_id=correlation_id_of(job.id, resends))
        handle = Handle(id=job.handle.id)
        return replace(job, request=request, state=JobState.INTENDED, resends=resends, handle=handle)

    def record_downloaded(
        self,
        job: Job,
        *,
        raw_sha256: str,
        raw_bytes: int,
        expected_rows: int | None,
        ahead: timedelta = timedelta(),
        tag: str = "",
    ) -> Job:
        """Record where the raw response is stored, and delete the signed address."""
        # What has no handle was requested now, or before by another run: the worse of both clocks counts.
        ahead = job.clock_skew if job.handle.id or job.handle.url else max(job.clock_skew, ahead)
        facts: dict[str, object] = {"raw_sha256": raw_sha256, "raw_bytes": raw_bytes, "expected_rows": expected_rows}
        facts["ahead_seconds"] = ahead.total_seconds()
        self._update(job, state=JobState.DOWNLOADED, url=None, expires_at=None, tag=tag[:_LONGEST_TAG], **facts)
        return replace(
            job,
            state=JobState.DOWNLOADED,
            clock_skew=ahead,
            handle=Handle(id=job.handle.id),
            raw_sha256=raw_sha256,
            raw_bytes=raw_bytes,
            expected_rows=expected_rows,
        )

    def close(self, job: Job, outcome: Outcome, cause: str, now: datetime, *, retry_at: datetime | None = None) -> None:
        """Close a job and delete its signed address; `retry_at` is when a retry of its days makes sense."""
        self._database.write(
            lambda connection: close(connection, job, outcome, cause, now, retry_at=retry_at), job.report
        )

    def close_days(
        self,
        job: Job,
        ended: Collection[date],
        outcome: Outcome,
        cause: str,
        now: datetime,
        failed: Collection[date] = (),
        refused_form: str | None = None,
    ) -> None:
        """Record that days have ended; the job is closed unless it was requested for other days too.

        A closed job keeps which of its days have `failed`, and the `Report.parser_hash` under which its response was
        refused.
        """

        def work(connection: sa.Connection) -> None:
            if not end_days(connection, job, ended):
                update(connection, job, days_left=text_of(failed), refused_form=refused_form)
                close(connection, job, outcome, cause, now)

        self._database.write(work, job.report)

    def in_flight_days(self, report: str) -> set[date]:
        """Return the days that were requested and neither landed nor failed."""
        return self._database.read(lambda connection: in_flight_days(connection, report))

    def truncated_requests(self, who: LeaseRequest, since: datetime) -> list[Request]:
        """Return the requests of `who` whose responses the provider truncated since `since`, oldest first."""
        table = tables.jobs
        query = (
            sa.select(table.c.first_day, table.c.last_day, table.c.part)
            .where(
                table.c.report == who.report,
                table.c.account == who.account,
                table.c.fingerprint == who.query_hash,
                table.c.outcome == Outcome.TRUNCATED.value,
                table.c.closed_at >= since,
            )
            .order_by(table.c.closed_at, table.c.intended_at)
        )
        rows = self._database.read(lambda connection: connection.execute(query).tuples().all())
        return [Request(Window(first, last), part) for first, last, part in rows]

    def replayable_days(self, report: str, query_hash: str) -> set[date]:
        """Return days whose stored response to this query did not land: it, or another shard's, was refused."""

        def work(connection: sa.Connection) -> set[date]:
            landed = materialized_days(connection, report)
            return replayable_days(connection, report, landed, fingerprint=query_hash, form="")

        return self._database.read(work)

    def _update(self, job: Job, **values: object) -> None:
        self._database.write(lambda connection: update(connection, job, **values), job.report)


def in_flight_days(connection: sa.Connection, report: str) -> set[date]:
    """Return the days that were requested and neither landed nor failed, within a transaction."""
    in_flight = (JobState.SUBMITTED, JobState.DOWNLOADED)
    rows = open_rows(connection, report)
    return {day for row in rows if row.state in in_flight for day in days_of(row.days_left)}


def replayable_days(
    connection: sa.Connection, report: str, landed: Mapping[date, MaterializationRecord], *, fingerprint: str, form: str
) -> set[date]:
    """Return days whose refused response is stored, is newer than what landed, and was not refused by `form`."""
    results: set[date] = set()
    refused: set[date] = set()
    for row in replayable_rows(connection, report, fingerprint=fingerprint):
        asked_at = job_of(row).requested_at
        days = {day for day in days_of(row.days_left) if day not in landed or landed[day].requested_at < asked_at}
        results |= days
        if row.refused_form == form:
            refused |= days
    return results - refused


def failures_by_day(
    connection: sa.Connection, report: str, since: datetime, landed: Mapping[date, MaterializationRecord]
) -> dict[date, list[Failure]]:
    """Return the failures of each day since it last landed, from `since` on, within a transaction."""
    table = tables.jobs
    query = sa.select(table.c.days_left, table.c.run, table.c.closed_at, table.c.retry_at).where(
        table.c.report == report, table.c.closed_at >= since, table.c.outcome.in_(_FAILED)
    )
    # The jobs of one run, such as one for each app, have failed once.
    last: dict[tuple[date, str | None], Failure] = {}
    for days, run, closed_at, retry_at in connection.execute(query.order_by(table.c.closed_at)).tuples():
        for day in days_of(days):
            other = last.get((day, run))
            # What a quota alone denied may be retried at its renewal.
            last[day, run] = Failure(closed_at, retry_at if other is None or other.retry_at is not None else None)
    results: dict[date, list[Failure]] = {}
    for (day, _), failure in last.items():
        facts = landed.get(day)
        if facts is None or max(facts.landed_at, facts.confirmed_at or facts.landed_at) < failure.at:
            results.setdefault(day, []).append(failure)
    return results
