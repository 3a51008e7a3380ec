"""`make demo`: the last 30 days of every report, brought home from the sandbox through Dagster, and a table of it."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
from rich import box
from rich.console import Console
from rich.table import Table

from reporting_dags.jobs.due import due_days
from reporting_dags.landing.store import partition_key
from reporting_dags.local import command_line, make_home, sandbox, sandbox_environment
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import Window
from reporting_dags.model.errors import SettingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.checks import BLOCKING, VOLUME
from reporting_dags.orchestration.home import OpenHome, ReportingHome, start_date
from reporting_dags.orchestration.schedules import unbroken
from reporting_dags.reports.catalog import all_reports

DAYS = 30
_RECENT_CHECKS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One report's line of the table."""

    report: str
    days: int
    wanted: int
    rows: int
    money: dict[str, Decimal]
    calls: int
    passed: int
    checks: int
    warnings: int

    @property
    def whole(self) -> bool:
        """Whether every wanted day lies there and every blocking check of it passed."""
        return self.days == self.wanted and self.checks > 0 and self.passed == self.checks


def run_demo(console: Console, *, home: Path, days: int = DAYS) -> bool:
    """Materialize what is missing or due of the last `days`, and print the table; True when all of it holds."""
    make_home(home)
    with sandbox() as url:
        environment = sandbox_environment(url, home)
        with _environment(environment):
            lines = [_bring_home(report, home, days, environment, console) for report in all_reports()]
    console.print(_table(lines, days))
    for line in lines:
        if line.warnings:
            console.print(f"{line.report}: {line.warnings} days with a volume far from the median (a warning)")
    whole = all(line.whole for line in lines)
    console.print("every report is whole" if whole else "not every report is whole: see above", highlight=False)
    return whole


def _bring_home(report: Report[Any], home: Path, days: int, environment: dict[str, str], console: Console) -> Line:
    now = SystemClock().now()
    last = report.calendar.newest(now)
    first = max(last - timedelta(days=days - 1), report.calendar.oldest(now), start_date())
    if first > last:
        raise SettingError(
            f"{report.key} has no day from {first} on yet", advice="Set REPORTING_START_DATE to a day that has passed."
        )
    window = Window(first, last)
    with _opened(home) as (opened, instance):
        spent = opened.ledger.calls(report=report.key)
        due = set(due_days(report, since=first, ledger=opened.ledger, data=opened.data, now=now))
        known = instance.get_materialized_partitions(_asset_key(report))
    wanted = sorted(due | {day for day in window.days if day.isoformat() not in known})
    for stretch in unbroken(wanted, report.window_days):
        console.print(f"{report.key}: materializing {stretch}", highlight=False)
        _materialize(report, stretch, home, environment, console)
    if not wanted:
        console.print(f"{report.key}: nothing is missing or due", highlight=False)
    with _opened(home) as (opened, instance):
        return _line(report, window, opened, instance, spent)


def _materialize(
    report: Report[Any], window: Window, home: Path, environment: dict[str, str], console: Console
) -> None:
    command = command_line("asset", "materialize", "-m", "reporting_dags.definitions")
    command += ["--select", f'key:"{report.key}"', "--partition-range", f"{window.first}...{window.last}"]
    log = home / "demo.log"
    with log.open("ab") as sink:
        done = subprocess.run(  # noqa: S603 - our own command
            command, cwd=home, env=environment, stdout=sink, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        console.print(f"{report.key} {window}: the run failed; its log is {log}", style="red", highlight=False)


def _line(report: Report[Any], window: Window, opened: OpenHome, instance: dg.DagsterInstance, spent: int) -> Line:
    landed = {
        day: facts
        for day, facts in opened.ledger.days(report.key).items()
        if day in window and opened.data.exists(partition_key(report.key, day))
    }
    money: dict[str, Decimal] = {}
    for facts in landed.values():
        for sums in facts.money_sums.values():
            for currency, amount in sums.items():
                money[currency] = money.get(currency, Decimal()) + amount
    latest = _latest_checks(report, window, instance)
    blocking = [passed for (name, _), passed in latest.items() if name in BLOCKING]
    return Line(
        report=report.key,
        days=len(landed),
        wanted=len(window),
        rows=sum(facts.rows for facts in landed.values()),
        money=money,
        calls=opened.ledger.calls(report=report.key) - spent,
        passed=sum(blocking),
        checks=len(BLOCKING) * len(window),
        warnings=sum(not passed for (name, _), passed in latest.items() if name == VOLUME),
    )


def _latest_checks(report: Report[Any], window: Window, instance: dg.DagsterInstance) -> dict[tuple[str, date], bool]:
    """The last result of each check for each day, as Dagster recorded it."""
    latest: dict[tuple[str, date], bool] = {}
    for name in (*BLOCKING, VOLUME):
        key = dg.AssetCheckKey(_asset_key(report), name)
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=_RECENT_CHECKS)
        for record in reversed(history):
            event = record.event.dagster_event if record.event else None
            if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                continue  # planned by a run that never came to it
            told = event.asset_check_evaluation_data
            if told.partition and date.fromisoformat(told.partition) in window:
                latest[name, date.fromisoformat(told.partition)] = told.passed
    return latest


def _table(lines: list[Line], days: int) -> Table:
    table = Table(title=f"The last {days} days, from the provider sandbox", box=box.SIMPLE_HEAD)
    table.add_column("report", no_wrap=True)
    for heading in ("days", "rows", "money"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("provider calls", justify="right")
    table.add_column("checks passed", justify="right")
    for line in lines:
        money = ", ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(line.money.items()))
        table.add_row(
            line.report,
            f"{line.days}/{line.wanted}",
            f"{line.rows:,}",
            money or "-",
            str(line.calls),
            f"{line.passed}/{line.checks}",
        )
    return table


def _asset_key(report: Report[Any]) -> dg.AssetKey:
    return dg.AssetKey([report.provider, report.name])


@contextmanager
def _opened(home: Path) -> Generator[tuple[OpenHome, dg.DagsterInstance]]:
    with dg.DagsterInstance.from_config(str(home)) as instance, ReportingHome().open(instance) as opened:
        yield opened, instance


@contextmanager
def _environment(wanted: dict[str, str]) -> Generator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
