"""A process that brings days of several reports home at once, as runs on one machine do; told by its environment.

Its time is that of `FastClock`, which FAST_TIME_BEGAN and FAST_TIME_SPEED describe.

`python -m reporting_dags_tests.jobs.puller provider/report=day,day ...` prints one JSON object for each day.
"""

import functools
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, datetime, timedelta
from unittest import mock

import dagster as dg

from reporting_dags.jobs.ledger import rate_limit
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.orchestration.storage import OpenStorage, StorageResource
from reporting_dags.reports.registry import SHIPPED, all_reports
from reporting_dags_tests.fast_time import FastClock

SPEED = float(os.environ["FAST_TIME_SPEED"])
# What a request takes on its way passes by the real clock.
mock.patch.object(rate_limit, "_MARGIN", timedelta(seconds=2 * SPEED)).start()
RESOURCES = {provider.key: provider.resource for provider in SHIPPED}


def bring_home(opened: OpenStorage, task: str) -> list[dict[str, str]]:
    """One report's days, and how each ended."""
    key, _, days = task.partition("=")
    report = next(report for report in all_reports() if report.key == key)
    clock = FastClock(datetime.fromisoformat(os.environ["FAST_TIME_BEGAN"]), SPEED)
    with closing(RESOURCES[report.provider]().client(clock, opened.rates.pace(clock))) as provider:
        context = opened.pull_context(provider, clock)
        return [
            {
                "report": key,
                "day": result.day.isoformat(),
                "outcome": result.outcome.value,
                "line": result.error.line if result.error else "",
            }
            for result in pull(context, report, [date.fromisoformat(day) for day in days.split(",")])
        ]


def main(tasks: list[str]) -> None:
    """Every task at the same time."""
    with (
        dg.DagsterInstance.ephemeral() as instance,
        StorageResource().open(instance) as opened,
        ThreadPoolExecutor(len(tasks)) as pool,
    ):
        for results in pool.map(functools.partial(bring_home, opened), tasks):
            for result in results:
                print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
