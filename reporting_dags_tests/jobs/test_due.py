"""Which days are due: missing, harmed, unfinished, landed under another declaration, or to be restated."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.report_state import due_days, load_report_state
from reporting_dags.jobs.planning.due import included_for_free, max_window_days
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.landing.storage.store import Store, open_store
from reporting_dags.model.days import ONE_DAY, SNAPSHOT, Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.integr8 import OFFERS
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.claiming import bought

NEWEST = date(2026, 11, 19)
DAYS = Window(NEWEST - 4 * ONE_DAY, NEWEST).days
NEVER_AGAIN = replace(EVENT, calendar=replace(EVENT.calendar, restated_at=()))


class Place:
    """A ledger and a data root, and days that are stored."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.root = folder / "data"
        self.ledger = Ledger(database)
        self.data: Store = open_store(str(self.root), scratch=folder)

    def land(self, report: Report, *days: date, hours_ago: float = 0, money: str = "") -> None:
        for day in days:
            path = self.root / report.file(day)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"a whole day")
            asked_at = NOON - timedelta(hours=hours_ago)
            facts = MaterializationRecord(
                day=day,
                code_version=report.version,
                outcome=Outcome.DATA,
                rows=1,
                size=path.stat().st_size,
                data_version="f",
                raw_sha256="",
                money={"publisher_revenue": {"USD": money}} if money else {},
                requested_at=asked_at,
                landed_at=max(asked_at, NOON),
            )
            assert self.ledger.materializations.record_build(
                report.key, facts, sources={}, publish=lambda precondition=None: None
            )

    def due(self, report: Report = NEVER_AGAIN, since: date = DAYS[0]) -> list[date]:
        return due_days(report, since=since, ledger=self.ledger, data=self.data, now=NOON)


@pytest.fixture
def place(tmp_path: Path, database_of_its_own: Database) -> Place:
    return Place(tmp_path, database_of_its_own)


def test_days_that_never_landed_are_due_from_the_first_that_is_wanted_to_the_newest_that_is_out(place: Place) -> None:
    assert place.due() == DAYS
    assert place.due(since=NEWEST) == [NEWEST]
    assert place.due(since=NEWEST + ONE_DAY) == []
    place.land(NEVER_AGAIN, DAYS[0], DAYS[2])
    assert place.due() == [DAYS[1], DAYS[3], DAYS[4]]


def test_files_are_looked_for_by_one_listing_however_many_days_have_landed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.land(NEVER_AGAIN, *DAYS)
    listed: list[str] = []
    sizes = place.data.sizes

    def listing(prefix: str) -> dict[str, int]:
        listed.append(prefix)
        return sizes(prefix)

    monkeypatch.setattr(place, "data", SimpleNamespace(sizes=listing))
    assert place.due() == []
    assert listed == [NEVER_AGAIN.key]


def test_no_day_is_due_that_the_provider_serves_no_longer(place: Place) -> None:
    oldest = NEVER_AGAIN.calendar.earliest_available(NOON)
    assert place.due(since=date(2019, 1, 1))[0] == oldest


def test_a_day_whose_file_is_gone_or_of_another_size_is_due(place: Place) -> None:
    place.land(NEVER_AGAIN, *DAYS)
    assert place.due() == []
    (place.root / NEVER_AGAIN.file(DAYS[1])).unlink()
    (place.root / NEVER_AGAIN.file(DAYS[3])).write_bytes(b"half a")
    assert place.due() == [DAYS[1], DAYS[3]]


def test_a_day_that_landed_under_another_declaration_is_due(place: Place) -> None:
    place.land(replace(NEVER_AGAIN, variable_value="another account's apps"), DAYS[1])
    place.land(NEVER_AGAIN, *(day for day in DAYS if day != DAYS[1]))
    assert place.due() == [DAYS[1]]


