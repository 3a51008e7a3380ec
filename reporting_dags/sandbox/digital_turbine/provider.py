"""Digital Turbine: the endpoints and the correct data (DT1 to DT8, OW1 to OW7, UL1 to UL5)."""

import hashlib
import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, cast

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.damage import damaged_file
from reporting_dags.sandbox.data_owner import ORDINARY, DataOwner
from reporting_dags.sandbox.digital_turbine import accounts, report_request, user_level
from reporting_dags.sandbox.digital_turbine.accounts import ACCOUNTS, Account, Quota, Tokens
from reporting_dags.sandbox.digital_turbine.catalog import APP, COUNTRY, DATE, DOCUMENTED_METRICS
from reporting_dags.sandbox.digital_turbine.files import BUCKET, File, Files
from reporting_dags.sandbox.digital_turbine.report_request import RefusedError, ReportRequest
from reporting_dags.sandbox.digital_turbine.report_table import build_table
from reporting_dags.sandbox.digital_turbine.report_table import published_at as offer_wall_published_at
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.digital_turbine.user_level import AcceptedRequest, apps_of
from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.s3 import Signer
from reporting_dags.sandbox.table import Table

OFFER_WALL = "dt_offer_wall/"
SHIPPED_SPLITS = (DATE, APP, COUNTRY)


