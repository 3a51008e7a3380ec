"""Partitions: the days that the provider has published and still serves.

A partition of Dagster exists as soon as its time window has ended. Here each window begins and ends at the time of day
at which the provider publishes, so a partition exists exactly when its day is published. With windows from midnight to
midnight, Dagster would offer days that cannot be requested yet: a backfill of all missing partitions would fail on
them, and no report would ever be complete.

The price is that a window overlaps two days of an asset whose windows begin at midnight. `same_day` maps days by name,
and the IO manager reads the days that a mapping of time windows names if windows begin at midnight. Dagster also
refuses a run or backfill that begins with reports of several providers.

Other ways cost more. With windows from midnight and `end_offset=1`, a backfill of what is missing fails on today.
Dynamic partitions are names without time: a week or a range of days cannot be mapped to them. One time of day for all
providers would delay published days for hours.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta

import dagster as dg

from reporting_dags.model.days import ONE_DAY, Calendar
from reporting_dags.model.report import Report

_SEASONS = (date(2026, 1, 15), date(2026, 7, 15))
"""A day in winter and one in summer: clocks of zones that change them are an hour apart."""


def day_partitions(calendar: Calendar, first: date) -> dg.DailyPartitionsDefinition:
    """Return the partitions of a report: the days from `first` to the latest published one.

    A run that names another day fails in one line that says when the day is published, or that it cannot be requested.
    Dagster's own commands would print a stack trace for it.
    """
    days, minutes = _publish_time(calendar)
    partitions = dg.DailyPartitionsDefinition(
        first.isoformat(),
        hour_offset=minutes // 60,
        minute_offset=minutes % 60,
        timezone=calendar.timezone,
        end_offset=-days,
    )
    # In place of a subclass: IdentityPartitionMapping accepts no other class than the one of the asset downstream. The
    # daemon and the web server work with a copy of the fields, and offer published days alone.
    vars(partitions).update(has_partition_key=_is_day, get_partition_keys_in_range=_days_in)
    return partitions


def _publish_time(calendar: Calendar) -> tuple[int, int]:
    """Return how long after its end a day is published, as full days and minutes."""
    days, rest = divmod(calendar.publish_delay, ONE_DAY)
    return days, rest // timedelta(minutes=1)


def _is_day(partition_key: str) -> bool:
    try:
        return date.fromisoformat(partition_key).isoformat() == partition_key
    except ValueError:
        return False


def _days_in(partition_key_range: dg.PartitionKeyRange) -> list[str]:
    first, last = (date.fromisoformat(key) for key in (partition_key_range.start, partition_key_range.end))
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def same_day(upstream: Calendar, downstream: Calendar) -> dg.PartitionMapping:
    """Return the mapping of each downstream partition to the upstream partition of the same day, if there is one."""
    if upstream.timezone != downstream.timezone:
        return dg.IdentityPartitionMapping()
    other, own = _publish_time(upstream)[1], _publish_time(downstream)[1]
    # A window that begins earlier overlaps the day before, and one that ends later the day after.
    return dg.TimeWindowPartitionMapping(
        start_offset=int(other > own), end_offset=-int(other < own), allow_nonexistent_upstream_partitions=True
    )


def first_partitions(
    reports: Iterable[Report], start: date, requested: Mapping[str, date] | None, now: datetime
) -> dict[str, date]:
    """Return the first partition of each report, by its key.

    It is `start`, or the provider's own first day if that is later. If the provider serves days for a limited time, it
    is the oldest day that was ever requested or can be requested now: an older one can never be materialized.

    Args:
        reports: the reports.
        start: the first day by the settings.
        requested: the oldest day that was ever requested, by report key; None if unknown.
        now: the present moment.
    """
    results: dict[str, date] = {}
    for report in reports:
        first = max(start, report.calendar.first_day or start)
        if requested is not None:
            oldest = report.calendar.earliest_available(now)
            first = max(first, min(oldest, requested.get(report.key, oldest)))
        results[report.key] = first
    return results


def combined_calendar(calendars: Iterable[Calendar]) -> Calendar:
    """Return the calendar of a dataset that is built from reports of these `calendars`, in UTC days.

    A day exists as soon as its first source is published.
    """
    offsets = [
        calendar.published_at(day) - datetime.combine(day + ONE_DAY, time(), tzinfo=UTC)
        for calendar in calendars
        for day in _SEASONS
    ]
    return Calendar(publish_delay=max(timedelta(), min(offsets, default=timedelta())))


def offered(calendar: Calendar, first: date, days: Iterable[date], now: datetime) -> list[date]:
    """Return those of `days` that are partitions now: a run request for another day fails the whole tick."""
    newest = calendar.latest_available(now)
    return [day for day in days if first <= day <= newest]
