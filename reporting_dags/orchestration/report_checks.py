"""Report checks: checks of a report as a whole, recorded at the end of each run and by the late-data sensor."""

from datetime import date
from typing import cast

import dagster as dg

from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning.report_health import NEEDS_ACTION, REPORT_CHECKS, report_health
from reporting_dags.landing.checks.partition import CheckResult
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import severity
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.storage import OpenStorage, with_settings


def record_report_checks(context: dg.AssetExecutionContext, report: Report, start: date, opened: OpenStorage) -> None:
    """Evaluate the selected checks of `report` as a whole; they read only the ledger.

    They are logged without a materialization: with one, Dagster would show no result after another partition has
    landed.

    Raises:
        StorageError: the ledger cannot be read.
    """
    selected = {key.name for key in context.selected_asset_check_keys} & set(REPORT_CHECKS)
    if not selected:
        return
    requested, now = with_settings(report), SystemClock().now()
    for check in report_health(requested, load_report_state(requested, opened.ledger, now), since=start, now=now):
        if check.name in selected:
            # `log_event` records check evaluations at run time, though its annotation does not list them.
            context.log_event(cast("dg.AssetObservation", report_check_event(report, check)))


def report_check_event(report: Report, check: CheckResult) -> dg.AssetCheckEvaluation:
    """Return the result of a report check as an event without a run."""
    return dg.AssetCheckEvaluation(
        asset_key=key_of(report),
        check_name=check.name,
        passed=check.passed,
        severity=severity(check),
        metadata=_metadata(check),
        description=check.detail,
    )


def _metadata(check: CheckResult) -> dict[str, int | float | str]:
    """Return the metadata of a result; if it has not passed, it says whether a person must act."""
    return {**({} if check.passed else {NEEDS_ACTION: True}), **check.facts}
