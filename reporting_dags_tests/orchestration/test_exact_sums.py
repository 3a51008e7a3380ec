"""Amounts of 38 digits through every path that adds, compares or shows them: exact, or refused by name."""

import decimal
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags.jobs.planning.control_totals import differences
from reporting_dags.jobs.planning.restatement import restatement_curve
from reporting_dags.jobs.pulling.result import DayResult, Provenance, Restatement
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.landing.compute.sums import Sums
from reporting_dags.landing.reading.diff import RowDiff
from reporting_dags.landing.reading.entities import lost_share, weights
from reporting_dags.landing.reading.verify import read_back
from reporting_dags.landing.writing.land import LandedDay
from reporting_dags.model.column import RatioOf, day, identity, measure, money, ratio
from reporting_dags.model.days import ONE_DAY, Calendar
from reporting_dags.model.errors import DataError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import entities_check
from reporting_dags.orchestration.event_log import record_partition
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.test_combining import BUYS, DAY, LOGS, WALL, Place, log, place, wall
from reporting_dags_tests.landing.answers import FIRST, Bench, report, rows

__all__ = ["place"]

LARGE = "12345678901234567890.123456789012345678"
"""38 digits: more than Python's own context keeps of a sum."""
LARGEST = "99999999999999999999.999999999999999999"
REPORT = report(
    (
        day("Date"),
        identity("App", ""),
        measure("Views", "", unit="views"),
        money("Earned", "", currency="USD"),
        ratio("Each", "", unit="USD", ratio_of=RatioOf("Earned", "Views")),
    ),
    grain=("App",),
    entity="App",
)


@pytest.fixture(autouse=True)
def poor_context() -> Generator[None]:
    """One significant digit, and an error where a result needs more: no path may compute by the thread's context."""
    with decimal.localcontext(decimal.Context(prec=1, traps=[decimal.Inexact])):
        yield


def landed(folder: Path, *lines: str) -> LandedDay:
    return Bench(folder).landed(rows(*lines, header="Date,App,Views,Earned,Each"), of=REPORT)


def test_landing_sums_every_digit_past_38_and_its_ratio_is_exact(tmp_path: Path) -> None:
    found = landed(tmp_path, *(f"{FIRST},{app},3,{LARGEST}," for app in "abcdefghijk"))
    assert found.money == {"earned": {"USD": Decimal("1099999999999999999999.999999999999999989")}}
    assert found.ratios == {"each": Decimal("33333333333333333333.333333333333333333")}


def test_verify_tells_two_sums_apart_by_their_last_digit(tmp_path: Path) -> None:
    found = landed(tmp_path, f"{FIRST},a,1,{LARGE},")
    recorded = MaterializationRecord(
        day=FIRST,
        code_version="v1",
        outcome=found.outcome,
        rows=1,
        size=found.size,
        sha256=found.sha256,
        data_version=found.data_version,
        money={"earned": {"USD": "12345678901234567890.123456789012345679"}},
        requested_at=datetime(2026, 11, 2, tzinfo=UTC),
        landed_at=datetime(2026, 11, 2, tzinfo=UTC),
    )
    told = read_back(REPORT, FIRST, recorded, Bench(tmp_path).store).differences
    assert told == (f"earned sums to {LARGE} USD in place of 12345678901234567890.123456789012345679",)


def test_the_table_of_all_networks_holds_and_checks_38_digits(place: Place) -> None:
    place.land(WALL.report, [wall("a", 2, LARGE), wall("a", 2, LARGE), wall("b", 1, LARGE)])
    coins = (("USD", LARGE), ("EUR", LARGE), ("GBP", LARGE))
    place.land(BUYS.report, [{"app": "a", "land": "US", "coin": coin, "paid": Decimal(paid)} for coin, paid in coins])
    place.build()
    assert [row.get("earnings") or row["spend"] for row in place.rows()] == [
        *[Decimal(LARGE)] * 3,
        Decimal("24691357802469135780.246913578024691356"),
        Decimal(LARGE),
    ]


@pytest.mark.parametrize("source", ["wall", "logs"])
def test_a_sum_that_the_table_cannot_hold_is_refused_by_name(place: Place, source: str) -> None:
    if source == "wall":
        place.land(WALL.report, [wall("a", 2, LARGEST), wall("a", 2, LARGEST)])
    else:
        place.land(LOGS.report, [log("a", LARGEST), log("a", LARGEST)])
    told = f"^{source}/daily {DAY}: the earnings of one entity have more than 20 digits before the decimal point"
    with pytest.raises(DataError, match=told):
        place.build()


def test_counts_that_the_table_cannot_hold_are_refused_by_name(place: Place) -> None:
    place.land(WALL.report, [wall("a", 2**62, "1"), wall("a", 2**62, "1")])
    with pytest.raises(DataError, match=f"^wall/daily {DAY}: the impressions of one entity do not fit 64 bits"):
        place.build()


