"""Who requests which days: the schedule or the late-data sensor, never both.

The schedule requests missing days, beginning when the latest day is published. It includes days due for restatement
where the same query covers them at no cost. The sensor lands what was not ready, and requests the other days due for
restatement one hour after they became due.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

from reporting_dags.jobs.planning.due import DuePartition, DueReason, describe_due, paused_until
from reporting_dags.jobs.planning.windows import plan_windows
from reporting_dags.jobs.records import Failure
from reporting_dags.model.days import Window

SCHEDULE_PRIORITY = timedelta(hours=1)
"""How long after a restatement becomes due only the schedule may request the day."""

_RESTATEMENT = (DueReason.RESTATED, DueReason.CHANGED)

Failures = Mapping[date, Sequence[Failure]]


def for_schedule(
    due: Sequence[DuePartition], *, max_days: int, failures: Failures, now: datetime, sensor_off: bool = False
) -> list[DuePartition]:
    """Return the days that the schedule requests.

    Args:
        due: the due days of the report.
        max_days: the most days that one query covers.
        failures: the failures of each day since it last landed.
        now: the present moment.
        sensor_off: whether the sensor is off; then the schedule requests all due days.
    """
    if sensor_off:
        return list(due)
    free = [one for one in due if paused_until(failures, one.day, now) is None]
    missing = [one for one in free if one.reason is DueReason.MISSING]
    restated = sorted((one for one in free if one.reason in _RESTATEMENT), key=lambda one: one.day, reverse=True)
    results = list(missing)
    for window in plan_windows([one.day for one in missing], max_days):
        first, last = window.first, window.last
        for one in restated:
            wider = min(first, one.day), max(last, one.day)
            if one not in results and (wider[1] - wider[0]).days < max_days:
                results.append(one)
                first, last = wider
    return sorted(results, key=lambda one: one.day)


def skipped(
    due: Sequence[DuePartition], requested: Sequence[DuePartition], *, failures: Failures, now: datetime
) -> list[str]:
    """Return why the schedule has not `requested` other due days, one text for each cause: days as ranges."""
    groups: dict[tuple[str, int], list[tuple[DuePartition, datetime | None]]] = {}
    for item in due:
        if item not in requested:
            until = None if item.reason is DueReason.IN_FLIGHT else paused_until(failures, item.day, now)
            times = len(failures[item.day]) if until is not None else 0
            groups.setdefault((item.cause, times), []).append((item, until))
    messages: list[str] = []
    for (_, times), group in groups.items():
        (days,) = describe_due(item for item, _ in group)
        pauses = [until for _, until in group if until is not None]
        messages.append(f"{days}{_paused_text(times, pauses) if pauses else '; left to the sensor'}")
    return messages


def _paused_text(times: int, pauses: Sequence[datetime]) -> str:
    """Return how often days have failed, and until when they are paused."""
    first, last = f"{min(pauses):%Y-%m-%d %H:%M} UTC", f"{max(pauses):%Y-%m-%d %H:%M} UTC"
    until = first if first == last else f"{first} to {last}"
    return f", failed {f'{times} times' if times > 1 else 'once'}: paused until {until}"


def for_sensor(
    due: Sequence[DuePartition], *, open_windows: Collection[Window], failures: Failures, now: datetime
) -> list[DuePartition]:
    """Return the days that the sensor requests again.

    Args:
        due: the due days of the report.
        open_windows: windows of open jobs, which need no new request.
        failures: the failures of each day since it last landed.
        now: the present moment.
    """
    return [
        item
        for item in due
        if item.reason in _RESTATEMENT
        and (item.reason is DueReason.CHANGED or now - item.since >= SCHEDULE_PRIORITY)
        and not any(item.day in window for window in open_windows)
        and paused_until(failures, item.day, now) is None
    ]
