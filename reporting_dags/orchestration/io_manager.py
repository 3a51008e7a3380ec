"""The IO manager: downstream assets get landed days as a pandas DataFrame or a pyarrow Table, by annotation."""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from reporting_dags.landing.reading.partitions import Adapted, read_days, read_snapshot, to_pandas
from reporting_dags.model.days import ranges
from reporting_dags.model.errors import ReportingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.storage import StorageResource
from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.registry import all_reports

_AHEAD = 3
"""Days after the last full one for which partitions of an asset downstream may exist."""


class ReportsIOManager(dg.ConfigurableIOManager):
    """Reads one day, or every day of a range, with the column `date` first; decimals stay exact.

    A day that has not landed is an error, so that a sum over a range is never too small without notice. An input can
    allow
    gaps: `dg.AssetIn(metadata={"allow_missing_partitions": True})`.

    The columns are those of the current declaration. A column that an older file does not have is null in its rows, and
    a column that is no longer declared is left out; a warning in the run's log and an observation of the report name
    the days and the columns. A column whose type or currency has changed is an error.
    """

    home: dg.ResourceDependency[StorageResource]

    def load_input(self, context: dg.InputContext) -> pd.DataFrame | pa.Table:
        """Return the days of the upstream report to which the downstream partition maps; of a snapshot all rows."""
        key = "/".join(context.asset_key.path)
        report = next((report for report in (*all_reports(), NETWORK) if report.key == key), None)
        if report is None:
            raise dg.Failure(f"{key} is not a report; this IO manager reads reports alone", allow_retries=False)
        allow_missing = bool((context.definition_metadata or {}).get("allow_missing_partitions"))
        earlier: defaultdict[Adapted, list[date]] = defaultdict(list)

        def adapted(day: date, how: Adapted) -> None:
            earlier[how].append(day)

        try:
            store = self.home.open_data(Path(gettempdir()))
            if report.partitioned:
                days = _midnight_days(context, report, map(date.fromisoformat, context.asset_partition_keys))
                table = read_days(store, report, days, allow_missing=allow_missing, adapted=adapted)
            else:
                table = read_snapshot(store, report, allow_missing=allow_missing, adapted=adapted)
        except ReportingError as error:
            raise dg.Failure(f"{key}: {error.line}", allow_retries=False) from None
        _note(context, key, earlier)
        requested = context.dagster_type.typing_type
        return table if requested is pa.Table else to_pandas(table)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Do nothing for a report, whose days have landed already; refuse the output of any other asset."""
        if obj is None:
            return
        raise dg.Failure(
            f"{'/'.join(context.asset_key.path)}: reports land themselves; give your asset another io_manager_key",
            allow_retries=False,
        )


def _midnight_days(context: dg.InputContext, report: Report, days: Iterable[date]) -> list[date]:
    """Return the days that the partitions of a run read, as if the partitions of reports began at midnight.

    They begin at the time of day of publication, so mappings of time windows would include a day too many, or the wrong
    one. Daily partitions of the reading asset are days too, at whatever time of day they begin. Other mappings are
    followed as they are.
    """
    try:
        execution = dg.AssetExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        # Outside of a run, whoever calls names the days.
        return list(days)
    other, own = context.asset_partitions_def, execution.assets_def.partitions_def
    mapping = execution.assets_def.get_partition_mapping(context.asset_key) or dg.TimeWindowPartitionMapping()
    if not (
        isinstance(mapping, dg.TimeWindowPartitionMapping)
        and isinstance(other, dg.TimeWindowPartitionsDefinition)
        and isinstance(own, dg.TimeWindowPartitionsDefinition)
    ):
        return list(days)
    # Days that are not published yet are named too: reading them fails, and is never silently short.
    daily = dg.DailyPartitionsDefinition(other.start, timezone=report.calendar.timezone, end_offset=_AHEAD)
    if isinstance(own, dg.DailyPartitionsDefinition):
        own = dg.DailyPartitionsDefinition(own.start, timezone=own.timezone, end_offset=_AHEAD)
    read = own.subset_with_partition_keys(execution.partition_keys)
    mapped = mapping.get_upstream_mapped_partitions_result_for_partitions(read, own, daily)
    return [date.fromisoformat(key) for key in mapped.partitions_subset.get_partition_keys()]


def _note(context: dg.InputContext, key: str, earlier: Mapping[Adapted, Sequence[date]]) -> None:
    """Log which days were read from files of an older declaration, and record an observation of the report."""
    for how, days in earlier.items():
        listed = ranges(days)
        text = "%s %s: the files were written under an earlier declaration: %s"
        context.log.warning(text, key, listed, how)
        metadata = {
            "days_of_an_earlier_declaration": listed,
            "columns_filled_with_null": ", ".join(how.filled),
            "columns_left_out": ", ".join(how.dropped),
        }
        if not context.has_asset_partitions or len(context.asset_partition_keys) == 1:
            context.add_input_metadata(metadata)
            continue
        # Dagster has no metadata for an input of several partitions; outside a run there is nothing to note it in.
        with contextlib.suppress(dg.DagsterInvariantViolationError):
            execution = dg.OpExecutionContext.get()
            execution.log_event(dg.AssetObservation(asset_key=context.asset_key, metadata=metadata))