def facts(money: str, *, asked: int = 0) -> MaterializationRecord:
    return MaterializationRecord(
        day=DAY,
        code_version="v",
        outcome=Outcome.DATA,
        rows=1,
        size=1,
        data_version="f",
        raw_sha256="",
        money={"earned": {"USD": money}},
        requested_at=NOON + asked * ONE_DAY,
        landed_at=NOON + asked * ONE_DAY,
    )


def test_a_control_total_that_differs_by_a_cent_of_38_digits_is_told() -> None:
    one, other = "123456789012345678901234567890123456.10", "123456789012345678901234567890123456.11"
    (found,) = differences({DAY: facts(one)}, {DAY: facts(other, asked=1)}, {})
    assert (found.landed, found.control) == (f"{one} USD of earned", other)
    assert differences({DAY: facts(one)}, {DAY: facts(one + "4", asked=1)}, {}) == []


def test_a_restatement_is_told_to_the_last_digit(tmp_path: Path) -> None:
    found = landed(tmp_path, f"{FIRST},a,1,{LARGE},")
    before = Restatement(NOON, {"earned": {"USD": Decimal("1e-18")}}, RowDiff(), {})
    result = DayResult(day=FIRST, landed=found, provenance=Provenance(restatement=before))
    events: list[dg.AssetMaterialization] = []
    context: Any = SimpleNamespace(log_event=events.append)
    record_partition(context, REPORT, result, (), Bench(tmp_path).store)
    told = {name: value.value for name, value in events[0].metadata.items()}
    assert told["earned_usd_exact"] == LARGE
    assert told["earned_usd_restated_by_exact"] == "12345678901234567890.123456789012345677"


def stored(folder: Path, at: date, *earned: tuple[str, str]) -> None:
    names = [name for name, _ in earned]
    columns = [names, [1] * len(names), [Decimal(text) for _, text in earned], [None] * len(names)]
    arrays = [pa.array(values, type=each.type) for values, each in zip(columns, REPORT.schema, strict=True)]
    path = folder / "made.part"
    pq.write_table(pa.Table.from_arrays(arrays, schema=REPORT.schema), path)
    Bench(folder).store.put(path, REPORT.file(at))


def test_what_entities_earned_is_exact_past_38_digits(tmp_path: Path) -> None:
    stored(tmp_path, FIRST, *[("a", LARGEST)] * 11, ("b", LARGE))
    assert weights(REPORT, FIRST, Bench(tmp_path).store) == {
        "a": Decimal("1099999999999999999999.999999999999999989"),
        "b": Decimal(LARGE),
    }


def test_shares_of_what_is_gone_add_up_exactly(tmp_path: Path) -> None:
    """Three sixtieths are five per cent, which pass, and no more."""
    stored(tmp_path, FIRST, ("a", "57"), *((name, "1") for name in "xyz"))
    stored(tmp_path, FIRST + ONE_DAY, ("a", "57"))
    check = entities_check(REPORT, FIRST + ONE_DAY, Bench(tmp_path).store)
    assert check.passed, check.detail
    assert sum(lost_share({"a": Decimal(57), **dict.fromkeys("xyz", Decimal(1))}, {"a": Decimal(1)}).values()) * 20 == 1


def test_how_a_report_settles_is_exact_for_amounts_of_38_digits() -> None:
    of: Report = replace(REPORT, calendar=Calendar(restated_at=(1,)))
    amounts = ("61728394506172839450.617283945061728390", "123456789012345678901.234567890123456780")
    found = restatement_curve(
        of,
        [
            MaterializationRecord(
                day=DAY,
                code_version="v1",
                outcome=Outcome.DATA,
                requested_at=of.calendar.published_at(DAY) + age * ONE_DAY,
                landed_at=of.calendar.published_at(DAY) + age * ONE_DAY,
                data_version=amount,
                rows=1,
                money={"earned": {"USD": amount}},
            )
            for age, amount in enumerate(amounts)
        ],
    )
    assert found.known_share == {0: 0.5, 1: 1.0}


def test_no_sum_of_a_file_wraps_round() -> None:
    sums = Sums(REPORT)
    schema = REPORT.schema
    values: list[list[Any]] = [["a"] * 2, [2**62] * 2, [Decimal(LARGEST)] * 2, [None] * 2]
    arrays = [pa.array(column, type=each.type) for column, each in zip(values, schema, strict=True)]
    sums.add(pa.RecordBatch.from_arrays(arrays, schema=schema))
    assert sums.money() == {"earned": {"USD": Decimal("199999999999999999999.999999999999999998")}}
    assert sums.totals() == {"views": 2**63}
