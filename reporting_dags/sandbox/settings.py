"""The sandbox's settings: the switches of each provider, replaced as a whole while the sandbox runs."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from reporting_dags.sandbox.switches import Switches


class Settings:
    """The switches in force, by provider. Safe to use from several threads."""

    def __init__(self, start: Mapping[str, Switches]) -> None:
        self._lock = threading.Lock()
        self._start = dict(start)
        self._now = dict(start)

    def of(self, provider: str) -> Any:
        """A provider's switches."""
        return self._now[provider]

    def change(self, provider: str, **values: Any) -> None:
        """Replace some of a provider's switches; what was not named stays.

        Raises:
            ValueError: There is no such provider, no such switch, or the value is not allowed.
        """
        with self._lock:
            if provider not in self._now:
                raise ValueError(f"no provider {provider!r}; there are: {', '.join(self._now)}")
            known = {one.name for one in fields(self._now[provider])}
            if unknown := sorted(set(values) - known):
                raise ValueError(f"{provider} has no setting {', '.join(unknown)}")
            # JSON has no tuples.
            plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
            self._now[provider] = replace(self._now[provider], **plain)

    def reset(self) -> None:
        """Go back to the switches at the start."""
        with self._lock:
            self._now = dict(self._start)

    def as_json(self) -> dict[str, Any]:
        """Every provider's switches as JSON can carry them."""
        return {name: asdict(value) for name, value in self._now.items()}
