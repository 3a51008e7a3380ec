"""What User Level files hold: masked users, personal ids, columns of any name, and damage."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.privacy import PersonalData, Privacy
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.sandbox.digital_turbine.provider import DigitalTurbine
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS as APPS
from reporting_dags.sandbox.digital_turbine.user_level import ZEROS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.providers.test_user_level import DAY, secrets_of
from reporting_dags_tests.pulling import (
    BenchOf,
    brought,
    check_truth,
    in_its_own_home,
    landed,
    line_of,
    refused_after_landing,
)
from reporting_dags_tests.truth import kept_rows, landed_rows

MASKED_IDS = {"", "null", ZEROS, ZEROS.replace("-", ""), "NULL", "None", "Unknown", "n/a"}


def table_of(context: PullContext, day: date = DAY) -> list[dict[str, Any]]:
    return pq.read_table(context.data.open(REVENUE.file(day))).to_pylist()


def truth_by_app(sandbox: Sandbox, day: date, apps: Collection[str] = APPS) -> list[dict[str, str]]:
    """As the sandbox's truth, with the app that was requested in rows whose own app is empty."""
    provider = cast("DigitalTurbine", sandbox.providers["dt"])
    return [
        {name: text or app if name in {"App ID", "Fyber App ID"} else text for name, text in row.items()}
        for app in apps
        for row in provider.user_level_rows(day, app).as_dicts()
    ]


@pytest.mark.rule("UL4")
@pytest.mark.parametrize("headers", ["plain", "fyber"])
@pytest.mark.parametrize("masked_app", ["kept", "empty"])
@pytest.mark.parametrize("masked", ["empty", "zeros", "bare zeros", "NULL", "None", "Unknown", "n/a"])
def test_masked_rows_are_kept_and_flagged_under_whatever_names_columns_have(
    sandbox: Sandbox, bench_of: BenchOf, headers: str, masked: str, masked_app: str
) -> None:
    sandbox.settings.change(
        "dt", user_level_headers=headers, user_level_masked=masked, user_level_masked_app=masked_app
    )
    context = bench_of("dt_user_level")
    landed(context, REVENUE, [DAY])
    truth = truth_by_app(sandbox, DAY)
    assert landed_rows(context.data, REVENUE, DAY) == kept_rows(REVENUE, truth)
    flagged = Counter(row["masked"] for row in table_of(context))
    assert flagged[True] == sum(row["Advertising ID"] in MASKED_IDS for row in truth) > 0
    assert flagged[False] > flagged[True]


@pytest.mark.rule("UL4")
def test_masked_users_that_are_not_aggregated_land_with_a_warning(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.settings.change("dt", user_level_masked_apart=True)
    context = bench_of("dt_user_level")
    result = landed(context, REVENUE, [DAY])[DAY].landed
    assert result is not None
    warning = result.warnings[0]
    assert "advertising_id=…" in warning
    assert "no document promises that keys are unique" in warning
    check_truth(context, sandbox, REVENUE, [DAY])


@pytest.mark.rule("UL4")
def test_further_columns_are_kept_as_text(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.faults.add("dt.data", do="extra_column", column="Neu, €", value="00042")
    context = bench_of("dt_user_level")
    landed(context, REVENUE, [DAY])
    others = [json.loads(row["other_columns"]) for row in table_of(context)]
    assert {one["Neu, €"] for one in others} == {"00042"}
    assert {one.get("Placement ID", "") for one in others} >= {"0014300", "first\nsecond", "9223372036854775808", ""}


@pytest.mark.rule("UL4")
def test_advertising_ids_are_hashed_unless_the_policy_says_otherwise(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("dt_user_level")
    ids = Counter(row["Advertising ID"] for row in sandbox.truth(REVENUE.key, DAY))

    def kept(privacy: Privacy | None = None) -> Counter[str | None]:
        report = REVENUE if privacy is None else replace(REVENUE, privacy=privacy)
        landed(context, report, [DAY])
        rows = table_of(context)
        assert sum(row["masked"] for row in rows) == ids[""] + ids["null"]
        return Counter(row["advertising_id"] for row in rows)

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest() if text else text

    assert kept() == Counter({digest(text): count for text, count in ids.items()})
    assert kept(Privacy(mode=PersonalData.KEEP)) == ids
    assert kept(Privacy(mode=PersonalData.DROP)) == {None: ids.total()}
    keyed = kept(Privacy(key="a key of ours"))
    assert len(keyed) == len(ids)
    assert not set(keyed) & {text for one in ids if one for text in (one, digest(one))}


@pytest.mark.rule("UL4")
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"do": "bad_value", "column": "App ID", "value": "4711"}, "'App ID' holds '4711' in the response for"),
        ({"do": "bad_value", "column": "Revenue", "value": "free"}, "such as 'free'"),
        ({"do": "wrong_day"}, "2026-11-19"),
        ({"do": "drop_column", "column": "Advertising ID"}, "'Advertising ID' is missing"),
        ({"do": "rename_column", "column": "Revenue", "to": "Money"}, "aliases"),
        ({"do": "nul"}, "NUL"),
    ],
)
def test_a_file_that_cannot_be_trusted_publishes_nothing_and_shows_no_user(
    sandbox: Sandbox, bench_of: BenchOf, fault: dict[str, Any], says: str
) -> None:
    users = [row["Advertising ID"] for row in sandbox.truth(REVENUE.key, DAY) if len(row["Advertising ID"]) > 8]
    struck = {"point": "dt.data", **fault}
    result = refused_after_landing(sandbox, bench_of("dt_user_level"), REVENUE, DAY, struck)
    assert says in line_of(result, Outcome.FAILED, [*secrets_of(sandbox), *users])


