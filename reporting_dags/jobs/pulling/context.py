"""The context of a pull: client, ledger, stores and clock."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class PullContext:
    """Everything that a pull needs.

    Attributes:
        provider: the client of the provider's API.
        ledger: the database of jobs and materializations.
        data: the store of the Parquet files.
        raw: the store of raw responses.
        scratch: a private local folder for downloads.
        clock: the time, and sleeping.
        run: id of the Dagster run.
        waits: whether to poll until a report is ready; if not, its job stays open for a later run.
        allow_data_loss: whether a partition may be replaced by one that covers less, or of another account.
        log: receives one line for each step.
    """

    provider: Provider
    ledger: Ledger
    data: Store
    raw: Store
    scratch: Path
    clock: Clock
    run: str = ""
    waits: bool = True
    allow_data_loss: bool = False
    log: Callable[[str], None] = lambda _: None

    @property
    def account(self) -> str:
        """The account of the credentials: jobs, quotas and partitions belong to it."""
        return self.ledger.accounts.of(self.provider.account)
