"""The commands of `reporting-dags`."""

import os
import shlex
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import dagster as dg
import typer
from dotenv import dotenv_values
from rich import box
from rich.console import Console
from rich.table import Table

from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.quota import renews_at
from reporting_dags.jobs.verification.verify import Locations, VerifiedReport, forgotten, verify
from reporting_dags.model.clock import Clock, SystemClock
from reporting_dags.model.days import Window
from reporting_dags.model.errors import DeclarationError, ReportingError, SettingError, StorageError
from reporting_dags.model.report import Report

try:
    from reporting_dags.definitions import definitions
    from reporting_dags.local import DAYS, HOME, NEW_INSTANCE, make_instance
    from reporting_dags.orchestration.storage import CHECKOUT, PROJECT, OpenStorage, StorageResource, with_settings
    from reporting_dags.providers.resource import ProviderResource
    from reporting_dags.reports.dictionary import dictionary
    from reporting_dags.reports.network import NETWORK
    from reporting_dags.reports.registry import all_providers, all_reports
    from reporting_dags.scaffold.new_network import write_network
except DeclarationError as wrong:
    # Declarations are made while they are imported: the one line says it all.
    sys.exit(wrong.line)

app = typer.Typer(no_args_is_help=True, add_completion=False, help="reporting_dags: ad networks' reports, home daily.")


@app.command()
def demo(days: int = DAYS, home: Path = HOME) -> None:
    """Pull the last days of every report from the provider sandbox; exits 0 only if every check passed."""
    from reporting_dags.demo import run_demo  # noqa: PLC0415 - of the sandbox, which production commands do not load

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
def instance(home: Path = NEW_INSTANCE) -> None:
    """Create the folder of an instance: dagster.yaml, workspace.yaml and .env. Existing files are not changed."""
    try:
        for line in make_instance(home.expanduser().absolute()):
            typer.echo(line)
    except ReportingError as error:
        typer.echo(error.line, err=True)
        raise typer.Exit(1) from None


@app.command()
def docs(file: Path | None = PROJECT / "docs" / "datasets.md" if CHECKOUT else None) -> None:
    """Write the data dictionary from the declarations; an installed package needs --file."""
    try:
        _write_dictionary(file)
    except ReportingError as error:
        typer.echo(error.line, err=True)
        raise typer.Exit(1) from None


def _write_dictionary(file: Path | None) -> None:
    if file is None:
        raise SettingError("no file is named for the data dictionary", advice="Fix: add --file datasets.md")
    try:
        file.write_text(dictionary(all_reports(), [NETWORK]), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}") from None


@app.command("new-network")
def new_network(
    name: Annotated[str, typer.Argument(help="key of the provider, such as my_network")],
    folder: Annotated[Path, typer.Option(help="folder in which the package's folder is made")] = Path(),
) -> None:
    """Write the package of a new network; its tests say what is left to write. See CONTRIBUTING.md."""
    try:
        registered = [provider.key for provider in all_providers()]
        package = write_network(name, folder.expanduser().absolute(), registered=registered)
    except ReportingError as error:
        typer.echo(error.line, err=True)
        raise typer.Exit(1) from None
    typer.echo(f"wrote {package}; next: cd {shlex.quote(str(package))} && pip install -e '.[test]' && pytest")


@app.command()
def ui(port: Annotated[int | None, typer.Option(min=1, max=65535)] = None, home: Path = HOME) -> None:
    """Open the Dagster UI (webserver and daemon) on the demo's instance, with the provider sandbox running.

    Without a port it is 3000, or the next free one if 3000 is taken.
    """
    from reporting_dags.ui import run_ui  # noqa: PLC0415 - of the sandbox, as above

    try:
        status = run_ui(home.expanduser().absolute(), port, typer.echo)
    except ReportingError as error:
        typer.echo(error.line, err=True)
        status = 1
    raise typer.Exit(status)


_DAY = ["%Y-%m-%d"]


