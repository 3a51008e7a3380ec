"""The sandbox itself, running: for tests as a handle, for the command line as a process."""

import asyncio
import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from datetime import date, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.control import Control, truth
from reporting_dags.sandbox.dated import Dated
from reporting_dags.sandbox.digital_turbine.provider import DigitalTurbine
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.endpoint import Provider
from reporting_dags.sandbox.exchange import Exchange
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.integr8.provider import Integr8
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.log import Log
from reporting_dags.sandbox.mintegral.provider import Mintegral
from reporting_dags.sandbox.mintegral.settings import MintegralSettings
from reporting_dags.sandbox.orangeclick.provider import OrangeClick
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings
from reporting_dags.sandbox.owner import ORDINARY
from reporting_dags.sandbox.settings import Settings
from reporting_dags.sandbox.switches import Switches
from reporting_dags.sandbox.wire import Connections

START_SECONDS = 10

PROVIDERS: Mapping[str, tuple[Callable[..., Provider], Callable[[], Switches]]] = {
    "dt": (DigitalTurbine, DtSettings),
    "mintegral": (Mintegral, MintegralSettings),
    "orangeclick": (OrangeClick, OrangeClickSettings),
    "integr8": (Integr8, Integr8Settings),
}
"""Every emulated provider and its switches, by name."""


class Sandbox:
    """Everything that one sandbox is; `url` is its origin once it runs."""

    def __init__(
        self,
        *,
        seed: int,
        at: datetime | None = None,
        frozen: bool = False,
        switches: Mapping[str, Switches] | None = None,
    ) -> None:
        self.url = ""
        self.clock = Clock(at, frozen=frozen)
        self.log = Log()
        self.faults = Faults()
        start = {name: kind() for name, (_, kind) in PROVIDERS.items()}
        self.settings = Settings({**start, **(switches or {})})
        self.providers: Mapping[str, Provider] = {
            name: make(
                seed=seed, clock=self.clock, settings=functools.partial(self.settings.of, name), faults=self.faults
            )
            for name, (make, _) in PROVIDERS.items()
        }
        for provider in self.providers.values():
            points = {endpoint.point: endpoint.carries_out for endpoint in provider.endpoints}
            self.faults.learn(points, provider.data_point)
        self.connections = Connections()

    @property
    def credentials(self) -> Mapping[str, Any]:
        """Digital Turbine's accounts by name (ordinary, other, revoked), each with client_id and client_secret."""
        return self.providers["dt"].credentials

    def reset(self) -> None:
        """Be as at the start: clock, settings, no faults, an empty log, no token, file or query made."""
        self.clock.reset()
        self.settings.reset()
        self.faults.clear()
        self.log.clear()
        for provider in self.providers.values():
            provider.reset()

    def truth(
        self, report: str, day: date | str, at: datetime | None = None, account: str = ORDINARY
    ) -> list[dict[str, str]]:
        """The rows of `day` that an honest answer to the shipped `report` requested at `at` (None: now) holds, sorted.

        Raises:
            ValueError: There is no such report or account.
        """
        asked = date.fromisoformat(day) if isinstance(day, str) else day
        return truth(self.providers, report, asked, at, account)

    def app(self) -> Starlette:
        """The whole as one ASGI application."""
        exchange = Exchange(clock=self.clock, log=self.log, faults=self.faults, connections=self.connections)
        control = Control(
            clock=self.clock,
            log=self.log,
            faults=self.faults,
            settings=self.settings,
            providers=self.providers,
            reset=self.reset,
        )
        endpoints = [endpoint for provider in self.providers.values() for endpoint in provider.endpoints]
        routes = [*control.routes(), *[exchange.route(endpoint) for endpoint in endpoints], exchange.nowhere()]
        return Starlette(routes=routes, middleware=[Middleware(Dated, clock=self.clock)])


@contextlib.contextmanager
def running_sandbox(
    seed: int = 7,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    at: datetime | None = None,
    frozen: bool = False,
    **switches: Switches,
) -> Generator[Sandbox]:
    """A sandbox that answers on `host` until the block ends, from a thread of this process.

    Args:
        seed: What its data is made from.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        at: The sandbox's time at the start; None is the real time.
        frozen: Whether that time stands still.
        switches: Switches at the start, by provider: `dt`, `mintegral`, `orangeclick`, `integr8`.

    Raises:
        OSError: The port is taken.
        RuntimeError: The server does not come up.
    """
    sandbox = Sandbox(seed=seed, at=at, frozen=frozen, switches=switches)
    listener = socket.create_server((host, port))
    # Connections inherit it. Without it each answer waits 40 ms for the client to acknowledge its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sandbox.url = f"http://{host}:{listener.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(
            sandbox.app(),
            http=sandbox.connections.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            # The registry of connections goes by the client's real address.
            proxy_headers=False,
            # Answers bear the sandbox's own date.
            date_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), name="sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield sandbox
    finally:
        server.should_exit = True
        thread.join(timeout=START_SECONDS)
        listener.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the sandbox's server did not start")
        time.sleep(0.005)
