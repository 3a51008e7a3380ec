"""One schedule for each provider: when its latest day is published, it requests every missing day."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

import dagster as dg

from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning.due import DuePartition, describe_due, due_partitions, max_window_days
from reporting_dags.jobs.planning.policy import for_schedule, skipped
from reporting_dags.jobs.planning.windows import plan_windows
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import contiguous_ranges
from reporting_dags.model.errors import ReportingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.run_requests import DAILY, is_on, run_request, sensor_name, without_account
from reporting_dags.orchestration.storage import TICK_LOCK_SECONDS, OpenStorage, StorageResource, with_settings
from reporting_dags.providers.resource import ProviderResource

_MARGIN = timedelta(minutes=5)
_HOURS = 3


def provider_schedules(reports: Sequence[Report], start: date) -> list[dg.ScheduleDefinition]:
    """Return a schedule for each provider of `reports`, and one more for each further time zone of its reports.

    Snapshots come first, because other assets read them.
    """
    grouped: defaultdict[tuple[str, str], list[Report]] = defaultdict(list)
    for report in sorted(reports, key=lambda report: report.partitioned):
        grouped[report.provider, report.calendar.timezone].append(report)
    first = {report.provider: report.calendar.timezone for report in reversed(reports)}
    schedules: list[dg.ScheduleDefinition] = []
    for (provider, timezone), own in grouped.items():
        further = "" if timezone == first[provider] else f"_{re.sub('[^0-9a-z]+', '_', timezone.lower())}"
        schedules.append(_schedule(f"{provider}{DAILY}{further}", provider, own, start))
    return schedules


def _hours(first: int) -> str:
    """Return the hour field of a cron string: every third hour, `first` among them."""
    hours = range(first % _HOURS, 24, _HOURS)
    return f"*/{_HOURS}" if 0 in hours else ",".join(map(str, hours))


def _schedule(name: str, provider: str, reports: list[Report], start: date) -> dg.ScheduleDefinition:
    latest = max(reports, key=lambda report: report.calendar.publish_delay)
    out = latest.calendar.publish_delay + _MARGIN
    hour, minute = divmod(int(out.total_seconds()) // 60 % (24 * 60), 60)
    zone = latest.calendar.timezone

    @dg.schedule(
        name=name,
        cron_schedule=f"{minute} {_hours(hour)} * * *",
        execution_timezone=zone,
        target=[key_of(report) for report in reports],
        required_resource_keys={"home", provider},
        description=f"Requests every missing day of {provider}: at {hour:02d}:{minute:02d} {zone}, when the latest day "
        f"is published, and every {_HOURS} hours after that, to retry what failed. Days due for restatement are "
        f"included when the same query covers them; all others are left to the sensor {sensor_name(provider)}.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        home: StorageResource = context.resources.home
        resource: ProviderResource = getattr(context.resources, provider)
        if reason := without_account(resource, home, reports):
            yield dg.SkipReason(reason)
            return
        now = context.scheduled_execution_time
        alone = not is_on(context.instance, sensor_name(provider), SystemClock().now())
        requests: list[tuple[datetime, dg.RunRequest]] = []
        left: list[str] = []
        try:
            with home.open(context.instance, lock_seconds=TICK_LOCK_SECONDS) as opened:
                results = [(report, *_requested(report, start, opened, now, alone=alone)) for report in reports]
        except ReportingError as error:
            # The scheduler retries a tick that failed, and does not retry one that was skipped.
            raise dg.Failure(f"{provider}: {error.line}") from None
        for report, requested, others in results:
            message = "; ".join([*describe_due(requested), *others]) or "all available partitions are complete"
            context.log.info("%s: %s", report.key, message)
            left += [f"{report.key} {other}" for other in others]
            # A window may span days that are not due: the same query covers them.
            windows = plan_windows([item.day for item in requested], report.window_days)
            for stretch in contiguous_ranges(day for window in windows for day in window.days):
                own = [item for item in requested if item.day in stretch]
                reason = f"schedule:{now:%Y-%m-%dT%H:%M}"
                request = run_request(report, stretch, reason=reason, why=own, wait=alone)
                lost = [item.expires_at for item in own if item.expires_at is not None]
                requests.append((min(lost, default=datetime.max.replace(tzinfo=now.tzinfo)), request))
        # What expires first at the provider comes first.
        yield from (request for _, request in sorted(requests, key=lambda pair: pair[0]))
        if not requests:
            yield dg.SkipReason("; ".join(left) or f"all available partitions of {provider} are complete")

    return daily


def _requested(
    report: Report, start: date, opened: OpenStorage, now: datetime, *, alone: bool
) -> tuple[list[DuePartition], list[str]]:
    """Return the days that are requested, and why the other due ones are not."""
    requested = with_settings(report)
    state = load_report_state(requested, opened.ledger, now)
    days = due_partitions(requested, state, since=start, sizes=opened.data.sizes(requested.key), now=now)
    taken = for_schedule(
        days, max_days=max_window_days(report, state), failures=state.failures, now=now, sensor_off=alone
    )
    return taken, skipped(days, taken, failures=state.failures, now=now)
