"""What the command line says, and with which exit code."""

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
import time_machine
from typer.testing import CliRunner

from reporting_dags.cli import app
from reporting_dags.jobs.ledger.database import FILE_NAME
from reporting_dags.model.days import ONE_DAY
from reporting_dags.orchestration.storage import PROJECT, StorageResource
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests import processes
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


def row(output: str, name: str) -> list[str]:
    """The cells of the row of a table that begins with `name`, without empty ones."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in output.splitlines()]
    (found,) = [cells for cells in rows if cells[0] == name]
    return found


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
    first, second, third = said.splitlines()[:3]
    assert first == f"{EVENT} {newest}: the file is gone"
    assert second == "    Fix: rebuild from the stored raw responses, without a call to the provider:"
    assert third.strip() == (
        f"dagster asset materialize -m reporting_dags.definitions --select {EVENT} --partition {newest} "
        """--config-json '{"ops": {"dt_offer_wall__event": {"config": {"replay": true}}}}'"""
    )
    assert said.splitlines()[-1] == "not whole: 1 finding above"
    assert verify("--last", str(days[0]))[0] == 0
    assert verify(EVENT, "--first", str(days[0]))[0] == 1
    assert verify("mintegral/offer_performance")[0] == 1, "nothing landed, so nothing is whole"


@pytest.mark.parametrize("stored", [True, False])
def test_the_command_that_verify_names_repairs_a_range(
    live: Sandbox, place: Place, newest: date, *, stored: bool
) -> None:
    assert place.run(newest - timedelta(days=2), newest).success
    for day in (newest - timedelta(days=1), newest):
        file_of(place, day).write_bytes(b"")
    if not stored:
        shutil.rmtree(place.home / "raw")
    live.log.clear()
    code, said = verify()
    (command,) = [shlex.split(line) for line in said.splitlines() if line.strip().startswith("dagster asset")]
    done = processes.run(["-m", *command], cwd=place.home, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    assert (code, done.returncode) == (1, 0), done.stderr[-2000:]
    assert live.log.count("dt.report") == (0 if stored else 1), "a range costs one query"
    assert verify()[0] == 0


def test_a_finding_is_one_line_however_long(place: Place, newest: date) -> None:
    assert place.run(newest).success
    stray = file_of(place, newest).parent / f"{'x' * 180} [red].parquet"
    stray.write_bytes(b"")
    code, said = verify()
    assert code == 1
    folder = place.data / EVENT
    line = f"{EVENT}: no run has landed this file, in {folder}: '{stray.relative_to(folder)}'"
    assert line in said.splitlines()
    assert f"    Fix: move it out of {folder}" in said.splitlines()


def test_a_ledger_without_a_landed_day_is_not_whole(place: Place) -> None:
    with StorageResource().open(place.instance):
        pass
    code, said = verify()
    assert (code, said.splitlines()[-1]) == (1, "no day has landed there: nothing was verified")


def test_without_a_ledger_nothing_is_created(place: Place) -> None:
    before = {path: path.stat().st_mtime_ns for path in place.home.rglob("*") if "storage" not in path.parts}
    assert verify() == (1, f"no ledger in {place.home}: nothing has been landed by this instance\n")
    made = CliRunner().invoke(app, ["quotas"])
    assert (made.exit_code, made.output.splitlines()[-1]) == (
        0,
        f"no ledger in {place.home}: this instance has made no call",
    )
    assert row(made.output, "dt_offer_wall queries")[1:4] == ["50", "50", "10"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not (place.home / FILE_NAME).exists()
    assert not (place.home / "reporting_spool").exists()
    assert not place.data.exists()


def test_without_tables_in_postgresql_none_are_created(
    place: Place, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_LEDGER_URL", postgres_url)
    code, said = verify()
    assert code == 1
    assert re.fullmatch(
        r"no ledger in PostgreSQL at .+ \(REPORTING_LEDGER_URL\): nothing has been landed by this instance\n", said
    )
    assert "password" not in said
    assert CliRunner().invoke(app, ["quotas"]).exit_code == 0
    engine = sa.create_engine(sa.make_url(postgres_url).set(drivername="postgresql+psycopg2"))
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    assert not (place.home / FILE_NAME).exists()
    with StorageResource().open(place.instance):
        pass
    assert verify()[1].splitlines()[-1] == "no day has landed there: nothing was verified"


def test_the_data_of_another_instance_is_one_line_a_report(
    place: Place, newest: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.run(newest - timedelta(days=4), newest).success
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(other))
    with dg.DagsterInstance.ephemeral() as instance, StorageResource().open(instance):
        pass
    code, said = verify()
    lines = [line for line in said.splitlines() if line.startswith(("dt_", "    ")) and line.strip()]
    assert code == 1
    assert len(lines) == 1
    assert f"{EVENT} {newest - timedelta(days=4)}...{newest}: 5 partitions are not in this ledger" in lines[0]
    assert "Fix: set REPORTING_DATA_URL" in lines[0]


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
        ("nowhere", "DAGSTER_HOME is not a folder. Set it to the instance whose ledger is meant."),
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
    """When the latest day that is published is the last one to come out on this day."""
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
    headings = ["calls", "a day", "left today", "reserved for latest day", "renewed", "rate limit"]
    assert row(told.output, "calls") == headings
    at = "2026-11-21 00:00 UTC"
    assert row(told.output, "dt_offer_wall queries")[1:] == ["50", "49", "9", at, "none"]
    assert row(told.output, "integr8 exports")[1:] == ["10", "10", "4", at, "60 a minute"]
    assert row(told.output, "dt_user_level")[1:] == ["no daily quota", "none"]
    assert row(told.output, "orangeclick")[1:] == ["no daily quota", "5 a minute"]
    assert row(told.output, "mintegral")[1:] == ["not connected: MINTEGRAL_API_KEY is not set"]
    assert len(live.log.entries()) == made


def test_quotas_lists_every_connected_network(place: Place) -> None:
    told = CliRunner().invoke(app, ["quotas"]).output
    assert row(told, "mintegral")[1:] == ["no daily quota", "none"]
    assert "not connected" not in told
