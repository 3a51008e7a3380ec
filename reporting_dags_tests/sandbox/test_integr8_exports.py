import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.sandbox.test_integr8 import COLUMNS, DAY, RANGE, Api, in_order, message

LOGS = {"clicks": "clicks", "conversions": "conversions", "impressions": "impressions", "postback-logs": "postbacks"}


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    return Api(sandbox)


@pytest.mark.parametrize(("path", "log"), LOGS.items())
def test_in4_a_file_is_the_truth(api: Api, path: str, log: str) -> None:
    export = api.completed(path)
    found = api.rows(export)
    names = COLUMNS[path]
    assert tuple(found[0]) == (*names, *(["gclid"] if log != "postbacks" else []))
    plain = [{name: row[name] for name in names} for row in found]
    assert in_order(plain) == api.sandbox.truth(f"integr8/{log}", DAY)
    assert export["results_meta"] == {"total": len(found), "range_truncated": False, "duration_seconds": 1}


def test_in4_times_can_be_local_to_the_time_zone_of_the_order(api: Api) -> None:
    asked = {"timezone": "Asia/Kolkata", "fields": "request_time,real_tx_id"}
    plain = {row["real_tx_id"]: row["request_time"] for row in api.rows(api.completed(**asked))}
    api.change(export_times="local")
    local = {row["real_tx_id"]: row["request_time"] for row in api.rows(api.completed(**asked))}
    assert local.keys() == plain.keys()
    for key, text in local.items():
        there = datetime.fromisoformat(text)
        assert there.tzinfo is None
        assert there - timedelta(hours=5, minutes=30) == datetime.fromisoformat(plain[key]).replace(tzinfo=None)


def test_in4_columns_are_as_asked_then_the_further_parameters(api: Api) -> None:
    keys = "extra_params.keys"
    export = api.completed("conversions", fields=f"payout,{keys}", extra_parameters="gclid,nothing", delimiter=";")
    found = api.rows(export, delimiter=";")
    assert list(found[0]) == ["payout", keys, "gclid", "nothing"]
    assert all(bool(row["gclid"]) is ("gclid" in row[keys]) for row in found)
    assert {row["nothing"] for row in found} == {""}
    assert any(row["gclid"].startswith("0") for row in found)


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": ...},
        {"fields": ""},
        {"fields": "payout,"},
        {"fields": "payout,Payout"},
        {"fields": "payout,payout"},
        {"fields": "payout, revenue"},
        {"fields": "payout,conversion_time"},
        {"extra_parameters": ...},
        {"extra_parameters": ""},
        {"extra_parameters": "payout"},
        {"start_time": ...},
        {"end_time": "2026-11-13"},
        {"timezone": "CETX"},
        {"delimiter": ""},
        {"delimiter": ",,"},
        {"delimiter": '"'},
        {"filter[status]": "Approved"},
    ],
)
def test_in4_what_is_wrong_is_a_400_and_costs_no_export(api: Api, changes: dict[str, Any]) -> None:
    assert api.order(**changes).status_code == 400
    api.change(exports_per_day=1)
    assert api.order().status_code == 200


def test_in4_postbacks_have_no_extra_parameters(api: Api) -> None:
    assert message(api.order("postback-logs", extra_parameters="a")) == (400, "unknown parameter extra_parameters")


def test_in4_extra_parameters_can_be_allowed_to_be_empty(api: Api) -> None:
    api.change(extra_parameters_may_be_empty=True)
    assert api.order(extra_parameters="").status_code == 200
    assert api.order(extra_parameters=...).status_code == 400


def test_in4_parameters_come_in_the_query_or_the_form(api: Api) -> None:
    params = {**RANGE, "fields": "payout", "extra_parameters": "a"}
    path = f"/integrations/{api.integration}/download-center/clicks"

    def taken() -> list[int]:
        kinds = ({"params": params}, {"data": params}, {"json": params}, {"params": params, "data": params})
        return [api.post(path, **kind).status_code for kind in kinds]

    assert taken() == [200, 200, 400, 400]
    api.change(export_params="query")
    assert taken() == [200, 400, 400, 200]
    api.change(export_params="form")
    assert taken() == [400, 200, 400, 200]


