"""The Download Center: request an export, poll it until it is complete, download it from a signed URL (IN4 to IN8)."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, time, timedelta

from reporting_dags.model.errors import Denied, Expired, Failed, NotReady, Partial, Truncated
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Pending, Quota, Ready, Request
from reporting_dags.providers.http.download import AddressNotAllowed, Downloads
from reporting_dags.providers.http.error_text import error_message, peek_json_object
from reporting_dags.providers.http.errors import RETRY_LATER, RateLimited, Unavailable
from reporting_dags.providers.http.response import ApiResponse, json_integer, json_object
from reporting_dags.providers.integr8.export_lookup import FAILED_STATES, export_id, matches, order_fields_for
from reporting_dags.providers.integr8.session import NAME, Integr8Session, NotFound, Unauthorized

DEFAULT_RESERVED = 4
"""Number of daily exports that are reserved for the latest day: one for each log."""
COMPLETED = "COMPLETED"
_MIN_PART_SECONDS = 60
"""A part of a day of this length or less is not split."""
_MAX_PAGES = 50
"""Maximum number of pages of the list: ten exports a day for 90 days are nine pages."""
_DAY_SECONDS = 86400
_QUOTA_USED = "Fix: wait until 00:00 UTC, when the quota of 10 exports a day is renewed (IN8)."
_REQUEST_AGAIN = "Fix: materialize the day again, which requests a new export."


class Exports:
    """Exports of one integration: ten a day (IN8), of which `reserved` are for the latest day.

    Args:
        session: makes the calls.
        downloads: downloads the files.
        reserved: how many of the exports of a day are reserved for the latest day.
    """

    def __init__(self, session: Integr8Session, downloads: Downloads, *, reserved: int = DEFAULT_RESERVED) -> None:
        self._session = session
        self._downloads = downloads
        self.quota = Quota(bucket="integr8 exports", per_day=10, reserved=reserved)

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Request an export; its id is valid for 90 days (IN8).

        Raises:
            Denied: no permission, or the ten exports of the day are used up.
            Failed: the provider refuses the request.
            Unavailable: the response has no id; the list of exports shows whether the export exists.
        """
        start, end = time_range(request)
        query = report.query
        params = {
            "delimiter": query.delimiter,
            "start_time": start.strftime("%Y-%m-%d %H:%M:%S"),
            "end_time": end.strftime("%Y-%m-%d %H:%M:%S"),
            "timezone": query.timezone,
            "fields": ",".join(order_fields_for(query.fields, request.correlation_id)),
        }
        if query.log != "postback-logs":
            params["extra_parameters"] = ",".join(query.extra_parameters)
        try:
            response = self._session.post(
                self._session.paths.export, params, before=lambda: meter(self.quota), log=query.log
            )
        except RateLimited as error:
            raise Denied(error.message, advice=_QUOTA_USED) from None
        payload = response.json()
        created_id = export_id(_export(payload))
        if not created_id:
            if json_object(payload).get("error") or json_object(payload).get("errors"):
                self._session.raise_if_refused(response, "the request of an export")
            message = f"{NAME} responded to the request of an export ({response.status}) without an id (IN5)"
            error = Unavailable(self._with_provider_message(message, response), advice=RETRY_LATER)
            error.ambiguous = True
            # A response that is not an object may be from a proxy. An object without an id would be the same again.
            error.exhausted = isinstance(payload, dict)
            raise error
        return Handle(id=created_id)

    def find_lost_job(self, report: Report, request: Request) -> Handle | None:
        """Return the export in the list that was requested with the correlation id of `request` (IN5).

        Returns None if there is none, or if the list is not permitted.

        Raises:
            Unavailable: the list cannot be read now.
        """
        try:
            for _, exports in self._session.pages(self._session.paths.exports, max_pages=_MAX_PAGES):
                for export in map(json_object, exports):
                    if matches(export, report.query.fields, request.correlation_id):
                        return Handle(id=export_id(export))
        except (Unavailable, RateLimited, Unauthorized, Partial) as error:
            raise Unavailable(error.message, advice=error.advice or RETRY_LATER) from None
        except (Denied, Failed):
            pass
        return None

    def poll(self, request: Request, handle: Handle) -> Pending | Ready:
        """Return the state of the export (IN6).

        Raises:
            Truncated: the provider truncated the time range (IN7).
            Failed: the export failed.
            Partial: the number of rows is missing.
            Expired: the provider no longer knows the export.
        """
        try:
            response = self._get(self._session.paths.status, export=handle.id)
        except RateLimited as error:
            # The export has used quota, so a rate limit of the status call does not end the job.
            return Pending(error.message)
        export = _export(response.json())
        status = str(export.get("status") or "").upper()
        if status in FAILED_STATES:
            message = self._session.redactor.clean(str(export.get("error") or "no reason"))
            raise Failed(f"{NAME}'s export ended as {status}: {message}", request_id=handle.id, advice=RETRY_LATER)
        if status in {"PENDING", "IN_PROGRESS"}:
            return Pending(f"{NAME} is still creating the export")
        if status != COMPLETED:
            shown = self._session.redactor.clean(status, limit=40) or self._session.provider_message(response)
            return Pending(f"{NAME} reports {shown or 'no state'} for the export")
        results = json_object(export.get("results_meta"))
        total, truncated = json_integer(results.get("total")), results.get("range_truncated")
        if truncated:
            message = f"{NAME} truncated the export of {describe_times(request)} to {total} rows"
            raise Truncated(
                message, request_id=handle.id, advice="A shorter range cannot be requested. Fix: ask its support."
            )
        if total is None:
            message = f"{NAME} does not report the number of rows of the export of {request} (IN7)"
            raise Partial(message, request_id=handle.id, advice=RETRY_LATER)
        return Ready(expected_rows=total)

    @contextmanager
    def download(self, handle: Handle) -> Generator[Iterator[bytes]]:
        """Open the file of the export, at a URL that is signed again for each download.

        Raises:
            NotReady: there is no URL yet.
            Unavailable: the URL is not allowed, or expired before the download began, or the response is an error. The
                export has used quota, and another URL may work, so the download can be retried.
        """
        url = self._download_url(handle)
        try:
            with self._downloads.open(url) as body:
                if body.status != 200 or body.is_markup:
                    content = body.media_type or "no media type"
                    message = f"the download URL of {NAME}'s export responded with {body.status} ({content})"
                    raise Unavailable(message, request_id=handle.id, advice=RETRY_LATER)
                payload, chunks = peek_json_object(body.chunks())
                if refusal := self._session.redactor.clean(error_message(payload)):
                    message = f"{NAME} returned an error instead of the export's file: {refusal}"
                    raise Unavailable(message, request_id=handle.id, advice=RETRY_LATER)
                yield chunks
        except AddressNotAllowed as error:
            raise Unavailable(error.message, request_id=handle.id, advice=error.advice) from None

    def _download_url(self, handle: Handle) -> str:
        try:
            response = self._get(self._session.paths.status, export=handle.id)
            artifact = json_object(_export(response.json()).get("artifact")).get("name")
            if not isinstance(artifact, str) or not artifact:
                message = self._with_provider_message(f"{NAME}'s export is complete but has no file name yet", response)
                raise NotReady(message, request_id=handle.id)
            response = self._get(self._session.paths.signed_url, {"artifact_name": artifact})
        except RateLimited as error:
            raise NotReady(error.message, request_id=handle.id) from None
        payload = json_object(response.json())
        url = payload.get("url", json_object(payload.get("data")).get("url"))
        if not isinstance(url, str) or not url:
            message = self._with_provider_message(f"{NAME} returned no URL for the export's file (IN5)", response)
            raise Unavailable(message, request_id=handle.id, advice=RETRY_LATER)
        self._session.redactor.add(url)
        return url

    def _with_provider_message(self, message: str, response: ApiResponse) -> str:
        text = self._session.provider_message(response)
        return f"{message}: {text}" if text else message

    def _get(self, path: str, params: Mapping[str, str] | None = None, **names: str) -> ApiResponse:
        """Make a call about an export; raise `Expired` if the provider no longer knows it or its file."""
        try:
            return self._session.get(path, params, **names)
        except NotFound as error:
            raise Expired(error.message, advice=_REQUEST_AGAIN) from None


