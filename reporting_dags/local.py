"""Folders of instances: the local one of `make demo` and `make ui`, with a sandbox, and those of users."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from dotenv import dotenv_values, set_key

from reporting_dags.model.errors import Failed, SettingError, StorageError
from reporting_dags.orchestration.storage import CHECKOUT, PROJECT
from reporting_dags.reports.registry import all_providers

HOME = PROJECT / ".dagster" if CHECKOUT else Path(".dagster")
"""The default instance of the demo and its UI: an installed package makes it in the current folder."""

NEW_INSTANCE = HOME if CHECKOUT else Path("reporting_home")
"""The default folder of `reporting-dags instance`."""

DAYS = 30
"""How many days the demo pulls by default."""

_TEMPLATES = Path(__file__).parent / "templates"
"""Where the build puts the files of an instance's folder, which a checkout has at its top."""

_PATIENCE_SECONDS = 30
_SANDBOX_ONLY = frozenset(
    {
        "DAGSTER_HOME",
        "DAGSTER_POSTGRES_URL",
        "REPORTING_LEDGER_URL",
        "REPORTING_RAW_URL",
        "REPORTING_JOB_TIMEOUT_SECONDS",
    }
)
_START = "REPORTING_START_DATE"


def make_home(home: Path = HOME) -> Path:
    """Create the folder of an instance, with a copy of `dagster.yaml`; an existing file is not changed.

    Raises:
        StorageError: the folder cannot be written.
    """
    _make_folder(home, ["dagster.yaml"])
    return home


def template(name: str) -> Path:
    """Return the file from which `name` in the folder of an instance is made."""
    packaged = _TEMPLATES / name
    return packaged if packaged.exists() else PROJECT / name


def make_instance(home: Path) -> list[str]:
    """Create the folder of a user's instance, in which Dagster's commands run without options.

    It holds copies of `dagster.yaml` and `workspace.yaml`, and a `.env` made from `.env.example`; but no `.env` in the
    folder of the demo, which never has real accounts. Existing files are not changed.

    Returns:
        What the user must know, one line each.

    Raises:
        StorageError: the folder cannot be written.
    """
    differing = _make_folder(home, ["dagster.yaml", "workspace.yaml"])
    lines = [
        f"{home / name} differs from {template(name)} and was not changed. Compare them after an upgrade"
        for name in differing
    ]
    if home == HOME:
        return lines
    settings, earlier = home / ".env", PROJECT / ".env"
    if not os.path.lexists(settings):
        _write(settings, _read(template(".env.example")))
        if earlier.exists():
            lines.append(f"commands that run in {home} do not read {earlier}. Fix: move its settings to {settings}")
    required = "" if CHECKOUT else "REPORTING_DATA_URL and your accounts in "
    lines.append(
        f"fill in {required}{settings}, then: cd {shlex.quote(str(home))} && export DAGSTER_HOME=$PWD && dagster dev"
    )
    return lines


