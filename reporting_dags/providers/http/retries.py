"""Which failed calls are retried, and after which delay."""

import tenacity

from reporting_dags.providers.http.errors import RateLimited, Unavailable

_UNREACHABLE_SECONDS = 1.0
"""Longest delay before a retry of a host that could not be reached."""


class RetryCondition(tenacity.retry_base):
    """Decides whether a failed attempt is retried: transient errors are, if `Retry-After` is at most `max_wait`.

    Args:
        max_wait: longest `Retry-After` that is waited for, in seconds.
        max_repeats: how often a call that may have reached the provider is repeated; None for no special limit.
        retry_unspecified_429: whether a 429 without `Retry-After` is retried.
    """

    def __init__(self, *, max_wait: float, max_repeats: int | None, retry_unspecified_429: bool) -> None:
        self._max_wait = max_wait
        self._max_repeats = max_repeats
        self._retry_unspecified_429 = retry_unspecified_429

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        """Return whether the attempt that just failed is retried."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, RateLimited):
            return self._retry_unspecified_429 if error.retry_after is None else error.retry_after <= self._max_wait
        if not isinstance(error, Unavailable):
            return False
        if error.max_attempts is not None and retry_state.attempt_number >= error.max_attempts:
            return False
        if error.ambiguous and self._max_repeats is not None and retry_state.attempt_number > self._max_repeats:
            return False
        return error.retry_after is None or error.retry_after <= self._max_wait


class WaitRetryAfter(tenacity.wait.wait_base):
    """Waits for the provider's `Retry-After`, else as `fallback`; at most a second for an unreachable host."""

    def __init__(self, fallback: tenacity.wait.wait_base) -> None:
        self._fallback = fallback

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        """Return the seconds to wait after the attempt that just failed."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        requested = error.retry_after if isinstance(error, Unavailable | RateLimited) else None
        if isinstance(error, Unavailable) and error.unreachable:
            return min(_UNREACHABLE_SECONDS, self._fallback(retry_state))
        return self._fallback(retry_state) if requested is None else requested
