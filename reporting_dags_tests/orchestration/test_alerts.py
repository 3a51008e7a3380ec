"""Alerts: off until configured; then each failed run and each failing check is told once, with what mends it."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import pytest
import time_machine

from reporting_dags.landing.checks import CheckResult
from reporting_dags.orchestration.alerts import Alerts
from reporting_dags.orchestration.checks import evaluation
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place
from reporting_dags_tests.orchestration.ticks import loaded_now, sensor_tick

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
SECRET = "hush-hush-token"
UI = "https://dagster.example.com"


@dataclass
class Hook:
    """What was posted to a webhook; `status` is what it answers."""

    port: int = 0
    status: int = 200
    told: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def texts(self) -> list[str]:
        return [f"{one['title']}\n{one['message']}" for one in self.told]


@contextmanager
def listening() -> Generator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called there
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hook
        server.shutdown()


@pytest.fixture
def hook(live: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Generator[Hook]:
    with listening() as found:
        monkeypatch.setenv("REPORTING_ALERT_URLS", f"json://127.0.0.1:{found.port}/{SECRET}")
        monkeypatch.setenv("REPORTING_UI_URL", UI + "/")
        monkeypatch.setenv("REPORTING_START_DATE", "2026-11-18")
        with time_machine.travel(NOW, tick=True):
            yield found


def failed_run(place: Place) -> dg.ExecuteInProcessResult:
    result = place.run(NOW.date())
    assert not result.success
    return result


def run_alert(place: Place, result: dg.ExecuteInProcessResult) -> object:
    """The sensor for failed runs, as the daemon evaluates it for one of them."""
    (event,) = [one for one in result.all_events if one.event_type is dg.DagsterEventType.RUN_FAILURE]
    run = place.instance.get_run_by_id(result.run_id)
    assert run is not None
    context = dg.build_run_status_sensor_context(
        sensor_name="alert_on_failed_runs",
        dagster_instance=place.instance,
        dagster_run=run,
        dagster_event=event,
        resources={"alerts": Alerts()},
    )
    return loaded_now().resolve_sensor_def("alert_on_failed_runs")(context.for_run_failure())


def check_alert(place: Place, cursor: str | None = None) -> tuple[str, str | None]:
    """The sensor for failing checks: what it says, and its cursor."""
    context = dg.build_sensor_context(
        instance=place.instance,
        cursor=cursor,
        repository_def=loaded_now().get_repository_def(),
        resources={"alerts": Alerts()},
    )
    with context:
        told = loaded_now().resolve_sensor_def("alert_on_failed_checks").evaluate_tick(context)
    return told.skip_message or "", told.cursor


def stand(place: Place) -> None:
    """A tick of the late-data sensor, whose standing checks Dagster records."""
    for event in sensor_tick(place).events:
        place.instance.report_runless_asset_event(event)  # pyright: ignore[reportArgumentType]


def test_a_failed_run_is_told_with_report_day_cause_what_to_do_and_link(hook: Hook, place: Place) -> None:
    result = failed_run(place)
    run_alert(place, result)
    (text,) = hook.texts
    assert "dt_offer_wall/event 2026-11-20: run failed" in text
    assert "not ready: not out yet: the provider publishes it on 2026-11-21 at 12:00 UTC. Ask for it then" in text
    assert f"{UI}/runs/{result.run_id}" in text


def test_nobody_is_told_until_an_address_is_given(hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPORTING_ALERT_URLS")
    assert "REPORTING_ALERT_URLS is not set" in str(run_alert(place, failed_run(place)))
    stand(place)
    assert "REPORTING_ALERT_URLS is not set" in check_alert(place)[0]
    assert hook.told == []


def test_failing_checks_are_told_once_with_the_command_that_mends_them(hook: Hook, place: Place) -> None:
    stand(place)
    said, cursor = check_alert(place)
    texts = {one.splitlines()[0]: one for one in hook.texts}
    assert said == f"told of {len(texts)} checks"
    text = texts["dt_offer_wall/event newest_day failed"]
    assert "2026-11-19 is not there" in text
    assert "dagster asset materialize -m reporting_dags.definitions --select dt_offer_wall/event" in text
    assert f"{UI}/assets/dt_offer_wall/event?view=checks&checkDetail=newest_day" in text
    before = len(hook.told)
    assert check_alert(place, cursor)[0] == "no check fails that was not told before"
    assert len(hook.told) == before
    assert check_alert(place, "no cursor of ours")[0] == said, "and again if it is forgotten"


def test_a_check_that_has_passed_meanwhile_is_told_when_it_fails_again(hook: Hook, place: Place) -> None:
    stand(place)
    cursor = check_alert(place)[1]
    place.run(NOW.date() - timedelta(days=2), NOW.date() - timedelta(days=1))
    stand(place)
    said, cursor = check_alert(place, cursor)
    assert said == "no check fails that was not told before"
    assert "dt_offer_wall/event newest_day" not in json.loads(str(cursor))["told"]


def test_a_run_alert_that_nobody_took_fails_the_tick_without_showing_the_address(
    hook: Hook, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 500
    result = failed_run(place)
    with pytest.raises(Exception, match="alert could not be delivered") as caught:
        run_alert(place, result)
    assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text


def test_a_check_alert_that_nobody_took_is_told_when_somebody_does(
    hook: Hook, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    stand(place)
    hook.status = 500
    said, cursor = check_alert(place)
    assert "an alert could not be delivered" in said
    tried = len(hook.told)
    hook.status = 200
    said, cursor = check_alert(place, cursor)
    assert said == f"told of {tried} checks"
    assert check_alert(place, cursor)[0] == "no check fails that was not told before"
    assert SECRET not in caplog.text


def test_an_address_that_refuses_keeps_the_others_from_nothing_and_nothing_is_told_twice(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as dead:
        dead.status = 500
        urls = f"json://127.0.0.1:{dead.port}/x json://127.0.0.1:{hook.port}/y"
        monkeypatch.setenv("REPORTING_ALERT_URLS", urls)
        stand(place)
        said, cursor = check_alert(place)
        assert len(hook.told) == len(set(hook.texts)) > 1
        refused = "address 1 of 2 of REPORTING_ALERT_URLS refused"
        assert said == f"told of {len(hook.told)} checks; {refused}"
        before = len(hook.told)
        check_alert(place, cursor)
        assert len(hook.told) == before


def test_a_day_that_warns_is_told_though_another_has_passed_since(hook: Hook, place: Place) -> None:
    def record(day: int, *, passed: bool) -> None:
        check = CheckResult(name="entities", passed=passed, detail=f"day {day}", facts={})
        found = evaluation(EVENT, date(2026, 11, day), check)
        place.instance.report_runless_asset_event(found)

    record(17, passed=False)
    record(18, passed=True)
    said, cursor = check_alert(place)
    assert said == "told of 1 checks"
    assert "dt_offer_wall/event entities 2026-11-17 warns" in hook.texts[0]
    record(19, passed=False)
    record(20, passed=True)
    check_alert(place, cursor)
    assert "dt_offer_wall/event entities 2026-11-19 warns" in hook.texts[1]
    assert len(hook.texts) == 2


def test_of_a_long_backfill_every_day_that_warns_is_told(hook: Hook, place: Place) -> None:
    def record(day: date) -> None:
        check = CheckResult(name="entities", passed=False, detail=f"{day}", facts={})
        place.instance.report_runless_asset_event(evaluation(EVENT, day, check))

    record(date(2026, 1, 1))
    cursor = check_alert(place)[1]
    for number in range(1, 250):
        record(date(2026, 1, 1) + timedelta(days=number))
    assert check_alert(place, cursor)[0] == "told of 249 checks"
    assert len(set(hook.texts)) == 250


@pytest.mark.parametrize(
    ("url", "place_of_it"), [(f"nosuch://{SECRET}", 2), (f"slack://{SECRET}/B/C", 2), (f"discord://{SECRET}", 2)]
)
def test_an_address_that_is_none_is_named_by_its_place_alone(
    hook: Hook,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    url: str,
    place_of_it: int,
) -> None:
    monkeypatch.setenv("REPORTING_ALERT_URLS", f"json://127.0.0.1:{hook.port}/x {url}")
    with pytest.raises(Exception, match=f"address {place_of_it} of 2 is none that apprise knows") as caught:
        run_alert(place, failed_run(place))
    assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text
