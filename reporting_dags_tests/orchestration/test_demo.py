"""Which partitions the UI shows after the demo: those that have landed, also when it runs again on a later day."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
import time_machine
from dotenv import dotenv_values
from rich.console import Console

from reporting_dags import demo, local
from reporting_dags.definitions import definitions
from reporting_dags.demo import Demo
from reporting_dags.model.errors import SettingError
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.registry import SHIPPED, RegisteredProvider, all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place
from reporting_dags_tests.reports.test_registry import AcmeResource

FIRST_DEMO = datetime(2026, 10, 20, 15, tzinfo=UTC)
KEY = dg.AssetKey(["dt_user_level", "revenue"])
DAILY = [report for report in all_reports() if report.partitioned]


@pytest.fixture
def travel() -> Iterator[Callable[[datetime], None]]:
    """Moves the clock, the sandbox's too."""
    with time_machine.travel(FIRST_DEMO, tick=True) as traveller:
        yield traveller.move_to


def shown(place: Place, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[date]]:
    """The days that Dagster offers in the demo's folder, by report."""
    monkeypatch.setenv("REPORTING_START_DATE", dotenv_values(place.home / ".env")["REPORTING_START_DATE"] or "")
    found: dict[str, list[date]] = {}
    for report in (*DAILY, NETWORK):
        partitions = definitions().resolve_assets_def(dg.AssetKey(report.key.split("/"))).partitions_def
        assert partitions is not None
        found[report.key] = [date.fromisoformat(key) for key in partitions.get_partition_keys()]
    monkeypatch.delenv("REPORTING_START_DATE")
    return found


def test_every_partition_that_is_shown_has_landed_or_is_one_that_the_demo_lands(
    travel: Callable[[datetime], None], live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest, newest = REVENUE.calendar.earliest_available(FIRST_DEMO), REVENUE.calendar.latest_available(FIRST_DEMO)
    assert place.run(oldest, newest, KEY).success
    landed = {date.fromisoformat(key) for key in place.materialized(KEY)}
    assert len(landed) == 10
    for later, hour in [(0, 20), *itertools.product((1, 10, 11, 25, 60), (0, 3, 15))]:
        now = (FIRST_DEMO + timedelta(days=later)).replace(hour=hour)
        travel(now)
        run = Demo(place.home, 30, local.emulated_providers(live.url), Console())
        local.start_on(run.first_partition(), place.home)
        offered = shown(place, monkeypatch)
        for report in (*DAILY, NETWORK):
            lands = set(run.window(report).days) | (landed if report is REVENUE else set())
            assert set(offered[report.key]) <= lands, (report.key, now)
            assert offered[report.key][-1] == run.window(report).last, (report.key, now)
        # Days that User Level served between two demos are lost: then only those after them are shown.
        lost = newest + timedelta(days=1) < REVENUE.calendar.earliest_available(now) and later < 30
        assert len(offered["dt_offer_wall/event"]) >= (9 if lost else 30), now


def test_settings_in_the_demo_s_dotenv_stay(place: Place) -> None:
    (place.home / ".env").write_text("REPORTING_PERSONAL_DATA=keep\nREPORTING_START_DATE=2026-06-01\n")
    local.start_on(date(2026, 11, 1), place.home)
    text = (place.home / ".env").read_text()
    assert text == "REPORTING_PERSONAL_DATA=keep\nREPORTING_START_DATE=2026-11-01\n"


@pytest.mark.parametrize("name", ["DT_BASE_URL", "INTEGR8_API_KEY", "REPORTING_LEDGER_URL", "DAGSTER_POSTGRES_URL"])
def test_accounts_and_places_of_the_user_s_do_not_reach_the_demo(
    place: Place, live: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "mine")
    assert local.sandbox_environment(live.url, place.home).get(name) != "mine"
    (place.home / ".env").write_text(f"{name}=mine\n")
    with pytest.raises(SettingError, match=f"sets {name}: demo and UI would not use the sandbox"):
        local.sandbox_environment(live.url, place.home)


def test_a_provider_that_the_sandbox_does_not_emulate_is_left_out_in_one_line(
    place: Place, live: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = RegisteredProvider("acme", AcmeResource, (replace(OFFER_PERFORMANCE, provider="acme"),))
    monkeypatch.setattr(demo, "all_providers", lambda: (*SHIPPED, acme))
    console = Console(record=True, width=120)
    run = Demo(place.home, 30, local.emulated_providers(live.url), console)
    assert console.export_text() == "acme is left out: the sandbox does not emulate it\n"
    assert [report.key for report in run.reports] == [report.key for report in all_reports()]
