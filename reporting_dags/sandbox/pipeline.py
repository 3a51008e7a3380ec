"""The pipeline of every request: read, log, apply a fault, respond."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.endpoint import Call, Endpoint
from reporting_dags.sandbox.faults import RESPONSE_FAULTS, Fault, Faults
from reporting_dags.sandbox.faulty_response import FaultyResponse, replacement_response
from reporting_dags.sandbox.request_log import RequestLog
from reporting_dags.sandbox.transport import Connections

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNKNOWN_PATH = "none"
"""The point under which requests to unknown paths are logged."""

# Faults that replace the correct response with another one, which is sent without further damage.
_REPLACEMENT_FAULTS = frozenset({"status", "html", "xml", "empty", "redirect"})


class RequestPipeline:
    """Create the route of each endpoint, with logging and faults."""

    def __init__(self, *, clock: Clock, log: RequestLog, faults: Faults, connections: Connections) -> None:
        self._clock = clock
        self._log = log
        self._faults = faults
        self._connections = connections

    def route(self, endpoint: Endpoint) -> Route:
        """Return the route of `endpoint`. It accepts all methods, so that refused methods are logged too."""

        async def respond(request: Request) -> Response:
            call = await self._read_call(request)
            return await self._respond(request, endpoint, call)

        return _QueryRoute(endpoint, respond)

    def not_found_route(self) -> Route:
        """Return the route of all other paths, which logs the request and responds with 404."""

        async def not_found(_call: Call) -> Response:
            return JSONResponse({"error": "not_found"}, 404)

        return self.route(Endpoint(UNKNOWN_PATH, METHODS, "/{path:path}", not_found))

    async def _read_call(self, request: Request) -> Call:
        return Call(
            method=request.method,
            origin=f"{request.url.scheme}://{request.url.netloc}",
            path=request.url.path,
            query=request.query_params.multi_items(),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.body(),
            now=self._clock.now(),
        )

    async def _respond(self, request: Request, endpoint: Endpoint, call: Call) -> Response:
        number = self._log.record_request(
            at=call.now,
            point=endpoint.point,
            method=call.method,
            path=call.path,
            query=request.url.query,
            headers=call.headers,
            body=_parsed_body(call.body),
        )
        subject = endpoint.subject(call)
        if subject is None:
            fault = self._faults.next_fault(endpoint.point, None, None, None)
        else:
            fault = self._faults.next_fault(endpoint.point, subject.source, subject.first, subject.last)
        call.fault = fault
        response = await self._handle(endpoint, call)
        status = None if call.fault_is("reset") else response.status_code
        self._log.record_response(number, status=status, fault=fault.do if fault else None, facts=call.facts)
        return self._with_fault(response, fault)

    async def _handle(self, endpoint: Endpoint, call: Call) -> Response:
        replacement = replacement_response(call.fault) if call.fault is not None else None
        if replacement is not None and call.fault is not None and not call.fault.effect:
            return replacement
        if call.method not in endpoint.methods:
            return JSONResponse({"error": "method_not_allowed"}, 405, {"Allow": ", ".join(endpoint.methods)})
        response = await endpoint.handler(call)
        return replacement if replacement is not None else response

    def _with_fault(self, response: Response, fault: Fault | None) -> Response:
        if fault is None or fault.do in _REPLACEMENT_FAULTS or fault.do not in RESPONSE_FAULTS:
            return response
        return FaultyResponse(response, fault, self._connections)


class _QueryRoute(Route):
    """The route of an endpoint that accepts only some query strings."""

    def __init__(self, endpoint: Endpoint, handler: Callable[[Request], Awaitable[Response]]) -> None:
        super().__init__(endpoint.path, handler, methods=list(METHODS))
        self._accepts_query = endpoint.accepts_query

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the request matches this route, and the additions to its scope."""
        match, child_scope = super().matches(scope)
        if match is Match.NONE or self._accepts_query(QueryParams(scope["query_string"]).multi_items()):
            return match, child_scope
        return Match.NONE, {}


def _parsed_body(body: bytes) -> Any:
    """Return the body as JSON if possible, else as text; None if it is empty."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", errors="replace")
