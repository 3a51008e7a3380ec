"""Which days a report should be asked for now: reachable and missing, or due again by the plan of restatements."""

from datetime import date, datetime
from typing import Any

from reporting_dags.jobs.ledger import Ledger
from reporting_dags.landing.store import Store
from reporting_dags.model.days import Window
from reporting_dags.model.report import Report


def due_days(report: Report[Any], *, since: date, ledger: Ledger, data: Store, now: datetime) -> list[date]:
    """The due days of `report` from `since` on, oldest first.

    A day counts as missing when the ledger has not landed it, when its file at the data root is gone or of another
    size, when it landed under another declaration of the report, or when a run that was killed left its landing
    unfinished.
    """
    calendar = report.calendar
    oldest = calendar.oldest(now)
    first, last = max(since, oldest) if report.partitioned else oldest, calendar.newest(now)
    if last < first:
        return []
    landed = ledger.days(report.key)
    asked = {
        day: facts.asked_at
        for day, facts in landed.items()
        if facts.version == report.version and data.size(report.file(day)) == facts.size
    }
    unfinished = ledger.open_days(report.key)
    return [day for day in Window(first, last).days if day in unfinished or calendar.due(day, asked.get(day), now)]
