"""The Download Center: requests for exports, their status, and downloads by signed URLs (IN4 to IN8)."""

import hashlib
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox import s3
from reporting_dags.sandbox.damage import damage
from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.integr8 import export_request, parameters
from reporting_dags.sandbox.integr8.accounts import AccessControl, Account
from reporting_dags.sandbox.integr8.export_job import BUCKET, IN_PROGRESS, PENDING, ExportJob, table
from reporting_dags.sandbox.integr8.export_request import ExportRequest
from reporting_dags.sandbox.integr8.lists import PAGE, matches, page, sort_objects
from reporting_dags.sandbox.integr8.logs import ENTITY, LOGS, rows
from reporting_dags.sandbox.integr8.parameters import RefusedError
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.tables import Authorized, FileFaults
from reporting_dags.sandbox.integr8.values import Value

CENTER = "/api/v2/download-center/"
STATUSES = ("UNKNOWN", PENDING, IN_PROGRESS, "ERROR", "CANCELED")
"""The documented statuses (IN6 D); the status of a completed export is a setting."""
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
"""The filters of the list of exports: the operator, and the path of the value in an export object."""


class Exports:
    """The Download Center of one sandbox."""

    def __init__(
        self,
        *,
        seed: int,
        settings: Callable[[], Integr8Settings],
        file_faults: FileFaults,
        access: AccessControl,
        secret: bytes,
    ) -> None:
        self._seed = seed
        self._settings = settings
        self._file_faults = file_faults
        self._access = access
        self._signer = s3.Signer(secret)
        self._jobs: dict[str, ExportJob] = {}
        self.reset()

    def reset(self) -> None:
        """Delete all exports."""
        self._ids = Random(f"{self._seed}|exports")
        self._jobs.clear()

    def create(self, call: Call, account: Account) -> Response:
        """Create an export (IN4, IN5, IN8). A: the parameters are checked first, then the daily quota."""
        settings = self._settings()
        if call.path.split("/")[-3] != account.integration_id:
            raise RefusedError(404, "The requested integration doesn't exist.")
        request = export_request.parse(call, settings)
        self._access.check_exports(account, call.now.date(), settings)
        self._access.count_export(account, call.now.date())
        job = self._job(call, request, account, settings)
        self._jobs[job.id] = job
        call.facts["id"] = job.id
        return JSONResponse(job.as_json(PENDING, origin=call.origin, settings=settings))

    def _job(self, call: Call, request: ExportRequest, account: Account, settings: Integr8Settings) -> ExportJob:
        log_rows = rows(self._seed, account, request.log, request.span, at=call.now, settings=settings)
        limit = settings.rows_limit
        if call.fault is not None and call.fault_is("truncate"):
            limit = min(limit, call.fault["rows"])
        export_table = table(
            request,
            log_rows[:limit],
            ENTITY,
            left_out=() if settings.unknown_fields_shown else settings.unknown_fields,
            local=settings.export_times == "local",
        )
        damage(export_table, self._file_faults(request.log.name, *request.span.days))
        total = len(export_table.rows)
        if call.fault is not None and call.fault_is("total"):
            total = call.fault["total"]
        return ExportJob(
            id=f"{self._ids.getrandbits(96):024x}",
            request=request,
            account=account,
            requested_at=call.now,
            body=export_table.as_text(),
            total=total,
            truncated=len(log_rows) > limit or call.fault_is("truncate"),
            never=call.fault_is("never"),
        )

    def listed(self, call: Call, account: Account) -> Response:
        """List exports (IN5). A: the newest is first, and a list does not count as a poll of the status."""
        settings = self._settings()
        given = parameters.parse(call.query, {*PAGE, *FILTERS, "sort"}, settings)
        if given.get("filter[status]", PENDING) not in {*STATUSES, settings.completed_status}:
            raise RefusedError(400, "filter[status] is unknown")
        if given.get("filter[type]", "click_logs") not in {log.export_type for log in LOGS}:
            raise RefusedError(400, "filter[type] is unknown")
        objects = [
            job.as_json(job.status(call.now, settings), origin=call.origin, settings=settings)
            for job in reversed(self._jobs.values())
            if job.is_visible_to(account)
        ]
        for name, (operator, where) in FILTERS.items():
            if name in given:
                objects = [item for item in objects if _matches(item, where, operator, given[name])]
        data, meta = page(sort_objects(objects, given.get("sort"), SORTABLE), given, settings)
        return JSONResponse({"data": data, "meta": meta})

    def status(self, call: Call, account: Account) -> Response:
        """Return the status of an export (IN5 to IN7)."""
        settings = self._settings()
        parameters.parse(call.query, (), settings)
        job = self._jobs.get(call.path.rpartition("/")[2])
        if job is None or not job.is_visible_to(account):
            raise RefusedError(404, "The requested export doesn't exist.")
        status, error = job.status(call.now, settings), ""
        job.polls += 1
        if call.fault_is("never") or status == PENDING:
            status = IN_PROGRESS
        if call.fault is not None and call.fault_is("state"):
            status, error = call.fault["status"], call.fault["error"]
        call.facts.update(id=job.id, state=status)
        described = job.as_json(status, origin=call.origin, settings=settings, error=error)
        return JSONResponse({"data": described} if settings.wrap_export else described)

    def signed_url(self, call: Call, account: Account) -> Response:
        """Return a new signed URL of a file (IN5, IN8)."""
        settings = self._settings()
        name = parameters.required(parameters.parse(call.query, {"artifact_name"}, settings), "artifact_name")
        job = self._named(name)
        if job is None or not job.is_visible_to(account) or not job.has_file(call.now, settings):
            raise RefusedError(404, "The requested file doesn't exist.")
        host, seconds = call.headers.get("host", ""), settings.signed_url_seconds
        query = self._signer.sign(style="amz", host=host, path=job.path, now=call.now, seconds=seconds)
        url = f"{call.origin}{quote(job.path)}?{query}"
        if call.fault is not None and call.fault_is("bad_url"):
            url = str(call.fault["url"])
        call.facts.update(id=job.id, url=url)
        return JSONResponse({"url": url})

    async def file(self, call: Call) -> Response:
        """Return the response of S3, which requires no API key and has no rate limit."""
        if call.fault_is("expired"):
            return s3.expired(call.now, call.now)
        error = self._signer.error_response(
            method=call.method,
            host=call.headers.get("host", ""),
            path=call.path,
            query=call.query,
            authorization=call.headers.get("authorization"),
            now=call.now,
        )
        if error is not None:
            return error
        job = self._named(call.path.rpartition("/")[2])
        if job is None or not job.has_file(call.now, self._settings()):
            return s3.missing(call.path)
        call.facts["id"] = job.id
        etag = hashlib.md5(job.body, usedforsecurity=False).hexdigest()
        return Response(job.body, media_type="text/csv", headers={"ETag": f'"{etag}"'})

    def endpoints(self, authorized: Authorized) -> list[Endpoint]:
        """Return the endpoints for export requests, the list, the status, signed URLs and files."""
        get = ("GET",)
        return [
            Endpoint(
                "integr8.export",
                ("POST",),
                "/api/v2/integrations/{integration}/download-center/{log}",
                authorized(self.create),
                subject=self._subject_of_order,
                handler_faults=frozenset({"never", "truncate", "total"}),
            ),
            Endpoint("integr8.exports", get, CENTER + "exports", authorized(self.listed)),
            Endpoint(
                "integr8.status",
                get,
                CENTER + "exports/{export}",
                authorized(self.status),
                subject=lambda call: _subject(self._jobs.get(call.path.rpartition("/")[2])),
                handler_faults=frozenset({"never", "state"}),
            ),
            Endpoint(
                "integr8.signed_url",
                get,
                CENTER + "signed-url",
                authorized(self.signed_url),
                subject=lambda call: _subject(self._named(dict(call.query).get("artifact_name", ""))),
                handler_faults=frozenset({"bad_url"}),
            ),
            Endpoint(
                "integr8.file",
                ("GET", "HEAD"),
                BUCKET + "/{folder}/{name}",
                self.file,
                subject=lambda call: _subject(self._named(call.path.rpartition("/")[2])),
                handler_faults=frozenset({"expired"}),
            ),
        ]

    def _named(self, artifact: str) -> ExportJob | None:
        return next((job for job in self._jobs.values() if job.name == artifact), None)

    def _subject_of_order(self, call: Call) -> Subject | None:
        try:
            request = export_request.parse(call, self._settings())
        except RefusedError:
            return None
        return Subject(request.log.name, *request.span.days)


def _subject(job: ExportJob | None) -> Subject | None:
    return None if job is None else job.subject


def _matches(one: Mapping[str, Any], where: tuple[str, ...], operator: str, operand: str) -> bool:
    value: Any = one
    for name in where:
        value = value.get(name) if isinstance(value, dict) else None
    leaf: Value = value
    return matches(leaf, operator, operand)
