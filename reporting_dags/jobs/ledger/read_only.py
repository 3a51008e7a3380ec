"""A ledger that is only read: nothing is created, upgraded or locked, also where no ledger exists yet."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import FILE_NAME
from reporting_dags.jobs.ledger.postgres import postgres_address
from reporting_dags.model.errors import StorageError

_SECONDS = 3
"""How long a ledger that is locked or away is waited for: those who load definitions wait for it."""


@contextmanager
def read_only_connection(
    postgres_url: str | None, home: Path | None, *, variable: str
) -> Generator[sa.Connection | None]:
    """Connect to a ledger to read it; None where there is no ledger yet.

    Args:
        postgres_url: as of `open_database`.
        home: the folder of the SQLite file; None if it is not known.
        variable: the environment variable that holds the address, which errors name.

    Raises:
        StorageError: the ledger cannot be read.
    """
    if postgres_url is not None:
        address = postgres_address(postgres_url, variable).set(drivername="postgresql+psycopg2")
        engine = _engine(address, {"connect_timeout": _SECONDS})
    elif home is not None and (home / FILE_NAME).exists():
        # Quoted as part of a URI: a folder may be called anything.
        uri = f"sqlite:///{(home / FILE_NAME).absolute().as_uri()}?mode=ro&uri=true"
        engine = _engine(uri, {"timeout": _SECONDS})
    else:
        yield None
        return
    try:
        with engine.connect() as connection:
            if postgres_url is not None:
                # Also where another session holds the table. No start-up parameter: PgBouncer refuses those.
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_SECONDS}s'")
            yield connection if sa.inspect(connection).has_table(tables.jobs.name) else None
    except (SQLAlchemyError, ValueError) as error:
        # Also a value that is none of its column's type, such as a date.
        raise StorageError(f"the ledger cannot be read: {type(error).__name__}") from None


def _engine(address: sa.URL | str, options: Mapping[str, int]) -> sa.Engine:
    return sa.create_engine(address, connect_args=dict(options), poolclass=NullPool, hide_parameters=True)


def missing_ledger(postgres_url: str | None, home: Path, *, variable: str) -> str:
    """Return where the ledger would be if there is none, such as "PostgreSQL at db.example"; "" if there is one.

    Args:
        postgres_url: as of `open_database`.
        home: the folder of the SQLite file.
        variable: the environment variable that holds the address, which errors name.
    """
    try:
        with read_only_connection(postgres_url, home, variable=variable) as connection:
            if connection is not None:
                return ""
    except StorageError:
        # Opening it says what is wrong with it.
        return ""
    if postgres_url is None:
        return str(home)
    return f"PostgreSQL at {postgres_address(postgres_url, variable).host or 'the local socket'} ({variable})"
