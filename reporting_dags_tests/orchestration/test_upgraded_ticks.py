"""The first ticks over a home of an earlier release: what has landed is not requested, and nothing old is sent."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import time_machine

from reporting_dags.jobs.planning.report_health import REPORT_CHECKS
from reporting_dags.local import sandbox_accounts
from reporting_dags.model.days import days_in
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.sensors.alerts import Alerts
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.mintegral import CREATIVE_PERFORMANCE
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.earlier_home import FACTS, NOW, START, copy_datasets, copy_ledger
from reporting_dags_tests.orchestration.conftest import KEY, Place
from reporting_dags_tests.orchestration.ticks import Told, loaded_now, schedule_tick, sensor_tick, turn_on
from reporting_dags_tests.webhook import Hook, listening

PROVIDERS = tuple(dict.fromkeys(report.provider for report in all_reports()))
SMALL: dict[str, dict[str, float]] = {
    "dt": {"empty_day_one_in": 0, "user_level_rows_factor": 0.1},
    "mintegral": {"empty_day_one_in": 0, "rows_factor": 0.05},
    "orangeclick": {"empty_day_one_in": 0, "rows_factor": 0.2},
    "integr8": {"empty_day_one_in": 0, "rows_factor": 0.2},
}
"""What the sandbox was like from which the home was filled."""
EARLIER_SENSOR_CURSORS = [
    None,
    json.dumps({"next": EVENT.key, "told": {f"{EVENT.key}:newest_day": ["True has landed", NOW.timestamp()]}}),
]
EARLIER_ALERT_CURSORS = [
    None,
    "off",
    json.dumps({"after": 0, "told": {}}),
    json.dumps({"after": 1, "told": {f"{EVENT.key}:no_day_missing": ["False missing: 2026-11-17", 1]}}),
    json.dumps({"after": 10**9, "told": {}}),
    json.dumps({"after": "1", "told": []}),
    "[]",
    "1",
    "null",
]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The sandbox at the moment when the earlier release ended."""
    with running_sandbox(seed=7, at=NOW, frozen=True) as running:
        for provider, values in SMALL.items():
            running.settings.change(provider, **values)
        yield running


