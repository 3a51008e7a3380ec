"""A replay as a user starts it: the ordinary command line with one line of configuration."""

import json
import os
import subprocess
from datetime import date

import pyarrow.parquet as pq

from reporting_dags.model.days import ONE_DAY
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests import processes
from reporting_dags_tests.orchestration.conftest import Place

EVENT = "dt_offer_wall/event"


def materialize(first: date, last: date, *, replay: bool) -> subprocess.CompletedProcess[str]:
    config = {"ops": {"dt_offer_wall__event": {"config": {"replay": replay}}}}
    command = [
        *("-m", "dagster", "asset", "materialize", "-m", "reporting_dags.definitions"),
        *("--select", EVENT, "--partition-range", f"{first}...{last}", "--config-json", json.dumps(config)),
    ]
    return processes.run(command, cwd=os.environ["DAGSTER_HOME"], env={**os.environ, "PYTHONPATH": str(PROJECT)})


def test_days_are_replayed_by_the_command_line_with_no_call_and_each_is_recorded(
    live: Sandbox, place: Place, newest: date
) -> None:
    days = [newest - n * ONE_DAY for n in range(3)]
    done = materialize(days[-1], days[0], replay=False)
    assert done.returncode == 0, done.stderr[-2000:]
    before = [place.metadata(day) for day in days]
    calls = len(live.log.entries())
    for day in days:
        (place.data / EVENT / f"date={day}" / "part-0.parquet").write_bytes(b"")
    done = materialize(days[-1], days[0], replay=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(live.log.entries()) == calls
    for day, facts in zip(days, before, strict=True):
        table = pq.read_table(place.data / EVENT / f"date={day}" / "part-0.parquet")
        assert table.num_rows == len(live.truth(EVENT, day))
        now = place.metadata(day)
        assert now["replayed"]
        assert "replayed" not in facts
        assert {name: now[name] for name in ("dagster/partition_row_count", "raw_sha256", "provider_request_id")} == {
            name: facts[name] for name in ("dagster/partition_row_count", "raw_sha256", "provider_request_id")
        }
        assert facts["dt_offer_wall queries left today"] == 49


def test_a_day_that_never_landed_cannot_be_replayed_and_says_so_in_one_line(
    live: Sandbox, place: Place, newest: date
) -> None:
    done = materialize(newest, newest, replay=True)
    assert done.returncode != 0
    assert "the day has never landed, so there is no response to land again" in done.stderr
    assert live.log.entries() == []
