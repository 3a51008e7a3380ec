"""The Offer Wall's reports from the declaration to the file: what is sent, and that what lands is the truth."""

import time
from collections.abc import Generator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporting_dags.model.column import Kind
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.digital_turbine.offer_wall_report import (
    DIMENSIONS,
    METRICS,
    Filter,
    offer_wall_report,
)
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.sandbox.digital_turbine.provider import DigitalTurbine
from reporting_dags.sandbox.digital_turbine.report_request import ReportRequest
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON
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

DAY = date(2026, 11, 18)
ASK = "dt.report"


def days_back(count: int) -> list[date]:
    """The latest `count` days that are published."""
    return [NOON.date() - timedelta(days=age) for age in range(1, count + 1)]


def secrets_of(sandbox: Sandbox) -> tuple[str, str]:
    account = sandbox.credentials["ordinary"]
    return account.client_id, account.client_secret


def rows_of(sandbox: Sandbox, report: Report) -> list[dict[str, str]]:
    """The honest answer for `DAY` to any declaration."""
    query = report.query
    filters = tuple((one.dimension, one.values) for one in query.filters)
    question = ReportRequest(query.source, DAY, DAY, query.metrics, query.splits, filters)
    return cast("DigitalTurbine", sandbox.providers["dt"]).rows(question).as_dicts()


@pytest.mark.rule("OW1", "OW3", "OW4")
@pytest.mark.parametrize("source", ["performance", "event"])
def test_every_known_metric_and_dimension_can_be_asked_at_once(
    sandbox: Sandbox, bench_of: BenchOf, source: str
) -> None:
    report = offer_wall_report(name="all", source=source, splits=tuple(DIMENSIONS), metrics=tuple(METRICS))
    context = bench_of("dt_offer_wall")
    landed(context, report, [DAY])
    (entry,) = sandbox.log.entries(ASK)
    assert entry.body["splits"] == [
        *("Date", "DT Publisher App ID", "Country"),
        *("Campaign ID", "Campaign Name", "Publisher App Bundle"),
    ]
    assert set(entry.body["metrics"]) >= {
        *("Publisher Revenue", "Publisher ARPU", "Offer Impressions", "Offer Clicks", "OFW Unique Users")
    }
    assert landed_rows(context.data, report, DAY) == kept_rows(report, rows_of(sandbox, report))


@pytest.mark.rule("OW1")
def test_filters_are_sent_as_they_are_declared_and_keep_what_they_name(sandbox: Sandbox, bench_of: BenchOf) -> None:
    filters = (Filter("Country", ("GERMANY", "KOREA, REPUBLIC OF")), Filter("DT Publisher App ID", ("171893",)))
    report = offer_wall_report(
        name="some",
        source="event",
        splits=("Date", "Country"),
        metrics=("Publisher Revenue",),
        filters=filters,
    )
    context = bench_of("dt_offer_wall")
    landed(context, report, [DAY])
    (entry,) = sandbox.log.entries(ASK)
    assert entry.body["filters"] == [
        {"dimension": "Country", "values": ["GERMANY", "KOREA, REPUBLIC OF"]},
        {"dimension": "DT Publisher App ID", "values": ["171893"]},
    ]
    assert landed_rows(context.data, report, DAY) == kept_rows(report, rows_of(sandbox, report))
    assert {row[0] for row in landed_rows(context.data, report, DAY)} <= {"GERMANY", "KOREA, REPUBLIC OF"}


