"""Alerts: off until configured; then each failed run and each failing check is told once, with what mends it."""

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import pytest
import time_machine
from apprise.plugins.custom_json import NotifyJSON

from reporting_dags.landing.checks import CheckResult
from reporting_dags.orchestration import alerts, news
from reporting_dags.orchestration.alerts import Alerts
from reporting_dags.orchestration.checks import ENTITIES
from reporting_dags.orchestration.record import record_check
from reporting_dags.orchestration.requests import RANGE_END, RANGE_START
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import KEY, Place
from reporting_dags_tests.orchestration.ticks import loaded_now, sensor_tick

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
SECRET = "hush-hush-token"
UI = "https://dagster.example.com"
NO_RUN = "no run fails that is news"
NO_CHECK = "no check fails that is news"


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


def checked_run(place: Place, days: Mapping[date, bool]) -> None:
    """A run of the report in which the check `entities` passed, or did not, on each of `days`."""

    @dg.asset(key=KEY, output_required=False)
    def event(context: dg.AssetExecutionContext) -> Generator[Any]:
        for day, passed in days.items():
            check = CheckResult(name=ENTITIES, passed=passed, detail=f"seen on {day}", facts={})
            record_check(context, EVENT, day, check)
        yield from ()

    dg.materialize([event], instance=place.instance)


def tick(place: Place, sensor: str, cursor: str | None = None) -> tuple[str, str | None]:
    """One of the two sensors, as the daemon evaluates it: what it says, and its cursor."""
    context = dg.build_sensor_context(
        instance=place.instance,
        cursor=cursor,
        repository_def=loaded_now().get_repository_def(),
        resources={"alerts": Alerts()},
    )
    with context:
        told = loaded_now().resolve_sensor_def(sensor).evaluate_tick(context)
    return told.skip_message or "", told.cursor


def run_alert(place: Place, cursor: str | None = None) -> tuple[str, str | None]:
    """The sensor for failed runs."""
    return tick(place, "alert_on_failed_runs", cursor)


def check_alert(place: Place, cursor: str | None = None) -> tuple[str, str | None]:
    """The sensor for failing checks."""
    return tick(place, "alert_on_failed_checks", cursor)


def stand(place: Place) -> None:
    """A tick of the late-data sensor, whose standing checks Dagster records."""
    for event in sensor_tick(place).events:
        place.instance.report_runless_asset_event(event)  # pyright: ignore[reportArgumentType]


def test_a_failed_run_is_told_once_with_report_day_cause_what_to_do_and_link(hook: Hook, place: Place) -> None:
    failed_run(place)
    assert run_alert(place)[0] == NO_RUN, "what failed before alerts were on is no news"
    cursor = run_alert(place)[1]
    result = failed_run(place)
    said, cursor = run_alert(place, cursor)
    assert said == "told of 1 run"
    (text,) = hook.texts
    assert "dt_offer_wall/event 2026-11-20: run failed" in text
    assert "not ready: not out yet: the provider publishes it on 2026-11-21 at 12:00 UTC. Ask for it then" in text
    assert f"{UI}/runs/{result.run_id}" in text
    assert run_alert(place, cursor)[0] == NO_RUN
    assert len(hook.told) == 1


def test_a_run_over_a_range_that_died_is_told_with_its_range(hook: Hook, place: Place) -> None:
    cursor = run_alert(place)[1]
    tags = {RANGE_START: "2026-11-18", RANGE_END: "2026-11-19"}
    run = place.instance.create_run_for_job(
        dg.Definitions.resolve_implicit_global_asset_job_def(loaded_now()), asset_selection=frozenset({KEY}), tags=tags
    )
    place.instance.report_run_failed(run, message="its worker was killed")
    assert run_alert(place, cursor)[0] == "told of 1 run"
    (text,) = hook.texts
    assert text.startswith("dt_offer_wall/event 2026-11-18...2026-11-19: run failed\nits worker was killed")


