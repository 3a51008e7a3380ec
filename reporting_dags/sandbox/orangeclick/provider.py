"""OrangeClickMedia's reporting API: its endpoint and its truth (OC1 to OC7)."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.damage import damage
from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.orangeclick import accounts, question
from reporting_dags.sandbox.orangeclick.accounts import ACCOUNTS, Account, Pace
from reporting_dags.sandbox.orangeclick.answer import answer
from reporting_dags.sandbox.orangeclick.catalogue import METRICS
from reporting_dags.sandbox.orangeclick.document import document
from reporting_dags.sandbox.orangeclick.question import Question
from reporting_dags.sandbox.orangeclick.refusal import InvalidError
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings
from reporting_dags.sandbox.owner import ORDINARY, Owner
from reporting_dags.sandbox.table import Table

EARNINGS = "orangeclick/earnings"
SOURCE = "earnings"
"""What faults are aimed at: there is one report."""
SHIPPED_DIMENSIONS = ("day", "domain", "ad_unit", "country", "device", "media_type")
JSON = "application/json"


class OrangeClick:
    """The provider as one sandbox runs it; what it remembers lives as long as the sandbox."""

    name = "orangeclick"
    data_point = "orangeclick.data"

    def __init__(self, *, seed: int, clock: Clock, settings: Callable[[], OrangeClickSettings], faults: Faults) -> None:
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self.reset()

    def reset(self) -> None:
        """Forget every request that has been made."""
        self._pace = Pace()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The report."""
        return (
            Endpoint(
                "orangeclick.generate",
                ("POST",),
                "/api/v1/reports/generate",
                self._generate,
                subject=_subject,
                carries_out=frozenset({"meta"}),
            ),
        )

    @property
    def reports(self) -> Sequence[str]:
        """The keys of the reports that `truth` knows."""
        return (EARNINGS,)

    @property
    def credentials(self) -> Mapping[str, Account]:
        """The accounts by name: ordinary, other (with domains, data and a pace of its own), revoked."""
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
        """The rows of `day` in an honest answer to the shipped report requested at `at` (None: now), sorted.

        Raises:
            ValueError: There is no such report.
        """
        if report not in self.reports:
            raise ValueError(f"no report {report!r}; there are: {', '.join(self.reports)}")
        return self.rows(Question(SHIPPED_DIMENSIONS, METRICS, "USD", day, day), at, account).as_dicts()

    def rows(self, asked: Question, at: datetime | None = None, account: str = ORDINARY) -> Table:
        """The honest answer to any question requested at `at` (None: now); what may be asked is not checked."""
        moment = at if at is not None else self._clock.now()
        return answer(asked, owner=Owner.of(self._seed, account), at=moment, settings=self._settings())

    async def _generate(self, call: Call) -> Response:
        """OC1 to OC5. A: the token is looked at first, then the pace, then the headers, then the body."""
        settings = self._settings()
        account = accounts.holder(call.headers.get("authorization"), disabled=settings.disabled_api_tokens)
        if account is None:
            return JSONResponse({"message": "Unauthenticated."}, 401)
        call.facts["account"] = account.name
        wait = self._pace.wait(account, now=call.now, most=settings.requests_per_minute)
        if wait is not None:
            return _too_many(call.now, wait, settings)
        response = self._answered(call, account, settings)
        if response.status_code == 200 or settings.refused_requests_count:
            self._pace.count(account, call.now)
        return response

    def _answered(self, call: Call, account: Account, settings: OrangeClickSettings) -> Response:
        if JSON not in _media_types(call.headers.get("accept", "")):
            return JSONResponse({"message": "Not Acceptable"}, 406)
        if _media_types(call.headers.get("content-type", "")) != [JSON]:
            return JSONResponse({"message": "Unsupported Media Type"}, 415)
        try:
            asked = question.read(_json(call), settings=settings, today=call.now.date())
        except InvalidError as refused:
            body = {"status": "error", "message": str(refused), "errors": refused.errors}
            return JSONResponse(body, 422)
        table = self.rows(asked, call.now, account.name)
        damage(table, self._faults.damage(self.data_point, SOURCE, asked.first, asked.last))
        call.facts["rows"] = str(len(table.rows))
        meta: dict[str, Any] = {
            "count": len(table.rows),
            "start_date": asked.first.isoformat(),
            "end_date": asked.last.isoformat(),
            "currency": asked.currency,
        }
        if call.fault is not None and call.fault_is("meta"):
            said = {key: call.fault[key] for key in meta}
            meta.update({key: value for key, value in said.items() if value is not None})
        return Response(document(table, meta, numbers=settings.numbers), media_type=JSON)


def _too_many(now: datetime, wait: timedelta, settings: OrangeClickSettings) -> Response:
    """OC2."""
    response = JSONResponse({"message": "Too Many Attempts."}, 429)
    seconds = math.ceil(wait.total_seconds())
    match settings.retry_after:
        case "seconds":
            response.headers["Retry-After"] = str(seconds)
        case "date":
            # An HTTP date has whole seconds: rounded up, as it must not be too early.
            at = (now + wait + timedelta(microseconds=999_999)).replace(microsecond=0)
            response.headers["Retry-After"] = format_datetime(at, usegmt=True)
        case _:
            pass
    return response


def _media_types(header: str) -> list[str]:
    return [one.partition(";")[0].strip().lower() for one in header.split(",")]


def _json(call: Call) -> Any:
    """The body's JSON value; None where it is not JSON."""
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
        # A malformed request is about nothing: the handler is about to refuse it.
        return None
