"""Flags compare texts without case and dashes; words that stand for no id are masked."""

import pyarrow as pa
import pytest

from reporting_dags.landing.parsing.flags import compute_flags
from reporting_dags.model.column import day, flag, identity
from reporting_dags.model.privacy import Personal
from reporting_dags.providers.digital_turbine.user_level_report import MASKED
from reporting_dags_tests.landing.answers import Bench, report, rows


@pytest.mark.rule("UL4")
@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "N/A", "n/a", "unknown", "Unknown", "UNKNOWN", "null", "NULL", "none", "None", " null ", "-", None),
        *("0" * 32, "0" * 16, "00000000-0000-0000-0000-000000000000", "00000000-00000000-0000000000000000"),
    ],
)
def test_what_stands_for_no_id_is_masked(text: str | None) -> None:
    assert compute_flags(pa.array([text, "x"], pa.string()), MASKED, masks=True).to_pylist() == [True, False]


@pytest.mark.rule("UL4")
@pytest.mark.parametrize(
    "text", ["00000000-0000-0000-0000-000000000001", "0x0", "nullable", "unknown user", "anon", "nan", "o", "1" * 32]
)
def test_what_is_an_id_is_not_masked(text: str) -> None:
    assert compute_flags(pa.array([text]), MASKED, masks=True).to_pylist() == [False]


def test_a_flag_that_is_about_something_else_is_true_for_its_own_texts_alone() -> None:
    texts = pa.array(["Test-App", "TESTAPP", "null", "", "000", "testapps"])
    expected = [True, True, False, False, False, False]
    assert compute_flags(texts, ("test-app",), masks=False).to_pylist() == expected


def test_a_masked_row_lands_flagged(context: Bench) -> None:
    device = identity("Device", "", personal=Personal.DEVICE)
    declared = report(
        (day("Date"), device, flag("Masked", "", of="Device", texts=("",), masks=True)), grain=("Device",)
    )
    context.landed(rows("2026-11-01,NULL", "2026-11-01,abc", header="Date,Device"), of=declared)
    assert [row["masked"] for row in context.rows()] == [True, False]
