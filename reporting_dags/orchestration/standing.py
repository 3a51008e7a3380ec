"""Standing checks as Dagster sees them: of the report as a whole, told by the late-data sensor or run by hand."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from reporting_dags.jobs.due import known
from reporting_dags.jobs.standing import CONTROL_TOTALS, STANDING, standing
from reporting_dags.landing.checks import CheckResult
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.errors import ReportingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.home import ReportingHome, as_set
from reporting_dags.orchestration.keys import key_of, op_name


def standing_checks(report: Report[Any], start: date) -> dg.AssetChecksDefinition:
    """The standing checks of `report`, in one op: they read the ledger alone."""
    names = [name for name in STANDING if name != CONTROL_TOTALS or report.control is not None]

    @dg.multi_asset_check(
        name=f"{op_name(report)}__standing",
        specs=[dg.AssetCheckSpec(name, asset=key_of(report), description=STANDING[name]) for name in names],
        required_resource_keys={"home"},
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        home: ReportingHome = context.op_execution_context.resources.home
        try:
            with home.open(context.instance) as opened:
                asked, now = as_set(report), SystemClock().now()
                found = standing(asked, known(asked, opened.ledger, now), since=start, now=now)
        except ReportingError as error:
            raise dg.Failure(f"{report.key}: {error.line}", allow_retries=False) from None
        wanted = {key.name for key in context.selected_asset_check_keys}
        for check in found:
            if check.name in wanted:
                yield dg.AssetCheckResult(
                    asset_key=key_of(report),
                    check_name=check.name,
                    passed=check.passed,
                    description=check.detail,
                    metadata=dict(check.facts),
                )

    return checks


def standing_event(report: Report[Any], check: CheckResult) -> dg.AssetCheckEvaluation:
    """A standing check as an event of its own, without a run."""
    return dg.AssetCheckEvaluation(
        asset_key=key_of(report),
        check_name=check.name,
        passed=check.passed,
        metadata=dict(check.facts),
        description=check.detail,
    )
