"""A machine that turns against its runs: disks, the ledger's database, clocks and signals."""

from collections.abc import Iterator

from reporting_dags_tests.torture import disks, ledgers, signals
from reporting_dags_tests.torture.row import Row


def rows() -> Iterator[Row]:
    """A row a fault."""
    yield from disks.rows()
    yield from ledgers.rows()
    yield from signals.rows()
