"""Schedule and late-data sensor of every provider: ready, late, restated, away, out of quota, out of range."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
import time_machine

from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.report import Report
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.storage import StorageResource, with_settings
from reporting_dags.reports.dt_offer_wall import PERFORMANCE
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import CLICKS, CONVERSIONS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place
from reporting_dags_tests.orchestration.ticks import Told, performed, schedule_tick, sensor_tick, turn_on
from reporting_dags_tests.truth import expected_rows, landed_rows

TODAY = date(2026, 11, 20)
NEWEST = TODAY - ONE_DAY
NOW = datetime(2026, 11, 20, 13, 50, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Case:
    """A provider's report, and what the sandbox calls its provider.

    Attributes:
        report: which.
        sandbox: its provider's name there.
        late: what makes its report take an hour.
        restates: what makes a day another one from now on, where time alone does not.
        point: where it is requested.
    """

    report: Report
    sandbox: str
    point: str
    late: dict[str, Any] = field(default_factory=dict[str, Any])
    restates: dict[str, Any] = field(default_factory=dict[str, Any])


OFFER_WALL = Case(PERFORMANCE, "dt", "dt.report", {"fill_seconds": 3000.0})
USER_LEVEL = Case(REVENUE, "dt", "dt.user_level", {"fill_seconds": 3000.0})
MINTEGRAL = Case(OFFER_PERFORMANCE, "mintegral", "mintegral.generate", {"fill_seconds": 3000.0}, {"restate_days": 5})
ORANGECLICK = Case(EARNINGS, "orangeclick", "orangeclick.generate", {}, {"restate_days": 5})
INTEGR8 = Case(CONVERSIONS, "integr8", "integr8.export", {"fill_seconds": 3000.0})
CASES = (OFFER_WALL, USER_LEVEL, MINTEGRAL, ORANGECLICK, INTEGR8)
every_provider = pytest.mark.parametrize("case", CASES, ids=[case.report.provider for case in CASES])
jobs = pytest.mark.parametrize(
    "case", [case for case in CASES if case.late], ids=[case.report.provider for case in CASES if case.late]
)


@pytest.fixture
def now(bare_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    monkeypatch.setenv("REPORTING_START_DATE", NEWEST.isoformat())
    with time_machine.travel(NOW, tick=True) as traveller:
        yield traveller


@dataclass
class Deployed:
    """A place whose provider's schedule and sensor are on; `asked` holds what either has requested, by who."""

    place: Place
    case: Case
    now: time_machine.Traveller
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    failed: list[dg.ExecuteInProcessResult] = field(default_factory=list[dg.ExecuteInProcessResult])

    def schedule(self) -> Told:
        """A tick of the schedule, and its runs of the report."""
        return self._performed("schedule", schedule_tick(self.place, datetime.now(UTC), self.case.report.provider))

    def sensor(self) -> Told:
        """A tick of the sensor, and its runs of the report."""
        return self._performed("sensor", sensor_tick(self.place, self.case.report.provider))

    def until_quiet(self) -> list[str]:
        """Ticks of the sensor, ten minutes apart, until three of them request nothing; the days they requested."""
        found: list[str] = []
        quiet = 0
        while quiet < 3:
            days = self.sensor().asked(self.case.report.key)
            found += days
            quiet = 0 if days else quiet + 1
            self.now.shift(timedelta(minutes=10))
        return found

    def right(self, sandbox: Sandbox, day: date) -> bool:
        """Whether the day is stored as the provider has it now."""
        report = with_settings(self.case.report)
        if not self.place.store.exists(report.file(day)):
            return False
        return landed_rows(self.place.store, report, day) == expected_rows(sandbox, report, day)

    def history(self) -> list[MaterializationRecord]:
        """Every landing of the report that the ledger remembers."""
        with StorageResource().open(self.place.instance) as opened:
            return opened.ledger.materializations.history(self.case.report.key)

    def _performed(self, who: str, told: Told) -> Told:
        key = key_of(self.case.report)
        mine = [request for request in told.requests if list(request.asset_selection or ()) == [key]]
        self.asked += [(who, days) for days in told.asked(self.case.report.key)]
        only = Told(requests=mine, skipped=told.skipped, events=told.events)
        self.failed += [result for result in performed(self.place, only) if not result.success]
        return only


