"""The connections under the HTTP server, for answers that HTTP does not allow."""

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection:
    """One client's TCP connection."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.gone = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Send `data` as it is."""
        self._transport.write(data)

    async def close(self) -> None:
        """End the connection in order, once everything written has been sent."""
        self._transport.close()
        try:
            await asyncio.wait_for(self.gone.wait(), timeout=5)
        except TimeoutError:
            # The client does not read: the rest is not worth keeping the connection for.
            self._transport.abort()
            await self.gone.wait()

    async def reset(self) -> None:
        """End the connection with a TCP reset."""
        raw = self._transport.get_extra_info("socket")
        # A linger time of zero makes the kernel send RST instead of FIN.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        await self.gone.wait()


class Connections:
    """The open connections by the client's address, which is what ASGI tells of them."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], Connection] = {}

    def of(self, client: tuple[str, int]) -> Connection | None:
        """The connection of the client at that address; None when it has gone."""
        return self._open.get(client)

    def protocol(self) -> type[asyncio.Protocol]:
        """A protocol for uvicorn that keeps this registry."""
        connections = self._open

        class KnownConnection(H11Protocol):
            """uvicorn's own, noted while it is open."""

            _address: tuple[str, int]

            def connection_made(self, transport: Any) -> None:
                self._address = tuple(transport.get_extra_info("peername")[:2])
                connections[self._address] = Connection(transport)
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                connections.pop(self._address).gone.set()

        return KnownConnection
