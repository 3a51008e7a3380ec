"""The settings of all emulated providers, which can be changed while the sandbox runs."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from reporting_dags.sandbox.provider_settings import ProviderSettings


class Settings:
    """The current settings by provider. Thread-safe."""

    def __init__(self, start: Mapping[str, ProviderSettings]) -> None:
        self._lock = threading.Lock()
        self._start = dict(start)
        self._now = dict(start)

    def of(self, provider: str) -> Any:
        """Return the settings of a provider."""
        return self._now[provider]

    def change(self, provider: str, **values: Any) -> None:
        """Change some settings of a provider.

        Raises:
            ValueError: the provider or the setting does not exist, or the value is not allowed.
        """
        with self._lock:
            if provider not in self._now:
                raise ValueError(f"unknown provider {provider!r}; known providers: {', '.join(self._now)}")
            known = {item.name for item in fields(self._now[provider])}
            if unknown := sorted(set(values) - known):
                raise ValueError(f"{provider} has no setting {', '.join(unknown)}")
            # JSON has no tuples.
            new = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
            self._now[provider] = replace(self._now[provider], **new)

    def reset(self) -> None:
        """Restore the initial settings."""
        with self._lock:
            self._now = dict(self._start)

    def as_json(self) -> dict[str, Any]:
        """Return the settings of all providers as JSON values."""
        return {name: asdict(value) for name, value in self._now.items()}
