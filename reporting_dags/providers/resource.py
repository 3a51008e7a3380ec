"""The base class of the Dagster resources: settings and credentials, from which the client of a run is created."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import dagster as dg
from pydantic import Field

from reporting_dags.model.clock import Clock, SystemClock
from reporting_dags.model.errors import SettingError
from reporting_dags.providers.api import Pace, Provider, no_pacing
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits
from reporting_dags.providers.settings import read_optional_setting, read_seconds


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

    account_settings: ClassVar[Mapping[str, str]]
    """The fields that identify an account, each with its environment variable."""

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

    @abstractmethod
    def client(self, clock: Clock, pace: Pace = no_pacing) -> Provider:
        """Create the client for one run.

        Args:
            clock: provides the current time and waits.
            pace: waits for the rate limits of the provider.

        Raises:
            SettingError: a setting is missing or invalid; names the variable.
        """

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
            return any(
                read_optional_setting(getattr(self, name), variable) for name, variable in self.account_settings.items()
            )
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
