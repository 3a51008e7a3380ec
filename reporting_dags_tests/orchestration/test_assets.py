"""Real Dagster runs over days and ranges: what is recorded, what fails alone, and what users get to read."""

import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pyarrow.dataset as ds
import pytest

from reporting_dags.definitions import definitions
from reporting_dags.jobs.planning.report_health import REPORT_CHECKS
from reporting_dags.orchestration.asset_checks import BLOCKING, ENTITIES, VOLUME
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import KEY, Place, failure_of


def test_a_range_is_one_query_and_each_day_has_its_own_facts_and_check_results(
    live: Sandbox, place: Place, thirty: list[date]
) -> None:
    result = place.run(thirty[0], thirty[-1])
    assert result.success
    assert live.log.count("dt.report") == 1
    assert place.materialized() == {day.isoformat() for day in thirty}
    for name in (*BLOCKING, VOLUME):
        told = place.checks(name)
        assert {day for day in told if day is not None} == {day.isoformat() for day in thirty}
    assert all(all(place.checks(name).values()) for name in BLOCKING)
    for day in thirty:
        truth = live.truth("dt_offer_wall/event", day)
        facts = place.metadata(day)
        assert facts["dagster/partition_row_count"] == len(truth)
        assert "rows" not in facts, "said once"
        earned = sum((Decimal(row["Publisher Revenue"] or "0") for row in truth), Decimal())
        assert abs(Decimal(str(facts["publisher_revenue_usd_exact"])) - earned) < Decimal("1e-15")
        assert facts["window_calls_spent"] == 1
        assert facts["provider_request_id"]
        assert len(str(facts["raw_sha256"])) == 64


def test_the_files_are_one_a_day_where_the_contract_says(live: Sandbox, place: Place, thirty: list[date]) -> None:
    place.run(thirty[0], thirty[4])
    root = place.data / "dt_offer_wall" / "event"
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    assert files == [f"date={day}/part-0.parquet" for day in thirty[:5]]
    table = ds.dataset(root, partitioning="hive").to_table()
    rows = sum(len(live.truth("dt_offer_wall/event", day)) for day in thirty[:5])
    assert table.num_rows == rows


def test_one_bad_day_of_thirty_fails_alone_with_its_cause(live: Sandbox, place: Place, thirty: list[date]) -> None:
    bad = thirty[12]
    live.faults.add("dt.data", do="duplicate_row", source="event", day=bad)
    result = place.run(thirty[0], thirty[-1])
    assert not result.success
    line = failure_of(result)
    assert f"(1 of 30 days) {bad} failed" in line
    assert "grain" in line
    assert "\n" not in line
    assert place.materialized() == {day.isoformat() for day in thirty if day != bad}
    told = place.checks("grain_unique")
    assert told[bad.isoformat()] is False
    assert set(told) == {day.isoformat() for day in thirty}, "nothing is said of the asset as a whole"
    assert all(passed for day, passed in told.items() if day != bad.isoformat())

    live.faults.clear()
    asked = live.log.count("dt.report")
    assert place.run(bad).success
    assert live.log.count("dt.report") == asked + 1
    assert bad.isoformat() in place.materialized()
    assert place.checks("grain_unique")[bad.isoformat()] is True


def test_a_day_that_is_not_published_is_left_out_of_a_range_and_fails_alone_in_one_line(
    live: Sandbox, place: Place, newest: date
) -> None:
    early = newest + timedelta(days=1)
    line = failure_of(place.run(early))
    published = EVENT.calendar.published_at(early)
    assert f"{early} not ready: " in line
    assert f"publishes it on {published:%Y-%m-%d} at {published:%H:%M} UTC" in line
    assert live.log.entries() == []
    assert place.run(newest, early).success
    assert place.materialized() == {newest.isoformat()}
    (query,) = live.log.entries("dt.report")
    assert query.body["dateRange"]["end"] == newest.isoformat()


