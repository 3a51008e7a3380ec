"""Everything that Dagster loads."""

import warnings

import dagster as dg

from reporting_dags.orchestration.alerts import Alerts, failed_checks, failed_runs
from reporting_dags.orchestration.assets import report_asset
from reporting_dags.orchestration.home import ReportingHome, start_date
from reporting_dags.orchestration.io_manager import ReportsIOManager
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.late import late_sensors
from reporting_dags.orchestration.network import SUMS_MATCH, network_asset, rebuilding
from reporting_dags.orchestration.schedules import provider_schedules
from reporting_dags.orchestration.settling import KEY as SETTLING
from reporting_dags.orchestration.settling import settling_asset, settling_schedule
from reporting_dags.orchestration.standing import standing_checks
from reporting_dags.providers.digital_turbine.resource import OfferWallResource, UserLevelResource
from reporting_dags.providers.integr8.resource import Integr8Resource
from reporting_dags.providers.mintegral.resource import MintegralResource
from reporting_dags.providers.orangeclick.resource import OrangeClickResource
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
    home = ReportingHome()
    keys = {*(key_of(report) for report in (*reports, NETWORK)), SETTLING}
    daily = [report for report in reports if report.partitioned]
    checks_told = failed_checks(keys, daily, told_by_run=[dg.AssetCheckKey(key_of(NETWORK), SUMS_MATCH)])
    return dg.Definitions(
        assets=[*(report_asset(report, start) for report in reports), network_asset(start), settling_asset(reports)],
        asset_checks=[standing_checks(report, start) for report in daily],
        sensors=[rebuilding(start), *late_sensors(reports, start), failed_runs(keys), checks_told],
        schedules=[*provider_schedules(reports, start), settling_schedule()],
        resources={
            "home": home,
            "alerts": Alerts(),
            "reports": ReportsIOManager(home=home),
            "dt_offer_wall": OfferWallResource(),
            "dt_user_level": UserLevelResource(),
            "mintegral": MintegralResource(),
            "orangeclick": OrangeClickResource(),
            "integr8": Integr8Resource(),
        },
        # A run mostly waits for a provider: a process for each step would double its cost.
        executor=dg.in_process_executor,
    )