def test_in5_an_order_is_answered_with_the_bare_export_and_all_its_keys(api: Api) -> None:
    export = api.order("conversions", fields="payout").json()
    assert list(export) == sorted(export)
    assert len(export) == 19
    assert (export["status"], export["type"]) == ("PENDING", "conversion_logs")
    assert (export["artifact"], export["results_meta"], export["error"]) == (None, None, "")
    assert export["reports_query_option"]["include_fields"] == ["payout"]
    assert export["reports_query_option"]["start_date"] == RANGE["start_time"]
    assert export["created_at"] == "2026-11-22T15:00:00Z"


def test_in6_an_export_is_unfinished_for_its_first_questions_and_seconds(api: Api) -> None:
    api.change(fill_polls=2, fill_seconds=30)
    export = api.order().json()["id"]
    assert [api.status(export)["status"] for _ in range(3)] == ["IN_PROGRESS"] * 3
    api.sandbox.clock.advance(30)
    done = api.status(export)
    assert done["status"] == "COMPLETED"
    assert done["results_meta"]["duration_seconds"] == 30


def test_in5_get_can_answer_the_bare_export_and_completed_can_be_called_otherwise(api: Api) -> None:
    api.change(wrap_export=False, completed_status="DONE", fill_polls=0)
    export = api.order().json()["id"]
    assert api.get(f"/download-center/exports/{export}").json()["status"] == "DONE"


def test_in6_a_status_can_be_anything(api: Api) -> None:
    api.change(fill_polls=0)
    export = api.order().json()["id"]
    api.sandbox.faults.add("integr8.status", do="state", status="ERROR", error="out of memory", source="clicks")
    wrong = api.status(export)
    assert (wrong["status"], wrong["error"], wrong["artifact"]) == ("ERROR", "out of memory", None)
    api.sandbox.faults.add("integr8.status", do="never")
    assert api.status(export)["status"] == "IN_PROGRESS"
    assert api.status(export)["status"] == "COMPLETED"


def test_in6_an_export_can_be_never_finished(api: Api) -> None:
    api.sandbox.faults.add("integr8.export", do="never", source="clicks", day=DAY)
    other, never = api.order("impressions").json()["id"], api.order().json()["id"]
    api.sandbox.clock.advance(86400)
    assert [api.status(never)["status"] for _ in range(3)] == ["IN_PROGRESS"] * 3
    assert [api.status(other)["status"] for _ in range(2)] == ["IN_PROGRESS", "COMPLETED"]


def test_in7_too_many_rows_are_cut_by_time_and_said_to_be(api: Api) -> None:
    api.change(rows_limit=10)
    export = api.completed()
    assert (export["results_meta"]["total"], export["results_meta"]["range_truncated"]) == (10, True)
    times = [row["request_time"] for row in api.rows(export)]
    assert times == sorted(row["request_time"] for row in api.sandbox.truth("integr8/clicks", DAY))[:10]


def test_in7_an_export_can_be_cut_or_lie_of_its_total(api: Api) -> None:
    api.sandbox.faults.add("integr8.export", do="truncate", rows=3)
    cut = api.completed()
    assert len(api.rows(cut)) == cut["results_meta"]["total"] == 3
    assert cut["results_meta"]["range_truncated"]
    api.sandbox.faults.add("integr8.export", do="total", total=1)
    lies = api.completed()
    assert lies["results_meta"]["total"] == 1 < len(api.rows(lies))


def test_a_file_can_be_harmed_and_its_total_counts_what_it_holds(api: Api) -> None:
    api.sandbox.faults.add("integr8.data", do="duplicate_row", source="clicks", day=DAY)
    export = api.completed()
    found = api.rows(export)
    assert len(found) == export["results_meta"]["total"] == len(api.sandbox.truth("integr8/clicks", DAY)) + 1
    assert api.completed("impressions")["results_meta"]["total"] == len(api.sandbox.truth("integr8/impressions", DAY))


def test_a_day_without_rows_is_a_header_alone(api: Api) -> None:
    api.change(empty_days=(DAY,))
    export = api.completed(fields="payout", extra_parameters="a")
    assert requests.get(api.url(export), timeout=10).text == "payout,a\n"
    assert export["results_meta"]["total"] == 0


def test_a_file_s_content_is_fixed_when_it_is_ordered(api: Api) -> None:
    export = api.completed("conversions")
    before = api.rows(export)
    api.sandbox.clock.advance(20 * 86400)
    assert api.rows(export) == before
    assert in_order(api.rows(api.completed("conversions"))) != in_order(before)


