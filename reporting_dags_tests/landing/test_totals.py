"""A row that is the total of the others is refused by name; a row that merely names nothing is kept."""

from decimal import Decimal

import pytest

from reporting_dags.landing.writing.land import LandedDay, RefusedDay
from reporting_dags.model.column import RatioOf, day, identity, measure, money, ratio, timestamp
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import JsonRows
from reporting_dags.model.report import Report
from reporting_dags_tests.landing.answers import FIRST, SECOND, Bench, report, rows

COLUMNS = (
    day("Date"),
    identity("App", ""),
    identity("Country", ""),
    identity("Currency", ""),
    measure("Clicks", "", unit="clicks"),
    measure("Users", "", unit="users"),
    money("Spend", "", currency_from="Currency"),
    ratio("Cpc", "", unit="", ratio_of=RatioOf("Spend", "Clicks")),
)
HEADER = "Date,App,Country,Currency,Clicks,Users,Spend,Cpc"
DAY = ("2026-11-01,1,US,USD,3,2,1.5,0.5", "2026-11-01,2,US,USD,4,4,4.3,1", "2026-11-01,2,DE,USD,0,0,3,0")
OF = report(COLUMNS, grain=("App", "Country", "Currency"))


def refused_line(context: Bench, *lines: str, of: Report = OF, header: str = HEADER) -> str:
    result = context.refused(rows(*lines, header=header), of=of)
    assert isinstance(result.error, DataError)
    assert "\n" not in result.error.line
    return result.error.line


@pytest.mark.parametrize("text", ["", "Total", "TOTAL", "All", "--", "Grand Total", "all", "-"])
def test_a_total_row_of_the_day_is_refused_by_name(context: Bench, text: str) -> None:
    line = refused_line(context, *DAY, f"2026-11-01,{text},{text},USD,7,6,8.8,1.2")
    assert line.startswith("a total row, which would count everything twice: every dimension (App, Country)")
    assert "and 8.8 USD of spend and 7 of clicks sum up the other 3 rows" in line
    assert "Fix: " in line
    assert not context.path().exists()


@pytest.mark.parametrize("currency", ["", "--", "Total", "All"])
def test_a_total_row_may_name_no_currency_either(context: Bench, currency: str) -> None:
    assert "a total row" in refused_line(context, *DAY, f"2026-11-01,Total,,{currency},7,6,8.8,1.2")


def test_a_total_of_unique_users_may_be_less_than_their_sum(context: Bench) -> None:
    assert "a total row" in refused_line(context, *DAY, "2026-11-01,Total,,USD,7,5,8.8,1.2")


def test_a_total_that_is_printed_with_fewer_digits_is_one(context: Bench) -> None:
    lines = ("2026-11-01,1,US,USD,3,2,1.2345,0", "2026-11-01,2,US,USD,4,4,2.3456,0")
    assert "a total row" in refused_line(context, *lines, "2026-11-01,,,USD,7,6,3.58,0")
    lines = ("2026-11-01,1,US,USD,3,2,0.1,0", "2026-11-01,2,US,USD,4,4,0.2,0")
    assert "a total row" in refused_line(context, *lines, "2026-11-01,,,USD,7,6,0.30000000000000004,0")


def test_a_total_row_for_each_currency_is_one(context: Bench) -> None:
    lines = (*DAY, "2026-11-01,1,CN,CNY,1,1,7,7", "2026-11-01,,,USD,7,6,8.8,0", "2026-11-01,,,CNY,1,1,7,0")
    assert "2 total rows" in refused_line(context, *lines)


def test_a_total_row_for_each_hour_is_one(context: Bench) -> None:
    hourly = report((*COLUMNS[:1], timestamp("Hour", ""), *COLUMNS[1:]), grain=("Hour", "App", "Country", "Currency"))
    lines = [
        f"2026-11-01,2026-11-01 0{hour}:00:00,{app},{app},USD,{clicks},1,{clicks},1"
        for hour in (1, 2)
        for app, clicks in (("x", hour), ("y", 5), ("", hour + 5))
    ]
    assert "2 total rows" in refused_line(context, *lines, of=hourly, header=HEADER.replace("Date", "Date,Hour"))


def test_a_total_beside_an_honest_row_that_names_nothing_is_one(context: Bench) -> None:
    line = refused_line(context, *DAY, "2026-11-01,,,USD,1,1,1,1", "2026-11-01,Total,,USD,8,7,9.8,1")
    assert "says Total or All" in line


def test_a_total_among_honest_rows_that_name_nothing_is_one(context: Bench) -> None:
    hourly = report((*COLUMNS[:1], timestamp("Hour", ""), *COLUMNS[1:]), grain=("Hour", "App", "Country", "Currency"))
    lines = [
        f"2026-11-01,2026-11-01 0{hour}:00:00,{name},{name},USD,{clicks},{clicks},{clicks},1"
        for hour, name, clicks in ((1, "x", 5), (2, "x", 7), (1, "", 1), (2, "", 2), (3, "", 15))
    ]
    header = HEADER.replace("Date", "Date,Hour")
    line = refused_line(context, *lines, of=hourly, header=header)
    assert "a total row" in line
    assert "15 USD of spend" in line
    assert context.landed(rows(*lines[:-1], header=header), of=hourly).rows == 4


