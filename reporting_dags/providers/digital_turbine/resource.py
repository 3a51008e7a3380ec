"""Digital Turbine as Dagster resources: two APIs under one pair of API keys."""

from typing import ClassVar

from pydantic import Field

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import SettingError
from reporting_dags.providers.api import Pace, no_pacing
from reporting_dags.providers.digital_turbine.client import BASE_URL
from reporting_dags.providers.digital_turbine.offer_wall import DEFAULT_RESERVED, OfferWall
from reporting_dags.providers.digital_turbine.user_level import UserLevel
from reporting_dags.providers.resource import ProviderResource, secret
from reporting_dags.providers.settings import base_url, setting

_KEYS = "API keys are made in the DT Console under User Profile"


class DigitalTurbineResource(ProviderResource):
    """API keys and settings that Digital Turbine's two reporting APIs share."""

    variable_prefix: ClassVar = "DT"

    base_url: str | None = Field(
        default=None, description=f"Base URL of the reporting APIs. Unset: DT_BASE_URL, else {BASE_URL}."
    )
    client_id: str | None = secret("Client ID of the API keys. Unset: DT_CLIENT_ID.")
    client_secret: str | None = secret("Client secret of the API keys. Unset: DT_CLIENT_SECRET.")

    @property
    def _base_url(self) -> str:
        return base_url(self.base_url, "DT_BASE_URL", default=BASE_URL)

    @property
    def _client_id(self) -> str:
        return setting(self.client_id, "DT_CLIENT_ID", purpose=_KEYS)

    @property
    def _client_secret(self) -> str:
        return setting(self.client_secret, "DT_CLIENT_SECRET", purpose=_KEYS)


class OfferWallResource(DigitalTurbineResource):
    """The Offer Wall reporting API."""

    account_settings: ClassVar = {"client_id": "DT_CLIENT_ID", "client_secret": "DT_CLIENT_SECRET"}

    queries_kept: int = Field(
        default=DEFAULT_RESERVED,
        ge=0,
        le=50,
        description="Of the 50 queries of a day, how many are reserved for the latest day: no backfill spends them.",
    )

    def client(self, clock: Clock, pace: Pace = no_pacing) -> OfferWall:
        """A client for one run; raises `SettingError` naming the first variable that is not set."""
        return OfferWall(
            base_url=self._base_url,
            client_id=self._client_id,
            client_secret=self._client_secret,
            clock=clock,
            first_poll=self.first_poll,
            timeout=self.timeout,
            queries_kept=self.queries_kept,
            limits=self.limits,
        )


class UserLevelResource(DigitalTurbineResource):
    """The User Level reporting API."""

    account_settings: ClassVar = {"app_ids": "DT_USER_LEVEL_APP_IDS"}

    app_ids: str | None = Field(
        default=None,
        description="Comma-separated ids of the apps, for example 12345,67890. Unset: DT_USER_LEVEL_APP_IDS.",
    )

    def client(self, clock: Clock, pace: Pace = no_pacing) -> UserLevel:
        """A client for one run; raises `SettingError` naming the first variable that is not set."""
        purpose = "the ids of the apps for which Digital Turbine has enabled user-level reports, with commas between"
        text = setting(self.app_ids, "DT_USER_LEVEL_APP_IDS", purpose=purpose)
        apps = tuple(dict.fromkeys(app.strip() for app in text.split(",") if app.strip()))
        if not apps:
            raise SettingError("DT_USER_LEVEL_APP_IDS names no app", advice="Give app ids with commas between.")
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
