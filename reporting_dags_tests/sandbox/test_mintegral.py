import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from reporting_dags.sandbox.mintegral.accounts import token
from reporting_dags.sandbox.mintegral.report_request import DIMENSIONS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.sandbox.client import NOW
from reporting_dags_tests.sandbox.mintegral_client import DAY, Client, parameters

REFUSED = 10000
TODAY = "2026-11-22"


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox)


def change(client: Client, **values: Any) -> None:
    client.sandbox.settings.change("mintegral", **values)


def test_mt1_a_token_is_the_digest_of_the_key_and_the_digest_of_the_time() -> None:
    assert token("ce4f7c2b8edb173e2533d7a169080504", "1471256697") == "378d387c2b61462cf4bc62b3949111f3"


@pytest.mark.parametrize(
    "changes",
    [
        {"access_key": ""},
        {"timestamp": ""},
        {"token": ""},
        {"access_key": "unknown"},
        {"token": hashlib.md5(b"wrong").hexdigest()},
        {"timestamp": "now"},
        {"timestamp": "-1"},
        {"timestamp": "1" * 40},
    ],
)
@pytest.mark.parametrize("kind", ["1", "2"])
def test_mt1_a_call_without_good_headers_is_refused(client: Client, kind: str, changes: dict[str, str]) -> None:
    assert client.code(kind, headers=client.headers(**changes)) == REFUSED
    assert "job" not in client.sandbox.log.entries()[-1].facts


def test_mt1_a_token_in_upper_case_is_refused(client: Client) -> None:
    good = client.headers()
    assert client.code(headers={**good, "token": good["token"].upper()}) == REFUSED
    assert client.code(headers=good) == 201


@pytest.mark.parametrize(("seconds", "code"), [(300, 201), (301, REFUSED), (-300, 201), (-301, REFUSED)])
def test_mt1_a_token_is_good_for_five_minutes(client: Client, seconds: int, code: int) -> None:
    headers = client.headers()
    client.sandbox.clock.advance(seconds)
    assert client.code(headers=headers) == code


def test_mt1_two_calls_of_one_second_share_a_token(client: Client) -> None:
    headers = client.headers()
    assert client.code(headers=headers) == 201
    assert client.code(headers=headers) == 202


def test_mt1_revoked_and_disabled_accounts_are_refused(client: Client) -> None:
    assert Client(client.sandbox, "revoked").code() == REFUSED
    change(client, disabled_access_keys=(client.account.access_key,))
    assert client.code() == REFUSED
    assert Client(client.sandbox, "other").code() == 201


def test_mt2_a_job_is_accepted_then_generating_then_ready(client: Client) -> None:
    assert client.call().json() == {
        "code": 201,
        "msg": "The request was received successfully, waiting to generate data.",
    }
    assert client.codes(3) == [202, 200, 200]
    assert client.call().json() == {"code": 200, "msg": "success", "data": {"hours": 24, "is_complete": True}}


def test_mt2_how_often_and_how_long_a_job_is_generating_can_be_set(client: Client) -> None:
    change(client, fill_polls=0)
    assert client.codes(2) == [201, 200]
    change(client, fill_polls=2, fill_seconds=60.0)
    assert client.codes(5, dimension_option="Offer") == [201, 202, 202, 202, 202]
    client.sandbox.clock.advance(60)
    assert client.code(dimension_option="Offer") == 200
    change(client, ready_at_once=True)
    assert client.code(dimension_option="Location") == 200


def test_mt2_the_same_parameters_are_the_same_job_for_the_same_account(client: Client) -> None:
    assert client.code(dimension_option="Offer,Location", timezone="+8") == 201
    assert client.code(dimension_option="Location,Offer", timezone="+08:00", time_granularity="daily") == 202
    assert client.code(dimension_option="Location,Offer", timezone=None) == 200
    others: list[dict[str, Any]] = [
        {"dimension_option": "Offer"},
        {"dimension_option": "Location,Offer", "time_granularity": "hourly"},
        {"dimension_option": "Location,Offer", "timezone": "+0"},
        {"dimension_option": "Location,Offer", "start_time": "2026-11-11"},
    ]
    assert [client.code(**changes) for changes in others] == [201] * 4
    assert Client(client.sandbox, "other").code(dimension_option="Offer") == 201
    entries = client.sandbox.log.entries("mintegral.generate")
    assert len({entry.facts["job"] for entry in entries}) == 6
    assert [entry.facts["code"] for entry in entries][:4] == ["201", "202", "200", "201"]


