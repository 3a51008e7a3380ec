"""Real Dagster runs over days and ranges: what is recorded, what fails alone, and what users get to read."""

import sqlite3
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pyarrow.dataset as ds
import pytest

from reporting_dags.orchestration.checks import BLOCKING, VOLUME
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
        assert facts["dagster/partition_row_count"] == facts["rows"] == len(truth)
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
    assert all(passed for day, passed in told.items() if day not in {bad.isoformat(), None})
    assert told[None] is False

    live.faults.clear()
    asked = live.log.count("dt.report")
    assert place.run(bad).success
    assert live.log.count("dt.report") == asked + 1
    assert bad.isoformat() in place.materialized()
    assert place.checks("grain_unique")[bad.isoformat()] is True


def test_today_and_a_range_across_it_fail_in_one_line_and_unasked(live: Sandbox, place: Place, newest: date) -> None:
    result = place.run(newest, newest + timedelta(days=1))
    assert f"(1 of 2 days) {newest + timedelta(days=1)} not ready" in failure_of(result)
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
    assert "Check DT_CLIENT_ID and DT_CLIENT_SECRET" in line
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
    monkeypatch.setattr("reporting_dags.orchestration.home.LOCK_SECONDS", 0.3)
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
    assert "is no SQLite database any more" in failure_of(place.run(newest))
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


def test_a_day_far_from_the_usual_volume_warns_and_still_lands(live: Sandbox, place: Place, thirty: list[date]) -> None:
    place.run(thirty[0], thirty[9])
    live.faults.add("dt.data", do="header_only", day=thirty[10])
    assert place.run(thirty[10]).success
    assert place.checks(VOLUME)[thirty[10].isoformat()] is False
    assert place.metadata(thirty[10])["outcome"] == "confirmed empty"


def test_definitions_load_with_no_variable_set(bare_environment: None) -> None:
    from reporting_dags.definitions import definitions  # noqa: PLC0415

    loaded = definitions()
    dg.Definitions.validate_loadable(loaded)
    assert {spec.key.to_user_string() for spec in loaded.resolve_all_asset_specs()} >= {
        "dt_offer_wall/event",
        "dt_offer_wall/performance",
    }


def test_the_first_partition_is_the_setting_or_the_providers_first_day(
    bare_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reporting_dags.definitions import definitions  # noqa: PLC0415

    for text, first in (("2026-09-01", "2026-09-01"), ("2001-01-01", "2019-06-10")):
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
    assert place.check_descriptions("rows_complete") == {newest.isoformat(): f"{rows} rows in the answer"}


def test_a_day_that_was_never_looked_at_has_no_check_result(place: Place, newest: date) -> None:
    assert not place.run(newest + timedelta(days=1)).success
    for name in (*BLOCKING, VOLUME):
        assert place.checks(name) == {}
