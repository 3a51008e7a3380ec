"""The health of a report as a whole: what is missing, failed, about to expire, or different from control totals.

It is computed from the ledger alone, so it costs no call and can be evaluated at any time.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reporting_dags.jobs.planning.control_totals import days_compared, differences
from reporting_dags.jobs.planning.due import (
    MAX_RANGES,
    DuePartition,
    DueReason,
    describe_due,
    due_partitions,
    wider_partitions,
)
from reporting_dags.jobs.records import Failure, ReportState
from reporting_dags.landing.checks.partition import CheckResult
from reporting_dags.model.days import contiguous_ranges, ranges
from reporting_dags.model.report import Report

NEWEST_DAY = "newest_day"
NO_DAY_MISSING = "no_day_missing"
NO_DAY_FAILED = "no_day_failed"
NO_DAY_IN_DANGER = "no_day_in_danger"
CONTROL_TOTALS = "control_totals"
REPORT_CHECKS: Mapping[str, str] = {
    NEWEST_DAY: "The latest published day is materialized, 45 minutes after its publication at the latest. If it "
    "fails, look at the report's last run.",
    NO_DAY_MISSING: "Every day that the provider still serves is materialized under the current declaration. If it "
    "fails, turn on the schedule, or backfill the missing partitions.",
    NO_DAY_FAILED: "No day failed at its last attempt. If it fails, the page of the partition shows cause and fix.",
    NO_DAY_IN_DANGER: "No missing or stale day expires at the provider within three days. If it fails, materialize the "
    "days now: later they cannot be requested.",
    CONTROL_TOTALS: "The landed days equal the totals of a second, coarser query, to the cent. If it fails, the "
    "days are requested again; a difference that stays is a question to the provider.",
}
GRACE = timedelta(minutes=45)
"""From a day's publication until it counts as missing."""
EXPIRY_WARNING = timedelta(days=3)
"""A day that expires at the provider within this time is in danger."""
NEEDS_ACTION = "needs_action"
"""Fact of a check that has not passed: whether a person has to do something about it."""
_WITHOUT_CONTROL = timedelta(days=2)
"""If days landed for this long since the last control totals, the check fails."""
_LASTING = "After two further mismatches a day is not requested again until its control total changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthInputs:
    """What the checks are made of: the days that are due, landed and failed, at a moment; `since` is the first.

    `wider` are the landed days that cover more than is requested now, and what of it a new response would lose; `kept`
    are days of which a refused response is stored that the declaration may read by now.
    """

    report: Report
    since: date
    due: Sequence[DuePartition]
    landed: Collection[date]
    failures: Mapping[date, Sequence[Failure]]
    wider: Mapping[date, str]
    kept: Collection[date]
    now: datetime


def report_health(report: Report, known: ReportState, *, since: date, now: datetime) -> list[CheckResult]:
    """The standing checks of `report`, in the order of `STANDING`; a control only where the report has one."""
    days = due_partitions(report, known, since=since, sizes=None, now=now)
    facts = HealthInputs(
        report=report,
        since=since,
        due=days,
        landed=known.landed,
        failures=known.failures,
        wider=wider_partitions(report, known),
        kept=known.replayable,
        now=now,
    )
    results = [_newest(facts), _missing(facts), _failed(facts), _in_danger(facts)]
    if not (known.landed or known.in_flight or known.failures):
        text = f"nothing has been requested yet: turn on the schedule of {report.provider}, or materialize partitions"
        results = [_waiting(check.name, text) if not check.passed else check for check in results]
    if report.control is not None:
        results.append(_control(report, known, since))
    return results


def _waiting(name: str, text: str) -> CheckResult:
    """Return the result of a check that has not passed, and needs nothing but time."""
    return CheckResult(name=name, passed=False, blocking=False, detail=text, facts={NEEDS_ACTION: False})


def _newest(facts: HealthInputs) -> CheckResult:
    calendar = facts.report.calendar
    # A day is missed from some time after it is published on: until then the one before is the latest to be missed.
    day = calendar.latest_available(facts.now - GRACE)
    if day < facts.since:
        return _result(facts, NEWEST_DAY, [], "no day is published yet")
    present = day in facts.landed
    published = _at(calendar.published_at(day))
    text = f"{day} has landed" if present else f"{day} has not landed; it was published on {published}"
    return _result(facts, NEWEST_DAY, [] if present else [day], text)


