"""Where machines meet: a pooler, another default isolation, ledgers of an earlier release, a machine without power."""

import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from reporting_dags.sandbox.server import running_sandbox
from reporting_dags_tests.earlier_home import FACTS, NOW, copy_datasets, copy_ledger
from reporting_dags_tests.pooler import PGBOUNCER, running_pooler
from reporting_dags_tests.torture import power, races
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.postgres import Postgres, running_postgres
from reporting_dags_tests.torture.row import Losses, Row
from reporting_dags_tests.torture.station import Strike, bring, judged, new_place, newest_days, struck_row

_VERIFY = ["-m", "reporting_dags.cli", "verify"]
_BROKEN_OFF = """
import os, signal
from alembic.operations import Operations
Operations.create_index = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
from reporting_dags.cli import app
app(["verify"])
"""
"""`verify`, killed in the middle of the upgrade."""
_TOGETHER = 4


def rows() -> Iterator[Row]:
    """A row a meeting."""
    with running_postgres() as server:
        yield from poolers(server)
        yield from isolations(server, pairs=5)
        yield from upgrades(server)
    yield from power.rows()


def poolers(server: Postgres) -> Iterator[Row]:
    """A pooler that shares sessions: refused, and no fault where the ledger has a direct address."""
    if PGBOUNCER is None:
        yield Row(fault="PgBouncer", outcome="not tried", losses=Losses(), why="it is not installed here")
        return
    direct = server.new_database()
    with running_pooler(direct, mode="transaction") as pooled:
        yield struck_row(
            "ledger behind PgBouncer that shares sessions",
            _at(DAGSTER_POSTGRES_URL=pooled),
            said="set REPORTING_LEDGER_URL",
            variables={"DAGSTER_POSTGRES_URL": direct},
        )
        with new_place(DAGSTER_POSTGRES_URL=pooled, REPORTING_LEDGER_URL=server.new_database()) as place:
            days = newest_days(3)
            fault = "Dagster behind that PgBouncer, the ledger at a direct address"
            yield judged(fault, place, days, bring(place, days), least=1)


def _at(**variables: str) -> Strike:
    @contextmanager
    def strike(place: Place) -> Generator[None]:
        before = dict(place.variables)
        place.variables.update(variables)
        try:
            yield
        finally:
            place.variables.clear()
            place.variables.update(before)

    return strike


def isolations(server: Postgres, pairs: int) -> Iterator[Row]:
    """Races on a server whose default isolation is another one."""
    for level in ("repeatable read", "serializable"):
        url = server.new_database()
        engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            name = sa.make_url(url).database
            connection.execute(sa.text(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'"))
        engine.dispose()
        yield races.pair_after_pair(pairs, f"on PostgreSQL with {level}", DAGSTER_POSTGRES_URL=url)


def upgrades(server: Postgres) -> Iterator[Row]:
    """A ledger of the release before the first migration: by processes that start together, and after a kill."""
    for where, url in (("SQLite", None), ("PostgreSQL", server.new_database())):
        yield _upgraded(f"ledger on {where} upgraded by {_TOGETHER} processes at once", url, broken_off=False)
    for where, url in (("SQLite", None), ("PostgreSQL", server.new_database())):
        yield _upgraded(f"upgrade of a ledger on {where} killed in the middle", url, broken_off=True)


def _upgraded(fault: str, url: str | None, *, broken_off: bool) -> Row:
    with running_sandbox(seed=7, at=NOW, frozen=True) as sandbox, TemporaryDirectory(prefix="reporting_up_") as folder:
        more = {} if url is None else {"DAGSTER_POSTGRES_URL": url}
        place = Place(folder=Path(folder), sandbox=sandbox, variables=more)
        place.environment()
        copy_ledger(place.home, url)
        copy_datasets(place.data)
        troubles: list[str] = []
        if broken_off:
            (code, _), *_ = _ends(place, [["-c", _BROKEN_OFF]])
            troubles += [] if code == -signal.SIGKILL else [f"was not killed: {code}"]
        wanted = f"{sum(map(len, FACTS['landed'].values()))} days are whole"
        for code, told in _ends(place, [_VERIFY] * (1 if broken_off else _TOGETHER)):
            if code or not told.rstrip().endswith(wanted):
                troubles.append(f"verify ended with {code}: {told[-300:]}")
        calls = len(sandbox.log.entries())
        return Row(fault=fault, outcome=wanted, losses=Losses(), extra=calls, trouble="; ".join(troubles))


def _ends(place: Place, commands: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    """The exit code and output of each command, which run at once."""
    running = [place.start(command) for command in commands]
    return [(process.wait(), "".join(process.communicate())) for process in running]
