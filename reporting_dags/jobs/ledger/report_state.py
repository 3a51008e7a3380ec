"""What the ledger knows of a report at one moment: the input of every plan."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.planning.control_totals import differences, failed_attempts
from reporting_dags.jobs.planning.due import due_partitions
from reporting_dags.jobs.records import ReportState
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.report import Report

FAILURE_MEMORY = timedelta(days=7)
"""For how long the failure of a day counts: it delays the next attempt."""


def load_report_state(report: Report, ledger: Ledger, now: datetime) -> ReportState:
    """Return what the ledger knows of `report`, with the failures of the last `FAILURE_MEMORY`."""
    control = report.control.key if report.control else ""
    of_query = {"control": control, "query_hash": report.query_hash, "parser_hash": report.parser_hash}
    state = ledger.report_state(report.key, since=now - FAILURE_MEMORY, **of_query)
    version = report.version
    if any(facts.scope is None and facts.code_version == version for facts in state.landed.values()):
        # Of an earlier release, which did not record it.
        ledger.materializations.fill_scope(report.key, version, report.scope(report.requested_shards))
        state = ledger.report_state(report.key, since=now - FAILURE_MEMORY, **of_query)
    days = [item.day for item in differences(state.landed, state.control, {})]
    if not days:
        return state
    totals = {day: state.control[day] for day in days}
    tries = failed_attempts(
        totals, ledger.materializations.history(control, days), ledger.materializations.history(report.key, days)
    )
    return replace(state, control_attempts=tries)


def due_days(report: Report, *, since: date, ledger: Ledger, data: Store, now: datetime) -> list[date]:
    """Return the days that are due now, oldest first; see `due`."""
    state = load_report_state(report, ledger, now)
    return [item.day for item in due_partitions(report, state, since=since, sizes=data.sizes(report.key), now=now)]
