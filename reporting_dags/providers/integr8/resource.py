"""Integr8 as a Dagster resource."""

from dataclasses import fields
from typing import ClassVar

from pydantic import Field

from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.integr8.client import BASE_URL, FILE_HOSTS, Integr8
from reporting_dags.providers.integr8.exports import DEFAULT_RESERVED
from reporting_dags.providers.integr8.session import Paths
from reporting_dags.providers.resource import ProviderResource, secret_field
from reporting_dags.providers.settings import read_optional_setting


class Integr8Resource(ProviderResource):
    """Settings of the API of one Integr8 integration."""

    variable_prefix: ClassVar = "INTEGR8"
    default_base_url: ClassVar = BASE_URL
    account_fields: ClassVar = ("api_key", "integration_id")

    base_url: str | None = Field(
        default=None,
        description=f"Base URL of the API, for example {BASE_URL}. If unset: INTEGR8_BASE_URL, else {BASE_URL}.",
    )
    api_key: str | None = secret_field(
        "API key of the organization, for example 4f3e2d1c0b9a. If unset: INTEGR8_API_KEY."
    )
    integration_id: str | None = Field(
        default=None,
        description="Id of the integration whose data is requested, for example 64b7f0c2a1d3. "
        "If unset: INTEGR8_INTEGRATION_ID.",
    )
    file_hosts: str | None = Field(
        default=None,
        description="Comma-separated suffixes of the host names from which export files may be downloaded over https, "
        f"for example .amazonaws.com. If unset: INTEGR8_FILE_HOSTS, else {','.join(FILE_HOSTS)}.",
    )

    exports_kept: int = Field(
        default=DEFAULT_RESERVED,
        ge=0,
        le=10,
        description="Number of the ten daily exports that are reserved for the latest day, for example 4; a backfill "
        f"does not use them. Default: {DEFAULT_RESERVED}. There is no environment variable.",
    )

    def create_client(self, settings: ClientSettings) -> Integr8:
        """Create the client; raise `SettingError` for the first setting that is missing or invalid.

        Undocumented paths can be set by variables such as INTEGR8_EXPORT_PATH, one for each field of `Paths` (IN5).
        """
        hosts = self.read("file_hosts", default=",".join(FILE_HOSTS))
        paths = {item.name: read_optional_setting(None, self.variable(f"{item.name}_path")) for item in fields(Paths)}
        return Integr8(
            settings,
            api_key=self.read("api_key", purpose="an API key of the organization"),
            integration=self.read("integration_id", purpose="the integration to report on"),
            paths=Paths(**{name: path for name, path in paths.items() if path is not None}),
            file_hosts=tuple(host.strip() for host in hosts.split(",") if host.strip()),
            reserved_exports=self.exports_kept,
        )
