"""`reporting-dags new-network` writes a package that is clean, says what is left to write, and keeps the contract."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reporting_dags.cli import app

PROJECT = Path(__file__).parents[1]
PARAMS = 'raise NotImplementedError(f"report.py: return the query parameters of a request for {window}")'
REPLY = 'raise NotImplementedError("test_my_net.py: return the API\'s reply to the call, with rows by day")'
ROWS = 'raise NotImplementedError("test_my_net.py: return how many rows reply() has for a day")'


def new_network(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["new-network", *arguments])
    return done.exit_code, done.output


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "reporting-dags-my-net"
    assert new_network("my_net", "--folder", str(tmp_path)) == (
        0,
        f"wrote {folder}; next: cd {folder} && pip install -e '.[test]' && pytest\n",
    )
    return folder


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)


def test_the_package_is_clean_by_the_lint_and_type_rules_of_this_project(package: Path) -> None:
    rules = str(PROJECT / "pyproject.toml")
    # A provider takes what the interface gives, needed or not, as those of this project do.
    for command in (("check", "--extend-per-file-ignores", "*:ARG002"), ("format", "--check")):
        done = run("ruff", *command, "--config", rules, str(package / "reporting_dags_my_net"), folder=package)
        assert done.returncode == 0, done.stdout + done.stderr
    settings = package / "pyproject.toml"
    settings.write_text(f"{settings.read_text()}extraPaths = [{str(PROJECT)!r}]\n")
    done = run("pyright", "--pythonpath", sys.executable, str(package / "reporting_dags_my_net"), folder=package)
    assert done.returncode == 0, done.stdout


def test_its_tests_say_what_is_left_to_write_and_pass_when_it_is_written(package: Path) -> None:
    done = run("pytest", "-q", "-k", "every_row", folder=package)
    assert done.returncode == 1
    assert "report.py: return the query parameters of a request for" in done.stdout
    report = package / "reporting_dags_my_net" / "report.py"
    tests = package / "tests" / "test_my_net.py"
    params = 'return {"from": window.first.isoformat(), "to": window.last.isoformat()}'
    report.write_text(replaced(report.read_text(), PARAMS, params).replace("window_days=1,", "window_days=30,"))
    done = run("pytest", "-q", "-k", "every_row", folder=package)
    assert done.returncode == 1
    assert "test_my_net.py: return the API's reply to the call" in done.stdout
    text = replaced(replaced(tests.read_text(), REPLY, WRITTEN_REPLY), ROWS, "return 0 if data is Data.EMPTY else 2")
    tests.write_text(text.replace("import date\n", "import date, timedelta\n"))
    done = run("pytest", "-q", folder=package)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


WRITTEN_REPLY = """
        if call.headers.get("authorization") != "Bearer a-key-of-the-tests":
            return Reply.of_json({"error": "unknown key"}, 401)
        first, last = date.fromisoformat(call.query["from"]), date.fromisoformat(call.query["to"])
        if (last - first).days >= 30:
            return Reply.of_json({"error": "at most 30 days"}, 400)
        price = "0.5" if data is Data.FIRST else "0.75"
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        rows = [
            {"date": day.isoformat(), "country": country, "impressions": day.day, "revenue": price}
            for day in days
            for country in ("DE", "FR")
        ]
        return Reply.of_json({"rows": [] if data is Data.EMPTY else rows})
""".strip()


def replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.mark.parametrize("name", ["My-Net", "1net", "net_", "class", "", "a b", "../net"])
def test_a_name_that_is_none_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    status, line = new_network(name, "--folder", str(tmp_path))
    assert status == 1
    assert line == (
        f"{name!r} is not a valid name of a network. Fix: use lower-case letters, digits and underscores, "
        "and begin with a letter, as in my_network.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_registered_or_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    status, line = new_network("mintegral", "--folder", str(tmp_path))
    assert (status, line) == (1, "a network named mintegral is registered already. Fix: use another name.\n")
    (tmp_path / "reporting-dags-net").mkdir()
    (tmp_path / "reporting-dags-net" / "mine.py").write_text("")
    status, line = new_network("net", "--folder", str(tmp_path))
    assert (status, line) == (1, f"{tmp_path}/reporting-dags-net exists. Fix: use another name or another folder.\n")
    assert [path.name for path in (tmp_path / "reporting-dags-net").iterdir()] == ["mine.py"]
