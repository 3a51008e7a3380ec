"""Sessions of PostgreSQL: one engine a process, and settings by which a machine that is gone frees its locks."""

import functools
import os
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError

from reporting_dags.model.errors import SettingError, StorageError

_CLIENT = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A run's lock lives as long as its connection, which idles while a report is waited for; a server that is gone without
a word holds up a question for half a minute."""

SETTINGS = {
    "tcp_keepalives_idle": "30s",
    "tcp_keepalives_interval": "10s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
    "client_connection_check_interval": "10s",
    "idle_in_transaction_session_timeout": "30s",
}
"""By default the server notices after two hours that a client's machine has lost power, and keeps its locks until then.
They are set by statements, since PgBouncer refuses the start-up parameter `options`."""


def engine_of(address: str, variable: str) -> sa.Engine:
    """Return the engine of a PostgreSQL address; the same one for the same address.

    Args:
        address: `postgresql://user:password@host:5432/name`.
        variable: the environment variable that holds it, which errors name.

    Raises:
        StorageError: the address is malformed.
    """
    return _engine(postgres_address(address, variable), os.getpid())


def postgres_address(address: str, variable: str) -> sa.URL:
    """Return a PostgreSQL address in its parts.

    Args:
        address: as of `engine_of`.
        variable: the environment variable that holds it, which errors name.

    Raises:
        StorageError: the address is malformed.
    """
    try:
        url = sa.make_url(address)
    except (ArgumentError, ValueError):
        raise _malformed(variable) from None
    # A second @ means a password that was not percent-encoded: where the host begins is anybody's guess.
    if url.get_backend_name() != "postgresql" or address.count("@") > 1:
        raise _malformed(variable)
    return url


def _malformed(variable: str) -> StorageError:
    return StorageError(
        f"{variable} is not a PostgreSQL address",
        advice="Write postgresql://user:password@host:5432/name, special characters of the password percent-encoded",
    )


@functools.lru_cache(maxsize=4)
def _engine(url: sa.URL, _process: int) -> sa.Engine:
    """One engine a process: connecting and compiling each statement again would be much of the work of a tick."""
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg2"),
        # Whatever the server's default is: what others committed before the lock was taken must be seen after it.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=1,
        max_overflow=-1,
        hide_parameters=True,
        connect_args=_CLIENT,
    )
    event.listen(engine, "connect", _limit)
    return engine


def _limit(connection: Any, _record: object) -> None:
    # Not every system and release of the server has every one of them.
    blocks = (
        f"DO $$ BEGIN PERFORM set_config('{name}', '{value}', false); EXCEPTION WHEN OTHERS THEN NULL; END $$"
        for name, value in SETTINGS.items()
    )
    # A setting that is made within a transaction ends with it if that is rolled back.
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(";".join(blocks))
    connection.autocommit = False


def pooled(variable: str) -> SettingError:
    """The error to raise where a session is not this process's own."""
    return SettingError(
        f"{variable} leads to a pooler that gives each transaction another session (PgBouncer with "
        "pool_mode = transaction), so no run could hold a lock",
        advice="Fix: set REPORTING_LEDGER_URL to the direct address of the PostgreSQL server; DAGSTER_POSTGRES_URL "
        "may stay as it is.",
    )
