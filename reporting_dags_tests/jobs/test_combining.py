"""A day of all networks: built from what is stored, and due again when that is another."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags.jobs.building.build import BuiltDay, CombinedReport, build, due_builds
from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.landing.compute.hashing import compute_data_version
from reporting_dags.landing.compute.sums import Sums
from reporting_dags.landing.reading.combine import Source
from reporting_dags.landing.reading.entities import Entities, entities_of
from reporting_dags.landing.storage.store import Store, open_store
from reporting_dags.model.column import MIXED, day, identity, measure, money
from reporting_dags.model.days import ONE_DAY, SNAPSHOT, Calendar
from reporting_dags.model.errors import DataError, DeclarationError, NotReady
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.reports.integr8 import OFFERS
from reporting_dags.reports.network import NETWORK
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.scripted import HandClock

DAY = date(2026, 11, 3)
Row = dict[str, Any]


def declared(provider: str, *columns: Any, timezone: str = "UTC") -> Report:
    return Report(
        provider=provider,
        name="daily",
        query=None,
        columns=(day("Date"), identity("App", ""), identity("Land", ""), *columns),
        grain=(),
        calendar=Calendar(timezone=timezone),
        window_days=1,
    )


WALL = Source(
    report=declared("wall", measure("Shown", "", unit=""), money("Earned", "", currency="USD"), timezone="Etc/GMT+8"),
    entity="App",
    country="Land",
    counts={"impressions": "Shown"},
    money={"earnings": "Earned"},
)
BUYS = Source(
    report=declared("buys", identity("Coin", ""), money("Paid", "", currency_from="Coin")),
    entity="App",
    country="Land",
    money={"spend": "Paid"},
)
LOGS = Source(
    report=declared("logs", identity("Status", ""), money("Worth", "", currency=MIXED)),
    entity="App",
    country="Land",
    counts={"clicks": ""},
    money={"earnings": "Worth"},
    excluded_rows=("Status", "Rejected"),
)
ALL = CombinedReport(report=NETWORK, sources=(WALL, BUYS, LOGS), currencies=OFFERS)


class Place:
    """A ledger and a data root, and sources landed into them."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.ledger = Ledger(database)
        self.data: Store = open_store(str(folder / "data"), scratch=folder)
        self.clock = HandClock()

    def write(self, report: Report, at: date, rows: Sequence[Row]) -> pa.Table:
        """Put a file in place, which the ledger does not know yet."""
        table = pa.Table.from_pylist([dict.fromkeys(report.schema.names) | row for row in rows], schema=report.schema)
        path = self.folder / "made.part"
        pq.write_table(table, path)
        self.data.put(path, report.file(at))
        return table

    def facts(self, report: Report, at: date, table: pa.Table, asked_at: datetime) -> MaterializationRecord:
        sums = Sums(report)
        for batch in table.to_batches():
            sums.add(batch)
        return MaterializationRecord(
            day=at,
            code_version=report.version,
            outcome=Outcome.DATA,
            rows=table.num_rows,
            size=1,
            data_version=compute_data_version(table),
            raw_sha256="",
            money={name: {coin: str(sum_) for coin, sum_ in by.items()} for name, by in sums.money().items()},
            requested_at=asked_at,
            landed_at=asked_at,
        )

    def note(self, report: Report, at: date, table: pa.Table, asked_at: datetime = NOON) -> None:
        facts = self.facts(report, at, table, asked_at)
        if not report.partitioned:
            facts = replace(facts, entities=self.entities(report))
        assert self.ledger.materializations.record_build(
            report.key, facts, sources={}, publish=lambda precondition=None: None
        )

    def entities(self, report: Report) -> Entities:
        with self.data.open(report.file(SNAPSHOT)) as file:
            return entities_of(file)

    def land(self, report: Report, rows: Sequence[Row], at: date = DAY, asked_at: datetime = NOON) -> str:
        """Land a day; returns its data version."""
        table = self.write(report, at, rows)
        self.note(report, at, table, asked_at)
        return compute_data_version(table)

    def offers(self, asked_at: datetime, **currencies: str | None) -> None:
        """Land a snapshot of the list of offers."""
        rows = [{"id": offer, "currency": currency} for offer, currency in currencies.items()]
        self.land(OFFERS, rows, SNAPSHOT, asked_at)

    def build(self, of: CombinedReport = ALL, at: date = DAY) -> BuiltDay:
        return build(of, at, ledger=self.ledger, data=self.data, clock=self.clock)

    def due(self, of: CombinedReport = ALL, since: date = DAY) -> list[date]:
        return due_builds(of, since=since, ledger=self.ledger)

    def rows(self, at: date = DAY) -> list[Row]:
        """What was built, without what is null."""
        with self.data.open(NETWORK.file(at)) as file:
            table = pq.read_table(file)
        assert table.schema.equals(NETWORK.schema, check_metadata=True)
        rows = [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
        return sorted(rows, key=lambda row: (row["source_asset"], row["entity"], row.get("currency", "")))


@pytest.fixture
def place(tmp_path: Path, database_of_its_own: Database) -> Place:
    return Place(tmp_path, database_of_its_own)


def wall(app: str, shown: int, earned: str) -> Row:
    return {"app": app, "land": "US", "shown": shown, "earned": Decimal(earned)}


def log(app: str, worth: str | None, status: str = "Approved") -> Row:
    return {"app": app, "land": "US", "status": status, "worth": None if worth is None else Decimal(worth)}


def test_every_source_gives_its_figures_by_entity_country_and_currency(place: Place) -> None:
    wall_rows = [wall("a", 2, "0.5"), wall("a", 3, "0.25"), wall("b", 1, "1"), wall("b", 1, "1") | {"land": "DE"}]
    versions = {WALL.report.key: place.land(WALL.report, wall_rows)}
    coins = (("a", "USD", "1"), ("a", "EUR", "2"), ("a", "EUR", "3"))
    bought = [{"app": app, "land": "US", "coin": coin, "paid": Decimal(paid)} for app, coin, paid in coins]
    versions[BUYS.report.key] = place.land(BUYS.report, bought)
    logged = [log("o1", "2"), log("o1", "3"), log("o1", "7", "Rejected"), log("o2", "4"), log("o3", None)]
    versions[LOGS.report.key] = place.land(LOGS.report, logged)
    offers = [{"id": "o1", "currency": "EUR"}, {"id": "o2", "currency": None}, {"id": "o9", "currency": "USD"}]
    place.land(OFFERS, offers, SNAPSHOT)
    built = place.build()
    on_wall = {"network": "wall", "report_timezone": "Etc/GMT+8", "source_asset": "wall/daily", "currency": "USD"}
    in_log = {"network": "logs", "report_timezone": "UTC", "source_asset": "logs/daily", "country": "US"}
    buying = {"network": "buys", "report_timezone": "UTC", "source_asset": "buys/daily", "country": "US", "entity": "a"}
    found = sorted(place.rows(), key=lambda row: (row["source_asset"], row["entity"], str(row.get("currency"))))
    assert sorted(map(str, map(sorted, map(dict.items, found)))) == sorted(
        str(sorted(row.items()))
        for row in (
            {**buying, "currency": "EUR", "spend": Decimal("5.000000000000000000")},
            {**buying, "currency": "USD", "spend": Decimal("1.000000000000000000")},
            {**in_log, "entity": "o1", "currency": "EUR", "clicks": 3, "earnings": Decimal("5.000000000000000000")},
            {**in_log, "entity": "o2", "clicks": 1, "earnings": Decimal("4.000000000000000000")},
            {**in_log, "entity": "o3", "clicks": 1},
            {**on_wall, "entity": "a", "country": "US", "impressions": 5, "earnings": Decimal("0.750000000000000000")},
            {**on_wall, "entity": "b", "country": "US", "impressions": 1, "earnings": Decimal("1.000000000000000000")},
            {**on_wall, "entity": "b", "country": "DE", "impressions": 1, "earnings": Decimal("1.000000000000000000")},
        )
    )
    assert (built.day, built.rows, built.versions) == (DAY, 8, versions)


def test_the_ledger_notes_what_was_built_and_from_what(place: Place) -> None:
    place.land(WALL.report, [wall("a", 2, "0.5")])
    offers = place.land(OFFERS, [{"id": "o1", "currency": "EUR"}], SNAPSHOT)
    built = place.build()
    facts = place.ledger.materializations.days(NETWORK.key)[DAY]
    file = place.folder / "data" / NETWORK.file(DAY)
    assert (facts.outcome, facts.rows, facts.size) == (Outcome.DATA, 1, file.stat().st_size)
    assert facts.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert facts.data_version == built.data_version == compute_data_version(pq.read_table(file.open("rb")))
    assert facts.money_sums == {"earnings": {"USD": Decimal("0.5")}, "spend": {"USD": Decimal(0)}}
    assert (facts.requested_at, facts.landed_at, facts.raw_sha256, facts.jobs) == (NOON, NOON, offers, ())
    assert list((place.data.staging()).iterdir()) == []


def test_sources_without_rows_make_an_empty_day(place: Place) -> None:
    place.land(WALL.report, [])
    assert place.build().rows == 0
    assert place.ledger.materializations.days(NETWORK.key)[DAY].outcome is Outcome.EMPTY
    assert place.due() == []


def test_days_are_due_that_were_built_from_other_sources_than_those_that_lie_there(place: Place) -> None:
    days = [DAY + n * ONE_DAY for n in range(3)]
    for one in reversed(days):
        place.land(WALL.report, [wall("a", 2, "0.5")], one)
    assert place.due() == days
    assert place.due(since=days[1]) == days[1:]
    place.build(at=days[1])
    assert place.due() == [days[0], days[2]]
    place.land(WALL.report, [wall("a", 2, "0.5")], days[1])
    assert place.due() == [days[0], days[2]], "the same rows again are nothing new"
    place.land(WALL.report, [wall("a", 3, "0.5")], days[1])
    assert place.due() == days
    place.build(at=days[1])
    place.land(BUYS.report, [], days[1])
    assert place.due() == days, "one source more"
    place.build(at=days[1])
    other = replace(ALL, report=replace(NETWORK, query=("another",)))
    assert place.due(other) == days, "built under another declaration"
    assert place.due(replace(ALL, sources=(WALL,))) == days, "one source less"


def test_a_day_with_money_of_no_known_currency_is_due_when_a_list_tells_it(place: Place) -> None:
    known, unknown = DAY, DAY + ONE_DAY
    place.land(WALL.report, [wall("a", 2, "0.5")], known)
    place.land(LOGS.report, [log("o1", "2")], unknown)
    for one in (known, unknown):
        place.build(at=one)
    assert place.due() == []
    place.land(OFFERS, [{"id": "o2", "currency": "USD"}], SNAPSHOT)
    assert place.due() == [], "it tells of another"
    place.land(OFFERS, [{"id": "o1", "currency": "USD"}], SNAPSHOT)
    assert place.due() == [unknown]
    place.build(at=unknown)
    assert place.due() == []
    place.land(OFFERS, [], SNAPSHOT)
    assert place.due() == [], "its currencies were all known"


def test_without_a_list_money_of_no_told_currency_stays_so(place: Place) -> None:
    place.land(LOGS.report, [log("o1", "2")])
    none = replace(ALL, currencies=None)
    place.build(none)
    assert [row.get("currency") for row in place.rows()] == [None]
    assert place.due(none) == []


def test_a_day_of_which_no_source_has_landed_is_not_ready(place: Place) -> None:
    place.land(WALL.report, [wall("a", 2, "0.5")], DAY + ONE_DAY)
    place.land(WALL.report, [wall("a", 2, "0.5")], DAY - ONE_DAY)
    with pytest.raises(NotReady, match="none of its sources has landed"):
        place.build()
    assert place.clock.slept == []


def test_a_source_that_is_put_in_place_before_it_is_noted_is_waited_for(place: Place) -> None:
    place.land(WALL.report, [wall("a", 2, "0.5")])
    table = place.write(WALL.report, DAY, [wall("a", 2, "0.75")])
    place.clock.meanwhile = lambda: place.note(WALL.report, DAY, table)
    assert place.build().versions == {WALL.report.key: compute_data_version(table)}
    assert place.clock.slept == [1]
    assert [row["earnings"] for row in place.rows()] == [Decimal("0.75")]


def test_a_source_whose_money_is_not_what_was_noted_is_named_with_both_sums(place: Place) -> None:
    place.land(WALL.report, [wall("a", 2, "0.5"), wall("b", 2, "0.5")])
    place.land(BUYS.report, [{"app": "a", "land": "US", "coin": "USD", "paid": Decimal(1)}])
    place.write(WALL.report, DAY, [wall("a", 2, "0.75")])
    place.write(BUYS.report, DAY, [])
    with pytest.raises(DataError) as wrong:
        place.build()
    assert wrong.value.message == ("wall/daily earnings: 0.75 of 1; buys/daily spend: 0 of 1")
    assert len(place.clock.slept) == 4
    assert not place.data.exists(NETWORK.file(DAY))
    assert NETWORK.key not in place.ledger.materializations.versions([NETWORK.key], since=DAY).get(DAY, {})


def test_sources_that_never_come_to_rest_are_told_after_some_tries(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.land(WALL.report, [wall("a", 2, "0.5")])
    tried: list[str] = []

    def refusing(report: str, *_: Any, **__: Any) -> bool:
        tried.append(report)
        return False

    monkeypatch.setattr(place.ledger.materializations, "record_build", refusing)
    with pytest.raises(NotReady, match=f"the sources of {DAY} change faster than they can be read"):
        place.build()
    assert tried == [NETWORK.key] * 5


@pytest.mark.parametrize("harm", [b"", b"PAR1 no parquet"])
def test_a_source_that_cannot_be_read_is_named(place: Place, harm: bytes) -> None:
    place.land(WALL.report, [wall("a", 2, "0.5")])
    file = place.folder / "data" / WALL.report.file(DAY)
    file.unlink() if not harm else file.write_bytes(harm)
    told = "its file is damaged (ArrowInvalid)" if harm else "its file is gone"
    with pytest.raises(DataError) as refused:
        place.build()
    assert refused.value.line == (
        f"wall/daily {DAY} cannot be read: {told}. Fix: materialize wall/daily {DAY} again, with replay: true from the "
        "kept raw response, or without it from the provider."
    )


def test_of_a_source_that_the_provider_serves_no_longer_the_kept_answer_is_named_alone(place: Place) -> None:
    old = replace(WALL, report=replace(WALL.report, calendar=Calendar(retention_days=3)))
    place.land(old.report, [wall("a", 2, "0.5")])
    (place.folder / "data" / old.report.file(DAY)).unlink()
    with pytest.raises(DataError) as refused:
        place.build(replace(ALL, sources=(old,)))
    assert refused.value.advice == (
        f"Fix: materialize wall/daily {DAY} again, with replay: true from the kept raw response, as the provider "
        f"serves no day before {NOON.date() - timedelta(days=3)}; or put the file back from a backup."
    )


def test_a_source_of_an_earlier_form_of_its_report_is_named(place: Place) -> None:
    place.land(WALL.report, [wall("a", 2, "0.5")])
    earlier = declared("wall", measure("Seen", "", unit=""), money("Earned", "", currency="USD"))
    place.write(earlier, DAY, [{"app": "a", "land": "US", "seen": 2, "earned": Decimal("0.5")}])
    with pytest.raises(DataError, match="its file is of an earlier form of the report, without the column shown"):
        place.build()


def test_a_figure_that_was_added_to_a_source_later_is_null_in_the_days_of_before(place: Place) -> None:
    earlier = declared("wall", money("Earned", "", currency="USD"), timezone="Etc/GMT+8")
    table = place.write(earlier, DAY, [{"app": "a", "land": "US", "earned": Decimal("0.5")}])
    place.note(earlier, DAY, table)
    place.build()
    (row,) = place.rows()
    assert (row["entity"], row["earnings"], row.get("impressions")) == ("a", Decimal("0.5"), None)


def test_a_key_that_was_added_to_a_source_later_is_no_reason_to_guess(place: Place) -> None:
    place.land(WALL.report, [wall("a", 2, "0.5")])
    earlier = replace(WALL.report, columns=tuple(one for one in WALL.report.columns if one.header != "Land"))
    place.write(earlier, DAY, [{"app": "a", "shown": 2, "earned": Decimal("0.5")}])
    with pytest.raises(DataError, match="of an earlier form of the report"):
        place.build()


@pytest.mark.parametrize(
    ("gone", "changed"),
    [
        ("Entity", {"entity": "Entity"}),
        ("Where", {"country": "Where"}),
        ("Seen", {"counts": {"clicks": "", "impressions": "Seen"}}),
        ("Lost", {"money": {"earnings": "Worth", "spend": "Lost"}}),
        ("Mood", {"excluded_rows": ("Mood", "Rejected")}),
    ],
)
def test_a_source_names_the_column_that_its_report_has_no_longer(gone: str, changed: dict[str, Any]) -> None:
    assert replace(LOGS, excluded_rows=None).excluded_rows is None
    with pytest.raises(DeclarationError, match=f"^reports/network.py: logs/daily: '{gone}' is gone, which network"):
        replace(LOGS, **changed)


def noon(days: int) -> datetime:
    """Noon of the day that comes so many days after the day."""
    return datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC) + timedelta(days=days)


def currencies(place: Place, at: date = DAY) -> dict[str, str | None]:
    return {row["entity"]: row.get("currency") for row in place.rows(at)}


def test_a_deleted_offer_keeps_its_last_known_currency(place: Place) -> None:
    place.land(LOGS.report, [log("o1", "2"), log("o2", "3")])
    place.offers(noon(-1), o1="EUR", o2="USD")
    place.build()
    place.offers(noon(1), o2="USD")
    place.land(LOGS.report, [log("o1", "2"), log("o2", "4")])
    built = place.build()
    assert currencies(place) == {"o1": "EUR", "o2": "USD"}
    assert built.no_currency == {}


def test_an_edited_offer_has_its_new_currency_from_the_day_on_which_it_was_first_seen(place: Place) -> None:
    place.offers(noon(0), o1="EUR")
    place.offers(noon(2), o1="USD")
    days = [DAY + n * ONE_DAY for n in (-1, 0, 1, 2, 3)]
    for one in days:
        place.land(LOGS.report, [log("o1", "2")], one)
        place.build(at=one)
    assert [currencies(place, one)["o1"] for one in days] == ["EUR", "EUR", "EUR", "USD", "USD"]


def test_the_day_of_an_edit_is_that_of_the_sources_own_time_zone(place: Place) -> None:
    late = replace(LOGS, report=replace(LOGS.report, calendar=Calendar(timezone="America/New_York")))
    of = replace(ALL, sources=(late,))
    edited = datetime(DAY.year, DAY.month, DAY.day, 3, tzinfo=UTC)  # in New York the day before, 22:00
    place.offers(noon(-5), o1="EUR")
    place.offers(edited, o1="USD")
    days = [DAY - 2 * ONE_DAY, DAY - ONE_DAY, DAY]
    for one in days:
        place.land(late.report, [log("o1", "2")], one)
        place.build(of, at=one)
    assert [currencies(place, one)["o1"] for one in days] == ["EUR", "USD", "USD"]


@pytest.mark.parametrize("later", [{}, {"o9": "USD"}, {"o1": None}], ids=["empty", "shrunken", "without currencies"])
def test_a_list_that_comes_back_with_less_loses_no_currency(place: Place, later: dict[str, str | None]) -> None:
    place.land(LOGS.report, [log("o1", "2")])
    place.offers(noon(-1), o1="EUR", o9="USD")
    place.offers(noon(1), **later)
    place.build()
    assert currencies(place) == {"o1": "EUR"}


def test_a_day_is_rebuilt_for_its_own_currencies_and_for_no_other_snapshot(place: Place) -> None:
    known, unknown = DAY, DAY + ONE_DAY
    place.offers(noon(-1), o1="EUR")
    place.land(LOGS.report, [log("o1", "2")], known)
    place.land(LOGS.report, [log("o2", "2", "Rejected")], unknown)
    for one in (known, unknown):
        place.build(at=one)
    place.offers(noon(2), o1="EUR", o3="USD")
    assert place.due() == [], "a snapshot that names others"
    place.offers(noon(3), o1="USD", o3="USD", o2=None)
    assert place.due() == [], "an edit after both days, and an offer without a currency"
    place.offers(noon(4))
    assert place.due() == [], "an empty one"
    place.offers(noon(5), o2="GBP")
    assert place.due() == [unknown]
    place.build(at=unknown)
    assert place.due() == []
    assert currencies(place, unknown) == {"o2": "GBP"}


def test_a_day_is_rebuilt_when_a_list_of_that_day_lands_after_it(place: Place) -> None:
    place.offers(noon(-1), o1="EUR")
    place.land(LOGS.report, [log("o1", "2")])
    place.build()
    place.offers(noon(0), o1="USD")
    assert place.due() == [DAY]
    place.build()
    assert (place.due(), currencies(place)) == ([], {"o1": "USD"})


def test_a_list_that_an_earlier_release_landed_is_taken_in_once(place: Place) -> None:
    place.land(LOGS.report, [log("o1", "2"), log("o2", "2")])
    rows = [{"id": "o1", "currency": "EUR"}, {"id": "o2", "currency": "USD"}]
    table = place.write(OFFERS, SNAPSHOT, rows)
    facts = place.facts(OFFERS, SNAPSHOT, table, noon(-1))
    assert place.ledger.materializations.record_build(
        OFFERS.key, facts, sources={}, publish=lambda precondition=None: None
    )
    assert place.ledger.entities.periods(OFFERS.key) == []
    place.build()
    place.build()
    assert currencies(place) == {"o1": "EUR", "o2": "USD"}
    found = place.ledger.entities.periods(OFFERS.key)
    assert [(one.entity, one.currency, one.first_seen, one.last_seen) for one in found] == [
        ("o1", "EUR", noon(-1), noon(-1)),
        ("o2", "USD", noon(-1), noon(-1)),
    ]


def test_a_list_that_is_harmed_takes_no_currency_away_and_fails_no_day(place: Place) -> None:
    place.land(LOGS.report, [log("o1", "2")])
    place.offers(noon(-1), o1="EUR")
    table = place.write(OFFERS, SNAPSHOT, [])
    facts = place.facts(OFFERS, SNAPSHOT, table, noon(1))
    assert place.ledger.materializations.record_build(
        OFFERS.key, facts, sources={}, publish=lambda precondition=None: None
    )
    (place.folder / "data" / OFFERS.file(SNAPSHOT)).write_bytes(b"harmed")
    place.build()
    assert currencies(place) == {"o1": "EUR"}


def test_days_that_an_earlier_release_built_are_rebuilt_as_it_would_have(place: Place) -> None:
    """It noted no entities: its days with money of no known currency are due for another list, and no others."""
    known, unknown = DAY, DAY + ONE_DAY
    place.offers(noon(-1), o1="EUR")
    place.land(LOGS.report, [log("o1", "2")], known)
    place.land(LOGS.report, [log("o2", "2")], unknown)
    for one in (known, unknown):
        place.build(at=one)
    place.database.write(lambda connection: connection.execute(tables.builds.delete()), "test")
    assert place.due() == []
    place.offers(noon(3), o1="USD")
    assert place.due() == [unknown]
    place.build(at=unknown)
    assert place.due() == []


def test_money_of_which_no_currency_was_ever_known_is_told_by_entity(place: Place) -> None:
    place.offers(noon(-1), o1="EUR")
    place.land(LOGS.report, [log("o1", "2"), log("o2", "3.5"), log("o2", "-1") | {"land": "DE"}, log("o3", "0")])
    assert place.build().no_currency == {"o2": {"earnings": Decimal("2.5")}}
