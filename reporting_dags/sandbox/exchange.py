"""The way of every request: read, noted in the log, struck by a fault or not, answered."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.delivery import Delivery, replaced
from reporting_dags.sandbox.endpoint import Call, Endpoint
from reporting_dags.sandbox.faults import ANSWER_FAULTS, Fault, Faults
from reporting_dags.sandbox.log import Log
from reporting_dags.sandbox.wire import Connections

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NOWHERE = "none"
"""The point under which requests to paths that no provider has are logged."""

# Faults whose answer takes the honest one's place and then goes its ordinary way.
_IN_PLACE = frozenset({"status", "html", "xml", "empty", "redirect"})


class Exchange:
    """Turns endpoints into routes."""

    def __init__(self, *, clock: Clock, log: Log, faults: Faults, connections: Connections) -> None:
        self._clock = clock
        self._log = log
        self._faults = faults
        self._connections = connections

    def route(self, endpoint: Endpoint) -> Route:
        """The route on which `endpoint` answers, to every method so that refused ones are logged too."""

        async def answer(request: Request) -> Response:
            call = await self._call(request)
            return await self._answer(request, endpoint, call)

        return _QueryRoute(endpoint, answer)

    def nowhere(self) -> Route:
        """The route of every path that no provider has: 404, logged."""

        async def lost(_call: Call) -> Response:
            return JSONResponse({"error": "not_found"}, 404)

        return self.route(Endpoint(NOWHERE, METHODS, "/{path:path}", lost))

    async def _call(self, request: Request) -> Call:
        return Call(
            method=request.method,
            origin=f"{request.url.scheme}://{request.url.netloc}",
            path=request.url.path,
            query=request.query_params.multi_items(),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.body(),
            now=self._clock.now(),
        )

    async def _answer(self, request: Request, endpoint: Endpoint, call: Call) -> Response:
        number = self._log.begin(
            at=call.now,
            point=endpoint.point,
            method=call.method,
            path=call.path,
            query=request.url.query,
            headers=call.headers,
            body=_readable(call.body),
        )
        subject = endpoint.subject(call)
        if subject is None:
            fault = self._faults.strike(endpoint.point, None, None, None)
        else:
            fault = self._faults.strike(endpoint.point, subject.source, subject.first, subject.last)
        call.fault = fault
        response = await self._made(endpoint, call)
        status = None if call.fault_is("reset") else response.status_code
        self._log.answered(number, status=status, fault=fault.do if fault else None, facts=call.facts)
        return self._delivered(response, fault)

    async def _made(self, endpoint: Endpoint, call: Call) -> Response:
        instead = replaced(call.fault) if call.fault is not None else None
        if instead is not None and call.fault is not None and not call.fault.effect:
            return instead
        if call.method not in endpoint.methods:
            return JSONResponse({"error": "method_not_allowed"}, 405, {"Allow": ", ".join(endpoint.methods)})
        honest = await endpoint.handler(call)
        return instead if instead is not None else honest

    def _delivered(self, response: Response, fault: Fault | None) -> Response:
        if fault is None or fault.do in _IN_PLACE or fault.do not in ANSWER_FAULTS:
            return response
        return Delivery(response, fault, self._connections)


class _QueryRoute(Route):
    """The route of an endpoint, passed over by requests whose query it does not want."""

    def __init__(self, endpoint: Endpoint, answer: Callable[[Request], Awaitable[Response]]) -> None:
        super().__init__(endpoint.path, answer, methods=list(METHODS))
        self._wants = endpoint.wants

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for this route, and what it adds to the scope."""
        match, found = super().matches(scope)
        if match is Match.NONE or self._wants(QueryParams(scope["query_string"]).multi_items()):
            return match, found
        return Match.NONE, {}


def _readable(body: bytes) -> Any:
    """The body as JSON where it is, else as text; None where there is none."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", errors="replace")
