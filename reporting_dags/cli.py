"""Commands beside Dagster's own, for the make targets."""

import signal
import subprocess
import sys
from pathlib import Path

import typer
from rich.console import Console

from reporting_dags.model.errors import DeclarationError, ReportingError

try:
    from reporting_dags.demo import DAYS, run_demo
    from reporting_dags.local import HOME, command_line, make_home, sandbox, sandbox_environment
    from reporting_dags.orchestration.home import PROJECT
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


def _stop_in_order() -> None:
    """Asked to stop in either way, children are stopped first; a shell's background jobs ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


if __name__ == "__main__":
    app()
