"""Alerts: off until configured; then each cause is sent once, with what to do, and nothing that ends by itself."""

import json
from collections.abc import Generator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
import time_machine
from apprise.plugins.custom_json import NotifyJSON

from reporting_dags.jobs.planning.report_health import NEEDS_ACTION
from reporting_dags.landing.checks.partition import CheckResult
from reporting_dags.model.days import SNAPSHOT, ranges
from reporting_dags.orchestration.asset_checks import ENTITIES, GONE, VOLUME
from reporting_dags.orchestration.event_log import record_checks
from reporting_dags.orchestration.run_requests import RANGE_END, RANGE_START
from reporting_dags.orchestration.sensors import alerts, failure_events
from reporting_dags.orchestration.sensors.alerts import Alerts
from reporting_dags.orchestration.sensors.failure_events import Severity
from reporting_dags.orchestration.sensors.incidents import AlertCursor
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import KEY, Place
from reporting_dags_tests.orchestration.ticks import loaded_now, schedule_ticked, start_schedule
from reporting_dags_tests.webhook import Hook, listening

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
TODAY = NOW.date()
NEWEST = TODAY - timedelta(days=1)
SECRET = "hush-hush-token"
UI = "https://dagster.example.com"
NOTHING = "no new problem"
ONE = "sent 1 alert"


@pytest.fixture
def hook(live: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Generator[Hook]:
    with listening() as found:
        monkeypatch.setenv("REPORTING_ALERT_URLS", f"json://127.0.0.1:{found.port}/{SECRET}")
        monkeypatch.setenv("REPORTING_UI_URL", UI + "/")
        monkeypatch.setenv("REPORTING_START_DATE", NEWEST.isoformat())
        with time_machine.travel(NOW, tick=True):
            yield found


def failed_run(place: Place, day: date = TODAY) -> dg.ExecuteInProcessResult:
    result = place.run(day)
    assert not result.success
    return result


def checked_run(
    place: Place, days: Mapping[date, bool], *checks: str, needs_action: bool = True, gone: str = ""
) -> None:
    """A run of the report in which `checks` passed, or did not, on each of `days`; `gone` are the lost entities."""

    @dg.asset(key=KEY, output_required=False)
    def event(context: dg.AssetExecutionContext) -> Generator[Any]:
        for day, passed in days.items():
            facts: dict[str, int | float | str] = {} if needs_action else {NEEDS_ACTION: False}
            facts |= {GONE: gone} if gone else {}
            found = [
                CheckResult(name=name, passed=passed, detail=f"{name} of {day}", facts=facts)
                for name in checks or (ENTITIES,)
            ]
            record_checks(context, EVENT, day, found)
        yield from ()

    dg.materialize([event], instance=place.instance)


def report_check(place: Place, name: str, *days: date, needs_action: bool = True, **facts: Any) -> None:
    """A result of a check of the report as a whole; `days` are those that it finds wanting."""
    place.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=facts.pop("key", KEY),
            check_name=name,
            passed=not days,
            description=f"{name}: {facts.pop('text', ranges(days))}",
            metadata={"count": len(days), "days": ranges(days), NEEDS_ACTION: needs_action},
        )
    )


def alert(place: Place, cursor: str | None = None) -> tuple[str, str | None]:
    """The sensor, as the daemon evaluates it: what it says, and its cursor."""
    context = dg.build_sensor_context(
        instance=place.instance,
        cursor=cursor,
        repository_def=loaded_now().get_repository_def(),
        resources={"alerts": Alerts()},
    )
    with context:
        result = loaded_now().resolve_sensor_def("alerts").evaluate_tick(context)
    return result.skip_message or "", result.cursor


def on(*numbers: int) -> tuple[date, ...]:
    """Days of November."""
    return tuple(date(2026, 11, number) for number in numbers)


def test_a_failed_run_is_sent_once_with_report_day_cause_fix_and_link(hook: Hook, place: Place) -> None:
    failed_run(place)
    assert alert(place)[0] == NOTHING, "what failed before alerts were on is not new"
    cursor = alert(place)[1]
    result = failed_run(place)
    said, cursor = alert(place, cursor)
    assert said == ONE
    (text,) = hook.texts
    assert text.startswith("dt_offer_wall/event 2026-11-20: failed\n")
    assert "not ready: not published yet: the provider publishes it on 2026-11-21 at 12:00 UTC. Request it then" in text
    assert f"{UI}/runs/{result.run_id}" in text
    assert hook.received[0]["type"] == "failure"
    assert alert(place, cursor)[0] == NOTHING
    failed_run(place)
    assert alert(place, cursor)[0] == NOTHING, "the same day fails once more"


