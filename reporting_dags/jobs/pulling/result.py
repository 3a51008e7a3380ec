"""How a day has ended, and how its response was got."""

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
    """What a day was before it landed again: when it was requested, its money, what earned, and how its rows differ."""

    requested_at: datetime
    money: Mapping[str, Mapping[str, Decimal]]
    rows: RowDiff | None
    entities: Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a day's answer was got; empty for a day that was never requested.

    Attributes:
        window: the days that were requested together.
        request_ids: the provider's ids of the requests.
        raw_sha256: of the raw responses, which the raw store keeps.
        raw_bytes: of them together.
        calls_spent: on the window, as the provider counts.
        calls_left: today, by kind, where the provider sets a quota.
        waited: for the provider to make the report; not for its response to arrive.
        replayed: the raw responses were kept ones; the provider was not asked.
        restatement: of the version before, where the day had landed under the same declaration.
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
    """The end of one day: what landed, or why nothing did. One of `landed` and `error` is set."""

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
