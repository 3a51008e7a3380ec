"""Mintegral's Advanced Performance reporting: its endpoints and its truth."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.endpoint import Endpoint
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.mintegral.settings import MintegralSettings


class Mintegral:
    """The provider as one sandbox runs it; what it remembers lives as long as the sandbox."""

    name = "mintegral"
    data_point = "mintegral.data"

    def __init__(self, *, seed: int, clock: Clock, settings: Callable[[], MintegralSettings], faults: Faults) -> None:
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self.reset()

    def reset(self) -> None:
        """Forget every request that has been made."""

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Every path that the provider answers."""
        return ()

    @property
    def reports(self) -> Sequence[str]:
        """The keys of the reports that `truth` knows."""
        return ()

    @property
    def credentials(self) -> Mapping[str, Any]:
        """The accounts by name."""
        return {}

    def truth(self, report: str, day: date, at: datetime | None = None) -> list[dict[str, str]]:
        """The rows of `day` in an honest answer to the shipped report requested at `at` (None: now), sorted."""
        raise ValueError(f"no report {report!r} on {day} at {at}")
