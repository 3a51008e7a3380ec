"""The nouns of the ledger: a job and how far it has come, who claims days, and what is kept of a landed day."""

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
    """One row of the ledger, as the run that holds it sees it; `account` is whose response it brings."""

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
        """When the provider was asked, by its own clock: this machine's was `ahead` of it then."""
        return (self.submitted_at or self.intended_at) - self.clock_skew


@dataclass(frozen=True, slots=True)
class JobGroup:
    """Jobs that together answer one window, one for each part, and the requested days that land from them.

    Attributes:
        window: the days that every job of the group requests.
        jobs: one a part.
        days: which of the requested days land from this group; never empty.
    """

    window: Window
    jobs: tuple[Job, ...]
    days: frozenset[date]


@dataclass(frozen=True, slots=True)
class Lease:
    """What a run holds: every requested day is in exactly one group.

    Two groups may have the same window: one that an earlier run left open, and one that is planned for other days.
    """

    groups: tuple[JobGroup, ...]

    @property
    def jobs(self) -> list[Job]:
        """The jobs of all groups, oldest window first."""
        return [job for group in self.groups for job in group.jobs]


@dataclass(frozen=True, slots=True)
class LeaseHeld:
    """Another run that is alive is bringing one of the days home."""

    window: Window
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterializationRecord:
    """One materialization of a partition: the latest one, or an earlier one of its history.

    Of an earlier one the ledger keeps no more than its rows, money, versions and times.

    Attributes:
        day: the partition.
        jobs: ids of those that it landed from; none of a day that was built from others.
        code_version: of the declaration, or of the sources, that it landed under.
        outcome: `DATA` or `EMPTY`.
        rows: in the file.
        size: of the file, in bytes.
        sha256: of the file's bytes.
        fingerprint: the data version.
        raw_sha256: of the raw responses, with commas between.
        money: column → currency → exact sum, as text.
        requested_at: when the provider was asked, the earliest of its jobs.
        landed_at: when it was put in place.
        confirmed_at: when the provider last named the same content, without a download; None if never.
        account: whose it is, by a fingerprint of the credentials; "" where that is not known.
        scope: what it covers; None where that is not known.
        totals: column → exact sum of every measure, as text.
        entities: of a list, the currency of each entity by its id, None where it has none; None for a report by day.
        row_diff: how its rows differ from the version before, where there was one of the same declaration.
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
        """Sums by column and currency."""
        return {
            column: {currency: Decimal(text) for currency, text in sums.items()} for column, sums in self.money.items()
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that ended without landing a day.

    Attributes:
        at: when.
        retry_at: when a retry is known to be right, such as the renewal of a quota; None where that is not known.
    """

    at: datetime
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportState:
    """What the ledger knows of a report, at one moment.

    Attributes:
        landed: every day that has landed.
        in_flight: days for which a response was requested whose landing was never finished.
        failures: runs for each day that lately ended without landing it, since the day last landed or was confirmed.
        control: the totals that the report's control last told, by day; empty where it has none.
        control_attempts: how often each day that differs from its control total landed since the control first gave it.
        truncated: requests to which the provider is known to have cut its response, whoever asked.
        replayable: days whose refused response is stored and can be landed again without a call, because the
            declaration has changed.
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
    """Who requests days: a report of an account, on behalf of a run.

    Attributes:
        report: key of the report.
        account: whose credentials it has.
        query_hash: of its query.
        owner: the lock that dies with the run's process.
        run: the Dagster run.
        parser_hash: hash of what decides whether a response can be read; see `Report.form`.
    """

    report: str
    account: str
    query_hash: str
    owner: str
    run: str
    parser_hash: str = ""
