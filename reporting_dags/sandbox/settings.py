"""The sandbox's settings: one frozen dataclass a provider, each replaced as a whole while the sandbox runs."""

import threading
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Any

from reporting_dags.sandbox.digital_turbine.settings import DtSettings


class Settings:
    """The settings in force, by provider. Safe to use from several threads."""

    def __init__(self, *, dt: DtSettings | None = None) -> None:
        self._lock = threading.Lock()
        self._start = self._dt = dt if dt is not None else DtSettings()

    @property
    def dt(self) -> DtSettings:
        """Digital Turbine's."""
        return self._dt

    def change(self, provider: str, **values: Any) -> None:
        """Replace some of a provider's settings; what was not named stays.

        Raises:
            ValueError: There is no such provider, no such setting, or the value is not allowed.
        """
        with self._lock:
            if provider != "dt":
                raise ValueError(f"no provider {provider!r}; there is: dt")
            known = {one.name for one in fields(DtSettings)}
            if unknown := sorted(set(values) - known):
                raise ValueError(f"{provider} has no setting {', '.join(unknown)}")
            # JSON has no tuples.
            plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
            self._dt = replace(self._dt, **plain)

    def reset(self) -> None:
        """Go back to the settings at the start."""
        with self._lock:
            self._dt = self._start

    def as_json(self) -> dict[str, Any]:
        """Every provider's settings as JSON can carry them."""
        return {name: asdict(value) for name, value in (("dt", self._dt),) if is_dataclass(value)}