def test_the_declaration_is_looked_at_once_for_however_many_days(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def version(report: Report) -> str:
        looks.append(report.key)
        return "v"

    monkeypatch.setattr(Report, "version", property(version))
    place.land(NEVER_AGAIN, *DAYS)
    looks.clear()
    assert place.due() == []
    assert len(looks) == 3, "in a fixed number of places, not once a day"


def test_a_day_that_lies_there_but_was_never_finished_is_due(place: Place) -> None:
    place.land(NEVER_AGAIN, *DAYS)
    _, job = bought(place.ledger, DAYS[1:3], report=NEVER_AGAIN.key)
    bought(place.ledger, DAYS[4:], report="network/other")
    assert place.due() == DAYS[1:3]
    place.ledger.jobs.close_days(job, DAYS[1:2], Outcome.DATA, "", NOON)
    assert place.due() == DAYS[2:3]


def test_a_day_is_due_again_when_it_was_asked_for_before_it_is_restated(place: Place) -> None:
    again = replace(EVENT, calendar=replace(EVENT.calendar, restated_at=(2,)))
    place.land(again, *DAYS, hours_ago=72)
    # Out at noon of the day after, restated two days later: the 17th was at noon of the 20th, an hour ago.
    assert place.due(again) == DAYS[:3]
    place.land(again, *DAYS[:3], hours_ago=0.5)
    assert place.due(again) == []


def test_days_that_the_same_query_carries_come_along_while_they_may_still_change(place: Place) -> None:
    again = replace(EVENT, calendar=replace(EVENT.calendar, restated_at=(2, 4)))
    place.land(again, *DAYS[:3], hours_ago=0.5)
    place.land(NEVER_AGAIN, DAYS[3])
    facts = load_report_state(again, place.ledger, NOON)
    # Three days and an hour old, then two, then one: all of them change once more, at the age of four.
    assert included_for_free(again, facts, [DAYS[0], NEWEST]) == DAYS[1:4]
    assert included_for_free(again, facts, [DAYS[0], DAYS[2]]) == [DAYS[1]]
    assert included_for_free(again, facts, [NEWEST]) == []
    assert included_for_free(replace(again, window_days=2), facts, [DAYS[0], DAYS[2]]) == [], (
        "two queries, and neither has it"
    )
    assert included_for_free(NEVER_AGAIN, load_report_state(NEVER_AGAIN, place.ledger, NOON), [DAYS[0], NEWEST]) == []


def test_once_an_answer_was_cut_no_more_days_come_along_than_one_answer_holds(place: Place) -> None:
    again = replace(EVENT, calendar=replace(EVENT.calendar, restated_at=(2, 4)))
    place.land(again, *DAYS, hours_ago=0.5)
    _, job = bought(place.ledger, DAYS, report=again.key)
    place.ledger.jobs.close(job, Outcome.TRUNCATED, "cut", NOON)
    facts = load_report_state(again, place.ledger, NOON)
    assert max_window_days(again, facts) == 3
    assert included_for_free(again, facts, [DAYS[0], NEWEST]) == []
    assert included_for_free(again, facts, [DAYS[1], DAYS[3]]) == [DAYS[2]]


def test_a_day_whose_total_changed_is_due_until_it_has_landed_twice_in_vain(place: Place) -> None:
    control = NEVER_AGAIN.control
    assert control is not None
    place.land(NEVER_AGAIN, *DAYS, hours_ago=9, money="10")
    place.land(control, *DAYS[1:], hours_ago=8, money="10")
    place.land(control, DAYS[0], hours_ago=8, money="11")
    assert place.due() == DAYS[:1]
    for hours_ago in (7, 5):
        place.land(NEVER_AGAIN, DAYS[0], hours_ago=hours_ago, money="10")
        assert place.due() == [], "it has landed since: the next control is to judge"
        place.land(control, DAYS[0], hours_ago=hours_ago - 1, money="11")
        assert place.due() == (DAYS[:1] if hours_ago == 7 else [])
    place.land(control, DAYS[0], hours_ago=3, money="12")
    assert place.due() == DAYS[:1], "its total has changed again"


def test_a_list_that_is_kept_by_no_day_is_due_once_a_day_wherever_the_days_begin(place: Place) -> None:
    assert place.due(OFFERS, since=NEWEST) == [SNAPSHOT]
    place.land(OFFERS, SNAPSHOT, hours_ago=12)
    assert place.due(OFFERS, since=NEWEST) == []
    place.land(OFFERS, SNAPSHOT, hours_ago=14)
    assert place.due(OFFERS, since=NEWEST) == [SNAPSHOT], "it was taken yesterday"
