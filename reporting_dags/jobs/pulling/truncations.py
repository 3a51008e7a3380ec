"""Answers that the provider truncated, in the line of a day for which no smaller request is left today."""

from dataclasses import replace
from datetime import timedelta

from reporting_dags.jobs.ledger.quota import renews_at
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.jobs.records import LeaseRequest
from reporting_dags.model.errors import Denied


def with_truncations(context: PullContext, who: LeaseRequest, result: DayResult) -> DayResult:
    """`result`; of a day that is denied, its line also says which of the day's answers were truncated today.

    A quota that was spent on answers that were truncated again and again is not the whole cause.
    """
    error = result.error
    if not isinstance(error, Denied):
        return result
    since = renews_at(context.clock.now()) - timedelta(days=1)
    found = [request for request in context.ledger.jobs.truncated_requests(who, since) if result.day in request.window]
    if not found:
        return result
    # Each was asked for because a larger one had been truncated: the newest is the smallest.
    smallest = min(reversed(found), key=lambda request: len(request.window))
    count = "an answer" if len(found) == 1 else f"{len(found)} answers"
    told = f"today the provider truncated {count} with this day, the smallest of {context.provider.describe(smallest)}"
    message = f"{error.message}; {told}"
    error = type(error)(message, advice=error.advice, request_id=error.request_id, retry_at=error.retry_at)
    return replace(result, error=error)