class DigitalTurbine:
    """The emulated Digital Turbine API of one sandbox."""

    name = "dt"
    data_point = "dt.data"

    def __init__(self, *, seed: int, clock: Clock, settings: Callable[[], DtSettings], faults: Faults) -> None:
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self.reset()

    def reset(self) -> None:
        """Delete all tokens, files and quota counters."""
        secret = hashlib.sha256(f"sandbox {self._seed}".encode()).digest()
        self._tokens = Tokens(secret)
        self._quota = Quota()
        self._files = Files(Signer(secret))
        self._ids = Random(f"{self._seed}|ids")

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The endpoints for tokens, report requests and files."""
        return (
            Endpoint("dt.token", ("POST",), "/auth/v1/token", self._token),
            Endpoint(
                "dt.report",
                ("POST",),
                "/api/v1/report/offerwall",
                self._report,
                subject=_subject_of_request,
                handler_faults=frozenset({"never", "bad_url"}),
            ),
            Endpoint(
                "dt.user_level",
                ("POST",),
                "/api/v1/report/user-level-data",
                self._user_level,
                subject=lambda call: user_level.subject(_json(call)),
                handler_faults=frozenset({"never", "bad_url"}),
            ),
            Endpoint(
                "dt.file",
                ("GET", "HEAD"),
                BUCKET + "/{folder}/{name}",
                self._file,
                subject=self._subject_of_file,
                handler_faults=frozenset({"never", "expired"}),
            ),
        )

    @property
    def reports(self) -> Sequence[str]:
        """The reports: both sources of the Offer Wall report, and the User Level report."""
        return (*(f"{OFFER_WALL}{source}" for source in report_request.SOURCES), user_level.REPORT)

    @property
    def credentials(self) -> Mapping[str, Account]:
        """The accounts by name: ordinary, other (with its own apps, data and quota), revoked."""
        return {account.name: account for account in ACCOUNTS}

    def variables(self, url: str, account: str) -> Mapping[str, str]:
        """Return the client's environment variables for `account`, with the sandbox at `url` as the provider."""
        own = self.credentials[account]
        return {
            "DT_BASE_URL": url,
            "DT_CLIENT_ID": own.client_id,
            "DT_CLIENT_SECRET": own.client_secret,
            "DT_USER_LEVEL_APP_IDS": ",".join(apps_of(account)),
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
        if report == user_level.REPORT:
            return self.user_level_rows(day, at=at, account=account).as_dicts()
        source = report.removeprefix(OFFER_WALL)
        return self.rows(
            ReportRequest(source, day, day, DOCUMENTED_METRICS, SHIPPED_SPLITS, ()), at, account
        ).as_dicts()

    def rows(self, request: ReportRequest, at: datetime | None = None, account: str = ORDINARY) -> Table:
        """Return the correct table for a request at `at` (None: now), without validation of the request."""
        now = at if at is not None else self._clock.now()
        return build_table(request, owner=DataOwner.of(self._seed, account), at=now, settings=self._settings())

    def user_level_rows(
        self, day: date, app: str | None = None, at: datetime | None = None, account: str = ORDINARY
    ) -> Table:
        """Return the correct User Level table for `app` (None: all enabled apps) on `day` at `at` (None: now)."""
        settings = self._settings()
        now = at if at is not None else self._clock.now()
        apps = user_level.enabled_apps(settings, account) if app is None else [app]
        return user_level.build_table(day, apps, owner=DataOwner.of(self._seed, account), at=now, settings=settings)

    async def _token(self, call: Call) -> Response:
        """Issue a token (DT1, DT2). A: a body that is not a JSON object is an invalid request."""
        settings = self._settings()
        body = _json(call)
        if not isinstance(body, dict):
            return self._error(400, "invalid_request", "The request is not a JSON object")
        given = cast("dict[str, Any]", body)
        if given.get("grant_type") != "client_credentials":
            return self._error(400, "unsupported_grant_type", "Incorrect grant type")
        client_id, secret = given.get("client_id"), given.get("client_secret")
        if not isinstance(client_id, str) or not isinstance(secret, str) or not client_id or not secret:
            return self._error(400, "invalid_request", "Missing credentials")
        account = accounts.find_account(client_id)
        if account is None or account.client_secret != secret or account.revoked:
            return self._error(400, "invalid_client", "Credentials are not recognized")
        if client_id in settings.disabled_client_ids:
            return self._error(400, "invalid_client", "The account is disabled")
        token = self._tokens.issue(account, now=call.now, seconds=settings.token_seconds)
        return JSONResponse(
            {"accessToken": token.text, "tokenType": "bearer", "expiresIn": settings.token_seconds},
            headers={"Cache-Control": "no-store"},
        )

    async def _report(self, call: Call) -> Response:
        """Accept an Offer Wall request (OW1 to OW6)."""
        return self._accept_request(call, "offerwall", self._settings().daily_queries, self._accept_offer_wall)

    async def _user_level(self, call: Call) -> Response:
        """Accept a User Level request (UL1 to UL5)."""
        limit = self._settings().user_level_daily_queries
        return self._accept_request(call, user_level.API, limit or None, self._accept_user_level)

    def _accept_request(
        self, call: Call, api: str, limit: int | None, accept: Callable[[Call, DataOwner, DtSettings], AcceptedRequest]
    ) -> Response:
        """Check a request and make its file (DT3, DT4). A: the token is checked first, then the quota and the body."""
        settings = self._settings()
        account = self._tokens.authenticate(
            call.headers.get("authorization"), now=call.now, disabled=settings.disabled_client_ids
        )
        if account is None:
            return self._error(401, "invalid_token", "Invalid authentication token")
        call.facts["account"] = account.name
        today = call.now.date()
        if limit is not None and self._quota.used(account, api, today) >= limit:
            return self._over_quota(call.now, limit)
        try:
            subject, build = accept(call, DataOwner.of(self._seed, account.name), settings)
        except RefusedError as error:
            if settings.refused_queries_count:
                self._quota.count(account, api, today)
            status = 403 if error.code == user_level.FORBIDDEN else 400
            return self._error(status, error.code, error.description)
        self._quota.count(account, api, today)
        name = str(uuid.UUID(int=self._ids.getrandbits(128), version=4))
        # A: a file with a late day is made when the day is published.
        ready = self._ready(call.now, api, subject, settings)
        table = build(name if settings.row_order == "request" else "", ready)
        body = damaged_file(
            table, self._faults.file_faults(self.data_point, subject.source, subject.first, subject.last)
        )
        file = File(name, api, subject, call.now, body, never=call.fault_is("never"), ready=ready)
        url = self._files.put(file, origin=call.origin, host=call.headers.get("host", ""), settings=settings)
        if call.fault is not None and call.fault_is("bad_url"):
            url = call.fault["url"]
        call.facts.update(id=name, url=str(url))
        return JSONResponse({"id": name, "url": url})

    def _ready(self, now: datetime, api: str, subject: Subject, settings: DtSettings) -> datetime:
        if settings.late == "partial":
            return now
        published_at = user_level.published_at if api == user_level.API else offer_wall_published_at
        late = (date.fromisoformat(day) for day in settings.late_days)
        return max([now, *(published_at(day, settings) for day in late if subject.first <= day <= subject.last)])

    def _accept_offer_wall(self, call: Call, owner: DataOwner, settings: DtSettings) -> AcceptedRequest:
        request = _parse_request(call, settings)
        subject = Subject(request.source, request.first, request.last)
        return subject, lambda order_seed, at: build_table(
            request, owner=owner, at=at, settings=settings, order_seed=order_seed
        )

    def _accept_user_level(self, call: Call, owner: DataOwner, settings: DtSettings) -> AcceptedRequest:
        return user_level.accept_request(_json(call), _formats(call), owner=owner, at=call.now, settings=settings)

    async def _file(self, call: Call) -> Response:
        """Return a report file (DT4 to DT6)."""
        return self._files.get(call, self._settings())

    def _subject_of_file(self, call: Call) -> Subject | None:
        file = self._files.find(call.path)
        return None if file is None else file.subject

    def _over_quota(self, now: datetime, limit: int) -> Response:
        settings = self._settings()
        response = self._error(429, settings.quota_error, f"Over {limit} queries a day")
        if settings.quota_retry_after:
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            response.headers["Retry-After"] = str(math.ceil((midnight - now).total_seconds()))
        return response

    def _error(self, status: int, code: str, description: str) -> JSONResponse:
        # The documentation shows only the key `error`, and lists the descriptions in a table.
        details = {"error_description": description} if self._settings().describe_errors else {}
        return JSONResponse({"error": code, **details}, status)


def _parse_request(call: Call, settings: DtSettings) -> ReportRequest:
    formats = _formats(call)
    if formats != ["csv"] and (formats or settings.format_required):
        raise RefusedError("invalid_format", "Invalid file format requested")
    body = _json(call)
    if body is None:
        raise RefusedError("invalid_query", "Invalid value undefined supplied to : Query")
    return report_request.parse(body, settings=settings, today=call.now.date())


def _formats(call: Call) -> list[str]:
    return [value for key, value in call.query if key == "format"]


def _json(call: Call) -> Any:
    """Return the JSON value of the body; None if its content type or its text is not JSON."""
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        return json.loads(call.body)
    except ValueError:
        return None


def _subject_of_request(call: Call) -> Subject | None:
    body = _json(call)
    try:
        given = cast("dict[str, Any]", body)
        days = given["dateRange"]
        return Subject(str(given["source"]), date.fromisoformat(days["start"]), date.fromisoformat(days["end"]))
    except (TypeError, KeyError, ValueError):
        # An invalid request has no subject. The handler refuses it.
        return None
