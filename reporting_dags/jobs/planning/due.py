"""Which days a report should be requested now, and why: what is missing, bought, failed before, or to be restated."""

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
    RESTATED = "due again"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePartition:
    """A day that is due: why, in which words, since when, and when it expires at the provider, if ever."""

    day: date
    reason: DueReason
    message: str
    since: datetime
    expires_at: datetime | None

    @property
    def cause(self) -> str:
        """What days that are told of together have in common: amounts differ from day to day."""
        return self.reason if self.reason is DueReason.CHANGED else self.message


def describe_due(found: Iterable[DuePartition]) -> list[str]:
    """Return why days are due, one text for each cause; days as ranges, however many there are."""
    groups: dict[str, list[DuePartition]] = {}
    for item in found:
        groups.setdefault(item.cause, []).append(item)
    texts: list[str] = []
    for group in groups.values():
        others = f" and {len(group) - 1} more days" if group[0].reason is DueReason.CHANGED and len(group) > 1 else ""
        texts.append(f"{ranges((item.day for item in group), most=MAX_RANGES)}: {group[0].message}{others}")
    return texts


def max_window_days(report: Report, known: ReportState) -> int:
    """The most days that one query is worth covering: fewer once the provider has cut a response."""
    return effective_window_days(report.window_days, known.truncated)


def due_partitions(
    report: Report, known: ReportState, *, since: date, sizes: Mapping[str, int] | None, now: datetime
) -> list[DuePartition]:
    """The due days of `report` from `since` on, oldest first.

    A day counts as missing when the ledger has not landed it, when its file at the data root is gone or of another
    size, or when it landed under another declaration of which the one now covers all; as bought, when a response to it
    was requested whose landing was never finished. A day that covers more than is requested now is not due: a new
    answer could not replace it. `sizes` are the bytes of each file at the data root; without them the files are taken
    to be there.
    """
    calendar = report.calendar
    oldest = calendar.earliest_available(now)
    first, last = max(since, oldest) if report.partitioned else oldest, calendar.latest_available(now)
    # A stored response that the declaration can read by now needs no provider.
    days = [day for day in known.replayable if since <= day < oldest]
    days += Window(first, last).days if first <= last else []
    differing = differences(known.landed, known.control, known.control_attempts)
    changed = {item.day: item for item in differing if item.newer and not item.is_lasting}
    results: list[DuePartition] = []
    # Worked out from every column: once for all days.
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
            # A snapshot is not a day that changed: the one of today is missing.
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
    """The landed days that cover more than is requested now, each with what a new response would lose."""
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
    """The days between `days` that have landed, may still change, and come with the same queries: they cost nothing."""
    between = [
        day for window in plan_windows(days, max_window_days(report, known)) for day in window.days if day not in days
    ]
    landed, wider = known.landed, wider_partitions(report, known)
    changing = [day for day in between if day in landed and not report.calendar.is_final(day, landed[day].requested_at)]
    return [day for day in changing if day not in wider]


def paused_until(failures: Mapping[date, Sequence[Failure]], day: date, now: datetime) -> datetime | None:
    """Until when a day that failed is not requested, so that what fails for good spends little; None if it may be.

    A denial by a quota waits for its renewal and no longer, and makes no later pause longer.

    Args:
        failures: of each day, since it last landed.
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
    """Why a day counts as missing; empty if it is there."""
    if facts is None:
        return "missing"
    if facts.code_version != version:
        return "landed under another declaration"
    if not _is_stored(report, facts, sizes):
        gone = sizes is None or report.file(day) not in sizes
        return "its file is gone" if gone else "its file has another size than landed"
    return ""


def _is_stored(report: Report, facts: MaterializationRecord, sizes: Mapping[str, int] | None) -> bool:
    """Whether the file of a landed day is there with the size that it landed with."""
    return sizes is None or sizes.get(report.file(facts.day)) == facts.size


def _at_age(age: int) -> str:
    return f"due again at the age of {age} day{'s' * (age != 1)}"
