"""Which days may be requested, and the fewest requests that cover them."""

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime, timedelta

from reporting_dags.model.days import Calendar, Window
from reporting_dags.model.errors import Expired, NotReady, ReportingError
from reporting_dags.providers.api import Request


def plan_windows(days: Iterable[date], max_days: int) -> list[Window]:
    """The fewest windows of at most `max_days` days that cover `days`, oldest first.

    A window may span days that no one requested, when that saves a query; it never begins or ends on one. Taking the
    oldest uncovered day and reaching as far as allowed is the least possible, because some window must hold that day.
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
    """The most days that a window should cover: half of those of which a response was cut for their sheer number.

    Where half of a cut window was cut as well, one day of it may have been too much; that says nothing of other days.
    """
    for request in truncated:
        days = len(request.window)
        if days > 1 and not any(other != request and _covers(request, other) for other in truncated):
            window_days = min(window_days, -(-days // 2))
    return window_days


def split_known_too_large(
    request: Request, truncated: Collection[Request], split: Callable[[Request], tuple[Request, ...]]
) -> list[Request]:
    """`request`, or smaller ones in its place where the provider is known to cut the response to it, or to less."""
    if not any(_covers(request, other) for other in truncated):
        return [request]
    smaller = split(request)
    return (
        [part for half in smaller for part in split_known_too_large(half, truncated, split)] if smaller else [request]
    )


def _covers(request: Request, other: Request) -> bool:
    within = request.window.first <= other.window.first and other.window.last <= request.window.last
    return within and request.shard in {"", other.shard}


def availability_error(calendar: Calendar, day: date, now: datetime) -> ReportingError | None:
    """Why `day` cannot be requested now, without asking; None when it can. The line leaves the day to its reader."""
    if calendar.first_day is not None and day < calendar.first_day:
        return Expired(
            f"before the provider's first day, {calendar.first_day}",
            advice=f"Request {calendar.first_day} or later.",
        )
    oldest = calendar.earliest_available(now)
    if day < oldest:
        return Expired(
            f"older than the provider's retention (earliest available: {oldest})",
            advice="It cannot be requested any more; a partition that has landed stays as it is.",
        )
    published = calendar.published_at(day)
    if published > now:
        return NotReady(
            f"not published yet: the provider publishes it on {published:%Y-%m-%d} at {published:%H:%M} UTC",
            advice="Request it then.",
        )
    return None
