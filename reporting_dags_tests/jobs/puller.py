"""A process that brings days of several reports home at once, as runs on one machine do; told by its environment.

`python -m reporting_dags_tests.jobs.puller provider/report=day,day ...` prints one JSON object for each day.
"""

import functools
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date

import dagster as dg

from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.model.clock import SystemClock
from reporting_dags.orchestration.storage import OpenStorage, StorageResource
from reporting_dags.reports.registry import SHIPPED, all_reports

RESOURCES = {provider.key: provider.resource for provider in SHIPPED}


def bring_home(opened: OpenStorage, task: str) -> list[dict[str, str]]:
    """One report's days, and how each ended."""
    key, _, days = task.partition("=")
    report = next(report for report in all_reports() if report.key == key)
    clock = SystemClock()
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
