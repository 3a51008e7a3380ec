"""The base class of the Dagster resources: settings and credentials, from which the client of a run is created."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import dagster as dg
from pydantic import Field

from reporting_dags.model.clock import Clock, SystemClock
from reporting_dags.model.errors import SettingError
from reporting_dags.providers.api import Pace, Provider, no_pacing
from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits
from reporting_dags.providers.settings import read_base_url, read_optional_setting, read_seconds, read_setting


def secret_field(description: str) -> Any:
    """Return a field that Dagster's UI masks; its default is None.

    The default is created by a function, so that Dagster does not know it. If Dagster knew a default, the launchpad
    would show the mask as its value, and a run that is launched with it would use the mask instead of the secret.
    """
    return Field(default_factory=lambda: None, description=description, json_schema_extra={"dagster__is_secret": True})


class ProviderResource(dg.ConfigurableResource[Any], ABC):
    """The resource of one provider's API. Its resource key is the first part of the keys of the provider's assets."""

    variable_prefix: ClassVar[str]
    """Prefix of the environment variables of the provider: `DT` for DT_BASE_URL, DT_CLIENT_ID and so on."""

    default_base_url: ClassVar[str]
    """Base URL of the API, if neither the field nor the environment variable sets another one."""

    account_fields: ClassVar[Sequence[str]]
    """The fields that identify an account. If none is set, the provider is not used."""

    variable_names: ClassVar[Mapping[str, str]] = {}
    """Environment variables whose names do not consist of the prefix and the name of the field, by field."""

    base_url: str | None = Field(
        default=None,
        description="Base URL of the API. If unset: the environment variable of the provider, else its own address.",
    )
    poll_seconds: float | None = Field(
        default=None,
        description="Seconds before the first poll of a report, and before the first retry of a call, for example 10; "
        "later intervals are longer. If unset: REPORTING_POLL_SECONDS, else 5.",
    )
    job_timeout_seconds: float | None = Field(
        default=None,
        description="Maximum number of seconds that a run polls one report, for example 3600; after that its days end "
        "as not ready. If unset: REPORTING_JOB_TIMEOUT_SECONDS, else 7200.",
    )

    silence_seconds: float = Field(
        default=DEFAULT_LIMITS.silence_seconds,
        gt=0,
        description="Maximum number of seconds between two bytes of a response, for example 30; a longer silence is a "
        f"timeout. Default: {DEFAULT_LIMITS.silence_seconds:g}. There is no environment variable.",
    )
    answer_seconds: float = Field(
        default=DEFAULT_LIMITS.response_seconds,
        gt=0,
        description="Maximum number of seconds for a complete short response, for example 60. "
        f"Default: {DEFAULT_LIMITS.response_seconds:g}. There is no environment variable.",
    )
    file_seconds: float = Field(
        default=DEFAULT_LIMITS.file_seconds,
        gt=0,
        description="Maximum number of seconds for the download of a report file, for example 7200. "
        f"Default: {DEFAULT_LIMITS.file_seconds:g}. There is no environment variable.",
    )
    file_bytes: int = Field(
        default=DEFAULT_LIMITS.file_bytes,
        gt=0,
        description="Maximum size of a report file in bytes after decompression, for example 1000000000. "
        f"Default: {DEFAULT_LIMITS.file_bytes}. There is no environment variable.",
    )

    def client(self, clock: Clock, pace: Pace = no_pacing) -> Provider:
        """Create the client for one run.

        Args:
            clock: provides the current time and waits.
            pace: waits for the rate limits of the provider.

        Raises:
            SettingError: a setting is missing or invalid; names the variable.
        """
        variable = self.variable("base_url")
        settings = ClientSettings(
            base_url=read_base_url(self.base_url, variable, default=self.default_base_url),
            base_url_variable=variable,
            clock=clock,
            pace=pace,
            first_poll=self.first_poll,
            timeout=self.timeout,
            limits=self.limits,
        )
        return self.create_client(settings)

    @abstractmethod
    def create_client(self, settings: ClientSettings) -> Provider:
        """Create the client from its settings, and from the credentials and other fields of the subclass.

        Raises:
            SettingError: a setting is missing or invalid; names the variable.
        """

    def variable(self, field: str) -> str:
        """Return the environment variable of a field: DT_CLIENT_ID for `client_id`."""
        return self.variable_names.get(field) or f"{self.variable_prefix}_{field.upper()}"

    def read(self, field: str, *, default: str | None = None, purpose: str = "") -> str:
        """Return the value of a field, else the value of its environment variable, else `default`.

        Args:
            field: name of the field.
            default: value to use if neither is set; None if there is no default.
            purpose: what the setting is, for the error message; may be empty.

        Raises:
            SettingError: none of them is set; names the variable.
        """
        return read_setting(getattr(self, field), self.variable(field), default=default, purpose=purpose)

    @property
    def is_configured(self) -> bool:
        """Whether all settings that a run needs are set and valid."""
        try:
            self.client(SystemClock()).close()
        except SettingError:
            return False
        return True

    @property
    def has_account(self) -> bool:
        """Whether any setting that identifies an account is set, even if it is invalid or others are missing."""
        try:
            return any(read_optional_setting(getattr(self, name), self.variable(name)) for name in self.account_fields)
        except SettingError:
            return True

    @property
    def first_poll(self) -> timedelta:
        """Time before the first poll of a report."""
        return timedelta(seconds=read_seconds(self.poll_seconds, "REPORTING_POLL_SECONDS", default=5))

    @property
    def timeout(self) -> timedelta:
        """Maximum time that a run polls one report."""
        return timedelta(seconds=read_seconds(self.job_timeout_seconds, "REPORTING_JOB_TIMEOUT_SECONDS", default=7200))

    @property
    def limits(self) -> Limits:
        """Limits on the duration and size of responses."""
        return Limits(
            silence_seconds=self.silence_seconds,
            response_seconds=self.answer_seconds,
            file_seconds=self.file_seconds,
            file_bytes=self.file_bytes,
        )
