"""Builds that failed: recorded in the ledger, and retried after pauses that grow.

What fails a build, such as a damaged file of a source, fails the next attempt too. So a failed day is retried when one
of its sources lands again or a declaration changes, and otherwise after the same pauses as a failed day of a report.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from reporting_dags.jobs.building.build import CombinedReport
from reporting_dags.jobs.ledger.builds import BuildFailure
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.planning.due import paused_until
from reporting_dags.jobs.records import Failure
from reporting_dags.model.errors import ReportingError


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedBuild:
    """A build that failed now.

    Attributes:
        day: the partition.
        error: the error.
        next_attempt: when it is retried.
        is_new: whether it has not failed before for this cause with these sources.
    """

    day: date
    error: ReportingError
    next_attempt: str
    is_new: bool

    @property
    def line(self) -> str:
        """Outcome, cause, fix and next attempt, in one line."""
        return f"{self.error.outcome}: {self.error.line.removesuffix('.')}. Next attempt: {self.next_attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostponedBuild:
    """A build that is postponed: how often it failed, why, and until when."""

    day: date
    times: int
    cause: str
    until: datetime

    def __str__(self) -> str:
        times = f"{self.times} time{'s' * (self.times != 1)}"
        again = f"next attempt when one of its sources lands again, or on {_at(self.until)}"
        return f"{self.day} failed {times}: {self.cause.removesuffix('.')}; {again}"


def record_failed_build(
    combination: CombinedReport, day: date, error: ReportingError, *, ledger: Ledger, now: datetime
) -> FailedBuild:
    """Record that a day could not be built; a day without any source is not retried.

    Raises:
        StorageError: the ledger cannot be used.
    """
    if not ledger.builds.landed_sources(_keys(combination), [day])[day]:
        return FailedBuild(day=day, error=error, next_attempt="when one of its sources lands", is_new=True)
    failure = BuildFailure(sources=_sources(combination, [day], ledger)[day], cause=error.message, failed_at=now)
    before = ledger.builds.build_failed(combination.report.key, day, failure)
    until = _until([*before, failure], day, now) or now
    again = f"when one of its sources lands again, or on {_at(until)}"
    is_new = all(other.cause != failure.cause for other in before)
    return FailedBuild(day=day, error=error, next_attempt=again, is_new=is_new)


def postponed_builds(
    combination: CombinedReport, days: Collection[date], *, ledger: Ledger, now: datetime
) -> dict[date, PostponedBuild]:
    """Return those of `days` that failed with their current sources and are postponed."""
    failures = ledger.builds.build_failures(combination.report.key)
    suspects = [day for day in days if day in failures]
    sources = _sources(combination, suspects, ledger) if suspects else {}
    held: dict[date, PostponedBuild] = {}
    for day in suspects:
        own = [failure for failure in failures[day] if failure.sources == sources[day]]
        until = _until(own, day, now)
        if until is not None:
            held[day] = PostponedBuild(day=day, times=len(own), cause=own[-1].cause, until=until)
    return held


def builds_to_attempt(combination: CombinedReport, days: Collection[date], *, ledger: Ledger) -> str:
    """Return a key of what would be built of `days`; it changes with everything that they are built from."""
    builds = ledger.builds.builds(combination.report.key)
    sources = _sources(combination, days, ledger)
    return _digest([(sources[day], builds[day].history if day in builds else 0) for day in sorted(days)])[:16]


def _sources(combination: CombinedReport, days: Collection[date], ledger: Ledger) -> dict[date, str]:
    """Return a hash of each day's sources: which have landed, in which version, when, and how they are declared."""
    declared = [combination.report.version, *(source.report.version for source in combination.sources)]
    landed = ledger.builds.landed_sources(_keys(combination), days)
    return {day: _digest([declared, landed[day]]) for day in days}


def _keys(combination: CombinedReport) -> list[str]:
    return [source.report.key for source in combination.sources]


def _until(failures: Sequence[BuildFailure], day: date, now: datetime) -> datetime | None:
    return paused_until({day: [Failure(failure.failed_at) for failure in failures]}, day, now)


def _digest(what: object) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:32]


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d at %H:%M} UTC"
