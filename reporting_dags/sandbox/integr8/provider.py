"""Integr8's report tables, exports and entity lists: its endpoints and its truth (IN1 to IN11)."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from starlette.responses import Response

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.endpoint import Call, Endpoint
from reporting_dags.sandbox.faults import Fault, Faults
from reporting_dags.sandbox.integr8.accounts import ACCOUNTS, Account, Gate
from reporting_dags.sandbox.integr8.answer import LOGS, rows
from reporting_dags.sandbox.integr8.asked import RefusedError, Span
from reporting_dags.sandbox.integr8.entities import KINDS
from reporting_dags.sandbox.integr8.exports import Exports
from reporting_dags.sandbox.integr8.lists import Lists
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.tables import Tables
from reporting_dags.sandbox.integr8.values import printed
from reporting_dags.sandbox.owner import ORDINARY, Owner
from reporting_dags.sandbox.table import Table

REPORT = "integr8/"


class Integr8:
    """The provider as one sandbox runs it; what it remembers lives as long as the sandbox."""

    name = "integr8"
    data_point = "integr8.data"

    def __init__(self, *, seed: int, clock: Clock, settings: Callable[[], Integr8Settings], faults: Faults) -> None:
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self._tables = Tables(seed=seed, settings=settings, struck=self._struck)
        self._lists = Lists(seed=seed, settings=settings, struck=self._struck)
        secret = hashlib.sha256(f"sandbox integr8 {seed}".encode()).digest()
        self._gate = Gate()
        self._exports = Exports(seed=seed, settings=settings, struck=self._struck, gate=self._gate, secret=secret)

    def reset(self) -> None:
        """Forget every request and export."""
        self._gate.reset()
        self._exports.reset()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The lists, the report tables, and the Download Center."""
        guarded = self._guarded
        return [*self._lists.endpoints(guarded), *self._tables.endpoints(guarded), *self._exports.endpoints(guarded)]

    @property
    def reports(self) -> Sequence[str]:
        """The logs and the lists."""
        return tuple(f"{REPORT}{one.name}" for one in (*LOGS, *KINDS))

    @property
    def credentials(self) -> Mapping[str, Account]:
        """The accounts by name: ordinary, other (of another organization), revoked, limited (permitted nothing)."""
        return {account.name: account for account in ACCOUNTS}

    def variables(self, url: str, account: str) -> Mapping[str, str]:
        """Return the client's environment variables for `account`, with the sandbox at `url` as the provider."""
        own = self.credentials[account]
        return {
            "INTEGR8_BASE_URL": f"{url}/api/v2",
            "INTEGR8_API_KEY": own.api_key,
            "INTEGR8_INTEGRATION_ID": own.integration_id,
        }

    def truth(
        self, report: str, day: date, at: datetime | None = None, account: str = ORDINARY
    ) -> list[dict[str, str]]:
        """The rows of a UTC day that an honest answer requested at `at` (None: now) holds, sorted.

        A list has no days: it is the whole of it, whatever the day.

        Raises:
            ValueError: There is no such report.
        """
        moment, settings = at if at is not None else self._clock.now(), self._settings()
        name = report.removeprefix(REPORT)
        for kind in KINDS:
            if report in self.reports and name == kind.name:
                objects = kind.objects(Owner.of(self._seed, account).seed, moment, null_texts=settings.null_texts)
                lines = [[printed(one[field]) for field in kind.fields] for one in objects]
                return Table(list(kind.fields), lines).as_dicts()
        for log in LOGS:
            if report in self.reports and name == log.name:
                start = datetime.combine(day, time(), UTC)
                span = Span(start, start + timedelta(days=1), "", "")
                found = rows(self._seed, self.credentials[account], log, span, at=moment, settings=settings)
                lines = [[printed(values[field]) for field in log.fields] for _, values in found]
                return Table(list(log.fields), lines).as_dicts()
        raise ValueError(f"no report {report!r}; there are: {', '.join(self.reports)}")

    def _guarded(self, handler: Callable[[Call, Account], Response]) -> Callable[[Call], Awaitable[Response]]:
        """A handler behind the key and the limit of requests, whose refusals become answers."""

        async def answer(call: Call) -> Response:
            settings = self._settings()
            try:
                return handler(call, self._gate.admitted(call, settings))
            except RefusedError as refused:
                return refused.answer(settings)

        return answer

    def _struck(self, source: str, first: date, last: date) -> list[Fault]:
        return self._faults.damage(self.data_point, source, first, last)