def test_runs_that_failed_while_a_tick_could_tell_no_more_are_told_by_the_next(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = run_alert(place)[1]
    failed_run(place)
    with monkeypatch.context() as patched:
        patched.setattr(alerts, "_BUDGET_SECONDS", 0.0)
        said, cursor = run_alert(place, cursor)
    assert said == f"{NO_RUN}; there was no time left in this tick: the next one goes on"
    assert run_alert(place, cursor)[0] == "told of 1 run"


def test_of_more_runs_than_a_page_holds_each_is_told_in_order(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "_PAGE", 2)
    cursor = check_alert(place)[1]
    days = [date(2026, 11, number) for number in range(1, 6)]
    for day in days:
        checked_run(place, {day: False})
    while (told := check_alert(place, cursor))[0] != NO_CHECK:
        cursor = told[1]
    assert [text.splitlines()[0] for text in hook.texts] == [
        f"dt_offer_wall/event entities {day} warns" for day in days
    ]


def test_nobody_is_told_until_an_address_is_given(hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = run_alert(place)[1]
    with monkeypatch.context() as patched:
        patched.delenv("REPORTING_ALERT_URLS")
        failed_run(place)
        stand(place)
        assert check_alert(place)[0] == "REPORTING_ALERT_URLS is not set: nobody is told"
        said, cursor = run_alert(place, cursor)
        assert said == "REPORTING_ALERT_URLS is not set: nobody is told"
    assert hook.told == []
    assert run_alert(place, cursor)[0] == NO_RUN


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
    assert check_alert(place, cursor)[0] == NO_CHECK
    assert len(hook.told) == before
    assert check_alert(place, "no cursor of ours")[0] == said, "and again if it is forgotten"


def test_a_check_that_has_passed_meanwhile_is_told_when_it_fails_again(hook: Hook, place: Place) -> None:
    stand(place)
    cursor = check_alert(place)[1]
    place.run(NOW.date() - timedelta(days=2), NOW.date() - timedelta(days=1))
    stand(place)
    said, cursor = check_alert(place, cursor)
    assert said == NO_CHECK
    assert "dt_offer_wall/event newest_day" not in json.loads(str(cursor))["told"]


def test_that_fewer_days_are_amiss_than_were_told_of_is_no_news_and_that_more_are_is(hook: Hook, place: Place) -> None:
    def missing(*days: int) -> None:
        place.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=KEY,
                check_name="no_day_missing",
                passed=not days,
                description=f"missing: {days}",
                metadata={"count": len(days)},
            )
        )

    missing(1, 2, 3)
    cursor = check_alert(place)[1]
    assert len(hook.told) == 1
    for fewer in ((2, 3), (3,)):
        missing(*fewer)
        said, cursor = check_alert(place, cursor)
        assert said == NO_CHECK
    for others in ((3, 4), (4, 5)):
        missing(*others)
        said, cursor = check_alert(place, cursor)
        assert said == "told of 1 check"
    assert len(hook.told) == 3


