"""One declaration becomes one asset: daily partitions, checks, and the resource of its provider."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import check_specs
from reporting_dags.orchestration.asset_specs import CatalogSettings, dataset_spec
from reporting_dags.orchestration.evaluate_checks import evaluate_checks
from reporting_dags.orchestration.keys import key_of, op_name
from reporting_dags.orchestration.materialize import ReportConfig, materialize
from reporting_dags.orchestration.partitions import day_partitions


def report_asset(report: Report, start: date, first: date, catalog: CatalogSettings) -> dg.AssetsDefinition:
    """Return the asset of `report`; its resource has the key of its provider.

    Args:
        report: the declaration.
        start: the first day by the settings.
        first: the first partition; see `first_partitions`.
        catalog: the settings that all assets share.
    """
    partitions = day_partitions(report.calendar, first) if report.partitioned else None
    key = key_of(report)

    # In a `multi_asset` alone may an asset or a check have no result: each day is recorded by an event of its own, and
    # there are runs in which no day ends.
    @dg.multi_asset(
        name=op_name(report),
        specs=[
            dataset_spec(
                report,
                catalog,
                partitions,
                metadata={
                    "grain_promised": report.grain_promised,
                    "timezone": report.calendar.timezone,
                    "published_after_day_end": str(report.calendar.publish_delay),
                    "restated_at_ages_in_days": ", ".join(str(age) for age in report.calendar.restated_at) or "never",
                },
            )
        ],
        check_specs=check_specs(report, partitions),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={report.provider, "home"},
        pool=report.provider,
    )
    def asset(
        context: dg.AssetExecutionContext, config: ReportConfig
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        if key in context.selected_asset_keys:
            yield from materialize(context, report, config, start)
        else:
            yield from evaluate_checks(context, report, start)

    return asset
