"""A night of a new deployment: no alert is sent while all goes well, and one alert of one fault."""

import logging
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest

from reporting_dags_tests.month.clockwork import Deployment
from reporting_dags_tests.month.deploying import deployment
from reporting_dags_tests.month.world import largest_domain
from reporting_dags_tests.webhook import listening

BEGAN = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
HEALTHY_UNTIL = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
ENDED = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
CONNECTED = ("mintegral", "orangeclick")
HISTORY = timedelta(days=30)
EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What was sent while all went well and after the fault, and how many runs there were until then."""

    healthy: list[dict[str, Any]]
    faulty: list[dict[str, Any]]
    healthy_runs: Mapping[str, int]
    failed: list[str]


def refuse_keys(deployed: Deployment) -> None:
    deployed.sandbox.faults.add("mintegral.generate", do="status", status=401, times=None)


def lose_domain(deployed: Deployment) -> None:
    domain = largest_domain(deployed.sandbox, BEGAN.date() - timedelta(days=1))
    deployed.sandbox.settings.change("orangeclick", lost_domains=(domain,))


FAULTS = {"refused keys": refuse_keys, "a lost domain": lose_domain}


def night(fault: str) -> Night:
    """Let a night pass, in a process of its own."""
    logging.disable(logging.CRITICAL)
    first = BEGAN.date() - HISTORY
    with (
        listening() as hook,
        TemporaryDirectory(prefix="reporting_night_") as folder,
        patch.dict(os.environ, {"REPORTING_ALERT_URLS": f"json://127.0.0.1:{hook.port}"}),
        deployment(Path(folder), BEGAN, CONNECTED, first=first, is_all_on=True) as deployed,
    ):
        for _ in deployed.until(HEALTHY_UNTIL, EVERY):
            pass
        healthy, healthy_runs, failed = list(hook.received), dict(deployed.runs), list(deployed.failed)
        FAULTS[fault](deployed)
        for _ in deployed.until(ENDED, EVERY):
            pass
        return Night(healthy=healthy, faulty=hook.received[len(healthy) :], healthy_runs=healthy_runs, failed=failed)


@pytest.mark.parametrize(
    ("fault", "severity", "title"),
    [
        ("refused keys", "failure", "mintegral: failed, 3 reports 2026-11-20"),
        ("a lost domain", "warning", "orangeclick/earnings 2026-11-20: warning"),
    ],
)
def test_nothing_is_sent_of_a_healthy_night_and_one_alert_of_a_fault(fault: str, severity: str, title: str) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(night, fault).result()
    assert found.failed == []
    assert {"mintegral/offer_performance", "orangeclick/earnings", "network/daily"} <= set(found.healthy_runs)
    assert found.healthy == []
    assert [(one["type"], one["title"]) for one in found.faulty] == [(severity, title)]
