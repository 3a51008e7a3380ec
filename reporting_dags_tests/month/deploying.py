"""A deployment of the simulated month: folders, database, sandbox, and a clock for all of them."""

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import sqlalchemy.pool
import time_machine
import yaml

from reporting_dags.definitions import definitions
from reporting_dags.local import sandbox_accounts
from reporting_dags.model.clock import SystemClock
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import running_sandbox
from reporting_dags_tests.month.clockwork import Deployment
from reporting_dags_tests.torture.postgres import running_postgres


def _passing(traveller: time_machine.Traveller) -> Callable[[SystemClock, float], None]:
    def sleep(_clock: SystemClock, seconds: float) -> None:
        traveller.shift(max(0.0, seconds))

    return sleep


def _make_home(home: Path) -> None:
    """As in production, but that no one reads what runs print: catching it costs two processes a run."""
    home.mkdir()
    settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text(encoding="utf-8"))
    settings["compute_logs"] = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


@contextmanager
def deployment(
    folder: Path,
    began: datetime,
    providers: tuple[str, ...],
    *,
    first: date | None = None,
    is_all_on: bool = False,
    switches: Mapping[str, Any] | None = None,
) -> Generator[Deployment]:
    """A deployment that is connected to `providers` alone, with every sensor on; on PostgreSQL, as in production.

    Args:
        folder: where its files are.
        began: the moment at which it begins.
        providers: whose accounts it has.
        first: the first partition; None: the day on which it begins.
        is_all_on: whether schedules and sensors of all providers are on, not of `providers` alone.
        switches: how the sandbox begins.
    """
    first = first or began.date()
    home = folder / "home"
    _make_home(home)
    with (
        running_postgres() as postgres,
        # Dagster opens a connection for every query, which is half of what a simulated month would take.
        patch.object(sqlalchemy.pool, "NullPool", sqlalchemy.pool.QueuePool),
        time_machine.travel(began, tick=True) as traveller,
        running_sandbox(seed=7, **(switches or {})) as sandbox,
        # Whoever waits for a rate or before a retry lets simulated time pass, not ours.
        patch.object(SystemClock, "sleep", _passing(traveller)),
    ):
        prefixes = tuple(f"{provider.partition('_')[0].upper()}_" for provider in providers)
        accounts = {name: value for name, value in sandbox_accounts(sandbox.url).items() if name.startswith(prefixes)}
        variables = accounts | {
            "DAGSTER_HOME": str(home),
            "DAGSTER_POSTGRES_URL": postgres.url,
            "REPORTING_DATA_URL": str(folder / "data"),
            "REPORTING_POLL_SECONDS": "0.05",
            "REPORTING_START_DATE": first.isoformat(),
            # What a month needs is time, not a database that survives the loss of power.
            "PGOPTIONS": "-c synchronous_commit=off",
        }
        with patch.dict(os.environ, variables), dg.DagsterInstance.from_config(str(home)) as instance:
            found = Deployment(
                sandbox=sandbox,
                folder=folder,
                postgres_url=postgres.url,
                began=first,
                providers=tuple({report.provider for report in all_reports()}) if is_all_on else providers,
                instance=instance,
                traveller=traveller,
                loaded=definitions(),
            )
            found.turn_on()
            yield found
