import re
from pathlib import Path

import pytest

from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.reports.dictionary import dictionary
from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.registry import all_reports
from reporting_dags_tests.rules import documented_rules

TESTS = Path(__file__).parents[1]


def test_the_data_dictionary_is_what_the_declarations_say_now() -> None:
    written = (PROJECT / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert written == dictionary(all_reports(), [NETWORK]), "run `make docs`"


@pytest.mark.parametrize("report", [*all_reports(), NETWORK], ids=lambda report: report.key)
def test_every_column_says_what_it_means_and_every_figure_its_unit(report: object) -> None:
    for column in report.stored_columns:  # type: ignore[attr-defined]
        assert column.meaning
        if column.kind in {"measure", "ratio"} and column.name not in UNITLESS:
            assert column.unit, column.name


UNITLESS = {"lat", "long", "purchase_value", "rtt", "score", "session_time"}
"""Numbers of which the document gives no unit."""


def test_every_documented_rule_is_held_by_a_named_test() -> None:
    marked: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        for marks in re.findall(r"mark\.rule\(([^)]*)\)", path.read_text(encoding="utf-8")):
            marked |= set(re.findall(r"[A-Z]{2}\d+", marks))
    assert [rule for rule in documented_rules() if rule not in marked] == []
