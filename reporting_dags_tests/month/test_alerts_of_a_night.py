"""A night of a new deployment: no alert is sent while all goes well, and one alert of one fault.

`make month` has longer histories and more ticks.
"""

from concurrent.futures import ProcessPoolExecutor

import pytest

from reporting_dags_tests.month.nights import FAULTS, night
from reporting_dags_tests.processes import forked_workers


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_sent_of_a_healthy_night_and_one_alert_of_a_fault(fault: str) -> None:
    with forked_workers() as context, ProcessPoolExecutor(1, mp_context=context) as pool:
        found = pool.submit(night, fault, history=3, minutes=20).result()
    assert found.wrong == []
