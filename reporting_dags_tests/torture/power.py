"""A machine that loses power while a run holds locks on PostgreSQL: no one tells the server.

It takes place in a network of its own (Linux, as root or where users may make namespaces): server and run talk over its
loopback, which then goes down, so that not one packet more arrives. The server is watched through its local socket.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from reporting_dags_tests.torture.row import Losses, Row

_PATIENCE_SECONDS = 240
_COMMAND = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-current-user", "--keep-caps"])]
WITHIN_SECONDS = 120
"""In which the locks of a machine without power must be free."""


def can_cut_power() -> bool:
    """Whether this machine lets a process make a network of its own."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_COMMAND, "true"], capture_output=True, check=False).returncode == 0


def rows() -> Iterator[Row]:
    """A row each for the lock of a run and that of a transaction."""
    if not can_cut_power():
        yield Row(fault="machine loses power", outcome="not tried", losses=Losses(), why="no network of one's own here")
        return
    yield from cut_power({})


def cut_power(settings: dict[str, str]) -> Iterator[Row]:
    """The rows, with `settings` of the sessions in place of the usual ones."""
    command = [*_COMMAND, sys.executable, "-m", "reporting_dags_tests.torture.powerless", json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    if done.returncode:
        yield Row(fault="machine loses power", outcome="broke off", losses=Losses(), trouble=done.stderr[-500:])
        return
    for lock, seconds in json.loads(done.stdout.splitlines()[-1]).items():
        late = seconds is None or seconds > WITHIN_SECONDS
        yield Row(
            fault=f"machine loses power, {lock}",
            outcome="lock still held" if seconds is None else f"lock free after {seconds:.0f} s",
            losses=Losses(),
            trouble=f"a lock must be free within {WITHIN_SECONDS} s" if late else "",
        )
