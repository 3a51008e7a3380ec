"""What a day adds up to: money by currency, counts, and the ratios that follow from them."""

from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pytest

from reporting_dags.landing.compute.sums import Sums
from reporting_dags.landing.writing.land import LandedDay
from reporting_dags.model.column import (
    Column,
    Kind,
    RatioOf,
    boolean,
    day,
    identity,
    measure,
    money,
    number,
    ratio,
)
from reporting_dags.model.report import Report
from reporting_dags_tests.landing.answers import FIRST, SECOND, Bench, report, rows


def traffic(*more: Column, quotients: Sequence[RatioOf] = ()) -> Report:
    columns = (
        day("Date"),
        identity("App", ""),
        measure("Views", "", unit="views"),
        measure("Clicks", "", unit="clicks"),
        number("Score", ""),
        *(ratio(f"Ratio {n}", "", unit="", ratio_of=each) for n, each in enumerate(quotients)),
        *more,
    )
    return report(columns, grain=("App",))


def test_measures_are_summed_exactly_past_64_bits(context: Bench) -> None:
    most = 2**63 - 1
    lines = [f"2026-11-01,{n},{most},{-most - 1},0.1" for n in range(1000)]
    landed = context.landed(rows(*lines, "2026-11-01,x,,,", header="Date,App,Views,Clicks,Score"), of=traffic())
    assert landed.totals == {"views": 1000 * most, "clicks": 1000 * (-most - 1), "score": Decimal(100)}
    assert landed.ratios == {}


def test_each_day_has_sums_of_its_own_and_one_without_rows_has_zeros(context: Bench) -> None:
    answer = rows("2026-11-02,a,1,2,3", header="Date,App,Views,Clicks,Score")
    first, second = context.land(answer, of=traffic(), days=[FIRST, SECOND])
    assert isinstance(first, LandedDay)
    assert isinstance(second, LandedDay)
    assert first.totals == {"views": 0, "clicks": 0, "score": 0}
    assert second.totals == {"views": 1, "clicks": 2, "score": 3}


@pytest.mark.parametrize(
    ("quotient", "expected"),
    [
        (RatioOf("Clicks", "Views", 100), {"ratio_0": Decimal("66.666666666666666667")}),
        (RatioOf("Views", "Clicks"), {"ratio_0": Decimal("1.5")}),
        (RatioOf("Clicks", "Score"), {}),
        (RatioOf("Revenue", "Views", 1000), {"ratio_0": Decimal("0.2")}),
        (RatioOf("Spend", "Views"), {}),
        (RatioOf("App", "Views"), {}),
        (RatioOf("Cent", "Views"), {"ratio_0": Decimal("0.000000000000000000")}),
    ],
)
def test_ratios_follow_from_the_sums_of_the_day(
    context: Bench, quotient: RatioOf, expected: dict[str, Decimal]
) -> None:
    declared = traffic(
        identity("Currency", ""),
        money("Revenue", "", currency="USD"),
        money("Spend", "", currency_from="Currency"),
        money("Cent", "", currency="USD"),
        quotients=[quotient],
    )
    header = "Date,App,Views,Clicks,Score,Ratio 0,Currency,Revenue,Spend,Cent"
    lines = ["2026-11-01,a,1,2,1,99,USD,0.0001,5,1e-18", "2026-11-01,b,2,0,-1,98,EUR,0.0005,5,0"]
    assert context.landed(rows(*lines, header=header), of=declared).ratios == expected


def test_half_a_unit_goes_to_the_even_one(context: Bench) -> None:
    declared = traffic(money("Cent", "", currency="USD"), quotients=[RatioOf("Cent", "Views")])
    header = "Date,App,Views,Clicks,Score,Ratio 0,Cent"
    for units, rounded in ((1, 0), (3, 2), (5, 2), (-1, 0), (-3, -2)):
        landed = context.landed(rows(f"2026-11-01,a,2,0,0,0,{units}e-18", header=header), of=declared)
        assert landed.ratios == {"ratio_0": Decimal(rounded).scaleb(-18)}