def test_mt3_a_download_needs_a_job_that_is_ready(client: Client) -> None:
    assert client.code("2") == 203
    assert client.code() == 201
    assert client.code("2") == 204
    assert client.codes(2) == [202, 200]
    assert client.call("2").headers["Content-Type"] == "application/octet-stream"
    assert client.code("2", dimension_option="Offer") == 203
    assert Client(client.sandbox, "other").code("2") == 203


def test_mt3_data_expires_after_a_month_and_is_regenerated(client: Client) -> None:
    client.ready()
    client.sandbox.clock.advance(30 * 86400)
    answer = client.call("2")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    client.sandbox.clock.advance(1)
    assert [client.code("2"), client.code("2")] == [205, 205]
    assert client.codes(2) == [202, 200]
    assert client.call("2").content == answer.content


def test_mt3_asking_for_expired_data_regenerates_it_too(client: Client) -> None:
    client.ready()
    client.sandbox.clock.advance(31 * 86400)
    assert client.code() == 202
    assert client.code("2") == 205
    assert client.code() == 200


def test_mt2_mt3_both_types_share_a_path_and_are_two_points(client: Client) -> None:
    client.ready()
    client.call("2")
    asked = parameters()
    url = f"{client.sandbox.url}/api/v2/reports/data"
    assert requests.get(url, params=asked, headers=client.headers(), timeout=10).json()["code"] == 200
    assert client.code("3") == REFUSED
    assert client.code("2", tail="?type=1") == REFUSED
    points = [entry.point for entry in client.sandbox.log.entries()]
    assert points == [*["mintegral.generate"] * 3, "mintegral.download", *["mintegral.generate"] * 3]
    assert requests.post(url, params=asked, headers=client.headers(), timeout=10).status_code == 405


@pytest.mark.parametrize("name", ["start_time", "end_time"])
@pytest.mark.parametrize("value", [None, "", "20261112", "2026-11-31", "2026-11-1", "12/11/2026", "2026-11-12 "])
def test_mt4_days_are_required_in_their_format(client: Client, name: str, value: str | None) -> None:
    changes: dict[str, Any] = {name: value}
    answer = client.call(**changes).json()
    assert answer == {"code": REFUSED, "msg": f"{name} is required, in the format YYYY-mm-dd"}


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("2026-11-06", DAY, 201),
        ("2026-11-05", DAY, REFUSED),
        ("2026-11-13", DAY, REFUSED),
        ("2026-05-22", "2026-05-23", 201),
        ("2026-05-21", "2026-05-23", REFUSED),
        (TODAY, TODAY, 201),
        (TODAY, "2026-11-23", REFUSED),
    ],
)
def test_mt4_seven_days_of_the_last_half_year_can_be_asked_for(client: Client, start: str, end: str, code: int) -> None:
    assert client.code(start_time=start, end_time=end) == code


def test_mt4_today_is_today_in_the_report_s_zone(client: Client) -> None:
    client.sandbox.clock.set(datetime(2026, 11, 22, 16, tzinfo=UTC))
    assert client.code(end_time="2026-11-23", start_time=TODAY, timezone=None) == 201
    assert client.code(end_time="2026-11-23", start_time=TODAY, timezone="+7:59") == REFUSED


@pytest.mark.parametrize("zone", ["+0", "-0", "+8", "+08", "-3:30", "+05:45", "+14", "-12"])
def test_mt4_zones_have_a_sign_and_hours(client: Client, zone: str) -> None:
    assert client.code(timezone=zone) == 201


@pytest.mark.parametrize("zone", ["", "8", "UTC", "+15", "-13", "+5:60", "+5.5", "Asia/Shanghai", "+008", " +8"])
def test_mt4_other_zones_are_refused(client: Client, zone: str) -> None:
    assert client.code(timezone=zone) == REFUSED


def test_mt4_a_raw_plus_is_a_space_and_refused_or_not(client: Client) -> None:
    assert client.code(timezone=None, tail="?timezone=+8") == REFUSED
    change(client, plus_is_space_error=False)
    assert client.code(timezone=None, tail="?timezone=+8") == 201
    assert client.code(timezone="+8") == 202


