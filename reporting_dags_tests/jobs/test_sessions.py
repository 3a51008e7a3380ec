"""Sessions of PostgreSQL: behind a pooler, and with the settings by which a dead machine frees its locks."""

from collections.abc import Generator
from pathlib import Path

import pytest
import sqlalchemy as sa

from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.liveness import PostgresLiveness
from reporting_dags.model.errors import SettingError
from reporting_dags_tests.pooler import PGBOUNCER, running_pooler

needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")


@pytest.fixture(params=["transaction", "session"])
def pooled(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Generator[tuple[str, Database]]:
    """The mode of a pooler, and the ledger behind it."""
    with running_pooler(postgres_url, mode=request.param) as address:
        database = open_database(address, tmp_path, lock_seconds=5)
        yield request.param, database
        database.close()


@needs_pgbouncer
def test_a_run_behind_a_pooler_that_shares_sessions_is_refused_in_one_line_with_the_fix(
    pooled: tuple[str, Database],
) -> None:
    mode, database = pooled
    Ledger(database)
    if mode == "session":
        owner = database.liveness.acquire()
        assert database.liveness.is_alive(owner)
        return
    with pytest.raises(SettingError) as refused:
        database.liveness.acquire()
    assert refused.value.line == (
        "DAGSTER_POSTGRES_URL leads to a pooler that gives each transaction another session (PgBouncer with pool_mode ="
        " transaction), so no run could hold a lock. Fix: set REPORTING_LEDGER_URL to the direct address of the "
        "PostgreSQL server; DAGSTER_POSTGRES_URL may stay as it is."
    )


@needs_pgbouncer
def test_a_pooler_that_gave_a_run_its_own_session_at_first_is_found_out_later(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alive(_owners: PostgresLiveness, _owner: str) -> bool:
        return True

    with running_pooler(postgres_url, mode="transaction") as address:
        database = open_database(address, tmp_path, lock_seconds=5)
        # As if the pooler had another session free when the run looked at its lock.
        monkeypatch.setattr(PostgresLiveness, "is_alive", alive)
        database.liveness.acquire()
        other = sa.create_engine(sa.make_url(address).set(drivername="postgresql+psycopg2"))
        with other.connect() as busy:
            busy.execute(sa.text("SELECT 1"))
            with pytest.raises(SettingError, match="set REPORTING_LEDGER_URL"):
                database.read(lambda _: None)
        other.dispose()
        database.close()


def test_every_session_has_limits_by_which_the_server_notices_that_its_client_is_gone(
    postgres_url: str, tmp_path: Path
) -> None:
    database = open_database(postgres_url, tmp_path, lock_seconds=5)

    def current(connection: sa.Connection) -> list[str | None]:
        every = ("idle_in_transaction_session_timeout", "client_connection_check_interval")
        return [connection.scalar(sa.text(f"SHOW {name}")) for name in every]

    assert database.write(current, "test") == database.read(current) == ["30s", "10s"]
    database.close()