@pytest.fixture
def deployed(case: Case, now: time_machine.Traveller, live: Sandbox, place: Place) -> Deployed:
    turn_on(place, case.report.provider)
    live.settings.change(case.sandbox, empty_day_one_in=0)
    return Deployed(place, case, now)


@every_provider
def test_the_schedule_asks_for_a_day_that_is_out_and_it_lands_without_a_run_that_waits(
    live: Sandbox, deployed: Deployed
) -> None:
    assert deployed.schedule().asked(deployed.case.report.key) == [NEWEST.isoformat()]
    deployed.until_quiet()
    assert deployed.right(live, NEWEST)
    assert deployed.failed == []
    waited = deployed.place.metadata(NEWEST, key_of(deployed.case.report))["seconds_waited"]
    assert float(waited) == 0


@jobs
def test_a_late_report_is_asked_for_once_and_lands_when_it_is_ready(live: Sandbox, deployed: Deployed) -> None:
    live.settings.change(deployed.case.sandbox, **deployed.case.late)
    deployed.schedule()
    told = deployed.sensor()
    assert told.requests == []
    assert f"{deployed.case.report.key} {NEWEST}" in str(told.skipped), "the tick says how far it is"
    assert deployed.place.materialized(key_of(deployed.case.report)) == set()
    asked = submits(live, deployed.case)
    deployed.now.shift(HOUR)
    assert deployed.schedule().asked(deployed.case.report.key) == [], "it is the sensor's now"
    assert NEWEST.isoformat() in deployed.sensor().asked(deployed.case.report.key)
    assert deployed.right(live, NEWEST)
    assert submits(live, deployed.case) == asked, "never requested twice"


@pytest.mark.rule("OC7")
@pytest.mark.parametrize("case", [ORANGECLICK])
def test_a_day_that_was_answered_before_it_was_out_is_found_by_its_total(live: Sandbox, deployed: Deployed) -> None:
    live.settings.change("orangeclick", late_days=(NEWEST.isoformat(),), late_hours=10.0)
    deployed.schedule()
    deployed.until_quiet()
    deployed.now.shift(ONE_DAY)
    deployed.schedule()
    assert f"{NEWEST}" in " ".join(deployed.until_quiet())
    assert deployed.right(live, NEWEST)


@every_provider
def test_a_restated_day_is_asked_for_again_by_one_of_them_and_replaced(live: Sandbox, deployed: Deployed) -> None:
    deployed.schedule()
    deployed.until_quiet()
    live.settings.change(deployed.case.sandbox, **deployed.case.restates)
    deployed.now.move_to(NOW + ONE_DAY)
    before = len(deployed.asked)
    deployed.schedule()
    deployed.until_quiet()
    assert deployed.right(live, NEWEST)
    assert deployed.right(live, TODAY)
    asked = [who for who, days in deployed.asked[before:] if NEWEST.isoformat() in days]
    # Requested by the one, and landed by a run of the sensor where the report takes its time.
    assert len(asked) <= 2
    assert deployed.failed == []


@pytest.mark.rule("IN3", "IN8")
@pytest.mark.parametrize("case", [Case(CLICKS, "integr8", "integr8.export")], ids=["integr8"])
def test_a_total_that_differs_for_good_is_told_for_good_and_its_day_is_not_asked_for_for_ever(
    live: Sandbox, deployed: Deployed
) -> None:
    live.faults.add("integr8.click_table", do="count", count=1_000_000, times=None)
    for days in range(4):
        deployed.now.move_to(NOW + days * ONE_DAY)
        deployed.schedule()
        deployed.until_quiet()
    assert len([one for one in deployed.history() if one.day == NEWEST]) == 3, (
        "as it was published, and twice without success"
    )
    events = [one for one in deployed.sensor().events if isinstance(one, dg.AssetCheckEvaluation)]
    (check,) = [one for one in events if (one.asset_key, one.check_name) == (key_of(CLICKS), "control_totals")]
    assert not check.passed
    assert f"{NEWEST} landed" in str(check.description)
    assert "also after 2 more landings" in str(check.description)


