"""The interface of every provider: submit, poll and download.

The same three steps fit all APIs. If a provider responds at once, its submit does nothing and the first poll is ready.
If it identifies a job by its parameters, it needs no handle. If it needs one request for each app, the apps are the
shards of a window.
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
    """The request of one job.

    Attributes:
        window: the days that are requested.
        shard: the part of the window that is requested, such as an app id; empty if it is the complete window.
        correlation_id: an identifier of the job. It does not change the result, but a provider may encode it in the
            query to find a lost job.
    """

    window: Window
    shard: str = ""
    correlation_id: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.window} [{self.shard}]" if self.shard else str(self.window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """The provider's reference to a job, with which it can be polled and downloaded after a crash.

    Attributes:
        id: the provider's id of the request, for messages and for the provider's support; empty if there is none.
        url: the signed download URL, which is a secret; None if there is none.
        expires_at: time at which the handle expires; None if unknown.
    """

    id: str = ""
    url: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """The provider has not completed the report yet."""

    reason: str = "the provider is still preparing the report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The response can be downloaded.

    Attributes:
        expected_rows: number of rows in the response according to the provider; None if it does not say.
        content_tag: identifier of the content; the same tag means the same bytes. Empty if unknown.
    """

    expected_rows: int | None = None
    content_tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A kind of counted call, and how many of them are allowed.

    Attributes:
        bucket: name under which the calls are counted.
        per_day: maximum number of calls for each account and UTC day; None for no limit.
        reserved: how many of these calls only requests that include the latest day may use, so that a backfill leaves
            some for the schedule.
    """

    bucket: str
    per_day: int | None = None
    reserved: int = 0


Meter = Callable[[Quota], None]
"""Called before each counted call; records the call, and raises `Denied` if the quota of the day is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A rate limit.

    Attributes:
        bucket: name under which the calls are counted.
        account: the account to which the limit applies; see `Provider.account`.
        per_minute: maximum number of calls in any 60 seconds.
    """

    bucket: str
    account: str
    per_minute: int


Pace = Callable[[Rate], None]
"""Called before each call with a rate limit; waits until the limit allows it, over all processes."""


def no_pacing(rate: Rate) -> None:
    """Do not wait. The default of a client that shares no rate limit with other processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPolicy:
    """How the jobs of a provider are polled.

    Attributes:
        first_poll: time before the first poll; later intervals grow.
        max_poll_interval: longest interval between two polls.
        timeout: maximum time that a run polls one job; after that its days end as not ready.
        resubmit_after: time after which a pending job is submitted once more; None for never.
        max_open_jobs: maximum number of jobs of one run that are open at the same time.
        can_find_lost_jobs: whether a job can be found at the provider although its handle was lost.
    """

    first_poll: timedelta
    max_poll_interval: timedelta
    timeout: timedelta
    resubmit_after: timedelta | None = None
    max_open_jobs: int = 1
    can_find_lost_jobs: bool = False


class Provider(ABC):
    """The reporting API of one provider for one account.

    Attributes:
        account: a short hash of the credentials, which identifies the owner of jobs and quotas. Not a secret.
        policy: how the jobs of the provider are polled.
    """

    account: str
    policy: JobPolicy

    @property
    def quotas(self) -> tuple[Quota, ...]:
        """The daily quotas of the provider."""
        return ()

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The rate limits of the provider."""
        return ()

    @property
    def clock_skew(self) -> timedelta:
        """How far this machine's clock is ahead of the provider's, according to its responses; 0 if it is not ahead."""
        return timedelta()

    def shards(self, report: Report) -> tuple[str, ...]:
        """Return the shards in which a window is requested; `("",)` if one request covers it."""
        return ("",)

    def split_request(self, report: Report, request: Request) -> tuple[Request, ...]:
        """Split a request whose response was truncated into smaller requests; return () if it cannot be split."""
        days = request.window.days
        if len(days) == 1:
            return ()
        middle = len(days) // 2
        return (
            Request(Window(days[0], days[middle - 1]), request.shard),
            Request(Window(days[middle], days[-1]), request.shard),
        )

    def describe(self, request: Request) -> str:
        """Return the days, and for a part of a day its times, as a text for messages."""
        return str(request)

    def literal_columns(self, request: Request) -> Mapping[str, str]:
        """Return the values of columns that the response may lack, by header; each is the same for all rows."""
        return {}

    def expected_echo(self, report: Report, request: Request) -> Mapping[str, str]:
        """Return the values that a JSON response must repeat, by their path in the document."""
        return {}

    def find_lost_job(self, report: Report, request: Request) -> Handle | None:
        """Return the job with the correlation id of `request` at the provider; None if there is none.

        Also None if the job cannot be identified with certainty.

        Raises:
            Unavailable: the provider cannot be queried now.
        """
        return None

    @abstractmethod
    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Request the report and return the handle of the job.

        Args:
            report: the report.
            request: the days, and the shard, to request.
            meter: called before each counted call.

        Raises:
            ReportingError: the provider refuses the request, or cannot be reached.
        """

    @abstractmethod
    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Return the state of the job.

        Raises:
            Expired: the handle has expired.
            Truncated: the provider has truncated the response.
        """

    @abstractmethod
    def download(
        self, report: Report, request: Request, handle: Handle, meter: Meter
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open the response; the context manager returns its bytes as they arrive.

        Raises:
            Partial: the response ended early.
            NotReady: the response is not available yet, although the last poll was ready.
            Expired: the response is not available any more.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""
