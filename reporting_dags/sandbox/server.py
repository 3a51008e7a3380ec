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
from reporting_dags.sandbox.data_owner import ORDINARY
from reporting_dags.sandbox.date_header import DateHeader
from reporting_dags.sandbox.digital_turbine.provider import DigitalTurbine
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.endpoint import Provider
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.integr8.provider import Integr8
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.mintegral.provider import Mintegral
from reporting_dags.sandbox.mintegral.settings import MintegralSettings
from reporting_dags.sandbox.orangeclick.provider import OrangeClick
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings
from reporting_dags.sandbox.pipeline import RequestPipeline
from reporting_dags.sandbox.provider_settings import ProviderSettings
from reporting_dags.sandbox.request_log import RequestLog
from reporting_dags.sandbox.settings import Settings
from reporting_dags.sandbox.transport import Connections

START_SECONDS = 10

PROVIDERS: Mapping[str, tuple[Callable[..., Provider], Callable[[], ProviderSettings]]] = {
    "dt": (DigitalTurbine, DtSettings),
    "mintegral": (Mintegral, MintegralSettings),
    "orangeclick": (OrangeClick, OrangeClickSettings),
    "integr8": (Integr8, Integr8Settings),
}
"""Every emulated provider and the class of its settings, by name."""


class Sandbox:
    """The complete state of a sandbox; `url` is its origin while it runs."""

    def __init__(
        self,
        *,
        seed: int,
        at: datetime | None = None,
        frozen: bool = False,
        settings: Mapping[str, ProviderSettings] | None = None,
    ) -> None:
        self.url = ""
        self.clock = Clock(at, frozen=frozen)
        self.log = RequestLog()
        self.faults = Faults()
        start = {name: kind() for name, (_, kind) in PROVIDERS.items()}
        self.settings = Settings({**start, **(settings or {})})
        self.providers: Mapping[str, Provider] = {
            name: make(
                seed=seed, clock=self.clock, settings=functools.partial(self.settings.of, name), faults=self.faults
            )
            for name, (make, _) in PROVIDERS.items()
        }
        for provider in self.providers.values():
            points = {endpoint.point: endpoint.handler_faults for endpoint in provider.endpoints}
            self.faults.register(points, provider.data_point)
        self.connections = Connections()

    @property
    def credentials(self) -> Mapping[str, Any]:
        """The accounts of Digital Turbine by name (ordinary, other, revoked), with client_id and client_secret."""
        return self.providers["dt"].credentials

    def reset(self) -> None:
        """Restore the initial state: clock and settings, no faults, an empty log, no tokens, files or jobs."""
        self.clock.reset()
        self.settings.reset()
        self.faults.clear()
        self.log.clear()
        for provider in self.providers.values():
            provider.reset()

    def truth(
        self, report: str, day: date | str, at: datetime | None = None, account: str = ORDINARY
    ) -> list[dict[str, str]]:
        """Return the sorted rows of `day` in a correct response for the shipped `report` at `at` (None: now).

        Raises:
            ValueError: the report or the account does not exist.
        """
        parsed_day = date.fromisoformat(day) if isinstance(day, str) else day
        return truth(self.providers, report, parsed_day, at, account)

    def app(self) -> Starlette:
        """Return the sandbox as an ASGI application."""
        exchange = RequestPipeline(clock=self.clock, log=self.log, faults=self.faults, connections=self.connections)
        control = Control(
            clock=self.clock,
            log=self.log,
            faults=self.faults,
            settings=self.settings,
            providers=self.providers,
            reset=self.reset,
        )
        endpoints = [endpoint for provider in self.providers.values() for endpoint in provider.endpoints]
        routes = [*control.routes(), *[exchange.route(endpoint) for endpoint in endpoints], exchange.not_found_route()]
        return Starlette(routes=routes, middleware=[Middleware(DateHeader, clock=self.clock)])


@contextlib.contextmanager
def running_sandbox(
    seed: int = 7,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    at: datetime | None = None,
    frozen: bool = False,
    **settings: ProviderSettings,
) -> Generator[Sandbox]:
    """Run a sandbox in a thread of this process until the block ends.

    Args:
        seed: seed of the generated data.
        host: address to listen on.
        port: port to listen on; 0 selects a free one.
        at: initial time of the sandbox; None for the real time.
        frozen: whether the clock is frozen.
        settings: initial settings by provider: `dt`, `mintegral`, `orangeclick`, `integr8`.

    Raises:
        OSError: the port is in use.
        RuntimeError: the server does not start.
    """
    sandbox = Sandbox(seed=seed, at=at, frozen=frozen, settings=settings)
    listener = socket.create_server((host, port))
    # Connections inherit this option. Without it, each response waits 40 ms for the client to acknowledge its head.
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
            # The registry of connections uses the real client address.
            proxy_headers=False,
            # The middleware sets the date of the sandbox.
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
