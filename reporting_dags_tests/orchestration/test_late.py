"""The late-data sensor: it lands what is ready, asks again for what is due again, and says what it did and why not."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import cast

import dagster as dg
import pytest
import time_machine

from reporting_dags.jobs.pulling.probe import Probe
from reporting_dags.jobs.records import Failure, ReportState
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.sensors import late_data as late
from reporting_dags.orchestration.sensors import tick
from reporting_dags.orchestration.sensors.tick import Cursor, DeadlineClock
from reporting_dags.orchestration.storage import StorageResource
from reporting_dags.providers.api import Pace, Provider, Rate
from reporting_dags.providers.digital_turbine.resource import OfferWallResource
from reporting_dags.providers.http.errors import Unavailable
from reporting_dags.reports.dt_offer_wall import PERFORMANCE
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.jobs.claiming import claimed, run_of
from reporting_dags_tests.orchestration.conftest import Place
from reporting_dags_tests.orchestration.ticks import Told, performed, schedule_tick, sensor_tick, start_sensor, turn_on
from reporting_dags_tests.truth import expected_rows, landed_rows

TODAY = date(2026, 11, 20)
NEWEST = TODAY - ONE_DAY
OUT = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def now(bare_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    """The machine's time: five past noon, when the latest day is just out, and the only one that can be missing."""
    monkeypatch.setenv("REPORTING_START_DATE", NEWEST.isoformat())
    with time_machine.travel(OUT, tick=True) as traveller:
        yield traveller


@pytest.fixture
def there(now: time_machine.Traveller, live: Sandbox, place: Place) -> Place:
    """A place with the sensor on."""
    turn_on(place)
    return place


def scheduled(place: Place) -> Told:
    """The schedule's tick, and its runs."""
    told = schedule_tick(place, datetime.now(UTC))
    assert all(result.success for result in performed(place, told))
    return told


def landed(place: Place) -> Told:
    """A tick of the sensor, and its runs."""
    told = sensor_tick(place)
    assert all(result.success for result in performed(place, told))
    return told


def said(told: Told) -> str:
    assert told.requests == []
    return told.skipped or ""


def queries(sandbox: Sandbox) -> int:
    return len(sandbox.log.entries("dt.report", status=200))


def verdicts(told: Told, report: str = "event") -> dict[str, bool]:
    """What the standing checks of a report were told to be."""
    checks = [cast("dg.AssetCheckEvaluation", event) for event in told.events]
    return {check.check_name: check.passed for check in checks if check.asset_key.path[-1] == report}


# Late.


@pytest.mark.rule("DT5", "DT6")
def test_what_is_not_ready_is_asked_for_by_the_schedule_and_landed_by_the_sensor(live: Sandbox, there: Place) -> None:
    live.settings.change("dt", fill_polls=3)
    scheduled(there)
    assert there.materialized() == set(), "the run has asked, and has not waited"
    assert queries(live) == 2
    assert "still empty" in said(sensor_tick(there))
    ready = next(told for told in iter(lambda: sensor_tick(there), None) if told.asked("dt_offer_wall/event"))
    assert ready.asked("dt_offer_wall/event") == [NEWEST.isoformat()]
    assert all(result.success for result in performed(there, ready))
    assert there.materialized() == {NEWEST.isoformat()}
    assert queries(live) == 2, "a query a report"


