"""Digital Turbine's User Level API (UL1 to UL5): one request for each app and day."""

from collections.abc import Mapping

from reporting_dags.model.errors import ReportingError
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Quota, Request
from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.digital_turbine.auth import ApiKeys
from reporting_dags.providers.digital_turbine.client import DigitalTurbine
from reporting_dags.providers.digital_turbine.errors import Forbidden, InvalidQuery
from reporting_dags.providers.digital_turbine.user_level_report import APP, PROVIDER

_ENABLING = (
    "Digital Turbine must enable the API for each app. "
    "Fix: ask the Account Manager to enable it, or remove the app from DT_USER_LEVEL_APP_IDS."
)


class UserLevel(DigitalTurbine):
    """The User Level API for one account.

    Args:
        settings: the settings of the client.
        keys: the API keys of the account.
        apps: the ids of the apps whose reports are requested.
    """

    def __init__(self, settings: ClientSettings, keys: ApiKeys, *, apps: tuple[str, ...]) -> None:
        super().__init__(settings, keys, name="DT User Level", quota=Quota(bucket=f"{PROVIDER} queries"))
        self._apps = apps

    def shards(self, report: Report) -> tuple[str, ...]:
        """Return the apps: a day is complete if the file of each app is available (UL1)."""
        return self._apps

    def literal_columns(self, request: Request) -> Mapping[str, str]:
        """Return the app of the file: the column may be missing, or empty for masked users (UL4)."""
        return {APP: request.shard}

    def request_body(self, report: Report, request: Request) -> tuple[str, object]:
        """Return the path and body of the request for one app and one day (UL1)."""
        body = {"date": request.window.first.isoformat(), "appId": request.shard}
        return "/api/v1/report/user-level-data", body

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Submit as `DigitalTurbine` does; errors name the app, which may not be enabled for this API (UL3)."""
        try:
            return super().submit(report, request, meter)
        except (InvalidQuery, Forbidden) as error:
            message = f"app {request.shard}: {error.message}"
            raise type(error)(message, advice=_ENABLING, request_id=error.request_id) from None
        except ReportingError as error:
            raise error.with_subject(f"app {request.shard}") from None
