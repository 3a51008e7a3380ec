"""A process that has imported Dagster and the project, and forks a process of its own for each command it is given.

`import dagster` and the project's modules take an interpreter seconds. A forked process has them already, and what
`dagster_storage` changes. In all other respects it is what the interpreter would have made of the command: it has its
own process id, session, environment, working directory and file descriptors, can be killed, and ends as an interpreter
does.

A request is one message, a JSON object, on a connection to the server's Unix socket, with the open files of the new
process. The server answers with the process id, and with the exit code when the process has ended. A process whose
connection closes is killed.
"""

import contextlib
import fcntl
import gc
import importlib
import importlib.machinery
import json
import multiprocessing
import os
import re
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from reporting_dags_tests.dagster_storage import speed_up

PRELOADED = (
    "alembic.runtime.migration",
    "dagster._cli",
    "dagster._core.executor.in_process",
    "dagster._core.launcher.default_run_launcher",
    "dagster._daemon.cli",
    "dagster._grpc.server",
    "dagster_postgres",
    "dagster_webserver.cli",
    "dagster_webserver.app",
    "psycopg2",
    "reporting_dags.cli",
    "reporting_dags.definitions",
    "reporting_dags.sandbox.server",
)
LONGEST_REQUEST = 1 << 18
"""Bytes."""
_MOST_FILES = 250
_HIGH = 1000
"""Descriptors from here on are of no process's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A process that is to be started.

    Attributes:
        arguments: of the interpreter: `-m MODULE ...` or `-c CODE ...`, after `-B` and `-W FILTER`.
        cwd: its working directory.
        environment: all of its variables.
        files: the numbers of its open files, in the order in which they come with the request.
        executable: what it takes for the interpreter, with which it starts processes itself.
    """

    arguments: Sequence[str]
    cwd: str
    environment: dict[str, str]
    files: Sequence[int]
    executable: str


class _Server:
    def __init__(self, path: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(path)
        self._listener.listen(128)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        foreign = {"", str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(":")}
        self._base_path = [entry for entry in sys.path if entry not in foreign]

    def serve(self) -> Request | None:
        """Fork a process for each request. Returns a request in the forked process, and None when the input ends."""
        running: dict[int, tuple[int, socket.socket]] = {}
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    for pid, _connection in running.values():
                        _kill(pid)
                    return None
                if key.fileobj is self._listener:
                    request = self._accepted(running)
                    if request is not None:
                        return request
                elif key.data == "process" and isinstance(key.fileobj, int):
                    self._ended(key.fileobj, *running.pop(key.fileobj))
                elif isinstance(key.fileobj, socket.socket):
                    # Nothing is said on it: it has closed.
                    self._selector.unregister(key.fileobj)
                    _kill(next(pid for pid, connection in running.values() if connection is key.fileobj))

    def _accepted(self, running: dict[int, tuple[int, socket.socket]]) -> Request | None:
        connection, _ = self._listener.accept()
        message, files, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, _MOST_FILES)
        if not message:
            connection.close()
            return None
        request = Request(**json.loads(message))
        pid = os.fork()
        if pid == 0:
            self._selector.close()
            # The objects must not close what has their number later on.
            for own in (self._listener, connection, *(other for _, other in running.values())):
                own.detach()
            _become(request, files, self._base_path)
            return request
        for file in files:
            os.close(file)
        handle = os.pidfd_open(pid)
        running[handle] = (pid, connection)
        self._selector.register(handle, selectors.EVENT_READ, "process")
        self._selector.register(connection, selectors.EVENT_READ, "connection")
        with contextlib.suppress(OSError):
            connection.send(str(pid).encode())
        return None

    def _ended(self, handle: int, pid: int, connection: socket.socket) -> None:
        self._selector.unregister(handle)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(KeyError):
            self._selector.unregister(connection)
        with contextlib.suppress(OSError):
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())
        connection.close()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _become(request: Request, files: Sequence[int], base_path: Sequence[str]) -> None:
    """Make this process what the interpreter would have made of it."""
    os.setsid()
    high = [fcntl.fcntl(file, fcntl.F_DUPFD, _HIGH) for file in files]
    os.closerange(3, _HIGH)
    for file, number in zip(high, request.files, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    tempfile.tempdir = None
    sys.executable = request.executable
    multiprocessing.set_executable(request.executable)
    own = [entry for entry in request.environment.get("PYTHONPATH", "").split(":") if entry]
    sys.path[:] = [request.cwd, *own, *base_path]
    sys.path_importer_cache.clear()
    spec = importlib.machinery.PathFinder.find_spec("reporting_dags")
    if spec is not None and spec.origin != sys.modules["reporting_dags"].__file__:
        # Another copy of the project.
        for name in [
            name for name in sys.modules if name.partition(".")[0] in {"reporting_dags", "reporting_dags_tests"}
        ]:
            del sys.modules[name]


def run(request: Request) -> None:
    """Do what the interpreter does with the arguments."""
    rest = list(request.arguments)
    while rest[0] in {"-B", "-W"}:
        if rest.pop(0) == "-W":
            action, message, *_ = [*rest.pop(0).split(":"), ""]
            warnings.filterwarnings(cast("Any", action), re.escape(message))
    option, what, *arguments = rest
    if option == "-m":
        sys.argv[:] = [what, *arguments]
        if what in sys.modules and not hasattr(sys.modules[what], "__path__"):
            # It is executed as `__main__`, and has not been imported under its name.
            del sys.modules[what]
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif option == "-c":
        sys.argv[:] = ["-c", *arguments]
        main: dict[str, Any] = vars(sys.modules["__main__"])
        main["__spec__"] = None
        exec(compile(what, "<string>", "exec"), main)
    else:
        raise ValueError(f"neither -m nor -c: {request.arguments}")


def main() -> None:
    """Serve at the socket that the first argument names, until the standard input ends."""
    for name in PRELOADED:
        importlib.import_module(name)
    speed_up()
    server = _Server(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    gc.collect()
    # What is there is shared with every process that is forked, as long as no one writes to it.
    gc.freeze()
    request = server.serve()
    if request is not None:
        run(request)


if __name__ == "__main__":
    main()