def test_a_run_over_a_range_that_was_killed_is_sent_with_its_range_unless_it_is_started_again(
    hook: Hook, place: Place
) -> None:
    cursor = alert(place)[1]
    job = dg.Definitions.resolve_implicit_global_asset_job_def(loaded_now())
    for tags in ({"dagster/will_retry": "true"}, {}):
        tags |= {RANGE_START: "2026-11-18", RANGE_END: "2026-11-19"}
        run = place.instance.create_run_for_job(job, asset_selection=frozenset({KEY}), tags=tags)
        place.instance.report_run_failed(run, message="its worker was killed")
    assert alert(place, cursor)[0] == ONE
    (text,) = hook.texts
    assert text.startswith("dt_offer_wall/event 2026-11-18...2026-11-19: failed\ndt_offer_wall/event 2026-11-18")
    assert "its worker was killed" in text


def test_what_the_clock_cures_is_not_sent(hook: Hook, place: Place) -> None:
    cursor = alert(place)[1]
    assert place.run(NEWEST).success
    place.spend("dt_offer_wall queries", 50)
    failed_run(place, NEWEST - timedelta(days=1))
    checked_run(place, dict.fromkeys(on(17), False), VOLUME, ENTITIES, needs_action=False)
    report_check(place, "no_day_missing", *on(17), needs_action=False)
    assert alert(place, cursor)[0] == NOTHING
    assert hook.texts == []


def test_a_check_of_a_report_is_sent_with_its_fix_and_link_and_again_when_it_fails_anew(
    hook: Hook, place: Place
) -> None:
    report_check(place, "no_day_in_danger", *on(12), text="lost tomorrow. Fix: materialize it")
    said, cursor = alert(place)
    assert said == ONE
    (text,) = hook.texts
    assert text.startswith("dt_offer_wall/event 2026-11-12: failed\n")
    assert "Fix: materialize it" in text
    assert f"{UI}/assets/dt_offer_wall/event?view=checks&checkDetail=no_day_in_danger" in text
    report_check(place, "no_day_in_danger", *on(12), text="in other words")
    said, cursor = alert(place, cursor)
    assert said == NOTHING, "a change of wording is nothing new"
    assert alert(place, "a cursor of another release")[0] == ONE, "sent again if it is forgotten"


def test_fewer_days_are_nothing_new_and_other_days_are(hook: Hook, place: Place) -> None:
    report_check(place, "no_day_missing", *on(1, 2, 3))
    cursor = alert(place)[1]
    for fewer in ((2, 3), (3,)):
        report_check(place, "no_day_missing", *on(*fewer))
        said, cursor = alert(place, cursor)
        assert said == NOTHING
    report_check(place, "no_day_missing", *on(3, 5))
    said, cursor = alert(place, cursor)
    assert said == ONE
    for name in ("newest_day", "no_day_missing", "no_day_failed"):
        report_check(place, name)
    said, cursor = alert(place, cursor)
    report_check(place, "no_day_missing", *on(3))
    assert alert(place, cursor)[0] == ONE, "it had landed in between"
    assert len(hook.received) == 3


def test_one_failed_day_is_one_message_whatever_finds_it(hook: Hook, place: Place) -> None:
    cursor = alert(place)[1]
    day = TODAY
    failed_run(place)
    said, cursor = alert(place, cursor)
    assert said == ONE
    for name in ("newest_day", "no_day_missing", "no_day_failed"):
        report_check(place, name, day)
        said, cursor = alert(place, cursor)
        assert said == NOTHING
    checked_run(place, {day: False}, "grain_unique")
    assert alert(place, cursor)[0] == NOTHING
    assert len(hook.received) == 1