def _missing(facts: HealthInputs) -> CheckResult:
    calendar = facts.report.calendar
    requested = (DueReason.MISSING, DueReason.IN_FLIGHT)
    days = [
        item.day
        for item in facts.due
        if item.reason in requested
        and item.day not in facts.landed
        and facts.now >= calendar.published_at(item.day) + GRACE
    ]
    other = [item for item in facts.due if item.reason is DueReason.MISSING and item.day in facts.landed]
    waiting = [day for day in days if _waits(facts, day)]
    missing = [day for day in days if day not in waiting]
    text = "; ".join(
        f"{text}: {_listed(some)}"
        for text, some in (("missing", missing), ("requested, or waiting for the renewal of a quota", waiting))
        if some
    )
    text = text or "all available partitions are materialized"
    if not missing and not other and waiting:
        return _waiting(NO_DAY_MISSING, text)
    if other:
        text += f"; {_listed([item.day for item in other])} {other[0].message}"
    if facts.wider:
        lost = next(iter(facts.wider.values()))
        text += f"; {_listed(list(facts.wider))} covers more than is requested now and stays as it is ({lost})"
    return _result(facts, NO_DAY_MISSING, [*missing, *(item.day for item in other)], text)


def _waits(facts: HealthInputs, day: date) -> bool:
    """Whether a day that is missing lands without anybody's help: it was requested, or its quota is renewed."""
    if any(item.day == day and item.reason is DueReason.IN_FLIGHT for item in facts.due):
        return True
    return any(item.retry_at is not None and item.retry_at > facts.now for item in facts.failures.get(day, ())[-1:])


def _failed(facts: HealthInputs) -> CheckResult:
    days = sorted(day for day in facts.failures if day >= facts.since)
    text = f"failed, and not landed since: {_listed(days)}" if days else "no failed days"
    return _result(facts, NO_DAY_FAILED, days, text)


def _in_danger(facts: HealthInputs) -> CheckResult:
    # A day whose response is stored can land without the provider.
    expiring = [item for item in facts.due if item.expires_at is not None and item.day not in facts.kept]
    soon = [item for item in expiring if item.expires_at is not None and item.expires_at - facts.now <= EXPIRY_WARNING]
    causes: dict[str, list[DuePartition]] = {}
    for item in soon:
        causes.setdefault(item.cause, []).append(item)
    text = "; ".join(_lost(group, facts.now) for group in causes.values())
    return _result(facts, NO_DAY_IN_DANGER, [item.day for item in soon], text or "none")


def _lost(group: Sequence[DuePartition], now: datetime) -> str:
    """Days that are due for one cause, and from when on they are older than retention."""
    moments = [item.expires_at or now for item in group]
    begins = f"lost on {_at(min(moments))}" if len(set(moments)) == 1 else f"lost from {_at(min(moments))} on"
    return f"{describe_due(group)[0]}, {begins}"


def _control(report: Report, known: ReportState, since: date) -> CheckResult:
    without = _without_control(known)
    if not days_compared(known.landed, known.control) and not without:
        text = "nothing to compare yet: the late-data sensor requests control totals once a day"
        return _waiting(CONTROL_TOTALS, text)
    # What landed after the control was requested is for the next control to judge.
    differing = differences(known.landed, known.control, known.control_attempts)
    results = [item for item in differing if item.day >= since and (item.is_recent if item.is_lasting else item.newer)]
    text = "; ".join(map(str, results[:10])) or f"{days_compared(known.landed, known.control)} days add up"
    again = [item.day for item in results if not item.is_lasting]
    text += "" if len(again) == len(results) else f". {_LASTING}"
    return CheckResult(
        name=CONTROL_TOTALS,
        passed=not results and not without,
        detail="; ".join(filter(None, [without, text])) + _fix(report, again),
        facts={
            "days_compared": days_compared(known.landed, known.control),
            "count": len(results),
            "days": ranges(item.day for item in results),
        },
    )


def _without_control(known: ReportState) -> str:
    """Say that days land without being compared with control totals; empty while they are compared."""
    landed = [facts.landed_at for facts in known.landed.values()]
    last = max((facts.requested_at for facts in known.control.values()), default=None)
    if not landed or max(landed) - (last or min(landed)) <= _WITHOUT_CONTROL:
        return ""
    since = f"none since {_at(last)}" if last is not None else "none so far"
    return f"days land, and there are no control totals ({since}): the late-data sensor's ticks say why"


def _result(facts: HealthInputs, name: str, days: Sequence[date], text: str) -> CheckResult:
    return CheckResult(
        name=name,
        passed=not days,
        detail=text + _fix(facts.report, days),
        facts={"count": len(days), "days": ranges(days)},
    )


def _fix(report: Report, days: Sequence[date]) -> str:
    return f". Fix: {command_for(report, days)}" if days else ""


def command_for(report: Report, days: Sequence[date]) -> str:
    """The command that requests `days` again."""
    command = "dagster asset materialize -m reporting_dags.definitions --select"
    result = contiguous_ranges(days)
    first, last = result[0].first, result[0].last
    which = f"--partition {first}" if first == last else f"--partition-range {first}...{last}"
    more = f", and so on for {len(result) - 1} more ranges" if len(result) > 1 else ""
    return f"{command} {report.key} {which}{more}"


def _listed(days: Sequence[date]) -> str:
    return ranges(days, most=MAX_RANGES)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d at %H:%M} UTC"