def test_a_day_before_the_providers_reach_fails_in_one_line_and_unasked(
    live: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_START_DATE", "2019-01-01")
    line = failure_of(place.run(date(2019, 6, 10), date(2019, 6, 11)))
    assert "2019-06-10...2019-06-11 expired: " in line
    assert "older than the provider's retention" in line
    assert live.log.entries() == []


def test_no_credentials_name_the_variable_in_one_line(
    place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DT_CLIENT_SECRET")
    line = failure_of(place.run(newest))
    assert line.startswith("dt_offer_wall/event denied: DT_CLIENT_SECRET is not set")
    assert "\n" not in line


def test_wrong_credentials_say_where_to_look(place: Place, newest: date, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DT_CLIENT_SECRET", "a-wrong-secret")
    line = failure_of(place.run(newest))
    assert "denied" in line
    assert "check DT_CLIENT_ID and DT_CLIENT_SECRET" in line
    assert "a-wrong-secret" not in line


def test_a_data_root_that_cannot_be_written_is_named_and_the_answer_is_not_lost(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a_file").write_text("not a folder")
    monkeypatch.setenv("REPORTING_DATA_URL", str(tmp_path / "a_file" / "data"))
    line = failure_of(place.run(newest))
    assert "data root" in line
    assert "REPORTING_DATA_URL" in line
    monkeypatch.setenv("REPORTING_DATA_URL", str(tmp_path / "data"))
    assert place.run(newest).success
    assert live.log.count("dt.report") == 1, "what was bought the first time was landed the second"


def test_a_locked_ledger_is_named_in_one_line(
    live: Sandbox, place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting_dags.orchestration.storage.LOCK_SECONDS", 0.3)
    assert place.run(newest).success
    holder = sqlite3.connect(place.home / "reporting_ledger.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    line = failure_of(place.run(newest))
    holder.close()
    assert "stays locked by another process" in line
    assert "\n" not in line
    assert live.log.count("dt.report") == 1


def test_a_ledger_that_is_no_database_is_named_in_one_line(live: Sandbox, place: Place, newest: date) -> None:
    (place.home / "reporting_ledger.db").write_bytes(b"something else entirely, and long enough to be read" * 50)
    assert "is not an SQLite database any more" in failure_of(place.run(newest))
    assert live.log.entries() == []


def test_a_ledger_that_is_gone_is_begun_anew(live: Sandbox, place: Place, newest: date) -> None:
    assert place.run(newest).success
    (place.home / "reporting_ledger.db").unlink()
    assert place.run(newest).success


def test_the_data_version_changes_with_the_content_alone(live: Sandbox, place: Place, newest: date) -> None:
    def version() -> str:
        tags = place.instance.fetch_materializations(KEY, limit=1).records[0].asset_materialization
        assert tags is not None
        assert tags.tags is not None
        return tags.tags["dagster/data_version"]

    live.settings.change("dt", row_order="request")
    place.run(newest)
    first = version()
    place.run(newest)
    assert version() == first
    live.faults.add("dt.data", do="bad_value", day=newest, column="Offer Clicks", value="31337")
    place.run(newest)
    assert version() != first


def test_a_day_that_the_provider_confirms_to_be_empty_lands_and_is_not_compared_with_others(
    live: Sandbox, place: Place, thirty: list[date]
) -> None:
    place.run(thirty[0], thirty[9])
    live.faults.add("dt.data", do="header_only", day=thirty[10])
    assert place.run(thirty[10]).success
    assert place.metadata(thirty[10])["outcome"] == "confirmed empty"
    for name in (VOLUME, ENTITIES):
        assert place.checks(name)[thirty[10].isoformat()] is True
        detail = place.check_descriptions(name)[thirty[10].isoformat()]
        assert detail == "the provider confirmed that the day has no rows: not compared with other days"


def test_definitions_load_with_no_variable_set(bare_environment: None) -> None:

    loaded = definitions()
    dg.Definitions.validate_loadable(loaded)
    assert {spec.key.to_user_string() for spec in loaded.resolve_all_asset_specs()} >= {
        "dt_offer_wall/event",
        "dt_offer_wall/performance",
    }


def test_the_first_partition_is_the_setting_or_the_oldest_day_that_can_be_had(
    bare_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:

    oldest = EVENT.calendar.earliest_available(datetime.now(UTC)).isoformat()
    for text, first in (("2026-09-01", "2026-09-01"), ("2001-01-01", oldest)):
        monkeypatch.setenv("REPORTING_START_DATE", text)
        partitions = definitions().resolve_assets_def(KEY).partitions_def
        assert partitions is not None
        assert partitions.get_first_partition_key() == first
    monkeypatch.setenv("REPORTING_START_DATE", "soon")
    with pytest.raises(Exception, match="REPORTING_START_DATE is 'soon'"):
        definitions()


def test_a_run_over_one_day_records_the_days_own_findings(live: Sandbox, place: Place, newest: date) -> None:
    place.run(newest)
    rows = len(live.truth("dt_offer_wall/event", newest))
    assert place.check_descriptions("rows_complete") == {newest.isoformat(): f"{rows} rows in the response"}


def test_a_day_that_was_never_looked_at_has_no_check_result(place: Place, newest: date) -> None:
    assert not place.run(newest + timedelta(days=1)).success
    for name in (*BLOCKING, VOLUME):
        assert place.checks(name) == {}


def evaluated(place: Place, name: str) -> list[dg.AssetCheckEvaluation]:
    """The results of a check, latest first."""
    key = dg.AssetCheckKey(KEY, name)
    found = place.instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
    events = [record.event.dagster_event for record in found if record.event is not None]
    return [
        event.asset_check_evaluation_data
        for event in events
        if event is not None and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]


def test_checks_of_the_report_as_a_whole_are_of_no_single_day(live: Sandbox, place: Place, newest: date) -> None:
    older = newest - timedelta(days=1)
    assert place.run(older).success
    assert place.run(newest).success
    live.faults.add("dt.data", do="duplicate_row", source="event", day=older)
    assert not place.run(older).success
    for name in REPORT_CHECKS:
        # The UI shows no result where it names a materialization that is not the latest.
        assert evaluated(place, name)[0].target_materialization_data is None


def test_a_partition_whose_file_is_gone_is_damaged_and_its_rebuilding_costs_no_call(place: Place, newest: date) -> None:
    assert place.run(newest - timedelta(days=1), newest).success
    (place.data / EVENT.file(newest)).unlink()
    checks = dg.define_asset_job("checks", selection=dg.AssetSelection.checks_for_assets(KEY))
    merged = dg.Definitions.merge(definitions(), dg.Definitions(jobs=[checks]))
    done = merged.resolve_job_def("checks").execute_in_process(instance=place.instance, raise_on_error=False)
    line = failure_of(done)
    assert f"{newest}: checks failed" in line
    assert f"--partition {newest} --config-json" in line
    assert '"replay": true' in line
    for name in (ENTITIES, VOLUME):
        results = {result.partition: result.passed for result in evaluated(place, name) if result.partition}
        assert results[newest.isoformat()], f"{name}: the file is damaged, and the provider took nothing away"
