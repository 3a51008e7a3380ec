import csv
import io
from typing import Any

import pytest
import requests

from reporting_dags.sandbox.integr8 import fields
from reporting_dags.sandbox.integr8.values import cell_text
from reporting_dags.sandbox.server import Sandbox

RANGE = {"start_time": "2026-11-12 00:00:00", "end_time": "2026-11-13 00:00:00"}
DAY = "2026-11-12"
COLUMNS = {
    "clicks": fields.CLICKS,
    "conversions": fields.CONVERSIONS,
    "impressions": fields.IMPRESSIONS,
    "postback-logs": fields.POSTBACKS,
}


class Api:
    def __init__(self, sandbox: Sandbox, account: str = "ordinary") -> None:
        self.sandbox = sandbox
        pair = sandbox.providers["integr8"].credentials[account]
        self.headers = {"API-KEY": pair.api_key}
        self.integration = pair.integration_id

    def get(self, path: str, **params: Any) -> requests.Response:
        return requests.get(self.sandbox.url + "/api/v2" + path, params=params, headers=self.headers, timeout=10)

    def post(self, path: str, **kinds: Any) -> requests.Response:
        return requests.post(self.sandbox.url + "/api/v2" + path, headers=self.headers, timeout=10, **kinds)

    def change(self, **switches: Any) -> None:
        self.sandbox.settings.change("integr8", **switches)

    def offers(self, **params: Any) -> requests.Response:
        return self.get(f"/integrations/{self.integration}/offers", **params)

    def table(self, name: str = "conversion", **changes: Any) -> requests.Response:
        params = {"integration_id": self.integration, **RANGE, "page[size]": 100, **changes}
        return self.get(
            f"/reports/v2/{name}-table", **{key: value for key, value in params.items() if value is not ...}
        )

    def order(self, log: str = "clicks", integration: str = "", **changes: Any) -> requests.Response:
        params: dict[str, Any] = {**RANGE, "fields": ",".join(COLUMNS.get(log, ())), "extra_parameters": "gclid"}
        if log == "postback-logs":
            del params["extra_parameters"]
        sent = {key: value for key, value in {**params, **changes}.items() if value is not ...}
        return self.post(f"/integrations/{integration or self.integration}/download-center/{log}", data=sent)

    def status(self, export: str) -> dict[str, Any]:
        answer = self.get(f"/download-center/exports/{export}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def completed(self, log: str = "clicks", **changes: Any) -> dict[str, Any]:
        ordered = self.order(log, **changes)
        assert ordered.status_code == 200, ordered.text
        self.status(ordered.json()["id"])
        return self.status(ordered.json()["id"])

    def url(self, export: dict[str, Any]) -> str:
        return str(self.get("/download-center/signed-url", artifact_name=export["artifact"]["name"]).json()["url"])

    def rows(self, export: dict[str, Any], delimiter: str = ",") -> list[dict[str, str]]:
        answer = requests.get(self.url(export), timeout=10)
        assert answer.status_code == 200, answer.text
        text = io.StringIO(answer.content.decode(), newline="")
        return list(csv.DictReader(text, delimiter=delimiter, strict=True))


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    return Api(sandbox)


def in_order(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(rows, key=lambda row: tuple(row.values()))


def as_printed(objects: list[dict[str, Any]]) -> list[dict[str, str]]:
    return in_order([{name: cell_text(value) for name, value in one.items()} for one in objects])


def message(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


def every_page(api: Api, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(1, 10):
        answer = api.get(path, **{"page[size]": 100, "page[number]": number}).json()
        found += answer["data"]
        if number >= answer["meta"]["total_page"]:
            break
    return found


@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_in1_no_valid_key_is_a_401(api: Api, key: str | None) -> None:
    api.headers = {} if key is None else {"API-KEY": key}
    assert api.offers().status_code == 401
    assert message(api.order()) == (401, "No valid API key provided.")


def test_in1_a_revoked_key_is_a_401_and_one_without_permission_a_403(sandbox: Sandbox) -> None:
    assert Api(sandbox, "revoked").table().status_code == 401
    assert Api(sandbox, "limited").table().status_code == 403


def test_in1_an_error_can_be_a_text_alone(api: Api) -> None:
    api.change(error_shape="text")
    assert api.offers(page=1).json() == {"error": "unknown parameter page"}


def test_in1_another_s_integration_and_unknown_logs_are_a_404(api: Api) -> None:
    assert api.order(integration="0" * 24).status_code == 404
    assert api.order("installs").status_code == 404
    assert api.get(f"/integrations/{'0' * 24}/offers").status_code == 404
    assert api.table(integration_id="0" * 24).status_code == 404
    assert api.get("/download-center/exports/0").status_code == 404


def test_in10_over_60_requests_in_a_minute_are_refused(api: Api) -> None:
    other = Api(api.sandbox, "other")
    api.change(requests_per_minute=3)
    assert [api.get("/publishers").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert other.get("/publishers").status_code == 200
    assert "Retry-After" not in api.get("/publishers").headers
    api.change(retry_after=True)
    api.sandbox.clock.advance(59)
    assert api.get("/publishers").headers["Retry-After"] == "1"
    api.sandbox.clock.advance(1)
    assert api.get("/publishers").status_code == 200


def test_in2_every_page_together_is_the_truth(api: Api) -> None:
    offers = every_page(api, f"/integrations/{api.integration}/offers")
    assert as_printed(offers) == api.sandbox.truth("integr8/offers", DAY)
    assert len(offers) == 229
    for name, count in (("publishers", 130), ("advertisers", 40)):
        found = every_page(api, f"/{name}")
        assert as_printed(found) == api.sandbox.truth(f"integr8/{name}", DAY)
        assert len(found) == count
    assert tuple(offers[0]) == fields.OFFERS
    assert list(offers[0]["default_payout"]) == sorted(offers[0]["default_payout"])


def test_in2_pages_are_numbered_from_one_and_linked(api: Api) -> None:
    answer = api.get("/publishers", **{"page[size]": 50, "page[number]": 3}).json()
    assert len(answer["data"]) == 30
    assert (answer["meta"]["total_count"], answer["meta"]["total_page"]) == (130, 3)
    assert answer["meta"]["links"]["next"] is None
    assert answer["meta"]["links"]["prev"]["page[number]"] == 2
    assert len(api.get("/publishers").json()["data"]) == 25
    assert api.get("/publishers", **{"page[number]": 9}).json()["data"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page[size]", "101"),
        ("page[size]", "0"),
        ("page[size]", "ten"),
        ("page[number]", "0"),
        ("page[after]", "x"),
        ("filter[colour][eq]", "red"),
        ("filter[name][like]", "a"),
        ("filter[name]", "a"),
        ("filter[default_payout][eq]", "a"),
        ("filter[incremental_id][gte]", "NaN"),
        ("sort", "colour"),
        ("sort", "default_payout"),
        ("sort", ""),
    ],
)
def test_in2_what_is_not_documented_is_a_400(api: Api, name: str, value: str) -> None:
    assert api.offers(**{name: value}).status_code == 400


def test_in2_a_list_is_filtered_and_sorted(api: Api) -> None:
    found = api.offers(
        **{"filter[currency][eq]": "EUR", "filter[default_payout.payout][gte]": "5", "sort": "-currency,-name"}
    ).json()["data"]
    assert {one["currency"] for one in found} == {"EUR"}
    assert all(one["default_payout"]["payout"] >= 5 for one in found)
    assert [one["name"] for one in found] == sorted((one["name"] for one in found), reverse=True)
    assert api.get("/advertisers", **{"filter[active][eq]": "true", "sort": "description"}).json()["data"]


def test_in2_objects_change_slowly_and_a_week_brings_an_offer(sandbox: Sandbox) -> None:
    before = sandbox.truth("integr8/offers", DAY)
    sandbox.clock.advance(7 * 86400)
    after = sandbox.truth("integr8/offers", DAY)
    assert len(after) == len(before) + 1
    by_id = {row["id"]: row for row in after}
    changed = [row for row in before if by_id[row["id"]] != row]
    assert 5 < len(changed) < 120
    assert all(by_id[row["id"]]["updated_at"] > row["updated_at"] for row in changed)


def test_in2_texts_are_hostile_and_can_be_null(api: Api) -> None:
    names = {row["name"] for row in api.sandbox.truth("integr8/offers", DAY)}
    assert {"NA", "null", "0012", "Shop\nfirst order", "🎉 Party 🎉"} <= names
    ids = {row["incremental_id"] for row in api.sandbox.truth("integr8/publishers", DAY)}
    assert str(2**53 + 5) in ids
    assert any(one["description"] is None for one in api.offers().json()["data"])
    api.change(null_texts=False)
    assert not any(one["description"] is None for one in api.offers().json()["data"])


def test_a_list_can_be_harmed(api: Api) -> None:
    api.sandbox.faults.add("integr8.data", do="bad_value", column="currency", value="GBP", source="offers")
    found = api.offers().json()["data"]
    assert [one["currency"] for one in found[:2]] == ["GBP", "EUR"]
    assert api.get("/publishers").json()["data"]


def test_unknown_parameters_can_be_passed_over(api: Api) -> None:
    assert message(api.table(start_date=DAY)) == (400, "unknown parameter start_date")
    api.change(unknown_parameters=True)
    assert api.table(start_date=DAY).status_code == 200
