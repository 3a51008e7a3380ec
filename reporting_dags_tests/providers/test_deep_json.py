"""JSON that is nested deeper than any response, wherever JSON is read: one line, and no traceback."""

from datetime import date

import pytest

from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.model.days import SNAPSHOT
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.integr8 import CONVERSIONS, OFFERS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.pulling import BenchOf, line_of

DAY = date(2026, 11, 10)
PLACES: tuple[tuple[str, int, Report], ...] = (
    ("dt.token", 200, EVENT),
    ("dt.report", 200, EVENT),
    ("dt.report", 400, EVENT),
    ("mintegral.generate", 200, OFFER_PERFORMANCE),
    ("mintegral.download", 200, OFFER_PERFORMANCE),
    ("orangeclick.generate", 200, EARNINGS),
    ("orangeclick.generate", 422, EARNINGS),
    ("integr8.export", 200, CONVERSIONS),
    ("integr8.offers", 200, OFFERS),
    ("integr8.offers", 400, OFFERS),
)


@pytest.mark.parametrize("deep", ["[" * 50_000, '{"a":' * 10_000], ids=["arrays", "objects"])
@pytest.mark.parametrize(("point", "status", "report"), PLACES, ids=[f"{place[0]}-{place[1]}" for place in PLACES])
def test_json_without_end_fails_the_day_in_one_line(
    sandbox: Sandbox, bench_of: BenchOf, point: str, status: int, report: Report, deep: str
) -> None:
    sandbox.faults.add(point, do="status", status=status, body=deep, times=None)
    context = bench_of(report.provider, poll_seconds=0.1)
    (result,) = pull(context, report, [DAY if report.partitioned else SNAPSHOT])
    assert result.outcome in {Outcome.FAILED, Outcome.PARTIAL}
    assert line_of(result, result.outcome)
    assert result.landed is None


ARRAYS, OBJECTS = "[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000


@pytest.mark.rule("OC5")
@pytest.mark.parametrize("deep", [ARRAYS, OBJECTS], ids=["arrays", "objects"])
def test_a_value_that_is_nested_deeper_than_any_fails_the_day_in_one_line(
    sandbox: Sandbox, bench_of: BenchOf, deep: str
) -> None:
    meta = '{"count":1,"start_date":"2026-11-10","end_date":"2026-11-10","currency":"USD"}'
    body = f'{{"status":"success","data":[{{"day":"2026-11-10","domain":{deep}}}],"meta":{meta}}}'
    sandbox.faults.add("orangeclick.generate", do="status", status=200, body=body, times=None)
    (result,) = pull(bench_of("orangeclick", poll_seconds=0.1), EARNINGS, [DAY])
    assert line_of(result, Outcome.FAILED)
    assert result.landed is None
