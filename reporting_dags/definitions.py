"""Everything that Dagster loads."""

import warnings

import dagster as dg

from reporting_dags.model.clock import SystemClock
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
from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.registry import all_providers, all_reports


@dg.definitions
def definitions() -> dg.Definitions:
    """The reports' assets with their checks, schedules and resources; loads with no variable set."""
    # Backfill policies are in beta and partitioned checks in preview; saying so at every command helps no user.
    for category in (dg.BetaWarning, dg.PreviewWarning):
        warnings.filterwarnings("ignore", category=category)
    start = start_date()
    reports = all_reports()
    home = StorageResource()
    providers = {provider.key: provider.resource() for provider in all_providers()}
    keys = {*(key_of(report) for report in (*reports, NETWORK)), SETTLING}
    daily = [report for report in reports if report.partitioned]
    firsts = first_partitions(daily, start, home.first_requested(start), SystemClock().now())
    network = network_days(firsts, start, {name for name, resource in providers.items() if resource.is_connected})
    return dg.Definitions(
        assets=[
            *(report_asset(report, start, firsts.get(report.key, start)) for report in reports),
            network_asset(network),
            restatement_asset(reports),
        ],
        sensors=[rebuilding(network), *late_sensors(reports, start, firsts), alert_sensor(keys, daily)],
        schedules=[*provider_schedules(reports, start), restatement_schedule()],
        resources={
            "home": home,
            "alerts": Alerts(),
            "reports": ReportsIOManager(home=home),
            **providers,
        },
        # A run mostly waits for a provider: a process for each step would double its cost.
        executor=dg.in_process_executor,
    )
