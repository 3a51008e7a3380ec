"""Mintegral's Advanced Performance reporting: its endpoints and its truth (MT1 to MT8)."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.damage import damaged
from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.mintegral import question
from reporting_dags.sandbox.mintegral.accounts import ACCOUNTS, Account, holder
from reporting_dags.sandbox.mintegral.answer import HOUR, answer, states
from reporting_dags.sandbox.mintegral.jobs import ACCEPTED, EXPIRED, GENERATING, NOT_READY, UNKNOWN, Generated, Jobs
from reporting_dags.sandbox.mintegral.question import DAILY, HOURLY, Question, RefusedError
from reporting_dags.sandbox.mintegral.settings import MintegralSettings
from reporting_dags.sandbox.owner import ORDINARY, Owner
from reporting_dags.sandbox.table import Table

PATH = "/api/v2/reports/data"
READY, REFUSED = 200, 10000
MESSAGES = {
    READY: "success",
    ACCEPTED: "The request was received successfully, waiting to generate data.",
    GENERATING: "Data is being generated.",
    UNKNOWN: "Did not receive the same condition request, please use type = 1 to generate a request to generate data.",
    NOT_READY: "Data has not yet been generated, please wait for data to be generated.",
    EXPIRED: "The data has expired and is being regenerated.",
}
SHIPPED = {
    "offer_performance": (("Offer", "Campaign", "CampaignPackage", "AdType", "Location"), DAILY),
    "creative_performance": (("Offer", "Creative", "AdType", "Location"), DAILY),
    "offer_performance_hourly": (("Offer", "AdType", "Location"), HOURLY),
}
"""The dimensions and granularity of the shipped reports; all are in UTC."""


class Mintegral:
    """The provider as one sandbox runs it; what it remembers lives as long as the sandbox."""

    name = "mintegral"
    data_point = "mintegral.data"

    def __init__(self, *, seed: int, clock: Clock, settings: Callable[[], MintegralSettings], faults: Faults) -> None:
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self.reset()

    def reset(self) -> None:
        """Forget every job."""
        self._jobs = Jobs(lambda: {fault.number for fault in self._faults.scripted()})

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The download (type=2), and the request for generation (any other type) at the same path."""
        return (
            Endpoint(
                "mintegral.download",
                ("GET",),
                PATH,
                self._download,
                subject=self._subject,
                carries_out=frozenset({"expired", "json_error"}),
                wants=question.is_download,
            ),
            Endpoint(
                "mintegral.generate",
                ("GET",),
                PATH,
                self._generate,
                subject=self._subject,
                carries_out=frozenset({"never", "code", "incomplete"}),
            ),
        )

    @property
    def reports(self) -> Sequence[str]:
        """The shipped reports."""
        return tuple(f"{self.name}/{report}" for report in SHIPPED)

    @property
    def credentials(self) -> Mapping[str, Account]:
        """The accounts by name: ordinary, other (with offers, data and jobs of its own), revoked."""
        return {account.name: account for account in ACCOUNTS}

    def variables(self, url: str, account: str) -> Mapping[str, str]:
        """Return the client's environment variables for `account`, with the sandbox at `url` as the provider."""
        own = self.credentials[account]
        return {
            "MINTEGRAL_BASE_URL": url,
            "MINTEGRAL_ACCESS_KEY": own.access_key,
            "MINTEGRAL_API_KEY": own.api_key,
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
        dimensions, granularity = SHIPPED[report.removeprefix(f"{self.name}/")]
        return self.rows(Question(day, day, dimensions, granularity), at, account).as_dicts()

    def rows(self, asked: Question, at: datetime | None = None, account: str = ORDINARY) -> Table:
        """The honest answer to any question generated at `at` (None: now); what may be asked is not checked."""
        moment = at if at is not None else self._clock.now()
        return answer(asked, owner=Owner.of(self._seed, account), at=moment, settings=self._settings())

    async def _generate(self, call: Call) -> Response:
        """MT1, MT2. A: the account is looked at first, then the parameters."""
        settings = self._settings()
        try:
            _, name, asked = self._admitted(call, settings)
        except RefusedError as refused:
            return self._said(call, REFUSED, str(refused))
        if call.fault is not None and call.fault_is("code"):
            return self._said(call, int(call.fault["code"]), str(call.fault["msg"]))
        if call.fault_is("incomplete"):
            # As of an hour before the last day ends: what is generated later has more.
            short = asked.start(asked.last) + 23 * HOUR
            return self._ready(call, asked, self._jobs.put(name, asked, call.now).fill(min(call.now, short), settings))
        stuck_by = call.fault.number if call.fault is not None and call.fault_is("never") else None
        found = self._jobs.asked(name, asked, now=call.now, settings=settings, stuck_by=stuck_by)
        return self._said(call, found) if isinstance(found, int) else self._ready(call, asked, found)

    async def _download(self, call: Call) -> Response:
        """MT1, MT3, MT6."""
        settings = self._settings()
        try:
            owner, name, asked = self._admitted(call, settings)
        except RefusedError as refused:
            return self._said(call, REFUSED, str(refused))
        if call.fault is not None and call.fault_is("json_error"):
            return self._said(call, int(call.fault["code"]), str(call.fault["msg"]))
        found = self._jobs.fetched(name, now=call.now, settings=settings, expired=call.fault_is("expired"))
        if isinstance(found, int):
            return self._said(call, found)
        call.facts["code"] = str(READY)
        table = answer(asked, owner=owner, at=found.at, settings=found.settings)
        faults = self._faults.damage(self.data_point, _source(asked), asked.first, asked.last)
        return Response(damaged(table, faults), media_type="application/octet-stream")

    def _admitted(self, call: Call, settings: MintegralSettings) -> tuple[Owner, str, Question]:
        """Whose call it is, its job and its question; all are noted."""
        account = holder(call, settings)
        call.facts["account"] = account.name
        asked = question.read(call.query, settings=settings, now=call.now)
        name = hashlib.sha256(f"{account.name}|{asked}".encode()).hexdigest()[:16]
        call.facts.update(job=name, report=_source(asked))
        return Owner.of(self._seed, account.name), name, asked

    def _ready(self, call: Call, asked: Question, data: Generated) -> Response:
        call.facts["code"] = str(READY)
        hours = sum(hours for hours, _ in states(asked, data.at, data.settings))
        information = {"hours": hours, "is_complete": hours == 24 * len(asked.days)}
        return JSONResponse({"code": READY, "msg": MESSAGES[READY], "data": information})

    def _said(self, call: Call, code: int, message: str | None = None) -> Response:
        """MT8: HTTP 200, and the code inside."""
        call.facts["code"] = str(code)
        said = MESSAGES.get(code, "") if message is None else message
        body: dict[str, Any] = {"code": code, "msg": said}
        if not self._settings().data_missing:
            body["data"] = {"detail": said} if code == REFUSED else {}
        return JSONResponse(body)

    def _subject(self, call: Call) -> Subject | None:
        try:
            asked = question.read(call.query, settings=self._settings(), now=call.now)
        except RefusedError:
            # The handler is about to refuse it too.
            return None
        return Subject(_source(asked), asked.first, asked.last)


def _source(asked: Question) -> str:
    """What faults are aimed by: the shipped report of those columns, or else the columns."""
    here = (asked.dimensions, asked.granularity)
    found = next((report for report, shape in SHIPPED.items() if shape == here), None)
    return found if found is not None else f"{','.join(asked.dimensions)} {asked.granularity}"
