"""The Download Center: request an export, wait until it is made, download it from a signed address (IN4 to IN8)."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, time, timedelta

from reporting_dags.model.errors import Denied, Expired, Failed, NotReady, Partial, Truncated
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Pending, Quota, Ready, Request
from reporting_dags.providers.http.download import AddressNotAllowed, Downloads
from reporting_dags.providers.http.error_text import error_texts, opening_text
from reporting_dags.providers.http.errors import RETRY_LATER, RateLimited, Unavailable
from reporting_dags.providers.http.response import ApiResponse, json_object, row_count_in
from reporting_dags.providers.integr8.export_lookup import ENDED_BADLY, id_of, matches, order_fields_for
from reporting_dags.providers.integr8.session import NAME, Integr8Session, NotFound, Unauthorized

DEFAULT_RESERVED = 4
"""Exports a day for the latest day: one for each log."""
COMPLETED = "COMPLETED"
_FINEST = 60
_MAX_PAGES = 50
"""Of the list: ten exports a day, kept for 90 days, are nine."""
_DAY = 86400


class Exports:
    """Exports of one integration, as `Integr8` uses them: ten a day (IN8), the last `kept` for the latest day."""

    def __init__(self, session: Integr8Session, downloads: Downloads, *, kept: int = DEFAULT_RESERVED) -> None:
        self._session = session
        self._downloads = downloads
        self.quota = Quota(bucket="integr8 exports", per_day=10, reserved=kept)

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Request an export; its id finds it again for 90 days (IN8).

        Raises:
            Denied: no permission, or the ten exports of the day are spent.
            Failed: it is refused.
            Unavailable: the response names no export; whether there is one, the list of exports tells.
        """
        first, last = span(request)
        query = report.query
        params = {
            "delimiter": query.delimiter,
            "start_time": first.strftime("%Y-%m-%d %H:%M:%S"),
            "end_time": last.strftime("%Y-%m-%d %H:%M:%S"),
            "timezone": query.timezone,
            "fields": ",".join(order_fields_for(query.fields, request.correlation_id)),
        }
        if query.log != "postback-logs":
            params["extra_parameters"] = ",".join(query.extra_parameters)
        try:
            answer = self._session.post(
                self._session.paths.export, params, before=lambda: meter(self.quota), log=query.log
            )
        except RateLimited as error:
            raise Denied(error.message, advice="The quota of 10 exports a day is renewed at 00:00 UTC (IN8).") from None
        payload = answer.json()
        export = id_of(_export(payload))
        if not export:
            if json_object(payload).get("error") or json_object(payload).get("errors"):
                self._session.refuse(answer, "the order of an export")
            message = f"{NAME} answered the order of an export ({answer.status}), but the response has no id (IN5)"
            unknown = Unavailable(self._with_words(message, answer), advice=RETRY_LATER)
            unknown.ambiguous = True
            # What is not an object may come from elsewhere; an object without an id would be no other the next time.
            unknown.exhausted = isinstance(payload, dict)
            raise unknown
        return Handle(id=export)

    def find(self, report: Report, request: Request) -> Handle | None:
        """The export of the list that bears the mark of `request` (IN5); a list that may not be seen has none.

        Raises:
            Unavailable: the list cannot be read now.
        """
        try:
            for _, listed in self._session.pages(self._session.paths.exports, most=_MAX_PAGES):
                for export in map(json_object, listed):
                    if matches(export, report.query.fields, request.correlation_id):
                        return Handle(id=id_of(export))
        except (Unavailable, RateLimited, Unauthorized, Partial) as error:
            raise Unavailable(error.message, advice=error.advice or RETRY_LATER) from None
        except (Denied, Failed):
            pass
        return None

    def poll(self, request: Request, handle: Handle) -> Pending | Ready:
        """Ask how far the export is (IN6).

        Raises:
            Truncated: the range was cut (IN7).
            Failed: the export ended in an error.
            Expired: it is not known any more.
        """
        try:
            answer = self._get(self._session.paths.status, export=handle.id)
        except RateLimited as error:
            # The export was bought: it is waited for, and never given up for a call that costs nothing.
            return Pending(error.message)
        export = _export(answer.json())
        status = str(export.get("status") or "").upper()
        if status in ENDED_BADLY:
            message = self._session.redactor.clean(str(export.get("error") or "no reason given"))
            raise Failed(f"{NAME}'s export ended as {status}: {message}", request_id=handle.id, advice=RETRY_LATER)
        if status != COMPLETED:
            known = status in {"PENDING", "IN_PROGRESS"}
            shown = self._session.redactor.clean(status, limit=40) or self._session.words(answer) or "nothing"
            return Pending(f"{NAME} is still making the export" if known else f"{NAME} says {shown} of the export")
        results = json_object(export.get("results_meta"))
        total, cut = row_count_in(results.get("total")), results.get("range_truncated")
        if cut:
            message = f"{NAME} truncated the export of {describe_times(request)} to {total} rows"
            raise Truncated(message, request_id=handle.id, advice="No shorter range can be requested: ask its support.")
        if total is None:
            message = f"{NAME} does not say how many rows the export of {request} has (IN7)"
            raise Partial(message, request_id=handle.id, advice=RETRY_LATER)
        return Ready(expected_rows=total)

    @contextmanager
    def download(self, handle: Handle) -> Generator[Iterator[bytes]]:
        """The bytes of the export, from an address that is signed again for each download.

        Raises:
            NotReady: there is no address yet.
            Unavailable: the address may not be followed, or stopped serving before the download began, or a refusal
                stands in place of the file: the export was bought, and another address may serve.
        """
        address = self._address(handle)
        try:
            with self._downloads.open(address) as body:
                if body.status != 200 or body.is_page:
                    message = f"the export's file of {NAME} answered {body.status} ({body.kind or 'nothing'})"
                    raise Unavailable(message, request_id=handle.id, advice=RETRY_LATER)
                payload, chunks = opening_text(body.chunks())
                if refused := self._session.redactor.clean(error_texts(payload)):
                    message = f"{NAME} sent a refusal in place of the export's file: {refused}"
                    raise Unavailable(message, request_id=handle.id, advice=RETRY_LATER)
                yield chunks
        except AddressNotAllowed as error:
            raise Unavailable(error.message, request_id=handle.id, advice=error.advice) from None

    def _address(self, handle: Handle) -> str:
        try:
            answer = self._get(self._session.paths.status, export=handle.id)
            artifact = json_object(_export(answer.json()).get("artifact")).get("name")
            if not isinstance(artifact, str) or not artifact:
                message = self._with_words(f"{NAME}'s export is complete but names no file yet", answer)
                raise NotReady(message, request_id=handle.id)
            answer = self._get(self._session.paths.signed_url, {"artifact_name": artifact})
        except RateLimited as error:
            raise NotReady(error.message, request_id=handle.id) from None
        payload = json_object(answer.json())
        url = payload.get("url", json_object(payload.get("data")).get("url"))
        if not isinstance(url, str) or not url:
            message = self._with_words(f"{NAME} gave no address for the export's file (IN5)", answer)
            raise Unavailable(message, request_id=handle.id, advice=RETRY_LATER)
        self._session.redactor.add(url)
        return url

    def _with_words(self, message: str, answer: ApiResponse) -> str:
        payload = self._session.words(answer)
        return f"{message}: {payload}" if payload else message

    def _get(self, path: str, params: Mapping[str, str] | None = None, **names: str) -> ApiResponse:
        """What is said of an export; raises `Expired` where it, or its file, is not known any more."""
        try:
            return self._session.get(path, params, **names)
        except NotFound as error:
            raise Expired(error.message, advice="It is requested again when the day is run again.") from None


