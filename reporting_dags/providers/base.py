"""What the clients of all networks share: settings, one HTTP client, the account and its rate limit."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import JobPolicy, Pace, Provider, Rate, no_pacing
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits
from reporting_dags.providers.http.redaction import Redactor

_MAX_POLL_INTERVAL = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """The settings of a client, besides its credentials.

    Attributes:
        base_url: base URL of the API.
        base_url_variable: the environment variable that sets it, for messages.
        clock: provides the current time and waits.
        pace: waits for rate limits, over all processes.
        first_poll: time before the first poll of a report, and before the first retry of a call.
        timeout: maximum time that a run polls one report, or waits for another run that pulls the same days.
        limits: limits on the duration and size of responses.
    """

    base_url: str
    base_url_variable: str
    clock: Clock
    pace: Pace = no_pacing
    first_poll: timedelta = timedelta(seconds=5)
    timeout: timedelta = timedelta(hours=2)
    limits: Limits = DEFAULT_LIMITS

    def job_policy(
        self, *, resubmit_after: timedelta | None = None, max_open_jobs: int = 1, can_find_lost_jobs: bool = False
    ) -> JobPolicy:
        """Return the policy for jobs that are polled at growing intervals of at most 60 s; see `JobPolicy`."""
        return JobPolicy(
            first_poll=self.first_poll,
            max_poll_interval=max(self.first_poll, _MAX_POLL_INTERVAL),
            timeout=self.timeout,
            resubmit_after=resubmit_after,
            max_open_jobs=max_open_jobs,
            can_find_lost_jobs=can_find_lost_jobs,
        )


class HttpProvider(Provider):
    """A provider whose API is called over HTTP, for one account.

    Subclasses make all calls with `http`, which retries transient errors, removes the credentials from messages, and
    waits for the rate limit.

    Args:
        settings: the settings of the client.
        name: name of the API in messages.
        account: what identifies the owner of jobs and quotas: a prefix for this API, then credentials. Only its hash
            is stored, so it must not change between releases.
        secrets: the credentials, which are removed from every message.
        policy: how jobs are polled.
        requests_per_minute: the rate limit of all calls of the account; None if there is none.
        retry_unspecified_429: whether a 429 without `Retry-After` is retried; it is not if it may mean a spent quota.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        name: str,
        account: tuple[str, ...],
        secrets: tuple[str, ...],
        policy: JobPolicy,
        requests_per_minute: int | None = None,
        retry_unspecified_429: bool = False,
    ) -> None:
        self.name = name
        self.clock = settings.clock
        self.policy = policy
        self.account = hashlib.sha256(":".join(account).encode()).hexdigest()[:12]
        self._rates: tuple[Rate, ...] = ()
        if requests_per_minute is not None:
            rate = Rate(bucket=f"{account[0]} requests", account=self.account, per_minute=requests_per_minute)
            self._rates = (rate,)
        self._pace = settings.pace
        self.redactor = Redactor()
        for secret in secrets:
            self.redactor.add(secret)
        self.http = HttpClient(
            name=name,
            base_url=settings.base_url,
            variable=settings.base_url_variable,
            redactor=self.redactor,
            clock=settings.clock,
            first_delay=settings.first_poll.total_seconds(),
            limits=settings.limits,
            pace=self._wait_for_rates,
            retry_unspecified_429=retry_unspecified_429,
            can_find_lost_jobs=policy.can_find_lost_jobs,
        )

    def _wait_for_rates(self) -> None:
        for rate in self._rates:
            self._pace(rate)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The rate limit of all calls, if there is one."""
        return self._rates

    @property
    def clock_skew(self) -> timedelta:
        """How far this machine's clock is ahead of the provider's, according to its responses."""
        return self.http.clock_skew

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
