from typing import Any

import pytest
import requests

from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.sandbox.client import NOW, Client, query


def control(sandbox: Sandbox, method: str, path: str, body: Any = None) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/_sandbox{path}", json=body, timeout=10)


def test_health_tells_reports_and_credentials(sandbox: Sandbox) -> None:
    health = control(sandbox, "GET", "/health").json()
    assert health["status"] == "ok"
    assert {"dt_offer_wall/performance", "dt_offer_wall/event", "dt_user_level/revenue"} <= set(health["reports"])
    assert health["credentials"]["dt"]["ordinary"]["client_id"] == sandbox.credentials["ordinary"].client_id


def test_the_clock_is_told_and_moved(sandbox: Sandbox) -> None:
    assert control(sandbox, "GET", "/clock").json() == {"now": "2026-11-22T15:00:00+00:00", "frozen": True}
    moved = control(sandbox, "POST", "/clock", {"set": "2026-11-23T00:00:00Z", "advance": 60})
    assert moved.json()["now"] == "2026-11-23T00:01:00+00:00"
    assert control(sandbox, "POST", "/clock", {"frozen": False}).json()["frozen"] is False
    assert not sandbox.clock.frozen


def test_the_log_is_told_without_the_controls(client: Client) -> None:
    client.ask(query())
    log = control(client.sandbox, "GET", "/log?point=dt.report&status=200").json()
    assert log["count"] == 1
    assert log["entries"][0]["body"] == query()
    assert control(client.sandbox, "GET", "/log").json()["count"] == 2
    control(client.sandbox, "DELETE", "/log")
    assert control(client.sandbox, "GET", "/log").json()["count"] == 0


def test_faults_are_scripted_told_and_cleared(client: Client) -> None:
    fault = {"point": "dt.report", "do": "status", "status": 503, "times": 2, "day": "2026-11-12"}
    number = control(client.sandbox, "POST", "/faults", fault).json()["number"]
    assert client.ask(query()).status_code == 503
    told = control(client.sandbox, "GET", "/faults").json()["faults"]
    assert [(one["number"], one["struck"], one["day"]) for one in told] == [(number, 1, "2026-11-12")]
    control(client.sandbox, "DELETE", f"/faults?number={number}")
    assert client.ask(query()).status_code == 200
    control(client.sandbox, "POST", "/faults", fault)
    control(client.sandbox, "DELETE", "/faults")
    assert client.ask(query()).status_code == 200


def test_settings_are_told_and_changed(sandbox: Sandbox) -> None:
    assert control(sandbox, "GET", "/settings").json()["dt"]["fill_polls"] == 0
    changed = control(sandbox, "POST", "/settings", {"dt": {"fill_polls": 2, "empty_days": ["2026-11-12"]}})
    assert changed.json()["dt"]["fill_polls"] == 2
    assert sandbox.settings.of("dt").empty_days == ("2026-11-12",)


def test_a_reset_forgets_everything(client: Client) -> None:
    sandbox = client.sandbox
    client.ask(query())
    sandbox.clock.advance(60)
    sandbox.settings.change("dt", daily_queries=0)
    sandbox.faults.add("dt.token", do="html")
    assert control(sandbox, "POST", "/reset").json() == {}
    assert sandbox.clock.now() == NOW
    assert sandbox.log.count() == 0
    assert client.ask(query()).status_code == 401
    assert client.log_in().ask(query()).status_code == 200


def test_truth_is_told(sandbox: Sandbox) -> None:
    told = control(sandbox, "GET", "/truth?report=dt_offer_wall/performance&day=2026-11-20").json()
    assert told["rows"] == sandbox.truth("dt_offer_wall/performance", "2026-11-20")
    later = control(
        sandbox, "GET", "/truth?report=dt_offer_wall/performance&day=2026-11-20&at=2026-12-24T13:00:00Z"
    ).json()
    assert later["rows"] != told["rows"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/clock", {"advance": "soon"}),
        ("POST", "/clock", {"turn": 1}),
        ("POST", "/clock", [1]),
        ("POST", "/faults", {"point": "dt.other", "do": "html"}),
        ("POST", "/faults", {"do": "html"}),
        ("POST", "/settings", {"dt": {"colour": "red"}}),
        ("POST", "/settings", {"dt": {"fill_polls": -1}}),
        ("POST", "/settings", {"dt": {"fill_polls": "two"}}),
        ("POST", "/settings", {"dt": {"pending": "later"}}),
        ("POST", "/settings", {"other": {}}),
        ("GET", "/truth?report=other&day=2026-11-01", None),
        ("GET", "/truth", None),
        ("GET", "/log?status=x", None),
    ],
)
def test_a_control_that_makes_no_sense_is_a_400_that_says_why(
    sandbox: Sandbox, method: str, path: str, body: Any
) -> None:
    answer = control(sandbox, method, path, body)
    assert answer.status_code == 400
    assert answer.json()["error"]
