"""`network/settling`: how complete each report is by the age of a day, as a chart and a table in the UI, once a day."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from reporting_dags.jobs.planning.restatement import RestatementCurve, restatement_curve
from reporting_dags.model.days import contiguous_ranges
from reporting_dags.model.errors import ReportingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_specs import CatalogSettings
from reporting_dags.orchestration.charts import line_chart
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.storage import StorageResource
from reporting_dags.reports.network import NETWORK

KEY = dg.AssetKey([NETWORK.provider, "settling"])
LONG_ENOUGH = "declared_ages_long_enough"
_AGES = (0, 1, 2, 3, 5, 7, 10, 14, 21, 30)


def restatement_asset(reports: Sequence[Report], catalog: CatalogSettings) -> dg.AssetsDefinition:
    """Return the asset that shows how complete each daily report is by the age of a day."""

    @dg.asset(
        key=KEY,
        group_name=NETWORK.provider,
        deps=[key_of(report) for report in reports if report.partitioned],
        description="How complete each report is by the age of a day: the median share of the latest amount that was "
        "known at each age, from every materialization in the ledger.",
        check_specs=[
            dg.AssetCheckSpec(
                LONG_ENOUGH,
                asset=KEY,
                description="No report changed after the last age at which its declaration requests it again. A "
                "warning: add a later age to restated_at.",
            )
        ],
        required_resource_keys={"home"},
        kinds={"picture"},
        owners=catalog.owners,
        output_required=False,
    )
    def drawn(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        home: StorageResource = context.resources.home
        try:
            with home.open(context.instance) as opened:
                results = [
                    restatement_curve(report, opened.ledger.materializations.history(report.key))
                    for report in reports
                    if report.partitioned
                ]
        except ReportingError as error:
            raise dg.Failure(error.line, allow_retries=False) from None
        yield dg.MaterializeResult(metadata=_metadata(results), check_results=[_long_enough(results)])

    return drawn


def restatement_schedule() -> dg.ScheduleDefinition:
    """Return the daily schedule of the asset; on by default, because it calls no provider."""
    return dg.ScheduleDefinition(
        name="settling_daily",
        cron_schedule="30 14 * * *",
        target=dg.AssetSelection.assets(KEY),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Draws how complete each report is by the age of a day.",
    )


def _metadata(found: Sequence[RestatementCurve]) -> dict[str, Any]:
    rows = [
        dg.TableRecord(
            {
                "report": item.report,
                "days seen again": item.days,
                "last change at age": "never" if item.last_change is None else str(item.last_change),
                **{
                    f"known at age {age}": f"{item.known_share[age]:.4%}" if age in item.known_share else ""
                    for age in _AGES
                },
            }
        )
        for item in found
    ]
    return {"curves": _picture(found), "table": dg.MetadataValue.table(rows)}


def _picture(found: Sequence[RestatementCurve]) -> dg.MarkdownMetadataValue:
    """Return the curves as a picture, or a sentence while no day has landed twice."""
    lines: dict[str, dict[int | date, float]] = {
        item.report: {age: 100 * share for age, share in item.known_share.items()}
        for item in found
        if len(item.known_share) > 1
    }
    if not lines:
        return dg.MetadataValue.md("No day has landed more than once yet.")
    return line_chart(
        lines,
        title="How complete each report is by age",
        x="age of the day when it was requested, in days since it was published",
        y="known, % of the latest amount",
    )


def _long_enough(found: Sequence[RestatementCurve]) -> dg.AssetCheckResult:
    late = [item for item in found if item.late]
    message = "; ".join(
        f"{item.report} changed at the age of {item.last_change} days, after the last at which it is requested again: "
        f"{', '.join(str(stretch) for stretch in contiguous_ranges(item.late)[:5])}; give restated_at a later age"
        for item in late
    )
    return dg.AssetCheckResult(
        check_name=LONG_ENOUGH,
        passed=not late,
        severity=dg.AssetCheckSeverity.WARN,
        description=message or "no report changed later than it declares",
    )
