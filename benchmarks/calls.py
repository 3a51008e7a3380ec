"""How many provider calls a backfill costs: each report in one `dagster asset materialize`, counted by the sandbox.

`python -m benchmarks.calls` prints, for each report, what the provider saw, the least that its documents allow, and
what one call a day would cost. It exits 1 if a report cost more than the least, or did not land whole.
"""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from reporting_dags.local import command_line, sandbox_environment
from reporting_dags.model.days import Window
from reporting_dags.model.report import Report
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS
from reporting_dags.sandbox.server import Sandbox, running_sandbox

POINTS = {
    "dt_offer_wall": ("dt.report", "queries"),
    "dt_user_level": ("dt.user_level", "queries"),
    "mintegral": ("mintegral.generate", "jobs"),
    "orangeclick": ("orangeclick.generate", "requests"),
    "integr8": ("integr8.export", "exports"),
}
"""Where the sandbox sees the calls that a provider counts, and what they are called."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one report's backfill cost."""

    report: str
    days: int
    landed: int
    spent: int
    least: int
    singly: int
    kind: str

    @property
    def holds(self) -> bool:
        """Whether every day is there and nothing was spent without success."""
        return self.landed == self.days and self.spent == self.least


def measure(report: Report, days: int) -> Cost:
    """Backfill the report's last `days`, or as many as are served, from a sandbox and into a home of its own."""
    now = datetime.now(UTC)
    last = report.calendar.latest_available(now)
    window = Window(max(last - timedelta(days=days - 1), report.calendar.earliest_available(now)), last)
    with running_sandbox(seed=7) as sandbox, TemporaryDirectory(prefix="reporting_calls_") as folder:
        home = Path(folder)
        environment = {
            **sandbox_environment(sandbox.url, home),
            "REPORTING_DATA_URL": str(home / "data"),
            "REPORTING_START_DATE": window.first.isoformat(),
        }
        command = command_line("asset", "materialize", "-m", "reporting_dags.definitions")
        command += ["--select", f'key:"{report.key}"', "--partition-range", f"{window.first}...{window.last}"]
        subprocess.run(command, cwd=home, env=environment, capture_output=True, check=False)  # noqa: S603 - our own command
        landed = sum((home / "data" / report.file(day)).exists() for day in window.days)
        spent = _seen(sandbox, report)
    parts = len(USER_LEVEL_APPS) if report.provider == "dt_user_level" else 1
    least = -(-len(window) // report.window_days) * parts
    return Cost(report.key, len(window), landed, spent, least, len(window) * parts, POINTS[report.provider][1])


def _seen(sandbox: Sandbox, report: Report) -> int:
    """Calls as the provider counts them; asking again after the same job is no new one."""
    entries = sandbox.log.entries(POINTS[report.provider][0])
    jobs = {entry.facts["job"] for entry in entries if "job" in entry.facts}
    return len(jobs) if report.provider == "mintegral" else len(entries)


def main(days: int = 90, only: str = "") -> None:
    """Measure every daily report whose key contains `only`, two at a time, and print the table."""
    reports: Sequence[Report] = [item for item in all_reports() if item.partitioned and only in item.key]
    with ThreadPoolExecutor(2) as pool:
        costs = list(pool.map(measure, reports, [days] * len(reports)))
    table = Table(title=f"Provider calls of one backfill of {days} days", box=box.SIMPLE_HEAD)
    table.add_column("report", no_wrap=True)
    for heading in ("days landed", "spent", "least", "a call a day"):
        table.add_column(heading, justify="right", no_wrap=True)
    for cost in costs:
        landed = f"{cost.landed}/{cost.days}"
        table.add_row(cost.report, landed, f"{cost.spent} {cost.kind}", str(cost.least), str(cost.singly))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    bad = [cost.report for cost in costs if not cost.holds]
    console.print(
        f"not the least, or not whole: {', '.join(bad)}" if bad else "every backfill cost the least", highlight=False
    )
    raise typer.Exit(1 if bad else 0)


if __name__ == "__main__":
    typer.run(main)
