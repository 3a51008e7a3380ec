"""Everything that Dagster loads."""

import functools
import warnings
from collections.abc import Collection, Sequence
from datetime import date

import dagster as dg

from reporting_dags.model.clock import SystemClock
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_specs import CatalogSettings, read_catalog_settings
from reporting_dags.orchestration.assets import report_asset
from reporting_dags.orchestration.io_manager import ReportsIOManager
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.network import network_asset, rebuilding
from reporting_dags.orchestration.network_build import network_days
from reporting_dags.orchestration.partitions import first_partitions
from reporting_dags.orchestration.restatement import KEY as SETTLING
from reporting_dags.orchestration.restatement import restatement_asset, restatement_schedule
from reporting_dags.orchestration.schedules import provider_schedules
from reporting_dags.orchestration.sensors.alerts import Alerts, alert_sensor
from reporting_dags.orchestration.sensors.late_data import late_sensors
from reporting_dags.orchestration.storage import StorageResource, start_date
from reporting_dags.providers.resource import ProviderResource
from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.registry import all_providers, all_reports


@dg.definitions
def definitions() -> dg.Definitions:
    """The reports' assets with their checks, schedules and resources; loads with no variable set."""
    # Backfill policies are in beta and partitioned checks in preview; saying so at every command helps no user.
    for category in (dg.BetaWarning, dg.PreviewWarning):
        warnings.filterwarnings("ignore", category=category)
    start = start_date()
    firsts = first_partitions(_daily(), start, StorageResource().first_requested(start), SystemClock().now())
    connected = frozenset(name for name, resource in _resources().items() if resource.is_configured)
    providers = tuple(provider.key for provider in all_providers())
    catalog = read_catalog_settings(StorageResource())
    return _loaded(providers, start, frozenset(firsts.items()), connected, catalog)


# A Dagster command loads the definitions seven times, and a code server each time it starts a run.
@functools.lru_cache(maxsize=8)
def _loaded(
    _providers: Sequence[str],
    start: date,
    first_partitions: Collection[tuple[str, date]],
    connected: Collection[str],
    catalog: CatalogSettings,
) -> dg.Definitions:
    """Return the definitions; the arguments are all that they depend on besides the code."""
    reports, firsts = all_reports(), dict(first_partitions)
    home = StorageResource()
    keys = {*(key_of(report) for report in (*reports, NETWORK)), SETTLING}
    network = network_days(firsts, start, set(connected))
    return dg.Definitions(
        assets=[
            *(report_asset(report, start, firsts.get(report.key, start), catalog) for report in reports),
            network_asset(network, catalog),
            restatement_asset(reports, catalog),
        ],
        sensors=[rebuilding(network), *late_sensors(reports, start, firsts), alert_sensor(keys, _daily())],
        schedules=[*provider_schedules(reports, start), restatement_schedule()],
        resources={
            "home": home,
            "alerts": Alerts(),
            "reports": ReportsIOManager(home=home),
            **_resources(),
        },
        # A run mostly waits for a provider: a process for each step would double its cost.
        executor=dg.in_process_executor,
    )


def _daily() -> list[Report]:
    return [report for report in all_reports() if report.partitioned]


def _resources() -> dict[str, ProviderResource]:
    return {provider.key: provider.resource() for provider in all_providers()}
