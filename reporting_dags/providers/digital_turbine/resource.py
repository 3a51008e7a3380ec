"""Digital Turbine as Dagster resources: two APIs with one pair of API keys."""

from typing import ClassVar

from pydantic import Field

from reporting_dags.model.errors import SettingError
from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.digital_turbine.auth import ApiKeys
from reporting_dags.providers.digital_turbine.client import BASE_URL
from reporting_dags.providers.digital_turbine.offer_wall import DEFAULT_RESERVED, OfferWall
from reporting_dags.providers.digital_turbine.user_level import UserLevel
from reporting_dags.providers.resource import ProviderResource, secret_field

_KEYS = "API keys are created in the DT Console under User Profile"


class DigitalTurbineResource(ProviderResource):
    """Settings and API keys that Digital Turbine's two reporting APIs share."""

    variable_prefix: ClassVar = "DT"
    default_base_url: ClassVar = BASE_URL

    base_url: str | None = Field(
        default=None,
        description=f"Base URL of the reporting APIs, for example {BASE_URL}. If unset: DT_BASE_URL, else {BASE_URL}.",
    )
    client_id: str | None = secret_field(
        "Client ID of the API keys, for example 1a2b3c4d5e6f; created in the DT Console under User Profile. "
        "If unset: DT_CLIENT_ID."
    )
    client_secret: str | None = secret_field(
        "Client secret of the API keys, for example 9Z8y7X6w5V4u; created in the DT Console under User Profile. "
        "If unset: DT_CLIENT_SECRET."
    )

    def read_keys(self) -> ApiKeys:
        """Return the API keys; raise `SettingError` for the first one that is missing."""
        return ApiKeys(
            client_id=self.read("client_id", purpose=_KEYS), client_secret=self.read("client_secret", purpose=_KEYS)
        )


class OfferWallResource(DigitalTurbineResource):
    """Settings of the Offer Wall reporting API."""

    account_fields: ClassVar = ("client_id", "client_secret")

    queries_kept: int = Field(
        default=DEFAULT_RESERVED,
        ge=0,
        le=50,
        description="Number of the 50 daily queries that are reserved for the latest day, for example 10; a backfill "
        f"does not use them. Default: {DEFAULT_RESERVED}. There is no environment variable.",
    )

    def create_client(self, settings: ClientSettings) -> OfferWall:
        """Create the client; raise `SettingError` for the first key that is missing."""
        return OfferWall(settings, self.read_keys(), reserved_queries=self.queries_kept)


class UserLevelResource(DigitalTurbineResource):
    """Settings of the User Level reporting API."""

    account_fields: ClassVar = ("app_ids",)
    variable_names: ClassVar = {"app_ids": "DT_USER_LEVEL_APP_IDS"}

    app_ids: str | None = Field(
        default=None,
        description="Comma-separated ids of the apps whose reports are requested, for example 12345,67890. "
        "If unset: DT_USER_LEVEL_APP_IDS.",
    )

    def create_client(self, settings: ClientSettings) -> UserLevel:
        """Create the client; raise `SettingError` for the first setting that is missing or invalid."""
        purpose = "comma-separated ids of the apps for which Digital Turbine has enabled user-level reports"
        text = self.read("app_ids", purpose=purpose)
        apps = tuple(dict.fromkeys(app.strip() for app in text.split(",") if app.strip()))
        if not apps:
            variable = self.variable("app_ids")
            raise SettingError(f"{variable} contains no app id", advice="Fix: set comma-separated app ids.")
        return UserLevel(settings, self.read_keys(), apps=apps)
