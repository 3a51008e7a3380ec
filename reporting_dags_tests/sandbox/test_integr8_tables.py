from typing import Any

import pytest

from reporting_dags.sandbox.integr8 import fields
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.sandbox.test_integr8 import DAY, Api, as_printed

TABLES = {"conversion": "conversions", "click": "clicks", "impression": "impressions"}


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    return Api(sandbox)


def walk(api: Api, name: str = "conversion", size: int = 7, way: str = "after", **changes: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = changes.pop("cursor", ...)
    for _ in range(60):
        data = api.table(name, **{"page[size]": size, f"page[{way}]": cursor}, **changes).json()["data"]
        found = found + data["data"] if way == "after" else data["data"] + found
        if not data["pageInfo"]["hasNextPage" if way == "after" else "hasPreviousPage"]:
            break
        cursor = data["pageInfo"]["endCursor" if way == "after" else "startCursor"]
    return found


@pytest.mark.parametrize(("name", "log"), TABLES.items())
def test_in3_every_page_together_is_the_truth_newest_first(api: Api, name: str, log: str) -> None:
    found = walk(api, name, size=40)
    assert as_printed(found) == api.sandbox.truth(f"integr8/{log}", DAY)
    time = "conversion_time" if log == "conversions" else "request_time"
    order = [one[time].removesuffix("Z") for one in found]
    assert order == sorted(order, reverse=True)
    assert tuple(found[0]) == getattr(fields, log.upper())


def test_in3_pages_of_any_size_hold_the_same_rows_and_events_stay_together(api: Api) -> None:
    whole = api.table().json()["data"]["data"]
    api.change(requests_per_minute=1000)
    for size in (1, 2, 3, 5):
        assert walk(api, size=size) == whole
    keys = [one["real_tx_id"] for one in whole]
    assert len(set(keys)) < len(keys)
    assert len({(one["real_tx_id"], one["event_id"]) for one in whole}) == len(whole)


def test_in3_a_page_that_splits_events_loses_some(api: Api) -> None:
    api.change(split_events=True)
    whole = api.table().json()["data"]["data"]
    assert len(walk(api, size=1)) == len({one["real_tx_id"] for one in whole}) < len(whole)


def test_in3_pages_go_backwards_too(api: Api) -> None:
    whole = api.table("click").json()["data"]["data"]
    last = whole[-1]["real_tx_id"]
    assert walk(api, "click", size=20, way="before", cursor=last) == whole[:-1]
    info = api.table("click", **{"page[before]": last, "page[size]": 5}).json()["data"]["pageInfo"]
    assert info["hasNextPage"]
    assert info["hasPreviousPage"]


def test_in3_page_info_tells_both_ends(api: Api) -> None:
    answer = api.table("click", **{"page[size]": 5}).json()["data"]
    keys = [one["real_tx_id"] for one in answer["data"]]
    assert answer["pageInfo"] == {
        "startCursor": keys[0],
        "endCursor": keys[-1],
        "hasNextPage": True,
        "hasPreviousPage": False,
    }
    assert answer["count"] == len(api.sandbox.truth("integr8/clicks", DAY))
    api.change(count="page")
    assert api.table("click", **{"page[size]": 5}).json()["data"]["count"] == 5


def test_in3_a_range_without_rows_is_an_empty_page(api: Api) -> None:
    api.change(empty_days=(DAY,))
    ends = {"startCursor": "", "endCursor": "", "hasNextPage": False, "hasPreviousPage": False}
    assert api.table().json()["data"] == {"count": 0, "data": [], "pageInfo": ends}


@pytest.mark.parametrize(
    "changes",
    [
        {"integration_id": ...},
        {"start_time": ...},
        {"end_time": ...},
        {"page[size]": ...},
        {"page[size]": 101},
        {"page[size]": 0},
        {"page[number]": 1},
        {"start_time": "2026-11-12"},
        {"start_time": "2026-11-12T00:00:00"},
        {"start_time": "2026-11-31 00:00:00"},
        {"end_time": "2026-11-12 00:00:00"},
        {"end_time": "2026-11-11 00:00:00"},
        {"timezone": "Mars/Olympus"},
        {"timezone": "Europe"},
        {"timezone": ""},
        {"page[after]": "unknown"},
        {"page[before]": ""},
        {"page[after]": "a", "page[before]": "b"},
        {"filter[status]": "approved"},
        {"filter[country]": "US"},
        {"start_time": ["2026-11-12 00:00:00", "2026-11-12 00:00:00"]},
    ],
)
def test_in3_what_is_wrong_is_a_400(api: Api, changes: dict[str, Any]) -> None:
    assert api.table(**changes).status_code == 400


def test_in3_filters_narrow_and_cursors_stay_valid(api: Api) -> None:
    whole = api.table("click").json()["data"]["data"]
    rejected = api.table("click", **{"filter[status]": "Rejected"}).json()["data"]
    assert rejected["data"] == [one for one in whole if one["status"] == "Rejected"]
    assert rejected["count"] == len(rejected["data"])
    for name in ("offer_id", "publisher", "advertiser"):
        found = api.table("click", **{f"filter[{name}]": "4"}).json()["data"]["data"]
        assert found == [one for one in whole if one[name] == "4"] != []
    behind = api.table("click", **{"filter[status]": "Rejected", "page[after]": whole[0]["real_tx_id"]})
    assert behind.status_code == 200


def test_in10_ranges_are_half_open_and_in_their_time_zone(api: Api) -> None:
    midnight = {"start_time": "2026-11-12 00:00:00", "end_time": "2026-11-12 00:00:01"}
    assert [one["request_time"] for one in api.table("click", **midnight).json()["data"]["data"]] == [
        "2026-11-12T00:00:00Z"
    ]
    evening = {"start_time": "2026-11-11 23:59:59", "end_time": "2026-11-12 00:00:00"}
    assert len(api.table("click", **evening).json()["data"]["data"]) == 1
    api.change(end_counts=True)
    assert len(api.table("click", **evening).json()["data"]["data"]) == 2
    api.change(end_counts=False)
    kolkata = {"start_time": "2026-11-12 05:30:00", "end_time": "2026-11-13 05:30:00", "timezone": "Asia/Kolkata"}
    assert api.table(**kolkata).json() == api.table().json()


def test_nulls_can_be_left_out(api: Api) -> None:
    assert any(value is None for value in api.table().json()["data"]["data"][0].values())
    api.change(omit_empty=True)
    found = api.table().json()["data"]["data"]
    assert not any(value is None for one in found for value in one.values())
    assert any("" in one.values() for one in found)


def test_rows_show_when_their_time_has_come(api: Api) -> None:
    today = {"start_time": "2026-11-22 00:00:00", "end_time": "2026-11-23 00:00:00"}
    so_far = api.table("click", **today).json()["data"]["count"]
    api.change(delay_seconds=7200)
    assert 0 < api.table("click", **today).json()["data"]["count"] < so_far
    api.sandbox.clock.advance(86400)
    assert api.table("click", **today).json()["data"]["count"] > so_far


def test_a_page_can_repeat_the_last_row_of_the_one_before(api: Api) -> None:
    api.sandbox.faults.add("integr8.click_table", do="page_again", after=1)
    found = walk(api, "click", size=20)
    whole = api.table("click").json()["data"]["data"]
    assert found == [*whole[:20], *whole[19:]]


def test_a_page_can_be_empty_or_lead_to_itself_or_lie_of_its_count(api: Api) -> None:
    cursor = api.table("click", **{"page[size]": 5}).json()["data"]["pageInfo"]["endCursor"]
    asked: dict[str, Any] = {"page[size]": 5, "page[after]": cursor}
    api.sandbox.faults.add("integr8.click_table", do="empty_page", source="clicks", day=DAY)
    empty = api.table("click", **asked).json()["data"]
    assert empty["data"] == []
    assert (empty["pageInfo"]["endCursor"], empty["pageInfo"]["hasNextPage"]) == (cursor, True)
    api.sandbox.faults.add("integr8.click_table", do="cursor_loop")
    loop = api.table("click", **asked).json()["data"]
    assert len(loop["data"]) == 5
    assert (loop["pageInfo"]["endCursor"], loop["pageInfo"]["hasNextPage"]) == (cursor, True)
    api.sandbox.faults.add("integr8.click_table", do="count", count=3)
    assert api.table("click", **asked).json()["data"]["count"] == 3
    assert api.table("click", **asked).json()["data"]["data"] == loop["data"]


def test_a_table_can_be_harmed(api: Api) -> None:
    whole = api.table().json()["data"]["data"]
    api.sandbox.faults.add("integr8.data", do="bad_value", column="payout", value="much", source="conversions")
    api.sandbox.faults.add("integr8.data", do="drop_column", column="hash", source="conversions", day=DAY)
    api.sandbox.faults.add("integr8.data", do="header_only", source="clicks")
    found = api.table().json()["data"]["data"]
    assert found[0]["payout"] == "much"
    assert [one["lat"] for one in found] == [one["lat"] for one in whole]
    assert "hash" not in found[1]
    assert api.table("click").json()["data"]["data"] == []
