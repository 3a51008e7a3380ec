"""The oldest day of each report that was ever requested, read without opening the ledger for work.

Definitions are loaded by many processes, also where no ledger exists yet: this creates, upgrades and locks nothing.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.read_only import read_only_connection


def first_requested(
    postgres_url: str | None, home: Path | None, *, variable: str, since: date = date.min
) -> Mapping[str, date]:
    """Return the oldest day that was ever requested, by report key; empty where there is no ledger yet.

    Args:
        postgres_url: as of `open_database`.
        home: the folder of the SQLite file; None if it is not known.
        variable: the environment variable that holds the address, which errors name.
        since: requests of days before it alone do not count.

    Raises:
        StorageError: the ledger cannot be read.
    """
    jobs = tables.jobs.c
    query = sa.select(jobs.report, sa.func.min(jobs.first_day)).where(jobs.last_day >= since).group_by(jobs.report)
    with read_only_connection(postgres_url, home, variable=variable) as connection:
        return {} if connection is None else dict(connection.execute(query).tuples().all())
