"""What the month came to: days against the provider's last truth, calls against the least and against lookbacks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from reporting_dags.jobs.building.build import due_builds as combined_due
from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning.report_health import NEWEST_DAY, report_health
from reporting_dags.jobs.planning.windows import plan_windows
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.report import Report
from reporting_dags.orchestration.network import NETWORK_DAILY
from reporting_dags.orchestration.storage import OpenStorage, with_settings
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS
from reporting_dags_tests.month.clockwork import Deployment, Verdict
from reporting_dags_tests.truth import expected_rows, landed_rows

LOOKBACKS = (7, 30)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one report cost, in calls that the provider counts and in days that were pulled.

    Attributes:
        report: which.
        days: that were published by the end.
        right: of them, those that are stored as the provider last had them.
        calls: spent, its control totals included.
        controls: of them, those for control totals.
        least: what knowing beforehand when a day is published, and when it has changed for the last time, would have
            cost.
        lookbacks: what the last 7 and the last 30 days, pulled every day, would have cost.
        pulled: days that were pulled, each as often as it was.
        least_pulled: as `least`, in days.
        lookbacks_pulled: as `lookbacks`, in days.
    """

    report: str
    days: int
    right: int
    calls: int
    controls: int
    least: int
    lookbacks: tuple[int, ...]
    pulled: int
    least_pulled: int
    lookbacks_pulled: tuple[int, ...]


def bill(
    report: Report, deployed: Deployment, opened: OpenStorage, database: Database, settled: date, settles: int
) -> Bill:
    """Reckon `report` up; days after `settled` may change still, and are held to what was true when requested.

    A day has changed for the last time `settles` days after it was published.
    """
    now = deployed.now
    days = Window(deployed.began, report.calendar.latest_available(now)).days
    landed = opened.ledger.materializations.days(report.key)
    parts = len(USER_LEVEL_APPS) if report.variable else 1
    asked = _asked(report, database)
    least = [_oracle(day, deployed.began, settles) for day in days]
    lookbacks = [[_lookback(report, day, deployed.began, length) for day in days] for length in LOOKBACKS]
    return Bill(
        report=report.key,
        days=len(days),
        right=sum(_right(report, deployed, opened, landed.get(day), day, settled) for day in days),
        calls=sum(calls for calls, _, control in asked if not control or _costs(report)),
        controls=sum(calls for calls, _, control in asked if control and _costs(report)),
        least=parts * sum(len(plan_windows(wanted, report.window_days)) for wanted in least),
        lookbacks=tuple(parts * sum(len(plan_windows(one, report.window_days)) for one in of) for of in lookbacks),
        pulled=sum(calls * length for calls, length, control in asked if not control) // parts,
        least_pulled=sum(map(len, least)),
        lookbacks_pulled=tuple(sum(map(len, of)) for of in lookbacks),
    )


def _asked(report: Report, database: Database) -> list[tuple[int, int, bool]]:
    """Of each job: how often it was submitted, its days, and whether it is of the control."""
    control = report.control.key if report.control is not None else ""
    jobs = tables.jobs
    query = sa.select(jobs).where(jobs.c.report.in_([report.key, control]), jobs.c.submitted_at.is_not(None))
    rows = database.read(lambda connection: connection.execute(query).all())
    return [(1 + row.resends, len(Window(row.first_day, row.last_day)), row.report == control) for row in rows]


def _costs(report: Report) -> bool:
    """Whether a control of the report costs what the report does: Integr8 counts exports, and a count is none."""
    return report.provider != "integr8"


def _oracle(newest: date, began: date, settles: int) -> list[date]:
    """Return the days to request when `latest` is published: itself, and the one that changed for the last time."""
    settled = newest - settles * ONE_DAY
    return sorted({newest, *([settled] if settled >= began else [])})


def _lookback(report: Report, newest: date, began: date, length: int) -> list[date]:
    """The last `length` days that can be had when `latest` is published."""
    oldest = report.calendar.earliest_available(report.calendar.published_at(newest))
    return Window(max(began, newest - (length - 1) * ONE_DAY, min(oldest, newest)), newest).days


def _right(
    report: Report,
    deployed: Deployment,
    opened: OpenStorage,
    facts: MaterializationRecord | None,
    day: date,
    settled: date,
) -> bool:
    """Whether the day is stored as the provider last had it; a fresh one as it was when requested, or landed."""
    if facts is None:
        return False
    asked = with_settings(report)
    moments = (None,) if day <= settled else (None, facts.requested_at, facts.landed_at)
    lies = landed_rows(opened.data, asked, day)
    return any(expected_rows(deployed.sandbox, asked, day, at) == lies for at in moments)


def slowly_told(report: Report, verdicts: Sequence[Verdict], database: Database, days: Sequence[date]) -> Iterator[str]:
    """Days that were not there an hour after they were published, and were not called missing by then."""
    first = _first_landings(report, database)
    for day in days:
        out = report.calendar.published_at(day)
        if first.get(day, datetime.max.replace(tzinfo=out.tzinfo)) <= out + _HOUR:
            continue
        mine = [one for one in verdicts if one.report == report.key and one.check == NEWEST_DAY]
        if not any(out < one.at <= out + _HOUR and not one.passed and str(day) in one.told for one in mine):
            yield f"{report.key} {day}"


def late_days(report: Report, database: Database, days: Sequence[date]) -> int:
    """How many days were not there an hour after they should have been out."""
    first = _first_landings(report, database)
    return sum(first[day] > report.calendar.published_at(day) + _HOUR for day in days if day in first)


def _first_landings(report: Report, database: Database) -> dict[date, datetime]:
    landings = tables.landings
    query = sa.select(landings.c.day, landings.c.landed_at).where(landings.c.report == report.key)
    found: dict[date, datetime] = {}
    for day, at in database.read(lambda connection: connection.execute(query).tuples().all()):
        found[day] = min(at, found.get(day, at))
    return found


def not_standing(report: Report, deployed: Deployment, opened: OpenStorage) -> list[str]:
    """Standing checks that fail at the end."""
    asked, now = with_settings(report), deployed.now
    found = report_health(asked, load_report_state(asked, opened.ledger, now), since=deployed.began, now=now)
    return [f"{report.key} {check.name}: {check.detail}" for check in found if not check.passed]


def not_combined(deployed: Deployment, opened: OpenStorage) -> list[str]:
    """Days of network/daily that were not built from their sources as they are."""
    return [f"network/daily {day}" for day in combined_due(NETWORK_DAILY, since=deployed.began, ledger=opened.ledger)]


def open_hours(database: Database) -> float:
    """For how many hours jobs were open at the providers, all of them together."""
    jobs = tables.jobs
    query = sa.select(jobs.c.submitted_at, jobs.c.closed_at).where(
        jobs.c.submitted_at.is_not(None), jobs.c.closed_at.is_not(None)
    )
    rows = database.read(lambda connection: connection.execute(query).tuples().all())
    return sum((closed - asked).total_seconds() for asked, closed in rows) / 3600


def causes(failed: Sequence[str]) -> Counter[str]:
    """Runs that failed, by what the provider said."""
    return Counter(line.split(": ", 1)[-1][:90] for line in failed)
