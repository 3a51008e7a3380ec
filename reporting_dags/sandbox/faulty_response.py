"""Responses with faults in their transfer."""

import asyncio
from http import HTTPStatus

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from reporting_dags.sandbox.body_faults import BODY_FAULTS, MEBIBYTE, truncated
from reporting_dags.sandbox.faults import Fault
from reporting_dags.sandbox.transport import Connection, Connections


def replacement_response(fault: Fault) -> Response | None:
    """Return the response that replaces the correct one; None if `fault` does not replace it."""
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


class FaultyResponse(Response):
    """A response that is sent with a fault. What HTTP forbids is sent directly to the connection, without uvicorn."""

    def __init__(self, response: Response, fault: Fault, connections: Connections) -> None:
        super().__init__(bytes(response.body), response.status_code)
        self.raw_headers = [pair for pair in response.raw_headers if pair[0] != b"content-length"]
        if fault.do == "media_type":
            self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-type"]
            self.raw_headers.append((b"content-type", str(fault["kind"]).encode()))
        self._fault = fault
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the response with its fault."""
        body = bytes(self.body)
        match self._fault.do:
            case "stall":
                await self._stall(body, send)
            case "drip":
                await self._drip(body, send)
            case "endless":
                await self._endless(body or b" ", send)
            case do if do in BODY_FAULTS:
                await self._send_body(*BODY_FAULTS[do](body, self._fault), send)
            case _:
                connection = self._connections.of(tuple(scope["client"]))
                if connection is not None:
                    await self._send_raw(body, connection)

    async def _start(self, send: Send, length: int, *, coding: str = "") -> None:
        headers = [*self.raw_headers, (b"content-length", str(length).encode())]
        if coding:
            headers.append((b"content-encoding", coding.encode()))
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})

    async def _send_body(self, body: bytes, coding: str, send: Send) -> None:
        await self._start(send, len(body), coding=coding)
        await send({"type": "http.response.body", "body": body})

    async def _stall(self, body: bytes, send: Send) -> None:
        seconds = float(self._fault["seconds"])
        if self._fault["at"] == "head":
            await asyncio.sleep(seconds)
            await self._send_body(body, "", send)
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
        chunk = body * -(-MEBIBYTE // len(body))
        # uvicorn drops data for a client that has disconnected.
        for _ in range(int(self._fault["mebibytes"])):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _send_raw(self, body: bytes, connection: Connection) -> None:
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
        sent = truncated(body, self._fault)
        match self._fault.do:
            case "cut":
                connection.write(self._head(f"content-length: {len(body)}") + sent)
            case "cut_chunked":
                chunk = f"{len(sent):x}\r\n".encode() + sent + b"\r\n" if sent else b""
                connection.write(self._head("transfer-encoding: chunked") + chunk)
            case _:
                # Cut at the end of a row: only the number of rows reveals it.
                complete_rows = sent[: sent.rfind(b"\n") + 1]
                connection.write(self._head("connection: close") + complete_rows)
        await connection.close()

    def _head(self, *framing: str) -> bytes:
        phrase = HTTPStatus(self.status_code).phrase
        lines = [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in self.raw_headers]
        return "\r\n".join((f"HTTP/1.1 {self.status_code} {phrase}", *lines, *framing, "", "")).encode("latin-1")
