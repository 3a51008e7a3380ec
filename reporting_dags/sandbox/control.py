"""The sandbox's own controls over HTTP, for processes that do not hold the handle. None of them is logged."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reporting_dags.sandbox.clock import Clock
from reporting_dags.sandbox.endpoint import Provider
from reporting_dags.sandbox.faults import Faults
from reporting_dags.sandbox.log import Log
from reporting_dags.sandbox.owner import ORDINARY
from reporting_dags.sandbox.settings import Settings

Handler = Callable[[Request], Awaitable[Response]]
PREFIX = "/_sandbox"


class Control:
    """The controls of one sandbox."""

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
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
        """Every control and its path."""
        controls: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/health", self._health),
            ("GET", "/clock", self._clock_told),
            ("POST", "/clock", self._clock_moved),
            ("GET", "/log", self._log_told),
            ("DELETE", "/log", self._log_cleared),
            ("GET", "/faults", self._faults_told),
            ("POST", "/faults", self._fault_added),
            ("DELETE", "/faults", self._faults_removed),
            ("GET", "/settings", self._settings_told),
            ("POST", "/settings", self._settings_changed),
            ("GET", "/truth", self._truth_told),
            ("POST", "/reset", self._reset_done),
        )
        return [Route(PREFIX + path, _answering_400(handler), methods=[method]) for method, path, handler in controls]

    async def _health(self, request: Request) -> Response:
        """Whether it runs, its time, its reports, and the credentials it accepts."""
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

    async def _clock_told(self, _request: Request) -> Response:
        return JSONResponse({"now": self._clock.now().isoformat(), "frozen": self._clock.frozen})

    async def _clock_moved(self, request: Request) -> Response:
        """`{"set": ISO time}` or `{"advance": seconds}`; and `{"frozen": true or false}`."""
        asked = await _body(request)
        if unknown := sorted(set(asked) - {"set", "advance", "frozen"}):
            raise ValueError(f"the clock knows set, advance and frozen, not {', '.join(unknown)}")
        if "set" in asked:
            self._clock.set(datetime.fromisoformat(asked["set"]))
        if "advance" in asked:
            self._clock.advance(float(asked["advance"]))
        if "frozen" in asked:
            (self._clock.freeze if asked["frozen"] else self._clock.thaw)()
        return await self._clock_told(request)

    async def _log_told(self, request: Request) -> Response:
        """Entries; `point`, `status`, `fault` and `since` (a number) in the query narrow them."""
        asked = request.query_params
        status = int(asked["status"]) if "status" in asked else None
        entries = self._log.entries(
            asked.get("point"), status=status, fault=asked.get("fault"), since=int(asked.get("since", "0"))
        )
        return JSONResponse({"count": len(entries), "entries": [entry.as_json() for entry in entries]})

    async def _log_cleared(self, _request: Request) -> Response:
        self._log.clear()
        return JSONResponse({})

    async def _faults_told(self, _request: Request) -> Response:
        return JSONResponse({"faults": [fault.as_json() for fault in self._faults.scripted()]})

    async def _fault_added(self, request: Request) -> Response:
        """`{"point", "do", …}`: the arguments of `Faults.add` by name. Answers the fault's number."""
        asked = await _body(request)
        if "point" not in asked or "do" not in asked:
            raise ValueError("a fault needs point and do")
        return JSONResponse({"number": self._faults.add(**asked)})

    async def _faults_removed(self, request: Request) -> Response:
        """Every fault, or the one whose `number` the query names."""
        if "number" in request.query_params:
            self._faults.remove(int(request.query_params["number"]))
        else:
            self._faults.clear()
        return JSONResponse({})

    async def _settings_told(self, _request: Request) -> Response:
        return JSONResponse(self._settings.as_json())

    async def _settings_changed(self, request: Request) -> Response:
        """`{provider: {setting: value}}`; what is not named stays."""
        for provider, values in (await _body(request)).items():
            self._settings.change(provider, **values)
        return JSONResponse(self._settings.as_json())

    async def _reset_done(self, _request: Request) -> Response:
        self._reset()
        return JSONResponse({})

    async def _truth_told(self, request: Request) -> Response:
        """The rows of `report` on `day` (YYYY-MM-DD) for `account`, requested at `at` (ISO time; left out: now)."""
        asked = request.query_params
        if "report" not in asked or "day" not in asked:
            raise ValueError("truth needs report and day")
        at = datetime.fromisoformat(asked["at"]) if "at" in asked else None
        account = asked.get("account", ORDINARY)
        rows = truth(self._providers, asked["report"], date.fromisoformat(asked["day"]), at, account)
        return JSONResponse({"count": len(rows), "rows": rows})


def truth(
    providers: Mapping[str, Provider], report: str, day: date, at: datetime | None, account: str = ORDINARY
) -> list[dict[str, str]]:
    """What the provider of `report` would honestly answer `account` for `day`, requested at `at` (None: now).

    Raises:
        ValueError: No provider has such a report, or it has no such account.
    """
    for provider in providers.values():
        if report in provider.reports:
            if account not in provider.credentials:
                raise ValueError(f"no account {account!r}; there are: {', '.join(provider.credentials)}")
            return provider.truth(report, day, at, account)
    known = ", ".join(report for provider in providers.values() for report in provider.reports)
    raise ValueError(f"no report {report!r}; there are: {known}")


def _answering_400(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (ValueError, TypeError) as wrong:
            return JSONResponse({"error": str(wrong)}, 400)

    return answer


async def _body(request: Request) -> dict[str, Any]:
    value = json.loads(await request.body())
    if not isinstance(value, dict):
        raise TypeError("the body must be a JSON object")
    return cast("dict[str, Any]", value)
