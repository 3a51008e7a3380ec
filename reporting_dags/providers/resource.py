"""The Dagster resource of a provider: settings and credentials, from which it creates the client of one run."""

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
from reporting_dags.providers.settings import optional, seconds


def secret(description: str) -> Any:
    """Return a field that Dagster's UI masks; None by default.

    The default is made by a function, so that Dagster does not know it: where it knows one, the launchpad fills the
    mask in, and a run that is launched with it has the mask in place of the secret.
    """
    return Field(default_factory=lambda: None, description=description, json_schema_extra={"dagster__is_secret": True})


class ProviderResource(dg.ConfigurableResource[Any], ABC):
    """One provider's API. Its resource key is the first part of the asset keys that it serves."""

    variable_prefix: ClassVar[str]
    """Begins the name of every variable of the provider: `DT` for DT_BASE_URL, DT_CLIENT_ID and so on."""

    account_settings: ClassVar[Mapping[str, str]]
    """The fields that name an account, and the variable of each."""

    poll_seconds: float | None = Field(
        default=None,
        description="Seconds until a report is polled for the first time, and before the first retry; later intervals "
        "grow. Unset: REPORTING_POLL_SECONDS, else 5.",
    )
    job_timeout_seconds: float | None = Field(
        default=None,
        description="Seconds that a run polls one report before its days end as not ready. "
        "Unset: REPORTING_JOB_TIMEOUT_SECONDS, else 7200.",
    )

    silence_seconds: float = Field(
        default=DEFAULT_LIMITS.silence_seconds,
        gt=0,
        description="Seconds without a byte after which a response has failed.",
    )
    answer_seconds: float = Field(
        default=DEFAULT_LIMITS.answer_seconds, gt=0, description="Seconds in which a short response must be complete."
    )
    file_seconds: float = Field(
        default=DEFAULT_LIMITS.file_seconds, gt=0, description="Seconds in which the file of a report must be complete."
    )
    file_bytes: int = Field(
        default=DEFAULT_LIMITS.file_bytes, gt=0, description="Largest accepted file of a report in bytes, decompressed."
    )

    @abstractmethod
    def client(self, clock: Clock, pace: Pace = no_pacing) -> Provider:
        """A client for one run; raises `SettingError` naming the first variable that is not set."""

    @property
    def is_connected(self) -> bool:
        """Whether every setting that a run needs is there."""
        try:
            self.client(SystemClock()).close()
        except SettingError:
            return False
        return True

    @property
    def has_account(self) -> bool:
        """Whether any setting that names an account is there, be it not enough, or wrong."""
        try:
            return any(optional(getattr(self, name), variable) for name, variable in self.account_settings.items())
        except SettingError:
            return True

    @property
    def first_poll(self) -> timedelta:
        """Until the first look at a report."""
        return timedelta(seconds=seconds(self.poll_seconds, "REPORTING_POLL_SECONDS", default=5))

    @property
    def timeout(self) -> timedelta:
        """How long a run waits for one report."""
        return timedelta(seconds=seconds(self.job_timeout_seconds, "REPORTING_JOB_TIMEOUT_SECONDS", default=7200))

    @property
    def limits(self) -> Limits:
        """How long its responses may take, and how large they may be."""
        return Limits(
            silence_seconds=self.silence_seconds,
            answer_seconds=self.answer_seconds,
            file_seconds=self.file_seconds,
            file_bytes=self.file_bytes,
        )
