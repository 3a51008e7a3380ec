"""Mintegral as a Dagster resource."""

from typing import ClassVar

from pydantic import Field

from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.mintegral.client import BASE_URL, AdvancedPerformance
from reporting_dags.providers.resource import ProviderResource, secret_field

_KEYS = "the API keys are in the Mintegral dashboard under Account, API Tools"


class MintegralResource(ProviderResource):
    """Settings of Mintegral's Advanced Performance API."""

    variable_prefix: ClassVar = "MINTEGRAL"
    default_base_url: ClassVar = BASE_URL
    account_fields: ClassVar = ("access_key", "api_key")

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

    def create_client(self, settings: ClientSettings) -> AdvancedPerformance:
        """Create the client; raise `SettingError` for the first key that is missing."""
        access_key, api_key = (self.read(field, purpose=_KEYS) for field in self.account_fields)
        return AdvancedPerformance(settings, access_key=access_key, api_key=api_key)
