"""A process that pulls days when it is told to, on the sandbox's time; and stops itself where it is told to.

It reads one JSON object a line from its input, `{"report": key, "days": [day, …]}`, and answers each with a line
`{"outcomes": {day: outcome}, "lines": […]}`.

With TORTURE_STOP=step it stops itself (SIGSTOP) the first time that it comes to that step: `landing` before it looks
at the file that it replaces, `checked` when it has found that it may replace it, `replaced` when it has done so and has
yet to note it. TORTURE_PATIENCE is how many seconds it waits for a locked ledger.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime
from typing import Any

import dagster as dg
import obstore
import requests

from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.materializations import Materializations
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.landing.storage import local_store as local
from reporting_dags.model.errors import ReportingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration import storage as home
from reporting_dags.orchestration.storage import OpenStorage, StorageResource, with_settings
from reporting_dags.providers.digital_turbine.resource import OfferWallResource
from reporting_dags.reports.registry import all_reports

VARIABLE = "TORTURE_STOP"


class TimeOfSandbox:
    """The sandbox's time, which the race moves; sleeping takes real time."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_sandbox/clock"
        self._session = requests.Session()

    def now(self) -> datetime:
        return datetime.fromisoformat(self._session.get(self._url, timeout=30).json()["now"])

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


def bring_home(opened: OpenStorage, report: Report, days: list[date]) -> dict[str, Any]:
    """How each day ended, and every line said."""
    clock = TimeOfSandbox(os.environ["DT_BASE_URL"])
    outcomes: dict[str, str] = {}
    lines: list[str] = []
    try:
        with closing(OfferWallResource().client(clock, opened.rates.pace(clock))) as provider:
            context = opened.pull_context(provider, clock, run=f"racer {os.getpid()}")
            for result in pull(context, report, days):
                outcomes[result.day.isoformat()] = str(result.outcome)
                lines += [result.error.line] if result.error else []
    except ReportingError as error:
        lines.append(f"{type(error).__name__}: {error.line}")
    return {"outcomes": outcomes, "lines": lines}


def stopping(work: Callable[..., Any], of: Callable[[tuple[Any, ...]], bool]) -> Callable[..., Any]:
    """`work`, but that this process stops itself before its first call that is `of` the step."""
    stopped = False

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal stopped
        if not stopped and of(arguments):
            stopped = True
            os.kill(os.getpid(), signal.SIGSTOP)
        return work(*arguments, **named)

    return call


def arm(step: str) -> None:
    """Let this process stop itself at `step`."""
    if step == "landing":
        Materializations.record_landed = stopping(Materializations.record_landed, lambda _: True)
    elif step == "checked":
        local.locked = stopping(local.locked, lambda _: True)
        obstore.put = stopping(obstore.put, lambda arguments: str(arguments[1]).endswith(".parquet"))
    elif step == "replaced":
        Database.write = stopping(Database.write, lambda arguments: arguments[1].__name__ == "note")
    else:
        raise SystemExit(f"no step {step!r}")


def main() -> None:
    """Answer every line until there is none."""
    home.LOCK_SECONDS = float(os.environ.get("TORTURE_PATIENCE", home.LOCK_SECONDS))
    if VARIABLE in os.environ:
        arm(os.environ[VARIABLE])
    reports = {report.key: report for report in all_reports()}
    with dg.DagsterInstance.ephemeral() as instance, StorageResource().open(instance) as opened:
        print(json.dumps({"ready": True}), flush=True)  # noqa: T201
        for line in sys.stdin:
            task = json.loads(line)
            days = [date.fromisoformat(day) for day in task["days"]]
            print(json.dumps(bring_home(opened, with_settings(reports[task["report"]]), days)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
