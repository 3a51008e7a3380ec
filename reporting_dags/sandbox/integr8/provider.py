"""Integr8: the endpoints of report tables, exports and entity lists, and the correct data (IN1 to IN11)."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from starlette.responses import Response

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.data_owner import ORDINARY, DataOwner
from reporting_dags.sandbox.endpoint import Call, Endpoint
from reporting_dags.sandbox.faults import Fault, Faults
from reporting_dags.sandbox.integr8.accounts import ACCOUNTS, AccessControl, Account
from reporting_dags.sandbox.integr8.entities import KINDS
from reporting_dags.sandbox.integr8.exports import Exports
from reporting_dags.sandbox.integr8.lists import Lists
from reporting_dags.sandbox.integr8.logs import LOGS, rows
from reporting_dags.sandbox.integr8.parameters import RefusedError, TimeRange
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.tables import Tables
from reporting_dags.sandbox.integr8.values import cell_text
from reporting_dags.sandbox.table import Table

REPORT = "integr8/"


class Integr8:
    """The emulated Integr8 API of one sandbox."""

    name = "integr8"
    data_point = "integr8.data"

    def __init__(self, *, seed: int, clock: Clock, settings: Callable[[], Integr8Settings], faults: Faults) -> None:
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self._tables = Tables(seed=seed, settings=settings, file_faults=self._file_faults)
        self._lists = Lists(seed=seed, settings=settings, file_faults=self._file_faults)
        secret = hashlib.sha256(f"sandbox integr8 {seed}".encode()).digest()
        self._access = AccessControl()
        self._exports = Exports(
            seed=seed, settings=settings, file_faults=self._file_faults, access=self._access, secret=secret
        )

    def reset(self) -> None:
        """Delete all exports and counters."""
        self._access.reset()
        self._exports.reset()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The endpoints of the lists, the report tables and the Download Center."""
        authorized = self._authorized
        return [
            *self._lists.endpoints(authorized),
            *self._tables.endpoints(authorized),
            *self._exports.endpoints(authorized),
        ]

    @property
    def reports(self) -> Sequence[str]:
        """The keys of the logs and the lists."""
        return tuple(f"{REPORT}{one.name}" for one in (*LOGS, *KINDS))

    @property
    def credentials(self) -> Mapping[str, Account]:
        """The accounts by name: ordinary, other (of another organization), revoked, limited (without permissions)."""
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
        """Return the sorted rows of a UTC day in a correct response at `at` (None: now).

        A list has no days: all of its objects are returned.

        Raises:
            ValueError: the report does not exist.
        """
        now, settings = at if at is not None else self._clock.now(), self._settings()
        name = report.removeprefix(REPORT)
        for kind in KINDS:
            if report in self.reports and name == kind.name:
                objects = kind.objects(DataOwner.of(self._seed, account).seed, now, null_texts=settings.null_texts)
                lines = [[cell_text(one[field]) for field in kind.fields] for one in objects]
                return Table(list(kind.fields), lines).as_dicts()
        for log in LOGS:
            if report in self.reports and name == log.name:
                start = datetime.combine(day, time(), UTC)
                span = TimeRange(start, start + timedelta(days=1), "", "")
                log_rows = rows(self._seed, self.credentials[account], log, span, at=now, settings=settings)
                lines = [[cell_text(values[field]) for field in log.fields] for _, values in log_rows]
                return Table(list(log.fields), lines).as_dicts()
        raise ValueError(f"unknown report {report!r}; known reports: {', '.join(self.reports)}")

    def _authorized(self, handler: Callable[[Call, Account], Response]) -> Callable[[Call], Awaitable[Response]]:
        """Return a handler that checks the API key and the rate limit, and turns errors into responses."""

        async def respond(call: Call) -> Response:
            settings = self._settings()
            try:
                return handler(call, self._access.authorize(call, settings))
            except RefusedError as error:
                return error.response(settings)

        return respond

    def _file_faults(self, source: str, first: date, last: date) -> list[Fault]:
        return self._faults.file_faults(self.data_point, source, first, last)
