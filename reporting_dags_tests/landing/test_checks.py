"""What the checks of a day say that they counted, and its warnings."""

import pytest

from reporting_dags.landing.writing.land import LandedDay
from reporting_dags.model.column import boolean, day, identity, measure, money, timestamp
from reporting_dags.model.errors import DataError
from reporting_dags_tests.landing.answers import COLUMNS, FIRST, HEADER, SECOND, Bench, report, rows


def test_what_each_check_counted_is_told(context: Bench) -> None:
    landed = context.landed(rows("2026-11-01,1,US,1,1,1", "2026-11-01,2,US,1,1,1", "2026-11-02,1,US,1,1,1"), expected=3)
    assert [(check.passed, check.detail, dict(check.facts)) for check in landed.checks] == [
        (True, "5 columns as declared", {"columns": 5, "rows": 2}),
        (True, "unique by app_id, country", {"rows": 2}),
        (True, "rows of 2026-11-01 alone, money in USD", {"day": "2026-11-01", "currencies": "USD"}),
        (
            True,
            "3 rows in the response, as many as the provider said",
            {"rows_in_bytes": 3, "rows_decoded": 3, "rows_expected": 3},
        ),
    ]


def test_what_each_failed_check_counted_is_told_over_the_whole_day(
    context: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting_dags.landing.parsing.delimited._BLOCK_BYTES", 4096)
    monkeypatch.setattr("reporting_dags.landing.writing.split._GATHER_ROWS", 100)
    spent = report((*COLUMNS, identity("Currency", ""), money("Spend", "", currency_from="Currency")))
    lines = [f"2026-11-01,{n % 999},US,{'x' if n % 2 else n},1,{'?' if n % 4 == 3 else 1},EURO,1" for n in range(1000)]
    refused = context.refused(rows(*lines, header=f"{HEADER},Currency,Spend"), of=spent)
    assert (refused.day, type(refused.error)) == (FIRST, DataError)
    assert [(check.passed, check.detail, dict(check.facts)) for check in refused.checks] == [
        (
            False,
            (
                "column 'Clicks': 500 values are not integers, such as 'x'; "
                "column 'ARPU': 250 values are not decimals (of at most 20 digits before the point), such as '?'"
            ),
            {"columns": 7, "rows": 1000, "bad_values": 750},
        ),
        (False, "grain twice: app_id=0, country=US (2 rows, 1 grains in all)", {"rows": 1000}),
        (
            False,
            "Currency holds 'EURO', which is not a currency code such as USD",
            {"day": "2026-11-01", "currencies": "EURO, USD"},
        ),
        (True, "1000 rows in the response", {"rows_in_bytes": 1000, "rows_decoded": 1000}),
    ]
    assert refused.error.message == "; ".join(check.detail for check in refused.checks[:3])


def test_a_day_without_money_or_grain_says_so(context: Bench) -> None:
    totals = report((day("Date"), measure("Clicks", "", unit="clicks")), grain=())
    landed = context.landed(rows("2026-11-01,4", header="Date,Clicks"), of=totals)
    assert [check.detail for check in landed.checks] == [
        "1 columns as declared",
        "unique by the day",
        "rows of 2026-11-01 alone",
        "1 rows in the response",
    ]
    assert landed.totals == {"clicks": 4}


def test_values_that_were_rounded_or_cut_are_told_by_column_and_day(
    context: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting_dags.landing.parsing.delimited._BLOCK_BYTES", 4096)
    monkeypatch.setattr("reporting_dags.landing.writing.split._GATHER_ROWS", 100)
    timed = report((*COLUMNS, timestamp("At", "")))
    fine = "0.00000000001234567891"
    lines = [f"2026-11-0{n % 2 + 1},{n},US,1,{fine},1,2026-11-01T00:00:00.1234567Z" for n in range(600)]
    first, second = context.land(rows(*lines[:-2], header=f"{HEADER},At"), of=timed, days=[FIRST, SECOND])
    for each in (first, second):
        assert isinstance(each, LandedDay)
        assert each.warnings == (
            "299 values of column revenue have more than 18 decimals: rounded at the 18th",
            "299 values of column at are finer than a microsecond: cut there",
        )


def test_only_a_number_of_rows_that_the_provider_said_is_told_as_its_own(context: Bench) -> None:
    answers = [rows(f"2026-11-01,{n},US,1,1,1") for n in range(2)]
    counted = {"rows_in_bytes": 2, "rows_decoded": 2}
    for expected, facts, detail in (
        (None, counted, "2 rows in the response"),
        (2, {**counted, "rows_expected": 2}, "2 rows in the response, as many as the provider said"),
    ):
        complete = context.landed(*answers, expected=expected).checks[3]
        assert (complete.facts, complete.detail) == (facts, detail)


def test_rows_that_were_not_read_are_not_told_as_read(context: Bench) -> None:
    (complete,) = context.refused(rows("2026-11-01,1,US,1,1,1"), expected=2).checks
    assert complete.facts == {"rows_in_bytes": 1, "rows_expected": 2}


@pytest.mark.parametrize(
    ("coin", "message"),
    [
        ("USD", ""),
        ("EUR", ""),
        (
            "GBP",
            (
                "Currency holds 'GBP', a currency that the report does not declare (EUR, USD). "
                "Fix: if the provider does pay in it, add it to the report's currencies"
            ),
        ),
        ("usd", ""),
        ("Dollar", "Currency holds 'Dollar', which is not a currency code such as EUR or USD"),
        (" USD", "Currency holds ' USD', which is not a currency code such as EUR or USD"),
        ("", "Currency holds '', which is not a currency code such as EUR or USD"),
    ],
)
def test_money_is_in_a_currency_that_is_declared(context: Bench, coin: str, message: str) -> None:
    spend = money("Spend", "", currency_from="Currency", currencies=("USD", "EUR"))
    fixed = money("Fee", "", currency="CNY")
    spent = report((day("Date"), identity("App", ""), identity("Currency", ""), spend, fixed), grain=("App",))
    answer = rows(f"2026-11-01,a,{coin},1,1", "2026-11-01,b,EUR,1,1", header="Date,App,Currency,Spend,Fee")
    (result,) = context.land(answer, of=spent)
    assert [check.detail for check in result.checks if not check.passed] == ([message] if message else [])


def test_codes_in_lower_case_are_read_in_upper_case_with_a_warning(context: Bench) -> None:
    spend = money("Spend", "", currency_from="Currency", currencies=("USD", "EUR"))
    spent = report((day("Date"), identity("App", ""), identity("Currency", ""), spend), grain=("App", "Currency"))
    lines = ("2026-11-01,usd,usd,1", "2026-11-01,b,USD,2", "2026-11-01,c,Eur,4", "2026-11-01,d,usd,8")
    landed = context.landed(rows(*lines, header="Date,App,Currency,Spend"), of=spent)
    assert [(row["app"], row["currency"]) for row in context.rows()] == [
        ("usd", "USD"),
        ("b", "USD"),
        ("c", "EUR"),
        ("d", "USD"),
    ]
    assert landed.money == {"spend": {"EUR": 4, "USD": 11}}
    assert landed.warnings == ("column 'Currency': 3 values such as 'usd' were read as codes in upper case",)
    again = rows("2026-11-01,a,usd,1", "2026-11-01,a,USD,1", header="Date,App,Currency,Spend")
    assert "grain" in context.refused(again, of=spent).error.line


def test_ten_currencies_are_shown(context: Bench) -> None:
    spend = money("Spend", "", currency_from="Currency")
    spent = report((day("Date"), identity("Currency", ""), spend), grain=("Currency",))
    coins = [f"A{letter}A" for letter in "ABCDEFGHIJKL"]
    landed = context.landed(rows(*(f"2026-11-01,{coin},1" for coin in coins), header="Date,Currency,Spend"), of=spent)
    assert landed.checks[2].facts["currencies"] == ", ".join(coins[:10])
    assert list(landed.money["spend"]) == coins


def test_what_a_value_should_have_been_is_told(context: Bench) -> None:
    declared = report((day("Date"), identity("App", ""), timestamp("At", ""), boolean("New", "")), grain=("App",))
    (result,) = context.land(rows("2026-11-01,a,soon,maybe", header="Date,App,At,New"), of=declared)
    assert result.checks[0].detail == (
        "column 'At': 1 values are not times, such as 'soon', not a time of the form ISO text; "
        "column 'New': 1 values are not true or false, such as 'maybe'"
    )


def test_the_currencies_of_one_column_bind_no_other(context: Bench) -> None:
    columns = (
        *COLUMNS,
        identity("Currency", ""),
        identity("Other", ""),
        money("Spend", "", currency_from="Currency", currencies=("USD", "CNY")),
        money("Bonus", "", currency_from="Other"),
    )
    header = f"{HEADER},Currency,Other,Spend,Bonus"
    context.landed(rows("2026-11-01,1,US,1,1,1,CNY,GBP,1,1", header=header), of=report(columns))
    context.refused(rows("2026-11-01,1,US,1,1,1,GBP,CNY,1,1", header=header), of=report(columns))
