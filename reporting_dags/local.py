"""The local instance of the make targets: a folder made from the root's `dagster.yaml`, and a sandbox beside it."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
import yaml

from reporting_dags.model.errors import Failed, StorageError
from reporting_dags.orchestration.home import PROJECT
from reporting_dags.sandbox.digital_turbine.user_level import apps_of

HOME = PROJECT / ".dagster"
_PATIENCE_SECONDS = 30
_NOT_INHERITED = frozenset({"DAGSTER_POSTGRES_URL", "REPORTING_RAW_URL", "REPORTING_JOB_TIMEOUT_SECONDS"})


def make_home(home: Path = HOME) -> Path:
    """Write the local instance's settings: the production instance's, but with embedded storage."""
    source = PROJECT / "dagster.yaml"
    try:
        settings = yaml.safe_load(source.read_text(encoding="utf-8"))
        del settings["storage"]
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"the local instance {home} cannot be written: {error.strerror}") from None
    return home


@contextmanager
def sandbox() -> Generator[str]:
    """The address of a provider sandbox that runs as long as this context."""
    with TemporaryDirectory(prefix="reporting_sandbox_") as folder:
        ready = Path(folder) / "ready"
        command = [sys.executable, "-m", "reporting_dags.sandbox", "--port", "0", "--ready-file", str(ready)]
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)  # noqa: S603 - our own module
        try:
            yield _address(process, ready)
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
    """The environment in which every provider is the sandbox, and state lies in the local instance."""
    mine = {"DAGSTER_HOME": str(home), "REPORTING_POLL_SECONDS": "0.2", "PYTHONPATH": str(PROJECT)}
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return {**kept, **mine, **sandbox_accounts(url)}


def sandbox_accounts(url: str, account: str = "ordinary") -> dict[str, str]:
    """The variables that make the sandbox at `url` every provider, with its accounts of one name: ordinary or other."""
    told = requests.get(f"{url}/_sandbox/health", timeout=_PATIENCE_SECONDS).json()["credentials"]
    accounts = {provider: names[account] for provider, names in told.items()}
    return {
        "DT_BASE_URL": url,
        "DT_CLIENT_ID": accounts["dt"]["client_id"],
        "DT_CLIENT_SECRET": accounts["dt"]["client_secret"],
        "DT_USER_LEVEL_APP_IDS": ",".join(apps_of(account)),
        "MINTEGRAL_BASE_URL": url,
        "MINTEGRAL_ACCESS_KEY": accounts["mintegral"]["access_key"],
        "MINTEGRAL_API_KEY": accounts["mintegral"]["api_key"],
        "ORANGECLICK_BASE_URL": f"{url}/api/v1",
        "ORANGECLICK_API_TOKEN": accounts["orangeclick"]["api_token"],
        "INTEGR8_BASE_URL": f"{url}/api/v2",
        "INTEGR8_API_KEY": accounts["integr8"]["api_key"],
        "INTEGR8_INTEGRATION_ID": accounts["integr8"]["integration_id"],
    }


def command_line(*arguments: str) -> list[str]:
    """A Dagster command; to be run in the local instance's folder, never in the project's.

    Dagster reads the `.env` of the folder in which it runs, above all else, and the project's holds real accounts.
    """
    return [sys.executable, "-m", "dagster", *arguments]
