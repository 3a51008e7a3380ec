"""DT Exchange as a Dagster resource."""

from typing import ClassVar

from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.digital_turbine.resource import DigitalTurbineResource
from reporting_dags_dt_exchange.client import DtExchange


class DtExchangeResource(DigitalTurbineResource):
    """Settings of DT Exchange reporting: those that all of Digital Turbine's APIs share."""

    account_fields: ClassVar = ("client_id", "client_secret")

    def create_client(self, settings: ClientSettings) -> DtExchange:
        """Create the client; raise `SettingError` for the first key that is missing."""
        return DtExchange(settings, self.read_keys())
