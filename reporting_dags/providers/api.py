"""What every provider offers to the job engine: submit, poll and download, as three small steps.

The same three serve all five APIs. Submit, poll, download is their natural form. A provider that responses at once has
a submit that costs nothing and is ready at the first poll; one that finds a job again by its parameters needs no
handle; one that is asked once an app and a day names those apps as the `parts` of a window.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reporting_dags.model.days import Window
from reporting_dags.model.report import Report


@dataclass(frozen=True, slots=True)
class Request:
    """What one job requests.

    Attributes:
        window: the days.
        shard: where a provider wants a window in pieces, one of them.
        correlation_id: of the job. It is not part of the query, but a provider may encode it there to find a lost job.
    """

    window: Window
    shard: str = ""
    correlation_id: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.window} [{self.shard}]" if self.shard else str(self.window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """What a provider gave for a job: enough to request it again after a crash.

    Attributes:
        id: the provider's id of the request, shown to users and to its support.
        url: a signed address, where there is one: a secret.
        expires_at: when the handle stops working, where that is known.
    """

    id: str = ""
    url: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """The provider is still at work."""

    reason: str = "the provider is still preparing the report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The response can be downloaded.

    Attributes:
        expected_rows: how many rows it has, where the provider says so.
        tag: which names its content, where the provider tells one: the same tag means the same bytes.
    """

    expected_rows: int | None = None
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A kind of call that is counted.

    Attributes:
        bucket: what the calls are called.
        per_day: how many an account may make in a UTC day; None for any number.
        reserved: the last so many of them are for requests that reach the latest day, so that a backfill leaves today's
            schedule its share.
    """

    bucket: str
    per_day: int | None = None
    reserved: int = 0


Meter = Callable[[Quota], None]
"""Called before each call that is counted; records it, and raises `Denied` when none of its kind is left today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many calls a provider allows an account in any minute."""

    bucket: str
    account: str
    per_minute: int


Pace = Callable[[Rate], None]
"""Called before each call under a rate; waits until it fits, whichever processes make the others."""


def no_pacing(rate: Rate) -> None:
    """The pace of a client on its own: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPolicy:
    """How a provider's jobs are waited for.

    Attributes:
        first_poll: until the first question; later ones come at growing intervals up to `longest_poll`.
        timeout: how long a run waits for one job before its days end not ready.
        resend_after: how long a job may stay pending before it is sent again, once; None if never.
        in_flight: most jobs of one run that are open at once.
        can_find_lost_jobs: whether a job whose handle was lost can be found again.
    """

    first_poll: timedelta
    longest_poll: timedelta
    timeout: timedelta
    resend_after: timedelta | None = None
    in_flight: int = 1
    can_find_lost_jobs: bool = False


class Provider(ABC):
    """One provider's reporting API, as an account sees it.

    Attributes:
        account: a short fingerprint of the credentials' public part: whose jobs and quota these are. Not a secret.
        policy: how its jobs are waited for.
    """

    account: str
    policy: JobPolicy

    @property
    def quotas(self) -> tuple[Quota, ...]:
        """The kinds of its calls of which a day has only so many."""
        return ()

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The rate limits of its calls."""
        return ()

    @property
    def clock_skew(self) -> timedelta:
        """How far this machine's clock is ahead of the provider's, as far as its responses tell."""
        return timedelta()

    def shards(self, report: Report) -> tuple[str, ...]:
        """The parts in which a window is asked; `("",)` where one request covers it."""
        return ("",)

    def split_request(self, report: Report, request: Request) -> tuple[Request, ...]:
        """Smaller requests that together request the same, for a response that was cut; none if there are none."""
        days = request.window.days
        if len(days) == 1:
            return ()
        middle = len(days) // 2
        return (
            Request(Window(days[0], days[middle - 1]), request.shard),
            Request(Window(days[middle], days[-1]), request.shard),
        )

    def describe(self, request: Request) -> str:
        """The days, and the hours of them, that a request requests, for a message."""
        return str(request)

    def literal_columns(self, request: Request) -> Mapping[str, str]:
        """Values by header that the response to a request need not hold itself."""
        return {}

    def expected_echo(self, report: Report, request: Request) -> Mapping[str, str]:
        """What the response must say of itself, by its place in the document."""
        return {}

    def find_lost_job(self, report: Report, request: Request) -> Handle | None:
        """The job with the mark of `request`, if the provider has accepted one; None where that is not certain.

        Raises:
            Unavailable: it cannot be told now.
        """
        return None

    @abstractmethod
    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Request the report; returns what finds the job again. Raises `ReportingError`."""

    @abstractmethod
    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Return how far the job is; raise `Expired` for an expired handle, `Truncated` for a cut response."""

    @abstractmethod
    def download(
        self, report: Report, request: Request, handle: Handle, meter: Meter
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of the response as they arrive.

        Raises:
            Partial: they broke off.
            NotReady: the response is not there yet after all.
            Expired: it is there no longer.
        """

    @abstractmethod
    def close(self) -> None:
        """Close its connections."""
