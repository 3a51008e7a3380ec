"""Mintegral as a Dagster resource."""

from typing import ClassVar

from pydantic import Field

from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import Pace, no_pacing
from reporting_dags.providers.mintegral.client import BASE_URL, AdvancedPerformance
from reporting_dags.providers.resource import ProviderResource, secret
from reporting_dags.providers.settings import base_url, setting

_KEYS = "API keys stand in the Mintegral dashboard under Account, API Tools"


class MintegralResource(ProviderResource):
    """The Advanced Performance reporting API."""

    variable_prefix: ClassVar = "MINTEGRAL"
    account_settings: ClassVar = {"access_key": "MINTEGRAL_ACCESS_KEY", "api_key": "MINTEGRAL_API_KEY"}

    base_url: str | None = Field(
        default=None, description=f"Base URL of the API. Unset: MINTEGRAL_BASE_URL, else {BASE_URL}."
    )
    access_key: str | None = secret("Access key. Unset: MINTEGRAL_ACCESS_KEY.")
    api_key: str | None = secret("API key. Unset: MINTEGRAL_API_KEY.")

    def client(self, clock: Clock, pace: Pace = no_pacing) -> AdvancedPerformance:
        """A client for one run; raises `SettingError` naming the first variable that is not set."""
        return AdvancedPerformance(
            base_url=base_url(self.base_url, "MINTEGRAL_BASE_URL", default=BASE_URL),
            access_key=setting(self.access_key, "MINTEGRAL_ACCESS_KEY", purpose=_KEYS),
            api_key=setting(self.api_key, "MINTEGRAL_API_KEY", purpose=_KEYS),
            clock=clock,
            first_poll=self.first_poll,
            timeout=self.timeout,
            limits=self.limits,
        )
