from datetime import UTC, datetime

import dagster as dg
import pytest

from reporting_dags.landing.store import open_store
from reporting_dags.reports.integr8 import OFFERS, PUBLISHERS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place, failure_of
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