@pytest.mark.parametrize("asked", [None, "", "offer", "Offer,", "Offer, Location", "Offer,Offer", "Offer,Date"])
def test_mt5_dimensions_are_required_and_known(client: Client, asked: str | None) -> None:
    assert client.code(dimension_option=asked) == REFUSED


@pytest.mark.parametrize("name", DIMENSIONS)
def test_mt5_every_known_dimension_is_served(client: Client, name: str) -> None:
    assert client.code(dimension_option=name) == 201


@pytest.mark.parametrize("one", ["Creative", "Endcard"])
def test_mt5_creatives_and_endcards_join_neither_subs_nor_hours(client: Client, one: str) -> None:
    assert client.code(dimension_option=f"{one},Offer") == 201
    assert client.code(dimension_option=f"Sub,{one}") == REFUSED
    assert client.code(dimension_option=f"{one},Package") == REFUSED
    assert client.code(dimension_option=one, time_granularity="hourly") == REFUSED
    assert client.code(dimension_option="Sub,Package", time_granularity="hourly") == 201


@pytest.mark.parametrize("granularity", ["", "Daily", "weekly"])
def test_mt5_granularity_is_daily_or_hourly(client: Client, granularity: str) -> None:
    assert client.code(time_granularity=granularity) == REFUSED


def test_parameters_that_are_unknown_or_given_twice_are_refused(client: Client) -> None:
    assert client.code(page="1") == REFUSED
    assert client.code(tail="?start_time=2026-11-12") == REFUSED
    change(client, extra_parameters=True)
    assert client.code(page="1") == 201


def test_mt8_answers_other_than_ready_may_have_data(client: Client) -> None:
    change(client, data_missing=False)
    assert client.call().json()["data"] == {}
    refused = client.call(dimension_option="offer").json()
    assert refused["data"] == {"detail": refused["msg"]}


def test_mt7_a_day_in_progress_is_incomplete_and_regenerated_as_hours_come_in(client: Client) -> None:
    today = {"start_time": TODAY, "end_time": TODAY}
    hourly: dict[str, Any] = {**today, "dimension_option": "Offer,AdType,Location", "time_granularity": "hourly"}
    assert client.ready(**hourly) == {"hours": 15, "is_complete": False}
    found = client.read(**hourly)
    midnight = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp())
    assert {int(row["Timestamp"]) for row in found} == {midnight + 3600 * n for n in range(15)}
    client.sandbox.clock.advance(3599)
    assert client.code(**hourly) == 200
    client.sandbox.clock.advance(1)
    assert client.codes(1, **hourly) == [202]
    assert client.code("2", **hourly) == 204
    assert client.ready(**hourly) == {"hours": 16, "is_complete": False}
    assert len(client.read(**hourly)) > len(found)


def test_mt7_a_day_is_complete_ninety_minutes_after_it_ends_in_the_report_s_zone(client: Client) -> None:
    day: dict[str, str] = {"start_time": "2026-11-21", "end_time": TODAY, "timezone": "+8"}
    client.sandbox.clock.set(datetime(2026, 11, 22, 17, 29, 59, tzinfo=UTC))
    assert client.ready(**day) == {"hours": 47, "is_complete": False}
    client.sandbox.clock.advance(1)
    assert client.ready(**day) == {"hours": 48, "is_complete": True}


def test_mt7_a_late_day_is_complete_four_hours_after_it_ends(client: Client) -> None:
    change(client, late_days=("2026-11-21",))
    day: dict[str, str] = {"start_time": "2026-11-21", "end_time": "2026-11-21"}
    client.sandbox.clock.set(datetime(2026, 11, 22, 3, 59, tzinfo=UTC))
    assert client.ready(**day) == {"hours": 23, "is_complete": False}
    client.sandbox.clock.advance(60)
    assert client.ready(**day) == {"hours": 24, "is_complete": True}


def test_reset_forgets_every_job(client: Client) -> None:
    client.ready()
    client.sandbox.reset()
    assert client.code("2") == 203
    assert client.sandbox.clock.now() == NOW


def test_a_restated_day_is_regenerated_when_it_is_asked_for_again(client: Client) -> None:
    change(client, restate_days=15)
    before = client.read()
    assert client.codes(1) == [200]
    client.sandbox.clock.advance(timedelta(days=1).total_seconds())
    assert client.code() == 202
    assert client.read() != before
