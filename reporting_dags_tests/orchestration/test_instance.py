"""Where an instance stores its runs, and the folder that `reporting-dags instance` makes."""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest
import requests
import sqlalchemy as sa
import yaml
from typer.testing import CliRunner

from reporting_dags.cli import app
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests import processes
from reporting_dags_tests.torture.deployment import deployed
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.station import wait_for

MINUTES = 240
LAUNCH = """
mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


@pytest.fixture
def home(bare_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an instance with the project's `dagster.yaml`, which DAGSTER_HOME names."""
    folder = tmp_path / "instance"
    folder.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", folder)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


@pytest.fixture
def user(bare_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without a `.env`, and the folder in which a user wants an instance."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("dagster.yaml", "workspace.yaml", ".env.example"):
        shutil.copy(PROJECT / name, project)
    monkeypatch.setattr("reporting_dags.local.PROJECT", project)
    return tmp_path / "reporting home"


def make(folder: Path) -> list[str]:
    done = CliRunner().invoke(app, ["instance", "--home", str(folder)])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def dagster(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return processes.run(["-m", "dagster", *arguments], cwd=folder)


@contextmanager
def dagster_dev(folder: Path, *options: str) -> Generator[tuple[str, Path]]:
    """`dagster dev` in `folder`: its address, once it answers, and its log."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder.parent / "dev.log"
    command = ["-m", "dagster", "dev", "--port", str(port), *options]
    with log.open("wb") as sink:
        process = processes.start(command, cwd=folder, env=os.environ, stdout=sink, stderr=sink, forks=True)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers(url) or process.poll() is not None, "the webserver", MINUTES)
        assert process.poll() is None, log.read_text()[-3000:]
        yield url, log
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        process.close()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/server_info", timeout=5).ok
    except requests.RequestException:
        return False


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    body = {"query": query, "variables": variables}
    return requests.post(f"{url}/graphql", json=body, timeout=MINUTES).json()["data"]


def launch(url: str, day: date) -> str:
    """Launch a run of one day, as the UI does; returns its id."""
    where = {"repositoryLocationName": "reporting_dags", "repositoryName": "__repository__"}
    params = {
        "selector": {**where, "pipelineName": "__ASSET_JOB", "assetSelection": [{"path": EVENT.key.split("/")}]},
        "mode": "default",
        "runConfigData": "{}",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day.isoformat()}]},
    }
    return ask(url, LAUNCH, params=params)["launchRun"]["run"]["runId"]


def test_where_dagster_home_was_forgotten_everything_works_in_a_temporary_folder_and_a_line_says_so(
    live: Sandbox, tmp_path: Path, newest: date
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(PROJECT / name, root)
    with dagster_dev(root, "-w", "workspace.yaml") as (url, log):
        (temporary,) = root.glob(".tmp_dagster_home_*")
        run = launch(url, newest)
        ended = {"SUCCESS", "FAILURE", "CANCELED"}
        wait_for(lambda: ask(url, STATUS, id=run)["runOrError"]["status"] in ended, "the run's end", MINUTES)
        assert ask(url, STATUS, id=run)["runOrError"]["status"] == "SUCCESS"
        assert (temporary / "history" / "runs" / f"{run}.db").exists()
        text = log.read_text()
    assert text.count("DAGSTER_HOME is not set: ") == 1
    assert "Traceback" not in text


def test_webserver_daemon_and_run_worker_share_the_storage(
    live: Sandbox, tmp_path: Path, newest: date, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables: Mapping[str, str] = {"DAGSTER_POSTGRES_URL": database_url} if database_url else {}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    place = Place(folder=tmp_path, sandbox=live, variables=dict(variables))
    place.environment()
    with deployed(place, forks=True) as deployment:
        deployment.start_daemon()
        deployment.start_webserver()
        run = deployment.launch(EVENT, [newest])
        wait_for(lambda: deployment.ended(run), "the run's end", MINUTES)
        assert deployment.status(run) == dg.DagsterRunStatus.SUCCESS
    assert (place.home / "history" / "runs.db").exists() == (database_url is None)
    if database_url:
        engine = sa.create_engine(database_url)
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT run_id FROM runs")) == run
        engine.dispose()


def test_an_instance_of_an_earlier_release_keeps_its_runs(home: Path) -> None:
    settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    del settings["instance_class"]
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(["dt_offer_wall", "event"], partition="2026-11-01"))
        files = {path.relative_to(home) for path in home.rglob("*.db")}
    shutil.copy(PROJECT / "dagster.yaml", home)
    with dg.DagsterInstance.get() as instance:
        assert type(instance) is not dg.DagsterInstance
        assert instance.get_materialized_partitions(dg.AssetKey(["dt_offer_wall", "event"])) == {"2026-11-01"}
        assert {path.relative_to(home) for path in home.rglob("*.db")} == files


def test_storage_that_a_user_s_own_file_names_is_used(
    home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    settings["storage"] = {"postgres": {"postgres_url": {"env": "ELSEWHERE"}}}
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("ELSEWHERE", postgres_url)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("some", ["one"])
    assert not (home / "history").exists()


def test_dagster_upgrades_the_storage(home: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if database_url:
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", database_url)
    done = dagster("instance", "migrate", folder=home)
    assert done.returncode == 0, done.stderr
    assert (home / "history" / "runs.db").exists() == (database_url is None)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("postgres://me:hidden@db/dagster", "is not a PostgreSQL address"),
        ("db:5432/hidden", "is not a PostgreSQL address"),
        ("postgresql://me:hid@den@db/dagster", "is not a PostgreSQL address"),
        ("mysql://me:hidden@db/dagster", "is not a PostgreSQL address"),
        ("postgresql+asyncpg://me:hidden@db/dagster", "begins with postgresql+asyncpg://. Fix: write postgresql://"),
        ("postgresql://me:hidden@db/dagster\n", "begins or ends with a blank or line break. Fix: remove it"),
    ],
)
def test_a_malformed_address_of_postgresql_is_one_line_without_the_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch, address: str, line: str
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", address)
    with pytest.raises(click.ClickException) as caught:
        dg.DagsterInstance.get()
    assert f"DAGSTER_POSTGRES_URL {line}" in caught.value.message
    assert not any(part in caught.value.message for part in ("hid", "den"))


def test_dagster_s_commands_print_that_line_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgres://me:hidden@db/dagster")
    done = dagster("instance", "info", folder=home)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: DAGSTER_POSTGRES_URL is not a PostgreSQL address")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_address_of_postgresql_is_none(home: Path, monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", blank)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs() == []
    assert (home / "history" / "runs.db").exists()


def test_the_folder_of_an_instance_holds_all_that_dagster_s_commands_need(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = make(user)
    assert line == f"fill in {user}/.env, then: cd '{user}' && export DAGSTER_HOME=$PWD && dagster dev"
    assert {path.name for path in user.iterdir()} == {"dagster.yaml", "workspace.yaml", ".env"}
    assert stat.S_IMODE((user / ".env").stat().st_mode) == 0o600
    assert stat.S_IMODE(user.stat().st_mode) == 0o700
    monkeypatch.setenv("DAGSTER_HOME", str(user))
    with dagster_dev(user) as (_, log):
        text = log.read_text()
    assert "Found a dagster instance configuration" not in text
    assert "DAGSTER_HOME is not set" not in text
    assert not list(user.glob(".tmp_dagster_home_*"))


def test_files_that_a_user_has_are_never_changed(user: Path) -> None:
    make(user)
    (user / ".env").write_text("DT_CLIENT_ID=mine\n")
    (user / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    lines = make(user)
    assert lines[0].startswith(f"{user}/dagster.yaml differs from ")
    assert len(lines) == 2
    assert (user / ".env").read_text() == "DT_CLIENT_ID=mine\n"
    assert (user / "dagster.yaml").read_text() == "telemetry:\n  enabled: false\n"
    assert {path.name for path in user.iterdir()} == {"dagster.yaml", "workspace.yaml", ".env"}


def test_settings_that_the_new_folder_does_not_see_are_named(user: Path) -> None:
    earlier = user.parent / "project" / ".env"
    earlier.write_text("DT_CLIENT_ID=mine\n")
    assert make(user)[0] == f"commands that run in {user} do not read {earlier}. Fix: move its settings to {user}/.env"
    assert len(make(user)) == 1, "said when the file is made"


def test_the_demo_s_folder_gets_no_dotenv(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting_dags.local.HOME", user)
    assert make(user) == []
    assert not (user / ".env").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(user: Path) -> None:
    user.parent.chmod(0o500)
    try:
        done = CliRunner().invoke(app, ["instance", "--home", str(user)])
    finally:
        user.parent.chmod(0o700)
    assert (done.exit_code, len(done.output.splitlines())) == (1, 1)


def test_a_folder_that_is_a_file_is_one_line(user: Path) -> None:
    user.write_text("")
    done = CliRunner().invoke(app, ["instance", "--home", str(user)])
    assert done.exit_code == 1
    assert done.output == f"the instance's folder {user} cannot be made: File exists\n"