def test_in8_a_signed_url_is_valid_for_15_minutes_and_can_be_had_again(api: Api) -> None:
    export = api.completed()
    url = api.url(export)
    answer = requests.get(url, timeout=10)
    assert answer.headers["ETag"] == f'"{hashlib.md5(answer.content).hexdigest()}"'
    assert len(answer.content) == export["artifact"]["size"]
    api.sandbox.clock.advance(900)
    assert "Request has expired" in requests.get(url, timeout=10).text
    assert requests.get(api.url(export), timeout=10).status_code == 200
    assert requests.get(export["artifact"]["download_link"], timeout=10).status_code == 403
    assert requests.get(url, headers={"Authorization": "Bearer x"}, timeout=10).status_code == 400


def test_in8_files_are_kept_for_90_days(api: Api) -> None:
    export = api.completed()
    api.change(signed_url_seconds=100 * 86400)
    url = api.url(export)
    api.sandbox.clock.advance(90 * 86400)
    assert requests.get(url, timeout=10).status_code == 404
    answer = api.get("/download-center/signed-url", artifact_name=export["artifact"]["name"])
    assert answer.status_code == 404


def test_in5_signed_urls_are_for_finished_exports_by_name(api: Api) -> None:
    assert api.get("/download-center/signed-url").status_code == 400
    assert api.get("/download-center/signed-url", artifact_name="no.csv").status_code == 404
    export = api.order().json()["id"]
    assert api.get("/download-center/signed-url", artifact_name=f"clicks-{export}.csv").status_code == 404


def test_a_url_can_be_bad_and_a_file_expired(api: Api) -> None:
    export = api.completed()
    api.sandbox.faults.add("integr8.signed_url", do="bad_url", url="https://elsewhere.example/x", source="clicks")
    assert api.url(export) == "https://elsewhere.example/x"
    api.sandbox.faults.add("integr8.file", do="expired", source="clicks")
    url = api.url(export)
    assert [requests.get(url, timeout=10).status_code for _ in range(2)] == [403, 200]


def test_in8_ten_exports_a_utc_day_for_each_account(api: Api) -> None:
    api.change(exports_per_day=2, quota_status=402)
    assert [api.order().status_code for _ in range(3)] == [200, 200, 402]
    assert Api(api.sandbox, "other").order().status_code == 200
    api.sandbox.clock.advance(9 * 3600)
    assert api.order().status_code == 200


def test_in5_exports_are_listed_newest_first_and_filtered(api: Api) -> None:
    first = api.order().json()["id"]
    second = api.completed("conversions")["id"]

    def listed(**params: str) -> list[str]:
        answer = api.get("/download-center/exports", **params)
        assert answer.status_code == 200, answer.text
        assert answer.json()["meta"]["total_count"] == len(answer.json()["data"])
        return [one["id"] for one in answer.json()["data"]]

    assert listed() == [second, first]
    assert listed(sort="type") == [first, second]
    assert listed(**{"filter[status]": "PENDING"}) == [first]
    assert listed(**{"filter[status]": "COMPLETED"}) == [second]
    assert listed(**{"filter[type]": "click_logs"}) == [first]
    assert listed(**{"filter[results_meta.total][gte]": "1"}) == [second]
    assert listed(**{"filter[results_meta.total][lte]": "1"}) == []
    assert listed(**{"filter[reports_query_option.start_date]": RANGE["start_time"]}) == [second, first]
    assert listed(**{"filter[reports_query_option.filters.offer_id.equalvalues]": "4"}) == []
    by_integration = {"filter[reports_query_option.filters.integration_id.equalvalues]": api.integration}
    assert listed(**by_integration) == [second, first]
    for wrong in ("filter[status]", "filter[type]", "filter[id]", "sort", "page[size]"):
        assert api.get("/download-center/exports", **{wrong: "x"}).status_code == 400


def test_reset_forgets_exports_and_limits(api: Api) -> None:
    api.change(exports_per_day=1)
    export = api.order().json()["id"]
    api.sandbox.reset()
    api.change(exports_per_day=1)
    assert api.get(f"/download-center/exports/{export}").status_code == 404
    assert api.order().json()["id"] == export
