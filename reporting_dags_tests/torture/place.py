"""A place where real processes pull reports to, and what they left there."""

import os
import signal
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from reporting_dags.landing.storage.store import open_store
from reporting_dags.local import sandbox_accounts
from reporting_dags.model.report import Report
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.processes import Process, start
from reporting_dags_tests.torture.row import Losses, losses
from reporting_dags_tests.truth import expected_rows, landed_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Folders and environment of runs that share a ledger and a data root.

    Attributes:
        folder: holds the home, the data and whatever else the runs leave.
        sandbox: every provider; on the real clock, as the processes are.
        variables: set besides, such as DAGSTER_POSTGRES_URL.
    """

    folder: Path
    sandbox: Sandbox
    variables: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def home(self) -> Path:
        """DAGSTER_HOME of the runs."""
        return self.folder / "home"

    @property
    def data(self) -> Path:
        """The data root of the runs."""
        return self.folder / "data"

    @property
    def data_url(self) -> str:
        """The address of the data root: a folder, unless the variables say otherwise."""
        return self.variables.get("REPORTING_DATA_URL", str(self.data))

    def environment(self) -> dict[str, str]:
        """All that a process is told; nothing of this process's own settings is passed on."""
        self.home.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(PROJECT),
            "DAGSTER_HOME": str(self.home),
            "REPORTING_DATA_URL": str(self.data),
            "REPORTING_POLL_SECONDS": "0.05",
            **sandbox_accounts(self.sandbox.url),
            **self.variables,
        }

    def start(self, command: Sequence[str], **variables: str) -> Process:
        """A process in a group of its own, in a folder without a `.env`; `command` follows the interpreter."""
        cwd = self.home if self.home.exists() else self.folder
        return start(command, cwd=cwd, env={**self.environment(), **variables})

    def losses(self, report: Report, days: Collection[date], *, absent_is_lost: bool = True) -> Losses:
        """What differs from the truth on `days`; a day that is not there counts as lost unless that is told apart."""
        store = open_store(self.data_url, scratch=self.folder)
        whole = Losses()
        for day in days:
            if not store.exists(report.file(day)):
                missing = expected_rows(self.sandbox, report, day) if absent_is_lost else Counter[Any]()
                whole += Losses(lost=max(1, missing.total()) if absent_is_lost else 0)
                continue
            whole += losses(expected_rows(self.sandbox, report, day), landed_rows(store, report, day))
        return whole


def materialize(report: Report, first: date, last: date) -> list[str]:
    """The command line of a real Dagster run over a range of days."""
    return [
        *("-m", "dagster", "asset", "materialize", "-m", "reporting_dags.definitions"),
        *("--select", report.key, "--partition-range", f"{first}...{last}"),
    ]


def kill(process: Process) -> None:
    """SIGKILL to the whole group, and its end."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
