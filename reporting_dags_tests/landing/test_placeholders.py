"""What stands in place of a number: null where nothing is lost by it, refused by column and value everywhere else."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from reporting_dags.model.column import RatioOf, day, identity, measure, money, ratio
from reporting_dags.model.errors import DeclarationError
from reporting_dags.model.format import DelimitedText, JsonRows
from reporting_dags.model.report import Report
from reporting_dags.providers.digital_turbine.offer_wall_report import offer_wall_report
from reporting_dags.providers.digital_turbine.user_level_report import user_level_report
from reporting_dags.providers.integr8.report import integr8_list, integr8_log
from reporting_dags.providers.mintegral.report import advanced_performance_report
from reporting_dags.providers.orangeclick.report import orangeclick_report
from reporting_dags.reports.registry import all_reports
from reporting_dags_tests.landing.answers import Bench, report, rows

COLUMNS = (
    day("Date"),
    identity("Id", ""),
    measure("Clicks", "", unit="clicks"),
    money("Spend", "", currency="USD"),
    ratio("Cvr", "", unit="%", ratio_of=RatioOf("Clicks", "Spend")),
)
HEADER = "Date,Id,Clicks,Spend,Cvr"
PLACEHOLDERS = (
    *("-", "--", " --", "NaN", "nan", "-nan", "n/a", "N/A", "0.3%", "0,3 %", "-%", "null", r"\N", "inf", "-Infinity"),
    *("None", " ", "#DIV/0!"),
)


def declared(*, none_texts: tuple[str, ...] = (), text: DelimitedText | JsonRows | None = None) -> Report:
    return replace(report(COLUMNS, grain=("Id",), format=text), none_texts=none_texts)


@pytest.mark.rule("MT8")
@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_in_a_ratio_is_null_with_a_warning(context: Bench, text: str) -> None:
    lines = (f'2026-11-01,a,0,1.5,"{text}"', f'2026-11-01,b,0,2.5,"{text}"', "2026-11-01,c,3,1,0.25")
    landed = context.landed(rows(*lines, header=HEADER), of=declared())
    assert [row["cvr"] for row in context.rows()] == [None, None, Decimal("0.25")]
    assert landed.money == {"spend": {"USD": Decimal(5)}}
    (warning,) = landed.warnings
    assert warning == f"column 'Cvr': 2 values such as {text!r} were read as null, since a ratio is computed from sums"


@pytest.mark.parametrize("text", ["abc", "1,5", "0x1F", "1.5.2", "1e30", "%", "5%5"])
def test_what_is_no_placeholder_is_refused_in_a_ratio_too(context: Bench, text: str) -> None:
    refused = context.refused(rows(f'2026-11-01,a,0,1.5,"{text}"', header=HEADER), of=declared())
    assert refused.error.line.startswith("column 'Cvr': 1 values are not decimals")
    assert repr(text) in refused.error.line


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_in_money_or_a_count_is_refused(context: Bench, text: str) -> None:
    for line, column in ((f'2026-11-01,a,"{text}",1,1', "Clicks"), (f'2026-11-01,a,1,"{text}",1', "Spend")):
        refused = context.refused(rows(line, header=HEADER), of=declared())
        assert refused.error.line.startswith(f"column {column!r}: 1 values are not")
        assert repr(text) in refused.error.line


def test_a_declared_none_text_is_null_in_numbers_and_stays_text_elsewhere(context: Bench) -> None:
    none = declared(none_texts=("--", "N/A"))
    lines = ("2026-11-01,--,--, --,N/A", "2026-11-01,N/A,4,N/A ,0.5")
    landed = context.landed(rows(*lines, header=HEADER), of=none)
    assert [tuple(row.values()) for row in context.rows()] == [
        ("--", None, None, None),
        ("N/A", 4, None, Decimal("0.5")),
    ]
    assert landed.warnings == ()
    refused = context.refused(rows("2026-11-01,a,n/a,1,1", header=HEADER), of=none)
    assert "'n/a'" in refused.error.line


def test_none_texts_hold_in_json_too(context: Bench) -> None:
    answer = '{"data":[{"Date":"2026-11-01","Id":"a","Clicks":"--","Spend":1.5,"Cvr":"NaN"}]}'
    context.landed(answer, of=declared(none_texts=("--",), text=JsonRows(rows="data")))
    assert context.rows() == [{"id": "a", "clicks": None, "spend": Decimal("1.5"), "cvr": None}]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("0",), "'0' is a number"),
        (("-1.0e3",), "'-1.0e3' is a number"),
        ((" --",), "' --' has spaces around it"),
        ("--", "'--' is not a tuple of texts"),
    ],
)
def test_none_texts_that_would_hide_numbers_are_refused_in_the_declaration(texts: tuple[str, ...], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        declared(none_texts=texts)


def test_every_provider_takes_none_texts_without_another_version() -> None:
    offer_wall = partial(
        offer_wall_report, name="r", source="event", splits=("Date", "Country"), metrics=("Publisher Revenue",)
    )
    made: list[Callable[..., Report]] = [
        offer_wall,
        partial(user_level_report, name="r"),
        partial(advanced_performance_report, name="r", dimensions=("Offer",)),
        partial(orangeclick_report, name="r", dimensions=("day", "domain")),
        partial(integr8_log, name="r", log="clicks", fields=("real_tx_id", "request_time")),
        partial(integr8_list, name="offers", fields={"id": "t Offer"}),
    ]
    for make in made:
        with_texts, without = make(none_texts=("--",)), make()
        assert with_texts.none_texts == ("--",)
        assert with_texts.version == without.version
        assert with_texts.control is None or with_texts.control.none_texts == ("--",)
    assert all(one.none_texts == () for one in all_reports())
