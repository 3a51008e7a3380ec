import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from reporting_dags.sandbox.orangeclick.report_request import months_after
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.sandbox.orangeclick_client import OrangeClient, dimension, group, metric, question


@pytest.fixture
def client(sandbox: Sandbox) -> OrangeClient:
    return OrangeClient(sandbox)


def test_every_switch_names_its_rule_or_is_assumed() -> None:
    for one in fields(OrangeClickSettings):
        assert re.match(r"(OC\d( [AF])?|A): \S", one.metadata["description"]), one.name
    with pytest.raises(ValueError, match="out_hour"):
        OrangeClickSettings(out_hour=24)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer unknown", "Basic abc"])
def test_oc1_a_request_without_a_known_bearer_token_is_refused(client: OrangeClient, authorization: str | None) -> None:
    answer = client.ask(headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthenticated."})


def test_oc1_revoked_and_disabled_tokens_are_refused(client: OrangeClient) -> None:
    assert OrangeClient(client.sandbox, "revoked").ask().status_code == 401
    assert client.ask().status_code == 200
    token = client.sandbox.providers["orangeclick"].credentials["ordinary"].api_token
    client.sandbox.settings.change("orangeclick", disabled_api_tokens=(token,))
    assert client.ask().status_code == 401


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Accept", "*/*", 406),
        ("Accept", "text/html", 406),
        ("Accept", "text/html, application/json;q=0.9", 200),
        ("Content-Type", "text/plain", 415),
        ("Content-Type", "application/json; charset=utf-8", 200),
    ],
)
def test_oc1_both_headers_must_say_json(client: OrangeClient, header: str, value: str, status: int) -> None:
    assert client.ask(headers={header: value}).status_code == status


def test_a_get_is_refused(client: OrangeClient) -> None:
    assert requests.get(client.sandbox.url + "/api/v1/reports/generate", timeout=10).status_code == 405


def test_oc2_the_sixth_request_of_a_minute_waits_for_the_first_to_leave_it(client: OrangeClient) -> None:
    for _ in range(5):
        assert client.ask().status_code == 200
        client.sandbox.clock.advance(10.25)
    refused = client.ask()
    assert (refused.status_code, refused.json()) == (429, {"message": "Too Many Attempts."})
    assert refused.headers["Retry-After"] == "9"
    assert OrangeClient(client.sandbox, "other").ask().status_code == 200
    client.sandbox.clock.advance(8.5)
    assert client.ask().headers["Retry-After"] == "1"
    client.sandbox.clock.advance(0.25)
    assert client.ask().status_code == 200
    assert client.ask().headers["Retry-After"] == "11"


def test_oc2_refused_requests_count_or_not(client: OrangeClient) -> None:
    client.sandbox.settings.change("orangeclick", requests_per_minute=1, refused_requests_count=False)
    assert client.ask(currency="GBP").status_code == 422
    client.sandbox.settings.change("orangeclick", refused_requests_count=True)
    assert client.ask(headers={"Accept": "*/*"}).status_code == 406
    assert client.ask().status_code == 429
    client.sandbox.clock.advance(60)
    assert client.ask(headers={"Authorization": "Bearer unknown"}).status_code == 401
    assert client.ask().status_code == 200


def test_oc2_when_to_come_back_can_be_a_date_or_not_told(client: OrangeClient) -> None:
    client.sandbox.settings.change("orangeclick", requests_per_minute=0, retry_after="date")
    assert client.ask().headers["Retry-After"] == "Sun, 22 Nov 2026 15:01:00 GMT"
    client.sandbox.clock.advance(0.5)
    assert client.ask().headers["Retry-After"] == "Sun, 22 Nov 2026 15:01:01 GMT"
    client.sandbox.settings.change("orangeclick", retry_after="absent")
    assert "Retry-After" not in client.ask().headers


def test_a_reset_forgets_the_requests_made(client: OrangeClient) -> None:
    client.sandbox.settings.change("orangeclick", requests_per_minute=1)
    assert [client.ask().status_code for _ in range(2)] == [200, 429]
    client.sandbox.reset()
    assert client.ask().status_code == 200


def test_oc4_the_document_s_own_422(client: OrangeClient) -> None:
    errors = client.errors(dimensions=["site", "day"])
    assert errors == {"dimensions.0": ["One or more selected dimensions are invalid."]}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"dimensions": ...}, "dimensions"),
        ({"dimensions": []}, "dimensions"),
        ({"dimensions": "day"}, "dimensions"),
        ({"dimensions": ["day", "Day"]}, "dimensions.1"),
        ({"dimensions": ["day", 1]}, "dimensions.1"),
        ({"dimensions": ["day", "day"]}, "dimensions.1"),
        ({"metrics": ...}, "metrics"),
        ({"metrics": []}, "metrics"),
        ({"metrics": ["earnings", "clicks"]}, "metrics.1"),
        ({"metrics": ["earnings", "earnings"]}, "metrics.1"),
        ({"currency": ...}, "currency"),
        ({"currency": "GBP"}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"selectedDate": None}, "selectedDate"),
        ({"selectedDate": ["2026-11-10"]}, "selectedDate"),
        ({"selectedDate": "2026-11-10"}, "selectedDate"),
        ({"selectedDate": ["2026-11-10", "2026-11-31"]}, "selectedDate.1"),
        ({"selectedDate": ["20261110", "2026-11-11"]}, "selectedDate.0"),
        ({"selectedDate": ["2026-11-10T00:00:00Z", "2026-11-11"]}, "selectedDate.0"),
        ({"selectedDate": ["2026-11-11", "2026-11-10"]}, "selectedDate.1"),
        ({"selectedDate": ["2026-08-21", "2026-11-22"]}, "selectedDate"),
        ({"timezone": "UTC"}, "timezone"),
        ({"filter_groups": None}, "filter_groups"),
        ({"filter_groups": {}}, "filter_groups"),
        ({"filter_groups": [1]}, "filter_groups.0"),
        ({"filter_groups": [{"filters": [dimension("day", "x")]}]}, "filter_groups.0.operator"),
        ({"filter_groups": [{**group(dimension("day", "x")), "operator": "and"}]}, "filter_groups.0.operator"),
        ({"filter_groups": [group()]}, "filter_groups.0.filters"),
        ({"filter_groups": [group(dimension("site", "x"))]}, "filter_groups.0.filters.0.value"),
        ({"filter_groups": [group(dimension("domain"))]}, "filter_groups.0.filters.0.selectedValues"),
        ({"filter_groups": [group({"value": "day", "type": "other"})]}, "filter_groups.0.filters.0.type"),
        (
            {"filter_groups": [group(dimension("domain", "x", comparator="eq"))]},
            "filter_groups.0.filters.0.comparator",
        ),
        ({"filter_groups": [group(metric("clicks", "gte", 1))]}, "filter_groups.0.filters.0.value"),
        ({"filter_groups": [group(metric("ecpm", "in", 1))]}, "filter_groups.0.filters.0.comparison"),
        ({"filter_groups": [group(metric("ecpm", "gte", "1"))]}, "filter_groups.0.filters.0.selectedValue"),
        ({"filter_groups": [group(metric("ecpm", "between", 1))]}, "filter_groups.0.filters.0.secondValue"),
        (
            {"filter_groups": [group(metric("ecpm", "gte", 1, secondValue=2))]},
            "filter_groups.0.filters.0.secondValue",
        ),
    ],
)
def test_oc3_oc4_what_the_document_does_not_allow_is_refused_where_it_stands(
    client: OrangeClient, changes: dict[str, Any], place: str
) -> None:
    errors = client.errors(**changes)
    assert place in errors
    assert all(isinstance(message, str) for messages in errors.values() for message in messages)


