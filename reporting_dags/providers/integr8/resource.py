"""Integr8 as a Dagster resource."""

from dataclasses import fields
from typing import ClassVar

from pydantic import Field

from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import Pace, no_pacing
from reporting_dags.providers.integr8.client import BASE_URL, FILE_HOSTS, Integr8
from reporting_dags.providers.integr8.exports import DEFAULT_RESERVED
from reporting_dags.providers.integr8.session import Paths
from reporting_dags.providers.resource import ProviderResource, secret
from reporting_dags.providers.settings import base_url, optional, setting


class Integr8Resource(ProviderResource):
    """The API of one Integr8 integration."""

    variable_prefix: ClassVar = "INTEGR8"
    account_settings: ClassVar = {"api_key": "INTEGR8_API_KEY", "integration_id": "INTEGR8_INTEGRATION_ID"}

    base_url: str | None = Field(
        default=None, description=f"Base URL of the API. Unset: INTEGR8_BASE_URL, else {BASE_URL}."
    )
    api_key: str | None = secret("API key. Unset: INTEGR8_API_KEY.")
    integration_id: str | None = Field(
        default=None, description="Id of the integration. Unset: INTEGR8_INTEGRATION_ID."
    )
    file_hosts: str | None = Field(
        default=None,
        description="Comma-separated endings of hosts from which export files may be downloaded over https. "
        f"Unset: INTEGR8_FILE_HOSTS, else {', '.join(FILE_HOSTS)}.",
    )

    exports_kept: int = Field(
        default=DEFAULT_RESERVED,
        ge=0,
        le=10,
        description="Of the ten exports of a day, how many are reserved for the latest day: no backfill spends them.",
    )

    def client(self, clock: Clock, pace: Pace = no_pacing) -> Integr8:
        """A client for one run; raises `SettingError` naming the first variable that is not set.

        Paths that the documents leave open can be set as INTEGR8_EXPORT_PATH and so on, by the names of `Paths` (IN5).
        """
        hosts = setting(self.file_hosts, "INTEGR8_FILE_HOSTS", default=",".join(FILE_HOSTS))
        named = {item.name: optional(None, f"INTEGR8_{item.name.upper()}_PATH") for item in fields(Paths)}
        return Integr8(
            base_url=base_url(self.base_url, "INTEGR8_BASE_URL", default=BASE_URL),
            api_key=setting(self.api_key, "INTEGR8_API_KEY", purpose="an API key of the organization"),
            integration=setting(self.integration_id, "INTEGR8_INTEGRATION_ID", purpose="the integration to report on"),
            clock=clock,
            pace=pace,
            paths=Paths(**{name: path for name, path in named.items() if path is not None}),
            file_hosts=tuple(host.strip() for host in hosts.split(",") if host.strip()),
            first_poll=self.first_poll,
            timeout=self.timeout,
            exports_kept=self.exports_kept,
            limits=self.limits,
        )
