import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._serdes import serialize_value

from reporting_dags.landing.storage.store import open_store
from reporting_dags.reports.integr8 import OFFERS, PUBLISHERS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place, failure_of
from reporting_dags_tests.orchestration.ticks import Told, performed, schedule_tick, sensor_tick, turn_on
from reporting_dags_tests.truth import expected_rows, landed_rows

KEY = dg.AssetKey(["integr8", "offers"])


def test_an_entity_list_is_one_file_that_is_replaced_as_a_whole(live: Sandbox, place: Place) -> None:
    assert place.snapshot(KEY).success
    assert place.snapshot(KEY).success
    assert [path.relative_to(place.data).as_posix() for path in place.data.rglob("*.parquet")] == [
        "integr8/offers/part-0.parquet"
    ]
    data = open_store(str(place.data), scratch=place.home)
    today = datetime.now(UTC).date()
    assert landed_rows(data, OFFERS, today) == expected_rows(live, OFFERS, today)
    assert place.checks("rows_complete", KEY) == {None: True}


def test_a_list_that_changes_while_it_is_read_is_refused_and_the_old_one_stays(live: Sandbox, place: Place) -> None:
    key = dg.AssetKey(["integr8", "publishers"])
    assert place.snapshot(key).success
    before = (place.data / PUBLISHERS.file(datetime.now(UTC).date())).read_bytes()
    live.faults.add("integr8.data", do="header_only", source="publishers", times=1, after=1)
    result = place.snapshot(key)
    assert "the provider said" in failure_of(result)
    assert (place.data / PUBLISHERS.file(datetime.now(UTC).date())).read_bytes() == before


@pytest.mark.rule("IN2")
def test_a_list_that_suddenly_has_less_is_a_warning_that_names_what_is_gone(live: Sandbox, place: Place) -> None:
    assert place.snapshot(KEY).success
    assert place.checks("entities", KEY) == {None: True}
    offers = [row["id"] for row in live.truth(OFFERS.key, datetime.now(UTC).date())]
    live.settings.change("integr8", lost_offers=tuple(offers[:20]))
    assert place.snapshot(KEY).success
    assert place.checks("entities", KEY) == {None: False}
    told = place.check_descriptions("entities", KEY)[None] or ""
    assert told.startswith(f"{len(offers) - 20} entities; gone: {', '.join(sorted(offers[:20])[:10])} and 10 more, ")
    assert told.endswith("dagster asset materialize -m reporting_dags.definitions --select integr8/offers")
    assert place.snapshot(KEY).success
    assert place.checks("entities", KEY) == {None: True}, "no more is gone since the snapshot before"


@pytest.mark.rule("IN2")
def test_a_list_that_comes_back_empty_warns_until_it_is_whole_again(live: Sandbox, place: Place) -> None:
    assert place.snapshot(KEY).success
    offers = tuple(row["id"] for row in live.truth(OFFERS.key, datetime.now(UTC).date()))
    live.settings.change("integr8", lost_offers=offers)
    for _ in range(2):
        assert place.snapshot(KEY).success
        assert place.checks("entities", KEY) == {None: False}
    assert (place.check_descriptions("entities", KEY)[None] or "").startswith("0 entities; gone: ")
    live.settings.change("integr8", lost_offers=())
    assert place.snapshot(KEY).success
    assert place.checks("entities", KEY) == {None: True}


def readable(place: Place, result: dg.ExecuteInProcessResult) -> str:
    """All that a user can read of a run: its tags, and its events and log lines with their metadata."""
    run = place.instance.get_run_by_id(result.run_id)
    assert run is not None
    records = place.instance.all_logs(result.run_id)
    return "\n".join([json.dumps(run.tags), *(serialize_value(record) for record in records)])


def ticked(told: Told) -> str:
    requests: list[Any] = [(one.run_key, one.tags, one.partition_key) for one in told.requests]
    return "\n".join([*told.lines, str(told.skipped), str(requests)])


def test_the_day_that_stands_for_a_snapshot_is_shown_to_nobody(
    live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    monkeypatch.setenv("REPORTING_START_DATE", (now - timedelta(days=1)).date().isoformat())
    shown: list[str] = []
    told = schedule_tick(place, now, "integr8")
    assert f"{OFFERS.key}: the snapshot: missing" in told.lines
    shown.append(ticked(told))
    runs = performed(place, told)
    (place.data / OFFERS.file(now.date())).write_bytes(b"harmed")
    live.faults.add("integr8.data", do="bad_value", source="offers", column="name", value="Another", times=1)
    runs.append(place.snapshot(KEY))
    assert "is not compared with the previous version" in readable(place, runs[-1])
    live.faults.add("integr8.data", do="header_only", source="offers", times=1, after=1)
    runs.append(place.snapshot(KEY))
    turn_on(place, "integr8")
    for at in (now + timedelta(hours=1), now + timedelta(days=1)):
        shown += [ticked(schedule_tick(place, at, "integr8")), ticked(sensor_tick(place, "integr8"))]
    assert f"{OFFERS.key}: the snapshot: taken on an earlier day" in shown[-2]
    assert any("the snapshot" in text for text in shown)
    for text in (*shown, *(readable(place, result) for result in runs)):
        lines = [line for line in text.splitlines() if "1970-01-01" in line]
        assert lines == []
    assert {result.success for result in runs} == {True, False}
