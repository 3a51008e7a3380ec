from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from reporting_dags.sandbox.digital_turbine.report_request import KEYS, months_before
from reporting_dags_tests.sandbox.client import METRICS, REPORT, Client, error, query

REFUSED = (400, "invalid_query")
DIMENSIONS = ["DT Publisher App ID", "Country", "Campaign ID", "Campaign Name", "Publisher App Bundle"]


def test_ow1_a_query_with_every_key_is_answered_with_an_id_and_a_url(client: Client) -> None:
    answer = client.ask(query())
    assert answer.status_code == 200
    assert set(answer.json()) == {"id", "url"}


@pytest.mark.parametrize("key", KEYS)
def test_ow1_every_key_is_mandatory(client: Client, key: str) -> None:
    answer = client.ask(query(without=key))
    assert error(answer) == REFUSED
    assert answer.json()["error_description"].startswith(f"Invalid value undefined supplied to : Query/{key}: ")


@pytest.mark.parametrize("key", ["start", "end"])
def test_ow1_both_ends_of_the_range_are_mandatory(client: Client, key: str) -> None:
    given = {"start": "2026-11-10", "end": "2026-11-12"}
    del given[key]
    assert error(client.ask(query(dateRange=given))) == REFUSED


def test_ow1_splits_and_filters_may_be_empty_but_metrics_may_not(client: Client) -> None:
    assert client.ask(query(splits=[], filters=[])).status_code == 200
    assert error(client.ask(query(metrics=[]))) == REFUSED


@pytest.mark.parametrize(
    "changes",
    [
        {"source": 1},
        {"source": None},
        {"dateRange": "2026-11-10"},
        {"metrics": "Offer Clicks"},
        {"metrics": [1]},
        {"splits": None},
        {"filters": {}},
        {"filters": ["Country"]},
        {"filters": [{"dimension": "Country"}]},
        {"filters": [{"values": ["NA"]}]},
        {"filters": [{"dimension": "Country", "values": "NA"}]},
        {"filters": [{"dimension": "Country", "values": []}]},
        {"timezone": "UTC"},
    ],
)
def test_ow1_anything_not_in_the_schema_is_refused(client: Client, changes: dict[str, Any]) -> None:
    assert error(client.ask(query(**changes))) == REFUSED


def test_ow1_further_keys_can_be_let_pass(client: Client) -> None:
    client.sandbox.settings.change("dt", extra_keys=True)
    assert client.ask(query(timezone="UTC")).status_code == 200


@pytest.mark.parametrize("body", [[], "text", 1, None])
def test_ow1_a_body_that_is_no_object_is_refused(client: Client, body: object) -> None:
    assert error(client.ask(body)) == REFUSED


def test_ow1_invalid_json_and_other_content_types_are_refused(client: Client) -> None:
    url = client.sandbox.url + REPORT
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    assert error(requests.post(url, data="{", headers=headers, timeout=10)) == REFUSED
    headers["Content-Type"] = "text/plain"
    assert error(requests.post(url, json=query(), headers=headers, timeout=10)) == REFUSED


@pytest.mark.parametrize("metric", ["publisher revenue", "Publisher revenue", "Revenue"])
def test_ow1_ow3_metric_names_are_case_sensitive_and_known(client: Client, metric: str) -> None:
    answer = client.ask(query(metrics=["Offer Clicks", metric, "Other"]))
    assert error(answer) == REFUSED
    assert answer.json()["error_description"] == f"Invalid metrics: {metric},Other"


@pytest.mark.parametrize("place", ["splits", "filters"])
def test_ow1_ow3_dimension_names_are_case_sensitive_and_known(client: Client, place: str) -> None:
    wrong: dict[str, Any] = {"splits": ["Date", "country"], "filters": [{"dimension": "country", "values": ["NA"]}]}
    answer = client.ask(query(**{place: wrong[place]}))
    assert error(answer) == REFUSED
    assert answer.json()["error_description"] == "Invalid dimensions: country"


@pytest.mark.parametrize("source", ["Event", "PERFORMANCE", "billing", ""])
def test_ow2_a_source_is_one_of_two_in_lower_case(client: Client, source: str) -> None:
    answer = client.ask(query(source=source))
    assert error(answer) == (400, "invalid_source")
    assert answer.json()["error_description"] == f"Invalid source: {source}"


def test_ow3_names_that_only_public_sources_give_can_be_unknown(client: Client) -> None:
    client.sandbox.settings.change("dt", found_names=False)
    assert error(client.ask(query(metrics=["Offer Installs"]))) == REFUSED
    assert error(client.ask(query(splits=["Campaign ID"]))) == REFUSED
    assert client.ask(query()).status_code == 200


def test_ow4_ninety_days_are_answered_and_ninety_one_refused(client: Client) -> None:
    assert client.ask(query(start="2026-08-24", end="2026-11-21")).status_code == 200
    assert error(client.ask(query(start="2026-08-23", end="2026-11-21"))) == REFUSED


