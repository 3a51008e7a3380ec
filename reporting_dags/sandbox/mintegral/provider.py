"""Mintegral Advanced Performance: the endpoints and the correct data (MT1 to MT8)."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.damage import damaged_file
from reporting_dags.sandbox.data_owner import ORDINARY, DataOwner
from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.mintegral import report_request
from reporting_dags.sandbox.mintegral.accounts import ACCOUNTS, Account, authenticate
from reporting_dags.sandbox.mintegral.jobs import ACCEPTED, EXPIRED, GENERATING, NOT_READY, UNKNOWN, GeneratedData, Jobs
from reporting_dags.sandbox.mintegral.report_request import DAILY, HOURLY, RefusedError, ReportRequest
from reporting_dags.sandbox.mintegral.report_table import HOUR, build_table, hours_and_versions
from reporting_dags.sandbox.mintegral.settings import MintegralSettings
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
    """The emulated Mintegral API of one sandbox."""

    name = "mintegral"
    data_point = "mintegral.data"

    def __init__(self, *, seed: int, clock: Clock, settings: Callable[[], MintegralSettings], faults: Faults) -> None:
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self.reset()

    def reset(self) -> None:
        """Delete all jobs."""
        self._jobs = Jobs(lambda: {fault.number for fault in self._faults.scripted()})

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The endpoints for the download (type=2) and for the generation (any other type), which share a path."""
        return (
            Endpoint(
                "mintegral.download",
                ("GET",),
                PATH,
                self._download,
                subject=self._subject,
                handler_faults=frozenset({"expired", "json_error"}),
                accepts_query=report_request.is_download,
            ),
            Endpoint(
                "mintegral.generate",
                ("GET",),
                PATH,
                self._generate,
                subject=self._subject,
                handler_faults=frozenset({"never", "code", "incomplete"}),
            ),
        )

    @property
    def reports(self) -> Sequence[str]:
        """The shipped reports."""
        return tuple(f"{self.name}/{report}" for report in SHIPPED)

    @property
    def credentials(self) -> Mapping[str, Account]:
        """The accounts by name: ordinary, other (with its own offers, data and jobs), revoked."""
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
        """Return the sorted rows of `day` in a correct response for the shipped report at `at` (None: now).

        Raises:
            ValueError: the report does not exist.
        """
        if report not in self.reports:
            raise ValueError(f"unknown report {report!r}; known reports: {', '.join(self.reports)}")
        dimensions, granularity = SHIPPED[report.removeprefix(f"{self.name}/")]
        return self.rows(ReportRequest(day, day, dimensions, granularity), at, account).as_dicts()

    def rows(self, request: ReportRequest, at: datetime | None = None, account: str = ORDINARY) -> Table:
        """Return the correct table for a request at `at` (None: now), without validation of the request."""
        now = at if at is not None else self._clock.now()
        return build_table(request, owner=DataOwner.of(self._seed, account), at=now, settings=self._settings())

    async def _generate(self, call: Call) -> Response:
        """Start or poll a job (MT1, MT2). A: the account is checked first, then the parameters."""
        settings = self._settings()
        try:
            _, name, request = self._authorize(call, settings)
        except RefusedError as error:
            return self._code_response(call, REFUSED, str(error))
        if call.fault is not None and call.fault_is("code"):
            return self._code_response(call, int(call.fault["code"]), str(call.fault["msg"]))
        if call.fault_is("incomplete"):
            # Data as of one hour before the end of the last day: data that is generated later has more.
            incomplete = request.start(request.last) + 23 * HOUR
            return self._ready_response(
                call, request, self._jobs.put(name, request, call.now).fill(min(call.now, incomplete), settings)
            )
        stuck_by = call.fault.number if call.fault is not None and call.fault_is("never") else None
        result = self._jobs.generate(name, request, now=call.now, settings=settings, stuck_by=stuck_by)
        if isinstance(result, int):
            return self._code_response(call, result)
        return self._ready_response(call, request, result)

    async def _download(self, call: Call) -> Response:
        """Return the file of a job (MT1, MT3, MT6)."""
        settings = self._settings()
        try:
            owner, name, request = self._authorize(call, settings)
        except RefusedError as error:
            return self._code_response(call, REFUSED, str(error))
        if call.fault is not None and call.fault_is("json_error"):
            return self._code_response(call, int(call.fault["code"]), str(call.fault["msg"]))
        result = self._jobs.download(name, now=call.now, settings=settings, expired=call.fault_is("expired"))
        if isinstance(result, int):
            return self._code_response(call, result)
        call.facts["code"] = str(READY)
        table = build_table(request, owner=owner, at=result.at, settings=result.settings)
        faults = self._faults.file_faults(self.data_point, _source(request), request.first, request.last)
        return Response(damaged_file(table, faults), media_type="application/octet-stream")

    def _authorize(self, call: Call, settings: MintegralSettings) -> tuple[DataOwner, str, ReportRequest]:
        """Return the data owner, the id of the job and the request of a call, and log them."""
        account = authenticate(call, settings)
        call.facts["account"] = account.name
        request = report_request.parse(call.query, settings=settings, now=call.now)
        name = hashlib.sha256(f"{account.name}|{request}".encode()).hexdigest()[:16]
        call.facts.update(job=name, report=_source(request))
        return DataOwner.of(self._seed, account.name), name, request

    def _ready_response(self, call: Call, request: ReportRequest, data: GeneratedData) -> Response:
        call.facts["code"] = str(READY)
        hours = sum(hours for hours, _ in hours_and_versions(request, data.at, data.settings))
        progress = {"hours": hours, "is_complete": hours == 24 * len(request.days)}
        return JSONResponse({"code": READY, "msg": MESSAGES[READY], "data": progress})

    def _code_response(self, call: Call, code: int, message: str | None = None) -> Response:
        """Return a response with `code`: HTTP 200, and the code in the body (MT8)."""
        call.facts["code"] = str(code)
        text = MESSAGES.get(code, "") if message is None else message
        body: dict[str, Any] = {"code": code, "msg": text}
        if not self._settings().data_missing:
            body["data"] = {"detail": text} if code == REFUSED else {}
        return JSONResponse(body)

    def _subject(self, call: Call) -> Subject | None:
        try:
            request = report_request.parse(call.query, settings=self._settings(), now=call.now)
        except RefusedError:
            # The handler refuses it too.
            return None
        return Subject(_source(request), request.first, request.last)


def _source(request: ReportRequest) -> str:
    """Return the source for faults: the name of the shipped report with these columns, else the columns."""
    columns = (request.dimensions, request.granularity)
    shipped = next((report for report, shape in SHIPPED.items() if shape == columns), None)
    return shipped if shipped is not None else f"{','.join(request.dimensions)} {request.granularity}"
