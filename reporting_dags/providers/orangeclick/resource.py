"""OrangeClickMedia as a Dagster resource."""

from typing import ClassVar

from pydantic import Field

from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import Pace, no_pacing
from reporting_dags.providers.orangeclick.client import BASE_URL, OrangeClick
from reporting_dags.providers.resource import ProviderResource, secret
from reporting_dags.providers.settings import base_url, setting


class OrangeClickResource(ProviderResource):
    """The OCM reporting API."""

    variable_prefix: ClassVar = "ORANGECLICK"
    account_settings: ClassVar = {"api_token": "ORANGECLICK_API_TOKEN"}

    base_url: str | None = Field(
        default=None, description=f"Base URL of the API. Unset: ORANGECLICK_BASE_URL, else {BASE_URL}."
    )
    api_token: str | None = secret("Bearer token. Unset: ORANGECLICK_API_TOKEN.")

    def client(self, clock: Clock, pace: Pace = no_pacing) -> OrangeClick:
        """A client for one run; raises `SettingError` naming the first variable that is not set."""
        purpose = "an API token, which OrangeClickMedia's account managers give permission to generate"
        return OrangeClick(
            base_url=base_url(self.base_url, "ORANGECLICK_BASE_URL", default=BASE_URL),
            api_token=setting(self.api_token, "ORANGECLICK_API_TOKEN", purpose=purpose),
            clock=clock,
            pace=pace,
            first_poll=self.first_poll,
            timeout=self.timeout,
            limits=self.limits,
        )
