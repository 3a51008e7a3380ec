"""Downstream assets get days as pandas or pyarrow, by the annotation, exactly as they landed."""

import logging
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from reporting_dags.definitions import definitions
from reporting_dags.model.column import money
from reporting_dags.model.report import Report
from reporting_dags.orchestration import io_manager
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import KEY, Place, failure_of

PARTITIONS = dg.DailyPartitionsDefinition("2026-06-01", end_offset=1)
SEEN: list[pd.DataFrame | pa.Table] = []


@dg.asset(ins={"event": dg.AssetIn(KEY)}, partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run())
def as_pandas(event: pd.DataFrame) -> None:
    SEEN.append(event)


@dg.asset(ins={"event": dg.AssetIn(KEY)}, partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run())
def as_arrow(event: pa.Table) -> None:
    SEEN.append(event)


@dg.asset(
    ins={"event": dg.AssetIn(KEY, metadata={"allow_missing_partitions": True})},
    partitions_def=PARTITIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def with_gaps(event: pa.Table) -> None:
    SEEN.append(event)


def read(place: Place, asset: dg.AssetsDefinition, first: date, last: date) -> dg.ExecuteInProcessResult:
    SEEN.clear()
    merged = dg.Definitions.merge(definitions(), dg.Definitions([asset]))
    return merged.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=place.instance,
        asset_selection=[asset.key],
        tags={
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        },
        raise_on_error=False,
    )


def days_seen() -> set[date]:
    (table,) = SEEN
    assert isinstance(table, pa.Table)
    return {day for day in table.column("date").to_pylist() if day is not None}


def test_a_range_is_read_as_one_frame_with_exact_decimals(live: Sandbox, place: Place, newest: date) -> None:
    first = newest - timedelta(days=2)
    place.run(first, newest)
    assert read(place, as_pandas, first, newest).success
    (frame,) = SEEN
    assert isinstance(frame, pd.DataFrame)
    truth = [row for n in range(3) for row in live.truth("dt_offer_wall/event", first + timedelta(days=n))]
    assert len(frame) == len(truth)
    assert set(frame["date"]) == {first + timedelta(days=n) for n in range(3)}
    earned = sum((Decimal(row["Publisher Revenue"]) for row in truth if row["Publisher Revenue"]), Decimal())
    landed = sum(frame["publisher_revenue"].dropna().tolist(), Decimal())
    assert abs(landed - earned) < Decimal("1e-15")
    assert frame["dt_publisher_app_id"].str.startswith("0").any(), "leading zeros survive"
    assert {"NA", "null"} & set(frame["country"])


def test_one_day_is_read_as_a_table(place: Place, newest: date) -> None:
    place.run(newest)
    assert read(place, as_arrow, newest, newest).success
    (table,) = SEEN
    assert isinstance(table, pa.Table)
    assert table.schema.field("publisher_revenue").type == pa.decimal128(38, 18)


def test_a_day_that_has_not_landed_is_an_error_unless_gaps_are_allowed(place: Place, newest: date) -> None:
    before = newest - timedelta(days=1)
    place.run(newest)
    line = failure_of(read(place, as_arrow, before, newest))
    assert str(before) in line
    assert read(place, with_gaps, before, newest).success
    (table,) = SEEN
    assert isinstance(table, pa.Table)
    assert set(table["date"].to_pylist()) == {newest}


def later(*, without: str = "") -> Report:
    """The report as an edited declaration has it: with a column more, or also without one."""
    kept = tuple(column for column in EVENT.columns if column.name != without)
    return replace(EVENT, columns=(*kept, money("Bonus", "What was added later", currency="USD")))


def said(result: dg.ExecuteInProcessResult, place: Place) -> list[str]:
    """The warnings of a run."""
    entries = place.instance.all_logs(result.run_id)
    return [entry.user_message for entry in entries if entry.level == logging.WARNING]


def observed(place: Place) -> list[dict[str, Any]]:
    """What reading noted of the report, as metadata: latest first."""
    found = place.instance.fetch_observations(KEY, limit=10).records
    observations = [record.asset_observation for record in found]
    return [{name: value.value for name, value in one.metadata.items()} for one in observations if one is not None]


