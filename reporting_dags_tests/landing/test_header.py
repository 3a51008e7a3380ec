"""The header's form: blanks around names are ignored and told, a title line is named, nothing is guessed."""

import pytest

from reporting_dags.model.column import day, identity, money
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import DelimitedText
from reporting_dags_tests.landing.answers import HEADER, Bench, report, rows

TABS = DelimitedText(delimiter="\t", quoted=False)
ROW = "2026-11-01,1,US,1,2.5,1"


@pytest.mark.parametrize("form", [DelimitedText(), TABS])
def test_blanks_around_headers_are_ignored_with_a_warning(context: Bench, form: DelimitedText) -> None:
    header = "Date, App ID,Country , Clicks ,Revenue,ARPU\u00a0"
    answer = rows(ROW, header=header).replace(",", form.delimiter)
    landed = context.landed(answer, of=report(format=form))
    assert context.rows()[0]["app_id"] == "1"
    assert landed.money == context.landed(rows(ROW)).money
    assert landed.warnings == ("blanks around headers were ignored: ' App ID', 'Country ', ' Clicks ', 'ARPU\\xa0'",)


def test_headers_that_are_one_without_their_blanks_are_refused_as_they_stand(context: Bench) -> None:
    with pytest.raises(DataError) as refused:
        context.land(rows(f"{ROW},3", header=f"{HEADER}, Country"))
    assert refused.value.line == "header ' Country' and 'Country' is duplicated"


def test_a_message_shows_a_value_with_all_its_blanks(context: Bench) -> None:
    refused = context.refused(rows("2026-11-01,1,US,  7 ,1,1"))
    assert "such as '  7 '" in refused.error.line
    assert DataError(" several\r\n\tlines  of\na text ").line == "several lines  of a text"


def test_numbers_and_texts_keep_their_blanks(context: Bench) -> None:
    refused = context.refused(rows("2026-11-01, 1, US, 1,1,1", header=HEADER.replace(",", ", ")))
    assert "such as ' 1'" in refused.error.line


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ('"CAMPAIGN_REPORT (Nov 1, 2026)",,,,,', " ('CAMPAIGN_REPORT (Nov 1, 2026)')"),
        ("Earnings report", " ('Earnings report')"),
        ("Date,2026-11-01", ""),
        ("Account,77,,,,", ""),
    ],
)
def test_a_title_line_is_named_as_one(context: Bench, title: str, told: str) -> None:
    with pytest.raises(DataError) as refused:
        context.land(f"{title}\n\n{rows(ROW)}")
    assert refused.value.message == f"the first line is a title{told}, not the header, which is in line 2"
    assert "Fix: " in refused.value.line
    with pytest.raises(DataError, match="which is in line 4"):
        context.land(f"{title}\nby app\n{title}\n{rows(ROW)}")


def test_the_values_of_a_row_above_the_header_are_not_shown(context: Bench) -> None:
    with pytest.raises(DataError) as refused:
        context.land(f"2026-11-01,secret-id,US,1,2.5,1\n{HEADER}\n")
    assert "secret-id" not in refused.value.line
    assert "line 2" in refused.value.line


def test_a_file_without_any_header_is_named_without_its_values(context: Bench) -> None:
    with pytest.raises(DataError) as refused:
        context.land(f"{ROW}\n{ROW}\n")
    assert "the first line names no declared column" in refused.value.line
    assert "2.5" not in refused.value.line


def test_columns_without_a_name_are_named_as_that(context: Bench) -> None:
    with pytest.raises(DataError, match="several columns of the header have no name"):
        context.land(rows(f"{ROW},,", header=f"{HEADER},,"))


def test_a_padded_header_of_an_undeclared_column_keeps_its_values(context: Bench) -> None:
    columns = (day("Date"), identity("Id", ""), money("Spend", "", currency="USD"))
    landed = context.landed(rows("2026-11-01,a,1,x", header="Date,Id,Spend, More"), of=report(columns, grain=("Id",)))
    assert landed.warnings[0] == "new columns, not landed: More"
