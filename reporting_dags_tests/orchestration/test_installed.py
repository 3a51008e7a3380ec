"""The package where it is installed from its wheel: what it carries, and how it works without a checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reporting_dags.cli import app
from reporting_dags.jobs.ledger.database import FILE_NAME
from reporting_dags.local import sandbox_environment
from reporting_dags.model.errors import SettingError
from reporting_dags.orchestration.storage import PROJECT, StorageResource, is_checkout
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place, failure_of

EVENT = "dt_offer_wall/event"
NO_DATA_ROOT = (
    "REPORTING_DATA_URL is not set: an installed package has no default data root. "
    "Fix: set it, for example REPORTING_DATA_URL=/srv/reporting/data or s3://bucket/prefix"
)
SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
TEMPLATES = ("dagster.yaml", "workspace.yaml", ".env.example")
LOADED = """
import json, sys
from typer.testing import CliRunner
from reporting_dags.cli import app
from reporting_dags.definitions import definitions

def loaded():
    return [name for name in sys.modules if name.split(".")[0] in {"starlette", "uvicorn"} or ".sandbox" in name]

definitions()
found = {"definitions": [0, loaded()]}
for command in json.loads(sys.argv[1]):
    found[" ".join(command)] = [CliRunner().invoke(app, command).exit_code, loaded()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a source distribution of a copy of the project."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in (*SOURCES, *TEMPLATES):
        shutil.copy(PROJECT / name, source)
    shutil.copytree(PROJECT / "reporting_dags", source / "reporting_dags", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("reporting_dags_tests", "benchmarks"):
        (source / name).mkdir()
        shutil.copy(PROJECT / name / "__init__.py", source / name)
    uv("build", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(target), str(source))
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, which finds the dependencies in the environment of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    uv("pip", "install", "--no-deps", "--python", str(folder / "bin" / "python"), str(wheel))
    (site,) = folder.glob("lib/python*/site-packages")
    # A folder that a .pth file names is searched, and the .pth files in it are not: the editable project stays out.
    paths = sysconfig.get_paths()
    (site / "dependencies.pth").write_text(f"{paths['purelib']}\n{paths['platlib']}\n")
    return folder


def uv(*arguments: str) -> None:
    command = [sys.executable, "-m", "uv", "--offline", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def command(environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a program with the environment's Python, in the test's empty folder or an instance; return what it prints."""
    monkeypatch.delenv("PYTHONPATH", raising=False)

    def run(*arguments: str, home: Path | None = None) -> str:
        variables = os.environ | ({"DAGSTER_HOME": str(home)} if home else {})
        done = subprocess.run(
            [environment / "bin" / "python", *arguments],
            cwd=home or tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        return done.stdout

    return run


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The package takes itself to be installed in this folder."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for module in ("reporting_dags.orchestration.storage", "reporting_dags.local"):
        monkeypatch.setattr(f"{module}.CHECKOUT", is_checkout(folder))
    monkeypatch.setattr("reporting_dags.orchestration.storage.PROJECT", folder)
    monkeypatch.delenv("REPORTING_DATA_URL", raising=False)
    return folder


def test_the_wheel_holds_all_that_the_package_reads_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in TEMPLATES:
            assert archive.read(f"reporting_dags/templates/{name}") == (PROJECT / name).read_bytes()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"reporting_dags"}
    versions = (PROJECT / "reporting_dags/jobs/ledger/migrations/versions").glob("*.py")
    assert {path.relative_to(PROJECT).as_posix() for path in versions} < names
    assert "reporting_dags/py.typed" in names


def test_an_installed_package_makes_an_instance_and_materializes_a_partition(
    live: Sandbox, command: Callable[..., str], environment: Path, newest: date, tmp_path: Path
) -> None:
    before = files_under(environment)
    script = str(environment / "bin" / "reporting-dags")
    assert "instance" in command(script, "--help")
    home = tmp_path / "reporting_home"
    assert command(script, "instance") == (
        f"fill in REPORTING_DATA_URL and your accounts in {home}/.env, "
        f"then: cd {home} && export DAGSTER_HOME=$PWD && dagster dev\n"
    )
    for name in TEMPLATES:
        assert (home / name.removesuffix(".example")).read_bytes() == (PROJECT / name).read_bytes()
    materialize = ("asset", "materialize", "-m", "reporting_dags.definitions", "--select", EVENT)
    command("-m", "dagster", *materialize, "--partition", newest.isoformat(), home=home)
    assert (tmp_path / "data" / EVENT / f"date={newest}" / "part-0.parquet").exists()
    assert command(script, "verify", home=home).splitlines()[-1] == "1 day is whole"
    assert files_under(environment) == before


def files_under(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"}


def test_a_checkout_is_known_by_its_pyproject(tmp_path: Path) -> None:
    assert is_checkout(PROJECT)
    assert not is_checkout(tmp_path)
    for text in ('[project]\nname = "another"\n', "[tool.ruff]\n", "[project", "\0"):
        (tmp_path / "pyproject.toml").write_text(text)
        assert not is_checkout(tmp_path)


def test_without_a_data_root_a_materialization_of_an_installed_package_fails_in_one_line(
    installed: Path, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPORTING_DATA_URL")
    result = place.run(newest)
    assert not result.success
    assert failure_of(result) == f"{EVENT} denied: {NO_DATA_ROOT}"
    assert not (place.home / FILE_NAME).exists(), "nothing was opened"
    assert list(installed.iterdir()) == []


def test_without_a_data_root_verify_says_the_same_line(
    place: Place, installed: Path, newest: date, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REPORTING_DATA_URL", str(place.data))
    assert place.run(newest).success
    monkeypatch.delenv("REPORTING_DATA_URL")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["verify"])
    assert (done.exit_code, done.output) == (1, f"{NO_DATA_ROOT}\n")


def test_partitions_of_an_earlier_release_in_site_packages_are_named(installed: Path) -> None:
    (installed / "data" / "some_other_package").mkdir(parents=True)
    with pytest.raises(SettingError) as caught:
        StorageResource().data_root()
    assert caught.value.line == NO_DATA_ROOT
    (installed / "data" / EVENT).mkdir(parents=True)
    with pytest.raises(SettingError) as caught:
        StorageResource().data_root()
    assert caught.value.line == (
        f"{NO_DATA_ROOT}. An earlier release stored partitions in {installed}/data: move that folder there first"
    )


def test_the_demo_of_an_installed_package_stores_its_data_in_the_folder_of_its_instance(
    installed: Path, live: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPORTING_DATA_URL")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    variables = sandbox_environment(live.url, tmp_path / "home")
    assert variables["REPORTING_DATA_URL"] == str(tmp_path / "home" / "data")
    assert "PYTHONPATH" not in variables
    monkeypatch.setenv("REPORTING_DATA_URL", "elsewhere")
    assert sandbox_environment(live.url, tmp_path / "home")["REPORTING_DATA_URL"] == "elsewhere"


def test_the_data_dictionary_of_an_installed_package_needs_a_file(tmp_path: Path) -> None:
    written = tmp_path / "datasets.md"
    assert CliRunner().invoke(app, ["docs", "--file", str(written)]).exit_code == 0
    assert written.read_text() == (PROJECT / "docs" / "datasets.md").read_text()
    done = CliRunner().invoke(app, ["docs", "--file", str(tmp_path / "no folder" / "datasets.md")])
    assert done.exit_code == 1
    assert done.output == f"{tmp_path}/no folder/datasets.md cannot be written: No such file or directory\n"


def test_production_commands_and_definitions_load_nothing_of_the_sandbox(
    bare_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    commands = (
        *(["--help"], ["verify"], ["verify", "--help"], ["quotas"], ["demo", "--help"], ["ui", "--help"]),
        ["instance", "--home", str(tmp_path / "home")],
        ["docs", "--file", str(tmp_path / "datasets.md")],
    )
    done = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(commands)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert {name: status for name, (status, _) in found.items() if status} == {"verify": 1}, "it has no ledger"
    assert {name: modules for name, (_, modules) in found.items() if modules} == {}
