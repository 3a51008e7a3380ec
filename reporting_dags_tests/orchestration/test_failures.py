"""What a run leaves of partitions that failed, and of the report as a whole."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from reporting_dags.jobs.planning.report_health import CONTROL_TOTALS, NEEDS_ACTION, REPORT_CHECKS
from reporting_dags.orchestration.keys import key_of
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.network import NETWORK
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import KEY, Place, failure_of
from reporting_dags_tests.orchestration.ticks import start_schedule

SCHEDULE = "dt_offer_wall_daily"
FACTS = {"outcome", "cause", "fix", "next_attempt"}


def observed(place: Place, key: dg.AssetKey = KEY) -> dict[str | None, list[Mapping[str, Any]]]:
    """The metadata of the observations of an asset, by partition."""
    found: dict[str | None, list[Mapping[str, Any]]] = {}
    for record in place.instance.fetch_observations(key, limit=100).records:
        one = record.asset_observation
        assert one is not None
        facts = {name: value.value for name, value in one.metadata.items()}
        found.setdefault(one.partition, []).append({**facts, "description": one.description})
    return found


def planned_without_result(place: Place, result: dg.ExecuteInProcessResult, key: dg.AssetKey = KEY) -> set[str]:
    """The checks of a report as a whole that a run was to evaluate and did not: the UI shows them as not evaluated."""
    keys = [dg.AssetCheckKey(key, name) for name in REPORT_CHECKS]
    newest = place.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    evaluated = {
        found.name
        for found, record in newest.items()
        if record.run_id == result.run_id
        and record.event is not None
        and record.event.dagster_event is not None
        and record.event.dagster_event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    }
    return set(REPORT_CHECKS) - evaluated


@pytest.fixture
def two_causes(live: Sandbox, newest: date) -> tuple[date, date]:
    """Two days whose responses are refused for different causes."""
    live.settings.change("dt", empty_day_one_in=0)
    first, second = newest - timedelta(days=3), newest - timedelta(days=1)
    live.faults.add("dt.data", do="duplicate_row", source="event", day=first, times=None)
    live.faults.add(
        "dt.data", do="bad_value", column="Offer Clicks", value="many", source="event", day=second, times=None
    )
    return first, second


def test_each_failed_partition_of_a_range_has_one_observation_with_its_own_cause(
    live: Sandbox, place: Place, newest: date, two_causes: tuple[date, date]
) -> None:
    first, second = two_causes
    result = place.run(newest - timedelta(days=4), newest)
    assert not result.success
    found = observed(place)
    assert set(found) == {f"{day}" for day in two_causes}
    assert all(len(facts) == 1 for facts in found.values())
    (one,), (other,) = found[f"{first}"], found[f"{second}"]
    assert set(one) == set(other) == {*FACTS, "description"}
    assert one["outcome"] == other["outcome"] == "failed"
    assert "grain twice" in one["cause"]
    assert one["cause"] != other["cause"]
    assert all(facts["fix"] for facts in (one, other))
    assert one["description"].startswith(f"failed: {one['cause']}")
    line = failure_of(result)
    assert "\n" not in line
    assert f"(2 of 5 days) {first} failed: " in line
    assert f"; {second} failed: " in line
    assert place.materialized() == {f"{newest - timedelta(days=n)}" for n in (0, 2, 4)}


def test_the_next_attempt_is_that_of_a_schedule_that_is_on(
    live: Sandbox, place: Place, two_causes: tuple[date, date]
) -> None:
    first, _ = two_causes
    assert not place.run(first).success
    text = f"none: no schedule of {EVENT.provider} is on; materialize the partition"
    assert observed(place)[f"{first}"][0]["next_attempt"] == text
    start_schedule(place.instance, SCHEDULE)
    assert not place.run(first).success
    newest = observed(place)[f"{first}"][0]["next_attempt"]
    moment = newest.removeprefix(f"by schedule {SCHEDULE}, after ")
    after = datetime.strptime(moment, "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)
    assert timedelta(hours=2) < after - datetime.now(UTC) < timedelta(days=1)


def test_a_day_that_no_provider_serves_any_more_has_no_next_attempt(live: Sandbox, place: Place) -> None:
    start_schedule(place.instance, SCHEDULE)
    assert not place.run(date(2019, 6, 10)).success
    (facts,) = observed(place)["2019-06-10"]
    assert facts["outcome"] == "expired"
    assert facts["next_attempt"] == "none: the provider does not serve the day any more"


def test_a_quota_that_is_spent_says_when_it_is_renewed(live: Sandbox, place: Place, newest: date) -> None:
    start_schedule(place.instance, SCHEDULE)
    assert place.run(newest).success
    place.spend("dt_offer_wall queries", 50)
    assert not place.run(newest - timedelta(days=1)).success
    (facts,) = observed(place)[f"{newest - timedelta(days=1)}"]
    assert facts["outcome"] == "denied"
    assert facts["next_attempt"].startswith(f"by schedule {SCHEDULE}, after 20")


def test_credentials_that_are_missing_or_wrong_are_observed_without_a_secret(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [newest - timedelta(days=1), newest]
    for value in ("hush-hush-secret", None):
        if value is None:
            monkeypatch.delenv("DT_CLIENT_SECRET")
        else:
            monkeypatch.setenv("DT_CLIENT_SECRET", value)
        result = place.run(days[0], days[1])
        assert not result.success
        found = observed(place)
        assert set(found) == {f"{day}" for day in days}
        for facts in found.values():
            assert facts[0]["outcome"] == "denied"
            assert "DT_CLIENT_SECRET" in facts[0]["fix"]
            assert "hush" not in str(facts)
        assert "hush" not in failure_of(result)
        assert planned_without_result(place, result) == set()


def test_a_ledger_that_cannot_be_read_is_observed_on_every_partition(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [newest - timedelta(days=1), newest]
    monkeypatch.setattr("reporting_dags.orchestration.storage.LOCK_SECONDS", 0.2)
    with place.locked():
        result = place.run(days[0], days[1])
    found = observed(place)
    assert set(found) == {f"{day}" for day in days}
    assert all("stays locked by another process" in facts["cause"] for (facts,) in found.values())
    assert "\n" not in failure_of(result)


def test_a_day_of_all_networks_that_cannot_be_built_is_observed_once(place: Place, newest: date) -> None:
    result = place.run(newest - timedelta(days=1), newest, key=key_of(NETWORK))
    assert not result.success
    found = observed(place, key_of(NETWORK))
    assert set(found) == {f"{newest - timedelta(days=1)}", f"{newest}"}
    for (facts,) in found.values():
        assert set(facts) == {*FACTS, "description"}
        assert facts["next_attempt"] == "when one of its sources lands"
    assert "\n" not in failure_of(result)


# The report as a whole.


def test_at_the_end_of_a_run_over_a_range_every_check_of_the_report_is_evaluated(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_START_DATE", f"{newest - timedelta(days=2)}")
    result = place.run(newest - timedelta(days=2), newest)
    assert result.success
    assert planned_without_result(place, result) == set()
    for name in set(REPORT_CHECKS) - {CONTROL_TOTALS}:
        assert place.checks(name) == {None: True}, name
    evaluations = [
        event.asset_check_evaluation_data
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    (control,) = (one for one in evaluations if one.check_name == CONTROL_TOTALS)
    assert not control.passed, "nothing was compared"
    assert control.severity is dg.AssetCheckSeverity.WARN
    assert control.metadata[NEEDS_ACTION].value is False
    assert "nothing to compare yet" in (control.description or "")


def test_a_run_in_which_days_fail_evaluates_every_check_of_the_report(
    live: Sandbox, place: Place, newest: date, two_causes: tuple[date, date]
) -> None:
    result = place.run(newest - timedelta(days=4), newest)
    assert not result.success
    assert planned_without_result(place, result) == set()
    assert place.checks("no_day_failed") == {None: False}
    assert all(f"{day}" in str(place.check_descriptions("no_day_failed")[None]) for day in two_causes)
