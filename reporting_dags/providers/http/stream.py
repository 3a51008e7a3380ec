"""The body of a response as it arrives: complete, or refused.

A body is complete if its end is explicit: by `Content-Length` or by the last chunk. A body that ends only because the
connection closes may be truncated and is refused. So is gzip data without its trailer.

File stores serve gzip files without `Content-Encoding`, and plain files with a `Content-Encoding` that is not an
encoding. So gzip is also detected by its first bytes, and unknown encoding names are ignored.
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
from reporting_dags.providers.http.errors import RETRY_LATER, GzipError, Unavailable, error_reason

CHUNK_BYTES = 1024 * 1024
"""Maximum size of a decompressed chunk."""
RECEIVE_BYTES = 64 * 1024
"""Number of bytes that are read at once from a chunked response."""
_GZIP = b"\x1f\x8b\x08"
_GZIP_NAMES = frozenset({"gzip", "x-gzip"})
_OTHER_ENCODINGS = frozenset(
    {"aes128gcm", "base64", "br", "bzip2", "compress", "dcb", "dcz", "deflate", "exi", "lz4", "lzma", "pack200-gzip"}
    | {"snappy", "x-bzip2", "x-compress", "x-deflate", "xz", "zstd"}
)
"""Encodings that are not requested. Any other name, such as `UTF-8` or `aws-chunked`, means that the data is plain."""
_MAX_LAYERS = 2
"""Maximum number of gzip encodings in the headers."""
MAX_EXPANSION = 200
"""A gzip body that grows by a larger factor is refused."""


@dataclass(slots=True, kw_only=True)
class ResponseStream:
    """An open response, whose body is read as it arrives.

    Attributes:
        status: HTTP status code.
        media_type: media type of the body, without parameters; empty if there is none.
        content_length: size of the body as sent, in bytes; None if unknown.
        name: name of the provider in messages.
        max_bytes: maximum size of the body after decompression.
    """

    status: int
    media_type: str
    content_length: int | None
    name: str
    max_bytes: int
    _response: requests.Response = field(repr=False)
    _start: bytes | None = field(default=None, init=False, repr=False)
    _rest: Iterator[bytes] = field(default_factory=lambda: iter(()), init=False, repr=False)

    @classmethod
    def of(cls, response: requests.Response, *, name: str, max_bytes: int) -> Self:
        """Create the stream of a response that was opened with `stream=True`."""
        declared = response.headers.get("Content-Length", "")
        length = int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 20 else None
        return cls(
            status=response.status_code,
            media_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            content_length=length,
            name=name,
            max_bytes=max_bytes,
            _response=response,
        )

    @property
    def is_markup(self) -> bool:
        """Whether the body is HTML or XML, such as the error page of a gateway or file store.

        The first bytes decide. The media type does not: many servers send `text/html` for any content. Raises the
        errors of `chunks`.
        """
        return skip_bom_and_blanks(self._peek()).startswith(b"<")

    @property
    def content_tag(self) -> str:
        """An identifier of the complete body: its strong ETag and its length; empty if either is missing."""
        etag = self._response.headers.get("ETag", "").strip()
        return "" if self.content_length is None or not etag.startswith('"') else f"{etag} {self.content_length}"

    def read_head(self, size: int = 2048) -> bytes:
        """Return the first bytes, for an error message. The body cannot be streamed afterwards.

        Raises:
            Unavailable: the response ended early.
        """
        try:
            return self.read_start(size)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(
                f"the file of {self.name} cannot be read ({error_reason(error)})", advice=RETRY_LATER
            ) from None

    def read_start(self, size: int) -> bytes:
        """Return the first bytes as `read_head` does, but raise transport errors unchanged."""
        result = bytearray()
        for chunk in self._decompressed(min(size, CHUNK_BYTES)):
            result += chunk
            if len(result) >= size:
                break
        return bytes(result[:size])

    def chunks(self) -> Iterator[bytes]:
        """Return the decompressed bytes in chunks of at most 1 MiB.

        Raises:
            Partial: the body ended early, has no explicit end, or was not complete at its deadline.
            Failed: the body is too large, or has an encoding that was not requested.
        """
        start = self._peek()
        return itertools.chain([start] if start else [], self._rest)

    def _peek(self) -> bytes:
        """Return the first bytes, up to one that is not a blank; `chunks` returns them too."""
        if self._start is None:
            self._rest, start = self._checked_chunks(), b""
            for chunk in self._rest:
                start += chunk
                if skip_bom_and_blanks(start) or len(start) > RECEIVE_BYTES:
                    break
            self._start = start
        return self._start

    def _checked_chunks(self) -> Iterator[bytes]:
        """Yield the decompressed chunks; raise the errors of `chunks`."""
        if self.content_length is None and not self._chunked:
            raise Partial(f"the file of {self.name} has no length, so it may be incomplete", advice=RETRY_LATER)
        received = 0
        try:
            for chunk in self._decompressed(CHUNK_BYTES):
                received += len(chunk)
                if max(received, self.content_length or 0) > self.max_bytes:
                    raise Failed(
                        f"the file of {self.name} is larger than {self.max_bytes} bytes",
                        advice="Fix: raise the limit `file_bytes` of the resource if the file is a valid report.",
                    )
                yield chunk
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Partial(
                f"the file of {self.name} is incomplete ({error_reason(error)})", advice=RETRY_LATER
            ) from None

    @property
    def _chunked(self) -> bool:
        return self._response.headers.get("Transfer-Encoding", "").lower().endswith("chunked")

    def _decompressed(self, size: int) -> Iterator[bytes]:
        """Yield the decompressed bytes; chunks of compressed data have at most `size` bytes."""
        chunks = self._received_chunks()
        for _ in range(self._gzip_layers()):
            chunks = self._gunzip(chunks, size)
        start = b""
        for chunk in chunks:
            start += chunk
            if len(start) >= len(_GZIP):
                break
        chunks = itertools.chain([start] if start else [], chunks)
        return self._gunzip(chunks, size) if start.startswith(_GZIP) else chunks

    def _gzip_layers(self) -> int:
        """Return how many gzip encodings the headers name.

        Raises:
            Failed: the headers name another encoding, or too many.
        """
        names = self._response.headers.get("Content-Encoding", "").lower().split(",")
        encodings = [name.strip() for name in names if name.strip() in _GZIP_NAMES | _OTHER_ENCODINGS]
        refused = [encoding for encoding in encodings if encoding in _OTHER_ENCODINGS] or encodings[_MAX_LAYERS:]
        if refused:
            raise Failed(
                f"the file of {self.name} has the encoding {refused[0]!r}, which was not requested",
                advice="Fix: configure the provider, or the proxy, to send it uncompressed or as gzip.",
            )
        return len(encodings)

    def _received_chunks(self) -> Iterator[bytes]:
        """Yield the raw bytes as soon as they arrive, without waiting for a full chunk."""
        if self._chunked:
            yield from self._response.raw.stream(RECEIVE_BYTES, decode_content=False)
            return
        while chunk := self._response.raw.read1(CHUNK_BYTES, decode_content=False):
            yield chunk

    def _gunzip(self, raw: Iterator[bytes], size: int) -> Iterator[bytes]:
        """Yield the decompressed bytes of gzip data, at most `size` at a time."""
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
                        raise Failed(
                            f"the file of {self.name} decompresses to more than {produced} bytes, which is more than "
                            f"{MAX_EXPANSION} times its size",
                            advice="Fix: ask the provider's support.",
                        )
                    if data:
                        yield data
        except zlib.error:
            raise GzipError("its gzip data is damaged") from None
        if received and not inflater.eof:
            raise GzipError("its gzip data is truncated")


def skip_bom_and_blanks(start: bytes) -> bytes:
    """Return the start of a text without byte order mark and leading blanks."""
    return start.removeprefix(codecs.BOM_UTF8).lstrip()
