"""Run requests of schedules and sensors, and whether a schedule or sensor is turned on."""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from reporting_dags.jobs.planning.due import DuePartition, describe_due
from reporting_dags.model.days import Window
from reporting_dags.model.report import Report
from reporting_dags.orchestration.keys import key_of, op_name
from reporting_dags.orchestration.storage import StorageResource
from reporting_dags.providers.resource import ProviderResource

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
REASON = "reporting/why"
DAILY = "_daily"
"""The suffix of a schedule's name, after the provider's."""
_LONGEST_WHY = 200
_STALE_SECONDS = 900


def sensor_name(provider: str) -> str:
    """Return the name of a provider's late-data sensor."""
    return f"{provider}_late"


def is_on(instance: dg.DagsterInstance, sensor: str, now: datetime) -> bool:
    """Return whether a sensor has been turned on, and has ticked or started in the last 15 minutes.

    Dagster keeps the state of a sensor whose code location was renamed as running, so the state is not enough.
    """
    return any(
        state.name == sensor and state.is_running and now.timestamp() - _lately(state.instigator_data) < _STALE_SECONDS
        for state in instance.all_instigator_state()
    )


def running_schedule(instance: dg.DagsterInstance, provider: str) -> str:
    """Return the name of a schedule of `provider` that is on; empty if none is."""
    names = (state.name for state in instance.all_instigator_state() if state.is_running)
    return next((name for name in names if name.startswith(f"{provider}{DAILY}")), "")


def awaits_first_tick(instance: dg.DagsterInstance, provider: str) -> bool:
    """Return whether a schedule of `provider` is on and has not ticked since it was turned on."""
    return any(
        state.name.startswith(f"{provider}{DAILY}")
        and state.is_running
        and not instance.get_ticks(
            state.instigator_origin_id,
            state.selector_id,
            after=getattr(state.instigator_data, "start_timestamp", None) or 0.0,
            limit=1,
        )
        for state in instance.all_instigator_state()
    )


def without_account(resource: ProviderResource, home: StorageResource, reports: Sequence[Report]) -> str:
    """Return why nothing is requested of a provider without an account; empty if it has one, or ever had one.

    Lost settings are a failure, which must be visible: if something was requested before, runs go on.

    Args:
        resource: the provider's resource.
        home: the storage resource, with the ledger.
        reports: all reports of the provider.
    """
    if resource.has_account:
        return ""
    requested = home.first_requested()
    if requested is None or any(report.key in requested for report in reports):
        return ""
    variables = ", ".join(map(resource.variable, resource.account_fields))
    return f"{reports[0].provider} has no account, so nothing is requested: {variables} not set"


def _lately(data: object) -> float:
    """Return when a sensor last ticked or was turned on, as a POSIX timestamp."""
    names = ("last_tick_timestamp", "last_tick_start_timestamp", "last_sensor_start_timestamp")
    return max(getattr(data, name, None) or 0.0 for name in names)


def _in_a_tag(texts: Sequence[str]) -> str:
    """Return as many of `texts` as a tag can hold, and how many more there are."""
    kept, length = [texts[0][:_LONGEST_WHY]], len(texts[0])
    for text in texts[1:]:
        length += len(text) + 2
        if length > _LONGEST_WHY:
            break
        kept.append(text)
    more = len(texts) - len(kept)
    return "; ".join([*kept, *([f"and {more} more"] if more else [])])


def run_request(
    report: Report, window: Window, *, reason: str, why: Sequence[DuePartition] = (), wait: bool | None = None
) -> dg.RunRequest:
    """Return the request of one run over `window`.

    Args:
        report: the report whose asset is materialized.
        window: the partitions.
        reason: part of the run key; it separates requests for the same partitions.
        why: the partitions that are due, shown as a tag of the run.
        wait: whether the run polls until the report is ready; None for an asset that has no such setting.
    """
    first, last = window.first.isoformat(), window.last.isoformat()
    single = window.first == window.last
    tags = {REASON: _in_a_tag(describe_due(why))} if why else {}
    if report.partitioned and not single:
        tags |= {RANGE_START: first, RANGE_END: last}
    config = {"wait": wait, "only_due": True}
    return dg.RunRequest(
        run_key=f"{report.key}:{window}:{reason}",
        asset_selection=[key_of(report)],
        partition_key=first if report.partitioned and single else None,
        run_config={} if wait is None else {"ops": {op_name(report): {"config": config}}},
        tags=tags,
    )
