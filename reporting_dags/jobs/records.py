"""The nouns of the ledger: a job and how far it has come, who claims days, and what is kept of a landed day."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from reporting_dags.landing.reading.diff import Restated
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
    """One row of the ledger, as the run that holds it sees it; `account` is whose answer it brings."""

    id: str
    report: str
    account: str = ""
    request: Request
    state: JobState
    fence: int
    intended_at: datetime
    submitted_at: datetime | None = None
    ahead: timedelta = timedelta()
    resends: int = 0
    handle: Handle = field(default_factory=Handle)
    expected_rows: int | None = None
    raw_sha256: str = ""
    raw_bytes: int = 0

    @property
    def asked_at(self) -> datetime:
        """When the provider was asked, by its own clock: this machine's was `ahead` of it then."""
        return (self.submitted_at or self.intended_at) - self.ahead


@dataclass(frozen=True, slots=True)
class JobGroup:
    """Jobs that together answer one window, one for each part, and the requested days that land from them.

    Attributes:
        window: the days that every job of the group asks for.
        jobs: one a part.
        days: which of the requested days land from this group; never empty.
    """

    window: Window
    jobs: tuple[Job, ...]
    days: frozenset[date]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a run holds: every requested day is in exactly one group.

    Two groups may have the same window: one that an earlier run left open, and one that is planned for other days.
    """

    groups: tuple[JobGroup, ...]

    @property
    def jobs(self) -> list[Job]:
        """The jobs of all groups, oldest window first."""
        return [job for group in self.groups for job in group.jobs]


@dataclass(frozen=True, slots=True)
class Busy:
    """Another run that is alive is bringing one of the days home."""

    window: Window
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedFacts:
    """What the ledger keeps of a landed day.

    Attributes:
        day: the partition.
        jobs: ids of those that it landed from; none of a day that was built from others.
        version: of the declaration, or of the sources, that it landed under.
        outcome: `DATA` or `EMPTY`.
        rows: in the file.
        size: of the file, in bytes.
        sha256: of the file's bytes.
        fingerprint: the data version.
        raw_sha256: of the raw answers, with commas between.
        money: column → currency → exact sum, as text.
        asked_at: when the provider was asked, the earliest of its jobs.
        landed_at: when it was put in place.
        confirmed_at: when the provider last named the same content, without a download; None if never.
        account: whose it is, by a fingerprint of the credentials; "" where that is not known.
        scope: what it covers; None where that is not known.
        totals: column → exact sum of every measure, as text.
        entities: of a list, the currency of each entity by its id, None where it has none; None for a report by day.
        restated: how its rows differ from the version before, where there was one of the same declaration.
    """

    day: date
    jobs: tuple[str, ...] = ()
    version: str
    outcome: Outcome
    rows: int
    size: int
    sha256: str = ""
    fingerprint: str
    raw_sha256: str
    money: dict[str, dict[str, str]]
    asked_at: datetime
    landed_at: datetime
    confirmed_at: datetime | None = None
    account: str = ""
    scope: Scope | None = None
    totals: dict[str, str] = field(default_factory=dict[str, str])
    entities: Mapping[str, str | None] | None = None
    restated: Restated | None = None

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
class Known:
    """What the ledger knows of a report, at one moment.

    Attributes:
        landed: every day that has landed.
        bought: days for which an answer was asked for whose landing was never finished.
        failures: runs for each day that lately ended without landing it, since the day last landed or was confirmed.
        control: the totals that the report's control last told, by day; empty where it has none.
        tries: of days that differ from their control, how often each has landed so since that first said what it says.
        cut: requests to which the provider is known to have cut its answer, whoever asked.
        kept: days that no answer has landed on since one was refused, and whose answer can be tried again without a
            call, because the declaration has changed.
    """

    landed: Mapping[date, LandedFacts]
    bought: Collection[date]
    failures: Mapping[date, Sequence[Failure]]
    control: Mapping[date, LandedFacts]
    tries: Mapping[date, int] = field(default_factory=dict[date, int])
    cut: Collection[Request] = ()
    kept: Collection[date] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who asks for days: a report of an account, on behalf of a run.

    Attributes:
        report: key of the report.
        account: whose credentials it has.
        fingerprint: of its query.
        owner: the lock that dies with the run's process.
        run: the Dagster run.
        form: hash of what decides whether an answer can be read; see `Report.form`.
    """

    report: str
    account: str
    fingerprint: str
    owner: str
    run: str
    form: str = ""
