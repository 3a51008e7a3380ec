"""Mintegral as a Dagster resource."""

from typing import ClassVar

from pydantic import Field

from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import Pace, no_pacing
from reporting_dags.providers.mintegral.client import BASE_URL, AdvancedPerformance
from reporting_dags.providers.resource import ProviderResource, secret_field
from reporting_dags.providers.settings import read_base_url, read_setting

_KEYS = "the API keys are in the Mintegral dashboard under Account, API Tools"


class MintegralResource(ProviderResource):
    """Settings of Mintegral's Advanced Performance API."""

    variable_prefix: ClassVar = "MINTEGRAL"
    account_settings: ClassVar = {"access_key": "MINTEGRAL_ACCESS_KEY", "api_key": "MINTEGRAL_API_KEY"}

    base_url: str | None = Field(
        default=None,
        description=f"Base URL of the API, for example {BASE_URL}. If unset: MINTEGRAL_BASE_URL, else {BASE_URL}.",
    )
    access_key: str | None = secret_field(
        "Access key of the account, for example a1b2c3d4e5f6; see Account, API Tools in the Mintegral dashboard. "
        "If unset: MINTEGRAL_ACCESS_KEY."
    )
    api_key: str | None = secret_field(
        "API key that signs the calls, for example 0f1e2d3c4b5a; see Account, API Tools in the Mintegral dashboard. "
        "If unset: MINTEGRAL_API_KEY."
    )

    def client(self, clock: Clock, pace: Pace = no_pacing) -> AdvancedPerformance:
        """Create the client for one run; raise `SettingError` for the first setting that is missing or invalid."""
        return AdvancedPerformance(
            base_url=read_base_url(self.base_url, "MINTEGRAL_BASE_URL", default=BASE_URL),
            access_key=read_setting(self.access_key, "MINTEGRAL_ACCESS_KEY", purpose=_KEYS),
            api_key=read_setting(self.api_key, "MINTEGRAL_API_KEY", purpose=_KEYS),
            clock=clock,
            first_poll=self.first_poll,
            timeout=self.timeout,
            limits=self.limits,
        )
