"""Digital Turbine's report files (DT4 to DT6): a signed address that stays empty until the report is in it."""

import codecs
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
from reporting_dags.providers.http.error_text import error_texts, opening_text
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.http.stream import ResponseStream

LIFETIME = timedelta(hours=3)
_PAGE = "a web page stands in place of the report file"
_CODE = re.compile(rb"<Code>\s*(\w{1,60})\s*</Code>")


def expiry(url: str, *, submitted_at: datetime) -> datetime:
    """When the signed address stops working: read from it (DT6), else three hours after it was given (DT5)."""
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
    """Polls and downloads signed files, with a session that has no credentials."""

    def __init__(self, downloads: Downloads, *, name: str, clock: Clock, redactor: Redactor) -> None:
        self._downloads = downloads
        self._redactor = redactor
        self._name = name
        self._clock = clock

    def poll(self, handle: Handle) -> Pending | Ready:
        """Ask whether the file is filled. An empty 200, a 404 and their like mean "not yet" (DT6, DT8).

        Raises:
            Expired: the address no longer serves (403).
        """
        with self._downloads.open(_url(handle), brief=True) as body:
            return self._state(body, handle)

    @contextmanager
    def download(self, handle: Handle) -> Generator[Iterator[bytes]]:
        """The bytes of the filled file.

        Raises:
            Expired: the address stopped serving before the download began.
            Partial: the file broke off, or is empty after all.
            NotReady: it is there no longer, or a page stands in its place.
            Failed: a JSON document with the provider's refusal stands in its place.
        """
        with self._downloads.open(_url(handle)) as body:
            if body.status != 200:
                state = self._state(body, handle)
                raise NotReady(f"the file of {self._name} was there, and is not any more ({state})", advice=RETRY_LATER)
            payload, chunks = opening_text(body.chunks())
            if refused := self._redactor.clean(error_texts(payload), limit=200):
                message = f"{self._name} sent a refusal in place of the report file: {refused}"
                raise Failed(message, request_id=handle.id, advice=RETRY_LATER)
            first = next(chunks, b"")
            if _is_page(first):
                # Landed, it would be refused as data, and the query lost.
                raise NotReady(_PAGE, request_id=handle.id)
            yield itertools.chain([first], chunks)

    def _state(self, body: ResponseStream, handle: Handle) -> Pending | Ready:
        if body.status == 200:
            start = body.head(64)
            if _is_page(start):
                return Pending(_PAGE)
            return Ready(tag=body.tag) if _text(start) else Pending("the report file is still empty")
        if body.status in {202, 204, 404}:
            return Pending("the report file is not there yet")
        if body.status == 403:
            return self._forbidden(body.head(), handle)
        if body.status >= 500 or body.status == 429:
            raise Unavailable(
                f"the file of {self._name} answered {body.status}", request_id=handle.id, advice=RETRY_LATER
            )
        raise Failed(f"the file of {self._name} answered {body.status}", request_id=handle.id, advice=RETRY_LATER)

    def _forbidden(self, message: bytes, handle: Handle) -> Pending:
        """Raise `Expired` for an address past its time; S3 says 403 also of a file that is not there yet."""
        result = _CODE.search(message)
        code = result.group(1).decode() if result else "no reason given"
        early = handle.expires_at is not None and self._clock.now() < handle.expires_at
        if early and b"expired" not in message.lower():
            return Pending(f"the report file is not there yet (403 {code})")
        raise Expired(
            f"the download address of {self._name} no longer serves (403 {code})",
            request_id=handle.id,
            advice="The report has to be requested again.",
        )


def _url(handle: Handle) -> str:
    if handle.url is None:
        raise Expired("the download address of the report is gone", request_id=handle.id)
    return handle.url


def _text(start: bytes) -> bytes:
    return start.removeprefix(codecs.BOM_UTF8).lstrip()


def _is_page(start: bytes) -> bool:
    return _text(start).startswith(b"<")
