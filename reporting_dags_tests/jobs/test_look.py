"""A look at open jobs: which of them a run is worth starting for, without taking any up."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from reporting_dags.jobs.planning.resume import MAX_AGE
from reporting_dags.jobs.pulling.probe import probe
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.pulling import BenchOf, brought

NEWEST = date(2026, 11, 19)


@pytest.mark.rule("MT7")
def test_a_job_that_never_becomes_ready_is_waited_for_for_a_day_and_no_longer(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    sandbox.settings.change("mintegral", late_days=(NEWEST.isoformat(),), late_minutes=100 * 60)
    context = replace(bench_of("mintegral"), waits=False)
    brought(context, OFFER_PERFORMANCE, [NEWEST])
    (first,) = probe(context, OFFER_PERFORMANCE, clock.now())
    asked = first.requested_at
    for moment, worth in ((asked + MAX_AGE, False), (asked + MAX_AGE + timedelta.resolution, True)):
        (seen,) = probe(context, OFFER_PERFORMANCE, moment)
        assert seen.should_run is worth, seen.message
        assert ("has expired" in seen.message) is worth
    assert timedelta(hours=24) == MAX_AGE
