"""What the ledger knows of a report at one moment: the input of every plan."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.planning.control_totals import differences, times_in_vain
from reporting_dags.jobs.planning.due import due
from reporting_dags.jobs.records import Known
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.report import Report

FAILURE_MEMORY = timedelta(days=7)
"""For how long the failure of a day counts: it delays the next attempt."""


def known(report: Report, ledger: Ledger, now: datetime) -> Known:
    """Return what the ledger knows of `report`, with the failures of the last `FAILURE_MEMORY`."""
    control = report.control.key if report.control else ""
    of_query = {"control": control, "fingerprint": report.query_hash, "form": report.form}
    state = ledger.known(report.key, since=now - FAILURE_MEMORY, **of_query)
    version = report.version
    if any(facts.scope is None and facts.version == version for facts in state.landed.values()):
        # Of an earlier release, which did not record it.
        ledger.fill_scope(report.key, version, report.scope(report.requested_parts))
        state = ledger.known(report.key, since=now - FAILURE_MEMORY, **of_query)
    days = [one.day for one in differences(state.landed, state.control, {})]
    if not days:
        return state
    totals = {day: state.control[day] for day in days}
    tries = times_in_vain(totals, ledger.history(control, days), ledger.history(report.key, days))
    return replace(state, tries=tries)


def due_days(report: Report, *, since: date, ledger: Ledger, data: Store, now: datetime) -> list[date]:
    """Return the days that are due now, oldest first; see `due`."""
    state = known(report, ledger, now)
    return [one.day for one in due(report, state, since=since, sizes=data.sizes(report.key), now=now)]
