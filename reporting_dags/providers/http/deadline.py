"""A deadline for a complete response, headers and body.

A socket timeout restarts with every byte, so a provider that sends one byte at a time could block a run forever. This
deadline is enforced where the bytes are received, so it covers every read.
"""

import functools
import http.client
import io
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError


class DeadlineExceeded(TimeoutError):
    """A response was not complete at its deadline."""


@dataclass(frozen=True, slots=True)
class _Deadline:
    """A deadline: the time of `time.monotonic` at which it expires, and its length in seconds."""

    expires_at: float
    seconds: float

    def remaining(self) -> float:
        """Return the remaining seconds; raise `DeadlineExceeded` if there are none."""
        remaining = self.expires_at - time.monotonic()
        if remaining <= 0:
            raise self.error()
        return remaining

    def error(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"not complete after {self.seconds:g} s")


_current: ContextVar[_Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Generator[None]:
    """Limit the time of requests that are sent within this context: the response must be complete within `seconds`.

    The limit also applies if the response is read after the context has ended. A read that exceeds it raises urllib3's
    timeout error, caused by a `DeadlineExceeded`.
    """
    token = _current.set(_Deadline(time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _current.reset(token)


class DeadlineAdapter(HTTPAdapter):
    """A transport adapter for requests that enforces the `deadline` of the context in which a request is sent."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Do the same as requests, with connections that enforce a deadline."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Do the same as requests, with connections that enforce a deadline."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _DeadlineSocket(io.RawIOBase):
    """The received bytes of a socket, until the deadline."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._read_timeout = sock.gettimeout()
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._deadline.remaining()
        until_deadline = self._read_timeout is None or remaining < self._read_timeout
        self._sock.settimeout(remaining if until_deadline else self._read_timeout)
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            if until_deadline:
                raise self._deadline.error() from None
            raise

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, deadline: _Deadline, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineSocket(sock, deadline))


class _DeadlineConnection(HTTPConnection):
    def getresponse(self) -> Any:
        self._set_response_class()
        return super().getresponse()

    def _tunnel(self) -> None:
        # A proxy responds before the request is sent. The connection may have an earlier request's deadline.
        self._set_response_class()
        cast("Any", super())._tunnel()  # noqa: SLF001

    def _set_response_class(self) -> None:
        """Let the next response enforce the deadline of the current context."""
        current = _current.get()
        response_class: Any = http.client.HTTPResponse
        if current is not None:
            response_class = functools.partial(_DeadlineResponse, deadline=current)
        self.response_class = response_class


class _DeadlineTlsConnection(HTTPSConnection, _DeadlineConnection):
    """A `_DeadlineConnection` over TLS."""

    def connect(self) -> None:
        """Connect as urllib3 does, but report a slow TLS handshake as a failed connection, not as a lost response.

        Raises:
            ConnectTimeoutError: the host or the proxy sent nothing before the request was sent.
        """
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no TLS connection in time") from error


class _Pool(HTTPConnectionPool):
    ConnectionCls = cast("Any", _DeadlineConnection)


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = cast("Any", _DeadlineTlsConnection)


_POOLS = {"http": _Pool, "https": _TlsPool}
