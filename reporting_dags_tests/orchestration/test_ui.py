"""`make ui`: one for an instance, on a free port, and all of its processes end with it. All in real processes."""

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from reporting_dags.orchestration.storage import PROJECT
from reporting_dags_tests.processes import Output, Process, run, start
from reporting_dags_tests.torture.station import wait_for

UP_WITHIN = 120
ENDS_WITHIN = 90
FAMILY = "REPORTING_TESTS_FAMILY"
"""A variable that every process of a UI inherits, and whose value is the UI's folder."""
READY = re.compile(r"the UI is at (http://127\.0\.0\.1:\d+), with sandbox accounts only\. Ctrl\+C stops it\n")


def command(home: Path, *options: str) -> list[str]:
    return ["-m", "reporting_dags.cli", "ui", "--home", str(home), *options]


def free_port() -> str:
    """A port that no other test uses, unlike 3000, which is the default of every UI."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def ui(home: Path, *options: str) -> tuple[int, list[str]]:
    """A UI that ends by itself: its exit status and what it printed."""
    done = run(command(home, *options), cwd=PROJECT, timeout=60)
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def start_ui(home: Path, *options: str, output: Output) -> Process:
    environment = {**os.environ, FAMILY: str(home)}
    return start(command(home, *options), cwd=PROJECT, env=environment, stdout=output, stderr=output, forks=True)


def descendants(home: Path) -> list[psutil.Process]:
    """Every process that a UI of the instance has started, and those that they have started, wherever they are now."""
    return with_variable(FAMILY, home)


def of_instance(home: Path) -> list[psutil.Process]:
    """Every process of Dagster on the instance, wherever it was started."""
    return with_variable("DAGSTER_HOME", home)


def with_variable(name: str, value: Path) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(name) == str(value):
                found.append(process)
    return found


@contextmanager
def running(home: Path, *options: str) -> Generator[tuple[Process, Path]]:
    """A UI, and what it prints; nothing of it is left after the block."""
    log = home.parent / "ui.log"
    with log.open("wb") as sink:
        process = start_ui(home, *options, output=sink)
    try:
        wait_for(lambda: READY.search(log.read_text()) or process.poll() is not None, "the UI", UP_WITHIN)
        assert process.poll() is None, log.read_text()[-3000:]
        yield process, log
    finally:
        process.close()
        left = descendants(home)
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(left)


@pytest.fixture
def home(bare_environment: None, tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_second_ui_of_an_instance_names_the_first_and_children_end_even_with_a_ui_that_is_killed(home: Path) -> None:
    with socket.socket() as other:
        # Whoever has it, it is taken.
        with contextlib.suppress(OSError):
            other.bind(("127.0.0.1", 3000))
            other.listen()
        with running(home) as (process, log):
            text = log.read_text()
            url = READY.findall(text)[0]
            assert text.startswith("port 3000 is taken by another program: trying the next one\n")
            assert url != "http://127.0.0.1:3000"
            assert requests.get(f"{url}/server_info", timeout=30).ok
            said = [f"the UI of this instance is already running: {url}"]
            assert ui(home) == (0, said)
            assert ui(home, "--port", url.rpartition(":")[2]) == (0, said)
            assert ui(home, "--port", "3999") == (1, said), "it is not where it was wanted"
            family = descendants(home)
            assert len(family) > 4
            process.kill()
            assert psutil.wait_procs(family, timeout=ENDS_WITHIN)[1] == []
            assert of_instance(home) == []
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_ui_that_is_asked_to_stop_ends_in_order_with_its_children(home: Path, number: int) -> None:
    port = free_port()
    with running(home, "--port", port) as (process, log):
        family = descendants(home)
        os.kill(process.pid, number)
        assert process.wait(ENDS_WITHIN) == 0
        assert psutil.wait_procs(family, timeout=ENDS_WITHIN)[1] == []
        assert of_instance(home) == []
    text = log.read_text()
    assert READY.findall(text) == [f"http://127.0.0.1:{port}"]
    assert "Dagster services shut down" in text
    assert "superseded" not in text
    assert not (home / "ui.address").exists()


@pytest.mark.parametrize("children", [2, 6])
def test_a_ui_that_is_stopped_before_it_answers_leaves_nothing(home: Path, children: int) -> None:
    process = start_ui(home, output=subprocess.DEVNULL)
    started = (home / "ui.address").exists
    wait_for(lambda: started() and len(descendants(home)) >= children - 1, "its first children", UP_WITHIN)
    family = descendants(home)
    process.send_signal(signal.SIGINT)
    assert process.wait(ENDS_WITHIN) == 0
    assert psutil.wait_procs(family, timeout=ENDS_WITHIN)[1] == []
    wait_for(lambda: not of_instance(home), "the end of Dagster", ENDS_WITHIN)


def test_a_port_that_was_named_and_is_taken_is_one_line(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = f"port {port} is taken by another program. Fix: name another one, as in make ui PORT=3001"
        assert ui(home, "--port", str(port)) == (1, [line])
    assert ui(home, "--port", "70000")[0] == 2


def test_a_home_whose_dotenv_has_accounts_is_refused(home: Path) -> None:
    home.mkdir()
    (home / ".env").write_text("DT_CLIENT_ID=mine\nREPORTING_PERSONAL_DATA=keep\nREPORTING_LEDGER_URL=postgresql://x\n")
    line = (
        f"{home}/.env sets DT_CLIENT_ID, REPORTING_LEDGER_URL: demo and UI would not use the sandbox. "
        "Fix: remove the lines from it, or name another folder with --home."
    )
    assert ui(home, "--port", free_port()) == (1, [line])
