"""Checks that are executed alone: they read the stored partitions again, and each tells of its own partition."""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import time_machine

from reporting_dags.jobs.planning.report_health import REPORT_CHECKS
from reporting_dags.landing.checks.partition import DAY_AND_CURRENCY, GRAIN_UNIQUE, ROWS_COMPLETE, SCHEMA
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import (
    BLOCKING,
    CURRENCY_KNOWN,
    ENTITIES,
    HOURS,
    SOURCES_LANDED,
    VOLUME,
    check_specs,
)
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.network_build import SUMS_MATCH
from reporting_dags.orchestration.run_requests import RANGE_END, RANGE_START
from reporting_dags.reports.integr8 import OFFERS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE, OFFER_PERFORMANCE_HOURLY
from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place, failure_of
from reporting_dags_tests.orchestration.ticks import loaded_now

KEY = key_of(OFFER_PERFORMANCE)
DAY_CHECKS = (*BLOCKING, VOLUME, ENTITIES)
NETWORK_CHECKS = (SOURCES_LANDED, SUMS_MATCH, CURRENCY_KNOWN)


@pytest.fixture
def days(live: Sandbox, newest: date) -> list[date]:
    """Three days on which every network has traffic."""
    for provider in live.providers:
        live.settings.change(provider, empty_day_one_in=0)
    return [newest - timedelta(days=n) for n in (3, 2, 1)]


@pytest.fixture
def stored(live: Sandbox, place: Place, days: list[date]) -> list[date]:
    """Three days of Mintegral's offers that have landed."""
    assert place.run(days[0], days[-1], key=KEY).success
    return days


def execute(place: Place, report: Report, *days: date, checks: Collection[str] = ()) -> dg.ExecuteInProcessResult:
    """Execute checks alone, as the page of an asset's checks does: all of them unless `checks` names some.

    Args:
        place: where the partitions are.
        report: the report.
        days: the first and the last day of the run's range of partitions; none where the run names no partition.
        checks: names of checks.
    """
    key = key_of(report)
    job = dg.Definitions.resolve_implicit_global_asset_job_def(loaded_now())
    known = {check for check in job.asset_layer.asset_graph.asset_check_keys if check.asset_key == key}
    selected = {check for check in known if not checks or check.name in checks}
    tags = {RANGE_START: days[0].isoformat(), RANGE_END: days[-1].isoformat()} if days else {}
    return job.get_subset(asset_check_selection=selected).execute_in_process(
        instance=place.instance, tags=tags, raise_on_error=False
    )


def results(place: Place, result: dg.ExecuteInProcessResult) -> dict[tuple[str, str | None], dg.AssetCheckEvaluation]:
    """What a run recorded, by check and partition."""
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    records = place.instance.get_records_for_run(result.run_id, of_type=kind).records
    events = [record.event_log_entry.dagster_event for record in records]
    evaluations = [event.asset_check_evaluation_data for event in events if event is not None]
    found = {(one.check_name, one.partition): one for one in evaluations}
    assert len(found) == len(evaluations), "each is recorded once"
    return found


def failed(place: Place, result: dg.ExecuteInProcessResult) -> set[tuple[str, str | None]]:
    """Check and partition of the errors."""
    return {
        of
        for of, one in results(place, result).items()
        if not one.passed
        and of[0] not in REPORT_CHECKS
        and of[1] is not None
        and one.severity is dg.AssetCheckSeverity.ERROR
    }


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.ParquetFile(path).read()), path, compression="zstd")


