"""Credentials and personal data, for every provider: what is missing is named, what is secret is not told."""

import hashlib
import os
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pyarrow.parquet as pq
import pytest

from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import CONVERSIONS
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place, failure_of

CREDENTIALS = {
    "dt_offer_wall/event": ("DT_CLIENT_ID", "DT_CLIENT_SECRET"),
    "dt_user_level/revenue": ("DT_CLIENT_ID", "DT_CLIENT_SECRET", "DT_USER_LEVEL_APP_IDS"),
    "mintegral/offer_performance": ("MINTEGRAL_ACCESS_KEY", "MINTEGRAL_API_KEY"),
    "orangeclick/earnings": ("ORANGECLICK_API_TOKEN",),
    "integr8/clicks": ("INTEGR8_API_KEY", "INTEGR8_INTEGRATION_ID"),
}
CASES = [(report, variable) for report, variables in CREDENTIALS.items() for variable in variables]
DAY = date(2026, 1, 1)


def newest(key: str) -> date:
    report = next(one for one in all_reports() if one.key == key)
    return report.calendar.latest_available(datetime.now(UTC))


@pytest.mark.parametrize(("report", "variable"), CASES)
def test_a_variable_that_is_not_set_is_named_in_one_line(
    report: str, variable: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)
    line = failure_of(place.run(newest(report), key=dg.AssetKey(report.split("/"))))
    assert line.startswith(f"{report} denied: {variable} is not set")
    assert line.endswith(f". Fix: set {variable}.")
    assert "\n" not in line


@pytest.mark.parametrize(("report", "variable"), [case for case in CASES if case[1] != "DT_USER_LEVEL_APP_IDS"])
def test_a_wrong_credential_says_where_to_look_and_is_not_told(
    report: str, variable: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "a-wrong-secret")
    line = failure_of(place.run(newest(report), key=dg.AssetKey(report.split("/"))))
    assert variable in line
    assert "\n" not in line
    # The id of an integration is not a secret: it stands in every address and row.
    assert "a-wrong-secret" not in line or variable == "INTEGR8_INTEGRATION_ID"


def test_an_unknown_policy_for_personal_data_is_named_in_one_line(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_PERSONAL_DATA", "shred")
    line = failure_of(place.run(newest(REVENUE.key), key=dg.AssetKey(["dt_user_level", "revenue"])))
    assert line.endswith("REPORTING_PERSONAL_DATA is 'shred'. Give one of hash, keep, drop.")


@pytest.mark.parametrize("mode", ["", "hash", "keep", "drop"])
def test_personal_data_is_hashed_unless_the_policy_says_otherwise(
    mode: str, live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_PERSONAL_DATA", mode)
    live.settings.change("dt", empty_day_one_in=0)
    day = newest(REVENUE.key)
    assert place.run(day, key=dg.AssetKey(["dt_user_level", "revenue"])).success
    table = pq.read_table(place.data / REVENUE.file(day))
    found = {text for text in table.column("advertising_id").to_pylist() if text}
    sent = {row["Advertising ID"] for row in live.truth(REVENUE.key, day)} - {""}
    hashed = {hashlib.sha256(text.encode()).hexdigest() for text in sent}
    assert found == {"": hashed, "hash": hashed, "keep": sent, "drop": set()}[mode]
    assert table.schema.equals(REVENUE.schema)


def test_another_policy_makes_days_due_again(live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    live.settings.change("integr8", empty_day_one_in=0)
    day = newest(CONVERSIONS.key)
    key = dg.AssetKey(["integr8", "conversions"])
    assert place.run(day, key=key).success
    first = pq.read_table(place.data / CONVERSIONS.file(day)).column("click_ip").to_pylist()
    monkeypatch.setenv("REPORTING_HASH_KEY", "a-key-of-our-own")
    monkeypatch.setenv("REPORTING_START_DATE", (day - timedelta(days=1)).isoformat())
    due = place.due(CONVERSIONS)
    assert day in due
    assert place.run(day, key=key).success
    assert pq.read_table(place.data / CONVERSIONS.file(day)).column("click_ip").to_pylist() != first
    assert day not in place.due(CONVERSIONS)


def test_an_app_more_makes_every_reachable_day_due_again(
    live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    apps = os.environ["DT_USER_LEVEL_APP_IDS"].split(",")
    monkeypatch.setenv("DT_USER_LEVEL_APP_IDS", apps[0])
    day = newest(REVENUE.key)
    key = dg.AssetKey(["dt_user_level", "revenue"])
    assert place.run(day, key=key).success
    assert day not in place.due(REVENUE)
    monkeypatch.setenv("DT_USER_LEVEL_APP_IDS", f"{apps[1]}, {apps[0]}")
    assert day in place.due(REVENUE)
    assert place.run(day, key=key).success
    monkeypatch.setenv("DT_USER_LEVEL_APP_IDS", f"{apps[0]},{apps[1]}")
    assert day not in place.due(REVENUE)
