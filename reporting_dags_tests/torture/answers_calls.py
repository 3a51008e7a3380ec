"""Calls that are refused or lost: statuses, waits, keys, tokens."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from reporting_dags_tests.torture.answers_case import Case
from reporting_dags_tests.torture.answers_stage import Stage
from reporting_dags_tests.torture.answers_targets import (
    EXPORT,
    LIST,
    MINTEGRAL,
    OFFER_WALL,
    ORANGECLICK,
    TABLE,
    USER_LEVEL,
    Target,
)

_CLIENTS = (OFFER_WALL, MINTEGRAL, ORANGECLICK, EXPORT, TABLE)
"""One report of each; the others make their calls in the same ways."""
_BACK_OFF = (MINTEGRAL, TABLE)
"""Whose calls are not counted, so that a 429 without a wait is tried again."""
_LOST = "what was carried out and not answered cannot be found again"


def cases() -> Iterator[Case]:
    """Every refusal."""
    for target in _CLIENTS:
        yield from _waits(target)
        yield from _statuses(target)
    yield from _lost()
    yield from _keys()
    yield from _told()


def _waits(target: Target) -> Iterator[Case]:
    """429 with every form of `Retry-After`, once."""
    forms: Mapping[str, tuple[Any, bool]] = {
        "seconds": ("7", True),
        "a date": (_date(timedelta(seconds=30)), True),
        "a date in the past": (_date(timedelta(days=-30)), True),
        "nothing": (None, target in _BACK_OFF),
        "a word": ("soon", target in _BACK_OFF),
        "a negative number": ("-5", target in _BACK_OFF),
        "a number without an end": ("9" * 5000, target in _BACK_OFF),
        "a day": ("86400", False),
        "a date in a hundred years": (_date(timedelta(days=36500)), False),
    }
    for told, (wait, tried) in forms.items():
        yield Case(
            fault=f"429, Retry-After is {told}",
            target=target,
            ends="data" if tried else "denied",
            script=[{"point": target.ask, "do": "status", "status": 429, "headers": _header(wait)}],
        )


def _header(wait: Any) -> Any:
    if wait is None:
        return {}

    def filled(stage: Stage) -> dict[str, Any]:
        return {"Retry-After": wait(stage) if callable(wait) else wait}

    return filled


def _date(after: timedelta) -> Callable[[Stage], str]:
    def told(stage: Stage) -> str:
        return format_datetime(stage.sandbox.clock.now() + after, usegmt=True)

    return told


def _statuses(target: Target) -> Iterator[Case]:
    for status in (500, 502, 503, 504):
        yield _refused(f"{status} forever", target, status, "failed", says=str(status))
    yield _refused("503 once", target, 503, "data", times=1)
    yield _refused("401 forever", target, 401, "denied", says="401")
    yield _refused("403", target, 403, "denied", says="403")
    yield _refused("500 that echoes the credentials", target, 500, "failed", body=_echo)
    yield _refused("400 that echoes the credentials", target, 400, "failed", body=_echo)
    yield Case(
        fault="redirect of a call",
        target=target,
        ends="failed",
        script=[{"point": target.ask, "do": "redirect", "to": "http://127.0.0.1:9/?key=1", "times": None}],
        says="redirect",
    )


def _refused(fault: str, target: Target, status: int, ends: str, *, says: str = "", **more: Any) -> Case:
    script = {"point": target.ask, "do": "status", "status": status, "times": None, "body": {"error": "no"}, **more}
    return Case(fault=fault, target=target, ends=ends, script=[script], says=says)


def _echo(stage: Stage) -> dict[str, Any]:
    account = stage.case.target.account(stage.sandbox)
    told = " ".join(value for name, value in account.items() if name != "base_url")
    token = next((entry.headers.get("authorization", "") for entry in stage.sandbox.log.entries()), "")
    return {"error": "invalid_query", "message": f"you sent {told} {token}", "msg": told, "code": 10001}


def _lost() -> Iterator[Case]:
    """Carried out, and only the response is lost."""
    for target in (OFFER_WALL, USER_LEVEL, EXPORT):
        for fault, script in (
            ("connection reset", {"do": "reset", "effect": True}),
            ("502", {"do": "status", "status": 502, "effect": True}),
            ("504", {"do": "status", "status": 504, "effect": True}),
            ("body cut", {"do": "cut"}),
        ):
            for often, times in (("once", 1), ("forever", None)):
                # A call that is counted is repeated once on a guess, and asked again when the day is run again. An
                # export is looked for in the list instead, where it is.
                listed = target is EXPORT
                extra = 1 if times else 2 * target.answers
                yield Case(
                    fault=f"{fault} after the query was carried out, {often}",
                    target=target,
                    ends="data" if times or listed else "failed",
                    script=[{"point": target.ask, "times": times, **script}],
                    extra=0 if listed else extra,
                    why="found in the list of exports" if listed else _LOST,
                )
    yield Case(
        fault="502 after the job was begun, forever",
        target=MINTEGRAL,
        ends="failed",
        script=[{"point": MINTEGRAL.ask, "do": "status", "status": 502, "effect": True, "times": None}],
    )


def _keys() -> Iterator[Case]:
    for target in (OFFER_WALL, USER_LEVEL):
        point = "dt.token"
        for fault, script, ends in (
            ("login refused forever", {"status": 400, "body": {"error": "invalid_client"}}, "denied"),
            ("login with 401 forever", {"status": 401, "body": {"error": "invalid_client"}}, "denied"),
            ("login with a 500 that echoes the credentials", {"status": 500, "body": _echo}, "failed"),
            ("login with a 400 that echoes the credentials", {"status": 400, "body": _echo}, "failed"),
            ("login without a token", {"status": 200, "body": {"tokenType": "bearer"}}, "failed"),
        ):
            yield Case(
                fault=fault,
                target=target,
                ends=ends,
                script=[{"point": point, "do": "status", "times": None, **script}],
            )
        endless = {"point": point, "do": "endless", "mebibytes": 20, "times": None}
        yield Case(
            fault="login without an end",
            target=target,
            ends="failed",
            script=[endless],
            says="more than 8388608 bytes; expected fewer",
        )
        for what, do in (("body", "drip"), ("head", "drip_head")):
            script = {"point": point, "do": do, "pieces": 20, "pause": 0.05, "times": None}
            yield Case(
                fault=f"slow drip of a login's {what}, forever",
                target=target,
                ends="failed",
                script=[script],
                settings={"answer_seconds": 0.3},
                running=True,
                says="not complete after",
            )
    yield Case(
        fault="bearer is refused between two queries",
        target=USER_LEVEL,
        ends="data",
        script=[
            {"point": "dt.user_level", "do": "status", "status": 401, "body": {"error": "invalid_token"}, "after": 1}
        ],
    )
    yield Case(
        fault="bearer expires between two queries",
        target=USER_LEVEL,
        ends="data",
        script=[
            {"point": "dt.user_level", "do": "status", "status": 503, "headers": {"Retry-After": "100"}, "after": 1}
        ],
        switches={"token_seconds": 90},
    )
    for status in (401, 403):
        # What was bought is waited for: the key may be fixed.
        script = [{"point": "integr8.status", "do": "status", "status": status, "body": {}, "times": None}]
        yield Case(fault=f"{status} of an export under way", target=EXPORT, ends="denied", script=script)


def _told() -> Iterator[Case]:
    """Refusals with status 200: the provider's words are in the line."""
    for target, point, body, ends, says in (
        (OFFER_WALL, "dt.token", {"error": "invalid_client"}, "denied", "invalid_client"),
        (USER_LEVEL, "dt.token", {"message": "closed"}, "failed", "closed"),
        (OFFER_WALL, "dt.report", {"error": "invalid_query"}, "failed", "invalid_query"),
        (OFFER_WALL, "dt.report", {"id": "1", "url": "", "message": "over quota"}, "failed", "over quota"),
        (USER_LEVEL, "dt.user_level", {"error": "invalid_query"}, "failed", "DT_USER_LEVEL_APP_IDS"),
        (MINTEGRAL, MINTEGRAL.ask, {"code": 200, "msg": "no data"}, "partial", "no data"),
        (MINTEGRAL, MINTEGRAL.ask, {"code": 10000, "msg": "no app"}, "denied", "no app"),
        (MINTEGRAL, MINTEGRAL.file, {"message": "sign in"}, "partial", "sign in"),
        (ORANGECLICK, ORANGECLICK.ask, {"status": "error", "errors": {"currency": ["odd"]}}, "failed", "currency: odd"),
        (ORANGECLICK, ORANGECLICK.ask, {"message": "sign in"}, "failed", "sign in"),
        (EXPORT, EXPORT.ask, {"errors": ["odd"]}, "failed", "odd"),
        (EXPORT, EXPORT.ask, {"message": "over quota"}, "failed", "over quota"),
        (EXPORT, EXPORT.file, {"message": "gone"}, "failed", "gone"),
        (TABLE, TABLE.ask, {"errors": [{"detail": "odd"}]}, "failed", "odd"),
        (LIST, LIST.ask, {"message": "closed"}, "failed", "closed"),
    ):
        script = {"point": point, "do": "status", "status": 200, "body": body, "times": None}
        yield Case(fault=f"200 with {says!r} from {point}", target=target, ends=ends, script=[script], says=says)
    for target in (*_CLIENTS, USER_LEVEL):
        ends = "denied" if target is MINTEGRAL else "failed"
        script = {"point": target.ask, "do": "status", "status": 200, "body": _echo_of_code, "times": None}
        yield Case(fault="200 that echoes the credentials", target=target, ends=ends, script=[script])


def _echo_of_code(stage: Stage) -> dict[str, Any]:
    return {**_echo(stage), "code": 10000}
