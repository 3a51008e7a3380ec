"""Digital Turbine as a Dagster resource."""

from datetime import timedelta

from pydantic import Field

from reporting_dags.model.clock import Clock
from reporting_dags.providers.digital_turbine.offer_wall import BASE_URL, OfferWall
from reporting_dags.providers.resource import SECRET, ProviderResource
from reporting_dags.providers.settings import base_url, seconds, setting

_KEYS = "API keys are made in the DT Console under User Profile"


class DigitalTurbineResource(ProviderResource):
    """API keys and settings that Digital Turbine's two reporting APIs share."""

    base_url: str | None = Field(
        default=None, description=f"Base URL of the reporting APIs. Unset: DT_BASE_URL, else {BASE_URL}."
    )
    client_id: str | None = Field(
        default=None, description="Client ID of the API keys. Unset: DT_CLIENT_ID.", json_schema_extra=SECRET
    )
    client_secret: str | None = Field(
        default=None, description="Client secret of the API keys. Unset: DT_CLIENT_SECRET.", json_schema_extra=SECRET
    )
    poll_seconds: float | None = Field(
        default=None,
        description="Seconds until the first look at a report and before the first retry. "
        "Unset: REPORTING_POLL_SECONDS, else 5.",
    )
    job_timeout_seconds: float | None = Field(
        default=None,
        description="Seconds that a run waits for one report before its days end not ready. "
        "Unset: REPORTING_JOB_TIMEOUT_SECONDS, else 7200: an hour, and an hour more after the report is sent again.",
    )


class OfferWallResource(DigitalTurbineResource):
    """The Offer Wall reporting API."""

    def client(self, clock: Clock) -> OfferWall:
        """A client for one run; raises `SettingError` naming the first variable that is not set."""
        return OfferWall(
            base_url=base_url(self.base_url, "DT_BASE_URL", default=BASE_URL),
            client_id=setting(self.client_id, "DT_CLIENT_ID", purpose=_KEYS),
            client_secret=setting(self.client_secret, "DT_CLIENT_SECRET", purpose=_KEYS),
            clock=clock,
            first_poll=timedelta(seconds=seconds(self.poll_seconds, "REPORTING_POLL_SECONDS", default=5)),
            timeout=timedelta(seconds=seconds(self.job_timeout_seconds, "REPORTING_JOB_TIMEOUT_SECONDS", default=7200)),
        )
