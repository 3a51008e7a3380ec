"""`make ui`: Dagster's UI and daemon on the local instance, with the provider sandbox."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import filelock
import requests

from reporting_dags.local import guarded, make_home, sandbox, sandbox_environment, template
from reporting_dags.model.errors import SettingError, StorageError

_HOST = "127.0.0.1"
_PORTS = range(3000, 3100)
"""The usual port of Dagster's UI, and those that are tried when it is taken."""

_CONNECTS_WITHIN_SECONDS = 1.0
_POLL_SECONDS = 0.3
_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_ui(home: Path, port: int | None, say: Callable[[str], object]) -> int:
    """Run the UI until it is stopped; return the exit status.

    Args:
        home: the folder of the instance.
        port: port of the UI; None for the first free one from 3000 on.
        say: prints a line.

    Raises:
        SettingError: the port is taken, or cannot be used.
        StorageError, Failed: the folder cannot be written, or the sandbox does not start.
    """
    make_home(home)
    address = home / "ui.address"
    lock = filelock.FileLock(home / "ui.lock", mode=0o600)
    try:
        lock.acquire(blocking=False)
        address.unlink(missing_ok=True)
    except filelock.Timeout:
        return _is_running(address, port, say)
    except OSError as error:
        raise StorageError(f"{home} cannot be written: {error.strerror}") from None
    try:
        return _run(home, port, address, say)
    finally:
        lock.release()


def _run(home: Path, port: int | None, address: Path, say: Callable[[str], object]) -> int:
    """Run the only UI of the instance; its address is in the file `address` meanwhile."""
    url = f"http://{_HOST}:{_free_port(port, say)}"
    address.write_text(url, encoding="utf-8")
    try:
        with _stopped_in_order(), sandbox() as sandbox_url:
            return _serve(home, url, sandbox_environment(sandbox_url, home), say)
    except KeyboardInterrupt:
        return 0
    finally:
        address.unlink(missing_ok=True)


def _is_running(address: Path, port: int | None, say: Callable[[str], object]) -> int:
    """Print where the UI of this instance runs; return 0 if it runs at the requested port."""
    try:
        url = address.read_text(encoding="utf-8")
    except OSError:
        say("the UI of this instance is being started by another process")
        return 1
    say(f"the UI of this instance is already running: {url}")
    return 0 if port is None or url.endswith(f":{port}") else 1


def _free_port(port: int | None, say: Callable[[str], object]) -> int:
    """Return `port` if it can be used; if it is None, the first port that can be used."""
    if port is not None:
        if reason := _unusable(port):
            raise SettingError(f"port {port} {reason}", advice="Fix: name another one, as in make ui PORT=3001")
        return port
    for candidate in _PORTS:
        if not (reason := _unusable(candidate)):
            return candidate
        say(f"port {candidate} {reason}: trying the next one")
    raise SettingError(f"the ports {_PORTS[0]} to {_PORTS[-1]} are taken", advice="Fix: name another one")


def _unusable(port: int) -> str:
    """Return why the UI cannot use `port`; empty if it can."""
    with socket.socket() as caller:
        caller.settimeout(_CONNECTS_WITHIN_SECONDS)
        if caller.connect_ex((_HOST, port)) == 0:
            return "is taken by another program"
    try:
        # As the web server binds: connections that have just ended do not keep the port.
        socket.create_server((_HOST, port)).close()
    except OSError as error:
        return f"cannot be used ({error.strerror})"
    return ""


def _serve(home: Path, url: str, environment: dict[str, str], say: Callable[[str], object]) -> int:
    # The warning, at each start, recommends a tool that is not installed here.
    quiet = ("-W", "ignore:Function `dev_command` is superseded")
    command = [sys.executable, *quiet, "-m", "dagster", "dev", "-w", str(template("workspace.yaml"))]
    command += ["--host", _HOST, "--port", url.rpartition(":")[2]]
    process = subprocess.Popen(  # noqa: S603 - our own command
        guarded(*command), cwd=home, env=environment, stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        if _answers(url, process):
            say(f"the UI is at {url}, with sandbox accounts only. Ctrl+C stops it")
        process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        return 0
    say("Dagster ended by itself: see above")
    return process.returncode or 1


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the UI responds; return whether it does, and `process` still runs."""
    with requests.Session() as session:
        # A proxy of the user's is not for this machine.
        session.trust_env = False
        while process.poll() is None:
            try:
                if session.get(f"{url}/server_info", timeout=_CONNECTS_WITHIN_SECONDS).ok:
                    return True
            except requests.RequestException:
                pass
            time.sleep(_POLL_SECONDS)
    return False


@contextmanager
def _stopped_in_order() -> Generator[None]:
    """Raise KeyboardInterrupt at the first signal that requests the end; later signals do not interrupt the cleanup."""

    def interrupt(_number: int, _frame: object) -> None:
        for item in _STOP:
            signal.signal(item, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _STOP}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
