"""The client of DT Exchange reporting: Digital Turbine's login and polling, with a path of its own (assumed)."""

from reporting_dags.model.report import Report
from reporting_dags.providers.api import Quota, Request
from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.digital_turbine.auth import ApiKeys
from reporting_dags.providers.digital_turbine.client import DigitalTurbine


class DtExchange(DigitalTurbine):
    """The reporting API of DT Exchange for one account.

    Args:
        settings: the settings of the client.
        keys: the API keys of the account.
    """

    def __init__(self, settings: ClientSettings, keys: ApiKeys) -> None:
        super().__init__(settings, keys, name="DT Exchange", quota=Quota(bucket="dt_exchange queries"))

    def request_body(self, report: Report, request: Request) -> tuple[str, object]:
        """Return the path and the body of the query for a complete window (assumed)."""
        return "/api/v1/report", report.query.body(request.window)
