"""The HTTP control endpoints of the sandbox, for other processes. Their requests are not logged."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.data_owner import ORDINARY
from reporting_dags.sandbox.endpoint import Provider
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.request_log import RequestLog
from reporting_dags.sandbox.settings import Settings

Handler = Callable[[Request], Awaitable[Response]]
PREFIX = "/_sandbox"


class Control:
    """The control endpoints of one sandbox."""

    def __init__(
        self,
        *,
        clock: Clock,
        log: RequestLog,
        faults: Faults,
        settings: Settings,
        providers: Mapping[str, Provider],
        reset: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._log = log
        self._faults = faults
        self._settings = settings
        self._providers = providers
        self._reset = reset

    def routes(self) -> list[Route]:
        """Return the routes of the control endpoints."""
        controls: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/health", self._health),
            ("GET", "/clock", self._get_clock),
            ("POST", "/clock", self._change_clock),
            ("GET", "/log", self._get_log),
            ("DELETE", "/log", self._clear_log),
            ("GET", "/faults", self._get_faults),
            ("POST", "/faults", self._add_fault),
            ("DELETE", "/faults", self._remove_faults),
            ("GET", "/settings", self._get_settings),
            ("POST", "/settings", self._change_settings),
            ("GET", "/truth", self._get_truth),
            ("POST", "/reset", self._post_reset),
        )
        return [
            Route(PREFIX + path, _with_error_response(handler), methods=[method]) for method, path, handler in controls
        ]

    async def _health(self, request: Request) -> Response:
        """Return the time, the reports, the accepted credentials and the environment variables of a client."""
        credentials = {
            name: {account: dict(pair.__dict__) for account, pair in provider.credentials.items()}
            for name, provider in self._providers.items()
        }
        reports = [report for provider in self._providers.values() for report in provider.reports]
        url = str(request.base_url).rstrip("/")
        variables: dict[str, dict[str, str]] = {}
        for provider in self._providers.values():
            for account in provider.credentials:
                variables.setdefault(account, {}).update(provider.variables(url, account))
        facts = {"status": "ok", "now": self._clock.now().isoformat(), "reports": reports}
        return JSONResponse({**facts, "credentials": credentials, "variables": variables})

    async def _get_clock(self, _request: Request) -> Response:
        return JSONResponse({"now": self._clock.now().isoformat(), "frozen": self._clock.frozen})

    async def _change_clock(self, request: Request) -> Response:
        """Change the clock: `{"set": ISO time}` or `{"advance": seconds}`, and `{"frozen": true or false}`."""
        body = await _body(request)
        if unknown := sorted(set(body) - {"set", "advance", "frozen"}):
            raise ValueError(f"the clock accepts set, advance and frozen, not {', '.join(unknown)}")
        if "set" in body:
            self._clock.set(datetime.fromisoformat(body["set"]))
        if "advance" in body:
            self._clock.advance(float(body["advance"]))
        if "frozen" in body:
            (self._clock.freeze if body["frozen"] else self._clock.thaw)()
        return await self._get_clock(request)

    async def _get_log(self, request: Request) -> Response:
        """Return log entries, filtered by `point`, `status`, `fault` and `since` (a number) in the query."""
        query = request.query_params
        status = int(query["status"]) if "status" in query else None
        entries = self._log.entries(
            query.get("point"), status=status, fault=query.get("fault"), since=int(query.get("since", "0"))
        )
        return JSONResponse({"count": len(entries), "entries": [entry.as_json() for entry in entries]})

    async def _clear_log(self, _request: Request) -> Response:
        self._log.clear()
        return JSONResponse({})

    async def _get_faults(self, _request: Request) -> Response:
        return JSONResponse({"faults": [fault.as_json() for fault in self._faults.scripted()]})

    async def _add_fault(self, request: Request) -> Response:
        """Add a fault from `{"point", "do", …}`, the arguments of `Faults.add`, and return its number."""
        body = await _body(request)
        if "point" not in body or "do" not in body:
            raise ValueError("a fault needs point and do")
        return JSONResponse({"number": self._faults.add(**body)})

    async def _remove_faults(self, request: Request) -> Response:
        """Remove the fault with the `number` in the query, or all faults."""
        if "number" in request.query_params:
            self._faults.remove(int(request.query_params["number"]))
        else:
            self._faults.clear()
        return JSONResponse({})

    async def _get_settings(self, _request: Request) -> Response:
        return JSONResponse(self._settings.as_json())

    async def _change_settings(self, request: Request) -> Response:
        """Change the settings in `{provider: {setting: value}}`; the others stay."""
        for provider, values in (await _body(request)).items():
            self._settings.change(provider, **values)
        return JSONResponse(self._settings.as_json())

    async def _post_reset(self, _request: Request) -> Response:
        self._reset()
        return JSONResponse({})

    async def _get_truth(self, request: Request) -> Response:
        """Return the correct rows of `report` on `day` (YYYY-MM-DD) for `account`, requested at `at` (default: now)."""
        query = request.query_params
        if "report" not in query or "day" not in query:
            raise ValueError("truth needs report and day")
        at = datetime.fromisoformat(query["at"]) if "at" in query else None
        account = query.get("account", ORDINARY)
        rows = truth(self._providers, query["report"], date.fromisoformat(query["day"]), at, account)
        return JSONResponse({"count": len(rows), "rows": rows})


def truth(
    providers: Mapping[str, Provider], report: str, day: date, at: datetime | None, account: str = ORDINARY
) -> list[dict[str, str]]:
    """Return the correct rows of `report` on `day` for `account`, requested at `at` (None: now).

    Raises:
        ValueError: the report or the account does not exist.
    """
    for provider in providers.values():
        if report in provider.reports:
            if account not in provider.credentials:
                raise ValueError(f"unknown account {account!r}; known accounts: {', '.join(provider.credentials)}")
            return provider.truth(report, day, at, account)
    known = ", ".join(report for provider in providers.values() for report in provider.reports)
    raise ValueError(f"unknown report {report!r}; known reports: {known}")


def _with_error_response(handler: Handler) -> Handler:
    async def respond(request: Request) -> Response:
        try:
            return await handler(request)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return respond


async def _body(request: Request) -> dict[str, Any]:
    value = json.loads(await request.body())
    if not isinstance(value, dict):
        raise TypeError("the body must be a JSON object")
    return cast("dict[str, Any]", value)