def _make_folder(home: Path, names: Sequence[str]) -> list[str]:
    """Copy templates into `home` where they are missing; return the names of those that differ."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the instance's folder {home} cannot be made: {error.strerror}") from None
    differing: list[str] = []
    for name in names:
        text = _read(template(name))
        if not os.path.lexists(home / name):
            _write(home / name, text)
        elif _read(home / name) != text:
            differing.append(name)
    return differing


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StorageError(f"{path} cannot be read: {reason}") from None


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, atomically: a killed process leaves no partial file."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.touch(mode=0o600)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None


def start_on(first: date, home: Path) -> None:
    """Set the first partition of every report to `first`, for all processes of Dagster that run in `home`.

    Raises:
        StorageError: the folder's `.env` cannot be written.
    """
    settings = home / ".env"
    if not os.path.lexists(settings):
        _write(settings, "# `make demo` sets this to the first day of its data.\n")
    try:
        set_key(settings, _START, first.isoformat(), quote_mode="never")
    except OSError as error:
        raise StorageError(f"{settings} cannot be written: {error.strerror}") from None


@contextmanager
def sandbox() -> Generator[str]:
    """Run a provider sandbox for the duration of the context; yield its address."""
    with TemporaryDirectory(prefix="reporting_sandbox_") as folder:
        ready = Path(folder) / "ready"
        command = guarded(sys.executable, "-m", "reporting_dags.sandbox", "--port", "0", "--ready-file", str(ready))
        process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            cwd=PROJECT if CHECKOUT else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            address = _address(process, ready)
            # What the demo has landed is final, and stays so: it is another sandbox that runs beside the UI later.
            change_settings(address, "dt", restate_days=0)
            yield address
        finally:
            process.terminate()
            process.wait()


def _address(process: subprocess.Popen[bytes], ready: Path) -> str:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        text = ready.read_text(encoding="utf-8").strip() if ready.exists() else ""
        if text:
            return text
        if process.poll() is not None:
            raise Failed(f"the sandbox ended with exit code {process.returncode} before it was ready")
        time.sleep(0.05)
    raise Failed(f"the sandbox was not ready after {_PATIENCE_SECONDS} s")


def sandbox_environment(url: str, home: Path = HOME) -> dict[str, str]:
    """Return the environment in which every provider is the sandbox, and state is stored in the local instance.

    An installed package, which has no default data root, stores the data in that instance's folder `data`.

    Raises:
        SettingError: the `.env` of `home`, which takes precedence in Dagster, names other accounts or places.
    """
    if foreign := sorted(name for name, value in dotenv_values(home / ".env").items() if value and _is_foreign(name)):
        raise SettingError(
            f"{home / '.env'} sets {', '.join(foreign)}: demo and UI would not use the sandbox",
            advice="Fix: remove the lines from it, or name another folder with --home.",
        )
    own = {"DAGSTER_HOME": str(home), "REPORTING_POLL_SECONDS": "0.2"}
    if CHECKOUT:
        own["PYTHONPATH"] = str(PROJECT)
    elif not os.environ.get("REPORTING_DATA_URL", "").strip():
        own["REPORTING_DATA_URL"] = str(home / "data")
    inherited = {name: value for name, value in os.environ.items() if not _is_foreign(name)}
    return {**inherited, **own, **sandbox_accounts(url)}


def _is_foreign(name: str) -> bool:
    """Return whether a variable names an account or a storage place other than the sandbox's."""
    prefixes = tuple(f"{provider.resource.variable_prefix}_" for provider in all_providers())
    return name in _SANDBOX_ONLY or name.startswith(prefixes)


def change_settings(url: str, provider: str, **values: object) -> None:
    """Change settings of one provider of the sandbox at `url`."""
    requests.post(f"{url}/_sandbox/settings", json={provider: values}, timeout=_PATIENCE_SECONDS).raise_for_status()


def emulated_providers(url: str) -> frozenset[str]:
    """Return the keys of the providers that the sandbox at `url` emulates."""
    health = requests.get(f"{url}/_sandbox/health", timeout=_PATIENCE_SECONDS).json()
    return frozenset(report.partition("/")[0] for report in health["reports"])


def sandbox_accounts(url: str, account: str = "ordinary") -> dict[str, str]:
    """Return the variables with which every provider is the sandbox at `url`, for one of its accounts."""
    health = requests.get(f"{url}/_sandbox/health", timeout=_PATIENCE_SECONDS).json()
    return dict(health["variables"][account])


def guarded(*command: str) -> list[str]:
    """Return a command line that runs `command` until it ends or the standard input closes, a pipe of the caller."""
    return [sys.executable, "-m", "reporting_dags.guarded", *command]


def command_line(*arguments: str) -> list[str]:
    """Return a Dagster command, which must run in the folder of the local instance, never in the project's.

    Dagster reads the `.env` of the folder in which it runs, with precedence, and the project's may hold real accounts.
    """
    return [sys.executable, "-m", "dagster", *arguments]
