"""OrangeClickMedia as a Dagster resource."""

from typing import ClassVar

from pydantic import Field

from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import Pace, no_pacing
from reporting_dags.providers.orangeclick.client import BASE_URL, OrangeClick
from reporting_dags.providers.resource import ProviderResource, secret_field
from reporting_dags.providers.settings import read_base_url, read_setting


class OrangeClickResource(ProviderResource):
    """Settings of OrangeClickMedia's reporting API."""

    variable_prefix: ClassVar = "ORANGECLICK"
    account_settings: ClassVar = {"api_token": "ORANGECLICK_API_TOKEN"}

    base_url: str | None = Field(
        default=None,
        description=f"Base URL of the API, for example {BASE_URL}. If unset: ORANGECLICK_BASE_URL, else {BASE_URL}.",
    )
    api_token: str | None = secret_field(
        "API token, for example 12|AbCdEfGh; OrangeClickMedia's account managers grant the permission to create one. "
        "If unset: ORANGECLICK_API_TOKEN."
    )

    def client(self, clock: Clock, pace: Pace = no_pacing) -> OrangeClick:
        """Create the client for one run; raise `SettingError` for the first setting that is missing or invalid."""
        purpose = "an API token; OrangeClickMedia's account managers grant the permission to create one"
        return OrangeClick(
            base_url=read_base_url(self.base_url, "ORANGECLICK_BASE_URL", default=BASE_URL),
            api_token=read_setting(self.api_token, "ORANGECLICK_API_TOKEN", purpose=purpose),
            clock=clock,
            pace=pace,
            first_poll=self.first_poll,
            timeout=self.timeout,
            limits=self.limits,
        )