def test_ow4_date_is_not_counted_among_five_dimensions(client: Client) -> None:
    assert client.ask(query(splits=["Date", *DIMENSIONS])).status_code == 200
    client.sandbox.settings.change("dt", date_is_a_dimension=True)
    assert error(client.ask(query(splits=["Date", *DIMENSIONS]))) == REFUSED
    assert client.ask(query(splits=DIMENSIONS)).status_code == 200


def test_ow4_the_fifty_first_query_of_a_day_is_refused_until_midnight_utc(client: Client) -> None:
    for _ in range(50):
        assert client.ask(query(splits=[])).status_code == 200
    assert error(client.ask(query())) == (429, "quota_exceeded")
    other = Client(client.sandbox).log_in("other")
    assert other.ask(query()).status_code == 200
    client.sandbox.clock.set(datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC))
    assert client.log_in().ask(query()).status_code == 429
    client.sandbox.clock.advance(1)
    assert client.ask(query()).status_code == 200


def test_ow6_a_refused_query_has_used_up_quota_or_not(client: Client) -> None:
    client.sandbox.settings.change("dt", daily_queries=1, refused_queries_count=False)
    assert client.ask({}).status_code == 400
    client.sandbox.settings.change("dt", refused_queries_count=True)
    assert client.ask({}).status_code == 400
    assert client.ask(query()).status_code == 429


def test_ow6_a_429_can_tell_when_to_come_back(client: Client) -> None:
    client.sandbox.settings.change("dt", daily_queries=0, quota_retry_after=True)
    assert client.ask(query()).headers["Retry-After"] == str(9 * 3600)


@pytest.mark.parametrize("day", ["2026-11-10T00:00:00Z", "20261110", "10/11/2026", "2026-11-31", "2026-1-1", "", 1])
@pytest.mark.parametrize("key", ["start", "end"])
def test_ow5_only_iso_dates_are_days(client: Client, key: str, day: object) -> None:
    given = {"start": "2026-11-10", "end": "2026-11-10", key: day}
    answer = client.ask(query(dateRange=given))
    assert error(answer) == REFUSED
    assert answer.json()["error_description"] == (
        f'Invalid value "{day}" supplied to : Query/dateRange: DateRange/{key}: Date'
    )


def test_ow5_start_may_equal_end_but_not_follow_it(client: Client) -> None:
    assert client.ask(query(start="2026-11-10", end="2026-11-10")).status_code == 200
    assert error(client.ask(query(start="2026-11-11", end="2026-11-10"))) == REFUSED


def test_ow5_dt7_the_last_day_is_yesterday_in_utc(client: Client) -> None:
    assert client.ask(query(end="2026-11-21")).status_code == 200
    assert error(client.ask(query(end="2026-11-22"))) == REFUSED
    assert error(client.ask(query(end="2026-11-23"))) == REFUSED
    client.sandbox.clock.set(datetime(2026, 11, 23, tzinfo=UTC))
    assert client.log_in().ask(query(end="2026-11-22")).status_code == 200


def test_ow5_the_first_day_is_eighteen_months_ago(client: Client) -> None:
    assert client.ask(query(start="2025-05-22", end="2025-05-23")).status_code == 200
    assert error(client.ask(query(start="2025-05-21", end="2025-05-23"))) == REFUSED


def test_ow5_no_day_is_before_the_tenth_of_june_2019(client: Client) -> None:
    client.sandbox.clock.set(datetime(2019, 7, 1, tzinfo=UTC))
    client.log_in()
    assert client.ask(query(start="2019-06-10", end="2019-06-11")).status_code == 200
    assert error(client.ask(query(start="2019-06-09", end="2019-06-11"))) == REFUSED


def test_ow5_eighteen_months_before_a_long_month_s_end_is_the_short_month_s_end() -> None:
    assert months_before(datetime(2026, 8, 31, tzinfo=UTC).date(), 18).isoformat() == "2025-02-28"
    assert months_before(datetime(2025, 8, 31, tzinfo=UTC).date(), 18).isoformat() == "2024-02-29"
    assert months_before(datetime(2026, 3, 31, tzinfo=UTC).date(), 18).isoformat() == "2024-09-30"


@pytest.mark.parametrize("tail", ["?format=json", "?format=CSV", "?format=", "?format=csv&format=csv", ""])
def test_ow6_any_format_but_csv_is_refused(client: Client, tail: str) -> None:
    assert error(client.ask(query(), path="/api/v1/report/offerwall" + tail)) == (400, "invalid_format")


def test_ow6_a_query_without_a_format_can_be_let_pass(client: Client) -> None:
    client.sandbox.settings.change("dt", format_required=False)
    assert client.ask(query(), path="/api/v1/report/offerwall").status_code == 200


def test_ow6_descriptions_beside_the_error_code_can_be_left_out(client: Client) -> None:
    client.sandbox.settings.change("dt", describe_errors=False)
    assert client.ask(query(metrics=["Other"])).json() == {"error": "invalid_query"}


def test_a_name_given_twice_is_refused(client: Client) -> None:
    assert error(client.ask(query(metrics=[*METRICS, METRICS[0]]))) == REFUSED
