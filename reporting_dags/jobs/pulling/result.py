"""The result of pulling one day, and its provenance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from reporting_dags.landing.reading.diff import RowDiff
from reporting_dags.landing.reading.entities import Weights
from reporting_dags.landing.writing.land import CheckResult, LandedDay
from reporting_dags.model.days import Window
from reporting_dags.model.errors import ReportingError
from reporting_dags.model.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Restatement:
    """The previous version of a day: when it was requested, its money, its entities, and how its rows differ."""

    requested_at: datetime
    money: Mapping[str, Mapping[str, Decimal]]
    rows: RowDiff | None
    entities: Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the rows of a day come from; empty for a day that was not requested.

    Attributes:
        window: the days that were requested together.
        request_ids: the provider's ids of the requests.
        raw_sha256: SHA-256 in hex of each raw response in the raw store.
        raw_bytes: bytes of all raw responses.
        calls_spent: calls of the window, as the provider counts them.
        calls_left: calls left today, by quota.
        waited: time until the provider had made the report, without the download.
        replayed: whether stored raw responses were used, without a call.
        restatement: the previous version, if the day had landed under the same declaration.
    """

    window: Window | None = None
    request_ids: tuple[str, ...] = ()
    raw_sha256: tuple[str, ...] = ()
    raw_bytes: int = 0
    calls_spent: int = 0
    waited: timedelta = timedelta()
    calls_left: Mapping[str, int] = field(default_factory=dict[str, int])
    replayed: bool = False
    restatement: Restatement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """The result of one day: what landed, or why nothing did. Either `landed` or `error` is set."""

    day: date
    provenance: Provenance = field(default_factory=Provenance)
    landed: LandedDay | None = None
    error: ReportingError | None = None
    checks: tuple[CheckResult, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """How the day ended."""
        if self.landed is not None:
            return self.landed.outcome
        return self.error.outcome if self.error is not None else Outcome.FAILED