def _export(payload: object) -> dict[str, object]:
    """An export, bare or wrapped in `data` (IN5)."""
    result = json_object(payload)
    return dict(json_object(result["data"]) if isinstance(result.get("data"), dict) else result)


def span(request: Request) -> tuple[datetime, datetime]:
    """From when to when a request asks, local time, the end not included (IN10); a part is `first/last` second."""
    midnight = datetime.combine(request.window.first, time())
    if request.shard:
        first, last = (int(second) for second in request.shard.split("/"))
        return midnight + timedelta(seconds=first), midnight + timedelta(seconds=last)
    return midnight, datetime.combine(request.window.last + timedelta(days=1), time())


def describe_times(request: Request) -> str:
    """The days of a request, or for a part of one its local times."""
    return " to ".join(map(str, span(request))) if request.shard else str(request.window)


def split_day(request: Request) -> tuple[Request, ...]:
    """The two halves of a day, or of a part of it, for an export that was cut (IN7); none below a minute."""
    first, last = (int(second) for second in request.shard.split("/")) if request.shard else (0, _DAY)
    if last - first <= _FINEST:
        return ()
    middle = (first + last) // 2
    return tuple(Request(request.window, f"{begin:05d}/{end:05d}") for begin, end in ((first, middle), (middle, last)))
