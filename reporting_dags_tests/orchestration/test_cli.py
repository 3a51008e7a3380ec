"""What the command line says, and with which exit code."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from typer.testing import CliRunner

from reporting_dags.cli import app
from reporting_dags.model.days import ONE_DAY
from reporting_dags.orchestration.home import PROJECT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place

EVENT = "dt_offer_wall/event"


def verify(*arguments: str) -> tuple[int, str]:
    """Exit code and output of `verify`; an error that is not told in a line is raised."""
    done = CliRunner().invoke(app, ["verify", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the project's folder, whose `.env` is a developer's own."""
    monkeypatch.chdir(tmp_path)


def file_of(place: Place, day: date) -> Path:
    return place.data / EVENT / f"date={day}" / "part-0.parquet"


def test_verify_ends_well_only_if_all_is_whole(place: Place, newest: date) -> None:
    days = [newest - timedelta(days=1), newest]
    assert place.run(days[0], newest).success
    code, said = verify()
    assert (code, said.splitlines()[-1]) == (0, "2 days are whole")
    assert [line.split()[1::2] for line in said.splitlines() if line.split()[:1] == [EVENT]] == [["2", "2/2"]]
    file_of(place, newest).unlink()
    code, said = verify()
    assert code == 1
    first, second = said.splitlines()[:2]
    assert first == f"{EVENT} {newest}: the file is gone"
    assert second.strip() == (
        f"dagster asset materialize -m reporting_dags.definitions --select {EVENT} --partition {newest}"
    )
    assert said.splitlines()[-1] == "not whole: 1 finding above"
    assert verify("--last", str(days[0]))[0] == 0
    assert verify(EVENT, "--first", str(days[0]))[0] == 1
    assert verify("mintegral/offer_performance")[0] == 1, "nothing landed, so nothing is whole"


def test_the_command_that_verify_names_mends_it(place: Place, newest: date) -> None:
    assert place.run(newest).success
    file_of(place, newest).write_bytes(b"")
    code, said = verify()
    command = next(line.split() for line in said.splitlines() if line.strip().startswith("dagster asset"))
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=place.home,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (code, done.returncode) == (1, 0), done.stderr[-2000:]
    assert verify()[0] == 0


def test_a_finding_is_one_line_however_long(place: Place, newest: date) -> None:
    assert place.run(newest).success
    stray = file_of(place, newest).parent / f"{'x' * 180} [red].parquet"
    stray.write_bytes(b"")
    code, said = verify()
    assert code == 1
    assert f"{EVENT}: nobody landed this: {stray}" in said.splitlines()
    assert f"    rm '{stray}'" in said.splitlines()


def test_an_empty_home_is_not_whole(place: Place) -> None:
    code, said = verify()
    assert (code, said.splitlines()[-1]) == (1, "no day has landed there: nothing was verified")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dt_offer_wall/evnet"], "there is no report dt_offer_wall/evnet. There are: dt_offer_wall/event, "),
        (["--first", "2026-11-02", "--last", "2026-11-01"], "a window ends on 2026-11-01, before it begins on "),
    ],
)
def test_what_cannot_be_verified_is_told_in_one_line(place: Place, arguments: list[str], said: str) -> None:
    code, found = verify(*arguments)
    assert code == 1
    assert found.startswith(said)
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize(
    ("home", "said"),
    [
        (None, "DAGSTER_HOME is not set. Set it to the instance whose ledger is meant."),
        ("nowhere", "DAGSTER_HOME is no folder. Set it to the instance whose ledger is meant."),
    ],
)
def test_without_an_instance_one_line_says_so(
    bare_environment: None, monkeypatch: pytest.MonkeyPatch, home: str | None, said: str
) -> None:
    if home is not None:
        monkeypatch.setenv("DAGSTER_HOME", home)
    assert verify() == (1, f"{said}\n")


def test_settings_are_those_of_the_folder_s_dotenv_as_in_a_run(
    place: Place, newest: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.run(newest).success
    place.data.rename(tmp_path / "moved")
    assert verify()[0] == 1
    (tmp_path / ".env").write_text(f"REPORTING_DATA_URL={tmp_path / 'moved'}\n")
    # The command writes the file's settings into the environment, which is this test's to put back.
    monkeypatch.setenv("REPORTING_DATA_URL", os.environ["REPORTING_DATA_URL"])
    assert verify()[0] == 0


@pytest.fixture
def afternoon() -> Iterator[None]:
    """When the newest day that is out is the last one to come out on this day."""
    with time_machine.travel(datetime(2026, 11, 20, 14, tzinfo=UTC), tick=True):
        yield


def test_quotas_tells_what_is_left_of_the_accounts_that_are_connected(
    afternoon: None, live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MINTEGRAL_API_KEY")
    place.run(newest - ONE_DAY, newest)
    made = len(live.log.entries())
    told = CliRunner().invoke(app, ["quotas"])
    assert told.exit_code == 0, told.output
    lines = {line.split("  ")[1]: line.split() for line in told.output.splitlines() if line.startswith("  ")}
    assert lines["dt_offer_wall queries"][2:5] == ["50", "49", "9"]
    assert lines["integr8 exports"][2:5] == ["10", "10", "4"]
    assert "MINTEGRAL_API_KEY is not set" in told.output
    assert len(live.log.entries()) == made
