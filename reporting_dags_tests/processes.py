"""Real processes of the project, forked from one that has imported it: see `fork_server`."""

import atexit
import contextlib
import functools
import json
import multiprocessing
import multiprocessing.spawn
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Any, cast

from reporting_dags.orchestration.storage import PROJECT
from reporting_dags_tests.fork_server import LONGEST_REQUEST

VARIABLES = ("DT_", "MINTEGRAL_", "ORANGECLICK_", "INTEGR8_", "REPORTING_", "DAGSTER_")
"""Prefixes of the variables that the project or Dagster reads."""
CAN_FORK = sys.platform == "linux"
Output = int | IO[bytes]
"""A file, or as for `subprocess.Popen`: PIPE, DEVNULL, STDOUT."""

_INTERPRETER = """#!{python} -IS
# Python, for what a forked process starts: a process that is forked in its turn, and lasts exactly as long as this one.
import json, os, signal, socket, sys

options = [one for one in sys.argv[1:] if one.startswith("-") and one not in ("-B", "-W")]
if options[:1] not in (["-m"], ["-c"]):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
files = []
for name in os.listdir("/proc/self/fd"):
    try:
        os.fstat(int(name))
    except OSError:
        continue
    files.append(int(name))
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect({path!r})
request = dict(
    arguments=sys.argv[1:], cwd=os.getcwd(), environment=dict(os.environ), files=files, executable={executable!r}
)
socket.send_fds(server, [json.dumps(request).encode()], files)
pid = int(server.recv(64))
for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(one, lambda number, _: os.kill(pid, number))
for file in files:
    os.close(file)
code = int(server.recv(64) or -signal.SIGKILL)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@dataclass(frozen=True, slots=True)
class _Server:
    """The server of this process: its socket, and a file that stands in for the interpreter in forked processes."""

    path: str
    executable: str


@functools.cache
def _server() -> _Server:
    folder = Path(mkdtemp(prefix="reporting_fork_"))
    path, executable = str(folder / "socket"), str(folder / "python")
    (folder / "python").write_text(
        _INTERPRETER.format(python=sys.executable, path=path, executable=executable), encoding="utf-8"
    )
    (folder / "python").chmod(0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(VARIABLES)}
    process = subprocess.Popen(
        [sys.executable, "-m", "reporting_dags_tests.fork_server", path],
        # A folder without a `.env`.
        cwd=folder,
        env={**environment, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"the fork server ended with {process.wait()}")
    process.stdout.close()

    def end(stdin: IO[bytes]) -> None:
        stdin.close()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end, process.stdin)
    return _Server(path, executable)


class Process:
    """A process that leads a session of its own. It has the methods of `subprocess.Popen` that tests need."""

    def __init__(self, connection: socket.socket, streams: Sequence[IO[str] | None], arguments: Sequence[str]) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._readers: list[threading.Thread] = []
        self._texts = ["", ""]
        self.args = arguments
        self.stdin, self.stdout, self.stderr = streams
        # As in `subprocess`: None while it runs.
        self.returncode: int | Any = None
        answer = connection.recv(64)
        if not answer:
            raise RuntimeError(f"the fork server did not start {arguments}")
        self.pid = int(answer)

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs; a signal that ended it is a negative number."""
        return self._exit_code(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once the process has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended after `timeout` seconds.
        """
        code = self._exit_code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _exit_code(self, seconds: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._connection], [], [], seconds)[0]:
                self.returncode = int(self._connection.recv(64) or -signal.SIGKILL)
                self._connection.close()
            return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Close the input, and return all of the output and of the errors once the process has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended after `timeout` seconds.
        """
        if self.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.close()
        if not self._readers:
            self._readers = [threading.Thread(target=self._read, args=(number,), daemon=True) for number in range(2)]
            for reader in self._readers:
                reader.start()
        self.wait(timeout)
        for reader in self._readers:
            reader.join()
        return self._texts[0], self._texts[1]

    def _read(self, number: int) -> None:
        stream = (self.stdout, self.stderr)[number]
        if stream is not None and not stream.closed:
            self._texts[number] = stream.read()
            stream.close()

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL to the process alone, not to its group."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Close the streams; kill the process if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def start(
    arguments: Sequence[str],
    *,
    cwd: Path | str,
    env: Mapping[str, str],
    stdin: Output = subprocess.DEVNULL,
    stdout: Output = subprocess.PIPE,
    stderr: Output = subprocess.PIPE,
    forks: bool = False,
) -> Process:
    """Start a process in a session of its own.

    Args:
        arguments: of the interpreter: `-m MODULE ...` or `-c CODE ...`, after `-W FILTER` as often as wanted.
        cwd: its working directory.
        env: all of its variables.
        stdin: its input.
        stdout: its output.
        stderr: its errors.
        forks: whether the processes are forked, too, that it starts by `sys.executable`. Each of them is a child that
            starts, waits for and is killed with a process of another session.
    """
    if not CAN_FORK:
        command = [sys.executable, *arguments]
        return cast(
            "Process",
            subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                text=True,
                start_new_session=True,
            ),
        )
    server = _server()
    request = {
        "arguments": list(arguments),
        "cwd": str(cwd),
        "environment": dict(env),
        "files": [0, 1, 2],
        "executable": server.executable if forks else sys.executable,
    }
    message = json.dumps(request).encode()
    if len(message) > LONGEST_REQUEST:
        raise ValueError(f"a request of {len(message)} bytes")
    with ExitStack() as stack:
        files, streams = list[int](), list[IO[str] | None]()
        for number, wanted in enumerate((stdin, stdout, stderr)):
            if wanted == subprocess.STDOUT:
                files.append(files[1])
                streams.append(None)
            else:
                file, stream = stack.enter_context(_opened(wanted, writes=number > 0))
                files.append(file)
                streams.append(stream)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(server.path)
        socket.send_fds(connection, [message], files)
        return Process(connection, streams, arguments)


@contextmanager
def forked_workers() -> Generator[BaseContext]:
    """A context of `multiprocessing` like "spawn", whose processes are forked from the server."""
    before = multiprocessing.spawn.get_executable()
    if CAN_FORK:
        multiprocessing.set_executable(_server().executable)
    try:
        yield multiprocessing.get_context("spawn")
    finally:
        multiprocessing.set_executable(os.fsdecode(before))


@contextmanager
def _opened(wanted: Output, *, writes: bool) -> Generator[tuple[int, IO[str] | None]]:
    """The process's end of a stream, open as long as the context lasts, and ours."""
    if not isinstance(wanted, int):
        yield wanted.fileno(), None
    elif wanted == subprocess.PIPE:
        reading, writing = os.pipe()
        own, other = (reading, writing) if writes else (writing, reading)
        try:
            yield other, os.fdopen(own, "r" if writes else "w", encoding="utf-8")
        finally:
            os.close(other)
    else:
        assert wanted == subprocess.DEVNULL
        file = os.open(os.devnull, os.O_RDWR)
        try:
            yield file, None
        finally:
            os.close(file)


def run(
    arguments: Sequence[str],
    *,
    cwd: Path | str,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    forks: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Return what a process came to that ran to its end; the arguments are those of `start`.

    Raises:
        subprocess.TimeoutExpired: it has not ended after `timeout` seconds, and was killed.
    """
    process = start(arguments, cwd=cwd, env=os.environ if env is None else env, forks=forks)
    try:
        output, errors = process.communicate(timeout)
    finally:
        process.close()
    assert process.returncode is not None
    return subprocess.CompletedProcess(list(arguments), process.returncode, output, errors)
