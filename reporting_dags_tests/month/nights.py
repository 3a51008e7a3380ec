"""A night of a new deployment that goes well, and then meets a fault."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from reporting_dags_tests.month.clockwork import Deployment
from reporting_dags_tests.month.deploying import deployment
from reporting_dags_tests.month.world import largest_domain
from reporting_dags_tests.webhook import listening

_BEGAN = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
_HEALTHY_UNTIL = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
_ENDED = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
_CONNECTED = ("mintegral", "orangeclick")
_LANDS = {"mintegral/offer_performance", "orangeclick/earnings", "network/daily"}


def _refuse_keys(deployed: Deployment) -> None:
    deployed.sandbox.faults.add("mintegral.generate", do="status", status=401, times=None)


def _lose_domain(deployed: Deployment) -> None:
    domain = largest_domain(deployed.sandbox, _BEGAN.date() - timedelta(days=1))
    deployed.sandbox.settings.change("orangeclick", lost_domains=(domain,))


@dataclass(frozen=True, slots=True)
class _Fault:
    begin: Callable[[Deployment], None]
    alert: tuple[str, str]
    """The type and the title of the one alert that is to be sent."""


_FAULTS: Mapping[str, _Fault] = {
    "refused keys": _Fault(_refuse_keys, ("failure", "mintegral: failed, 3 reports 2026-11-20")),
    "a lost domain": _Fault(_lose_domain, ("warning", "orangeclick/earnings 2026-11-20: warning")),
}
FAULTS = tuple(_FAULTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What was sent while all went well and after the fault, and how many runs there were until then."""

    fault: str
    healthy: list[dict[str, Any]]
    faulty: list[dict[str, Any]]
    healthy_runs: Mapping[str, int]
    failed: list[str]

    @property
    def wrong(self) -> list[str]:
        """What does not hold: no alert is sent while all goes well, and one alert of the fault."""
        found = [f"a run failed: {line}" for line in self.failed]
        found += [f"no run of {report}" for report in sorted(_LANDS - set(self.healthy_runs))]
        found += [f"sent while all went well: {one['title']}" for one in self.healthy]
        sent = [(one["type"], one["title"]) for one in self.faulty]
        found += [f"sent of the fault: {sent}"] if sent != [_FAULTS[self.fault].alert] else []
        return [f"night with {self.fault}: {line}" for line in found]


def night(fault: str, *, history: int = 30, minutes: int = 5) -> Night:
    """Let a night pass; to be called in a process of its own, which it silences.

    Args:
        fault: one of `FAULTS`.
        history: days before the first night that are missing when it begins.
        minutes: between two ticks of a sensor.
    """
    logging.disable(logging.CRITICAL)
    every, first = timedelta(minutes=minutes), _BEGAN.date() - timedelta(days=history)
    with (
        listening() as hook,
        TemporaryDirectory(prefix="reporting_night_") as folder,
        patch.dict(os.environ, {"REPORTING_ALERT_URLS": f"json://127.0.0.1:{hook.port}"}),
        deployment(Path(folder), _BEGAN, _CONNECTED, first=first, is_all_on=True) as deployed,
    ):
        for _ in deployed.until(_HEALTHY_UNTIL, every):
            pass
        healthy, healthy_runs, failed = list(hook.received), dict(deployed.runs), list(deployed.failed)
        _FAULTS[fault].begin(deployed)
        for _ in deployed.until(_ENDED, every):
            pass
        return Night(
            fault=fault,
            healthy=healthy,
            faulty=hook.received[len(healthy) :],
            healthy_runs=healthy_runs,
            failed=failed,
        )