def test_money_in_one_named_currency_makes_ratios_and_none_is_told_by_xxx(context: Bench) -> None:
    declared = traffic(
        identity("Currency", ""), money("Spend", "", currency_from="Currency"), quotients=[RatioOf("Spend", "Views")]
    )
    header = "Date,App,Views,Clicks,Score,Ratio 0,Currency,Spend"
    lines = ["2026-11-01,a,1,0,0,0,XXX,3", "2026-11-01,b,3,0,0,0,XXX,4"]
    landed = context.landed(rows(*lines, header=header), of=declared)
    assert landed.money == {"spend": {"XXX": Decimal(7)}}
    assert landed.ratios == {"ratio_0": Decimal("1.75")}


def test_true_and_false_are_values_like_others(context: Bench) -> None:
    declared = traffic(boolean("New", ""))
    header = "Date,App,Views,Clicks,Score,New"
    versions = [
        context.landed(rows(f"2026-11-01,a,1,2,3,{text}", header=header), of=declared).data_version
        for text in ("true", "1", "False", "")
    ]
    assert context.rows()[0]["new"] is None
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
    told = context.refused(rows("2026-11-01,a,1,2,3,maybe", header=header), of=declared)
    assert told.error.line == "column 'New': 1 values are not true or false, such as 'maybe'"


def test_sums_by_currency_go_over_all_stretches_of_an_answer(context: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting_dags.landing.writing.split._GATHER_ROWS", 1)
    declared = traffic(identity("Currency", ""), money("Spend", "", currency_from="Currency"))
    header = "Date,App,Views,Clicks,Score,Currency,Spend"
    answers = [rows(f"2026-11-01,{n}a,1,0,0,USD,1.5", f"2026-11-01,{n}b,1,0,0,EUR,2", header=header) for n in range(3)]
    landed = context.landed(*answers, of=declared)
    assert landed.money == {"spend": {"EUR": Decimal(6), "USD": Decimal("4.5")}}
    assert landed.totals["views"] == 6


def test_money_without_a_currency_refuses_its_day(context: Bench) -> None:
    declared = traffic(identity("Currency", "", optional=True), money("Spend", "", currency_from="Currency"))
    for header, line in (("Currency,Spend", ",5"), ("Spend", "5")):
        answer = rows(f"2026-11-01,a,1,2,3,{line}", header=f"Date,App,Views,Clicks,Score,{header}")
        told = context.refused(answer, of=declared)
        assert told.error.message == "Currency holds '', which is not a currency code such as USD"


def test_what_lies_under_a_null_is_not_summed() -> None:
    schema = traffic().schema
    _, held = pa.array([1, 1000, 3], pa.int64()).buffers()
    views = pa.Array.from_buffers(pa.int64(), 3, [pa.array([True, False, True]).buffers()[1], held])
    assert views.to_pylist() == [1, None, 3]
    nothing = {name: pa.nulls(3, schema.field(name).type) for name in schema.names}
    sums = Sums(traffic())
    sums.add(pa.RecordBatch.from_pydict(nothing | {"views": views}, schema=schema))
    assert sums.totals() == {"views": 4, "clicks": 0, "score": 0}


def test_narrow_integers_are_summed_as_wide_ones(context: Bench) -> None:
    narrow = Column(header="Narrow", kind=Kind.MEASURE, type=pa.int32())
    most = 2**31 - 1
    answer = rows(
        f"2026-11-01,a,1,2,3,{most}", f"2026-11-01,b,1,2,3,{most}", header="Date,App,Views,Clicks,Score,Narrow"
    )
    assert context.landed(answer, of=traffic(narrow)).totals["narrow"] == 2 * most


def test_nothing_is_neither_positive_nor_negative(context: Bench) -> None:
    declared = traffic(money("Revenue", "", currency="USD"))
    header = "Date,App,Views,Clicks,Score,Revenue"
    lines = ["2026-11-01,a,1,2,3,-1.5", "2026-11-01,b,1,2,-3,1.5"]
    landed = context.landed(rows(*lines, header=header), of=declared)
    assert (str(landed.money["revenue"]["USD"]), str(landed.totals["score"])) == ("0E-18", "0E-18")
