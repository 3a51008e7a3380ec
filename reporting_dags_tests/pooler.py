"""PgBouncer before a PostgreSQL server, on loopback."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
_PATIENCE_SECONDS = 10


@contextmanager
def running_pooler(server: str, *, mode: str) -> Generator[str]:
    """Run PgBouncer, and yield the address by which it leads to the database of `server`.

    Args:
        server: the direct address of a database.
        mode: what PgBouncer calls `pool_mode`: "transaction" or "session".
    """
    assert PGBOUNCER is not None
    url = sa.make_url(server)
    target = {"host": url.query.get("host") or url.host, "port": url.port, "dbname": url.database, "user": url.username}
    port = _free_port()
    with TemporaryDirectory(prefix="reporting_pooler_") as name:
        folder = Path(name)
        folder.chmod(0o755)
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": mode,
            "default_pool_size": 5,
        }
        lines = ["[databases]", "pooled = " + " ".join(f"{key}={value}" for key, value in target.items() if value)]
        lines += ["[pgbouncer]", *(f"{key} = {value}" for key, value in settings.items())]
        config = folder / "pgbouncer.ini"
        config.write_text("\n".join(lines) + "\n")
        # It refuses to run as root, and has to reach the server's socket.
        user = ["-u", Path(str(target["host"])).owner()] if os.geteuid() == 0 else []
        process = subprocess.Popen([PGBOUNCER, *user, "-q", str(config)], stderr=subprocess.PIPE, text=True)
        try:
            _wait_for(port, process)
            yield f"postgresql://{url.username}@127.0.0.1:{port}/pooled"
        finally:
            process.terminate()
            process.communicate()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_for(port: int, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"PgBouncer did not start: {process.communicate()[1]}") from None
            time.sleep(0.05)
        else:
            return
