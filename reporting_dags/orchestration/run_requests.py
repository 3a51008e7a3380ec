"""Requests for runs, as schedules and sensors make them, and the names by which these know of each other."""

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
"""How the name of a schedule goes on after that of its provider."""
_LONGEST_WHY = 200
_STALE_SECONDS = 900


def sensor_name(provider: str) -> str:
    """The late-data sensor of a provider."""
    return f"{provider}_late"


def is_on(instance: dg.DagsterInstance, sensor: str, now: datetime) -> bool:
    """Whether a sensor that is off until somebody turns it on has been turned on, and has ticked or begun lately.

    The state of one that is gone, such as of a code location that was renamed, says for ever that it runs.
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
    """Whether a schedule of `provider` is on, and has not ticked since it was turned on."""
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
    """Return why nothing is requested of a provider that has no account; empty if it has one, or ever had.

    Settings that were lost are a failure, which is not hidden: where something was requested before, runs go on.

    Args:
        resource: of the provider.
        home: where the ledger is.
        reports: all reports of the provider.
    """
    if resource.has_account:
        return ""
    requested = home.first_requested()
    if requested is None or any(report.key in requested for report in reports):
        return ""
    variables = ", ".join(resource.account_settings.values())
    return f"{reports[0].provider} has no account, and nothing is expected of it: {variables} not set"


def _lately(data: object) -> float:
    """When a sensor last ticked or was turned on, as a POSIX timestamp."""
    names = ("last_tick_timestamp", "last_tick_start_timestamp", "last_sensor_start_timestamp")
    return max(getattr(data, name, None) or 0.0 for name in names)


def _in_a_tag(texts: Sequence[str]) -> str:
    """As many of `texts` as a tag holds, and how many more there are."""
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
    """One run over `window`.

    Args:
        report: whose asset.
        window: its days.
        reason: tells requests for the same days apart.
        why: the days of it that are due, for people to read.
        wait: whether the run waits for the provider; None for a table that asks none, and has no config.
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
