"""A home of the last release before the first migration is upgraded: nothing is lost, and nothing becomes due."""

import contextlib
from collections.abc import Generator, Iterator
from datetime import date
from pathlib import Path
from typing import cast

import dagster as dg
import pytest
from typer.testing import CliRunner

from reporting_dags.cli import app
from reporting_dags.definitions import definitions
from reporting_dags.jobs.building import build as combining
from reporting_dags.jobs.ledger.report_state import due_days
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.local import sandbox_accounts
from reporting_dags.model.report import Report
from reporting_dags.orchestration.network import NETWORK_DAILY
from reporting_dags.orchestration.storage import OpenStorage, StorageResource, with_settings
from reporting_dags.providers.api import Provider
from reporting_dags.providers.resource import ProviderResource
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.mintegral import CREATIVE_PERFORMANCE
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.earlier_home import FACTS, NOW, START, copy_datasets, copy_ledger

LANDED: dict[str, dict[str, str]] = FACTS["landed"]
DUE: dict[str, list[str]] = FACTS["due"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The sandbox at the moment when the earlier release ended."""
    with running_sandbox(seed=7, at=NOW, frozen=True) as running:
        yield running


@pytest.fixture
def home(
    bare_environment: None,
    sandbox: Sandbox,
    tmp_path: Path,
    database_url: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The earlier release's home, as the environment names it."""
    folder = tmp_path / "home"
    folder.mkdir()
    copy_ledger(folder, database_url)
    copy_datasets(tmp_path / "datasets")
    variables = {"DAGSTER_HOME": str(folder), "REPORTING_DATA_URL": str(tmp_path / "datasets")}
    if database_url is not None:
        variables["DAGSTER_POSTGRES_URL"] = database_url
    for name, value in {**variables, **sandbox_accounts(sandbox.url)}.items():
        monkeypatch.setenv(name, value)
    # Not in the project's folder, whose `.env` is a developer's own.
    monkeypatch.chdir(tmp_path)
    return folder


@contextlib.contextmanager
def opened() -> Generator[OpenStorage]:
    with dg.DagsterInstance.ephemeral() as instance, StorageResource().open(instance) as places:
        yield places


def client(report: Report, clock: SandboxClock) -> Provider:
    resource = (definitions().resources or {})[report.provider]
    return cast("ProviderResource", resource).client(clock)


def due_now(places: OpenStorage, report: Report) -> list[str]:
    days = due_days(with_settings(report), since=START, ledger=places.ledger, data=places.data, now=NOW)
    return [day.isoformat() for day in days]


def test_no_partition_is_lost_and_verify_ends_well(home: Path, sandbox: Sandbox) -> None:
    done = CliRunner().invoke(app, ["verify"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == f"{sum(map(len, LANDED.values()))} days are whole"
    with opened() as places:
        days = {key: places.ledger.materializations.days(key) for key in LANDED}
        found = {key: {day.isoformat(): one.sha256 for day, one in of_key.items()} for key, of_key in days.items()}
    assert found == LANDED
    assert sandbox.log.entries() == []


def test_nothing_becomes_due_by_the_upgrade_and_no_call_is_spent(home: Path, sandbox: Sandbox) -> None:
    clock = SandboxClock(sandbox)
    with opened() as places:
        assert {report.key: due_now(places, report) for report in all_reports()} == DUE
        assert combining.due_builds(NETWORK_DAILY, since=START, ledger=places.ledger) == []
        for name, left in FACTS["left"].items():
            report = next(report for report in all_reports() if report.provider == name.split()[0])
            provider = client(report, clock)
            (quota,) = (quota for quota in provider.quotas if name.endswith(quota.bucket))
            assert places.ledger.quotas.left(quota, provider.account, NOW) == tuple(left)
            provider.close()
    assert sandbox.log.entries() == []


def test_a_job_that_was_open_is_taken_up_and_what_is_due_lands(home: Path, sandbox: Sandbox) -> None:
    clock, day = SandboxClock(sandbox), date(2026, 11, 20)
    with opened() as places:
        provider = client(CREATIVE_PERFORMANCE, clock)
        assert places.ledger.jobs.in_flight_days(CREATIVE_PERFORMANCE.key) == {day}
        before = places.ledger.quotas.count(report=CREATIVE_PERFORMANCE.key)
        (result,) = pull(places.pull_context(provider, clock, run="run-2"), CREATIVE_PERFORMANCE, [day])
        assert result.outcome.publishes, result.error
        assert places.ledger.quotas.count(report=CREATIVE_PERFORMANCE.key) == before
        provider.close()
        provider = client(EVENT, clock)
        (result,) = pull(places.pull_context(provider, clock, run="run-2"), with_settings(EVENT), [START])
        assert result.outcome.publishes, result.error
        assert due_now(places, EVENT) == []
        provider.close()
    assert sandbox.log.count("dt.report") == 1
