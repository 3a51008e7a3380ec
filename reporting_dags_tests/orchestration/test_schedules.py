"""The schedule of a provider requests what is missing or due, when the latest day is published."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
import yaml
from dagster._core.errors import ScheduleExecutionError

from reporting_dags.definitions import definitions
from reporting_dags.orchestration import schedules
from reporting_dags.orchestration.asset_specs import CatalogSettings
from reporting_dags.orchestration.assets import report_asset
from reporting_dags.orchestration.run_requests import REASON
from reporting_dags.orchestration.schedules import provider_schedules
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.providers.mintegral.report import advanced_performance_report
from reporting_dags.reports import mintegral
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import KEY, Place
from reporting_dags_tests.orchestration.ticks import schedule_tick, turn_on


def noon_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12, minutes=5)


@pytest.mark.rule("OW7")
def test_ow7_the_schedule_ticks_at_five_past_noon_utc_and_every_three_hours(live: Sandbox, place: Place) -> None:
    schedule = definitions().resolve_schedule_def("dt_offer_wall_daily")
    assert schedule.cron_schedule == "5 */3 * * *"
    assert schedule.execution_timezone == "UTC"


def test_at_first_every_day_is_asked_for_in_one_run_a_report(live: Sandbox, place: Place) -> None:
    told = schedule_tick(place, datetime(2026, 11, 20, 12, 5, tzinfo=UTC))
    assert told.asked("dt_offer_wall/event") == ["2026-06-01...2026-11-19"]
    assert len({request.run_key for request in told.requests}) == len(told.requests)


def test_hundreds_of_missing_days_are_one_line_of_a_tick(
    live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_START_DATE", "2025-05-24")
    told = schedule_tick(place, datetime(2026, 11, 20, 12, 5, tzinfo=UTC))
    assert told.asked("dt_offer_wall/event") == ["2025-05-24...2026-11-19"]
    assert sorted(told.lines) == [
        f"dt_offer_wall/{name}: 2025-05-24...2026-11-19: missing" for name in ("event", "performance")
    ]
    assert {request.tags[REASON] for request in told.requests} == {"2025-05-24...2026-11-19: missing"}


def test_days_that_failed_are_one_line_of_a_tick_too(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = newest - timedelta(days=20)
    monkeypatch.setenv("REPORTING_START_DATE", first.isoformat())
    turn_on(place)
    live.faults.add("dt.data", do="drop_column", column="Country", times=None)
    for report in ("event", "performance"):
        assert not place.run(first, newest, dg.AssetKey(["dt_offer_wall", report])).success
    told = schedule_tick(place, datetime.now(UTC))
    assert told.requests == []
    assert len(told.lines) == 2
    for line in (*told.lines, *str(told.skipped).split("; ")):
        assert f"{first}...{newest}: missing, failed once: paused until" in line


def test_a_ledger_that_is_locked_fails_the_tick_in_one_line_and_the_scheduler_is_told_to_try_again(
    live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "TICK_LOCK_SECONDS", 0.2)
    with place.locked(), pytest.raises(ScheduleExecutionError) as caught:
        schedule_tick(place, datetime(2026, 11, 20, 12, 5, tzinfo=UTC))
    failure = caught.value.__cause__
    assert isinstance(failure, dg.Failure)
    assert str(failure.description).startswith("dt_offer_wall: the ledger")
    assert "stays locked by another process" in str(failure.description)
    settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text(encoding="utf-8"))
    (home := place.home.parent / "another").mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump({"scheduler": settings["scheduler"]}), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.scheduler is not None
        assert getattr(instance.scheduler, "max_tick_retries", 0) == 5


@pytest.mark.parametrize(
    ("provider", "at", "cron", "wanted"),
    [
        ("dt_user_level", "12:05", "5 */3 * * *", {"revenue": ["2026-11-10...2026-11-19"]}),
        ("mintegral", "01:35", "35 1,4,7,10,13,16,19,22 * * *", {"creative_performance": ["2026-06-01...2026-11-19"]}),
        ("orangeclick", "06:05", "5 */3 * * *", {"earnings": ["2026-06-01...2026-11-19"]}),
        ("integr8", "01:05", "5 1,4,7,10,13,16,19,22 * * *", {"clicks": ["2026-06-01...2026-11-19"], "offers": [""]}),
    ],
)
def test_each_provider_is_asked_when_its_newest_day_is_out_for_every_day_that_it_serves(
    live: Sandbox, place: Place, provider: str, at: str, cron: str, wanted: dict[str, list[str]]
) -> None:
    assert definitions().resolve_schedule_def(f"{provider}_daily").cron_schedule == cron
    told = schedule_tick(place, datetime.fromisoformat(f"2026-11-20T{at}:00Z"), provider)
    for name, days in wanted.items():
        assert told.asked(f"{provider}/{name}") == days


def test_a_snapshot_is_asked_for_once_a_day(live: Sandbox, place: Place) -> None:
    now = datetime.now(UTC)
    for name in ("offers", "publishers", "advertisers"):
        assert schedule_tick(place, now, "integr8").asked(f"integr8/{name}") == [""]
        assert place.snapshot(dg.AssetKey(["integr8", name])).success
        assert schedule_tick(place, now, "integr8").asked(f"integr8/{name}") == []
        assert schedule_tick(place, now + timedelta(days=1), "integr8").asked(f"integr8/{name}") == [""]


def test_what_has_landed_is_not_asked_for_again_but_what_restates_is(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = newest - timedelta(days=4)
    monkeypatch.setenv("REPORTING_START_DATE", first.isoformat())
    for report in ("event", "performance"):
        place.run(first, newest, dg.AssetKey(["dt_offer_wall", report]))
    told = schedule_tick(place, noon_after(newest + timedelta(days=1)))
    fresh = newest + timedelta(days=1)
    assert told.asked("dt_offer_wall/event") == [fresh.isoformat()]
    # Ages 1, 2, 3 and 5 are due again; the day of age 4 comes with the query that serves them all.
    assert told.asked("dt_offer_wall/performance") == [f"{first}...{fresh}"]


def test_when_nothing_is_due_the_tick_says_so(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_START_DATE", newest.isoformat())
    for report in ("event", "performance"):
        assert place.run(newest, key=dg.AssetKey(["dt_offer_wall", report])).success
    told = schedule_tick(place, noon_after(newest))
    assert told.requests == []
    assert "complete" in str(told.skipped)


def test_reports_of_another_time_zone_have_a_schedule_of_their_own() -> None:
    shanghai = advanced_performance_report(name="shanghai", dimensions=("Offer",), timezone="+8")
    schedules = provider_schedules((*mintegral.REPORTS, shanghai), date(2026, 11, 1))
    assert {one.name: one.execution_timezone for one in schedules} == {
        "mintegral_daily": "UTC",
        "mintegral_daily_etc_gmt_8": "Etc/GMT-8",
    }
    first = date(2026, 11, 1)
    assets = [report_asset(report, first, first, CatalogSettings()) for report in (*mintegral.REPORTS, shanghai)]
    loaded = definitions()
    mine = {"home", "reports", "mintegral"}
    resources = {name: one for name, one in (loaded.resources or {}).items() if name in mine}
    dg.Definitions.validate_loadable(dg.Definitions(assets=assets, schedules=schedules, resources=resources))


def test_what_is_lost_first_is_asked_for_first(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = newest - timedelta(days=2)
    monkeypatch.setenv("REPORTING_START_DATE", first.isoformat())
    place.run(first, newest - timedelta(days=1), dg.AssetKey(["dt_offer_wall", "performance"]))
    told = schedule_tick(place, noon_after(newest))
    order = [str((request.asset_selection or [KEY])[0].path[-1]) for request in told.requests]
    assert order == ["event", "performance"], "though performance is declared before it"
