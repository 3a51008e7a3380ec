"""Due partitions: which days of a report should be requested now, and why."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from reporting_dags.jobs.planning.control_totals import differences
from reporting_dags.jobs.planning.windows import effective_window_days, plan_windows
from reporting_dags.jobs.records import Failure, MaterializationRecord, ReportState
from reporting_dags.model.days import Window, ranges
from reporting_dags.model.report import Report

MAX_RANGES = 10
"""How many ranges of days a line lists."""
_FIRST_PAUSE = timedelta(hours=2, minutes=45)
_MAX_PAUSE = timedelta(hours=23)
_MAX_DOUBLINGS = 10


class DueReason(StrEnum):
    """Why a day is due."""

    MISSING = "missing"
    IN_FLIGHT = "requested, not landed"
    RESTATED = "restatement due"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePartition:
    """A day that is due.

    Attributes:
        day: the partition.
        reason: why it is due.
        message: the same as a text for users.
        since: when it became due.
        expires_at: when the provider stops serving it; None if it never does.
    """

    day: date
    reason: DueReason
    message: str
    since: datetime
    expires_at: datetime | None

    @property
    def cause(self) -> str:
        """The key by which days are grouped in messages: of changed days the reason, because amounts differ by day."""
        return self.reason if self.reason is DueReason.CHANGED else self.message


def describe_due(due: Iterable[DuePartition]) -> list[str]:
    """Return why days are due, one text for each cause, with the days as ranges."""
    groups: dict[str, list[DuePartition]] = {}
    for item in due:
        groups.setdefault(item.cause, []).append(item)
    texts: list[str] = []
    for group in groups.values():
        others = f" and {len(group) - 1} more days" if group[0].reason is DueReason.CHANGED and len(group) > 1 else ""
        texts.append(f"{ranges((item.day for item in group), most=MAX_RANGES)}: {group[0].message}{others}")
    return texts


def max_window_days(report: Report, known: ReportState) -> int:
    """Return the most days that one query should cover: fewer after the provider truncated a response."""
    return effective_window_days(report.window_days, known.truncated)


def due_partitions(
    report: Report, known: ReportState, *, since: date, sizes: Mapping[str, int] | None, now: datetime
) -> list[DuePartition]:
    """Return the due days of `report` from `since` on, oldest first.

    A day is missing if the ledger has no record of it, if its file is gone or of another size, or if it landed under
    another declaration that the current one covers completely. It is in flight if it was requested and did not land. A
    day that covers more than the current declaration is not due: a new response could not replace it.

    Args:
        report: the report, with its settings.
        known: what the ledger knows of it.
        since: the first day.
        sizes: bytes of each file at the data root, by key; None if all files are assumed to be there.
        now: the present moment.
    """
    calendar = report.calendar
    oldest = calendar.earliest_available(now)
    first, last = max(since, oldest) if report.partitioned else oldest, calendar.latest_available(now)
    # A stored response that the current declaration can read needs no call.
    days = [day for day in known.replayable if since <= day < oldest]
    days += Window(first, last).days if first <= last else []
    differing = differences(known.landed, known.control, known.control_attempts)
    changed = {item.day: item for item in differing if item.newer and not item.is_lasting}
    results: list[DuePartition] = []
    # The hash of all columns: computed once for all days.
    version = report.version
    wider = wider_partitions(report, known)
    for day in sorted(days):
        facts = known.landed.get(day)
        if facts is not None and day in wider and _is_stored(report, facts, sizes):
            continue
        message, asked_at = _missing(report, version, facts, sizes, day), facts.requested_at if facts else None
        out = calendar.published_at(day)
        if day in known.in_flight:
            why, message = DueReason.IN_FLIGHT, "requested, not landed yet"
        elif day in known.replayable:
            why, message = DueReason.MISSING, "has a stored response that did not land under an earlier declaration"
        elif message:
            why = DueReason.MISSING
        elif day in changed:
            why, message, out = DueReason.CHANGED, f"changed: {changed[day]}", known.control[day].requested_at
        elif calendar.is_due(day, asked_at, now):
            age = calendar.restatement_age(day, asked_at, now) if asked_at is not None else None
            # A snapshot has no restatement: the one of today is missing.
            why, message = (
                (DueReason.RESTATED, _at_age(age))
                if age is not None
                else (DueReason.MISSING, "taken on an earlier day")
            )
            out += timedelta(days=age or 0)
        else:
            continue
        results.append(
            DuePartition(day=day, reason=why, message=message, since=out, expires_at=calendar.expires_at(day))
        )
    return results


def wider_partitions(report: Report, known: ReportState) -> dict[date, str]:
    """Return the landed days that cover more than the current declaration, and what a new response would lose."""
    version, scope = report.version, report.scope(report.requested_shards)
    lost: dict[str, str] = {}
    results: dict[date, str] = {}
    for day, facts in sorted(known.landed.items()):
        if facts.scope is None or facts.code_version == version:
            continue
        if facts.scope.id not in lost:
            lost[facts.scope.id] = facts.scope.lost_in(scope)
        if lost[facts.scope.id]:
            results[day] = lost[facts.scope.id]
    return results


def included_for_free(report: Report, known: ReportState, days: Collection[date]) -> list[date]:
    """Return landed days that may still change and that the queries for `days` include anyway, at no cost."""
    between = [
        day for window in plan_windows(days, max_window_days(report, known)) for day in window.days if day not in days
    ]
    landed, wider = known.landed, wider_partitions(report, known)
    changing = [day for day in between if day in landed and not report.calendar.is_final(day, landed[day].requested_at)]
    return [day for day in changing if day not in wider]


def paused_until(failures: Mapping[date, Sequence[Failure]], day: date, now: datetime) -> datetime | None:
    """Return until when a day that failed is not requested again; None if it can be requested now.

    The pause doubles with each failure, up to 23 hours. A denial by a quota ends with its renewal and is not counted.

    Args:
        failures: the failures of each day since it last landed.
        day: the day.
        now: the present moment.
    """
    of_day = failures.get(day)
    if not of_day:
        return None
    last = max(of_day, key=lambda failure: failure.at)
    until = last.retry_at
    if until is None:
        count = sum(failure.retry_at is None for failure in of_day)
        until = last.at + min(_FIRST_PAUSE * 2 ** min(count - 1, _MAX_DOUBLINGS), _MAX_PAUSE)
    return until if until > now else None


def _missing(
    report: Report, version: str, facts: MaterializationRecord | None, sizes: Mapping[str, int] | None, day: date
) -> str:
    """Return why a day counts as missing; empty if it does not."""
    if facts is None:
        return "missing"
    if facts.code_version != version:
        return "landed under another declaration"
    if not _is_stored(report, facts, sizes):
        gone = sizes is None or report.file(day) not in sizes
        return "its file is gone" if gone else "its file has another size than landed"
    return ""


def _is_stored(report: Report, facts: MaterializationRecord, sizes: Mapping[str, int] | None) -> bool:
    """Return whether the file of a landed day exists with the recorded size."""
    return sizes is None or sizes.get(report.file(facts.day)) == facts.size


def _at_age(age: int) -> str:
    return f"restatement due at the age of {age} day{'s' * (age != 1)}"
