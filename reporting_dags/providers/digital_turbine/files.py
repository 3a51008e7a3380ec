"""Digital Turbine's report files (DT4 to DT6): a signed URL whose file is empty until the report is complete."""

import itertools
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Expired, Failed, NotReady
from reporting_dags.providers.api import Handle, Pending, Ready
from reporting_dags.providers.http.download import Downloads
from reporting_dags.providers.http.error_text import error_message, peek_json_object
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.http.stream import ResponseStream, skip_bom_and_blanks

LIFETIME = timedelta(hours=3)
"""Lifetime of a signed URL that does not contain its own (DT5)."""
_WEB_PAGE = "the download URL returned a web page instead of the report file"
_CODE = re.compile(rb"<Code>\s*(\w{1,60})\s*</Code>")


def url_expires_at(url: str, *, submitted_at: datetime) -> datetime:
    """Return when the signed URL expires: the time in the URL (DT6), else three hours after `submitted_at` (DT5)."""
    query = {key.lower(): values[0] for key, values in parse_qs(urlsplit(url).query).items()}
    try:
        if "x-amz-date" in query:
            signed = datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return signed + timedelta(seconds=int(query.get("x-amz-expires", LIFETIME.total_seconds())))
        if "expires" in query:
            return datetime.fromtimestamp(int(query["expires"]), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return submitted_at + LIFETIME


class ReportFiles:
    """Polls and downloads the files at signed URLs, with a session that has no credentials."""

    def __init__(self, downloads: Downloads, *, name: str, clock: Clock, redactor: Redactor) -> None:
        self._downloads = downloads
        self._redactor = redactor
        self._name = name
        self._clock = clock

    def poll(self, handle: Handle) -> Pending | Ready:
        """Return whether the file contains the report yet. An empty 200 or a 404, for example, means no (DT6, DT8).

        Raises:
            Expired: the URL has expired (403).
        """
        with self._downloads.open(_url(handle), head_only=True) as body:
            return self._state(body, handle)

    @contextmanager
    def download(self, handle: Handle) -> Generator[Iterator[bytes]]:
        """Open the file; the context manager returns its bytes.

        Raises:
            Expired: the URL expired before the download began.
            Partial: the file is incomplete.
            NotReady: the file is not available any more, or the response is a web page.
            Failed: the response is a JSON document with the provider's refusal.
        """
        with self._downloads.open(_url(handle)) as body:
            if body.status != 200:
                state = self._state(body, handle)
                raise NotReady(f"the file of {self._name} is not available any more ({state})", advice=RETRY_LATER)
            payload, chunks = peek_json_object(body.chunks())
            if refusal := self._redactor.clean(error_message(payload), limit=200):
                message = f"{self._name} returned an error instead of the report file: {refusal}"
                raise Failed(message, request_id=handle.id, advice=RETRY_LATER)
            first = next(chunks, b"")
            if _is_page(first):
                # The landing would refuse the page as invalid data, and the query would be lost.
                raise NotReady(_WEB_PAGE, request_id=handle.id)
            yield itertools.chain([first], chunks)

    def _state(self, body: ResponseStream, handle: Handle) -> Pending | Ready:
        """Return the state of the file according to an open response."""
        if body.status == 200:
            start = body.read_head(64)
            if _is_page(start):
                return Pending(_WEB_PAGE)
            if not skip_bom_and_blanks(start):
                return Pending("the report file is still empty")
            return Ready(content_tag=body.content_tag)
        if body.status in {202, 204, 404}:
            return Pending("the report file does not exist yet")
        if body.status == 403:
            return self._forbidden(body.read_head(), handle)
        message = f"the download URL of {self._name} responded with {body.status}"
        kind = Unavailable if body.status >= 500 or body.status == 429 else Failed
        raise kind(message, request_id=handle.id, advice=RETRY_LATER)

    def _forbidden(self, error_page: bytes, handle: Handle) -> Pending:
        """Raise `Expired` if the URL has expired. S3 returns 403 also for a file that does not exist yet."""
        match = _CODE.search(error_page)
        code = match.group(1).decode() if match else "no error code"
        is_early = handle.expires_at is not None and self._clock.now() < handle.expires_at
        if is_early and b"expired" not in error_page.lower():
            return Pending(f"the report file does not exist yet (403 {code})")
        raise Expired(
            f"the download URL of {self._name} has expired (403 {code})",
            request_id=handle.id,
            advice="Fix: materialize the day again, which requests a new report.",
        )


def _url(handle: Handle) -> str:
    if handle.url is None:
        raise Expired("the download URL of the report is not known", request_id=handle.id)
    return handle.url


def _is_page(start: bytes) -> bool:
    return skip_bom_and_blanks(start).startswith(b"<")
