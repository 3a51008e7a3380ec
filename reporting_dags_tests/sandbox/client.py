"""A client that says exactly what a test wants said, well or badly formed."""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import requests

from reporting_dags.sandbox.server import Sandbox

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
REPORT = "/api/v1/report/offerwall?format=csv"
METRICS = ["Publisher Revenue", "Publisher ARPU", "Offer Impressions", "Offer Clicks", "OFW Unique Users"]
SPLITS = ["Date", "DT Publisher App ID", "Country"]


class Client:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.token = ""

    def log_in(self, account: str = "ordinary") -> "Client":
        self.token = self.ask_token(account).json()["accessToken"]
        return self

    def ask_token(self, account: str = "ordinary", **changes: Any) -> requests.Response:
        pair = self.sandbox.credentials[account]
        body = {
            "grant_type": "client_credentials",
            "client_id": pair.client_id,
            "client_secret": pair.client_secret,
            **changes,
        }
        kept = {key: value for key, value in body.items() if value is not ...}
        return requests.post(self.sandbox.url + "/auth/v1/token", json=kept, timeout=10)

    def ask(self, query: Any, *, path: str = REPORT, headers: Mapping[str, str] | None = None) -> requests.Response:
        sent = {"Authorization": f"Bearer {self.token}"} if headers is None else headers
        return requests.post(self.sandbox.url + path, json=query, headers=sent, timeout=10)

    def url(self, **changes: Any) -> str:
        answer = self.ask(query(**changes))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["url"])

    def read(self, **changes: Any) -> list[dict[str, str]]:
        return rows(get(self.url(**changes)))


def query(
    source: str = "event", start: str = "2026-11-10", end: str = "2026-11-12", without: str = "", **changes: Any
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "source": source,
        "dateRange": {"start": start, "end": end},
        "metrics": METRICS,
        "splits": SPLITS,
        "filters": [],
        **changes,
    }
    return {key: value for key, value in body.items() if key != without}


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=10, allow_redirects=False)


def rows(answer: requests.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline="")))


def error(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def in_order(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(found, key=lambda row: tuple(row.values()))
