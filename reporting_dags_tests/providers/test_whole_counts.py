"""Counts that an API tells are whole numbers in whatever notation, and lists without members may be null."""

import pytest

from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.http.response import json_integer
from reporting_dags.providers.integr8.report import integr8_log
from reporting_dags.reports import integr8
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.pulling import BenchOf, brought, landed

DAY = NOON.date().replace(day=NOON.day - 1)


@pytest.mark.parametrize(
    ("value", "count"),
    [(12, 12), (12.0, 12), ("12", 12), ("12.00", 12), ("1.2e1", 12), (0, 0), (1e15, 10**15)],
)
def test_a_whole_number_is_one_in_any_notation(value: object, count: int) -> None:
    assert json_integer(value) == count


@pytest.mark.parametrize("value", [12.5, "12.5", True, None, [], {}, "", "many", float("nan"), float("inf"), " 12"])
def test_other_values_are_no_count(value: object) -> None:
    assert json_integer(value) is None


@pytest.mark.rule("IN7")
def test_an_exports_total_may_be_written_as_a_decimal(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("integr8")
    sandbox.faults.add("integr8.status", do="edit", pattern=r'"total":(\d+)', to=r'"total":"\1.00"', times=None)
    (result,) = landed(context, integr8.CONVERSIONS, [DAY]).values()
    assert result.landed is not None
    assert result.landed.rows


@pytest.mark.rule("IN2")
@pytest.mark.parametrize("none", [None, {}])
def test_a_list_whose_data_is_null_beside_a_total_of_0_is_empty(
    sandbox: Sandbox, bench_of: BenchOf, none: object
) -> None:
    context = bench_of("integr8")
    empty = {"data": none, "meta": {"total_count": 0, "total_page": 0}}
    sandbox.faults.add("integr8.offers", do="status", status=200, body=empty)
    (result,) = brought(context, integr8.OFFERS, [integr8.OFFERS.calendar.latest_available(NOON)]).values()
    assert result.outcome is Outcome.EMPTY, result.error


@pytest.mark.rule("IN2")
def test_a_list_whose_data_is_null_beside_another_total_is_refused(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("integr8")
    wrong = {"data": None, "meta": {"total_count": 3, "total_page": 1}}
    sandbox.faults.add("integr8.offers", do="status", status=200, body=wrong, times=None)
    (result,) = brought(context, integr8.OFFERS, [integr8.OFFERS.calendar.latest_available(NOON)]).values()
    assert result.outcome is Outcome.PARTIAL


@pytest.mark.rule("IN3")
def test_a_page_without_rows_may_be_null(sandbox: Sandbox, bench_of: BenchOf) -> None:
    table = integr8_log(name="urgent", log="clicks", fields=("real_tx_id", "request_time", "status"), method="table")
    context = bench_of("integr8")
    page = {"data": {"count": 0, "data": None, "pageInfo": {"hasNextPage": False, "endCursor": ""}}}
    sandbox.faults.add("integr8.click_table", do="status", status=200, body=page)
    (result,) = brought(context, table, [DAY]).values()
    assert result.outcome is Outcome.EMPTY, result.error
