"""What entity lists have said over time: kept by entity and currency, whatever a later snapshot lacks."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.entity_history import KnownCurrencies, Listed, compared
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.landing.reading.entities import entities_of
from reporting_dags.model.days import SNAPSHOT, Calendar
from reporting_dags.reports.integr8 import OFFERS, PUBLISHERS
from reporting_dags.sandbox.server import Sandbox

LIST = "integr8/offers"
FIRST = datetime(2026, 11, 1, 9, tzinfo=UTC)


def at(days: int) -> datetime:
    return FIRST + timedelta(days=days)


def history(ledger: Ledger, of: str = LIST) -> list[tuple[str, str | None, int, int]]:
    """Entity, currency, first and last seen in days."""
    return [
        (one.entity, one.currency, (one.first_seen - FIRST).days, (one.last_seen - FIRST).days)
        for one in ledger.entities.periods(of)
    ]


@pytest.fixture
def ledger(database_of_its_own: Database) -> Ledger:
    return Ledger(database_of_its_own)


def test_first_and_last_sight_and_every_currency_are_kept(ledger: Ledger) -> None:
    ledger.entities.take_in(LIST, {"a": "EUR", "b": "USD", "c": None}, at(0))
    ledger.entities.take_in(LIST, {"a": "EUR", "b": "GBP", "c": None}, at(1))
    ledger.entities.take_in(LIST, {"b": "USD", "c": "EUR", "d": "USD"}, at(2))
    assert history(ledger) == [
        ("a", "EUR", 0, 1),
        ("b", "USD", 0, 0),
        ("c", None, 0, 1),
        ("b", "GBP", 1, 1),
        ("b", "USD", 2, 2),
        ("c", "EUR", 2, 2),
        ("d", "USD", 2, 2),
    ]


def test_the_same_snapshot_again_changes_nothing_and_an_older_one_adds_only_what_was_unknown(ledger: Ledger) -> None:
    ledger.entities.take_in(LIST, {"a": "EUR"}, at(5))
    for _ in range(2):
        ledger.entities.take_in(LIST, {"a": "EUR"}, at(5))
    ledger.entities.take_in(LIST, {"a": "USD", "b": "USD"}, at(3))
    assert history(ledger) == [("a", "EUR", 5, 5), ("b", "USD", 3, 3)]


def test_a_currency_that_is_left_out_is_not_forgotten(ledger: Ledger) -> None:
    ledger.entities.take_in(LIST, {"a": "EUR"}, at(0))
    ledger.entities.take_in(LIST, {"a": None}, at(1))
    assert history(ledger) == [("a", "EUR", 0, 1)]


def test_lists_are_kept_apart(ledger: Ledger) -> None:
    ledger.entities.take_in(LIST, {"a": "EUR"}, at(0))
    ledger.entities.take_in("integr8/publishers", {"a": None}, at(1))
    assert history(ledger) == [("a", "EUR", 0, 0)]
    assert history(ledger, "integr8/publishers") == [("a", None, 1, 1)]


def test_a_day_has_the_currency_that_was_seen_by_its_end_or_else_the_earliest(ledger: Ledger) -> None:
    ledger.entities.take_in(LIST, {"a": None, "b": None}, at(-1))
    ledger.entities.take_in(LIST, {"a": "EUR"}, at(0))
    ledger.entities.take_in(LIST, {"a": "USD"}, at(2))
    known = KnownCurrencies(ledger.entities.periods(LIST))
    found = {day: known.on(date(2026, 11, day), Calendar()) for day in (1, 2, 3, 4)}
    assert found == {1: {"a": "EUR"}, 2: {"a": "EUR"}, 3: {"a": "USD"}, 4: {"a": "USD"}}
    assert known.on(date(2020, 1, 1), Calendar()) == {"a": "EUR"}
    assert known.on(date(2026, 11, 2), Calendar(timezone="Pacific/Kiritimati")) == {"a": "EUR"}
    assert known.on(date(2026, 11, 3), Calendar(timezone="Etc/GMT-14")) == {"a": "USD"}


def test_the_newest_snapshot_is_held_against_the_one_before(ledger: Ledger) -> None:
    assert ledger.entities.listed(LIST, at(0)) == Listed(0, 0, ())
    ledger.entities.take_in(LIST, dict.fromkeys("abcd", "EUR"), at(0))
    assert compared(ledger.entities.periods(LIST), at(0), None) == Listed(4, 0, ())
    ledger.entities.take_in(LIST, dict.fromkeys("bcx", "EUR"), at(1))
    assert compared(ledger.entities.periods(LIST), at(1), at(0)) == Listed(3, 4, ["a", "d"])
    ledger.entities.take_in(LIST, dict.fromkeys("bcx", "EUR"), at(2))
    assert compared(ledger.entities.periods(LIST), at(2), at(1)) == Listed(3, 3, [])
    ledger.entities.take_in(LIST, {}, at(3))
    assert compared(ledger.entities.periods(LIST), at(3), at(2)) == Listed(0, 3, ["b", "c", "x"])


def test_a_large_list_is_taken_in_whole_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    database = open_database(postgres_url, tmp_path, lock_seconds=30)
    ledger = Ledger(database)
    many: dict[str, str | None] = {f"offer {n}": "EUR" for n in range(1203)}
    for day in (0, 1):
        ledger.entities.take_in(LIST, many, at(day))
    assert history(ledger) == [(name, "EUR", 0, 1) for name in many]
    database.close()


@pytest.mark.parametrize("columns", [("name",), ("id",), ("id", "currency")])
def test_the_entities_of_a_list_are_read_whatever_columns_it_declares(tmp_path: Path, columns: tuple[str, ...]) -> None:
    rows = [{"id": "a", "currency": "EUR", "name": "x"}, {"id": "b", "currency": "", "name": "y"}, {"id": None}]
    path = tmp_path / "list.part"
    pq.write_table(pa.Table.from_pylist(rows).select(list(columns)), path)
    expected = {"a": "EUR" if "currency" in columns else None, "b": None}
    assert entities_of(path) == (expected if "id" in columns else {})


@pytest.mark.rule("IN2")
def test_a_snapshot_and_its_history_land_together(sandbox: Sandbox, bench_of: Callable[..., PullContext]) -> None:
    context = bench_of("integr8")
    for report in (OFFERS, PUBLISHERS):
        assert [result.error for result in pull(context, report, [SNAPSHOT])] == [None]
        facts = context.ledger.materializations.days(report.key)[SNAPSHOT]
        found = context.ledger.entities.periods(report.key)
        assert len(found) == facts.rows
        assert {(one.first_seen, one.last_seen) for one in found} == {(facts.requested_at, facts.requested_at)}
        listed = sandbox.truth(report.key, sandbox.clock.now().date())
        assert {one.entity: one.currency for one in found} == {row["id"]: row.get("currency") for row in listed}


@pytest.mark.rule("IN2")
def test_what_an_earlier_release_landed_is_taken_in_before_it_is_replaced(
    sandbox: Sandbox, bench_of: Callable[..., PullContext], database_of_its_own: Database
) -> None:
    context = bench_of("integr8")
    list(pull(context, OFFERS, [SNAPSHOT]))
    before = context.ledger.entities.periods(OFFERS.key)
    database_of_its_own.write(lambda connection: connection.execute(sa.delete(tables.entity_history)), "test")
    sandbox.settings.change("integr8", lost_offers=(before[0].entity,))
    sandbox.clock.advance(86_400)
    list(pull(context, OFFERS, [SNAPSHOT]))
    found = {one.entity: one for one in context.ledger.entities.periods(OFFERS.key)}
    gone = found[before[0].entity]
    assert (gone.currency, gone.first_seen, gone.last_seen) == (
        before[0].currency,
        before[0].first_seen,
        before[0].last_seen,
    )
    assert len({one.last_seen for one in found.values()}) == 2
