"""Digital Turbine as Dagster resources: two APIs with one pair of API keys."""

from typing import ClassVar

from pydantic import Field

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import SettingError
from reporting_dags.providers.api import Pace, no_pacing
from reporting_dags.providers.digital_turbine.client import BASE_URL
from reporting_dags.providers.digital_turbine.offer_wall import DEFAULT_RESERVED, OfferWall
from reporting_dags.providers.digital_turbine.user_level import UserLevel
from reporting_dags.providers.resource import ProviderResource, secret_field
from reporting_dags.providers.settings import read_base_url, read_setting

_KEYS = "API keys are created in the DT Console under User Profile"


class DigitalTurbineResource(ProviderResource):
    """Settings and API keys that Digital Turbine's two reporting APIs share."""

    variable_prefix: ClassVar = "DT"

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

    @property
    def _base_url(self) -> str:
        return read_base_url(self.base_url, "DT_BASE_URL", default=BASE_URL)

    @property
    def _client_id(self) -> str:
        return read_setting(self.client_id, "DT_CLIENT_ID", purpose=_KEYS)

    @property
    def _client_secret(self) -> str:
        return read_setting(self.client_secret, "DT_CLIENT_SECRET", purpose=_KEYS)


class OfferWallResource(DigitalTurbineResource):
    """Settings of the Offer Wall reporting API."""

    account_settings: ClassVar = {"client_id": "DT_CLIENT_ID", "client_secret": "DT_CLIENT_SECRET"}

    queries_kept: int = Field(
        default=DEFAULT_RESERVED,
        ge=0,
        le=50,
        description="Number of the 50 daily queries that are reserved for the latest day, for example 10; a backfill "
        f"does not use them. Default: {DEFAULT_RESERVED}. There is no environment variable.",
    )

    def client(self, clock: Clock, pace: Pace = no_pacing) -> OfferWall:
        """Create the client for one run; raise `SettingError` for the first setting that is missing or invalid."""
        return OfferWall(
            base_url=self._base_url,
            client_id=self._client_id,
            client_secret=self._client_secret,
            clock=clock,
            first_poll=self.first_poll,
            timeout=self.timeout,
            reserved_queries=self.queries_kept,
            limits=self.limits,
        )


class UserLevelResource(DigitalTurbineResource):
    """Settings of the User Level reporting API."""

    account_settings: ClassVar = {"app_ids": "DT_USER_LEVEL_APP_IDS"}

    app_ids: str | None = Field(
        default=None,
        description="Comma-separated ids of the apps whose reports are requested, for example 12345,67890. "
        "If unset: DT_USER_LEVEL_APP_IDS.",
    )

    def client(self, clock: Clock, pace: Pace = no_pacing) -> UserLevel:
        """Create the client for one run; raise `SettingError` for the first setting that is missing or invalid."""
        purpose = "comma-separated ids of the apps for which Digital Turbine has enabled user-level reports"
        text = read_setting(self.app_ids, "DT_USER_LEVEL_APP_IDS", purpose=purpose)
        apps = tuple(dict.fromkeys(app.strip() for app in text.split(",") if app.strip()))
        if not apps:
            raise SettingError("DT_USER_LEVEL_APP_IDS contains no app id", advice="Fix: set comma-separated app ids.")
        return UserLevel(
            base_url=self._base_url,
            client_id=self._client_id,
            client_secret=self._client_secret,
            apps=apps,
            clock=clock,
            first_poll=self.first_poll,
            timeout=self.timeout,
            limits=self.limits,
        )
