"""OrangeClickMedia as a Dagster resource."""

from typing import ClassVar

from pydantic import Field

from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.orangeclick.client import BASE_URL, OrangeClick
from reporting_dags.providers.resource import ProviderResource, secret_field


class OrangeClickResource(ProviderResource):
    """Settings of OrangeClickMedia's reporting API."""

    variable_prefix: ClassVar = "ORANGECLICK"
    default_base_url: ClassVar = BASE_URL
    account_fields: ClassVar = ("api_token",)

    base_url: str | None = Field(
        default=None,
        description=f"Base URL of the API, for example {BASE_URL}. If unset: ORANGECLICK_BASE_URL, else {BASE_URL}.",
    )
    api_token: str | None = secret_field(
        "API token, for example 12|AbCdEfGh; OrangeClickMedia's account managers grant the permission to create one. "
        "If unset: ORANGECLICK_API_TOKEN."
    )

    def create_client(self, settings: ClientSettings) -> OrangeClick:
        """Create the client; raise `SettingError` if the token is missing."""
        purpose = "an API token; OrangeClickMedia's account managers grant the permission to create one"
        return OrangeClick(settings, api_token=self.read("api_token", purpose=purpose))
