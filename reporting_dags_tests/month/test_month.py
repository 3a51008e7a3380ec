"""A few simulated days of one provider: the short form of `make month`."""

from concurrent.futures import ProcessPoolExecutor

import pytest

from reporting_dags_tests.month.months import month
from reporting_dags_tests.month.world import Script
from reporting_dags_tests.processes import forked_workers


@pytest.mark.rule("OC6", "OC7")
def test_days_that_are_late_restated_lost_in_part_or_out_of_reach_for_a_day_end_as_the_provider_last_had_them() -> None:
    script = Script(days=5, tail=3, restated=1, outages={4: ("orangeclick",)}, lost_app=(), lost_domain=3)
    with forked_workers() as context, ProcessPoolExecutor(1, mp_context=context) as pool:
        found = pool.submit(month, ("orangeclick",), script).result()
    assert found.wrong == ()
    (bill,) = found.bills
    assert bill.right == bill.days == script.days + script.tail - 1
    assert found.late >= 1
    assert any("answers nothing" in line for line in found.happened)
    assert any("silently missing" in line for line in found.happened)
    assert any("late" in line for line in found.happened)
    assert found.waited == 0
    assert found.ticks > 24 * (script.days + script.tail)
    assert bill.pulled < bill.lookbacks_pulled[1]
