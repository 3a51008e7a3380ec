"""Access to the TCP connections of the HTTP server, for responses that HTTP does not allow."""

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection:
    """The TCP connection of a client."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.closed = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Send `data` without any change."""
        self._transport.write(data)

    async def close(self) -> None:
        """Close the connection after all written data is sent."""
        self._transport.close()
        try:
            await asyncio.wait_for(self.closed.wait(), timeout=5)
        except TimeoutError:
            # The client does not read. Do not wait longer.
            self._transport.abort()
            await self.closed.wait()

    async def reset(self) -> None:
        """Reset the connection (TCP RST)."""
        raw = self._transport.get_extra_info("socket")
        # A linger time of zero makes the kernel send RST instead of FIN.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        await self.closed.wait()


class Connections:
    """The open connections by client address, the only identification of a connection in ASGI."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], Connection] = {}

    def of(self, client: tuple[str, int]) -> Connection | None:
        """Return the connection of a client address; None if it is closed."""
        return self._open.get(client)

    def protocol(self) -> type[asyncio.Protocol]:
        """Return a protocol class for uvicorn that registers its connections here."""
        connections = self._open

        class RegisteredConnection(H11Protocol):
            """The protocol of uvicorn, registered while it is connected."""

            _address: tuple[str, int]

            def connection_made(self, transport: Any) -> None:
                self._address = tuple(transport.get_extra_info("peername")[:2])
                connections[self._address] = Connection(transport)
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                connections.pop(self._address).closed.set()

        return RegisteredConnection
