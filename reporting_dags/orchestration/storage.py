"""The storage of the project as one Dagster resource: the ledger, the data root and the raw store."""

import tomllib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.jobs.ledger.first_days import first_requested
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.rate_limit import RateLimits
from reporting_dags.jobs.ledger.read_only import missing_ledger
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.raw_retention import DEFAULT_DAYS, raw_retention
from reporting_dags.landing.storage.store import Store, open_store
from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import ReportingError, SettingError, StorageError
from reporting_dags.model.privacy import PersonalData, Privacy
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Provider
from reporting_dags.providers.resource import secret_field
from reporting_dags.providers.settings import read_optional_setting, read_setting
from reporting_dags.reports.registry import all_reports


def is_checkout(folder: Path) -> bool:
    """Return whether `folder` holds the sources of this project; site-packages does not."""
    try:
        settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return settings.get("project", {}).get("name") == "reporting-dags"


PROJECT = Path(__file__).resolve().parents[2]
"""The folder that holds the package: the project in a checkout, site-packages where the package is installed."""

CHECKOUT = is_checkout(PROJECT)
DEFAULT_START = "2026-06-01"
LOCK_SECONDS = 120.0
"""How long a ledger that is locked or away is waited for: longer than a server takes to start again."""

TICK_LOCK_SECONDS = 10.0
"""How long a tick waits for it: Dagster ends one that takes a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStorage:
    """Ledger and stores of one run; `keep_raw` is the retention of raw responses, None if they are kept forever."""

    ledger: Ledger
    rates: RateLimits
    data: Store
    raw: Store
    scratch: Path
    keep_raw: timedelta | None

    def pull_context(
        self,
        provider: Provider,
        clock: Clock,
        *,
        run: str = "",
        log: Callable[[str], None] = lambda _: None,
        waits: bool = True,
        allow_data_loss: bool = False,
    ) -> PullContext:
        """Return the context of a pull with this storage; for the arguments see `PullContext`."""
        return PullContext(
            provider=provider,
            ledger=self.ledger,
            data=self.data,
            raw=self.raw,
            scratch=self.scratch,
            clock=clock,
            run=run,
            log=log,
            waits=waits,
            allow_data_loss=allow_data_loss,
        )


class StorageResource(dg.ConfigurableResource[Any]):
    """The ledger, the Parquet datasets and the stored raw responses. Opening it calls no provider."""

    data_url: str | None = Field(
        default=None,
        description="Root of the Parquet datasets: a local path, s3://bucket/prefix or gs://bucket/prefix. "
        "Unset: REPORTING_DATA_URL, else in a checkout its folder `data`; an installed package has no default.",
    )
    raw_url: str | None = Field(
        default=None,
        description="Where raw responses are stored: a local path, s3://bucket/prefix or gs://bucket/prefix. "
        "Unset: REPORTING_RAW_URL, else `raw` in DAGSTER_HOME.",
    )
    raw_days: str | None = Field(
        default=None,
        description="Retention of raw responses in days, for example 90, at least 2; or `forever`. Older ones are "
        f"removed at the end of a run of their report. Unset: REPORTING_RAW_DAYS, else {DEFAULT_DAYS}.",
    )
    postgres_url: str | None = secret_field(
        "PostgreSQL address of the job ledger, for example postgresql://user:password@host/database; the server's own, "
        "not a pooler's. Unset: REPORTING_LEDGER_URL, else DAGSTER_POSTGRES_URL, else SQLite in DAGSTER_HOME."
    )
    folder: str | None = Field(
        default=None,
        description="Private local folder of the ledger and of temporary files. Unset: DAGSTER_HOME.",
    )

    @contextmanager
    def open(self, instance: dg.DagsterInstance, *, lock_seconds: float | None = None) -> Generator[OpenStorage]:
        """Open ledger and stores for one run or tick; wait for a locked ledger up to `lock_seconds`.

        Raises:
            StorageError, SettingError: naming the place or the variable that is wrong.
        """
        keep_raw = raw_retention(self._raw_days(), "REPORTING_RAW_DAYS")
        self.data_root()
        folder = Path(read_optional_setting(self.folder, "DAGSTER_HOME") or instance.root_directory)
        scratch = folder / "reporting_spool"
        try:
            scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{folder} cannot be written: {error.strerror}", advice="DAGSTER_HOME must be a folder of this process."
            ) from None
        patience = LOCK_SECONDS if lock_seconds is None else lock_seconds
        address, variable = self._ledger_address()
        database = open_database(address, folder, lock_seconds=patience, variable=variable)
        try:
            yield OpenStorage(
                ledger=Ledger(database),
                rates=RateLimits(database),
                data=self.open_data(scratch),
                raw=open_store(
                    read_setting(self.raw_url, "REPORTING_RAW_URL", default=str(folder / "raw")),
                    scratch=scratch,
                    private=True,
                    label="raw store",
                    variable="REPORTING_RAW_URL",
                ),
                scratch=scratch,
                keep_raw=keep_raw,
            )
        finally:
            database.close()

    def first_requested(self, since: date = date.min) -> Mapping[str, date] | None:
        """Return the oldest day that was ever requested, by report key; None if the ledger cannot be read now.

        Requests of days before `since` do not count. Creates, upgrades and locks nothing.
        """
        try:
            folder = read_optional_setting(self.folder, "DAGSTER_HOME")
            address, variable = self._ledger_address()
            return first_requested(address, Path(folder) if folder else None, variable=variable, since=since)
        except ReportingError:
            # A run says what is wrong; the definitions load.
            return None

    def missing_ledger(self, folder: Path) -> str:
        """Return where the ledger of the instance in `folder` would be if there is none; empty if there is one.

        Creates nothing.
        """
        address, variable = self._ledger_address()
        return missing_ledger(address, folder, variable=variable)

    def _ledger_address(self) -> tuple[str | None, str]:
        """Return the PostgreSQL address of the ledger, None for SQLite, and the variable that holds it."""
        variable = (
            "REPORTING_LEDGER_URL" if read_optional_setting(None, "REPORTING_LEDGER_URL") else "DAGSTER_POSTGRES_URL"
        )
        return read_optional_setting(self.postgres_url, variable), variable

    def _raw_days(self) -> str:
        """Return the setting as it is written; blank is not unset here, because it could mean none or forever."""
        result = self.raw_days if self.raw_days is not None else dg.EnvVar("REPORTING_RAW_DAYS").get_value()
        return str(DEFAULT_DAYS) if result is None else result.strip()

    def data_root(self) -> str:
        """Return the root of the Parquet datasets: a path or a bucket's address.

        Raises:
            SettingError: REPORTING_DATA_URL is not set, and the package is installed.
        """
        if url := read_optional_setting(self.data_url, "REPORTING_DATA_URL"):
            return url
        if CHECKOUT:
            return str(PROJECT / "data")
        raise SettingError(
            "REPORTING_DATA_URL is not set: an installed package has no default data root", advice=_data_advice()
        )

    def open_data(self, scratch: Path) -> Store:
        """Open only the data root."""
        return open_store(
            self.data_root(),
            scratch=scratch,
            label="data root",
            variable="REPORTING_DATA_URL",
        )


def _data_advice() -> str:
    advice = "Fix: set it, for example REPORTING_DATA_URL=/srv/reporting/data or s3://bucket/prefix"
    earlier = PROJECT / "data"
    # Earlier releases used this folder where they were installed.
    if any((earlier / report.key).is_dir() for report in all_reports()):
        advice += f". An earlier release stored partitions in {earlier}: move that folder there first"
    return advice


def with_settings(report: Report) -> Report:
    """Return `report` with the settings of the environment: privacy, and the variable that names such things as apps.

    Raises:
        SettingError: a variable is malformed; the error names it.
    """
    text = read_setting(None, "REPORTING_PERSONAL_DATA", default=PersonalData.HASH).lower()
    try:
        mode = PersonalData(text)
    except ValueError:
        choices = ", ".join(PersonalData)
        raise SettingError(f"REPORTING_PERSONAL_DATA is {text!r}", advice=f"Give one of {choices}.") from None
    requested = read_optional_setting(None, report.variable) or "" if report.variable else ""
    names = ",".join(sorted({name.strip() for name in requested.split(",")}))
    return replace(
        report, privacy=Privacy(mode, read_optional_setting(None, "REPORTING_HASH_KEY") or ""), variable_value=names
    )


def start_date() -> date:
    """Return the first partition of every report; raise `SettingError` if REPORTING_START_DATE is not a date."""
    text = read_setting(None, "REPORTING_START_DATE", default=DEFAULT_START)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingError(f"REPORTING_START_DATE is {text!r}", advice="Give a date as YYYY-MM-DD.") from None
