"""Query windows: which days can be requested, and the fewest requests that cover them."""

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime, timedelta

from reporting_dags.model.days import Calendar, Window
from reporting_dags.model.errors import Expired, NotReady, ReportingError
from reporting_dags.providers.api import Request


def plan_windows(days: Iterable[date], max_days: int) -> list[Window]:
    """Return the fewest windows of at most `max_days` days that cover `days`, oldest first.

    A window may include days that were not requested, where that saves a query; it never begins or ends on one. Each
    window begins on the oldest day that is not covered yet, which gives the fewest windows.
    """
    windows: list[Window] = []
    first: date | None = None
    last: date | None = None
    for day in sorted(set(days)):
        if first is None or last is None:
            first = last = day
        elif day - first < timedelta(days=max_days):
            last = day
        else:
            windows.append(Window(first, last))
            first = last = day
    if first is not None and last is not None:
        windows.append(Window(first, last))
    return windows


def effective_window_days(window_days: int, truncated: Collection[Request]) -> int:
    """Return the most days that a window should cover: half of the days of the smallest truncated window.

    If half of a truncated window was truncated too, a single large day may be the cause: it does not count.
    """
    for request in truncated:
        days = len(request.window)
        if days > 1 and not any(other != request and _covers(request, other) for other in truncated):
            window_days = min(window_days, -(-days // 2))
    return window_days


def split_known_too_large(
    request: Request, truncated: Collection[Request], split: Callable[[Request], tuple[Request, ...]]
) -> list[Request]:
    """Return `request`, or smaller requests in its place if the provider truncated its response, or a smaller one."""
    if not any(_covers(request, other) for other in truncated):
        return [request]
    smaller = split(request)
    return (
        [part for request in smaller for part in split_known_too_large(request, truncated, split)]
        if smaller
        else [request]
    )


def _covers(request: Request, other: Request) -> bool:
    within = request.window.first <= other.window.first and other.window.last <= request.window.last
    return within and request.shard in {"", other.shard}


def availability_error(calendar: Calendar, day: date, now: datetime) -> ReportingError | None:
    """Return why `day` cannot be requested now; None if it can. The message does not repeat the day."""
    if calendar.first_day is not None and day < calendar.first_day:
        return Expired(
            f"before the provider's first day, {calendar.first_day}",
            advice=f"Request {calendar.first_day} or later.",
        )
    oldest = calendar.earliest_available(now)
    if day < oldest:
        return Expired(
            f"older than the provider's retention (earliest available: {oldest})",
            advice="It can no longer be requested; a partition that has landed stays as it is.",
        )
    published = calendar.published_at(day)
    if published > now:
        return NotReady(
            f"not published yet: the provider publishes it on {published:%Y-%m-%d} at {published:%H:%M} UTC",
            advice="Request it then.",
        )
    return None