def test_days_of_before_a_column_was_added_are_read_with_nulls_and_that_is_said(
    place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = newest - timedelta(days=1)
    place.run(before, newest)
    declared = later(without="offer_clicks")
    monkeypatch.setattr(io_manager, "all_reports", lambda: (declared,))
    for first, asset in ((before, as_arrow), (newest, as_pandas)):
        result = read(place, asset, first, newest)
        assert result.success
        (table,) = SEEN
        names = list(table.columns) if isinstance(table, pd.DataFrame) else table.schema.names
        assert names == ["date", *declared.schema.names]
        days = str(newest) if first == newest else f"{before}...{newest}"
        how = "columns filled with null: bonus; columns left out: offer_clicks"
        told = f"dt_offer_wall/event {days}: the files were written under an earlier declaration: {how}"
        assert said(result, place) == [told]
        assert observed(place)[0] == {
            "days_of_an_earlier_declaration": days,
            "columns_filled_with_null": "bonus",
            "columns_left_out": "offer_clicks",
        }
    assert isinstance(table, pd.DataFrame)
    assert table["bonus"].isna().all()
    assert str(table["bonus"].dtype) == "decimal128(38, 18)[pyarrow]"


def test_days_of_the_declaration_as_it_is_are_read_without_a_word(place: Place, newest: date) -> None:
    place.run(newest)
    assert said(read(place, as_arrow, newest, newest), place) == []
    assert observed(place) == []


WEEKS = dg.WeeklyPartitionsDefinition("2026-06-01", end_offset=1)
MAPPINGS: dict[str, tuple[dg.PartitionMapping | None, tuple[int, ...]]] = {
    "inferred": (None, (0,)),
    "identity": (dg.IdentityPartitionMapping(), (0,)),
    "time windows": (dg.TimeWindowPartitionMapping(), (0,)),
    "the day before": (dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1), (1,)),
    "three days": (dg.TimeWindowPartitionMapping(start_offset=-2), (2, 1, 0)),
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_day_reads_the_days_that_a_mapping_names_as_if_partitions_began_at_midnight(
    place: Place, newest: date, name: str
) -> None:
    mapping, ages = MAPPINGS[name]

    @dg.asset(ins={"event": dg.AssetIn(KEY, partition_mapping=mapping)}, partitions_def=PARTITIONS)
    def daily(event: pa.Table) -> None:
        SEEN.append(event)

    place.run(newest - timedelta(days=4), newest)
    assert read(place, daily, newest, newest).success
    assert days_seen() == {newest - timedelta(days=age) for age in ages}


@pytest.mark.parametrize("shared", [KEY, dg.AssetKey(["network", "daily"])], ids=str)
def test_an_asset_that_shares_the_partitions_of_another_reads_the_day_of_its_own_name(
    place: Place, newest: date, shared: dg.AssetKey
) -> None:
    partitions = definitions().get_assets_def(shared).partitions_def

    @dg.asset(ins={"event": dg.AssetIn(KEY)}, partitions_def=partitions)
    def daily(event: pa.Table) -> None:
        SEEN.append(event)

    place.run(newest - timedelta(days=1), newest)
    assert read(place, daily, newest, newest).success
    assert days_seen() == {newest}


def test_an_hour_reads_the_day_that_it_lies_in(place: Place, newest: date) -> None:
    hours = dg.HourlyPartitionsDefinition(f"{newest - timedelta(days=1)}-00:00")

    @dg.asset(ins={"event": dg.AssetIn(KEY)}, partitions_def=hours)
    def hourly(event: pa.Table) -> None:
        SEEN.append(event)

    place.run(newest - timedelta(days=2), newest)
    merged = dg.Definitions.merge(definitions(), dg.Definitions([hourly]))
    for hour in (5, 17):
        SEEN.clear()
        done = merged.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=place.instance, asset_selection=[hourly.key], partition_key=f"{newest}-{hour:02}:00"
        )
        assert done.success
        assert days_seen() == {newest}


def test_a_mapping_that_allows_partitions_that_do_not_exist_leaves_them_out(place: Place, newest: date) -> None:
    mapping = dg.TimeWindowPartitionMapping(start_offset=-2, allow_nonexistent_upstream_partitions=True)

    @dg.asset(ins={"event": dg.AssetIn(KEY, partition_mapping=mapping)}, partitions_def=PARTITIONS)
    def daily(event: pa.Table) -> None:
        SEEN.append(event)

    first = date(2026, 6, 1)
    place.run(first, first + timedelta(days=1))
    assert read(place, daily, first, first).success
    assert days_seen() == {first}


def test_a_week_reads_its_seven_days(place: Place, newest: date) -> None:
    @dg.asset(ins={"event": dg.AssetIn(KEY)}, partitions_def=WEEKS)
    def weekly(event: pa.Table) -> None:
        SEEN.append(event)

    # Weeks of Dagster begin on Sunday.
    first = newest - timedelta(days=(newest.weekday() + 1) % 7 + 7)
    place.run(first - timedelta(days=1), first + timedelta(days=7))
    assert read(place, weekly, first, first).success
    assert days_seen() == {first + timedelta(days=n) for n in range(7)}
