"""The interface of an emulated provider: its endpoints, each with a name (point), and its correct data."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from starlette.responses import Response

from reporting_dags.sandbox.data_owner import ORDINARY
from reporting_dags.sandbox.faults import Fault


@dataclass(frozen=True)
class Subject:
    """The report source and the days of a request, by which faults are selected."""

    source: str
    first: date
    last: date


@dataclass
class Call:
    """A complete request, as an endpoint handles it."""

    method: str
    origin: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    fault: Fault | None = None
    facts: dict[str, str] = field(default_factory=dict[str, str])
    """Facts for the request log, such as the id of the report."""

    def fault_is(self, name: str) -> bool:
        """Return whether the fault of this call is `name`; for faults that the handler implements."""
        return self.fault is not None and self.fault.do == name


def no_subject(_call: Call) -> Subject | None:
    """Return no subject, for endpoints that are not about a report."""
    return None


def any_query(_query: Sequence[tuple[str, str]]) -> bool:
    """Accept every query string, for endpoints that do not share their path."""
    return True


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of a provider.

    Attributes:
        point: name of the endpoint in the log and for faults.
        methods: allowed HTTP methods.
        path: path of the URL, with Starlette's placeholders.
        handler: makes the response.
        subject: returns the report source and the days of a call; None if there are none.
        handler_faults: names of the faults that the handler implements.
        accepts_query: whether the endpoint handles a query string. Of several endpoints with one path, the first that
            accepts the query string handles the request.
    """

    point: str
    methods: tuple[str, ...]
    path: str
    handler: Callable[[Call], Awaitable[Response]]
    subject: Callable[[Call], Subject | None] = no_subject
    handler_faults: frozenset[str] = frozenset()
    accepts_query: Callable[[Sequence[tuple[str, str]]], bool] = any_query


class Provider(Protocol):
    """An emulated provider; `name` is its key in the settings, `data_point` the point of faults in its files."""

    name: str
    data_point: str

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """All endpoints of the provider."""
        ...

    @property
    def reports(self) -> Sequence[str]:
        """The keys of the reports that `truth` accepts."""
        ...

    @property
    def credentials(self) -> Mapping[str, Any]:
        """The credentials by name of the account."""
        ...

    def variables(self, url: str, account: str) -> Mapping[str, str]:
        """Return the client's environment variables for an account, with the sandbox at `url` as the provider."""
        ...

    def reset(self) -> None:
        """Delete all state, such as tokens, jobs and counters."""
        ...

    def truth(
        self, report: str, day: date, at: datetime | None = None, account: str = ORDINARY
    ) -> list[dict[str, str]]:
        """Return the rows of one day in a correct response to `account` at `at` (None: now), as texts."""
        ...
