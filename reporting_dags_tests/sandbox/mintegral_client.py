"""A Mintegral client that says exactly what a test wants said, well or badly formed."""

from collections.abc import Mapping
from typing import Any

import requests

from reporting_dags.sandbox.mintegral.accounts import Account, token
from reporting_dags.sandbox.server import Sandbox

DAY = "2026-11-12"
OFFERS = "Offer,Campaign,CampaignPackage,AdType,Location"


class Client:
    def __init__(self, sandbox: Sandbox, account: str = "ordinary") -> None:
        self.sandbox = sandbox
        self.account: Account = sandbox.providers["mintegral"].credentials[account]

    def headers(self, **changes: str) -> dict[str, str]:
        timestamp = changes.get("timestamp", str(int(self.sandbox.clock.now().timestamp())))
        good = {
            "access-key": self.account.access_key,
            "timestamp": timestamp,
            "token": token(self.account.api_key, timestamp),
        }
        changed = {**good, **{name.replace("_", "-"): value for name, value in changes.items()}}
        return {name: value for name, value in changed.items() if value}

    def call(
        self, kind: str = "1", *, headers: Mapping[str, str] | None = None, tail: str = "", **changes: Any
    ) -> requests.Response:
        sent = self.headers() if headers is None else headers
        asked = {**parameters(**changes), "type": kind}
        url = f"{self.sandbox.url}/api/v2/reports/data{tail}"
        answer = requests.get(url, params=asked, headers=sent, timeout=10)
        assert answer.status_code == 200
        return answer

    def code(self, kind: str = "1", **changes: Any) -> int:
        return self.call(kind, **changes).json()["code"]

    def codes(self, count: int, **changes: Any) -> list[int]:
        return [self.code(**changes) for _ in range(count)]

    def ready(self, **changes: Any) -> dict[str, Any]:
        answers = [self.call(**changes).json() for _ in range(3)]
        assert answers[-1]["code"] == 200, answers
        return answers[-1]["data"]

    def read(self, **changes: Any) -> list[dict[str, str]]:
        self.ready(**changes)
        return rows(self.call("2", **changes))


def parameters(**changes: Any) -> dict[str, Any]:
    good = {"start_time": DAY, "end_time": DAY, "timezone": "+0", "dimension_option": OFFERS}
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def rows(answer: requests.Response) -> list[dict[str, str]]:
    assert answer.headers["Content-Type"] == "application/octet-stream", answer.text
    # Not splitlines(): a value may hold what that takes for the end of a line.
    lines = answer.content.decode("utf-8").split("\n")
    assert lines.pop() == ""
    header = lines[0].split("\t")
    return [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]


def in_order(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(found, key=lambda row: tuple(row.values()))