def test_several_reports_of_one_cause_are_one_message(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = alert(place)[1]
    monkeypatch.setenv("DT_CLIENT_SECRET", "wrong")
    performance = dg.AssetKey(["dt_offer_wall", "performance"])
    day = NEWEST
    assert not place.run(day).success
    assert not place.run(day, key=performance).success
    said, cursor = alert(place, cursor)
    assert said == ONE
    (text,) = hook.texts
    assert text.startswith(f"dt_offer_wall: failed, 2 reports {day}\n")
    assert "dt_offer_wall/event " in text
    assert "dt_offer_wall/performance " in text
    # Another report, and another day, of what is known to be out of order.
    assert not place.run(day - timedelta(days=1), key=performance).success
    for key in (KEY, performance):
        report_check(place, "newest_day", day, key=key)
    said, cursor = alert(place, cursor)
    assert said == NOTHING
    monkeypatch.undo()


def test_what_a_later_run_of_the_same_tick_has_landed_is_not_sent(hook: Hook, live: Sandbox, place: Place) -> None:
    cursor = alert(place)[1]
    day = NEWEST
    live.faults.add("dt.data", do="duplicate_row", source="event", day=day)
    failed_run(place, day)
    live.faults.clear()
    assert place.run(day).success
    assert alert(place, cursor)[0] == NOTHING


def test_warnings_of_a_day_are_one_message_and_a_failure_after_them_is_another(hook: Hook, place: Place) -> None:
    cursor = alert(place)[1]
    (day,) = on(17)
    checked_run(place, {day: False}, VOLUME, ENTITIES)
    said, cursor = alert(place, cursor)
    assert said == ONE
    (text,) = hook.texts
    assert text.startswith("dt_offer_wall/event 2026-11-17: warning\n")
    assert "dt_offer_wall/event volume 2026-11-17: volume of 2026-11-17" in text
    assert "dt_offer_wall/event entities 2026-11-17: entities of 2026-11-17" in text
    assert hook.received[0]["type"] == "warning"
    report_check(place, "no_day_failed", day)
    assert alert(place, cursor)[0] == ONE
    assert hook.received[1]["type"] == "failure"


def test_of_a_long_backfill_the_days_that_warn_are_one_short_message(hook: Hook, place: Place) -> None:
    cursor = alert(place)[1]
    checked_run(place, {date(2026, 1, 1) + timedelta(days=number): False for number in range(249)})
    said, cursor = alert(place, cursor)
    assert said == ONE
    (text,) = hook.texts
    assert text.startswith("dt_offer_wall/event 2026-01-01...2026-09-06: warning")
    assert "2026-01-01: entities of 2026-01-01" in text
    assert " more\n" in text
    assert len(text) < 1100, "what is longer comes in pieces at Teams or PagerDuty, seconds apart"
    assert alert(place, cursor)[0] == NOTHING
    assert len(str(cursor)) < 300


def test_of_more_runs_than_a_page_holds_each_is_sent_in_order(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_events, "_PAGE", 2)
    cursor = alert(place)[1]
    for day in on(1, 2, 3, 4, 5):
        checked_run(place, {day: False})
    said = ""
    for _ in range(6):
        said, cursor = alert(place, cursor)
    assert said == NOTHING
    told = "\n".join(hook.texts)
    places = [told.index(f"entities {day}: ") for day in on(1, 2, 3, 4, 5)]
    assert places == sorted(places)


def test_nothing_is_sent_until_an_address_is_given(hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = alert(place)[1]
    with monkeypatch.context() as patched:
        patched.delenv("REPORTING_ALERT_URLS")
        failed_run(place)
        said, cursor = alert(place, cursor)
        assert said == "alerts are off: REPORTING_ALERT_URLS is not set"
    assert hook.received == []
    assert alert(place, cursor)[0] == NOTHING


def test_reports_wait_for_the_first_tick_of_a_schedule_that_is_on(hook: Hook, place: Place) -> None:
    report_check(place, "no_day_missing", *on(17))
    start_schedule(place.instance, "dt_offer_wall_daily")
    said, cursor = alert(place)
    assert said == NOTHING
    schedule_ticked(place.instance, "dt_offer_wall_daily")
    assert alert(place, cursor)[0] == ONE


def test_an_alert_that_was_not_taken_is_sent_when_it_is(
    hook: Hook, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    cursor = alert(place)[1]
    hook.status = 500
    failed_run(place)
    report_check(place, "no_day_in_danger", *on(12))
    said, cursor = alert(place, cursor)
    refused = "an alert could not be delivered: address 1 of 1 of REPORTING_ALERT_URLS refused"
    assert said == f"{NOTHING}; {refused}"
    hook.status = 200
    said, cursor = alert(place, cursor)
    assert said == "sent 2 alerts"
    assert alert(place, cursor)[0] == NOTHING
    assert SECRET not in caplog.text


def test_runs_that_failed_while_a_tick_had_no_time_left_are_sent_by_the_next(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = alert(place)[1]
    failed_run(place)
    with monkeypatch.context() as patched:
        patched.setattr(alerts, "_BUDGET_SECONDS", 0.0)
        said, cursor = alert(place, cursor)
    assert said == f"{NOTHING}; no time was left in this tick: the next tick continues"
    assert alert(place, cursor)[0] == ONE


def test_an_address_that_refuses_keeps_nothing_from_the_others_and_nothing_is_sent_twice(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as dead:
        dead.status = 500
        urls = f"json://127.0.0.1:{dead.port}/x json://127.0.0.1:{hook.port}/y"
        monkeypatch.setenv("REPORTING_ALERT_URLS", urls)
        report_check(place, "no_day_missing", *on(17))
        said, cursor = alert(place)
        assert len(hook.received) == 1
        assert said == f"{ONE}; address 1 of 2 of REPORTING_ALERT_URLS refused"
        alert(place, cursor)
        assert len(hook.received) == 1


@pytest.mark.parametrize("url", [f"nosuch://{SECRET}", f"slack://{SECRET}/B/C", f"discord://{SECRET}"])
def test_an_address_that_is_none_is_named_by_its_place_alone(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    cursor = alert(place)[1]
    failed_run(place)
    monkeypatch.setenv("REPORTING_ALERT_URLS", f"json://127.0.0.1:{hook.port}/x {url}")
    said, cursor = alert(place, cursor)
    none = "of REPORTING_ALERT_URLS is not an address that apprise knows"
    assert said == f"{ONE}; address 2 of 2 {none}"
    assert len(hook.received) == 1
    report_check(place, "no_day_missing", *on(17))
    monkeypatch.setenv("REPORTING_ALERT_URLS", url)
    assert alert(place, cursor)[0] == f"{NOTHING}; an alert could not be delivered: address 1 of 1 {none}"
    assert SECRET not in caplog.text


def test_what_is_longer_than_a_service_takes_comes_in_pieces(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotifyJSON, "body_maxlen", 600)
    monkeypatch.setattr(NotifyJSON, "request_rate_per_sec", 0)
    cursor = alert(place)[1]
    checked_run(place, {date(2026, 1, 1) + timedelta(days=number): False for number in range(249)})
    alert(place, cursor)
    assert len(hook.received) == 2
    assert all(len(one["message"]) <= 600 for one in hook.received)
    assert " more" in hook.texts[-1]


def test_what_cannot_be_read_is_said_in_the_tick_and_read_by_the_next(
    hook: Hook, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(SECRET)

    cursor = alert(place)[1]
    failed_run(place)
    with monkeypatch.context() as patched:
        patched.setattr(alerts, "report_problems", broken)
        said, cursor = alert(place, cursor)
    assert said == f"{ONE}; could not read further: OSError; the next tick tries again"
    assert alert(place, cursor)[0] == NOTHING


def test_runs_that_were_deleted_leave_no_gap(hook: Hook, place: Place) -> None:
    failed_run(place)
    cursor = json.dumps({"after": 5000, "days": {}, "causes": {}})
    said, cursor = alert(place, cursor)
    assert said == NOTHING
    failed_run(place)
    assert alert(place, cursor)[0] == ONE


def test_a_cursor_is_read_as_it_was_written() -> None:
    days = {"dt_offer_wall/event": {Severity.FAILURE: set(on(1, 2, 5)), Severity.WARNING: {SNAPSHOT}}}
    cursor = AlertCursor(after=7, days=days, causes={"mintegral denied": 12})
    assert AlertCursor.read(cursor.text) == cursor
    assert AlertCursor.read(None) is AlertCursor.read("{}") is AlertCursor.read('{"after":1,"told":{}}') is None


def test_what_is_gone_on_many_days_is_one_alert_whichever_run_finds_it(place: Place, hook: Hook) -> None:
    cursor = alert(place)[1]
    first, second, third = (NEWEST - timedelta(days=n) for n in range(3))
    checked_run(place, {first: False}, gone="a.example, b.example")
    said, cursor = alert(place, cursor)
    assert said == ONE
    checked_run(place, {second: False, third: False}, gone="a.example, b.example")
    said, cursor = alert(place, cursor)
    assert said == NOTHING
    checked_run(place, {second: False}, gone="c.example")
    assert alert(place, cursor)[0] == NOTHING, "the day was told of"
    checked_run(place, {second - timedelta(days=3): False}, gone="c.example")
    assert alert(place, cursor)[0] == ONE


def test_a_problem_without_days_that_lasts_is_sent_once_a_day(place: Place, hook: Hook) -> None:
    cursor = alert(place)[1]
    report_check(place, "control_totals", NEWEST)
    event = dg.AssetCheckEvaluation(
        asset_key=KEY,
        check_name="control_totals",
        passed=False,
        description="differs",
        metadata={NEEDS_ACTION: True},
    )
    place.instance.report_runless_asset_event(event)
    sent: list[float] = []
    with time_machine.travel(NOW, tick=True) as traveller:
        for hours in (0, 1, 12, 25, 25.1, 26, 40, 51, 52):
            traveller.move_to(NOW + timedelta(hours=hours))
            said, cursor = alert(place, cursor)
            sent += [hours] if said == ONE else []
    assert sent == [0, 25, 51]
