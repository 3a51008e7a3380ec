"""`make month`: a simulated month in which every schedule and sensor ticks and every run is executed; a table."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from rich import box
from rich.console import Console
from rich.table import Table

from reporting_dags_tests.month.books import LOOKBACKS, Bill
from reporting_dags_tests.month.daemon import real_days
from reporting_dags_tests.month.months import Month, month
from reporting_dags_tests.month.nights import FAULTS, night
from reporting_dags_tests.month.world import Script

PARTS = (("dt_user_level", "mintegral"), ("integr8",), ("orangeclick", "dt_offer_wall"))
"""Providers side by side, each part a deployment of its own: one goes on while another waits for its database."""

_LONGEST_SECONDS = 20 * 60


def main() -> int:
    """Run it, print it; 0 only if all held."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    script, began = Script(), time.monotonic()
    with ProcessPoolExecutor(1 + len(PARTS), mp_context=get_context("spawn")) as pool:
        beside = pool.submit(real_days)
        parts = [pool.submit(month, part, script) for part in PARTS]
        nights = [pool.submit(night, fault) for fault in FAULTS]
        months, wrong, real = list[Month](), list[str](), list[str]()
        for part, future in zip(PARTS, parts, strict=True):
            try:
                months.append(future.result())
                wrong += months[-1].wrong
            except Exception as error:  # noqa: BLE001 - a part that breaks must not hide the others
                wrong.append(f"{', '.join(part)}: {type(error).__name__}: {error}")
        for fault, future in zip(FAULTS, nights, strict=True):
            try:
                wrong += future.result().wrong
            except Exception as error:  # noqa: BLE001 - as above
                wrong.append(f"night with {fault}: {type(error).__name__}: {error}")
        try:
            real = beside.result()
        except (RuntimeError, TimeoutError) as error:
            wrong.append(f"with the real daemon: {error}")
    bills = [bill for one in months for bill in one.bills]
    console.print("what befell the providers:", *sorted({line for one in months for line in one.happened}), sep="\n  ")
    console.print(_table(bills))
    failed: Counter[str] = sum((one.failed for one in months), Counter())
    console.print(
        "runs that failed, by cause:", *[f"{count:>4} {why}" for why, count in failed.most_common()], sep="\n  "
    )
    console.print("with the real daemon on the real clock:", *real, sep="\n  ", markup=False)
    seconds = time.monotonic() - began
    if seconds > _LONGEST_SECONDS:
        wrong.append(f"it took longer than {_LONGEST_SECONDS // 60} minutes: let it run alone on the machine")
    for line in wrong:
        console.print(f"WRONG: {line}", markup=False)
    console.print(_summary(months, bills, script, seconds, len(wrong)), soft_wrap=True)
    return 1 if wrong or not bills else 0


def _table(bills: Sequence[Bill]) -> Table:
    table = Table(title="Calls that providers count, and days pulled", box=box.SIMPLE_HEAD)
    table.add_column("report", no_wrap=True)
    headings = ("days right", "calls", "of them controls", "least", *(f"{length}-day lookback" for length in LOOKBACKS))
    more = ("days pulled", "least", *(f"{length}-day lookback" for length in LOOKBACKS))
    for heading in (*headings, *more):
        table.add_column(heading, justify="right")
    for one in bills:
        days = f"{one.right}/{one.days}"
        calls = (one.calls, one.controls, one.least, *one.lookbacks)
        pulled = (one.pulled, one.least_pulled, *one.lookbacks_pulled)
        table.add_row(one.report, days, *map(str, (*calls, *pulled)))
    return table


def _summary(months: Sequence[Month], bills: Sequence[Bill], script: Script, seconds: float, wrong: int) -> str:
    minutes, rest = divmod(int(seconds), 60)
    spent = {
        "calls": sum(one.calls for one in bills),
        "of them controls": sum(one.controls for one in bills),
        "least": sum(one.least for one in bills),
    }
    for place, length in enumerate(LOOKBACKS):
        spent[f"{length} days looked back"] = sum(one.lookbacks[place] for one in bills)
    told = (
        f"month: {script.days} days and {script.tail} more in {minutes}:{rest:02d}",
        f"{sum(one.ticks for one in months)} ticks, {sum(one.runs for one in months)} runs",
        f"{sum(one.right for one in bills)} of {sum(one.days for one in bills)} report-days as last at the provider",
        ", ".join(f"{name} {calls}" for name, calls in spent.items()),
        f"{sum(one.late for one in months)} report-days late, of which untold after an hour: "
        + str(sum(len(one.untold) for one in months)),
        f"worker-seconds waited for scheduled days: {sum(one.waited for one in months):.0f}",
        f"jobs were open for {sum(one.open_hours for one in months):.0f} hours",
        f"{wrong} things did NOT hold" if wrong else "all held",
    )
    return "; ".join(told)


if __name__ == "__main__":
    sys.exit(main())