@app.command("verify")
def verify_command(
    reports: Annotated[list[str] | None, typer.Argument(help="provider/report; all of them if none is named")] = None,
    first: Annotated[datetime | None, typer.Option(formats=_DAY, help="first day to read")] = None,
    last: Annotated[datetime | None, typer.Option(formats=_DAY, help="last day to read")] = None,
) -> None:
    """Read every landed partition and compare it with the ledger: bytes, rows, every value and the sums of money.

    Partitions that are damaged in the same way are one finding, with the commands that repair them. Exits 0 only if all
    partitions are intact. Reads the ledger of DAGSTER_HOME; changes nothing.
    """
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, soft_wrap=True)
    results: list[VerifiedReport] = []
    try:
        window = Window(first.date() if first else date.min, last.date() if last else date.max)
        place = StorageResource().missing_ledger(_home())
        declared = [*map(with_settings, all_reports()), NETWORK]
        if place:
            _chosen(reports or [], declared)
            raise StorageError(f"no ledger in {place}: nothing has been landed by this instance")
        with _opened() as opened:
            places = Locations(
                ledger=opened.ledger,
                data=opened.data,
                raw=opened.raw,
                scratch=opened.scratch,
                now=SystemClock().now(),
            )
            known = [*declared, *forgotten(declared, ledger=opened.ledger, data=opened.data)]
            chosen = _chosen(reports or [], known)
            for verified in verify(chosen, window=window, built={NETWORK.key}, places=places):
                results.append(verified)
                for finding in verified.findings:
                    line = f"{finding.subject}: {finding.message}"
                    console.print(line, style="red" if finding.damage else None, markup=False)
                    for fix in finding.fix:
                        console.print(f"    {fix}", markup=False)
    except (ReportingError, ValueError) as error:
        console.print(error.line if isinstance(error, ReportingError) else str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(_table(results))
    days = sum(verified.days for verified in results)
    damaged = sum(finding.damage for verified in results for finding in verified.findings)
    if not days and not damaged:
        console.print("no day has landed there: nothing was verified", style="red")
    elif damaged:
        console.print(f"not whole: {damaged} finding{'s' if damaged > 1 else ''} above", style="red")
    else:
        console.print(f"{days} day{'s are' if days > 1 else ' is'} whole")
    raise typer.Exit(0 if days and not damaged else 1)


def _chosen(names: Sequence[str], known: Sequence[Report]) -> list[Report]:
    keys = {report.key for report in known}
    if unknown := [name for name in names if name not in keys]:
        raise SettingError(f"there is no report {unknown[0]}", advice=f"There are: {', '.join(sorted(keys))}")
    return [report for report in known if not names or report.key in names]


@app.command()
def quotas() -> None:
    """List the quotas and rate limits of every connected network, and what is left today. Calls no provider."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("calls", "a day", "left today", "reserved for latest day", "renewed", "rate limit"):
        table.add_column(heading, justify="right" if heading in {"left today", "reserved for latest day"} else "left")
    place = ""
    try:
        place = StorageResource().missing_ledger(_home())
        with nullcontext() if place else _opened() as opened:
            for name, resource in sorted((definitions().resources or {}).items()):
                if isinstance(resource, ProviderResource):
                    for row in _quotas(name, resource, None if opened is None else opened.ledger, SystemClock()):
                        table.add_row(*row)
    except ReportingError as error:
        console.print(error.line, style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(table)
    if place:
        console.print(f"no ledger in {place}: this instance has made no call", markup=False)


def _quotas(name: str, resource: ProviderResource, ledger: Ledger | None, clock: Clock) -> Generator[tuple[str, ...]]:
    """Return the rows of the table; without a ledger nothing is spent."""
    try:
        provider = resource.client(clock)
    except SettingError as error:
        yield (name, f"not connected: {error.message.partition(':')[0]}")
        return
    with closing(provider):
        rates = ", ".join(f"{rate.per_minute} a minute" for rate in provider.rates) or "none"
        at = f"{renews_at(clock.now()):%Y-%m-%d %H:%M} UTC"
        limited = [quota for quota in provider.quotas if quota.per_day is not None]
        for quota in limited:
            left = (quota.per_day, quota.reserved)
            if ledger is not None:
                left = ledger.quotas.left(quota, ledger.accounts.of(provider.account), clock.now()) or left
            yield (quota.bucket, str(quota.per_day), str(left[0]), str(left[1]), at, rates)
        if not limited:
            yield (name, "no daily quota", "", "", "", rates)


def _home() -> Path:
    """Return DAGSTER_HOME, with the settings that a run started in this folder would have.

    Raises:
        SettingError: it is not set, or is not a folder.
    """
    # Dagster's commands read the .env of the folder in which they run, above all else.
    os.environ.update({name: value for name, value in dotenv_values(Path.cwd() / ".env").items() if value is not None})
    home = os.environ.get("DAGSTER_HOME", "")
    if not home or not Path(home).is_dir():
        raise SettingError(
            f"DAGSTER_HOME is {'not a folder' if home else 'not set'}",
            advice="Set it to the instance whose ledger is meant.",
        )
    return Path(home)


@contextmanager
def _opened() -> Generator[OpenStorage]:
    """Open the existing ledger and the stores of DAGSTER_HOME."""
    with dg.DagsterInstance.ephemeral() as instance, StorageResource().open(instance) as opened:
        yield opened


def _table(found: Sequence[VerifiedReport]) -> Table:
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
            style=None if verified.is_ok else "red",
        )
    return table


def _stop_in_order() -> None:
    """On SIGINT and SIGTERM, stop the child processes first; a shell's background jobs ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


if __name__ == "__main__":
    app()