@pytest.mark.rule("UL2", "DT5")
@pytest.mark.parametrize("case", [USER_LEVEL], ids=["dt_user_level"])
def test_a_file_that_is_the_same_as_before_by_its_tag_is_not_downloaded_and_one_that_is_another_is(
    live: Sandbox, deployed: Deployed
) -> None:
    # From the day after on, the day is restated no more.
    live.settings.change("dt", user_level_restate_days=1, fill_seconds=60.0)
    deployed.schedule()
    deployed.until_quiet()
    deployed.now.move_to(NOW + ONE_DAY)
    assert deployed.sensor().asked(deployed.case.report.key) == [NEWEST.isoformat()], "it is due again, at age 1"
    deployed.now.shift(timedelta(minutes=2))
    told = deployed.sensor()
    assert told.requests == []
    assert f"{NEWEST}: the response is the one that has already landed" in str(told.skipped)
    assert deployed.until_quiet() == []
    live.settings.change("dt", user_level_restate_days=5)
    deployed.now.move_to(NOW + 3 * ONE_DAY)
    assert NEWEST.isoformat() in " ".join(deployed.until_quiet()), "and at age 3, when it has changed"
    assert deployed.right(live, NEWEST)
    history = [facts for facts in deployed.history() if facts.day == NEWEST]
    assert len(history) == 3
    assert len({facts.data_version for facts in history}) == 2