def test_oc4_everything_wrong_is_told_at_once(client: OrangeClient) -> None:
    assert set(client.errors(dimensions=["x"], metrics=["y"], currency="z")) == {
        "dimensions.0",
        "metrics.0",
        "currency",
    }


@pytest.mark.parametrize("body", ["{", "[]", "1", ""])
def test_oc4_a_body_that_is_no_json_object_lacks_everything(client: OrangeClient, body: str) -> None:
    token = client.sandbox.providers["orangeclick"].credentials["ordinary"].api_token
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
    url = client.sandbox.url + "/api/v1/reports/generate"
    answer = requests.post(url, data=body, headers=headers, timeout=10)
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"dimensions", "metrics", "currency"}


def test_oc3_three_months_are_answered(client: OrangeClient) -> None:
    assert client.ask(start="2026-08-22", end="2026-11-22", metrics=["earnings"]).status_code == 200


def test_oc3_three_months_after_a_long_month_s_end_is_the_short_month_s_end() -> None:
    assert months_after(datetime(2025, 11, 30, tzinfo=UTC).date(), 3).isoformat() == "2026-02-28"
    assert months_after(datetime(2026, 1, 1, tzinfo=UTC).date(), 3).isoformat() == "2026-04-01"


def test_oc3_without_dates_the_answer_is_about_today(client: OrangeClient) -> None:
    answer = client.ask(selectedDate=...).json()
    assert (answer["meta"]["start_date"], answer["meta"]["end_date"]) == ("2026-11-22", "2026-11-22")
    assert {row["day"] for row in answer["data"]} == {"2026-11-22"}


def test_oc3_a_range_may_end_in_the_future_or_not(client: OrangeClient) -> None:
    answer = client.ask(start="2026-11-23", end="2026-11-25").json()
    assert answer["data"] == []
    assert answer["meta"]["end_date"] == "2026-11-25"
    client.sandbox.settings.change("orangeclick", future_allowed=False)
    assert "selectedDate.1" in client.errors(start="2026-11-22", end="2026-11-23")
    assert client.ask(start="2026-11-22", end="2026-11-22").status_code == 200


def test_oc3_further_keys_can_be_let_pass(client: OrangeClient) -> None:
    client.sandbox.settings.change("orangeclick", extra_keys=True)
    assert client.ask(timezone="UTC").status_code == 200


def test_faults_can_be_aimed_at_a_day(client: OrangeClient) -> None:
    client.sandbox.faults.add(
        "orangeclick.generate", do="status", status=500, times=None, source="earnings", day="2026-11-12"
    )
    assert client.ask(end="2026-11-11").status_code == 200
    assert client.ask().status_code == 500
    assert client.ask(selectedDate=["2026-11-12"]).status_code == 422
    assert client.ask(selectedDate=...).status_code == 200


def test_the_log_tells_who_asked_what_and_how_much_came(client: OrangeClient) -> None:
    rows = client.ask().json()["data"]
    entry = client.sandbox.log.entries("orangeclick.generate")[0]
    assert dict(entry.facts) == {"account": "ordinary", "rows": str(len(rows))}
    assert entry.body == question()
