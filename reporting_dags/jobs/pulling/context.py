"""The context: what pulling a report works with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class PullContext:
    """What pulling a report works with.

    Attributes:
        provider: the client of the provider's API.
        ledger: where jobs are remembered.
        data: where days are published.
        raw: where the provider's raw responses are kept.
        scratch: a private local folder for files on their way.
        clock: tells the time and waits.
        run: the Dagster run on whose behalf this works.
        waits: whether it stays until what was requested is ready; else that stays open for a later run.
        allow_data_loss: whether a partition may be replaced by one that covers less, or of another account.
        log: takes one line on each step.
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
        """Whose jobs, quotas and partitions these are."""
        return self.ledger.accounts.of(self.provider.account)