@pytest.mark.rule("UL4")
def test_a_file_without_the_app_is_about_the_app_that_was_asked_for(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.faults.add("dt.data", do="drop_column", column="App ID")
    context = bench_of("dt_user_level")
    landed(context, REVENUE, [DAY])
    check_truth(context, sandbox, REVENUE, [DAY])


@pytest.mark.rule("UL1", "UL5")
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.sets(st.integers(1, 9), min_size=1, max_size=3),
    apps=st.sets(st.sampled_from(APPS), min_size=1),
    newer=st.integers(0, 3),
    switches=st.fixed_dictionaries(
        {
            "user_level_rows_factor": st.sampled_from([0.0, 0.5, 3.0]),
            "user_level_headers": st.sampled_from(["plain", "fyber"]),
            "user_level_masked": st.sampled_from(["empty", "zeros", "bare zeros", "NULL", "Unknown"]),
            "user_level_masked_app": st.sampled_from(["kept", "empty"]),
            "user_level_restate_days": st.integers(0, 6),
            "user_level_huge": st.booleans(),
            "fill_polls": st.integers(0, 2),
            "pending": st.sampled_from(["empty", "404"]),
            "signature": st.sampled_from(["amz", "aws2"]),
            "row_order": st.sampled_from(["fixed", "request"]),
            "floats": st.sampled_from(["python", "javascript"]),
            "line_end": st.sampled_from(["\n", "\r\n"]),
            "missing_one_in": st.sampled_from([0, 5]),
            "empty_day_one_in": st.sampled_from([0, 2]),
            "describe_errors": st.booleans(),
        }
    ),
)
def test_whatever_is_asked_lands_as_the_truth_has_it(
    sandbox: Sandbox,
    bench_of: BenchOf,
    tmp_path: Path,
    ages: set[int],
    apps: set[str],
    newer: int,
    switches: dict[str, Any],
) -> None:
    sandbox.reset()
    off = tuple(app for app in APPS if app not in apps)
    sandbox.settings.change("dt", user_level_disabled_apps=off, **switches)
    context = in_its_own_home(bench_of("dt_user_level", app_ids=",".join(apps)), tmp_path)

    def check(days: list[date]) -> None:
        landed(context, REVENUE, days)
        for day in days:
            truth = truth_by_app(sandbox, day, apps)
            assert landed_rows(context.data, REVENUE, day) == kept_rows(REVENUE, truth), day

    days = [NOON.date() - timedelta(days=age) for age in ages]
    check(days)
    sandbox.clock.advance(newer * 86400)
    oldest = sandbox.clock.now().date() - timedelta(days=10)
    check([day for day in days if day >= oldest])


@pytest.mark.rule("UL4")
@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        (PersonalData.HASH, {"User IP": hashlib.sha256(b"1.2.3.4").hexdigest(), "Zip": "10115"}),
        (PersonalData.KEEP, {"User IP": "1.2.3.4", "Zip": "10115"}),
        (PersonalData.DROP, {"Zip": "10115"}),
    ],
)
def test_a_column_that_nobody_declared_is_guarded_when_its_name_tells_of_a_person(
    sandbox: Sandbox, bench_of: BenchOf, mode: PersonalData, kept: dict[str, str]
) -> None:
    sandbox.faults.add("dt.data", do="extra_column", column="User IP", value="1.2.3.4")
    sandbox.faults.add("dt.data", do="extra_column", column="Zip", value="10115")
    context = bench_of("dt_user_level", app_ids=APPS[0])
    landed(context, replace(REVENUE, privacy=Privacy(mode)), [DAY])
    for row in table_of(context):
        others = json.loads(row["other_columns"])
        assert {name: others[name] for name in ("User IP", "Zip") if name in others} == kept


def test_a_file_without_a_header_is_refused_without_telling_what_stands_in_it(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    context = bench_of("dt_user_level", app_ids=APPS[0])
    landed(context, REVENUE, [DAY])
    row = f"{DAY},{APPS[0]},US,AEBE52E7-03EE-455A-B3C4-E57283966239,p,banner,3,0.25\n"
    sandbox.faults.add("dt.file", do="status", status=200, body=row, times=None)
    result = brought(context, REVENUE, [DAY])[DAY]
    line = line_of(result, Outcome.FAILED, ["AEBE52E7"])
    assert line.startswith("the first line names no declared column")
