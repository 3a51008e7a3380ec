"""The Download Center: exports ordered, watched, and downloaded behind signed URLs (IN4 to IN8)."""

import hashlib
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox import s3
from reporting_dags.sandbox.damage import damage
from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.integr8 import asked, order
from reporting_dags.sandbox.integr8.accounts import Account, Gate
from reporting_dags.sandbox.integr8.answer import ENTITY, LOGS, rows
from reporting_dags.sandbox.integr8.asked import RefusedError
from reporting_dags.sandbox.integr8.job import BUCKET, IN_PROGRESS, PENDING, Job, table
from reporting_dags.sandbox.integr8.lists import PAGE, arranged, page, passes
from reporting_dags.sandbox.integr8.order import Order
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.tables import Guard, Struck
from reporting_dags.sandbox.integr8.values import Value

CENTER = "/api/v2/download-center/"
STATUSES = ("UNKNOWN", PENDING, IN_PROGRESS, "ERROR", "CANCELED")
"""IN6 D; the settings say what a completed one is called."""
SORTABLE = ("created_at", "id", "status", "type", "updated_at")
_OPTION = "reports_query_option"

FILTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "filter[status]": ("eq", ("status",)),
    "filter[type]": ("eq", ("type",)),
    f"filter[{_OPTION}.start_date]": ("eq", (_OPTION, "start_date")),
    f"filter[{_OPTION}.end_date]": ("eq", (_OPTION, "end_date")),
    **{
        f"filter[{_OPTION}.filters.{name}.equalvalues]": ("eq", (_OPTION, "filters", name, "equal_values"))
        for name in ("offer_id", "publisher", "advertiser", "integration_id")
    },
    **{
        f"filter[results_meta.{name}][{operator}]": (operator, ("results_meta", name))
        for name in ("total", "duration_seconds")
        for operator in ("gte", "lte")
    },
}
"""What the list of exports can be filtered by: how, and where that is in an export."""