def _export(payload: object) -> dict[str, object]:
    """Return the fields of an export, which may be wrapped in `data` (IN5)."""
    fields = json_object(payload)
    return dict(json_object(fields["data"]) if isinstance(fields.get("data"), dict) else fields)


def time_range(request: Request) -> tuple[datetime, datetime]:
    """Return the start and the exclusive end of a request in local time (IN10).

    The shard of a part of a day is `first/last`, in seconds of the day.
    """
    midnight = datetime.combine(request.window.first, time())
    if request.shard:
        first, last = (int(second) for second in request.shard.split("/"))
        return midnight + timedelta(seconds=first), midnight + timedelta(seconds=last)
    return midnight, datetime.combine(request.window.last + timedelta(days=1), time())


def describe_times(request: Request) -> str:
    """Return the days of a request, or for a part of a day its local times."""
    return " to ".join(map(str, time_range(request))) if request.shard else str(request.window)


def split_day(request: Request) -> tuple[Request, ...]:
    """Split a day, or a part of a day, in two, for an export that was truncated (IN7); return () below a minute."""
    first, last = (int(second) for second in request.shard.split("/")) if request.shard else (0, _DAY_SECONDS)
    if last - first <= _MIN_PART_SECONDS:
        return ()
    middle = (first + last) // 2
    return tuple(Request(request.window, f"{begin:05d}/{end:05d}") for begin, end in ((first, middle), (middle, last)))