def test_a_run_alert_that_nobody_took_is_told_when_somebody_does(
    hook: Hook, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    cursor = run_alert(place)[1]
    hook.status = 500
    failed_run(place)
    said, cursor = run_alert(place, cursor)
    refused = "an alert could not be delivered: address 1 of 1 of REPORTING_ALERT_URLS refused"
    assert said == f"{NO_RUN}; {refused}"
    hook.status = 200
    assert run_alert(place, cursor)[0] == "told of 1 run"
    assert SECRET not in caplog.text


def test_a_check_alert_that_nobody_took_is_told_when_somebody_does(
    hook: Hook, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    cursor = check_alert(place)[1]
    checked_run(place, {date(2026, 11, 19): False})
    stand(place)
    hook.status = 500
    said, cursor = check_alert(place, cursor)
    assert "an alert could not be delivered" in said
    tried = len(hook.told)
    hook.status = 200
    said, cursor = check_alert(place, cursor)
    assert said == f"told of {tried} checks"
    assert check_alert(place, cursor)[0] == NO_CHECK
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
    cursor = check_alert(place)[1]
    checked_run(place, {date(2026, 11, 17): False, date(2026, 11, 18): True})
    said, cursor = check_alert(place, cursor)
    assert said == "told of 1 check"
    assert "dt_offer_wall/event entities 2026-11-17 warns" in hook.texts[0]
    checked_run(place, {date(2026, 11, 19): False})
    checked_run(place, {date(2026, 11, 20): True})
    check_alert(place, cursor)
    assert "dt_offer_wall/event entities 2026-11-19 warns" in hook.texts[1]
    assert len(hook.texts) == 2


def test_of_a_long_backfill_the_days_that_warn_are_told_in_one_message(hook: Hook, place: Place) -> None:
    cursor = check_alert(place)[1]
    checked_run(place, {date(2026, 1, 1) + timedelta(days=number): False for number in range(249)})
    said, cursor = check_alert(place, cursor)
    assert said == "told of 1 check"
    (text,) = hook.texts
    assert text.startswith("dt_offer_wall/event entities warns on 249 days, up to 2026-09-06")
    assert "2026-01-01: seen on 2026-01-01" in text
    assert "\nand 220 more\n" in text
    assert len(text) < 1100, "what is longer comes in pieces at Teams or PagerDuty, seconds apart"
    assert check_alert(place, cursor)[0] == NO_CHECK
    assert len(hook.texts) == 1


@pytest.mark.parametrize("url", [f"nosuch://{SECRET}", f"slack://{SECRET}/B/C", f"discord://{SECRET}"])
def test_an_address_that_is_none_is_named_by_its_place_alone(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    cursor = run_alert(place)[1]
    failed_run(place)
    monkeypatch.setenv("REPORTING_ALERT_URLS", f"json://127.0.0.1:{hook.port}/x {url}")
    said, cursor = run_alert(place, cursor)
    none = "of REPORTING_ALERT_URLS is none that apprise knows"
    assert said == f"told of 1 run; address 2 of 2 {none}"
    assert len(hook.told) == 1
    failed_run(place)
    monkeypatch.setenv("REPORTING_ALERT_URLS", url)
    assert run_alert(place, cursor)[0] == f"{NO_RUN}; an alert could not be delivered: address 1 of 1 {none}"
    assert SECRET not in caplog.text


def test_what_is_longer_than_a_service_takes_comes_in_pieces(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotifyJSON, "body_maxlen", 600)
    monkeypatch.setattr(NotifyJSON, "request_rate_per_sec", 0)
    cursor = check_alert(place)[1]
    checked_run(place, {date(2026, 1, 1) + timedelta(days=number): False for number in range(249)})
    check_alert(place, cursor)
    assert len(hook.told) == 2
    assert all(len(one["message"]) <= 600 for one in hook.told)
    assert "and 220 more" in hook.texts[-1]


def test_what_cannot_be_read_is_told_in_the_tick_and_nothing_is_told_twice_for_it(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_alone(instance: dg.DagsterInstance, run_id: str) -> set[dg.AssetKey]:
        if hook.told:
            raise OSError(SECRET)
        return read(instance, run_id)

    read = alerts.keys_of
    cursor = run_alert(place)[1]
    failed_run(place)
    failed_run(place)
    with monkeypatch.context() as patched:
        patched.setattr(alerts, "keys_of", first_alone)
        said, cursor = run_alert(place, cursor)
    assert said == "told of 1 run; could not read further: OSError; the next tick tries again"
    assert run_alert(place, cursor)[0] == "told of 1 run"
    assert len(hook.told) == 2


def test_runs_that_were_deleted_leave_no_gap(hook: Hook, place: Place) -> None:
    failed_run(place)
    cursor = json.dumps({"after": 5000, "told": {}})
    said, cursor = run_alert(place, cursor)
    assert said == NO_RUN
    failed_run(place)
    assert run_alert(place, cursor)[0] == "told of 1 run"
