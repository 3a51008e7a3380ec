"""Fetching a file from the address that a provider returned: without credentials, and whole or not at all.

The address comes from outside, so it is followed only to the provider's own origin or to its allow-list, at every hop.
A body counts as whole when its end is marked, by `Content-Length` or by the last chunk. One that just ends when the
connection closes may be cut anywhere and is refused; so is gzip that ends before its own trailer.
"""

import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin

import requests
import urllib3

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Failed, Partial
from reporting_dags.providers.http import LATER, Unavailable, bare_session, origin, why

CHUNK = 1024 * 1024
PIECE = 64 * 1024
MOST_REDIRECTS = 5
MOST_EXPANSION = 200
"""A gzip body that grows by more than this is no report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedOrigins:
    """Where a provider's files may lie.

    Attributes:
        base_url: the provider's API; its exact origin (scheme, host, port) is allowed.
        suffixes: endings of hosts allowed over https, such as `.amazonaws.com`.
    """

    base_url: str
    suffixes: tuple[str, ...] = ()

    def check(self, url: str, *, name: str) -> None:
        """Raise `Failed` unless `url` may be fetched; the message names the host alone, never the signed address."""
        try:
            scheme, host, port = origin(url)
        except ValueError:
            raise Failed(f"{name} returned a download address that is no http(s) URL; it was not followed") from None
        if (scheme, host, port) == origin(self.base_url):
            return
        if scheme == "https" and port == 443 and any(host.endswith(suffix) for suffix in self.suffixes):
            return
        raise Failed(
            f"{name} returned a download address on {scheme}://{host}:{port}, which is not its own: not followed",
            advice="If the provider moved its files, ask its support before allowing the host.",
        )


@dataclass(slots=True, kw_only=True)
class Body:
    """An open answer: its status, and its bytes as they arrive."""

    status: int
    length: int | None
    name: str
    _response: requests.Response = field(repr=False)
    _clock: Clock = field(repr=False)
    _seconds: float = 3600.0

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


class Downloads:
    """A session that has no credentials, for files alone."""

    def __init__(
        self,
        *,
        name: str,
        allowed: AllowedOrigins,
        clock: Clock,
        timeout: tuple[float, float] = (10.0, 60.0),
        seconds: float = 3600.0,
    ) -> None:
        self._name = name
        self.allowed = allowed
        self._clock = clock
        self._timeout = timeout
        self._seconds = seconds
        self._session = bare_session()
        self._session.headers["Accept-Encoding"] = "identity"

    @contextmanager
    def open(self, url: str) -> Generator[Body]:
        """The answer at `url`, after at most five redirects, each checked.

        Raises:
            Failed: the address, or one that it redirects to, is not the provider's.
            Unavailable: nothing answered.
        """
        response = self._follow(url)
        try:
            declared = response.headers.get("Content-Length", "")
            yield Body(
                status=response.status_code,
                length=int(declared) if declared.isascii() and declared.isdigit() else None,
                name=self._name,
                _response=response,
                _clock=self._clock,
                _seconds=self._seconds,
            )
        finally:
            response.close()

    def _follow(self, url: str) -> requests.Response:
        for _ in range(MOST_REDIRECTS + 1):
            self.allowed.check(url, name=self._name)
            try:
                response = self._session.get(url, timeout=self._timeout, allow_redirects=False, stream=True)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise Unavailable(f"the file of {self._name} did not answer ({why(error)})", advice=LATER) from None
            if not response.is_redirect:
                return response
            response.close()
            try:
                url = urljoin(url, response.headers["Location"])
            except ValueError:
                raise Failed(f"the file of {self._name} redirects to what is no URL; it was not followed") from None
        raise Failed(f"the file of {self._name} redirects more than {MOST_REDIRECTS} times")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
