"""DT Exchange keeps the contract of providers; the API is emulated as public clients use it."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from reporting_dags_dt_exchange import PROVIDER
from reporting_dags_dt_exchange.report import MAX_WINDOW_DAYS, METRICS, REVENUE, SPLITS

from reporting_dags.testing.provider_contract import Call, Data, ProviderContract, Reply

KEYS = {"client_id": "client-of-the-tests", "client_secret": "secret-of-the-tests"}
HEADERS = [column.header for column in (*SPLITS, *METRICS)]
PLACEMENTS = ("Banner", "Rewarded")


class TestDtExchange(ProviderContract):
    provider = PROVIDER
    report = REVENUE
    settings = KEYS
    secrets = (*KEYS.values(), "token-of-the-tests")

    def reply(self, call: Call, data: Data) -> Reply:
        """Log in; make a report; serve its file at the second look, as Digital Turbine does."""
        if call.path == "/auth/v1/token":
            if {name: call.json()[name] for name in KEYS} != KEYS:
                return Reply.of_json({"error": "invalid_client"}, 400)
            return Reply.of_json({"accessToken": "token-of-the-tests", "tokenType": "bearer", "expiresIn": 3600})
        if call.path == "/api/v1/report":
            return self._made(call)
        looks = sum(other.path == call.path for other in self.calls)
        return Reply(body=b"" if looks == 1 else _file(call.path, data))

    def _made(self, call: Call) -> Reply:
        if call.headers.get("authorization") != "Bearer token-of-the-tests":
            return Reply.of_json({"error": "invalid_token"}, 401)
        query: dict[str, Any] = call.json()
        first, last = (date.fromisoformat(query["dateRange"][end]) for end in ("start", "end"))
        if (last - first).days >= MAX_WINDOW_DAYS or [*query["splits"], *query["metrics"]] != HEADERS:
            return Reply.of_json({"error": "invalid_query"}, 400)
        return Reply.of_json({"id": "1", "url": f"{self.url}/files/{first}_{last}.csv"})

    def is_counted(self, call: Call, earlier: Sequence[Call]) -> bool:
        return call.path == "/api/v1/report"

    def rows(self, day: date, data: Data) -> int:
        return 0 if data is Data.EMPTY else len(PLACEMENTS)


def _file(path: str, data: Data) -> bytes:
    first, last = map(date.fromisoformat, path.removeprefix("/files/").removesuffix(".csv").split("_"))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    revenue = "1.25" if data is Data.FIRST else "1.5"
    lines = [
        f"{day},4711,GERMANY,Android,{placement},{100 * day.day},{day.day},{revenue}"
        for day in (() if data is Data.EMPTY else days)
        for placement in PLACEMENTS
    ]
    return ("\n".join([",".join(HEADERS), *lines]) + "\n").encode()