def test_a_total_over_several_currencies_is_shown_by_its_counts(context: Bench) -> None:
    lines = (*DAY, "2026-11-01,1,CN,CNY,1,1,7,7")
    assert "a total row" in refused_line(context, *lines, "2026-11-01,,,USD,8,7,15.8,0")
    assert context.landed(rows(*lines, "2026-11-01,,,USD,8,6,15.8,0", header=HEADER), of=OF).rows == 5


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-01,,,USD,7,6,8.7,1.2",
        "2026-11-01,,,USD,9,6,8.8,1.2",
        "2026-11-01,,,USD,0,0,8.8,1.2",
        "2026-11-01,,,CNY,7,6,8.8,1.2",
        "2026-11-01,,,USD,0,0,0,0",
        "2026-11-01,All,,USD,2,1,1,0",
    ],
)
def test_a_row_that_names_nothing_and_sums_up_nothing_is_kept_with_a_warning(context: Bench, line: str) -> None:
    landed = context.landed(rows(*DAY, line, header=HEADER), of=OF)
    assert landed.rows == 4
    (warning,) = landed.warnings
    assert warning.startswith("a row looks like a total and is kept: every dimension (App, Country)")


@pytest.mark.parametrize(
    "lines",
    [
        ("2026-11-01,1,,USD,7,6,8.8,1",),
        ("2026-11-01,,US,USD,7,6,8.8,1",),
        ("2026-11-01,Total Battle,,USD,7,6,8.8,1",),
    ],
)
def test_a_row_that_names_something_is_no_total(context: Bench, lines: tuple[str, ...]) -> None:
    assert context.landed(rows(*DAY, *lines, header=HEADER), of=OF).warnings == ()


def test_rows_that_all_name_nothing_are_no_totals(context: Bench) -> None:
    assert context.landed(rows("2026-11-01,,,USD,7,6,8.8,1", header=HEADER), of=OF).warnings == ()


def test_one_other_row_with_the_same_values_proves_a_total_only_of_several_dimensions(context: Bench) -> None:
    assert "a total row" in refused_line(context, DAY[0], "2026-11-01,,,USD,3,2,1.5,0.5")
    columns = (COLUMNS[0], COLUMNS[1], *COLUMNS[3:])
    header = HEADER.replace(",Country", "")
    one = report(columns, grain=("App", "Currency"))
    pair = ("2026-11-01,1,USD,3,2,1.5,0.5", "2026-11-01,{},USD,3,2,1.5,0.5")
    assert context.landed(rows(pair[0], pair[1].format(""), header=header), of=one).rows == 2
    assert "a total row" in refused_line(context, pair[0], pair[1].format("Total"), of=one, header=header)


def test_only_the_day_with_the_total_row_is_refused(context: Bench) -> None:
    other = ("2026-11-02,1,US,USD,3,2,1.5,0.5", "2026-11-02,1,DE,USD,3,2,1.5,0.5")
    answer = rows(*DAY, "2026-11-01,,,USD,7,6,8.8,1", *other, header=HEADER)
    first, second = context.land(answer, of=OF, days=[FIRST, SECOND])
    assert isinstance(first, RefusedDay)
    assert isinstance(second, LandedDay)
    assert second.warnings == ()


def test_a_total_row_of_one_file_among_several_is_one(context: Bench) -> None:
    """Where each file is of one app, the app's column says nothing of a row."""
    columns = (COLUMNS[0], COLUMNS[1], COLUMNS[2], money("Revenue", "", currency="USD"))
    of = report(columns, grain=("App", "Country"))
    header = "Date,App,Country,Revenue"
    whole = rows("2026-11-01,a,US,1", "2026-11-01,a,DE,0.5", header=header)
    doubled = rows("2026-11-01,b,US,1", "2026-11-01,b,DE,0.5", "2026-11-01,b,,1.5", header=header)
    assert context.landed(context.part(whole, App="a"), of=of).money["revenue"]["USD"] == Decimal("1.5")
    refused = context.refused(context.part(whole, App="a"), context.part(doubled, App="b"), of=of)
    assert "a total row" in refused.error.line


def test_a_total_row_in_json_is_one(context: Bench) -> None:
    of = report((COLUMNS[0], COLUMNS[1], COLUMNS[4]), grain=("App",), format=JsonRows(rows="data", sparse=False))
    lines = [f'{{"Date":"2026-11-01","App":{app},"Clicks":{n}}}' for app, n in (('"a"', 1), ('"b"', 2), ("null", 3))]
    assert "a total row" in context.refused(f'{{"data":[{",".join(lines)}]}}', of=of).error.line


def test_a_total_row_without_a_day_or_with_fewer_fields_is_named(context: Bench) -> None:
    for line, told in (
        ("Total,,,USD,7,6,8.8,1", "column 'Date' holds 'Total', which is not a day: a total row"),
        ("Total,7,8.8", r"row 5 \(the header is row 1\), a total row \('Total'\), has 3 fields"),
    ):
        with pytest.raises(DataError, match=told):
            context.land(rows(*DAY, line, header=HEADER), of=OF)


def test_rows_of_an_event_log_without_ids_are_no_totals(context: Bench) -> None:
    log = report(
        (timestamp("at", ""), identity("id", ""), identity("offer", "")), grain=("id",), day_from="at", timezone="UTC"
    )
    answer = rows(*(f"2026-11-01 0{n}:00:00,{name},x" for n, name in enumerate(("a", "b", ""))), header="at,id,offer")
    assert context.landed(answer, of=log).warnings == ()
