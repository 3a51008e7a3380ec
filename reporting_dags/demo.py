"""`make demo`: pulls the last 30 days of every report from the sandbox through Dagster, and prints a table."""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Collection, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import dagster as dg
import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table

from reporting_dags.definitions import definitions
from reporting_dags.jobs.building.build import due_builds
from reporting_dags.jobs.ledger.report_state import due_days
from reporting_dags.jobs.planning.report_health import CONTROL_TOTALS
from reporting_dags.landing.compute.sums import Sums
from reporting_dags.landing.reading.partitions import read_days, read_snapshot
from reporting_dags.local import (
    DAYS,
    change_settings,
    command_line,
    emulated_providers,
    make_home,
    sandbox,
    sandbox_environment,
    start_on,
)
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.column import MIXED
from reporting_dags.model.days import ONE_DAY, SNAPSHOT, Window, contiguous_ranges
from reporting_dags.model.errors import SettingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import BLOCKING, WARNINGS
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.network_build import NETWORK_DAILY, SUMS_MATCH
from reporting_dags.orchestration.partitions import first_partitions
from reporting_dags.orchestration.restatement import KEY as SETTLING
from reporting_dags.orchestration.sensors.late_data import late_tick, new_tick
from reporting_dags.orchestration.sensors.tick import Cursor
from reporting_dags.orchestration.storage import OpenStorage, StorageResource, start_date, with_settings
from reporting_dags.providers.resource import ProviderResource
from reporting_dags.reports.network import NETWORK, SOURCES
from reporting_dags.reports.registry import all_providers

