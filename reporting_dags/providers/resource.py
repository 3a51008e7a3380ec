"""The Dagster face of a provider: a resource that holds settings and credentials and makes the client of one run."""

from abc import ABC, abstractmethod
from typing import Any

import dagster as dg

from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import Provider

SECRET: dict[str, Any] = {"dagster__is_secret": True}
"""Marks a field that Dagster's UI masks."""


class ProviderResource(dg.ConfigurableResource[Any], ABC):
    """One provider's API. Its resource key is the first part of the asset keys that it serves."""

    @abstractmethod
    def client(self, clock: Clock) -> Provider:
        """A client for one run; raises `SettingError` naming the first variable that is not set."""
