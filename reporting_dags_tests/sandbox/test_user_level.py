from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS, ZEROS, apps_of
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.sandbox.client import NOW, Client, error, get, in_order, query, rows

PATH = "/api/v1/report/user-level-data"
TRUTH = "dt_user_level/revenue"
DAY = "2026-11-17"
APP = "171893"
REFUSED = (400, "invalid_query")
PLAIN = ["Date", "App ID", "Country", "Advertising ID", "Placement ID", "Ad Format", "Impressions", "Revenue"]
KEY = ("App ID", "Country", "Advertising ID", "Placement ID", "Ad Format")


def asked(day: Any = DAY, app: Any = APP, **more: Any) -> dict[str, Any]:
    body = {"date": day, "appId": app, **more}
    return {key: value for key, value in body.items() if value is not ...}


def url(client: Client, day: Any = DAY, app: Any = APP) -> str:
    answer = client.ask(asked(day, app), path=PATH)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


def read(client: Client, day: Any = DAY, app: Any = APP) -> list[dict[str, str]]:
    return rows(get(url(client, day, app)))


def test_ul1_one_app_on_one_day_is_answered_with_an_id_and_a_url(client: Client) -> None:
    answer = client.ask(asked(), path=PATH)
    assert answer.status_code == 200
    assert set(answer.json()) == {"id", "url"}
    found = rows(get(answer.json()["url"]))
    assert {(row["Date"], row["App ID"]) for row in found} == {(DAY, APP)}
    entry = client.sandbox.log.entries("dt.user_level")[0]
    assert dict(entry.facts) == {"account": "ordinary", **answer.json()}


@pytest.mark.parametrize(
    ("body", "description"),
    [
        (asked(day=...), "Invalid value undefined supplied to : Query/date: Date"),
        (asked(app=...), "Invalid value undefined supplied to : Query/appId: string"),
        (asked(app=171893), 'Invalid value "171893" supplied to : Query/appId: string'),
        (asked(app=None), 'Invalid value "None" supplied to : Query/appId: string'),
        (asked(day=20261117), 'Invalid value "20261117" supplied to : Query/date: Date'),
        (asked(day="17/11/2026"), 'Invalid value "17/11/2026" supplied to : Query/date: Date'),
        (asked(day="2026-11-31"), 'Invalid value "2026-11-31" supplied to : Query/date: Date'),
        (asked(day="2026-11-17T00:00:00Z"), 'Invalid value "2026-11-17T00:00:00Z" supplied to : Query/date: Date'),
        (asked(format="csv"), "Invalid keys: format"),
        ([], "Invalid value undefined supplied to : Query"),
    ],
)
def test_ul1_anything_not_in_the_schema_is_refused(client: Client, body: Any, description: str) -> None:
    answer = client.ask(body, path=PATH)
    assert error(answer) == REFUSED
    assert answer.json()["error_description"] == description


def test_ul1_further_keys_can_be_let_pass(client: Client) -> None:
    client.sandbox.settings.change("dt", user_level_extra_keys=True)
    assert client.ask(asked(other=1), path=PATH).status_code == 200


def test_a_csv_format_parameter_is_harmless_and_any_other_refused(client: Client) -> None:
    assert client.ask(asked(), path=PATH + "?format=csv").status_code == 200
    assert error(client.ask(asked(), path=PATH + "?format=json")) == REFUSED