_RECENT_CHECKS = 10_000
_AT_ONCE = 2
_RESTATED = "dt_offer_wall/performance"
"""The report of which the demo shows how days are restated."""
_RESTATED_DAYS = 10
"""As long as Digital Turbine restates a day (OW7)."""
_MOST_TICKS = 20
_TICK_SECONDS = 0.5
_MONEY = ("publisher_revenue", "revenue", "earnings", "spend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The line of one report in the table."""

    report: str
    days: int
    requested: int
    rows: int
    money: dict[str, Decimal]
    calls: int
    passed: int
    checks: int
    warnings: dict[str, int]

    @property
    def whole(self) -> bool:
        """Whether every requested day is stored and every blocking check of it passed."""
        return self.days == self.requested and self.checks > 0 and self.passed == self.checks


def run_demo(console: Console, *, home: Path, days: int = DAYS) -> bool:
    """Materialize what is missing or due of the last `days`, and print the table; return whether all checks passed."""
    make_home(home)
    with sandbox() as url:
        environment = sandbox_environment(url, home)
        with _environment(environment):
            demo = Demo(home, days, emulated_providers(url), console)
            first = demo.first_partition()
            start_on(first, home)
            reports = demo.reports
            # Two at a time: a run is mostly Dagster's own start and events, which keep a core busy.
            with demo.restatement(url), ThreadPoolExecutor(_AT_ONCE) as pool:
                try:
                    list(pool.map(demo.bring_home, reports))
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            demo.build_network()
            demo.check_totals(first)
            demo.draw()
            lines = [demo.line(report) for report in (*reports, NETWORK)]
    console.print(_table(lines, days))
    for line in lines:
        for name, count in line.warnings.items():
            console.print(
                f"{line.report}: {count} day{'s' if count > 1 else ''} with a warning of {name}", highlight=False
            )
    whole = all(line.whole for line in lines)
    console.print("every report is whole" if whole else "not every report is whole: see above", highlight=False)
    return whole


class Demo:
    """One run of the demo: which days of each report are pulled, and what has landed."""

    def __init__(self, home: Path, days: int, emulated: Collection[str], console: Console) -> None:
        self._home = home
        self._emulated = emulated
        self._console = console
        self._now = SystemClock().now()
        self.reports = self._served()
        # One first day for all reports, so that none has a partition that the demo leaves missing.
        newest = min(report.calendar.latest_available(self._now) for report in self.reports if report.partitioned)
        self._first = max(newest - timedelta(days=days - 1), start_date())
        with self._opened() as (opened, _):
            self._spent = {report.key: opened.ledger.quotas.count(report=report.key) for report in self.reports}

    def _served(self) -> list[Report]:
        """Return the reports of the providers that the sandbox emulates; the real ones of others are not called."""
        served: list[Report] = []
        for provider in all_providers():
            if provider.key in self._emulated:
                served += provider.reports
            else:
                self._console.print(f"{provider.key} is left out: the sandbox does not emulate it", highlight=False)
        return served

    def window(self, report: Report) -> Window:
        """Return the days that the demo pulls: the last ones, as far as the provider still has them."""
        if not report.partitioned:
            return Window(SNAPSHOT, SNAPSHOT)
        calendars = [source.report.calendar for source in SOURCES] if report is NETWORK else [report.calendar]
        last = max(calendar.latest_available(self._now) for calendar in calendars)
        first = max(self._first, report.calendar.earliest_available(self._now))
        if first > last:
            advice = "Set REPORTING_START_DATE to a day that has passed."
            raise SettingError(f"{report.key} has no day from {first} on yet", advice=advice)
        return Window(first, last)

    def first_partition(self) -> date:
        """Return the first day from which every partition of a report has landed, or can land now.

        It is the first day of the window, unless later days are missing that the provider no longer has: some of User
        Level, if the last demo was weeks ago.
        """
        first = self._first
        reports = [report for report in self.reports if report.partitioned]
        shown = first_partitions(reports, first, StorageResource().first_requested(first), self._now)
        with self._opened() as (_, instance):
            for report in reports:
                if shown[report.key] < (oldest := report.calendar.earliest_available(self._now)):
                    window = Window(shown[report.key], oldest - ONE_DAY)
                    first = max([first, *(day + ONE_DAY for day in self._unknown(report, window, instance))])
        return first

    def bring_home(self, report: Report) -> None:
        """Materialize what is missing or due."""
        window = self.window(report)
        with self._opened() as (opened, instance):
            due = due_days(
                with_settings(report), since=window.first, ledger=opened.ledger, data=opened.data, now=self._now
            )
            requested = set(due) | (self._unknown(report, window, instance) if report.partitioned else set())
        self._materialize(report, requested)

    @contextmanager
    def restatement(self, url: str) -> Generator[None]:
        """Within this context, the provider restates recent days of one report: their numbers are not final yet.

        Only if nothing of the report has landed yet.
        """
        report = next((report for report in self.reports if report.key == _RESTATED), None)
        if report is None:
            yield
            return
        with self._opened() as (opened, _):
            landed = bool(opened.ledger.materializations.days(report.key))
        if not landed:
            change_settings(url, "dt", restate_days=_RESTATED_DAYS)
        yield
        if not landed:
            change_settings(url, "dt", restate_days=0)
            self._materialize(report, set(self.window(report).days[-_RESTATED_DAYS:]))

    def check_totals(self, start: date) -> None:
        """Compare the landed days with the control totals of the providers, by ticks of the late-data sensors."""
        loaded, reports = definitions(), self.reports
        firsts = first_partitions(reports, start, StorageResource().first_requested(start), self._now)
        for provider in dict.fromkeys(report.provider for report in reports):
            resource = cast("ProviderResource", (loaded.resources or {})[provider])
            own = [report for report in reports if report.provider == provider]
            cursor = Cursor()
            for _ in range(_MOST_TICKS):
                with self._opened() as (_, instance):
                    tick = new_tick(start, firsts, cursor)
                    late_tick(instance, StorageResource(), resource, own, tick)
                    for event in tick.events:
                        instance.report_runless_asset_event(event)  # pyright: ignore[reportArgumentType]
                    if not self._awaits_totals(own, instance):
                        break
                time.sleep(_TICK_SECONDS)

    def _awaits_totals(self, reports: list[Report], instance: dg.DagsterInstance) -> bool:
        """Return whether control totals of one of `reports` were not compared yet."""
        keys = [dg.AssetCheckKey(key_of(report), CONTROL_TOTALS) for report in reports if report.control]
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
        events = [record.event.dagster_event for record in latest.values() if record.event]
        compared = [event.asset_check_evaluation_data.metadata.get("days_compared") for event in events if event]
        return len([count for count in compared if count is not None]) < len(keys)

    def draw(self) -> None:
        """Materialize network/settling."""
        self._run(SETTLING.to_user_string())

    def build_network(self) -> None:
        """Build the days of network/daily that are missing, or of which a source has landed since."""
        window = self.window(NETWORK)
        with self._opened() as (opened, instance):
            changed = due_builds(NETWORK_DAILY, since=window.first, ledger=opened.ledger)
            requested = self._unknown(NETWORK, window, instance) | {day for day in changed if day in window}
        self._materialize(NETWORK, requested)

    def _unknown(self, report: Report, window: Window, instance: dg.DagsterInstance) -> set[date]:
        known = instance.get_materialized_partitions(key_of(report))
        return {day for day in window.days if day.isoformat() not in known}

    def _materialize(self, report: Report, days: set[date]) -> None:
        if not days:
            self._console.print(f"{report.key}: nothing is missing or due", highlight=False)
        for stretch in contiguous_ranges(days):
            self._console.print(f"{report.key}: materializing {stretch}", highlight=False)
            partitions = ["--partition-range", f"{stretch.first}...{stretch.last}"] if report.partitioned else []
            self._run(report.key, *partitions)

    def _run(self, key: str, *partitions: str) -> None:
        command = command_line("asset", "materialize", "-m", "reporting_dags.definitions")
        command += ["--select", f'key:"{key}"', *partitions]
        log = self._home / f"demo_{key.replace('/', '_')}.log"
        with log.open("ab") as sink:
            done = subprocess.run(  # noqa: S603 - our own command
                command, cwd=self._home, stdout=sink, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode:
            text = f"{' '.join([key, *partitions[1:]])}: the run failed; its log is {log}"
            self._console.print(text, style="red", highlight=False)

    def line(self, report: Report) -> Line:
        """Return the line of a report: rows and money from its files, check results from Dagster."""
        window = self.window(report)
        with self._opened() as (opened, instance):
            there = [day for day in window.days if opened.data.exists(report.file(day))] if report.partitioned else []
            if report.partitioned:
                table = read_days(opened.data, report, there)
            else:
                table = read_snapshot(opened.data, report, allow_missing=True)
            latest = _latest_checks(report, window, instance)
            calls = opened.ledger.quotas.count(report=report.key) - self._spent.get(report.key, 0)
            snapshot_there = not report.partitioned and opened.data.exists(report.file(window.last))
        blocking = (SUMS_MATCH,) if report is NETWORK else tuple(BLOCKING)
        failed = Counter(name for (name, _), passed in latest.items() if name in WARNINGS and not passed)
        return Line(
            report=report.key,
            days=len(there) or int(snapshot_there),
            requested=len(window),
            rows=table.num_rows,
            money=_money(report, table),
            calls=calls,
            passed=sum(passed for (name, _), passed in latest.items() if name in blocking),
            checks=len(blocking) * len(window),
            warnings=dict(failed),
        )

    @contextmanager
    def _opened(self) -> Generator[tuple[OpenStorage, dg.DagsterInstance]]:
        with dg.DagsterInstance.from_config(str(self._home)) as instance, StorageResource().open(instance) as opened:
            yield opened, instance


def _money(report: Report, table: pa.Table) -> dict[str, Decimal]:
    """Return the earnings, or else the spend, by currency."""
    sums = Sums(report)
    for batch in table.to_batches():
        sums.add(batch)
    result = sums.money()
    return dict(next((result[name] for name in _MONEY if name in result), {}))


def _latest_checks(report: Report, window: Window, instance: dg.DagsterInstance) -> dict[tuple[str, date], bool]:
    """Return the latest result of each check for each day; of a snapshot, for the day on which it was taken."""
    latest: dict[tuple[str, date], bool] = {}
    for name in (*BLOCKING, SUMS_MATCH, *WARNINGS):
        key = dg.AssetCheckKey(key_of(report), name)
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=_RECENT_CHECKS)
        for record in reversed(history):
            event = record.event.dagster_event if record.event else None
            if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                continue  # planned by a run that never came to it
            evaluation = event.asset_check_evaluation_data
            day = date.fromisoformat(evaluation.partition) if evaluation.partition else None
            if not report.partitioned:
                latest[name, window.last] = evaluation.passed
            elif day is not None and day in window:
                latest[name, day] = evaluation.passed
    return latest


def _table(lines: list[Line], days: int) -> Table:
    table = Table(title=f"The last {days} days, from the provider sandbox", box=box.SIMPLE_HEAD)
    table.add_column("report", no_wrap=True)
    for heading in ("days", "rows", "money"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("provider calls", justify="right")
    table.add_column("checks passed", justify="right")
    for line in lines:
        cells = [
            (amount, "mixed" if currency == MIXED else currency) for currency, amount in line.money.items() if amount
        ]
        money = ", ".join(f"{amount:,.2f} {currency}".strip() for amount, currency in cells)
        table.add_row(
            line.report,
            f"{line.days}/{line.requested}",
            f"{line.rows:,}",
            money or "-",
            str(line.calls),
            f"{line.passed}/{line.checks}",
        )
    return table


@contextmanager
def _environment(variables: dict[str, str]) -> Generator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