def with_currency(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("currency")
    field = table.schema.field(place)
    return table.set_column(place, field, pa.array(["XTS", *table.column(place).to_pylist()[1:]], field.type))


def without_a_row(path: Path) -> None:
    rewritten(path, lambda table: table.slice(1))


def one_row_twice(path: Path) -> None:
    rewritten(path, lambda table: pa.concat_tables([table.slice(0, 1), table.slice(0, table.num_rows - 1)]))


def of_another_currency(path: Path) -> None:
    rewritten(path, with_currency)


def without_a_column(path: Path) -> None:
    rewritten(path, lambda table: table.drop_columns(["click"]))


def one_bit_flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def text(path: Path) -> None:
    path.write_text("not a Parquet file\n", encoding="utf-8")


def compressed_otherwise(path: Path) -> None:
    pq.write_table(pq.ParquetFile(path).read(), path, compression="gzip")


def gone(path: Path) -> None:
    path.unlink()


def test_stored_partitions_pass_all_checks_without_a_provider_call(
    live: Sandbox, place: Place, stored: list[date]
) -> None:
    calls = len(live.log.entries())
    result = execute(place, OFFER_PERFORMANCE)
    assert result.success
    assert len(live.log.entries()) == calls
    found = results(place, result)
    names = {spec.name for spec in check_specs(OFFER_PERFORMANCE, None)}
    assert {name for name, _ in found} == names
    assert set(DAY_CHECKS) | set(REPORT_CHECKS) >= names
    for name in DAY_CHECKS:
        of_days = {day: one for (check, day), one in found.items() if check == name and day is not None}
        assert set(of_days) == {day.isoformat() for day in stored}
        assert all(one.passed for one in of_days.values()), {day: one.description for day, one in of_days.items()}
        assert all(one.target_materialization_data for one in of_days.values()), "the list of partitions shows it"
        assert found[name, None].passed, "the check as a whole, which the run names without a partition"
        assert found[name, None].description == "3 of 3 stored partitions passed"


@pytest.mark.parametrize(
    ("damage", "checks"),
    [
        (without_a_row, {ROWS_COMPLETE}),
        (one_row_twice, {GRAIN_UNIQUE, ROWS_COMPLETE}),
        (of_another_currency, {DAY_AND_CURRENCY, ROWS_COMPLETE}),
        (without_a_column, {ROWS_COMPLETE}),
        (compressed_otherwise, {ROWS_COMPLETE}),
        (cut_short, {SCHEMA, ROWS_COMPLETE}),
        (text, {SCHEMA, ROWS_COMPLETE}),
        (gone, {SCHEMA, ROWS_COMPLETE}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_damaged_partition_fails_its_own_checks_and_those_of_no_other(
    live: Sandbox, place: Place, stored: list[date], damage: Callable[[Path], None], checks: Collection[str]
) -> None:
    calls, day = len(live.log.entries()), stored[1]
    damage(place.data / OFFER_PERFORMANCE.file(day))
    result = execute(place, OFFER_PERFORMANCE)
    assert not result.success
    assert failed(place, result) == {(name, day.isoformat()) for name in checks}
    found = results(place, result)
    assert found[ROWS_COMPLETE, None].description == "2 of 3 stored partitions passed"
    assert not found[ROWS_COMPLETE, None].passed
    assert found[VOLUME, None].passed is (SCHEMA not in checks), "what cannot be read is not evaluated"
    line = failure_of(result)
    assert line.startswith(f"{OFFER_PERFORMANCE.key} {day}: checks failed, shown on the partitions. Fix: ")
    assert "\n" not in line
    assert len(live.log.entries()) == calls
    standing = {name for name, partition in found if name in REPORT_CHECKS and partition is None}
    assert standing == set(REPORT_CHECKS), "a failure keeps none of them from its evaluation"


def test_a_flipped_bit_fails_the_checks_of_its_partition(place: Place, stored: list[date]) -> None:
    one_bit_flipped(place.data / OFFER_PERFORMANCE.file(stored[0]))
    result = execute(place, OFFER_PERFORMANCE)
    assert not result.success
    assert (ROWS_COMPLETE, stored[0].isoformat()) in failed(place, result)
    assert {day for _, day in failed(place, result)} == {stored[0].isoformat()}


def test_every_check_of_a_damaged_partition_has_a_result(place: Place, stored: list[date]) -> None:
    (place.data / OFFER_PERFORMANCE.file(stored[1])).unlink()
    found = results(place, execute(place, OFFER_PERFORMANCE))
    recorded = {name for name, day in found if day == stored[1].isoformat()}
    assert recorded == set(DAY_CHECKS), "one that has none stays as it was, or is shown as skipped"


def test_the_fix_that_is_named_restores_the_partition_and_loses_nothing(
    live: Sandbox, place: Place, stored: list[date]
) -> None:
    calls = live.log.count("mintegral.generate")
    gone(place.data / OFFER_PERFORMANCE.file(stored[0]))
    gone(place.data / OFFER_PERFORMANCE.file(stored[1]))
    line = failure_of(execute(place, OFFER_PERFORMANCE))
    first, last = stored[0], stored[1]
    assert line.startswith(f"{OFFER_PERFORMANCE.key} {first}...{last}: checks failed")
    assert f"--select {OFFER_PERFORMANCE.key} --partition-range {first}...{last}" in line
    assert '"replay": true' in line, "the raw responses are stored: no call is needed"
    job = dg.Definitions.resolve_implicit_global_asset_job_def(loaded_now())
    repaired = job.execute_in_process(
        instance=place.instance,
        asset_selection=[KEY],
        tags={RANGE_START: first.isoformat(), RANGE_END: last.isoformat()},
        run_config={"ops": {"mintegral__offer_performance": {"config": {"replay": True}}}},
        raise_on_error=False,
    )
    assert repaired.success
    assert live.log.count("mintegral.generate") == calls
    assert execute(place, OFFER_PERFORMANCE).success


def test_a_day_that_can_neither_be_replayed_nor_requested_is_restored_from_a_backup(
    live: Sandbox, place: Place, stored: list[date]
) -> None:
    for path in (place.home / "raw").rglob("*"):
        if path.is_file():
            path.unlink()
    gone(place.data / OFFER_PERFORMANCE.file(stored[0]))
    line = failure_of(execute(place, OFFER_PERFORMANCE, stored[0]))
    assert f"--partition {stored[0]}" in line
    assert "replay" not in line
    with time_machine.travel(datetime.now() + timedelta(days=400), tick=True):  # noqa: DTZ005 - the machine's own
        line = failure_of(execute(place, OFFER_PERFORMANCE, stored[0]))
    assert "Fix: restore the file from a backup" in line
    assert "dagster asset materialize" not in line


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_over_a_range_evaluates_its_partitions_alone(place: Place, stored: list[date], count: int) -> None:
    gone(place.data / OFFER_PERFORMANCE.file(stored[2]))
    chosen = stored[:count]
    result = execute(place, OFFER_PERFORMANCE, *chosen)
    assert result.success, "the damaged partition is not one of the run"
    of_days = {of for of in results(place, result) if of[0] not in REPORT_CHECKS}
    assert of_days == {(name, day.isoformat()) for name in DAY_CHECKS for day in chosen}
    assert failed(place, execute(place, OFFER_PERFORMANCE, stored[2])) == {
        (name, stored[2].isoformat()) for name in (SCHEMA, ROWS_COMPLETE)
    }


def test_days_of_a_range_that_never_landed_have_no_result(place: Place, stored: list[date]) -> None:
    before = stored[0] - timedelta(days=2)
    result = execute(place, OFFER_PERFORMANCE, before, stored[0])
    assert result.success
    assert {day for name, day in results(place, result) if name not in REPORT_CHECKS} == {stored[0].isoformat()}


@pytest.mark.parametrize("names", [[VOLUME], [GRAIN_UNIQUE, "newest_day"], ["no_day_missing"]], ids=", ".join)
def test_only_the_selected_checks_are_recorded(place: Place, stored: list[date], names: Sequence[str]) -> None:
    result = execute(place, OFFER_PERFORMANCE, checks=names)
    assert result.success
    assert {name for name, _ in results(place, result)} == set(names)


def test_damage_that_no_selected_check_looks_for_fails_nothing(place: Place, stored: list[date]) -> None:
    without_a_row(place.data / OFFER_PERFORMANCE.file(stored[0]))
    assert execute(place, OFFER_PERFORMANCE, checks=[GRAIN_UNIQUE, VOLUME]).success


def test_a_report_of_which_nothing_is_stored_has_nothing_that_passes(live: Sandbox, place: Place) -> None:
    result = execute(place, OFFER_PERFORMANCE)
    assert result.success
    found = results(place, result)
    for name in DAY_CHECKS:
        assert not found[name, None].passed
        assert found[name, None].severity is dg.AssetCheckSeverity.WARN
        assert found[name, None].description == "nothing to evaluate: no partition is stored"
    assert live.log.entries() == []


def test_checks_need_no_credentials(place: Place, stored: list[date], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MINTEGRAL_ACCESS_KEY", "MINTEGRAL_API_KEY"):
        monkeypatch.delenv(name)
    assert execute(place, OFFER_PERFORMANCE).success


def test_the_hours_and_the_snapshots_are_evaluated_too(live: Sandbox, place: Place, days: list[date]) -> None:
    assert place.run(days[0], key=key_of(OFFER_PERFORMANCE_HOURLY)).success
    assert place.snapshot(key_of(OFFERS)).success
    calls = len(live.log.entries())
    result = execute(place, OFFER_PERFORMANCE_HOURLY)
    assert result.success
    assert results(place, result)[HOURS, days[0].isoformat()].passed
    result = execute(place, OFFERS)
    assert result.success
    assert {of for of, one in results(place, result).items() if one.passed} == {
        (name, None) for name in (*BLOCKING, VOLUME, ENTITIES)
    }
    assert len(live.log.entries()) == calls
    for report, day in ((OFFER_PERFORMANCE_HOURLY, days[0]), (OFFERS, date(1970, 1, 1))):
        text(place.data / report.file(day))
        result = execute(place, report)
        assert f"{report.key} " in failure_of(result)
        partition = day.isoformat() if report.partitioned else None
        assert not results(place, result)[SCHEMA, partition].passed
        assert not results(place, result)[ROWS_COMPLETE, partition].passed


def test_a_partition_without_its_hours_is_damaged_and_no_traceback(place: Place, days: list[date]) -> None:
    assert place.run(days[0], key=key_of(OFFER_PERFORMANCE_HOURLY)).success
    (hour,) = (
        column.name
        for column in OFFER_PERFORMANCE_HOURLY.stored_columns
        if column.header == OFFER_PERFORMANCE_HOURLY.hour
    )
    path = place.data / OFFER_PERFORMANCE_HOURLY.file(days[0])
    rewritten(path, lambda table: table.drop_columns([hour]))
    result = execute(place, OFFER_PERFORMANCE_HOURLY)
    assert failed(place, result) == {(ROWS_COMPLETE, f"{days[0]}")}
    assert failure_of(result).startswith(f"{OFFER_PERFORMANCE_HOURLY.key} {days[0]}: checks failed")
    assert "not evaluated" in str(results(place, result)[HOURS, f"{days[0]}"].description)


def test_a_locked_ledger_is_one_line(place: Place, stored: list[date], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting_dags.orchestration.storage.LOCK_SECONDS", 0.2)
    with place.locked():
        line = failure_of(execute(place, OFFER_PERFORMANCE))
    assert line.startswith(f"{OFFER_PERFORMANCE.key}: the ledger ")
    assert "stays locked by another process" in line


# network/daily


@pytest.fixture
def built(place: Place, days: list[date]) -> list[date]:
    """Three days of network/daily, built from Orange Click alone."""
    for key in (key_of(EARNINGS), key_of(NETWORK)):
        assert place.run(days[0], days[-1], key=key).success
    return days


def one_unit_more(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("earnings")
    field = table.schema.field(place)
    values: list[Any] = table.column(place).to_pylist()
    return table.set_column(place, field, pa.array([(values[0] or 0) + 1, *values[1:]], field.type))


def test_stored_days_of_all_networks_pass_without_a_provider_call(
    live: Sandbox, place: Place, built: list[date]
) -> None:
    calls = len(live.log.entries())
    result = execute(place, NETWORK)
    assert result.success
    assert len(live.log.entries()) == calls
    found = results(place, result)
    for name in (SUMS_MATCH, CURRENCY_KNOWN):
        assert all(found[name, day.isoformat()].passed for day in built)
        assert found[name, None].passed
    assert {name for name, _ in found} == set(NETWORK_CHECKS)


@pytest.mark.parametrize("damage", [one_unit_more, None], ids=["sum", "gone"])
def test_a_day_of_all_networks_whose_sums_differ_fails_alone(
    live: Sandbox, place: Place, built: list[date], damage: Callable[[pa.Table], pa.Table] | None
) -> None:
    calls, day = len(live.log.entries()), built[1]
    path = place.data / NETWORK.file(day)
    if damage is None:
        path.unlink()
    else:
        rewritten(path, damage)
    result = execute(place, NETWORK)
    found = results(place, result)
    assert {of for of, one in found.items() if not one.passed and of[0] == SUMS_MATCH} >= {(SUMS_MATCH, f"{day}")}
    assert all(found[SUMS_MATCH, f"{other}"].passed for other in built if other != day)
    line = failure_of(result)
    assert line.startswith(f"{NETWORK.key} {day}: checks failed, shown on the partitions. Fix: ")
    assert line.endswith(f"--select {NETWORK.key} --partition {day}")
    if damage is not None:
        assert "earnings" in str(found[SUMS_MATCH, f"{day}"].description)
    assert len(live.log.entries()) == calls
    assert place.run(day, key=key_of(NETWORK)).success
    assert execute(place, NETWORK).success


def test_of_all_networks_the_selected_days_and_checks_are_evaluated_alone(place: Place, built: list[date]) -> None:
    rewritten(place.data / NETWORK.file(built[2]), one_unit_more)
    result = execute(place, NETWORK, *built[:2])
    assert result.success
    assert set(results(place, result)) == {(name, f"{day}") for name in NETWORK_CHECKS for day in built[:2]}
    result = execute(place, NETWORK, built[2], checks=[CURRENCY_KNOWN])
    assert set(results(place, result)) == {(CURRENCY_KNOWN, f"{built[2]}")}
    assert result.success, "no selected check looks for other sums"
