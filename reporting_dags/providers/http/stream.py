"""The body of a response as it arrives: whole, or refused.

A body counts as whole when its end is marked, by `Content-Length` or by the last chunk. One that just ends when the
connection closes may be cut anywhere and is refused; so is gzip that ends before its own trailer.

File stores serve packed files without `Content-Encoding`, and plain ones with a `Content-Encoding` that names no
coding. So gzip is recognized by its first bytes too, and only the names of real codings count.
"""

import codecs
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import requests
import urllib3

from reporting_dags.model.errors import Failed, Partial
from reporting_dags.providers.http.errors import RETRY_LATER, GzipError, Unavailable, reason

CHUNK_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024
_GZIP = b"\x1f\x8b\x08"
_GZIP_NAMES = frozenset({"gzip", "x-gzip"})
_OTHER_CODINGS = frozenset(
    {"aes128gcm", "base64", "br", "bzip2", "compress", "dcb", "dcz", "deflate", "exi", "lz4", "lzma", "pack200-gzip"}
    | {"snappy", "x-bzip2", "x-compress", "x-deflate", "xz", "zstd"}
)
"""Real codings that are not requested. Every other name, such as `UTF-8` or `aws-chunked`, leaves the bytes plain."""
_MAX_LAYERS = 2
MAX_EXPANSION = 200
"""A gzip body that grows by more than this is not a report."""


@dataclass(slots=True, kw_only=True)
class ResponseStream:
    """An open response: status, media type, and the bytes as they arrive; at most `max_bytes` after decompression."""

    status: int
    kind: str
    length: int | None
    name: str
    max_bytes: int
    _response: requests.Response = field(repr=False)
    _start: bytes | None = field(default=None, init=False, repr=False)
    _rest: Iterator[bytes] = field(default_factory=lambda: iter(()), init=False, repr=False)

    @classmethod
    def of(cls, response: requests.Response, *, name: str, most: int) -> Self:
        """The body of a response that was opened as a stream."""
        declared = response.headers.get("Content-Length", "")
        length = int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 20 else None
        return cls(
            status=response.status_code,
            kind=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            length=length,
            name=name,
            max_bytes=most,
            _response=response,
        )

    @property
    def is_page(self) -> bool:
        """Whether it is a page or a document, as gateways and file stores put in a report's place.

        Its first bytes tell; the media type does not, since many servers call whatever they send `text/html`. Raises
        what `chunks` does.
        """
        return text_start(self._peek()).startswith(b"<")

    @property
    def tag(self) -> str:
        """Which names the whole body: its strong ETag and its length; empty where either is not told."""
        etag = self._response.headers.get("ETag", "").strip()
        return "" if self.length is None or not etag.startswith('"') else f"{etag} {self.length}"

    def head(self, size: int = 2048) -> bytes:
        """The first bytes, for reading an error; the body cannot be streamed afterwards."""
        try:
            return self.start(size)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"the file of {self.name} broke off ({reason(error)})", advice=RETRY_LATER) from None

    def start(self, size: int) -> bytes:
        """As `head`, with errors of the transport as they are."""
        result = bytearray()
        for chunk in self._unpacked(min(size, CHUNK_BYTES)):
            result += chunk
            if len(result) >= size:
                break
        return bytes(result[:size])

    def chunks(self) -> Iterator[bytes]:
        """The decoded bytes, at most 1 MiB at a time.

        Raises:
            Partial: the body ended early, nothing marks its end, or it was not there at its deadline.
            Failed: it is larger than it may be, or packed in a way that was not requested.
        """
        start = self._peek()
        return itertools.chain([start] if start else [], self._rest)

    def _peek(self) -> bytes:
        """The first bytes, at least one that is not blank if there is any; they remain the first of `chunks`."""
        if self._start is None:
            self._rest, start = self._complete(), b""
            for chunk in self._rest:
                start += chunk
                if text_start(start) or len(start) > PIECE_BYTES:
                    break
            self._start = start
        return self._start

    def _complete(self) -> Iterator[bytes]:
        if self.length is None and not self._chunked:
            raise Partial(
                f"the file of {self.name} came with no length, so nothing shows that it is whole", advice=RETRY_LATER
            )
        taken = 0
        try:
            for chunk in self._unpacked(CHUNK_BYTES):
                taken += len(chunk)
                if max(taken, self.length or 0) > self.max_bytes:
                    raise Failed(f"the file of {self.name} is larger than {self.max_bytes} bytes: refused")
                yield chunk
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Partial(f"the file of {self.name} broke off ({reason(error)})", advice=RETRY_LATER) from None

    @property
    def _chunked(self) -> bool:
        return self._response.headers.get("Transfer-Encoding", "").lower().endswith("chunked")

    def _unpacked(self, size: int) -> Iterator[bytes]:
        """What has arrived, unpacked; of what is packed at most `size` bytes at a time."""
        chunks = self._pieces()
        for _ in range(self._layers()):
            chunks = self._gunzip(chunks, size)
        start = b""
        for chunk in chunks:
            start += chunk
            if len(start) >= len(_GZIP):
                break
        chunks = itertools.chain([start] if start else [], chunks)
        return self._gunzip(chunks, size) if start.startswith(_GZIP) else chunks

    def _layers(self) -> int:
        """How many times the headers call the body packed by gzip.

        Raises:
            Failed: they name another coding.
        """
        names = self._response.headers.get("Content-Encoding", "").lower().split(",")
        codings = [name.strip() for name in names if name.strip() in _GZIP_NAMES | _OTHER_CODINGS]
        refused = [coding for coding in codings if coding in _OTHER_CODINGS] or codings[_MAX_LAYERS:]
        if refused:
            raise Failed(
                f"the file of {self.name} is packed as {refused[0]!r}, which was not requested",
                advice="Fix: have the provider, or the proxy in between, send it plain or as gzip.",
            )
        return len(codings)

    def _pieces(self) -> Iterator[bytes]:
        """What has arrived, as it arrives: a file that drips is seen to drip, and not waited for a MiB at a time."""
        if self._chunked:
            yield from self._response.raw.stream(PIECE_BYTES, decode_content=False)
            return
        while piece := self._response.raw.read1(CHUNK_BYTES, decode_content=False):
            yield piece

    def _gunzip(self, raw: Iterator[bytes], size: int) -> Iterator[bytes]:
        inflater = zlib.decompressobj(wbits=31)
        received = produced = 0
        try:
            for chunk in raw:
                received += len(chunk)
                rest = chunk
                while rest:
                    if inflater.eof:
                        inflater = zlib.decompressobj(wbits=31)
                    data = inflater.decompress(rest, size)
                    produced += len(data)
                    rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
                    if produced > MAX_EXPANSION * max(received, CHUNK_BYTES):
                        raise Failed(f"the file of {self.name} unpacks to more than {produced} bytes: refused")
                    if data:
                        yield data
        except zlib.error:
            raise GzipError("its gzip is damaged") from None
        if received and not inflater.eof:
            raise GzipError("its gzip is cut short")


def text_start(start: bytes) -> bytes:
    """The first bytes of a text, without byte order mark and blanks."""
    return start.removeprefix(codecs.BOM_UTF8).lstrip()