@pytest.fixture
def upgraded(
    bare_environment: None,
    sandbox: Sandbox,
    tmp_path: Path,
    empty_home: Path,
    database_url: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """The earlier release's home, at the moment when it ended."""
    folder, data = tmp_path / "home", tmp_path / "datasets"
    shutil.copytree(empty_home, folder)
    copy_ledger(folder, database_url)
    copy_datasets(data)
    variables = {
        "DAGSTER_HOME": str(folder),
        "REPORTING_DATA_URL": str(data),
        "REPORTING_START_DATE": START.isoformat(),
        **({"DAGSTER_POSTGRES_URL": database_url} if database_url is not None else {}),
        **sandbox_accounts(sandbox.url),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with time_machine.travel(NOW, tick=False), dg.DagsterInstance.from_config(str(folder)) as instance:
        yield Place(home=folder, data=data, instance=instance)


def requested(told: Told) -> dict[str, set[str]]:
    """The days that a tick requests, by report."""
    found: dict[str, set[str]] = {}
    for report in all_reports():
        for days in told.asked(report.key):
            every = {day.isoformat() for day in days_in(days)} if days else {"1970-01-01"}
            found.setdefault(report.key, set()).update(every)
    return found


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_first_tick_of_a_schedule_requests_what_was_due_and_nothing_that_has_landed(
    sandbox: Sandbox, upgraded: Place, provider: str
) -> None:
    turn_on(upgraded, provider)
    found = requested(schedule_tick(upgraded, NOW, provider))
    for key, days in found.items():
        # Of days that were not due, those alone that the same query covers.
        landed = set(FACTS["landed"][key]) - set(FACTS["due"][key])
        between = {day for day in landed if min(days - landed) < day < max(days - landed)}
        assert days & landed <= between, key
    due = {key: set(days) for key, days in FACTS["due"].items() if key.startswith(f"{provider}/")}
    assert all(found.get(key, set()) <= {*days, *FACTS["landed"][key]} for key, days in due.items())
    assert sandbox.log.entries() == []


@pytest.mark.parametrize("cursor", EARLIER_SENSOR_CURSORS, ids=str)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_first_tick_of_a_sensor_requests_nothing_that_has_landed_and_spends_no_query(
    sandbox: Sandbox, upgraded: Place, provider: str, cursor: str | None
) -> None:
    turn_on(upgraded, provider)
    told = sensor_tick(upgraded, provider, cursor=cursor)
    for key, days in requested(told).items():
        assert days <= set(FACTS["due"][key]), key
    # The job that was open is polled, and control totals are taken that were due under the earlier release, too.
    assert {entry.point for entry in sandbox.log.entries()} <= {"mintegral.generate", "integr8.conversion_table"}
    polled = {entry.facts["report"] for entry in sandbox.log.entries("mintegral.generate")}
    assert polled <= {CREATIVE_PERFORMANCE.name, "AdType daily"}
    assert sandbox.log.count("integr8.conversion_table") <= 1
    assert len(str(told.cursor)) < 1000
    checks = {getattr(event, "check_name", "") for event in told.events}
    assert checks <= set(REPORT_CHECKS)
    assert "newest_day" in checks
    again = sensor_tick(upgraded, provider, cursor=told.cursor)
    assert {getattr(event, "check_name", "") for event in again.events} <= {"control_totals"}, "which was just taken"
    assert set(again.lines) & set(told.lines) == set()


# Alerts


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    with listening() as found:
        monkeypatch.setenv("REPORTING_ALERT_URLS", f"json://127.0.0.1:{found.port}/x")
        yield found


def alert(place: Place, cursor: str | None) -> tuple[str, str | None]:
    context = dg.build_sensor_context(
        instance=place.instance,
        cursor=cursor,
        repository_def=loaded_now().get_repository_def(),
        resources={"alerts": Alerts()},
    )
    with context:
        result = loaded_now().resolve_sensor_def("alerts").evaluate_tick(context)
    return result.skip_message or "", result.cursor


def recorded_by_the_earlier_release(place: Place, name: str, key: dg.AssetKey = KEY, **metadata: Any) -> None:
    event = dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=name,
        passed=False,
        description="requested, not landed: 2026-11-17",
        metadata=metadata,
        severity=dg.AssetCheckSeverity.ERROR,
    )
    place.instance.report_runless_asset_event(event)


@pytest.mark.parametrize("database_url", [None], ids=["sqlite"])
@pytest.mark.parametrize("cursor", EARLIER_ALERT_CURSORS, ids=str)
def test_of_what_failed_under_the_earlier_release_nothing_is_sent(
    upgraded: Place, hook: Hook, cursor: str | None
) -> None:
    job = dg.Definitions.resolve_implicit_global_asset_job_def(loaded_now())
    for tags in ({"dagster/partition": "2026-11-17"}, {}):
        run = upgraded.instance.create_run_for_job(job, asset_selection=frozenset({key_of(EVENT)}), tags=tags)
        upgraded.instance.report_run_failed(run, message="its worker was killed")
    recorded_by_the_earlier_release(upgraded, "no_day_missing", count=1)
    recorded_by_the_earlier_release(upgraded, "newest_day", key_of(CREATIVE_PERFORMANCE), count=1)
    said, left = alert(upgraded, cursor)
    assert said == "no new problem"
    assert hook.received == []
    # What the first tick of the late-data sensor records again counts.
    for event in sensor_tick(upgraded, "orangeclick").events:
        assert isinstance(event, dg.AssetCheckEvaluation)
        upgraded.instance.report_runless_asset_event(event)
    said, left = alert(upgraded, left)
    assert said.startswith("sent "), "2026-11-17 is missing, and was never requested"
    assert all("orangeclick" in text for text in hook.texts)
    assert alert(upgraded, left)[0] == "no new problem"
