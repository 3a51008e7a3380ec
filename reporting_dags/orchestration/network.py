"""`network/daily`: built from the partitions of other assets as they land, and again when one of them is restated."""

from collections.abc import Iterator

import dagster as dg

from reporting_dags.jobs.building.build import due_builds
from reporting_dags.jobs.building.retries import builds_to_attempt, postponed_builds
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import contiguous_ranges
from reporting_dags.model.errors import ReportingError
from reporting_dags.orchestration.asset_checks import CURRENCY_KNOWN, SOURCES_LANDED
from reporting_dags.orchestration.asset_specs import CatalogSettings, dataset_spec
from reporting_dags.orchestration.keys import key_of, op_name
from reporting_dags.orchestration.network_build import NETWORK_DAILY, SUMS_MATCH, NetworkDays, build_days, evaluate_days
from reporting_dags.orchestration.partitions import day_partitions, offered, same_day
from reporting_dags.orchestration.run_requests import run_request
from reporting_dags.orchestration.storage import TICK_LOCK_SECONDS, StorageResource
from reporting_dags.reports.network import CURRENCIES, NETWORK, SOURCES

_KEY = key_of(NETWORK)
_UNDER_WAY = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
)


def network_asset(network: NetworkDays, catalog: CatalogSettings) -> dg.AssetsDefinition:
    """Return the asset. A day is built from the sources that have landed: a late source does not delay the others."""
    calendar = network.calendar
    partitions = day_partitions(calendar, network.first)
    deps = [
        dg.AssetDep(key_of(source.report), partition_mapping=same_day(source.report.calendar, calendar))
        for source in SOURCES
    ]
    deps += [dg.AssetDep(key_of(CURRENCIES))] if CURRENCIES is not None else []

    @dg.multi_asset(
        name=op_name(NETWORK),
        specs=[dataset_spec(NETWORK, catalog, partitions, deps=deps)],
        check_specs=[
            dg.AssetCheckSpec(
                SOURCES_LANDED,
                asset=_KEY,
                description="Every connected source has landed the day, if it has published it. A warning: the day is "
                "built again when the source lands.",
                partitions_def=partitions,
            ),
            dg.AssetCheckSpec(
                SUMS_MATCH,
                asset=_KEY,
                description="The money read from each source equals the sum that was recorded when it landed, to the "
                "last decimal. Of Integr8, whose rejected rows earn nothing, the rows are compared. If it fails, "
                "nothing is published: verify the source's partition.",
                partitions_def=partitions,
                blocking=True,
            ),
            dg.AssetCheckSpec(
                CURRENCY_KNOWN,
                asset=_KEY,
                description="The currency of all money is known. A warning: the row is kept, with an empty currency.",
                partitions_def=partitions,
            ),
        ],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"home"},
    )
    def daily(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        if _KEY in context.selected_asset_keys:
            yield from build_days(context, network)
        else:
            yield from evaluate_days(context, network)

    return daily


def rebuilding(network: NetworkDays) -> dg.SensorDefinition:
    """Return the sensor that builds days whose sources have changed; on by default, because it calls no provider."""

    @dg.sensor(
        name="network_daily_rebuild",
        target=[_KEY],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Builds a day of network/daily when one of its sources has landed or was restated. A day that "
        "failed is built again when a source lands again, or after a pause that grows up to 23 hours.",
    )
    def rebuild(context: dg.SensorEvaluationContext, home: StorageResource) -> Iterator[dg.RunRequest | dg.SkipReason]:
        busy = context.instance.get_runs(dg.RunsFilter(statuses=list(_UNDER_WAY)))
        if any(_KEY in (run.asset_selection or ()) for run in busy):
            yield dg.SkipReason("a run is building network/daily")
            return
        try:
            with home.open(context.instance, lock_seconds=TICK_LOCK_SECONDS) as opened:
                now = SystemClock().now()
                days = due_builds(NETWORK_DAILY, since=network.first, ledger=opened.ledger)
                days = offered(network.calendar, network.first, days, now)
                held = postponed_builds(NETWORK_DAILY, days, ledger=opened.ledger, now=now)
                ready = contiguous_ranges(day for day in days if day not in held)
                attempts = [
                    (stretch, builds_to_attempt(NETWORK_DAILY, stretch.days, ledger=opened.ledger)) for stretch in ready
                ]
        except ReportingError as error:
            yield dg.SkipReason(error.line)
            return
        message = "; ".join(map(str, list(held.values())[:10]))
        if not attempts:
            yield dg.SkipReason(message or "every day is built from the latest version of its sources")
        elif message:
            context.log.info(message)
        # The hour lets a run be launched again whose process was killed before it recorded anything.
        hour = now.strftime("%Y-%m-%dT%H")
        for stretch, state in attempts:
            yield run_request(NETWORK, stretch, reason=f"sources:{state}:{hour}")

    return rebuild
