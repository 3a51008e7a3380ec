"""The value types that planning, ledger and pulling share: jobs, leases, materializations, the state of a report."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from reporting_dags.landing.reading.diff import RowDiff
from reporting_dags.model.days import Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.scope import Scope
from reporting_dags.providers.api import Handle, Request


class JobState(StrEnum):
    """How far a job has come."""

    INTENDED = "intended"
    SUBMITTED = "submitted"
    DOWNLOADED = "downloaded"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job at the provider, as the run that holds its lease sees it; `account` is the account that submitted it."""

    id: str
    report: str
    account: str = ""
    request: Request
    state: JobState
    fencing_token: int
    intended_at: datetime
    submitted_at: datetime | None = None
    clock_skew: timedelta = timedelta()
    resends: int = 0
    handle: Handle = field(default_factory=Handle)
    expected_rows: int | None = None
    raw_sha256: str = ""
    raw_bytes: int = 0

    @property
    def requested_at(self) -> datetime:
        """When the job was submitted, by the provider's clock: this machine's clock was `clock_skew` ahead of it."""
        return (self.submitted_at or self.intended_at) - self.clock_skew


@dataclass(frozen=True, slots=True)
class JobGroup:
    """Jobs that together cover one window, one for each shard, and the requested days that land from them.

    Attributes:
        window: the days that every job of the group requests.
        jobs: one job for each shard.
        days: the requested days that land from this group; never empty.
    """

    window: Window
    jobs: tuple[Job, ...]
    days: frozenset[date]


@dataclass(frozen=True, slots=True)
class Lease:
    """What a run holds: every requested day is in exactly one group.

    Two groups can have the same window: one of an earlier run, and one that is planned for other days.
    """

    groups: tuple[JobGroup, ...]

    @property
    def jobs(self) -> list[Job]:
        """The jobs of all groups, oldest window first."""
        return [job for group in self.groups for job in group.jobs]


@dataclass(frozen=True, slots=True)
class LeaseHeld:
    """Another live run holds one of the days."""

    window: Window
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterializationRecord:
    """One materialization of a partition: the latest one, or an earlier one of its history.

    Of an earlier one the ledger keeps only rows, money, versions and times.

    Attributes:
        day: the partition.
        jobs: ids of the jobs that it landed from; empty for a day that was built from others.
        code_version: version of the declaration, or of the sources, that it landed under.
        outcome: `DATA` or `EMPTY`.
        rows: rows of the file.
        size: bytes of the file.
        sha256: SHA-256 of the file's bytes, in hex.
        data_version: hash of the file's rows.
        raw_sha256: SHA-256 of the raw responses, separated by commas.
        money: column → currency → exact sum, as text.
        requested_at: when the earliest of its jobs was submitted, by the provider's clock.
        landed_at: when the file was published.
        confirmed_at: when the provider last reported unchanged content without a download; None if never.
        account: fingerprint of the account's credentials; "" if unknown.
        scope: what the partition covers; None if unknown.
        totals: column → exact sum of every measure, as text.
        entities: of a list, the currency of each entity by id, None if it has none; None for a daily report.
        row_diff: how its rows differ from the previous version of the same declaration; None if there was none.
    """

    day: date
    jobs: tuple[str, ...] = ()
    code_version: str
    outcome: Outcome
    rows: int
    size: int = 0
    sha256: str = ""
    data_version: str
    raw_sha256: str = ""
    money: dict[str, dict[str, str]]
    requested_at: datetime
    landed_at: datetime
    confirmed_at: datetime | None = None
    account: str = ""
    scope: Scope | None = None
    totals: dict[str, str] = field(default_factory=dict[str, str])
    entities: Mapping[str, str | None] | None = None
    row_diff: RowDiff | None = None

    @property
    def money_sums(self) -> dict[str, dict[str, Decimal]]:
        """Exact sums by column and currency."""
        return {
            column: {currency: Decimal(text) for currency, text in sums.items()} for column, sums in self.money.items()
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that ended without landing a day.

    Attributes:
        at: when it ended.
        retry_at: when a retry makes sense, such as the renewal of a quota; None if unknown.
    """

    at: datetime
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportState:
    """What the ledger knows of a report at one moment.

    Attributes:
        landed: every landed day.
        in_flight: days that were requested and neither landed nor failed.
        failures: recent failures of each day since it last landed or was confirmed.
        control: the latest control totals by day; empty if the report has no control.
        control_attempts: how often each day that differs from its control total landed since the control first returned
            it.
        truncated: requests whose responses the provider truncated.
        replayable: days whose refused response is stored and can be landed without a call, because the declaration has
            changed.
    """

    landed: Mapping[date, MaterializationRecord]
    in_flight: Collection[date]
    failures: Mapping[date, Sequence[Failure]]
    control: Mapping[date, MaterializationRecord]
    control_attempts: Mapping[date, int] = field(default_factory=dict[date, int])
    truncated: Collection[Request] = ()
    replayable: Collection[date] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """Who requests a lease: a report of an account, on behalf of a run.

    Attributes:
        report: key of the report.
        account: account of the credentials.
        query_hash: hash of the report's query.
        owner: id of the liveness lock of the run's process.
        run: id of the Dagster run.
        parser_hash: see `Report.parser_hash`.
    """

    report: str
    account: str
    query_hash: str
    owner: str
    run: str
    parser_hash: str = ""
