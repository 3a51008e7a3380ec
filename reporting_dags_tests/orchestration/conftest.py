"""A live sandbox on the real clock and a Dagster instance of the test's own."""

import os
import shutil
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import dagster as dg
import pytest
import yaml

from reporting_dags.definitions import definitions
from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import FILE_NAME, open_database
from reporting_dags.jobs.ledger.report_state import due_days
from reporting_dags.landing.storage.store import Store, open_store
from reporting_dags.local import sandbox_accounts
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.report import Report
from reporting_dags.orchestration.storage import StorageResource, start_date, with_settings
from reporting_dags.providers.resource import ProviderResource
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.dagster_storage import speed_up
from reporting_dags_tests.processes import VARIABLES

speed_up()
KEY = dg.AssetKey(["dt_offer_wall", "event"])

_QUICK = {
    "event_log_storage": {
        "module": "dagster._core.storage.event_log",
        "class": "ConsolidatedSqliteEventLogStorage",
        "config": {"base_dir": {"env": "DAGSTER_HOME"}},
    },
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    },
    "telemetry": {"enabled": False},
}
"""One database of events for all runs, and no one catches what they print: it takes a fifth off a run."""


@dataclass
class Place:
    """Where a test's reports land to."""

    home: Path
    data: Path
    instance: dg.DagsterInstance

    def run(self, first: date, last: date | None = None, key: dg.AssetKey = KEY) -> dg.ExecuteInProcessResult:
        """One run over a day or a range of days, as the CLI and the daemon start it."""
        job = dg.Definitions.resolve_implicit_global_asset_job_def(definitions())
        single = last is None or last == first
        tags = {
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": (last or first).isoformat(),
        }
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[key],
            partition_key=first.isoformat() if single else None,
            tags={} if single else tags,
            raise_on_error=False,
        )

    def snapshot(self, key: dg.AssetKey) -> dg.ExecuteInProcessResult:
        """One run over an asset that has no partitions."""
        job = dg.Definitions.resolve_implicit_global_asset_job_def(definitions())
        return job.execute_in_process(instance=self.instance, asset_selection=[key], raise_on_error=False)

    def due(self, report: Report) -> list[date]:
        """What the schedule would request now."""
        with StorageResource().open(self.instance) as opened:
            return due_days(
                with_settings(report),
                since=start_date(),
                ledger=opened.ledger,
                data=opened.data,
                now=datetime.now(UTC),
            )

    @contextmanager
    def locked(self) -> Generator[None]:
        """Another process holds the ledger's lock, also against readers."""
        other = sqlite3.connect(self.home / FILE_NAME, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.close()

    @property
    def store(self) -> Store:
        """The data root."""
        return open_store(str(self.data), scratch=self.home)

    def spend(self, api: str, calls: int, provider: str = "dt_offer_wall") -> None:
        """Note `calls` of a kind as made today, for days of old."""
        resource = (definitions().resources or {})[provider]
        account = cast("ProviderResource", resource).client(SystemClock()).account
        row = {"api": api, "account": account, "job": "", "newest": False, "at": datetime.now(UTC)}
        database = open_database(None, self.home, lock_seconds=30)
        try:
            database.write(lambda connection: connection.execute(tables.calls.insert(), [row] * calls), "test")
        finally:
            database.close()

    def materialized(self, key: dg.AssetKey = KEY) -> set[str]:
        return set(self.instance.get_materialized_partitions(key))

    def checks(self, name: str, key: dg.AssetKey = KEY) -> dict[str | None, bool]:
        """The last result of a check by partition; None is the run as a whole."""
        return {told.partition: told.passed for told in self._evaluations(name, key)}

    def check_descriptions(self, name: str, key: dg.AssetKey = KEY) -> dict[str | None, str | None]:
        """What a check last said, by partition."""
        return {told.partition: told.description for told in self._evaluations(name, key)}

    def _evaluations(self, name: str, key: dg.AssetKey) -> Iterator[dg.AssetCheckEvaluation]:
        records = self.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(key, name), limit=1000
        )
        for record in reversed(records):
            event = record.event.dagster_event if record.event else None
            if event is not None and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                yield event.asset_check_evaluation_data

    def metadata(self, day: date, key: dg.AssetKey = KEY) -> dict[str, Any]:
        """The latest materialization's metadata of a day, as plain values."""
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day.isoformat()]), limit=1
        ).records
        materialization = records[0].asset_materialization
        assert materialization is not None
        return {name: value.value for name, value in materialization.metadata.items()}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """The one line with which a run's step failed."""
    (event,) = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    data = event.step_failure_data
    assert data.user_failure_data is not None, data.error
    return data.user_failure_data.description or ""


@pytest.fixture
def newest() -> date:
    """The latest day that is published now."""
    return EVENT.calendar.latest_available(datetime.now(UTC))


@pytest.fixture
def thirty(newest: date) -> list[date]:
    """The last 30 days that are published."""
    return [newest - timedelta(days=n) for n in reversed(range(30))]


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the project's is set."""
    for name in list(os.environ):
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)


@pytest.fixture
def live(bare_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Sandbox]:
    """A sandbox on the real clock, to which the environment points."""
    with running_sandbox(seed=7) as sandbox:
        for name, value in sandbox_accounts(sandbox.url).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("REPORTING_POLL_SECONDS", "0.05")
        monkeypatch.setenv("REPORTING_DATA_URL", str(tmp_path / "data"))
        yield sandbox


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAGSTER_HOME whose databases are made: that takes longer than to copy them."""
    home = tmp_path_factory.mktemp("empty") / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(_QUICK), encoding="utf-8")
    with patch.dict(os.environ, DAGSTER_HOME=str(home)), dg.DagsterInstance.from_config(str(home)) as instance:
        instance.all_instigator_state()
    return home


@pytest.fixture
def place(live: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty_home: Path) -> Generator[Place]:
    home = tmp_path / "home"
    shutil.copytree(empty_home, home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Place(home=home, data=tmp_path / "data", instance=instance)
