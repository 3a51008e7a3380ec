"""How a report stands as a whole, whatever its last run did: what is missing, failed, in danger, or disputed.

Told from the ledger alone, so that it costs nothing and can be asked at any time.
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
    NEWEST_DAY: "The newest day that is out has landed; from three quarters of an hour after it is out.",
    NO_DAY_MISSING: "Every day that the provider still serves has landed, under the declaration as it is now.",
    NO_DAY_FAILED: "No day is left whose last answer failed.",
    NO_DAY_IN_DANGER: "No day that is missing or due again is about to fall out of the provider's reach.",
    CONTROL_TOTALS: "The days add up to what a second, coarser query says, to the cent.",
}
GRACE = timedelta(minutes=45)
"""From a day's publication until it is missed."""
EXPIRY_WARNING = timedelta(days=3)
"""A day that is lost within so long is in danger."""
NEEDS_ACTION = "needs_action"
"""Fact of a check that has not passed: whether a person has to do something about it."""
_WITHOUT_CONTROL = timedelta(days=2)
"""Days that have gone on landing for so long since the last control totals are held against nothing."""
_LASTING = "What differs still after two landings more is not asked for again until its total changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthInputs:
    """What the checks are made of: the days that are due, landed and failed, at a moment; `since` is the first.

    `wider` are the landed days that cover more than is requested now, and what of it a new answer would lose; `kept`
    are days of which a refused answer is stored that the declaration may read by now.
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
    found = [_newest(facts), _missing(facts), _failed(facts), _in_danger(facts)]
    if not (known.landed or known.in_flight or known.failures):
        text = f"nothing has been requested yet: turn on the schedule of {report.provider}, or materialize partitions"
        found = [_waiting(check.name, text) if not check.passed else check for check in found]
    if report.control is not None:
        found.append(_control(report, known, since))
    return found


def _waiting(name: str, text: str) -> CheckResult:
    """Return the result of a check that has not passed, and needs nothing but time."""
    return CheckResult(name=name, passed=False, blocking=False, detail=text, facts={NEEDS_ACTION: False})


def _newest(facts: HealthInputs) -> CheckResult:
    calendar = facts.report.calendar
    # A day is missed from some time after it is out on: until then the one before is the newest to be missed.
    day = calendar.latest_available(facts.now - GRACE)
    if day < facts.since:
        return _result(facts, NEWEST_DAY, [], "no day is out yet")
    present = day in facts.landed
    published = _at(calendar.published_at(day))
    text = f"{day} has landed" if present else f"{day} has not landed; it was published on {published}"
    return _result(facts, NEWEST_DAY, [] if present else [day], text)


def _missing(facts: HealthInputs) -> CheckResult:
    calendar = facts.report.calendar
    asked = (DueReason.MISSING, DueReason.IN_FLIGHT)
    days = [
        one.day
        for one in facts.due
        if one.reason in asked and one.day not in facts.landed and facts.now >= calendar.published_at(one.day) + GRACE
    ]
    other = [one for one in facts.due if one.reason is DueReason.MISSING and one.day in facts.landed]
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
        text += f"; {_listed([one.day for one in other])} {other[0].message}"
    if facts.wider:
        lost = next(iter(facts.wider.values()))
        text += f"; {_listed(list(facts.wider))} covers more than is requested now and stays as it is ({lost})"
    return _result(facts, NO_DAY_MISSING, [*missing, *(one.day for one in other)], text)


def _waits(facts: HealthInputs, day: date) -> bool:
    """Whether a day that is missing lands without anybody's help: it was requested, or its quota is renewed."""
    if any(one.day == day and one.reason is DueReason.IN_FLIGHT for one in facts.due):
        return True
    return any(one.retry_at is not None and one.retry_at > facts.now for one in facts.failures.get(day, ())[-1:])


def _failed(facts: HealthInputs) -> CheckResult:
    days = sorted(day for day in facts.failures if day >= facts.since)
    text = f"failed, and not landed since: {_listed(days)}" if days else "no failed days"
    return _result(facts, NO_DAY_FAILED, days, text)


def _in_danger(facts: HealthInputs) -> CheckResult:
    # A day whose answer is stored can land without the provider.
    expiring = [one for one in facts.due if one.expires_at is not None and one.day not in facts.kept]
    soon = [one for one in expiring if one.expires_at is not None and one.expires_at - facts.now <= EXPIRY_WARNING]
    causes: dict[str, list[DuePartition]] = {}
    for one in soon:
        causes.setdefault(one.cause, []).append(one)
    text = "; ".join(_lost(group, facts.now) for group in causes.values())
    return _result(facts, NO_DAY_IN_DANGER, [one.day for one in soon], text or "none")


def _lost(group: Sequence[DuePartition], now: datetime) -> str:
    """Days that are due for one cause, and from when on they are out of reach."""
    moments = [one.expires_at or now for one in group]
    begins = f"lost on {_at(min(moments))}" if len(set(moments)) == 1 else f"lost from {_at(min(moments))} on"
    return f"{describe_due(group)[0]}, {begins}"


def _control(report: Report, known: ReportState, since: date) -> CheckResult:
    without = _without_control(known)
    if not days_compared(known.landed, known.control) and not without:
        text = "nothing to compare yet: the late-data sensor requests control totals once a day"
        return _waiting(CONTROL_TOTALS, text)
    # What landed after the control was asked for is for the next control to judge.
    differing = differences(known.landed, known.control, known.control_attempts)
    found = [one for one in differing if one.day >= since and (one.is_recent if one.is_lasting else one.newer)]
    text = "; ".join(map(str, found[:10])) or f"{days_compared(known.landed, known.control)} days add up"
    again = [one.day for one in found if not one.is_lasting]
    text += "" if len(again) == len(found) else f". {_LASTING}"
    return CheckResult(
        name=CONTROL_TOTALS,
        passed=not found and not without,
        detail="; ".join(filter(None, [without, text])) + _fix(report, again),
        facts={
            "days_compared": days_compared(known.landed, known.control),
            "count": len(found),
            "days": ranges(one.day for one in found),
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
    """The command that asks for `days` again."""
    command = "dagster asset materialize -m reporting_dags.definitions --select"
    found = contiguous_ranges(days)
    first, last = found[0].first, found[0].last
    which = f"--partition {first}" if first == last else f"--partition-range {first}...{last}"
    more = f", and so on for {len(found) - 1} more contiguous_ranges" if len(found) > 1 else ""
    return f"{command} {report.key} {which}{more}"


def _listed(days: Sequence[date]) -> str:
    return ranges(days, most=MAX_RANGES)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d at %H:%M} UTC"
