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
from reporting_dags.providers.digital_turbine.resource import OfferWallResource, UserLevelResource
from reporting_dags.providers.integr8.resource import Integr8Resource
from reporting_dags.providers.mintegral.resource import MintegralResource
from reporting_dags.providers.orangeclick.resource import OrangeClickResource
from reporting_dags.providers.resource import ProviderResource
from reporting_dags.reports.catalog import all_reports
from reporting_dags.reports.network import NETWORK


@dg.definitions
def definitions() -> dg.Definitions:
    """The reports' assets with their checks, schedules and resources; loads with no variable set."""
    # Backfill policies are in beta and partitioned checks in preview; saying so at every command helps no user.
    for category in (dg.BetaWarning, dg.PreviewWarning):
        warnings.filterwarnings("ignore", category=category)
    start = start_date()
    reports = all_reports()
    home = StorageResource()
    providers: dict[str, ProviderResource] = {
        "dt_offer_wall": OfferWallResource(),
        "dt_user_level": UserLevelResource(),
        "mintegral": MintegralResource(),
        "orangeclick": OrangeClickResource(),
        "integr8": Integr8Resource(),
    }
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
