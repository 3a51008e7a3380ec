"""What every provider offers to the job engine: submit, poll and download, as three small steps.

The same three serve all five APIs. Submit, poll, download is their natural form. A provider that answers at once has a
submit that costs nothing and is ready at the first poll; one that finds a job again by its parameters needs no handle;
one that is asked once an app and a day names those apps as the `parts` of a window.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from reporting_dags.model.days import Window
from reporting_dags.model.report import Report

Meter = Callable[[], None]
"""Called before each HTTP call that the provider counts; records it, and raises `Denied` when none is left."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one job asks for: a window of days and, where a provider wants it in pieces, one of its parts."""

    window: Window
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """What a provider gave for a job: enough to ask for it again after a crash.

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
    """The answer can be downloaded; `expected_rows` where the provider says how many rows it has."""

    expected_rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Calls that a provider allows an account in a UTC day; None where it sets no limit."""

    api: str
    per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPolicy:
    """How a provider's jobs are waited for.

    Attributes:
        first_poll: until the first question; later ones come at growing intervals up to `longest_poll`.
        timeout: how long a run waits for one job before its days end not ready.
        resend_after: how long a job may stay pending before it is sent again, once; None if never.
        in_flight: most jobs of one run that are open at once.
    """

    first_poll: timedelta
    longest_poll: timedelta
    timeout: timedelta
    resend_after: timedelta | None = None
    in_flight: int = 1


class Provider(Protocol):
    """One provider's reporting API, as an account sees it."""

    @property
    def account(self) -> str:
        """A short fingerprint of the credentials' public part: whose jobs and quota these are. Not a secret."""
        ...

    @property
    def policy(self) -> JobPolicy:
        """How its jobs are waited for."""
        ...

    @property
    def quota(self) -> Quota:
        """Under what name its calls are counted, and how many a day it allows."""
        ...

    def parts(self, report: Report[Any]) -> tuple[str, ...]:
        """The parts in which a window is asked; `("",)` where one request covers it."""
        ...

    def constants(self, part: str) -> Mapping[str, str]:
        """Values by header that the file of a part does not hold itself."""
        ...

    def submit(self, report: Report[Any], request: Request, meter: Meter) -> Handle:
        """Ask for the report; returns what finds the job again. Raises `ReportingError`."""
        ...

    def poll(self, report: Report[Any], request: Request, handle: Handle) -> Pending | Ready:
        """Ask how far it is. Raises `Expired` when the handle no longer serves."""
        ...

    def download(
        self, report: Report[Any], request: Request, handle: Handle
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of the answer as they arrive; raises `Partial` if they break off."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...
