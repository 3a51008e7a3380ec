"""Jobs that are never ready, end badly, or whose file is gone before it was down."""

from collections.abc import Iterator

from reporting_dags_tests.torture.answers_case import Case
from reporting_dags_tests.torture.answers_targets import EXPORT, MINTEGRAL, OFFER_WALL, USER_LEVEL


def cases() -> Iterator[Case]:
    """Every end but a file in time."""
    short = {"job_timeout_seconds": 600}
    hour = "what is not filled in an hour is sent again, once (DT5)"
    for target in (OFFER_WALL, USER_LEVEL):
        never = [{"point": target.file, "do": "never", "times": None}]
        yield Case(fault="never ready", target=target, ends="not ready", script=never, extra=target.answers, why=hour)
        yield Case(
            fault="URL expired before the download",
            target=target,
            ends="data",
            script=[{"point": target.file, "do": "expired", "after": 1}],
            extra=1,
            why="a lost URL costs a query (DT5)",
        )
        yield Case(
            fault="URL expired during the download",
            target=target,
            ends="data",
            script=[
                {"point": target.file, "do": "cut", "after": 1},
                {"point": target.file, "do": "expired", "after": 2},
            ],
            extra=1,
            why="a lost URL costs a query (DT5)",
        )
        yield Case(
            fault="URL expired, forever",
            target=target,
            ends="expired",
            script=[{"point": target.file, "do": "expired", "times": None}],
            extra=2 * target.answers,
            why="a lost URL costs a query, once in a run (DT5)",
        )
    yield Case(
        fault="never ready",
        target=MINTEGRAL,
        ends="not ready",
        script=[{"point": MINTEGRAL.ask, "do": "never", "times": None}],
        settings=short,
    )
    for code, ends in ((299, "failed"), (10000, "denied")):
        kind = "unknown code" if code == 299 else "refusal"
        script = {"point": MINTEGRAL.ask, "do": "code", "code": code, "msg": "no", "times": None}
        yield Case(fault=f"{kind} {code}", target=MINTEGRAL, ends=ends, script=[script], says=str(code))
        script = {"point": MINTEGRAL.file, "do": "json_error", "code": code, "msg": "no", "times": None}
        yield Case(fault=f"{kind} {code} in place of the file", target=MINTEGRAL, ends=ends, script=[script])
    yield Case(
        fault="hours are missing",
        target=MINTEGRAL,
        ends="partial",
        script=[{"point": MINTEGRAL.ask, "do": "incomplete", "times": None}],
    )
    for code in (203, 204, 205):
        yield Case(
            fault=f"file is gone (code {code})",
            target=MINTEGRAL,
            ends="data",
            script=[{"point": MINTEGRAL.file, "do": "json_error", "code": code}],
        )
    yield Case(
        fault="never ready",
        target=EXPORT,
        ends="not ready",
        script=[{"point": "integr8.status", "do": "never", "times": None}],
        settings=short,
    )
    yield Case(
        fault="unknown status word",
        target=EXPORT,
        ends="not ready",
        script=[{"point": "integr8.status", "do": "state", "status": "HALTED", "times": None}],
        settings=short,
        says="HALTED",
    )
    for state in ("ERROR", "CANCELED"):
        yield Case(
            fault=f"export ends as {state}",
            target=EXPORT,
            ends="failed",
            script=[{"point": "integr8.status", "do": "state", "status": state, "error": "no", "times": None}],
            extra=1,
            why="what has ended without a file is requested again",
        )
    for fault, script in (
        ("URL expired before the download", [{"do": "expired", "times": 2}]),
        ("URL expired during the download", [{"do": "cut"}, {"do": "expired", "after": 1}]),
    ):
        yield Case(fault=fault, target=EXPORT, ends="data", script=[{"point": EXPORT.file, **one} for one in script])
    yield Case(
        fault="URL expired, forever",
        target=EXPORT,
        ends="failed",
        script=[{"point": EXPORT.file, "do": "expired", "times": None}],
    )
