"""The body of an answer as it arrives: whole, or refused.

A body counts as whole when its end is marked, by `Content-Length` or by the last chunk. One that just ends when the
connection closes may be cut anywhere and is refused; so is gzip that ends before its own trailer.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import requests
import urllib3

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Failed, Partial
from reporting_dags.providers.trouble import LATER, Unavailable, why

CHUNK = 1024 * 1024
PIECE = 64 * 1024
SECONDS = 3600.0
MOST_EXPANSION = 200
"""A gzip body that grows by more than this is no report."""


@dataclass(slots=True, kw_only=True)
class Body:
    """An open answer: its status and media type, and its bytes as they arrive."""

    status: int
    kind: str
    length: int | None
    name: str
    _response: requests.Response = field(repr=False)
    _clock: Clock = field(repr=False)
    _seconds: float = SECONDS

    @classmethod
    def of(cls, response: requests.Response, *, name: str, clock: Clock, seconds: float = SECONDS) -> Self:
        """The body of an answer that was opened as a stream; `seconds` is the deadline for all of it."""
        declared = response.headers.get("Content-Length", "")
        length = int(declared) if declared.isascii() and declared.isdigit() else None
        return cls(
            status=response.status_code,
            kind=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            length=length,
            name=name,
            _response=response,
            _clock=clock,
            _seconds=seconds,
        )

    def head(self, size: int = 2048) -> bytes:
        """The first bytes, for reading an error; the body cannot be streamed afterwards."""
        try:
            return self._response.raw.read(size, decode_content=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"the file of {self.name} broke off ({why(error)})", advice=LATER) from None

    def chunks(self) -> Iterator[bytes]:
        """The decoded bytes, at most 1 MiB at a time.

        Raises:
            Partial: the body ended early, or nothing marks its end.
            Unavailable: the connection failed, or the file took longer than the deadline.
        """
        encoding = self._response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise Failed(f"the file of {self.name} is encoded as {encoding!r}, which was not asked for")
        gzipped = encoding.endswith("gzip")
        chunked = self._response.headers.get("Transfer-Encoding", "").lower().endswith("chunked")
        if self.length is None and not chunked:
            raise Partial(
                f"the file of {self.name} came with no length, so nothing shows that it is whole", advice=LATER
            )
        raw = self._raw(chunked=chunked)
        yield from self._gunzip(raw) if gzipped else raw

    def _raw(self, *, chunked: bool) -> Iterator[bytes]:
        deadline = self._clock.now().timestamp() + self._seconds
        try:
            for piece in self._pieces(chunked=chunked):
                if self._clock.now().timestamp() > deadline:
                    raise Unavailable(f"the file of {self.name} was not down after {self._seconds:.0f} s", advice=LATER)
                yield piece
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Partial(f"the file of {self.name} broke off ({why(error)})", advice=LATER) from None

    def _pieces(self, *, chunked: bool) -> Iterator[bytes]:
        """What has arrived, as it arrives: a file that drips is seen to drip, and not waited for a MiB at a time."""
        if chunked:
            yield from self._response.raw.stream(PIECE, decode_content=False)
            return
        while piece := self._response.raw.read1(CHUNK, decode_content=False):
            yield piece

    def _gunzip(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        inflater = zlib.decompressobj(wbits=31)
        received = produced = 0
        try:
            for chunk in raw:
                received += len(chunk)
                rest = chunk
                while rest:
                    if inflater.eof:
                        inflater = zlib.decompressobj(wbits=31)
                    data = inflater.decompress(rest, CHUNK)
                    produced += len(data)
                    rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
                    if produced > MOST_EXPANSION * max(received, CHUNK):
                        raise Failed(f"the file of {self.name} unpacks to more than {produced} bytes: refused")
                    if data:
                        yield data
        except zlib.error:
            raise Partial(f"the gzip file of {self.name} is damaged", advice=LATER) from None
        if received and not inflater.eof:
            raise Partial(f"the gzip file of {self.name} is cut short", advice=LATER)
