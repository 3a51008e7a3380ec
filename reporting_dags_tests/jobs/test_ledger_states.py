"""Whatever happens to the runs of a report, each of its days is absent or one complete answer, and nothing is wasted.

Each test runs fixed seeds. `SEEDS=200` runs so many of each; `SEED=17` repeats one of them, and prints the shortest
sequence that fails.
"""

import os

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from reporting_dags_tests.jobs.states.machine import DayByDay, Ranges, TwoAccounts

EXAMPLES = {Ranges: 18, DayByDay: 18, TwoAccounts: 12}
"""Sequences of each seed."""
STEPS = 15
"""Rules in each sequence."""


def seeds() -> list[int]:
    one = os.environ.get("SEED")
    return [int(one)] if one else list(range(1, 1 + int(os.environ.get("SEEDS", "1"))))


@pytest.mark.timeout(1200)  # a failure takes minutes to shorten
@pytest.mark.parametrize("seed", seeds())
@pytest.mark.parametrize("machine", [Ranges, DayByDay, TwoAccounts])
def test_whatever_happens_days_are_absent_or_one_complete_answer(machine: type[Ranges], seed: int) -> None:
    chosen = settings(
        max_examples=EXAMPLES[machine],
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=chosen)
