"""A run that is really killed, at the steps that no test inside one process can show."""

import pytest

from reporting_dags.model.report import Report
from reporting_dags_tests.torture.row import held
from reporting_dags_tests.torture.steps import LISTED, REPORTS, STEPS, killed_at

_SHORT = {
    "dt_offer_wall": (
        "provider.submit:after:1",
        "spool.write:after:2",
        "data.put:after:3",
        "log_event:after:1",
        "run.success:before:1",
    ),
    "mintegral": ("provider.submit:after:1",),
    "integr8": ("provider.submit:after:1",),
}


CASES = [(report, at) for report in (*REPORTS, LISTED) for at in _SHORT[report.provider]]


@pytest.mark.parametrize(("report", "at"), [pytest.param(*case, id=f"{case[0].provider}-{case[1]}") for case in CASES])
def test_the_next_run_makes_good_what_a_kill_left(report: Report, at: str) -> None:
    (step,) = [step for step in STEPS if step.at == at]
    (row,) = held([killed_at(report, step)])
    assert row.extra == row.allowed, "a job whose handle was never saved is requested again, and no other"
