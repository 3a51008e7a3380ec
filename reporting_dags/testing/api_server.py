"""A real HTTP server on the loopback interface that emulates a provider's API."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request of the client.

    Attributes:
        method: HTTP method.
        path: path below the address of the server, without the query.
        query: query parameters.
        target: path and query as they were sent.
        headers: headers; names are in lower case.
        body: the body.
    """

    method: str
    path: str
    query: Mapping[str, str]
    target: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; raise `ValueError` if it is not."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The response to one call.

    Attributes:
        status: HTTP status.
        body: the body.
        headers: headers besides `Content-Length` and `Date`.
        is_cut: whether only half of the body is sent, although `Content-Length` says all of it.
        is_lost: whether the connection is reset before the first byte of the response.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    is_cut: bool = False
    is_lost: bool = False

    @classmethod
    def of_json(cls, value: object, status: int = 200) -> Self:
        """Return a reply with `value` as JSON."""
        return cls(status=status, body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


@dataclass(slots=True)
class ApiServer:
    """What the server at `url` responds, and what it was asked.

    Attributes:
        url: address of the server, without a slash at the end.
        respond: returns the reply to a call, whose number is counted from 0.
        now: returns the time for the `Date` header.
        calls: all calls so far.
        errors: what `respond` raised; the client got a 500.
    """

    url: str
    respond: Callable[[Call, int], Reply]
    now: Callable[[], datetime]
    calls: list[Call] = field(default_factory=list[Call])
    errors: list[Exception] = field(default_factory=list[Exception])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, call: Call) -> Reply:
        """Record the call and return its reply. Calls are answered one after another."""
        with self._lock:
            number = len(self.calls)
            self.calls.append(call)
            try:
                return self.respond(call, number)
            except Exception as error:  # noqa: BLE001 - whatever the test raises is shown by the test
                self.errors.append(error)
                return Reply(status=500)


@contextmanager
def api_server(respond: Callable[[Call, int], Reply], now: Callable[[], datetime]) -> Generator[ApiServer]:
    """Run a server for the duration of the context, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:
                # The client closed the connection.
                self.close_connection = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            reply = server.reply(
                Call(
                    method=self.command,
                    path=parts.path,
                    query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                    target=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(length),
                )
            )
            if reply.is_lost:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            self.send_header("Date", format_datetime(server.now().astimezone(UTC), usegmt=True))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body)
            self.close_connection = self.close_connection or reply.is_cut

        do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Write nothing to stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server = ApiServer(url=f"http://127.0.0.1:{http.server_address[1]}", respond=respond, now=now)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
