"""One schedule a provider: shortly after its day is out, it asks for every day that is missing or due again."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from reporting_dags.jobs.due import due_days
from reporting_dags.jobs.planner import plan
from reporting_dags.model.days import Window, stretches
from reporting_dags.model.report import Report
from reporting_dags.orchestration.home import ReportingHome, as_set

_MARGIN = timedelta(minutes=5)
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def provider_schedules(reports: Sequence[Report[Any]], start: date) -> list[dg.ScheduleDefinition]:
    """A schedule for each provider of `reports`, and one more for each further time zone of its reports.

    Snapshots come first: other assets look things up in them.
    """
    grouped: defaultdict[tuple[str, str], list[Report[Any]]] = defaultdict(list)
    for report in sorted(reports, key=lambda report: report.partitioned):
        grouped[report.provider, report.calendar.timezone].append(report)
    first = {report.provider: report.calendar.timezone for report in reversed(reports)}
    schedules: list[dg.ScheduleDefinition] = []
    for (provider, timezone), mine in grouped.items():
        further = "" if timezone == first[provider] else f"_{re.sub('[^0-9a-z]+', '_', timezone.lower())}"
        schedules.append(_schedule(f"{provider}_daily{further}", provider, mine, start))
    return schedules


def _schedule(name: str, provider: str, reports: list[Report[Any]], start: date) -> dg.ScheduleDefinition:
    latest = max(reports, key=lambda report: report.calendar.published_after)
    out = latest.calendar.published_after + _MARGIN
    hours, minutes = divmod(int(out.total_seconds()) // 60 % (24 * 60), 60)

    @dg.schedule(
        name=name,
        cron_schedule=f"{minutes} {hours} * * *",
        execution_timezone=latest.calendar.timezone,
        target=[dg.AssetKey([report.provider, report.name]) for report in reports],
        description=f"Asks {provider} for every day that is missing or due again, once its newest day is out.",
    )
    def daily(context: dg.ScheduleEvaluationContext, home: ReportingHome) -> Iterator[dg.RunRequest | dg.SkipReason]:
        now = context.scheduled_execution_time
        asked = False
        with home.open(context.instance) as opened:
            for report in reports:
                days = due_days(as_set(report), since=start, ledger=opened.ledger, data=opened.data, now=now)
                # A window may span days that are not due: they come with the same query, and one query serves them all.
                windows = plan(days, report.window_days)
                for stretch in stretches(day for window in windows for day in window.days):
                    asked = True
                    yield run_request(report, stretch, reason=f"schedule:{now:%Y-%m-%dT%H:%M}")
        if not asked:
            yield dg.SkipReason(f"every reachable day of {provider} is whole and none is due again")

    return daily


def run_request(report: Report[Any], window: Window, *, reason: str) -> dg.RunRequest:
    """One run over `window`; `reason` tells requests for the same days apart."""
    first, last = window.first.isoformat(), window.last.isoformat()
    if not report.partitioned:
        return dg.RunRequest(
            run_key=f"{report.key}:{window}:{reason}", asset_selection=[dg.AssetKey([report.provider, report.name])]
        )
    single = window.first == window.last
    return dg.RunRequest(
        run_key=f"{report.key}:{window}:{reason}",
        asset_selection=[dg.AssetKey([report.provider, report.name])],
        partition_key=first if single else None,
        tags={} if single else {RANGE_START: first, RANGE_END: last},
    )
