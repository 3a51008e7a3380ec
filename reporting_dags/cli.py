"""Commands beside Dagster's own, for the make targets."""

import subprocess
import sys
from pathlib import Path

import typer
from rich.console import Console

from reporting_dags.demo import DAYS, run_demo
from reporting_dags.local import HOME, make_home, sandbox, sandbox_environment
from reporting_dags.model.errors import ReportingError
from reporting_dags.orchestration.home import PROJECT

app = typer.Typer(no_args_is_help=True, add_completion=False, help="reporting_dags: ad networks' reports, home daily.")


@app.command()
def demo(days: int = DAYS, home: Path = HOME) -> None:
    """Bring the last days of every report home from the provider sandbox; exits 0 only if every check passed."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        whole = run_demo(console, home=home.absolute(), days=days)
    except ReportingError as error:
        console.print(error.line, style="red", highlight=False)
        whole = False
    raise typer.Exit(0 if whole else 1)


@app.command()
def ui(port: int = 3000) -> None:
    """Open the Dagster UI (webserver and daemon) on the demo's instance, with the provider sandbox running."""
    make_home()
    with sandbox() as url:
        command = [sys.executable, "-m", "dagster", "dev", "--port", str(port)]
        try:
            subprocess.run(command, cwd=PROJECT, env=sandbox_environment(url), check=False)  # noqa: S603
        except KeyboardInterrupt:
            typer.echo("stopped")


if __name__ == "__main__":
    app()
