"""The ledger: what was asked of a provider, what came of it, and which days have landed.

An intent is written before a job is submitted and its handle after, so that a crash costs at most the one job whose
handle was not yet saved. A job is taken up by the next run that wants one of its days; each taking raises its `fence`,
and a run whose fence is old can write nothing more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.accounts import Accounts
from reporting_dags.jobs.ledger.builds import Builds
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.entity_history import EntityHistory
from reporting_dags.jobs.ledger.job_rows import (
    close,
    correlation_id_of,
    days_of,
    end_days,
    job_of,
    open_rows,
    replayable_rows,
    take_lease,
    text_of,
    truncated_requests,
    update,
)
from reporting_dags.jobs.ledger.leases import Leases
from reporting_dags.jobs.ledger.materializations import Materializations, materialized_days
from reporting_dags.jobs.ledger.quota import Quotas
from reporting_dags.jobs.records import Failure, Job, JobState, LeaseRequest, MaterializationRecord, ReportState
from reporting_dags.landing.reading.diff import RowDiff
from reporting_dags.landing.writing.land import Put
from reporting_dags.model.days import Window
from reporting_dags.model.errors import ReplacementRefused
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Request

_LONGEST_TAG = 200
_FAILED = tuple(one.value for one in Outcome if not one.publishes and one is not Outcome.TRUNCATED)


class Ledger(Leases, Materializations, EntityHistory, Builds):
    """Jobs, their leases, landed partitions, what providers count (`quotas`) and `accounts`; in one database."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.quotas = Quotas(database)
        self.accounts = Accounts(database)
        database.create(tables.metadata)

    def record_submitted(self, job: Job, handle: Handle, now: datetime, ahead: timedelta = timedelta()) -> Job:
        """Save the handle of a job that the provider has accepted."""
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
        """Write the intent to submit a job again; its old handle is forgotten."""
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
        """Save where the raw answer is kept. The signed address is of no more use and is forgotten."""
        # What has no handle was asked for now, or before by another run: the worse of both clocks counts.
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
        """End a job: landed, or given up, until `retry_at` where that is known. The signed address is forgotten."""
        self._database.write(
            lambda connection: close(connection, job, outcome, cause, now, retry_at=retry_at), job.report
        )

    def record_landed(
        self, jobs: Sequence[Job], facts: MaterializationRecord, *, recorded: Collection[date], publish: Put
    ) -> None:
        """Publish a partition and note it, as long as this run holds all of `jobs`.

        No lock is held during the upload. Whether the jobs are still held is checked between reading the state of the
        stored file and replacing it: for a run that was suspended and lost its jobs, either this check fails or the
        stored file has changed. It is checked again when the partition is noted.

        Args:
            jobs: that the partition lands from.
            facts: what is noted of it.
            recorded: earlier days of the jobs of which Dagster knows by now.
            publish: puts the file in place.

        Raises:
            LostClaim: another run holds one of the jobs.
            ReplacementRefused: the stored partition is from a newer answer; it stays.
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
        """Note that newer answers to a day are those that it landed from, and close them, if they are.

        Args:
            jobs: of all parts of one day, as they are known.
            tags: of their answers, by part.
            version: of the declaration as it is now: a day of another one has to land anew.
            size: of the day's file as it lies there; None if it is gone.
            now: the present moment.

        Raises:
            LostClaim: a run has taken one of them up.
        """
        report, day = jobs[0].report, jobs[0].request.window.first

        def work(connection: sa.Connection) -> bool:
            facts = materialized_days(connection, report).get(day)
            if facts is None or (facts.code_version, facts.size) != (version, size):
                return False
            table = tables.jobs
            ids = [job.id for job in jobs]
            asked = [table.c.part, table.c.tag, table.c.account, table.c.fingerprint]
            before = connection.execute(sa.select(*asked).where(table.c.id.in_(facts.jobs))).tuples().all()
            after = connection.execute(sa.select(*asked).where(table.c.id.in_(ids))).tuples().all()
            if {(part, tags.get(part), *rest) for part, _, *rest in after} != set(before):
                return False
            for job in jobs:
                take_lease(connection, job)
                close(connection, job, facts.outcome, "the same answer as had landed", now)
            asked_at = min(job.requested_at for job in jobs)
            self.record(connection, report, replace(facts, requested_at=asked_at, confirmed_at=now, row_diff=RowDiff()))
            return True

        return self._database.write(work, report)

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
        """Note that `ended` have ended; the job closes unless it was bought for other days too.

        A closed job keeps which of its days have `failed`, and by which form of the report its answer was refused.
        """

        def work(connection: sa.Connection) -> None:
            if not end_days(connection, job, ended):
                update(connection, job, days_left=text_of(failed), refused_form=refused_form)
                close(connection, job, outcome, cause, now)

        self._database.write(work, job.report)

    def in_flight_days(self, report: str) -> set[date]:
        """Days for which an answer was bought whose landing was never finished."""
        return self._database.read(lambda connection: _in_flight(connection, report))

    def truncated_requests(self, who: LeaseRequest, since: datetime) -> list[Request]:
        """The requests of `who` whose answers the provider truncated since then, oldest first."""
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
        """Days whose answer to this query is stored and was refused, or was not landed since another part failed."""

        def work(connection: sa.Connection) -> set[date]:
            landed = materialized_days(connection, report)
            return _replayable(connection, report, landed, fingerprint=query_hash, form="")

        return self._database.read(work)

    def report_state(
        self, report: str, *, control: str = "", since: datetime, query_hash: str = "", parser_hash: str = ""
    ) -> ReportState:
        """All that is known of `report`, as of one moment: of failures those from `since` on.

        Args:
            report: its key.
            control: key of its control totals; "" if it has none.
            since: from when on failures are remembered.
            query_hash: of its query, as it is declared now.
            parser_hash: see `Report.form`.
        """

        def work(connection: sa.Connection) -> ReportState:
            landed = materialized_days(connection, report)
            kept = _replayable(connection, report, landed, fingerprint=query_hash, form=parser_hash)
            failures = _failures(connection, report, since, landed)
            return ReportState(
                landed=landed,
                in_flight=_in_flight(connection, report),
                # What can be tried again without a call waits for nothing.
                failures={day: found for day, found in failures.items() if day not in kept},
                replayable=kept,
                control=materialized_days(connection, control) if control else {},
                truncated=truncated_requests(connection, report),
            )

        return self._database.read(work)

    def _update(self, job: Job, **values: object) -> None:
        self._database.write(lambda connection: update(connection, job, **values), job.report)


def _refuse_older(connection: sa.Connection, report: str, facts: MaterializationRecord) -> None:
    stored = materialized_days(connection, report, facts.day).get(facts.day)
    if stored is not None and stored.requested_at > facts.requested_at:
        raise ReplacementRefused(
            f"an answer requested at {stored.requested_at:%Y-%m-%d %H:%M} UTC has landed, which is newer than this "
            f"one of {facts.requested_at:%Y-%m-%d %H:%M} UTC",
            advice="The newer one stays.",
        )


def _in_flight(connection: sa.Connection, report: str) -> set[date]:
    bought = (JobState.SUBMITTED, JobState.DOWNLOADED)
    rows = open_rows(connection, report)
    return {day for row in rows if row.state in bought for day in days_of(row.days_left)}


def _replayable(
    connection: sa.Connection, report: str, landed: Mapping[date, MaterializationRecord], *, fingerprint: str, form: str
) -> set[date]:
    """Days of refused answers that are stored and were requested after what landed, and not refused by `form`."""
    found: set[date] = set()
    refused: set[date] = set()
    for row in replayable_rows(connection, report, fingerprint=fingerprint):
        asked_at = job_of(row).requested_at
        days = {day for day in days_of(row.days_left) if day not in landed or landed[day].requested_at < asked_at}
        found |= days
        if row.refused_form == form:
            refused |= days
    return found - refused


def _failures(
    connection: sa.Connection, report: str, since: datetime, landed: Mapping[date, MaterializationRecord]
) -> dict[date, list[Failure]]:
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
    found: dict[date, list[Failure]] = {}
    for (day, _), failure in last.items():
        facts = landed.get(day)
        if facts is None or max(facts.landed_at, facts.confirmed_at or facts.landed_at) < failure.at:
            found.setdefault(day, []).append(failure)
    return found
