"""Downstream assets get days as pandas or pyarrow, by the annotation, exactly as they landed."""

from datetime import date, timedelta
from decimal import Decimal

import dagster as dg
import pandas as pd
import pyarrow as pa

from reporting_dags.definitions import definitions
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
