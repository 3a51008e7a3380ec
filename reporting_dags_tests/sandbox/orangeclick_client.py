"""A client of OrangeClickMedia's API that says exactly what a test wants said, well or badly formed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from reporting_dags.sandbox.server import Sandbox

DIMENSIONS = ["day", "domain", "ad_unit", "country", "device", "media_type"]
METRICS = ["impressions", "earnings", "ecpm", "viewable", "first_quartile", "midpoint", "third_quartile", "complete"]
TRUTH = "orangeclick/earnings"


@dataclass
class OrangeClient:
    sandbox: Sandbox
    account: str = "ordinary"

    def ask(self, *, headers: Mapping[str, str | None] | None = None, **changes: Any) -> requests.Response:
        token = self.sandbox.providers["orangeclick"].credentials[self.account].api_token
        sent = {"Authorization": f"Bearer {token}", "Accept": "application/json", **(headers or {})}
        kept = {key: value for key, value in sent.items() if value is not None}
        url = self.sandbox.url + "/api/v1/reports/generate"
        return requests.post(url, json=question(**changes), headers=kept, timeout=10)

    def read(self, **changes: Any) -> list[dict[str, Any]]:
        """The answered rows; the pace of requests is not what is being tested."""
        self.sandbox.settings.change("orangeclick", requests_per_minute=1000)
        answer = self.ask(**changes)
        assert answer.status_code == 200, answer.text
        return answer.json(parse_float=str, parse_int=str)["data"]

    def errors(self, **changes: Any) -> dict[str, list[str]]:
        """What the 422 says is wrong."""
        self.sandbox.settings.change("orangeclick", requests_per_minute=1000)
        answer = self.ask(**changes)
        assert answer.status_code == 422, answer.text
        body = answer.json()
        assert (body["status"], body["message"]) == ("error", "Validation failed")
        return body["errors"]


def question(start: str = "2026-11-10", end: str = "2026-11-12", **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "dimensions": DIMENSIONS,
        "metrics": METRICS,
        "currency": "USD",
        "selectedDate": [start, end],
        **changes,
    }
    return {key: value for key, value in body.items() if value is not ...}


def dimension(value: str, *values: str, comparator: str = "in") -> dict[str, Any]:
    return {"value": value, "type": "dimension", "comparator": comparator, "selectedValues": list(values)}


def metric(value: str, comparison: str, number: Any, **more: Any) -> dict[str, Any]:
    return {"value": value, "type": "metric", "comparison": comparison, "selectedValue": number, **more}


def group(*filters: dict[str, Any]) -> dict[str, Any]:
    return {"operator": "or", "filters": list(filters)}


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    printed = [{key: "" if value is None else value for key, value in row.items()} for row in rows]
    return sorted(printed, key=lambda row: tuple(row.values()))
