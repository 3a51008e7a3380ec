"""A run that is launched with the configuration that the launchpad fills in: it holds no mask, and works untouched."""

from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.errors import ScheduleExecutionError
from dagster._core.snap import build_config_schema_snapshot
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap
from typer.testing import CliRunner

from reporting_dags.cli import app
from reporting_dags.definitions import definitions
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.sensors.alerts import Alerts
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import OFFERS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place, failure_of
from reporting_dags_tests.orchestration.ticks import loaded_now, schedule_tick, sensor_tick

MASK = "********"
ONE_OF_EACH = (EVENT, REVENUE, OFFER_PERFORMANCE, EARNINGS, OFFERS)


def job_of(*keys: dg.AssetKey) -> dg.JobDefinition:
    job = dg.Definitions.resolve_implicit_global_asset_job_def(loaded_now())
    return job.get_subset(asset_selection=set(keys)) if keys else job


def launchpad(job: dg.JobDefinition) -> str:
    """The text with which the launchpad of a job opens."""
    snapshot = build_config_schema_snapshot(job)
    root = job.run_config_schema.config_type.key
    return default_values_yaml_from_type_snap(snapshot, snapshot.get_config_snap(root))


def secrets() -> dict[str, list[str]]:
    """The fields of each resource that the UI masks."""
    found: dict[str, list[str]] = {}
    for name, resource in (definitions().resources or {}).items():
        for field, info in type(resource).model_fields.items():
            extra: Any = info.json_schema_extra or {}
            if extra.get("dagster__is_secret"):
                found.setdefault(name, []).append(field)
    return found


def test_no_resource_of_a_default_launch_carries_a_mask() -> None:
    assert set(secrets()) == {"home", "alerts", "dt_offer_wall", "dt_user_level", "mintegral", "orangeclick", "integr8"}
    text = launchpad(job_of())
    assert "*" not in text
    config = yaml.safe_load(text)
    for resource, fields in secrets().items():
        assert not set(fields) & set(config["resources"].get(resource, {}).get("config", {})), resource


@pytest.mark.parametrize("report", all_reports(), ids=lambda report: report.key)
def test_the_launchpad_of_each_asset_holds_no_mask_and_offers_a_replay(report: Any) -> None:
    text = launchpad(job_of(key_of(report)))
    assert "*" not in text
    assert yaml.safe_load(text)["ops"][f"{report.provider}__{report.name}"]["config"]["replay"] is False


@pytest.mark.parametrize("report", ONE_OF_EACH, ids=lambda report: report.key)
def test_a_launch_of_what_the_launchpad_holds_works_untouched_and_with_masks_of_an_earlier_release(
    live: Sandbox, place: Place, newest: date, report: Any
) -> None:
    job = dg.Definitions.resolve_implicit_global_asset_job_def(loaded_now())
    config = yaml.safe_load(launchpad(job_of(key_of(report))))
    day = min(newest, report.calendar.latest_available(datetime.now(UTC)))
    for masked in (False, True):
        if masked:
            for resource in set(secrets()) & {"home", report.provider}:
                fields = config["resources"].setdefault(resource, {}).setdefault("config", {})
                fields |= dict.fromkeys(secrets()[resource], MASK)
            config["ops"][f"{report.provider}__{report.name}"]["config"]["replay"] = report.partitioned
        result = job.execute_in_process(
            instance=place.instance,
            asset_selection=[key_of(report)],
            partition_key=day.isoformat() if report.partitioned else None,
            run_config=config,
            raise_on_error=False,
        )
        assert result.success


@pytest.mark.parametrize(
    "variable", ["DT_CLIENT_ID", "DT_CLIENT_SECRET", "DAGSTER_POSTGRES_URL", "REPORTING_LEDGER_URL"]
)
def test_a_variable_that_holds_a_mask_is_named_by_the_run_and_the_ticks(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, MASK)
    text = f"{variable} is set to {MASK}, which is a mask"
    assert text in failure_of(place.run(newest))
    assert text in str(sensor_tick(place).skipped)
    if not variable.startswith("DT_"):
        with pytest.raises(ScheduleExecutionError) as caught:
            schedule_tick(place, datetime.now(UTC))
        assert text in str(caught.value.__cause__)
        done = CliRunner().invoke(app, ["verify"])
        assert done.exit_code == 1
        assert text in done.output
    assert definitions().assets, "the definitions load"
    assert live.log.entries() == []


def test_alerts_whose_addresses_are_a_mask_are_named_by_their_tick(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_ALERT_URLS", MASK)
    context = dg.build_sensor_context(
        instance=place.instance,
        repository_def=loaded_now().get_repository_def(),
        resources={"alerts": Alerts(urls=MASK)},
    )
    with context:
        result = loaded_now().resolve_sensor_def("alerts").evaluate_tick(context)
    assert f"REPORTING_ALERT_URLS is set to {MASK}, which is a mask" in (result.skip_message or "")