@pytest.mark.rule("OW2")
def test_each_source_is_asked_for_by_its_own_name_and_lands_apart(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("dt_offer_wall")
    for report in (PERFORMANCE, EVENT):
        landed(context, report, [DAY])
        assert sandbox.log.entries(ASK)[-1].body["source"] == report.name
        check_truth(context, sandbox, report, [DAY])
    assert landed_rows(context.data, PERFORMANCE, DAY) != landed_rows(context.data, EVENT, DAY)


@pytest.mark.rule("OW4", "OW5")
def test_a_quarter_is_one_query_whose_dates_are_iso_and_both_included(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("dt_offer_wall")
    landed(context, EVENT, days_back(90))
    (entry,) = sandbox.log.entries(ASK)
    assert entry.body["dateRange"] == {"start": "2026-08-22", "end": "2026-11-19"}
    check_truth(context, sandbox, EVENT, days_back(90)[::10])
    sandbox.log.clear()
    landed(context, EVENT, days_back(91))
    assert sandbox.log.count(ASK, status=200) == sandbox.log.count(ASK) == 2


@pytest.mark.rule("OW5")
def test_eighteen_months_back_is_served_and_neither_a_day_before_nor_today_is_asked_for(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    days = [date(2025, 5, 19), date(2025, 5, 20), NOON.date()]
    results = brought(bench_of("dt_offer_wall"), EVENT, days)
    line_of(results[days[0]], Outcome.EXPIRED)
    assert results[days[1]].outcome.publishes
    line_of(results[days[2]], Outcome.NOT_READY)
    (entry,) = sandbox.log.entries(ASK)
    assert entry.body["dateRange"] == {"start": "2025-05-20", "end": "2025-05-20"}


@pytest.fixture
def auckland(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """A machine half a day ahead of UTC."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.rule("DT7")
@pytest.mark.parametrize(("name", "report"), [("dt_offer_wall", EVENT), ("dt_user_level", REVENUE)])
def test_days_are_utc_and_money_is_in_dollars_wherever_the_machine_stands(
    sandbox: Sandbox, bench_of: BenchOf, auckland: None, name: str, report: Report
) -> None:
    sandbox.clock.set(NOON.replace(hour=12, minute=0))
    context = bench_of(name)
    today, yesterday = NOON.date(), NOON.date() - timedelta(days=1)
    results = brought(context, report, [yesterday, today])
    assert "publishes it on 2026-11-21 at 12:00 UTC" in line_of(results[today], Outcome.NOT_READY)
    check_truth(context, sandbox, report, [yesterday])
    day = results[yesterday].landed
    assert day is not None
    assert day.money
    assert all(set(amounts) == {"USD"} for amounts in day.money.values())
    assert {column.currency for column in report.columns if column.kind is Kind.MONEY} == {"USD"}


@pytest.mark.rule("DT4")
def test_the_requests_id_is_kept_with_the_day_and_its_file_is_polled_until_it_is_filled(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    sandbox.settings.change("dt", fill_polls=3)
    result = landed(bench_of("dt_offer_wall"), EVENT, [DAY])[DAY]
    (entry,) = sandbox.log.entries(ASK)
    assert result.provenance.request_ids == (entry.facts["id"],)
    assert [poll.facts["state"] for poll in sandbox.log.entries("dt.file")] == [*(["pending"] * 3), *(["filled"] * 2)]


@pytest.mark.rule("DT1", "DT3")
def test_the_login_sends_the_keys_as_json_and_the_token_goes_as_a_bearer(sandbox: Sandbox, bench_of: BenchOf) -> None:
    landed(bench_of("dt_offer_wall"), EVENT, [DAY])
    client_id, client_secret = secrets_of(sandbox)
    (login,) = sandbox.log.entries("dt.token")
    assert login.body == {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
    }
    (entry,) = sandbox.log.entries(ASK)
    kind, _, token = entry.headers["authorization"].partition(" ")
    assert kind == "Bearer"
    assert len(token) > 20
    assert entry.query == "format=csv"


@pytest.mark.rule("DT1")
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"tokenType": "bearer", "expiresIn": 3600}', "without an accessToken"),
        ('{"accessToken": "", "tokenType": "bearer"}', "without an accessToken"),
        ('{"accessToken": "a\\r\\nb", "tokenType": "bearer"}', "without an accessToken"),
        ('{"accessToken": 7, "tokenType": "bearer"}', "without an accessToken"),
        ('{"access_token": "abcdefghijk", "tokenType": "bearer"}', "without an accessToken"),
        ('{"accessToken": "abcdefghijk", "tokenType": "mac"}', "of another type than bearer"),
        ("[]", "without an accessToken"),
        ("<html>", "without an accessToken"),
    ],
)
def test_a_login_without_a_bearer_token_fails_in_one_line(
    sandbox: Sandbox, bench_of: BenchOf, body: str, says: str
) -> None:
    sandbox.faults.add("dt.token", do="status", status=200, body=body, times=None)
    line = line_of(brought(bench_of("dt_offer_wall"), EVENT, [DAY])[DAY], Outcome.FAILED, secrets_of(sandbox))
    assert says in line
    assert "abcdefghijk" not in line
    assert sandbox.log.count(ASK) == 0


@pytest.mark.rule("DT1")
@pytest.mark.parametrize("expires_in", ["null", '"3600"', "-1", "1e99"])
def test_a_login_that_does_not_say_how_long_counts_as_an_hour(
    sandbox: Sandbox, bench_of: BenchOf, expires_in: str
) -> None:
    context = bench_of("dt_offer_wall")
    landed(context, EVENT, [DAY])
    token = sandbox.log.entries(ASK)[0].headers["authorization"].removeprefix("Bearer ")
    body = f'{{"accessToken": "{token}", "tokenType": "Bearer", "expiresIn": {expires_in}}}'
    sandbox.faults.add("dt.token", do="status", status=200, body=body)
    again = bench_of("dt_offer_wall")
    landed(again, EVENT, [DAY])
    landed(again, EVENT, [DAY])
    assert sandbox.log.count("dt.token") == 2, "its own, and the first context's"


@pytest.mark.rule("DT2")
@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, "unsupported_grant_type", Outcome.FAILED),
        (400, "invalid_request", Outcome.DENIED),
        (400, "invalid_client", Outcome.DENIED),
        (500, "internal_server_error", Outcome.FAILED),
    ],
)
def test_a_login_that_is_refused_costs_no_query_and_leaves_what_was_there(
    sandbox: Sandbox, bench_of: BenchOf, status: int, code: str, outcome: Outcome
) -> None:
    landed(bench_of("dt_offer_wall"), EVENT, [DAY])
    sandbox.faults.add("dt.token", do="status", times=None, status=status, body=f'{{"error": "{code}"}}')
    result = brought(bench_of("dt_offer_wall"), EVENT, [DAY])[DAY]
    assert (code if status == 400 else "with 500") in line_of(result, outcome, secrets_of(sandbox))
    assert sandbox.log.count(ASK) == 1


@pytest.mark.rule("OW6", "DT3")
@pytest.mark.parametrize(
    ("status", "code", "outcome", "queries"),
    [
        (401, "invalid_token", Outcome.DENIED, 2),
        (400, "invalid_format", Outcome.FAILED, 1),
        (400, "invalid_query", Outcome.FAILED, 1),
        (400, "invalid_source", Outcome.FAILED, 1),
        (500, "internal_server_error", Outcome.FAILED, 4),
        (429, "quota_exceeded", Outcome.DENIED, 1),
    ],
)
def test_a_query_that_is_refused_is_not_asked_again_and_leaves_what_was_there(
    sandbox: Sandbox, bench_of: BenchOf, status: int, code: str, outcome: Outcome, queries: int
) -> None:
    fault = {"point": ASK, "do": "status", "times": None, "status": status, "body": f'{{"error": "{code}"}}'}
    result = refused_after_landing(sandbox, bench_of("dt_offer_wall"), EVENT, DAY, fault)
    line = line_of(result, outcome, secrets_of(sandbox))
    assert code in line or str(status) in line
    assert sandbox.log.count(ASK) == 1 + queries


@pytest.mark.rule("OW1", "OW4", "DT4")
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    report=st.sampled_from([PERFORMANCE, EVENT]),
    ages=st.sets(st.integers(1, 200), min_size=1, max_size=6),
    newer=st.integers(0, 11),
    switches=st.fixed_dictionaries(
        {
            "fill_polls": st.integers(0, 2),
            "fill_seconds": st.sampled_from([0.0, 40.0]),
            "pending": st.sampled_from(["empty", "404"]),
            "signature": st.sampled_from(["amz", "aws2"]),
            "row_order": st.sampled_from(["fixed", "request"]),
            "floats": st.sampled_from(["python", "javascript"]),
            "line_end": st.sampled_from(["\n", "\r\n"]),
            "missing_one_in": st.sampled_from([0, 5]),
            "huge_one_in": st.sampled_from([0, 50]),
            "empty_day_one_in": st.sampled_from([0, 2]),
            "restate_days": st.integers(0, 10),
        }
    ),
)
def test_whatever_is_asked_lands_as_the_truth_has_it(
    sandbox: Sandbox,
    bench_of: BenchOf,
    tmp_path: Path,
    report: Report,
    ages: set[int],
    newer: int,
    switches: dict[str, Any],
) -> None:
    sandbox.reset()
    sandbox.settings.change("dt", **switches)
    days = [NOON.date() - timedelta(days=age) for age in ages]
    context = in_its_own_home(bench_of("dt_offer_wall"), tmp_path)
    landed(context, report, days)
    check_truth(context, sandbox, report, days)
    sandbox.clock.advance(newer * 86400)
    landed(context, report, days[:2])
    check_truth(context, sandbox, report, days[:2])
