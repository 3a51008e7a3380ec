"""Truncated responses, named in the error of a day whose quota they used up."""

from dataclasses import replace
from datetime import timedelta

from reporting_dags.jobs.ledger.quota import renews_at
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.jobs.records import LeaseRequest
from reporting_dags.model.errors import Denied


def with_truncations(context: PullContext, who: LeaseRequest, result: DayResult) -> DayResult:
    """Return `result`; the error of a denied day also names the responses that were truncated today.

    Otherwise the quota would look like the only cause.
    """
    error = result.error
    if not isinstance(error, Denied):
        return result
    since = renews_at(context.clock.now()) - timedelta(days=1)
    results = [
        request for request in context.ledger.jobs.truncated_requests(who, since) if result.day in request.window
    ]
    if not results:
        return result
    # Each was requested because a larger one had been truncated: the latest is the smallest.
    smallest = min(reversed(results), key=lambda request: len(request.window))
    count = "a response" if len(results) == 1 else f"{len(results)} responses"
    text = f"today the provider truncated {count} with this day, the smallest of {context.provider.describe(smallest)}"
    message = f"{error.message}; {text}"
    error = type(error)(message, advice=error.advice, request_id=error.request_id, retry_at=error.retry_at)
    return replace(result, error=error)
