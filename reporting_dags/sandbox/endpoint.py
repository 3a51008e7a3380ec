"""What a provider hands to the server: its endpoints, each at a named point, and its truth."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from starlette.responses import Response

from reporting_dags.sandbox.faults import Fault
from reporting_dags.sandbox.owner import ORDINARY


@dataclass(frozen=True)
class Subject:
    """What a request is about, as far as faults can be aimed: the report's source and the days it asks for."""

    source: str
    first: date
    last: date


@dataclass
class Call:
    """One request on its way through an endpoint, read in full."""

    method: str
    origin: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    fault: Fault | None = None
    facts: dict[str, str] = field(default_factory=dict[str, str])
    """Notes for the request log, such as the id of the report that an answer carries."""

    def fault_is(self, name: str) -> bool:
        """Whether the fault that strikes this call is `name`: for those that a handler itself carries out."""
        return self.fault is not None and self.fault.do == name


def nothing_known(_call: Call) -> Subject | None:
    """The subject of a call that is about no report in particular."""
    return None


def any_query(_query: Sequence[tuple[str, str]]) -> bool:
    """What an endpoint wants that has its path to itself."""
    return True


@dataclass(frozen=True)
class Endpoint:
    """One path: where it is, how the log and faults call it, and what answers.

    `subject` tells what a call is about, so that faults can be aimed at a source or a day; `carries_out` names the
    faults that the handler itself carries out, beyond those that any answer can suffer. Several endpoints can share a
    path: the first that `wants` the request's query answers.
    """

    point: str
    methods: tuple[str, ...]
    path: str
    handler: Callable[[Call], Awaitable[Response]]
    subject: Callable[[Call], Subject | None] = nothing_known
    carries_out: frozenset[str] = frozenset()
    wants: Callable[[Sequence[tuple[str, str]]], bool] = any_query


class Provider(Protocol):
    """One emulated provider; `name` is its key in the settings and `data_point` where its files can be damaged."""

    name: str
    data_point: str

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Every path that the provider answers."""
        ...

    @property
    def reports(self) -> Sequence[str]:
        """The keys of the reports that `truth` knows."""
        ...

    @property
    def credentials(self) -> Mapping[str, Any]:
        """What a client needs to be let in, by the name of the account."""
        ...

    def variables(self, url: str, account: str) -> Mapping[str, str]:
        """Return the client's environment variables for an account, with the sandbox at `url` as the provider."""
        ...

    def reset(self) -> None:
        """Forget every request that has been made."""
        ...

    def truth(
        self, report: str, day: date, at: datetime | None = None, account: str = ORDINARY
    ) -> list[dict[str, str]]:
        """The rows of one day that an honest answer to `account` at `at` (None: now) would hold, as printed."""
        ...
