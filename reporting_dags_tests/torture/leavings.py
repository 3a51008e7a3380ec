"""A place through which secrets and personal data went, and everything that was left there, to be searched."""

import contextlib
import functools
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import sqlalchemy as sa

from reporting_dags.local import sandbox_accounts
from reporting_dags.model.report import Report
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.torture.needles import Needles, contents, of_requests, personal_values, tables
from reporting_dags_tests.torture.place import Place

CREDENTIALS = (
    "DT_CLIENT_ID", "DT_CLIENT_SECRET", "MINTEGRAL_ACCESS_KEY", "MINTEGRAL_API_KEY", "ORANGECLICK_API_TOKEN",
    "INTEGR8_API_KEY",
)  # fmt: skip
HASH_KEY = 'canary/hash+key="of the house"'
ALERTS = "json://127.0.0.1:9/canary-token/of-a-channel"
PASSWORD = "canary-p%40ss+word/of=postgres"
ELSEWHERE = "https://elsewhere.example/f.csv?X-Amz-Signature=feedbeeffeedbeefcanary&token=canary-of-a-redirect"
ONE_OF_EACH = (
    "dt_offer_wall/event", "dt_user_level/revenue", "mintegral/offer_performance", "orangeclick/earnings",
    "integr8/clicks",
)  # fmt: skip
SNAPSHOTS = ("integr8/publishers", "integr8/advertisers")
LEDGER = "reporting_ledger.db"


@dataclass
class Canary:
    """A place, what went through it, and what may be found where."""

    place: Place
    database: str = ""
    output: list[str] = field(default_factory=list[str])
    web: dict[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def sandbox(self) -> Sandbox:
        return self.place.sandbox

    def run(self, days: Sequence[date], reports: Iterable[str], **variables: str) -> int:
        """Materialize `days`, a range (none: entity lists), in one real Dagster process a report.

        Reports of different providers have different partitions, so one process cannot have a range of both.

        Returns:
            The highest exit code.
        """
        temporary = self.place.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        codes: list[int] = []
        for report in reports:
            command = ["-m", "dagster", "asset", "materialize", "-m", "reporting_dags.definitions", "--select", report]
            command += ["--partition-range", f"{min(days)}...{max(days)}"] if days else []
            process = self.place.start(command, TMPDIR=str(temporary), **variables)
            self.output += process.communicate()
            codes.append(process.returncode)
        return max(codes)

    def failure(self) -> str:
        """How the outputs of the latest runs end."""
        return "\n".join(text[-1500:] for text in self.output[-2 * len(ONE_OF_EACH) :])

    def renew_quotas(self) -> None:
        """As a new day would: so many faults cost more exports than a day has."""
        self.sandbox.settings.change("integr8", exports_per_day=1000)
        engine = sa.create_engine(self.database or f"sqlite:///{self.place.home / LEDGER}")
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM reporting_calls"))
        engine.dispose()

    def under(self, *faults: Mapping[str, Any]) -> "contextlib.AbstractContextManager[None]":
        """Faults that strike while the context lasts."""

        @contextlib.contextmanager
        def struck() -> Generator[None]:
            for fault in faults:
                self.sandbox.faults.add(**fault)
            yield
            self.sandbox.faults.clear()

        return struck()

    def secrets(self) -> Needles:
        """Everything that is no one's business, as far as it has been used."""
        accounts = sandbox_accounts(self.sandbox.url)
        needles = Needles((name, accounts[name]) for name in CREDENTIALS)
        for name, secret in (("REPORTING_HASH_KEY", HASH_KEY), ("password of PostgreSQL", PASSWORD)):
            needles.add(name, secret)
        needles.add("token of REPORTING_ALERT_URLS", "canary-token/of-a-channel")
        needles.add("signature of a foreign address", "feedbeeffeedbeefcanary")
        needles.add("token of a foreign address", "canary-of-a-redirect")
        for name, secret in of_requests(self.sandbox.log.entries()):
            needles.add(name, secret)
        return needles

    def persons(self, days: Iterable[date], *, most: int = 40) -> Needles:
        """Personal values of the raw responses of `days`, which may lie in the raw store alone."""
        mine = [report for report in all_reports() if report.key in {*ONE_OF_EACH, *SNAPSHOTS}]
        wanted = list(days)

        def rows() -> Iterator[tuple[frozenset[str], Mapping[str, str]]]:
            for report in mine:
                personal = frozenset(_personal_headers(report))
                for day in wanted:
                    yield from ((personal, row) for row in self.sandbox.truth(report.key, day))

        return Needles(personal_values(rows(), most=most))

    def files(self) -> dict[str, list[Path]]:
        """Every file that the runs have left, by the place that it is in."""
        folder, home = self.place.folder, self.place.home
        # The first folder that a file is in is its place.
        places = {
            "raw store": home / "raw",
            "compute logs": home / "storage",
            "Parquet": self.place.data,
            "temporary files": folder / "tmp",
            "spool, locks and staging": home / "reporting_spool",
            "everything else in DAGSTER_HOME": home,
            "everything else": folder,
        }
        found: dict[str, list[Path]] = {name: [] for name in (*places, "Dagster's event log storage", "ledger")}
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = next(name for name, root in places.items() if path.is_relative_to(root))
            if path.name.startswith(LEDGER):
                name = "ledger"
            elif path.is_relative_to(home / "history") or path.is_relative_to(home / "schedules"):
                name = "Dagster's event log storage"
            elif ".staging" in path.parts or "reporting_owners" in path.parts:
                name = "spool, locks and staging"
            found[name].append(path)
        return found

    def logs(self) -> Iterator[bytes]:
        """What the runs have logged, as Dagster tells it again."""
        settings = {"DAGSTER_POSTGRES_URL": self.database} if self.database else {}
        with patch.dict(os.environ, settings), dg.DagsterInstance.from_config(str(self.place.home)) as instance:
            for run in instance.get_runs():
                yield dg.serialize_value(run).encode()
                for entry in instance.all_logs(run.run_id):
                    yield dg.serialize_value(entry).encode()
                    yield f"{entry.user_message} {entry.message}".encode()

    def searched(self) -> dict[str, Callable[[], Iterator[tuple[str, bytes]]]]:
        """Every place, and how its contents are had, each with the name of what they are of."""
        found: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
            name: functools.partial(_of_files, paths, self.place.folder) for name, paths in self.files().items()
        }
        found["process output"] = lambda: (("output", text.encode()) for text in self.output)
        found["logs of the runs"] = lambda: (("event", entry) for entry in self.logs())
        found["GraphQL answers"] = lambda: iter(self.web.items())
        if self.database:
            found["PostgreSQL dump"] = lambda: tables(self.database)
        return found


def _of_files(paths: Iterable[Path], root: Path) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        for content in contents(path):
            yield str(path.relative_to(root)), content


def _personal_headers(report: Report) -> Iterator[str]:
    for column in report.columns:
        if column.personal:
            yield from (column.header, *column.aliases)
