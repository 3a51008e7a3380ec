"""How an answer reaches the client, or fails to: the faults of the way back."""

import asyncio
from http import HTTPStatus

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from reporting_dags.sandbox.changed import CHANGED, MEBIBYTE, kept
from reporting_dags.sandbox.faults import Fault
from reporting_dags.sandbox.wire import Connection, Connections


def replaced(fault: Fault) -> Response | None:
    """The answer that takes the place of the honest one, or None if `fault` leaves that."""
    match fault.do:
        case "status":
            body = fault["body"]
            if isinstance(body, dict | list):
                return JSONResponse(body, int(fault["status"]), dict(fault["headers"]))
            return Response(str(body), int(fault["status"]), dict(fault["headers"]), "text/plain")
        case "html" | "xml":
            kind = "text/html" if fault.do == "html" else "application/xml"
            return Response(str(fault["body"]), media_type=kind)
        case "redirect":
            return Response(b"", int(fault["status"]), {"Location": str(fault["to"])})
        case "empty" | "reset":
            return Response(b"")
        case _:
            return None


class Delivery(Response):
    """An answer on a way that a fault has spoilt; only the parts of the way that HTTP itself forbids bypass uvicorn."""

    def __init__(self, answer: Response, fault: Fault, connections: Connections) -> None:
        super().__init__(bytes(answer.body), answer.status_code)
        self.raw_headers = [pair for pair in answer.raw_headers if pair[0] != b"content-length"]
        if fault.do == "media_type":
            self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-type"]
            self.raw_headers.append((b"content-type", str(fault["kind"]).encode()))
        self._fault = fault
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Deliver, as badly as the fault says."""
        body = bytes(self.body)
        match self._fault.do:
            case "stall":
                await self._stall(body, send)
            case "drip":
                await self._drip(body, send)
            case "endless":
                await self._endless(body or b" ", send)
            case do if do in CHANGED:
                await self._plain(*CHANGED[do](body, self._fault), send)
            case _:
                connection = self._connections.of(tuple(scope["client"]))
                if connection is not None:
                    await self._broken(body, connection)

    async def _start(self, send: Send, length: int, *, coding: str = "") -> None:
        headers = [*self.raw_headers, (b"content-length", str(length).encode())]
        if coding:
            headers.append((b"content-encoding", coding.encode()))
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})

    async def _plain(self, body: bytes, coding: str, send: Send) -> None:
        await self._start(send, len(body), coding=coding)
        await send({"type": "http.response.body", "body": body})

    async def _stall(self, body: bytes, send: Send) -> None:
        seconds = float(self._fault["seconds"])
        if self._fault["at"] == "head":
            await asyncio.sleep(seconds)
            await self._plain(body, "", send)
            return
        half = len(body) // 2
        await self._start(send, len(body))
        await send({"type": "http.response.body", "body": body[:half], "more_body": True})
        await asyncio.sleep(seconds)
        await send({"type": "http.response.body", "body": body[half:]})

    async def _drip(self, body: bytes, send: Send) -> None:
        size = max(1, -(-len(body) // int(self._fault["pieces"])))
        await self._start(send, len(body))
        for start in range(0, len(body), size):
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
            await asyncio.sleep(float(self._fault["pause"]))
        await send({"type": "http.response.body", "body": b""})

    async def _endless(self, body: bytes, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        piece = body * -(-MEBIBYTE // len(body))
        # What is sent to a client that has gone is dropped.
        for _ in range(int(self._fault["mebibytes"])):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _broken(self, body: bytes, connection: Connection) -> None:
        if self._fault.do == "reset":
            await connection.reset()
            return
        if self._fault.do == "garbled_head":
            connection.write(self._head(f"content-length: {len(body)}", "this is no header") + body)
            await connection.close()
            return
        if self._fault.do == "drip_head":
            head = self._head(f"content-length: {len(body)}")
            size = -(-len(head) // int(self._fault["pieces"]))
            for start in range(0, len(head), size):
                connection.write(head[start : start + size])
                await asyncio.sleep(float(self._fault["pause"]))
            connection.write(body)
            await connection.close()
            return
        arrived = kept(body, self._fault)
        match self._fault.do:
            case "cut":
                connection.write(self._head(f"content-length: {len(body)}") + arrived)
            case "cut_chunked":
                chunk = f"{len(arrived):x}\r\n".encode() + arrived + b"\r\n" if arrived else b""
                connection.write(self._head("transfer-encoding: chunked") + chunk)
            case _:
                # At the end of a row, where nothing but the number of rows gives it away.
                whole_rows = arrived[: arrived.rfind(b"\n") + 1]
                connection.write(self._head("connection: close") + whole_rows)
        await connection.close()

    def _head(self, *framing: str) -> bytes:
        phrase = HTTPStatus(self.status_code).phrase
        lines = [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in self.raw_headers]
        return "\r\n".join((f"HTTP/1.1 {self.status_code} {phrase}", *lines, *framing, "", "")).encode("latin-1")
