"""Which failed calls are tried again, and when."""

import tenacity

from reporting_dags.providers.http.errors import RateLimited, Unavailable

_UNREACHABLE_SECONDS = 1.0


class RetryCondition(tenacity.retry_base):
    """Whether a failed try is worth another: what is transient, as long as no more is requested than `longest`.

    Args:
        longest: most seconds that a `Retry-After` is waited for.
        repeats: how often a call that may have reached the provider is repeated; None: as any other.
        backs_off: whether a 429 that names no wait is worth another try.
    """

    def __init__(self, *, longest: float, repeats: int | None, backs_off: bool) -> None:
        self._longest = longest
        self._repeats = repeats
        self._backs_off = backs_off

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        """Whether the try that just failed is."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, RateLimited):
            return self._backs_off if error.retry_after is None else error.retry_after <= self._longest
        if not isinstance(error, Unavailable):
            return False
        if error.max_attempts is not None and retry_state.attempt_number >= error.max_attempts:
            return False
        if error.ambiguous and self._repeats is not None and retry_state.attempt_number > self._repeats:
            return False
        return error.retry_after is None or error.retry_after <= self._longest


class WaitRetryAfter(tenacity.wait.wait_base):
    """The provider's own `Retry-After` where it gave one, else `fallback`; a second for a host never reached."""

    def __init__(self, fallback: tenacity.wait.wait_base) -> None:
        self._fallback = fallback

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        """Seconds to wait after the try that just failed."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        requested = error.retry_after if isinstance(error, Unavailable | RateLimited) else None
        if isinstance(error, Unavailable) and error.unreachable:
            return min(_UNREACHABLE_SECONDS, self._fallback(retry_state))
        return self._fallback(retry_state) if requested is None else requested