def test_a_get_is_refused(client: Client) -> None:
    assert requests.get(client.sandbox.url + PATH, timeout=10).status_code == 405


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer unknown", "Basic abc"])
def test_ul3_a_report_without_a_known_bearer_token_is_refused(client: Client, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert error(client.ask(asked(), path=PATH, headers=headers)) == (401, "invalid_token")


def test_ul2_ten_days_can_be_had_and_today_cannot(client: Client) -> None:
    assert client.ask(asked(day="2026-11-21"), path=PATH).status_code == 200
    assert client.ask(asked(day="2026-11-12"), path=PATH).status_code == 200
    for day in ("2026-11-11", "2026-11-22", "2026-11-23"):
        assert error(client.ask(asked(day=day), path=PATH)) == REFUSED


def test_ul2_an_older_day_can_be_a_file_with_no_rows(client: Client) -> None:
    client.sandbox.settings.change("dt", user_level_old="empty")
    assert get(url(client, "2026-11-11")).text == ",".join(PLAIN) + "\n"
    assert client.sandbox.truth(TRUTH, "2026-11-11") == []
    assert read(client, "2026-11-12")


def test_ul2_no_day_is_before_the_sixteenth_of_february_2020(client: Client) -> None:
    client.sandbox.clock.set(datetime(2020, 2, 20, 15, tzinfo=UTC))
    client.log_in()
    assert client.ask(asked(day="2020-02-16"), path=PATH).status_code == 200
    assert error(client.ask(asked(day="2020-02-15"), path=PATH)) == REFUSED


def test_ul2_no_quota_is_known_but_there_can_be_one_of_its_own(client: Client) -> None:
    for _ in range(60):
        assert client.ask(asked(), path=PATH).status_code == 200
    client.sandbox.settings.change("dt", user_level_daily_queries=61)
    assert client.ask(asked(day="x"), path=PATH).status_code == 400
    assert error(client.ask(asked(), path=PATH)) == (429, "quota_exceeded")
    assert client.ask(query()).status_code == 200
    other = Client(client.sandbox).log_in("other")
    assert other.ask(asked(app=apps_of("other")[0]), path=PATH).status_code == 200


def test_ul3_an_app_that_is_unknown_or_not_enabled_is_refused_by_name(client: Client) -> None:
    client.sandbox.settings.change("dt", user_level_disabled_apps=("205511",))
    for app in ("205511", "0171893", ""):
        answer = client.ask(asked(app=app), path=PATH)
        assert error(answer) == REFUSED
        assert answer.json()["error_description"].endswith(f"app {app}")
    assert {row["App ID"] for row in client.sandbox.truth(TRUTH, DAY)} == set(USER_LEVEL_APPS) - {"205511"}
    client.sandbox.settings.change("dt", user_level_disabled="forbidden")
    assert error(client.ask(asked(app="205511"), path=PATH)) == (403, "forbidden")


def test_truth_is_what_the_answers_for_every_app_hold_together(client: Client) -> None:
    for day in ("2026-11-17", "2026-11-20", "2026-11-21"):
        found = [row for app in USER_LEVEL_APPS for row in read(client, day, app)]
        assert in_order(found) == client.sandbox.truth(TRUTH, day)


def test_data_depends_on_the_seed_alone(sandbox: Sandbox) -> None:
    with running_sandbox(seed=7, at=NOW, frozen=True) as again, running_sandbox(seed=8, at=NOW, frozen=True) as other:
        assert again.truth(TRUTH, DAY) == sandbox.truth(TRUTH, DAY)
        assert other.truth(TRUTH, DAY) != sandbox.truth(TRUTH, DAY)


def test_ul4_columns_have_either_name(client: Client) -> None:
    assert list(read(client)[0]) == PLAIN
    client.sandbox.settings.change("dt", user_level_headers="fyber")
    fyber = ["Date", "Fyber App ID", *PLAIN[2:-1], "Revenue (USD)"]
    assert list(read(client)[0]) == fyber
    assert list(client.sandbox.truth(TRUTH, DAY)[0]) == fyber


def test_ul4_rows_of_masked_users_are_marked_in_either_way_and_larger(client: Client) -> None:
    masked = [row for row in read(client) if row["Advertising ID"] == ""]
    assert len(masked) >= 5
    assert all(int(row["Impressions"]) >= 20 for row in masked)
    assert {row["App ID"] for row in masked} == {APP}
    client.sandbox.settings.change("dt", user_level_masked="zeros", user_level_masked_app="empty")
    found = read(client)
    assert not [row for row in found if row["Advertising ID"] == ""]
    assert len([row for row in found if row["Advertising ID"] == ZEROS]) == len(masked)
    assert {row["App ID"] for row in found if row["Advertising ID"] == ZEROS} == {""}
    assert {row["App ID"] for row in found if row["Advertising ID"] != ZEROS} == {APP}


def test_the_data_is_plausible_and_hostile_every_day(sandbox: Sandbox) -> None:
    days = [(date(2026, 8, 24) + timedelta(days=n)).isoformat() for n in range(90)]
    days = [day for day in days if sandbox.truth(TRUTH, day)]
    assert 82 <= len(days) <= 89
    for day in days:
        found = sandbox.truth(TRUTH, day)
        assert 150 <= len(found) <= 400
        assert len({tuple(row[name] for name in KEY) for row in found}) == len(found)
        assert {row["App ID"] for row in found} == {"171893", "00171893", "9007199254740993", "205511"}
        assert {"NA", "null", "", "CÔTE D'IVOIRE"} <= {row["Country"] for row in found}
        placements = {"00042", "9223372036854775808", "first\nsecond", "left\tright", 'Home, "top"', ""}
        assert placements <= {row["Placement ID"] for row in found}
        assert {"مكافأة", "Été 🎬"} <= {row["Ad Format"] for row in found}
        assert {"NA", "null", "12345678901234567890"} <= {row["Advertising ID"] for row in found}
        money = {"0.036300000000000006", "1.21e-05", "0.0", "-0.17", "0.30000000000000004"}
        assert money <= {row["Revenue"] for row in found}
        assert any(int(row["Impressions"] or 0) == 2**53 + 1 for row in found)
    yesterday, today = (
        {row["Advertising ID"] for row in sandbox.truth(TRUTH, day)} for day in ("2026-11-16", "2026-11-17")
    )
    assert 50 < len(yesterday & today) < len(today)


def test_a_metric_can_be_missing(sandbox: Sandbox) -> None:
    sandbox.settings.change("dt", missing_one_in=10)
    found = sandbox.truth(TRUTH, DAY)
    assert any(row["Impressions"] == "" for row in found)
    assert any(row["Revenue"] == "" for row in found)


def test_a_day_without_rows_is_a_header_alone_for_every_app(client: Client) -> None:
    client.sandbox.settings.change("dt", empty_days=(DAY,))
    assert get(url(client)).text == ",".join(PLAIN) + "\n"
    assert client.sandbox.truth(TRUTH, DAY) == []


def test_an_app_can_have_more_users(sandbox: Sandbox) -> None:
    usual = len(sandbox.truth(TRUTH, DAY))
    sandbox.settings.change("dt", user_level_rows_factor=10.0)
    assert len(sandbox.truth(TRUTH, DAY)) > 5 * usual


def test_ul2_before_noon_yesterday_is_partial_or_not_there(sandbox: Sandbox) -> None:
    noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
    whole = sandbox.truth(TRUTH, DAY, noon)
    assert 0 < len(sandbox.truth(TRUTH, DAY, noon - timedelta(seconds=1))) < len(whole)
    sandbox.settings.change("dt", early="none")
    assert sandbox.truth(TRUTH, DAY, noon - timedelta(seconds=1)) == []
    assert sandbox.truth(TRUTH, DAY, noon) == whole


def test_ul2_a_day_changes_for_three_days(sandbox: Sandbox) -> None:
    def at_age(days: int) -> list[dict[str, str]]:
        return sandbox.truth(TRUTH, DAY, datetime(2026, 11, 17, 13, tzinfo=UTC) + timedelta(days=days))

    assert at_age(1) != at_age(2) != at_age(3)
    assert len(at_age(1)) <= len(at_age(2)) <= len(at_age(3))
    assert at_age(3) == at_age(4) == at_age(400)
    sandbox.settings.change("dt", user_level_restate_days=0)
    assert at_age(1) == at_age(3)


def test_ul5_the_file_may_need_polling(client: Client) -> None:
    client.sandbox.settings.change("dt", fill_polls=2)
    link = url(client)
    assert [bool(get(link).content) for _ in range(3)] == [False, False, True]
    client.sandbox.clock.advance(10800)
    assert get(link).status_code == 403


def test_faults_can_be_aimed_at_the_report_and_a_day(client: Client) -> None:
    client.sandbox.faults.add("dt.data", do="header_only", source="user_level", day=DAY)
    assert read(client) == []
    assert read(client, "2026-11-18")
    assert client.read()
    client.sandbox.faults.clear()
    client.sandbox.faults.add("dt.user_level", do="bad_url", url="file:///somewhere", day=DAY)
    assert url(client, "2026-11-18").startswith("http")
    assert url(client) == "file:///somewhere"
    client.sandbox.faults.add("dt.user_level", do="never")
    assert get(url(client)).content == b""
    client.sandbox.faults.add(
        "dt.user_level", do="status", status=500, body={"error": "internal_server_error"}, day=DAY
    )
    assert client.ask({}, path=PATH).status_code == 400
    assert error(client.ask(asked(), path=PATH)) == (500, "internal_server_error")
    client.sandbox.faults.add("dt.file", do="expired", source="user_level")
    assert get(client.url()).status_code == 200
    assert get(url(client)).status_code == 403
