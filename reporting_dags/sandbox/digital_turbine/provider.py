"""Digital Turbine: its endpoints and its truth (DT1 to DT8, OW1 to OW7, UL1 to UL5)."""

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
from reporting_dags.sandbox.damage import damaged
from reporting_dags.sandbox.digital_turbine import accounts, question, user_level
from reporting_dags.sandbox.digital_turbine.accounts import ACCOUNTS, Account, Quota, Tokens
from reporting_dags.sandbox.digital_turbine.answer import answer
from reporting_dags.sandbox.digital_turbine.answer import out_at as answer_out_at
from reporting_dags.sandbox.digital_turbine.catalogue import APP, COUNTRY, DATE, DOCUMENTED_METRICS
from reporting_dags.sandbox.digital_turbine.files import BUCKET, File, Files
from reporting_dags.sandbox.digital_turbine.question import Question, RefusedError
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.digital_turbine.user_level import Accepted, apps_of
from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.owner import ORDINARY, Owner
from reporting_dags.sandbox.s3 import Signer
from reporting_dags.sandbox.table import Table

OFFER_WALL = "dt_offer_wall/"
SHIPPED_SPLITS = (DATE, APP, COUNTRY)


class DigitalTurbine:
    """The provider as one sandbox runs it; what it remembers lives as long as the sandbox."""

    name = "dt"
    data_point = "dt.data"

    def __init__(self, *, seed: int, clock: Clock, settings: Callable[[], DtSettings], faults: Faults) -> None:
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self.reset()

    def reset(self) -> None:
        """Forget every token, query and file."""
        secret = hashlib.sha256(f"sandbox {self._seed}".encode()).digest()
        self._tokens = Tokens(secret)
        self._quota = Quota()
        self._files = Files(Signer(secret))
        self._ids = Random(f"{self._seed}|ids")

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The token, the report requests, and the file."""
        return (
            Endpoint("dt.token", ("POST",), "/auth/v1/token", self._token),
            Endpoint(
                "dt.report",
                ("POST",),
                "/api/v1/report/offerwall",
                self._report,
                subject=_subject_of_query,
                carries_out=frozenset({"never", "bad_url"}),
            ),
            Endpoint(
                "dt.user_level",
                ("POST",),
                "/api/v1/report/user-level-data",
                self._user_level,
                subject=lambda call: user_level.subject(_json(call)),
                carries_out=frozenset({"never", "bad_url"}),
            ),
            Endpoint(
                "dt.file",
                ("GET", "HEAD"),
                BUCKET + "/{folder}/{name}",
                self._file,
                subject=self._subject_of_file,
                carries_out=frozenset({"never", "expired"}),
            ),
        )

    @property
    def reports(self) -> Sequence[str]:
        """Both sources of the Offer Wall report, and the User Level report."""
        return (*(f"{OFFER_WALL}{source}" for source in question.SOURCES), user_level.REPORT)

    @property
    def credentials(self) -> Mapping[str, Account]:
        """The accounts by name: ordinary, other (with apps, data and a quota of its own), revoked."""
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
        """The rows of `day` in an honest answer to the shipped report requested at `at` (None: now), sorted.

        Raises:
            ValueError: There is no such report.
        """
        if report not in self.reports:
            raise ValueError(f"no report {report!r}; there are: {', '.join(self.reports)}")
        if report == user_level.REPORT:
            return self.user_level_rows(day, at=at, account=account).as_dicts()
        source = report.removeprefix(OFFER_WALL)
        return self.rows(Question(source, day, day, DOCUMENTED_METRICS, SHIPPED_SPLITS, ()), at, account).as_dicts()

    def rows(self, asked: Question, at: datetime | None = None, account: str = ORDINARY) -> Table:
        """The honest answer to any question requested at `at` (None: now); what may be asked is not checked."""
        moment = at if at is not None else self._clock.now()
        return answer(asked, owner=Owner.of(self._seed, account), at=moment, settings=self._settings())

    def user_level_rows(
        self, day: date, app: str | None = None, at: datetime | None = None, account: str = ORDINARY
    ) -> Table:
        """The honest User Level answer for `app` (None: every enabled one) on `day` requested at `at` (None: now)."""
        settings = self._settings()
        moment = at if at is not None else self._clock.now()
        apps = user_level.enabled(settings, account) if app is None else [app]
        return user_level.answer(day, apps, owner=Owner.of(self._seed, account), at=moment, settings=settings)

    async def _token(self, call: Call) -> Response:
        """DT1, DT2; that a body which is no JSON object lacks its credentials is assumed (A)."""
        settings = self._settings()
        body = _json(call)
        if not isinstance(body, dict):
            return self._error(400, "invalid_request", "The request is no JSON object")
        given = cast("dict[str, Any]", body)
        if given.get("grant_type") != "client_credentials":
            return self._error(400, "unsupported_grant_type", "Incorrect grant type")
        client_id, secret = given.get("client_id"), given.get("client_secret")
        if not isinstance(client_id, str) or not isinstance(secret, str) or not client_id or not secret:
            return self._error(400, "invalid_request", "Missing credentials")
        account = accounts.account(client_id)
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
        """OW1 to OW6."""
        return self._answered(call, "offerwall", self._settings().daily_queries, self._offer_wall)

    async def _user_level(self, call: Call) -> Response:
        """UL1 to UL5."""
        most = self._settings().user_level_daily_queries
        return self._answered(call, user_level.API, most or None, self._user_level_asked)

    def _answered(
        self, call: Call, api: str, most: int | None, accept: Callable[[Call, Owner, DtSettings], Accepted]
    ) -> Response:
        """DT3, DT4. A: the token is looked at first, then the quota, then the query."""
        settings = self._settings()
        account = self._tokens.holder(
            call.headers.get("authorization"), now=call.now, disabled=settings.disabled_client_ids
        )
        if account is None:
            return self._error(401, "invalid_token", "Invalid authentication token")
        call.facts["account"] = account.name
        today = call.now.date()
        if most is not None and self._quota.made(account, api, today) >= most:
            return self._over_quota(call.now, most)
        try:
            subject, make = accept(call, Owner.of(self._seed, account.name), settings)
        except RefusedError as refused:
            if settings.refused_queries_count:
                self._quota.count(account, api, today)
            status = 403 if refused.code == user_level.FORBIDDEN else 400
            return self._error(status, refused.code, refused.description)
        self._quota.count(account, api, today)
        name = str(uuid.UUID(int=self._ids.getrandbits(128), version=4))
        # A: a file that waits for a late day is made when that is out.
        ready = self._ready(call.now, api, subject, settings)
        table = make(name if settings.row_order == "request" else "", ready)
        body = damaged(table, self._faults.damage(self.data_point, subject.source, subject.first, subject.last))
        file = File(name, api, subject, call.now, body, never=call.fault_is("never"), ready=ready)
        url = self._files.put(file, origin=call.origin, host=call.headers.get("host", ""), settings=settings)
        if call.fault is not None and call.fault_is("bad_url"):
            url = call.fault["url"]
        call.facts.update(id=name, url=str(url))
        return JSONResponse({"id": name, "url": url})

    def _ready(self, now: datetime, api: str, subject: Subject, settings: DtSettings) -> datetime:
        if settings.late == "partial":
            return now
        out_at = user_level.out_at if api == user_level.API else answer_out_at
        late = (date.fromisoformat(day) for day in settings.late_days)
        return max([now, *(out_at(day, settings) for day in late if subject.first <= day <= subject.last)])

    def _offer_wall(self, call: Call, owner: Owner, settings: DtSettings) -> Accepted:
        asked = _asked(call, settings)
        subject = Subject(asked.source, asked.first, asked.last)
        return subject, lambda order, at: answer(asked, owner=owner, at=at, settings=settings, order=order)

    def _user_level_asked(self, call: Call, owner: Owner, settings: DtSettings) -> Accepted:
        return user_level.accept(_json(call), _formats(call), owner=owner, at=call.now, settings=settings)

    async def _file(self, call: Call) -> Response:
        """DT4 to DT6."""
        return self._files.get(call, self._settings())

    def _subject_of_file(self, call: Call) -> Subject | None:
        file = self._files.at(call.path)
        return None if file is None else file.subject

    def _over_quota(self, now: datetime, most: int) -> Response:
        settings = self._settings()
        response = self._error(429, settings.quota_error, f"Over {most} queries a day")
        if settings.quota_retry_after:
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            response.headers["Retry-After"] = str(math.ceil((midnight - now).total_seconds()))
        return response

    def _error(self, status: int, code: str, description: str) -> JSONResponse:
        # Only the key `error` is shown in the documents; their descriptions stand in a table beside it.
        described = {"error_description": description} if self._settings().describe_errors else {}
        return JSONResponse({"error": code, **described}, status)


def _asked(call: Call, settings: DtSettings) -> Question:
    formats = _formats(call)
    if formats != ["csv"] and (formats or settings.format_required):
        raise RefusedError("invalid_format", "Invalid file format requested")
    body = _json(call)
    if body is None:
        raise RefusedError("invalid_query", "Invalid value undefined supplied to : Query")
    return question.read(body, settings=settings, today=call.now.date())


def _formats(call: Call) -> list[str]:
    return [value for key, value in call.query if key == "format"]


def _json(call: Call) -> Any:
    """The body's JSON value; None where it is not declared, or is not, JSON."""
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        return json.loads(call.body)
    except ValueError:
        return None


def _subject_of_query(call: Call) -> Subject | None:
    body = _json(call)
    try:
        given = cast("dict[str, Any]", body)
        days = given["dateRange"]
        return Subject(str(given["source"]), date.fromisoformat(days["start"]), date.fromisoformat(days["end"]))
    except (TypeError, KeyError, ValueError):
        # A malformed query is about nothing: the handler is about to refuse it.
        return None
