"""Commands beside Dagster's own, for the make targets."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
import typer
from dotenv import dotenv_values
from rich import box
from rich.console import Console
from rich.table import Table

from reporting_dags.jobs.calls import renewed
from reporting_dags.jobs.verify import Verified, forgotten, verify
from reporting_dags.model.clock import Clock, SystemClock
from reporting_dags.model.days import Window
from reporting_dags.model.errors import DeclarationError, ReportingError, SettingError
from reporting_dags.model.report import Report

try:
    from reporting_dags.definitions import definitions
    from reporting_dags.demo import DAYS, run_demo
    from reporting_dags.local import HOME, command_line, make_home, sandbox, sandbox_environment
    from reporting_dags.orchestration.home import PROJECT, OpenHome, ReportingHome, as_set
    from reporting_dags.providers.resource import ProviderResource
    from reporting_dags.reports.catalog import all_reports
    from reporting_dags.reports.dictionary import dictionary
    from reporting_dags.reports.network import NETWORK
except DeclarationError as wrong:
    # Declarations are made while they are imported: the one line says it all.
    sys.exit(wrong.line)

app = typer.Typer(no_args_is_help=True, add_completion=False, help="reporting_dags: ad networks' reports, home daily.")


@app.command()
def demo(days: int = DAYS, home: Path = HOME) -> None:
    """Bring the last days of every report home from the provider sandbox; exits 0 only if every check passed."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    _stop_in_order()
    try:
        whole = run_demo(console, home=home.absolute(), days=days)
    except ReportingError as error:
        console.print(error.line, style="red", highlight=False)
        whole = False
    except KeyboardInterrupt:
        console.print("interrupted; the next demo goes on from here", style="red", highlight=False)
        raise typer.Exit(130) from None
    raise typer.Exit(0 if whole else 1)


@app.command()
def instance(home: Path = HOME) -> None:
    """Make the local instance's folder, and nothing else."""
    make_home(home.absolute())


@app.command()
def docs(file: Path = PROJECT / "docs" / "datasets.md") -> None:
    """Write the data dictionary from the declarations."""
    file.write_text(dictionary(all_reports(), [NETWORK]), encoding="utf-8")


@app.command()
def ui(port: int | None = None, home: Path = HOME) -> None:
    """Open the Dagster UI (webserver and daemon) on the demo's instance, with the provider sandbox running.

    Without a port Dagster takes 3000, or a free one when that is taken.
    """
    _stop_in_order()
    folder = make_home(home.absolute())
    command = command_line("dev", "-w", str(PROJECT / "workspace.yaml"))
    command += [] if port is None else ["--port", str(port)]
    with sandbox() as url:
        environment = sandbox_environment(url, folder)
        process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)  # noqa: S603
        try:
            process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()


_DAY = ["%Y-%m-%d"]


@app.command("verify")
def verify_command(
    reports: Annotated[list[str] | None, typer.Argument(help="provider/report; all of them if none is named")] = None,
    first: Annotated[datetime | None, typer.Option(formats=_DAY, help="first day to read")] = None,
    last: Annotated[datetime | None, typer.Option(formats=_DAY, help="last day to read")] = None,
) -> None:
    """Read every landed day back and compare it with the ledger: bytes, rows, every value and the sums of money.

    Exits 0 only if all of it is whole. Reads the ledger of DAGSTER_HOME; changes nothing.
    """
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, soft_wrap=True)
    found: list[Verified] = []
    try:
        window = Window(first.date() if first else date.min, last.date() if last else date.max)
        with _opened() as opened:
            chosen = _chosen(reports or [], opened)
            for verified in verify(chosen, window=window, built={NETWORK.key}, ledger=opened.ledger, data=opened.data):
                found.append(verified)
                for finding in verified.findings:
                    console.print(
                        f"{finding.subject}: {finding.told}", style="red" if finding.damage else None, markup=False
                    )
                    if finding.mend:
                        console.print(f"    {finding.mend}", markup=False)
    except (ReportingError, ValueError) as error:
        console.print(error.line if isinstance(error, ReportingError) else str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(_table(found))
    days = sum(verified.days for verified in found)
    damaged = sum(finding.damage for verified in found for finding in verified.findings)
    if not days and not damaged:
        console.print("no day has landed there: nothing was verified", style="red")
    elif damaged:
        console.print(f"not whole: {damaged} finding{'s' if damaged > 1 else ''} above", style="red")
    else:
        console.print(f"{days} day{'s are' if days > 1 else ' is'} whole")
    raise typer.Exit(0 if days and not damaged else 1)


def _chosen(names: Sequence[str], opened: OpenHome) -> list[Report[Any]]:
    declared = [*map(as_set, all_reports()), NETWORK]
    known = [*declared, *forgotten(declared, ledger=opened.ledger, data=opened.data)]
    keys = {report.key for report in known}
    if unknown := [name for name in names if name not in keys]:
        raise SettingError(f"there is no report {unknown[0]}", advice=f"There are: {', '.join(sorted(keys))}")
    return [report for report in known if not names or report.key in names]


@app.command()
def quotas() -> None:
    """Tell what is left today of every quota of the accounts that are connected. Asks no provider."""
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("calls", "a day", "left today", "of them kept for the newest day", "renewed"):
        table.add_column(heading, justify="left" if heading in {"calls", "renewed"} else "right")
    clock = SystemClock()
    try:
        with _opened() as opened:
            for name, resource in sorted((definitions().resources or {}).items()):
                if isinstance(resource, ProviderResource):
                    for row in _quotas(name, resource, opened, clock):
                        table.add_row(*row)
    except ReportingError as error:
        console.print(error.line, style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(table)


def _quotas(name: str, resource: ProviderResource, opened: OpenHome, clock: Clock) -> Generator[tuple[str, ...]]:
    try:
        provider = resource.client(clock)
    except SettingError as error:
        yield (name, "", "", "", error.message.partition(":")[0])
        return
    with closing(provider):
        for quota in provider.quotas:
            left = opened.ledger.calls.left(quota, opened.ledger.accounts.of(provider.account), clock.now())
            if left is not None:
                at = f"{renewed(clock.now()):%Y-%m-%d %H:%M} UTC"
                yield (quota.api, str(quota.per_day), str(left[0]), str(left[1]), at)


@contextmanager
def _opened() -> Generator[OpenHome]:
    """The places of DAGSTER_HOME, with the settings that a run started in this folder would have."""
    # Dagster's commands read the .env of the folder in which they run, above all else.
    os.environ.update({name: value for name, value in dotenv_values(Path.cwd() / ".env").items() if value is not None})
    home = os.environ.get("DAGSTER_HOME", "")
    if not home or not Path(home).is_dir():
        raise SettingError(
            f"DAGSTER_HOME is {'no folder' if home else 'not set'}",
            advice="Set it to the instance whose ledger is meant.",
        )
    with dg.DagsterInstance.ephemeral() as instance, ReportingHome().open(instance) as opened:
        yield opened


def _table(found: Sequence[Verified]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("report", no_wrap=True)
    for heading in ("days", "rows", "whole"):
        table.add_column(heading, justify="right", no_wrap=True)
    for verified in found:
        table.add_row(
            verified.report,
            str(verified.days),
            f"{verified.rows:,}",
            f"{verified.whole}/{verified.days}",
            style=None if verified.sound else "red",
        )
    return table


def _stop_in_order() -> None:
    """Asked to stop in either way, children are stopped first; a shell's background jobs ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


if __name__ == "__main__":
    app()
