"""OrangeClickMedia: the endpoint and the correct data (OC1 to OC7)."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.damage import damage
from reporting_dags.sandbox.data_owner import ORDINARY, DataOwner
from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.orangeclick import accounts, report_request
from reporting_dags.sandbox.orangeclick.accounts import ACCOUNTS, Account, RateLimit
from reporting_dags.sandbox.orangeclick.catalog import METRICS
from reporting_dags.sandbox.orangeclick.document import json_document
from reporting_dags.sandbox.orangeclick.report_request import ReportRequest
from reporting_dags.sandbox.orangeclick.report_table import build_table
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings
from reporting_dags.sandbox.orangeclick.validation import InvalidError
from reporting_dags.sandbox.table import Table

EARNINGS = "orangeclick/earnings"
SOURCE = "earnings"
"""The source for faults: there is only one report."""
SHIPPED_DIMENSIONS = ("day", "domain", "ad_unit", "country", "device", "media_type")
JSON = "application/json"


class OrangeClick:
    """The emulated OrangeClickMedia API of one sandbox."""

    name = "orangeclick"
    data_point = "orangeclick.data"

    def __init__(self, *, seed: int, clock: Clock, settings: Callable[[], OrangeClickSettings], faults: Faults) -> None:
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self.reset()

    def reset(self) -> None:
        """Reset the rate limit."""
        self._rate_limit = RateLimit()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The endpoint of the report."""
        return (
            Endpoint(
                "orangeclick.generate",
                ("POST",),
                "/api/v1/reports/generate",
                self._generate,
                subject=_subject,
                handler_faults=frozenset({"meta"}),
            ),
        )

    @property
    def reports(self) -> Sequence[str]:
        """The keys of the reports that `truth` accepts."""
        return (EARNINGS,)

    @property
    def credentials(self) -> Mapping[str, Account]:
        """The accounts by name: ordinary, other (with its own domains, data and rate limit), revoked."""
        return {account.name: account for account in ACCOUNTS}

    def variables(self, url: str, account: str) -> Mapping[str, str]:
        """Return the client's environment variables for `account`, with the sandbox at `url` as the provider."""
        return {
            "ORANGECLICK_BASE_URL": f"{url}/api/v1",
            "ORANGECLICK_API_TOKEN": self.credentials[account].api_token,
        }

    def truth(
        self, report: str, day: date, at: datetime | None = None, account: str = ORDINARY
    ) -> list[dict[str, str]]:
        """Return the sorted rows of `day` in a correct response for the shipped report at `at` (None: now).

        Raises:
            ValueError: the report does not exist.
        """
        if report not in self.reports:
            raise ValueError(f"unknown report {report!r}; known reports: {', '.join(self.reports)}")
        return self.rows(ReportRequest(SHIPPED_DIMENSIONS, METRICS, "USD", day, day), at, account).as_dicts()

    def rows(self, request: ReportRequest, at: datetime | None = None, account: str = ORDINARY) -> Table:
        """Return the correct table for a request at `at` (None: now), without validation of the request."""
        now = at if at is not None else self._clock.now()
        return build_table(request, owner=DataOwner.of(self._seed, account), at=now, settings=self._settings())

    async def _generate(self, call: Call) -> Response:
        """Return a report (OC1 to OC5). A: the token is checked first, then the rate limit, headers and body."""
        settings = self._settings()
        account = accounts.authenticate(call.headers.get("authorization"), disabled=settings.disabled_api_tokens)
        if account is None:
            return JSONResponse({"message": "Unauthenticated."}, 401)
        call.facts["account"] = account.name
        wait = self._rate_limit.wait_time(account, now=call.now, limit=settings.requests_per_minute)
        if wait is not None:
            return _too_many(call.now, wait, settings)
        response = self._report_response(call, account, settings)
        if response.status_code == 200 or settings.refused_requests_count:
            self._rate_limit.count(account, call.now)
        return response

    def _report_response(self, call: Call, account: Account, settings: OrangeClickSettings) -> Response:
        if JSON not in _media_types(call.headers.get("accept", "")):
            return JSONResponse({"message": "Not Acceptable"}, 406)
        if _media_types(call.headers.get("content-type", "")) != [JSON]:
            return JSONResponse({"message": "Unsupported Media Type"}, 415)
        try:
            request = report_request.parse(_json(call), settings=settings, today=call.now.date())
        except InvalidError as error:
            body = {"status": "error", "message": str(error), "errors": error.errors}
            return JSONResponse(body, 422)
        table = self.rows(request, call.now, account.name)
        damage(table, self._faults.file_faults(self.data_point, SOURCE, request.first, request.last))
        call.facts["rows"] = str(len(table.rows))
        meta: dict[str, Any] = {
            "count": len(table.rows),
            "start_date": request.first.isoformat(),
            "end_date": request.last.isoformat(),
            "currency": request.currency,
        }
        if call.fault is not None and call.fault_is("meta"):
            changes = {key: call.fault[key] for key in meta}
            meta.update({key: value for key, value in changes.items() if value is not None})
        return Response(json_document(table, meta, numbers=settings.numbers), media_type=JSON)


def _too_many(now: datetime, wait: timedelta, settings: OrangeClickSettings) -> Response:
    """Return the 429 response (OC2)."""
    response = JSONResponse({"message": "Too Many Attempts."}, 429)
    seconds = math.ceil(wait.total_seconds())
    match settings.retry_after:
        case "seconds":
            response.headers["Retry-After"] = str(seconds)
        case "date":
            # An HTTP date has no fraction of a second. Round up, so that it is not too early.
            at = (now + wait + timedelta(microseconds=999_999)).replace(microsecond=0)
            response.headers["Retry-After"] = format_datetime(at, usegmt=True)
        case _:
            pass
    return response


def _media_types(header: str) -> list[str]:
    return [name.partition(";")[0].strip().lower() for name in header.split(",")]


def _json(call: Call) -> Any:
    """Return the JSON value of the body; None if it is not JSON."""
    try:
        return json.loads(call.body)
    except ValueError:
        return None


def _subject(call: Call) -> Subject | None:
    given = _json(call)
    try:
        today = call.now.date().isoformat()
        first, last = cast("dict[str, Any]", given).get("selectedDate", [today, today])
        return Subject(SOURCE, date.fromisoformat(first), date.fromisoformat(last))
    except (AttributeError, TypeError, ValueError):
        # An invalid request has no subject. The handler refuses it.
        return None