def test_the_run_that_lands_waits_for_nothing(live: Sandbox, there: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    live.settings.change("dt", fill_seconds=600)
    scheduled(there)
    assert "0 minutes after it was requested" in said(sensor_tick(there))
    with time_machine.travel(OUT + timedelta(minutes=11), tick=True):
        landed(there)
        assert float(there.metadata(NEWEST)["seconds_waited"]) < 1


def test_one_request_is_made_for_a_day_that_is_ready_however_often_it_is_seen(live: Sandbox, there: Place) -> None:
    live.settings.change("dt", fill_polls=1)
    scheduled(there)
    first, second = sensor_tick(there), sensor_tick(there)
    assert first.requests
    assert [one.run_key for one in first.requests] == [one.run_key for one in second.requests], "Dagster takes it once"
    performed(there, first)
    assert all(result.success for result in performed(there, second)), "and a run that comes too late does nothing"
    assert queries(live) == 2


def test_a_run_that_was_cancelled_before_it_began_is_asked_for_once_more_in_the_next_hour(
    live: Sandbox, there: Place, now: time_machine.Traveller
) -> None:
    live.settings.change("dt", fill_polls=1)
    scheduled(there)
    first = sensor_tick(there)
    now.shift(HOUR)
    again = sensor_tick(there)
    keys = {one.run_key for one in first.requests} & {one.run_key for one in again.requests}
    assert first.requests
    assert again.requests
    assert not keys


@pytest.mark.rule("DT5")
def test_a_report_that_is_never_filled_is_asked_for_once_more_after_an_hour(
    live: Sandbox, there: Place, now: time_machine.Traveller
) -> None:
    live.faults.add("dt.report", do="never", times=2)
    scheduled(there)
    now.shift(timedelta(minutes=59))
    assert "59 minutes" in said(sensor_tick(there))
    now.shift(timedelta(minutes=2))
    told = landed(there)
    assert told.asked("dt_offer_wall/event") == [NEWEST.isoformat()]
    assert queries(live) == 4
    landed(there)
    assert there.materialized() == {NEWEST.isoformat()}


@pytest.mark.rule("MT7")
def test_a_day_whose_hours_are_not_all_in_is_waited_for(
    live: Sandbox, there: Place, now: time_machine.Traveller
) -> None:
    live.settings.change("mintegral", late_days=(NEWEST.isoformat(),), late_minutes=14 * 60)
    turn_on(there, "mintegral")
    told = schedule_tick(there, OUT, "mintegral")
    assert all(result.success for result in performed(there, told))
    assert "is not complete yet" in said(sensor_tick(there, "mintegral"))
    now.shift(timedelta(hours=2))
    for _ in range(3):
        performed(there, sensor_tick(there, "mintegral"))
    assert there.materialized(dg.AssetKey(["mintegral", "offer_performance"])) == {NEWEST.isoformat()}


def test_without_the_sensor_the_runs_of_the_schedule_wait_themselves(live: Sandbox, place: Place) -> None:
    live.settings.change("dt", fill_polls=3)
    told = schedule_tick(place, datetime.now(UTC))
    assert told.requests[0].run_config["ops"]["dt_offer_wall__performance"]["config"]["wait"] is True


@pytest.mark.parametrize("minutes", [14, 16])
def test_a_sensor_that_has_not_ticked_for_a_quarter_of_an_hour_counts_as_off(
    live: Sandbox, place: Place, now: time_machine.Traveller, minutes: int
) -> None:
    start_sensor(place.instance, "dt_offer_wall_late", ticked=OUT - timedelta(minutes=minutes))
    told = schedule_tick(place, OUT)
    waits = told.requests[0].run_config["ops"]["dt_offer_wall__performance"]["config"]["wait"]
    assert waits is (minutes > 15), "a location that was renamed leaves a sensor that says forever that it runs"


def test_a_ledger_that_is_locked_is_told_in_time_and_the_next_tick_looks_again(
    live: Sandbox, there: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled(there)
    monkeypatch.setattr(late, "TICK_LOCK_SECONDS", 0.2)
    with there.locked():
        assert "stays locked by another process" in said(sensor_tick(there))
    assert "locked" not in str(sensor_tick(there).skipped)


# Due again.


def performance(told: Told) -> list[str]:
    return told.asked("dt_offer_wall/performance")


def request_control_totals(place: Place, now: time_machine.Traveller) -> None:
    """The sensor requests the day's control totals, so that its next ticks submit what is due by age alone."""
    now.shift(2 * HOUR)
    assert performance(sensor_tick(place)) == []


def kept(place: Place, sandbox: Sandbox) -> None:
    """What is stored is what the provider says now."""
    assert landed_rows(place.store, PERFORMANCE, NEWEST) == expected_rows(sandbox, PERFORMANCE, NEWEST)


@pytest.mark.rule("OW7")
def test_a_day_that_is_due_again_rides_along_with_the_schedule_and_the_sensor_leaves_it_alone(
    live: Sandbox, there: Place, now: time_machine.Traveller
) -> None:
    scheduled(there)
    request_control_totals(there, now)
    now.move_to(OUT + timedelta(days=1) - timedelta(minutes=4))
    assert performance(sensor_tick(there)) == [], "it has been due again for a minute: the schedule comes first"
    now.move_to(OUT + timedelta(days=1))
    assert performance(scheduled(there)) == [f"{NEWEST}...{TODAY}"]
    kept(there, live)
    now.shift(2 * HOUR)
    assert performance(sensor_tick(there)) == []


@pytest.mark.rule("OW7")
def test_a_day_that_the_schedule_has_left_is_the_sensors_when_its_turn_has_passed(
    live: Sandbox, there: Place, now: time_machine.Traveller
) -> None:
    scheduled(there)
    request_control_totals(there, now)
    now.move_to(OUT + timedelta(days=1) + timedelta(minutes=50))
    assert performance(sensor_tick(there)) == []
    now.shift(timedelta(minutes=6))
    told = sensor_tick(there)
    assert performance(told) == [NEWEST.isoformat()]
    assert told.requests[0].tags["reporting/why"] == f"{NEWEST}: restatement due at the age of 1 day"
    assert all(result.success for result in performed(there, told))
    kept(there, live)


def five_days_before(place: Place, now: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> date:
    """Five days of `performance` landed a day ago: the first is returned, and is due again; the one after it is not."""
    first = NEWEST - 4 * ONE_DAY
    monkeypatch.setenv("REPORTING_START_DATE", first.isoformat())
    assert place.run(first, NEWEST, key_of(PERFORMANCE)).success
    now.shift(ONE_DAY)
    return first


@pytest.mark.rule("OW7")
def test_days_between_those_that_are_asked_for_are_not_bought_twice(
    live: Sandbox, there: Place, now: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = five_days_before(there, now, monkeypatch)
    before = queries(live)
    # The first is due again at the age of five days; the one after it, four days old, has changed as well.
    assert performance(scheduled(there)) == [f"{first}...{TODAY}"]
    assert queries(live) - before == 2, "one for each report"
    for day in Window(first, TODAY).days:
        assert landed_rows(there.store, PERFORMANCE, day) == expected_rows(live, PERFORMANCE, day), day


@pytest.mark.rule("OW7")
def test_a_run_over_a_day_that_would_only_come_along_holds_up_none_that_is_wanted(
    live: Sandbox, there: Place, now: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = five_days_before(there, now, monkeypatch)
    with StorageResource().open(there.instance) as opened:
        claimed(opened.ledger, run_of(opened.ledger, report=PERFORMANCE.key), [first + ONE_DAY])
        assert performance(scheduled(there)) == [f"{first}...{TODAY}"]
    assert TODAY.isoformat() in there.materialized(key_of(PERFORMANCE))


@pytest.mark.rule("OW7")
def test_a_total_that_has_changed_between_the_ages_is_found_by_one_query_and_that_day_alone_is_pulled(
    live: Sandbox, there: Place, now: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_START_DATE", (NEWEST - 3 * ONE_DAY).isoformat())
    scheduled(there)
    now.move_to(OUT + 2 * HOUR)
    live.settings.change("dt", restate_days=0)
    before = queries(live)
    sensor_tick(there)
    told = sensor_tick(there)
    assert queries(live) - before == 2, "one for each report"
    # What was complete at once had been seen in part: every day of `performance` has changed, and none of `event`.
    assert performance(told) == [f"{NEWEST - 3 * ONE_DAY}...{NEWEST}"]
    assert told.asked("dt_offer_wall/event") == []
    days = f"{NEWEST - 3 * ONE_DAY}...{NEWEST}"
    why = told.requests[0].tags["reporting/why"]
    assert why.startswith(f"{days}: changed: {NEWEST - 3 * ONE_DAY} landed ")
    assert why.endswith(" and 3 more days")
    assert f"{PERFORMANCE.key}: {why}" in told.lines
    assert all(result.success for result in performed(there, told))
    kept(there, live)
    assert sensor_tick(there).requests == []
    now.shift(3 * HOUR)
    assert sensor_tick(there).requests == [], "once a day"


# Out of quota, provider down, out of range.


@pytest.mark.rule("OW4")
def test_when_the_quota_is_spent_the_tick_says_so_and_nothing_is_asked(
    live: Sandbox, there: Place, now: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled(there)
    now.move_to(OUT + 2 * HOUR)
    there.spend("dt_offer_wall queries", 48)
    before = queries(live)
    told = said(sensor_tick(there))
    assert "the quota of 50 dt_offer_wall queries a day is spent" in told
    assert queries(live) == before


def test_a_provider_that_is_down_is_named_and_the_next_tick_looks_again(live: Sandbox, there: Place) -> None:
    live.settings.change("dt", fill_polls=1)
    scheduled(there)
    live.faults.add("dt.file", do="status", status=503, times=None)
    assert "503" in said(sensor_tick(there))
    live.faults.clear()
    sensor_tick(there)
    landed(there)
    assert there.materialized() == {NEWEST.isoformat()}


def test_a_control_that_fails_again_and_again_is_left_alone_for_longer_each_time(
    live: Sandbox, there: Place, now: time_machine.Traveller
) -> None:
    scheduled(there)
    landed(there)
    live.faults.add("dt.file", do="status", status=200, body=b"Nothing,of,ours\n1,2,3\n", times=None)
    now.move_to(OUT + 2 * HOUR)
    asked: list[int] = []
    for _ in range(4):
        before = queries(live)
        for _ in range(3):
            sensor_tick(there)
        asked.append(queries(live) - before)
        now.shift(3 * HOUR)
    assert asked == [2, 2, 0, 2], "one for each of two reports: at once, after 2:45 h and after 5:30 h"


def test_no_call_begins_when_a_tick_has_no_time_left() -> None:
    calls: list[Rate] = []
    rate = Rate(bucket="pages", account="account", per_minute=60)
    clock = DeadlineClock(SystemClock(), datetime.now(UTC) + HOUR)
    clock.limit_waits(calls.append)(rate)
    spent = DeadlineClock(SystemClock(), datetime.now(UTC) - HOUR)
    with pytest.raises(Unavailable, match="no time left in this tick"):
        spent.limit_waits(calls.append)(rate)
    assert calls == [rate]


def test_where_time_ran_out_the_next_tick_begins(live: Sandbox, there: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    order = ["dt_offer_wall/performance", "dt_offer_wall/event"]
    left: list[bool] = []
    monkeypatch.setattr(DeadlineClock, "out_of_time", property(lambda _: left.pop(0) if left else True))
    cursor, begun = None, list[str]()
    for _ in range(3):
        left[:] = [False]
        told = sensor_tick(there, cursor=cursor)
        cursor = told.cursor
        (line,) = (line for line in told.lines if line.startswith("time ran out before"))
        begun.append(line.removeprefix("time ran out before ").partition(":")[0])
    assert begun == [order[1], order[0], order[1]], "each report had its turn"
    monkeypatch.undo()
    assert Cursor.read(cursor).next == order[1]


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(next="mintegral/offer_performance", checks={"event": {"n": "12ab34"}}, since=12, lines=["ab12cd"])
    assert Cursor.read(cursor.text) == cursor
    assert Cursor.read(None) == Cursor.read("no cursor of ours") == Cursor()


@pytest.mark.rule("OW7")
def test_a_control_that_is_taken_in_is_seen_by_the_same_tick(
    live: Sandbox, there: Place, now: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_START_DATE", (NEWEST - 3 * ONE_DAY).isoformat())
    scheduled(there)
    for _ in range(3):
        landed(there)
    now.move_to(OUT + 2 * HOUR)
    live.settings.change("dt", restate_days=0)
    told = sensor_tick(there)
    assert f"{PERFORMANCE.key}_control: has the totals of 4 days" in told.lines
    assert performance(told) == [f"{NEWEST - 3 * ONE_DAY}...{NEWEST}"]


def test_a_tick_ends_long_before_dagster_ends_it() -> None:
    assert timedelta(seconds=22) == late.BUDGET
    assert late.CALL_SECONDS == 10.0
    # The lock of the ledger, the budget, and a last call that begins within it: its response, then its body.
    assert late.TICK_LOCK_SECONDS + late.BUDGET.total_seconds() + 2 * late.CALL_SECONDS < 60


def test_a_provider_that_stalls_is_left_after_the_time_of_a_call_and_none_begins_after_the_budget(
    live: Sandbox, there: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.settings.change("dt", fill_polls=1)
    scheduled(there)
    clocks: list[DeadlineClock] = []
    client = OfferWallResource.client

    def watched(resource: OfferWallResource, clock: DeadlineClock, pace: Pace) -> Provider:
        seconds = {resource.answer_seconds, resource.silence_seconds, resource.file_seconds}
        assert seconds == {late.CALL_SECONDS}
        clocks.append(clock)
        return client(resource, clock, pace)

    monkeypatch.setattr(OfferWallResource, "client", watched)
    monkeypatch.setattr(late, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(late, "BUDGET", timedelta(seconds=4))
    live.faults.add("dt.file", do="stall", seconds=60.0, times=None)
    before = time.monotonic()
    assert "dt_offer_wall" in said(sensor_tick(there))
    assert time.monotonic() - before < 20
    (clock,) = clocks
    with pytest.raises(Unavailable):
        clock.sleep(4.5)


@pytest.mark.rule("UL3")
def test_an_app_that_is_refused_in_the_moment_in_which_others_are_asked_for_counts_as_refused_since(
    live: Sandbox, place: Place, now: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_at = OUT
    one = Probe(
        window=Window(NEWEST, NEWEST),
        days=(NEWEST,),
        requested_at=asked_at,
        should_run=True,
        message="ready",
        run_key_part="t",
    )
    at: list[datetime] = []

    def look(*_: object, **__: object) -> Iterator[Probe]:
        yield one

    def known(*_: object) -> ReportState:
        return ReportState(landed={}, in_flight=(), failures={NEWEST: [Failure(moment) for moment in at]}, control={})

    monkeypatch.setattr(tick, "probe", look)
    monkeypatch.setattr(tick, "load_report_state", known)
    for moment, waits in ((asked_at - timedelta.resolution, False), (asked_at, True)):
        at[:] = [moment]
        told = sensor_tick(place, "dt_user_level")
        assert any("but for a part that has failed: paused until" in line for line in told.lines) is waits
        assert told.asked("dt_user_level/revenue") == ([] if waits else [NEWEST.isoformat()])


def test_a_provider_without_credentials_is_named_and_the_standing_checks_are_told_all_the_same(
    live: Sandbox, there: Place, now: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DT_CLIENT_SECRET")
    now.shift(HOUR)
    told = sensor_tick(there)
    assert "DT_CLIENT_SECRET is not set" in said(told)
    assert verdicts(told)["newest_day"] is False


def test_nothing_is_expected_of_a_provider_that_never_had_an_account(
    live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DT_CLIENT_ID", "DT_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    reason = "dt_offer_wall has no account, so nothing is requested: DT_CLIENT_ID, DT_CLIENT_SECRET not set"
    told = sensor_tick(place)
    assert (told.requests, told.events, told.skipped) == ([], [], reason)
    told = schedule_tick(place, datetime.now(UTC))
    assert (told.requests, told.skipped) == ([], reason)


def test_an_account_whose_settings_were_lost_is_not_passed_over(
    live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.run(NEWEST)
    for name in ("DT_CLIENT_ID", "DT_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    told = sensor_tick(place)
    assert "DT_CLIENT_ID is not set" in said(told)
    assert verdicts(told)["no_day_missing"] is False
    assert schedule_tick(place, datetime.now(UTC)).asked("dt_offer_wall/event")


def test_days_that_are_no_partitions_any_more_spoil_no_tick(
    live: Sandbox, there: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.settings.change("dt", fill_polls=1)
    scheduled(there)
    monkeypatch.setenv("REPORTING_START_DATE", TODAY.isoformat())
    for _ in range(3):
        assert sensor_tick(there).requests == []


# How the reports stand.


def test_a_missing_yesterday_is_red_within_an_hour_and_green_when_it_has_landed(
    live: Sandbox, there: Place, now: time_machine.Traveller
) -> None:
    scheduled(there)
    place_day = NEWEST + ONE_DAY
    now.move_to(OUT + ONE_DAY - timedelta(minutes=5) + timedelta(minutes=44))
    assert verdicts(sensor_tick(there))["newest_day"] is True
    now.shift(timedelta(minutes=2))
    told = sensor_tick(there)
    assert verdicts(told)["newest_day"] is False
    (check,) = (one for one in told.events if getattr(one, "check_name", "") == "newest_day" and "event" in str(one))
    assert f"--partition {place_day}" in str(getattr(check, "description", ""))
    scheduled(there)
    assert verdicts(sensor_tick(there))["newest_day"] is True


def test_what_has_been_told_is_not_told_again_for_hours(
    live: Sandbox, there: Place, now: time_machine.Traveller
) -> None:
    first = sensor_tick(there)
    assert set(verdicts(first)) == {
        "newest_day",
        "no_day_missing",
        "no_day_failed",
        "no_day_in_danger",
        "control_totals",
    }
    assert verdicts(sensor_tick(there, cursor=first.cursor)) == {}
    now.shift(timedelta(minutes=1))
    assert sensor_tick(there, cursor="no cursor of ours").events