class Exports:
    """The Download Center of one sandbox."""

    def __init__(
        self, *, seed: int, settings: Callable[[], Integr8Settings], struck: Struck, gate: Gate, secret: bytes
    ) -> None:
        self._seed = seed
        self._settings = settings
        self._struck = struck
        self._gate = gate
        self._signer = s3.Signer(secret)
        self._jobs: dict[str, Job] = {}
        self.reset()

    def reset(self) -> None:
        """Forget every export."""
        self._ids = Random(f"{self._seed}|exports")
        self._jobs.clear()

    def create(self, call: Call, account: Account) -> Response:
        """IN4, IN5, IN8. A: what is wrong in an order is told before what is wrong with the day's quota."""
        settings = self._settings()
        if call.path.split("/")[-3] != account.integration_id:
            raise RefusedError(404, "The requested integration doesn't exist.")
        placed = order.read(call, settings)
        self._gate.check_exports(account, call.now.date(), settings)
        self._gate.count_export(account, call.now.date())
        job = self._job(call, placed, account, settings)
        self._jobs[job.id] = job
        call.facts["id"] = job.id
        return JSONResponse(job.told(PENDING, origin=call.origin, settings=settings))

    def _job(self, call: Call, placed: Order, account: Account, settings: Integr8Settings) -> Job:
        found = rows(self._seed, account, placed.log, placed.span, at=call.now, settings=settings)
        limit = settings.rows_limit
        if call.fault is not None and call.fault_is("truncate"):
            limit = min(limit, call.fault["rows"])
        made = table(
            placed,
            found[:limit],
            ENTITY,
            left_out=() if settings.unknown_fields_shown else settings.unknown_fields,
            local=settings.export_times == "local",
        )
        damage(made, self._struck(placed.log.name, *placed.span.days))
        total = len(made.rows)
        if call.fault is not None and call.fault_is("total"):
            total = call.fault["total"]
        return Job(
            id=f"{self._ids.getrandbits(96):024x}",
            order=placed,
            account=account,
            ordered=call.now,
            body=made.as_text(),
            total=total,
            truncated=len(found) > limit or call.fault_is("truncate"),
            never=call.fault_is("never"),
        )

    def listed(self, call: Call, account: Account) -> Response:
        """IN5. A: newest first; to be listed does not count as a question for an export's status."""
        settings = self._settings()
        given = asked.named(call.query, {*PAGE, *FILTERS, "sort"}, settings)
        if given.get("filter[status]", PENDING) not in {*STATUSES, settings.completed_status}:
            raise RefusedError(400, "filter[status] is unknown")
        if given.get("filter[type]", "click_logs") not in {log.export_type for log in LOGS}:
            raise RefusedError(400, "filter[type] is unknown")
        found = [
            job.told(job.status(call.now, settings), origin=call.origin, settings=settings)
            for job in reversed(self._jobs.values())
            if job.is_seen_by(account)
        ]
        for name, (operator, where) in FILTERS.items():
            if name in given:
                found = [one for one in found if _passes(one, where, operator, given[name])]
        data, meta = page(arranged(found, given.get("sort"), SORTABLE), given, settings)
        return JSONResponse({"data": data, "meta": meta})

    def status(self, call: Call, account: Account) -> Response:
        """IN5 to IN7."""
        settings = self._settings()
        asked.named(call.query, (), settings)
        job = self._jobs.get(call.path.rpartition("/")[2])
        if job is None or not job.is_seen_by(account):
            raise RefusedError(404, "The requested export doesn't exist.")
        status, error = job.status(call.now, settings), ""
        job.polls += 1
        if call.fault_is("never") or status == PENDING:
            status = IN_PROGRESS
        if call.fault is not None and call.fault_is("state"):
            status, error = call.fault["status"], call.fault["error"]
        call.facts.update(id=job.id, state=status)
        told = job.told(status, origin=call.origin, settings=settings, error=error)
        return JSONResponse({"data": told} if settings.wrap_export else told)

    def signed_url(self, call: Call, account: Account) -> Response:
        """IN5, IN8: a new URL each time it is asked for."""
        settings = self._settings()
        name = asked.required(asked.named(call.query, {"artifact_name"}, settings), "artifact_name")
        job = self._named(name)
        if job is None or not job.is_seen_by(account) or not job.has_file(call.now, settings):
            raise RefusedError(404, "The requested file doesn't exist.")
        host, seconds = call.headers.get("host", ""), settings.signed_url_seconds
        query = self._signer.sign(style="amz", host=host, path=job.path, now=call.now, seconds=seconds)
        url = f"{call.origin}{quote(job.path)}?{query}"
        if call.fault is not None and call.fault_is("bad_url"):
            url = str(call.fault["url"])
        call.facts.update(id=job.id, url=url)
        return JSONResponse({"url": url})

    async def file(self, call: Call) -> Response:
        """What S3 answers; no API key is asked for, and none of the API's limits applies."""
        if call.fault_is("expired"):
            return s3.expired(call.now, call.now)
        refusal = self._signer.refusal(
            method=call.method,
            host=call.headers.get("host", ""),
            path=call.path,
            query=call.query,
            authorization=call.headers.get("authorization"),
            now=call.now,
        )
        if refusal is not None:
            return refusal
        job = self._named(call.path.rpartition("/")[2])
        if job is None or not job.has_file(call.now, self._settings()):
            return s3.missing(call.path)
        call.facts["id"] = job.id
        etag = hashlib.md5(job.body, usedforsecurity=False).hexdigest()
        return Response(job.body, media_type="text/csv", headers={"ETag": f'"{etag}"'})

    def endpoints(self, guarded: Guard) -> list[Endpoint]:
        """Orders, exports, URLs and files."""
        get = ("GET",)
        return [
            Endpoint(
                "integr8.export",
                ("POST",),
                "/api/v2/integrations/{integration}/download-center/{log}",
                guarded(self.create),
                subject=self._subject_of_order,
                carries_out=frozenset({"never", "truncate", "total"}),
            ),
            Endpoint("integr8.exports", get, CENTER + "exports", guarded(self.listed)),
            Endpoint(
                "integr8.status",
                get,
                CENTER + "exports/{export}",
                guarded(self.status),
                subject=lambda call: _subject(self._jobs.get(call.path.rpartition("/")[2])),
                carries_out=frozenset({"never", "state"}),
            ),
            Endpoint(
                "integr8.signed_url",
                get,
                CENTER + "signed-url",
                guarded(self.signed_url),
                subject=lambda call: _subject(self._named(dict(call.query).get("artifact_name", ""))),
                carries_out=frozenset({"bad_url"}),
            ),
            Endpoint(
                "integr8.file",
                ("GET", "HEAD"),
                BUCKET + "/{folder}/{name}",
                self.file,
                subject=lambda call: _subject(self._named(call.path.rpartition("/")[2])),
                carries_out=frozenset({"expired"}),
            ),
        ]

    def _named(self, artifact: str) -> Job | None:
        return next((job for job in self._jobs.values() if job.name == artifact), None)

    def _subject_of_order(self, call: Call) -> Subject | None:
        try:
            placed = order.read(call, self._settings())
        except RefusedError:
            return None
        return Subject(placed.log.name, *placed.span.days)


def _subject(job: Job | None) -> Subject | None:
    return None if job is None else job.subject


def _passes(one: Mapping[str, Any], where: tuple[str, ...], operator: str, wanted: str) -> bool:
    value: Any = one
    for name in where:
        value = value.get(name) if isinstance(value, dict) else None
    found: Value = value
    return passes(found, operator, wanted)