@pytest.mark.parametrize("case", [USER_LEVEL], ids=["dt_user_level"])
@pytest.mark.parametrize("what", ["its file is lost", "its declaration has changed"])
def test_the_same_answer_lands_again_where_the_day_has_to(
    live: Sandbox, deployed: Deployed, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.settings.change("dt", fill_seconds=60.0)
    deployed.schedule()
    deployed.until_quiet()
    file = deployed.place.data / deployed.case.report.file(NEWEST)
    if what == "its file is lost":
        file.unlink()
    else:
        monkeypatch.setenv("REPORTING_PERSONAL_DATA", "drop")
    asked = submits(live, deployed.case)
    deployed.schedule()
    assert deployed.until_quiet() == [NEWEST.isoformat()]
    assert deployed.right(live, NEWEST) is (what == "its file is lost")
    assert submits(live, deployed.case) == 2 * asked
    deployed.now.shift(3 * HOUR)
    assert deployed.schedule().asked(deployed.case.report.key) == []


@pytest.mark.rule("UL3")
@pytest.mark.parametrize("case", [USER_LEVEL], ids=["dt_user_level"])
def test_a_day_one_of_whose_apps_is_refused_is_left_alone_longer_each_time(live: Sandbox, deployed: Deployed) -> None:
    live.settings.change("dt", user_level_disabled_apps=USER_LEVEL_APPS[-1:], user_level_restate_days=1)
    deployed.schedule()
    for _ in range(20):
        deployed.sensor()
        deployed.now.shift(timedelta(minutes=30))
    assert len(deployed.failed) <= 3, "at 0:00, 2:45 and 8:15"
    told = deployed.sensor()
    assert "paused until" in str(told.skipped)
    live.settings.change("dt", user_level_disabled_apps=())
    deployed.now.shift(ONE_DAY / 2)
    deployed.until_quiet()
    assert deployed.right(live, NEWEST)


@pytest.mark.parametrize("case", [OFFER_WALL], ids=["dt_offer_wall"])
def test_what_was_asked_for_again_after_a_failure_lands_as_soon_as_it_is_ready(
    live: Sandbox, deployed: Deployed
) -> None:
    live.settings.change("dt", fill_seconds=600.0)
    live.faults.add("dt.data", do="bad_value", column="Publisher Revenue", value="many", times=None)
    deployed.schedule()
    deployed.now.shift(timedelta(minutes=11))
    deployed.sensor()
    assert len(deployed.failed) == 1
    live.faults.clear()
    deployed.now.shift(3 * HOUR)
    assert deployed.schedule().asked(deployed.case.report.key) == [NEWEST.isoformat()]
    deployed.now.shift(timedelta(minutes=11))
    deployed.sensor()
    assert deployed.right(live, NEWEST)


@pytest.mark.rule("UL2")
@pytest.mark.parametrize("case", [USER_LEVEL], ids=["dt_user_level"])
def test_what_was_asked_for_in_time_lands_though_its_day_is_out_of_reach_by_then(
    live: Sandbox, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = TODAY - 10 * ONE_DAY
    monkeypatch.setenv("REPORTING_START_DATE", oldest.isoformat())
    deployed.now.move_to(datetime(2026, 11, 20, 23, 50, tzinfo=UTC))
    live.settings.change("dt", fill_seconds=1800.0)
    deployed.schedule()
    deployed.now.shift(HOUR)
    deployed.until_quiet()
    assert oldest.isoformat() in deployed.place.materialized(key_of(REVENUE))
    assert deployed.failed == []


@every_provider
def test_a_provider_that_is_away_is_told_and_its_day_lands_when_it_is_back(live: Sandbox, deployed: Deployed) -> None:
    for endpoint in live.providers[deployed.case.sandbox].endpoints:
        live.faults.add(endpoint.point, do="status", status=503, times=None)
    deployed.schedule()
    assert len(deployed.failed) == 1
    for _ in range(12):
        deployed.now.shift(timedelta(minutes=10))
        told = deployed.sensor()
        assert told.requests or told.skipped
    assert len(deployed.failed) <= 8, "runs that come to nothing become rarer"
    live.faults.clear()
    deployed.now.shift(HOUR)
    deployed.schedule()
    deployed.until_quiet()
    assert deployed.right(live, NEWEST)
    assert len(deployed.failed) <= 8


@pytest.mark.parametrize(
    ("case", "api", "calls"),
    [(OFFER_WALL, "dt_offer_wall queries", 50), (INTEGR8, "integr8 exports", 10)],
    ids=["dt_offer_wall", "integr8"],
)
def test_a_spent_quota_is_told_and_nothing_is_asked_until_it_is_renewed(
    live: Sandbox, deployed: Deployed, api: str, calls: int
) -> None:
    sensor_tick(deployed.place, deployed.case.report.provider)
    deployed.place.spend(api, calls, deployed.case.report.provider)
    deployed.schedule()
    assert submits(live, deployed.case) == 0
    assert len(deployed.failed) == 1
    assert "quota" in str(deployed.failed[0].all_events)
    assert deployed.sensor().skipped
    assert submits(live, deployed.case) == 0
    deployed.now.move_to(NOW + ONE_DAY)
    deployed.schedule()
    deployed.until_quiet()
    assert deployed.right(live, TODAY)
    assert deployed.right(live, NEWEST)


@every_provider
def test_days_out_of_range_are_asked_for_by_nobody(
    live: Sandbox, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.settings.change(deployed.case.sandbox, **deployed.case.late)
    deployed.schedule()
    monkeypatch.setenv("REPORTING_START_DATE", TODAY.isoformat())
    deployed.now.shift(HOUR)
    told = deployed.schedule()
    assert told.asked(deployed.case.report.key) == []
    assert deployed.until_quiet() == [], "an open job of a day that is not a partition any more spoils no tick"


def submits(sandbox: Sandbox, case: Case) -> int:
    """How many reports were requested; asking after one again is no new one."""
    entries = sandbox.log.entries(case.point, status=200)
    return len({entry.facts.get("job", str(entry.number)) for entry in entries})
