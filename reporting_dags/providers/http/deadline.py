"""A deadline for a whole response, head and body.

A timeout of the socket starts again with every byte, so a provider that drips could hold a run forever. This one holds
where the bytes are received, below everything that waits for more of them.
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


class LateError(TimeoutError):
    """A response was not whole at its deadline."""


@dataclass(frozen=True, slots=True)
class _Due:
    at: float
    seconds: float

    def left(self) -> float:
        left = self.at - time.monotonic()
        if left <= 0:
            raise self.late()
        return left

    def late(self) -> LateError:
        return LateError(f"not whole after {self.seconds:g} s")


_due: ContextVar[_Due | None] = ContextVar("due", default=None)


@contextmanager
def deadline(seconds: float) -> Generator[None]:
    """Responses to requests that are sent within this context must be whole in `seconds`, whenever they are read.

    What waits for longer raises what urllib3 makes of a timeout, with a `LateError` behind it.
    """
    token = _due.set(_Due(time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _due.reset(token)


class DeadlineAdapter(HTTPAdapter):
    """A transport of requests that keeps the `deadline` under which a request is sent."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As requests does, with connections that keep a deadline."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """As requests does, with connections that keep a deadline."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _DeadlineSocket(io.RawIOBase):
    """What a socket receives, until the deadline."""

    def __init__(self, sock: socket.socket, due: _Due) -> None:
        self._sock = sock
        self._due = due
        self._silence = sock.gettimeout()
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._due.left()
        last = self._silence is None or left < self._silence
        self._sock.settimeout(left if last else self._silence)
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            if last:
                raise self._due.late() from None
            raise

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, due: _Due, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineSocket(sock, due))


class _DeadlineConnection(HTTPConnection):
    def getresponse(self) -> Any:
        self._keep_deadline()
        return super().getresponse()

    def _tunnel(self) -> None:
        # A proxy answers too, before the request is sent; the connection may have served one with another deadline.
        self._keep_deadline()
        cast("Any", super())._tunnel()  # noqa: SLF001

    def _keep_deadline(self) -> None:
        due = _due.get()
        answer: Any = http.client.HTTPResponse if due is None else functools.partial(_DeadlineResponse, due=due)
        self.response_class = answer


class _DeadlineTlsConnection(HTTPSConnection, _DeadlineConnection):
    """The same over TLS."""

    def connect(self) -> None:
        """As urllib3 does; a handshake that takes too long is a connection that did not come about, not a lost answer.

        Raises:
            ConnectTimeoutError: the host or the proxy was silent before the request was sent.
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
