"""Refusals with status 200: the provider's own words reach the failure line, its secrets do not, and nothing lands."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from reporting_dags.model.days import SNAPSHOT
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.error_text import body_error_message, error_message
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.integr8.fields import CONVERSION_FIELDS
from reporting_dags.providers.integr8.report import integr8_log
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import CONVERSIONS, OFFERS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON, SandboxClock
from reporting_dags_tests.pulling import BenchOf, brought, landed, line_of

DAY = NOON.date() - timedelta(days=2)
TABLE = integr8_log(
    name="conversions", log="conversions", fields=CONVERSION_FIELDS, grain=("real_tx_id", "event_id"), method="table"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with status 200 in place of what was requested, how its day ends, in which words, after how many calls.

    Attributes:
        context: resource that makes the client.
        report: that is pulled.
        point: where the sandbox refuses.
        body: of the response.
        ends: the day's outcome.
        says: text of its line.
        calls: at `point`, if it matters.
    """

    context: str
    report: Report
    point: str
    body: Any
    ends: Outcome
    says: str
    calls: int = 1

    def __str__(self) -> str:
        return f"{self.point} {str(self.body)[:40]}"


_OFFER_WALL = ("dt_offer_wall", EVENT)
_USER_LEVEL = ("dt_user_level", REVENUE)
_MINTEGRAL = ("mintegral", OFFER_PERFORMANCE)
_ORANGECLICK = ("orangeclick", EARNINGS)
_EXPORT = ("integr8", CONVERSIONS)
REFUSALS = [
    # Logins (DT1, DT2).
    Refusal(
        *_OFFER_WALL, "dt.token", {"error": "invalid_client"}, Outcome.DENIED, "invalid_client. Fix: check DT_CLIENT"
    ),
    Refusal(*_USER_LEVEL, "dt.token", {"error": "invalid_request"}, Outcome.DENIED, "(200): invalid_request", 0),
    Refusal(*_OFFER_WALL, "dt.token", {"message": "Over the\nlimit"}, Outcome.FAILED, "(200): Over the limit"),
    Refusal(
        *_OFFER_WALL,
        "dt.token",
        {"accessToken": None, "errors": [{"code": 17, "detail": "closed"}]},
        Outcome.FAILED,
        "code: 17; closed",
    ),
    # Reports of Digital Turbine (DT4, OW6, UL3).
    Refusal(
        *_OFFER_WALL, "dt.report", {"error": "invalid_query"}, Outcome.FAILED, "(200): invalid_query. Fix: check th"
    ),
    Refusal(
        *_OFFER_WALL,
        "dt.report",
        {"id": "r-1", "url": "", "error": "invalid_source", "error_description": "Invalid source: x"},
        Outcome.FAILED,
        "(200): invalid_source Invalid source: x (request r-1)",
    ),
    Refusal(*_OFFER_WALL, "dt.report", {"message": "Over quota"}, Outcome.FAILED, "refused (200): Over quota"),
    Refusal(*_OFFER_WALL, "dt.report", "Down for maintenance", Outcome.FAILED, "refused (200): Down for maintenance"),
    Refusal(
        *_OFFER_WALL, "dt.report", {"error": "internal_server_error"}, Outcome.FAILED, "internal_server_error. Fix"
    ),
    Refusal(*_OFFER_WALL, "dt.report", {"error": {"reason": "odd"}}, Outcome.FAILED, "refused (200): odd"),
    Refusal(*_OFFER_WALL, "dt.report", {"error": "invalid_token"}, Outcome.DENIED, "(200): invalid_token", 2),
    Refusal(*_OFFER_WALL, "dt.report", {"id": "r-1"}, Outcome.FAILED, "responded to the query without a url (DT4)"),
    Refusal(*_USER_LEVEL, "dt.user_level", {"error": "invalid_query"}, Outcome.FAILED, "DT_USER_LEVEL_APP_IDS", 0),
    # In place of a file of Digital Turbine.
    Refusal(
        *_OFFER_WALL, "dt.file", {"error": "report_failed"}, Outcome.FAILED, "instead of the report file: report_", 0
    ),
    # Mintegral (MT2, MT3, MT8).
    Refusal(*_MINTEGRAL, "mintegral.generate", {"code": 10000, "msg": "no app"}, Outcome.DENIED, "10000): no app."),
    Refusal(
        *_MINTEGRAL, "mintegral.generate", {"code": 200, "msg": "no data"}, Outcome.PARTIAL, "unknown): no data", 2
    ),
    Refusal(*_MINTEGRAL, "mintegral.generate", {"message": "Sign in"}, Outcome.FAILED, "with a code: Sign in"),
    Refusal(*_MINTEGRAL, "mintegral.generate", {"code": 999, "data": {"why": "x"}}, Outcome.FAILED, "code 999: why: x"),
    Refusal(*_MINTEGRAL, "mintegral.download", {"code": 10000, "msg": "no"}, Outcome.DENIED, "10000): no."),
    Refusal(*_MINTEGRAL, "mintegral.download", {"code": 203, "msg": "gone"}, Outcome.EXPIRED, "(code 203): gone", 0),
    Refusal(*_MINTEGRAL, "mintegral.download", {"message": "Sign in"}, Outcome.PARTIAL, "with a code: Sign in", 3),
    # OrangeClickMedia (OC4, OC5).
    Refusal(
        *_ORANGECLICK,
        "orangeclick.generate",
        {"status": "error", "message": "Validation failed", "errors": {"dimensions.0": ["It is invalid."]}},
        Outcome.FAILED,
        "(200): Validation failed; dimensions.0: It is invalid. Fix: check the report's declaration",
    ),
    Refusal(
        *_ORANGECLICK, "orangeclick.generate", {"message": "Unauthenticated."}, Outcome.FAILED, "Unauthenticated. Fi"
    ),
    Refusal(*_ORANGECLICK, "orangeclick.generate", {"status": "error"}, Outcome.FAILED, "its status is 'error'"),
    # Integr8 (IN1 to IN7).
    Refusal(*_EXPORT, "integr8.export", {"errors": ["no such field"]}, Outcome.FAILED, "(200): no such field"),
    Refusal(*_EXPORT, "integr8.export", {"error": {"message": "closed"}}, Outcome.FAILED, "(200): closed"),
    Refusal(*_EXPORT, "integr8.export", {"message": "Over quota"}, Outcome.FAILED, "without an id (IN5): Over quota"),
    Refusal(*_EXPORT, "integr8.status", {"message": "Not now"}, Outcome.NOT_READY, "reports Not now for the export", 0),
    Refusal(*_EXPORT, "integr8.signed_url", {"errors": [{"detail": "No"}]}, Outcome.FAILED, "(IN5): No", 0),
    Refusal(
        *_EXPORT, "integr8.file", {"message": "Not found"}, Outcome.FAILED, "instead of the export's file: Not f", 0
    ),
    Refusal(
        "integr8", TABLE, "integr8.conversion_table", {"errors": ["no"]}, Outcome.FAILED, "conversion-table (200): no"
    ),
    Refusal("integr8", OFFERS, "integr8.offers", {"message": "Closed"}, Outcome.FAILED, "/offers (200): Closed"),
]


@pytest.mark.rule("DT2", "DT4", "OW6", "UL3", "IN1", "IN3", "IN5", "MT2", "MT3", "OC4")
@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_a_refusal_with_status_200_carries_the_providers_words_and_is_no_accepted_query(
    sandbox: Sandbox, bench_of: BenchOf, refusal: Refusal
) -> None:
    logged: list[str] = []
    context = bench_of(refusal.context, log=logged.append, job_timeout_seconds=60)
    day = SNAPSHOT if refusal.report is OFFERS else DAY
    sandbox.faults.add(refusal.point, do="status", status=200, body=refusal.body, times=None)
    line = line_of(brought(context, refusal.report, [day])[day], refusal.ends, secrets_of(sandbox, refusal.context))
    assert refusal.says in line
    assert refusal.calls in {0, sandbox.log.count(refusal.point)}
    if refusal.point in {"dt.token", "dt.report", "dt.user_level", "integr8.export"}:
        assert not [text for text in logged if text.startswith("requested") or "are kept" in text]
    sandbox.faults.clear()
    sandbox.clock.advance(86400)
    landed(context, refusal.report, [day])


@pytest.mark.parametrize(
    ("name", "report", "point", "ends"),
    [
        (*_OFFER_WALL, "dt.token", Outcome.FAILED),
        (*_OFFER_WALL, "dt.report", Outcome.FAILED),
        (*_USER_LEVEL, "dt.user_level", Outcome.FAILED),
        (*_MINTEGRAL, "mintegral.generate", Outcome.DENIED),
        (*_MINTEGRAL, "mintegral.download", Outcome.DENIED),
        (*_ORANGECLICK, "orangeclick.generate", Outcome.FAILED),
        (*_EXPORT, "integr8.export", Outcome.FAILED),
        ("integr8", TABLE, "integr8.conversion_table", Outcome.FAILED),
    ],
)
def test_a_refusal_that_repeats_the_credentials_and_has_no_end_is_one_bounded_line_without_them(
    sandbox: Sandbox, bench_of: BenchOf, name: str, report: Report, point: str, ends: Outcome
) -> None:
    context = bench_of(name)
    secrets = secrets_of(sandbox, name)
    # Across the bound too: half of a secret would be no less of one.
    text = f"\x1b[31mno\r\n\t{' '.join(secrets)} " + " ".join(f"{'.' * n}{secrets[-1]}" for n in range(40)) + "x" * 9000
    sandbox.faults.add(
        point,
        do="status",
        status=200,
        body={"code": 10000, "status": "error", "message": text, "msg": text},
        times=None,
    )
    line = line_of(brought(context, report, [DAY])[DAY], ends, [secret[:12] for secret in secrets])
    assert "[31mno ***" in line
    assert line.isprintable()
    assert len(line) < 900


def test_a_token_that_mintegral_repeats_is_not_shown(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("mintegral")
    landed(context, OFFER_PERFORMANCE, [DAY])
    shown = sandbox.log.entries("mintegral.generate")[0].headers["token"]
    text = f"token {shown} or {shown.upper()} is invalid"
    sandbox.faults.add("mintegral.generate", do="code", code=10000, msg=text, times=None)
    line = line_of(brought(context, OFFER_PERFORMANCE, [DAY])[DAY], Outcome.DENIED, [shown, shown.upper()])
    assert "token *** or *** is invalid" in line


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"error": "a", "message": "a", "msg": "b"}, "a; b"),
        ({"error": True, "message": None, "errors": [], "detail": 0}, ""),
        ({"errors": {"a": ["x", {"message": "y"}], "b": "z"}}, "a: x; a: y; b: z"),
        ({"message": 5}, "5"),
        ({"access_token": "hidden", "data": {"token": "hidden"}}, ""),
        ({"error": {"a": {"b": {"c": {"d": {"e": "too deep"}}}}}}, ""),
        ([{"message": "a list is not a refusal"}], ""),
        (None, ""),
    ],
)
def test_words_are_found_wherever_apis_put_them_and_nowhere_else(said: object, expected: str) -> None:
    assert error_message(said) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"  plain words ", "plain words"),
        (b'"a JSON text"', "a JSON text"),
        (b'{"message": "m"}', "m"),
        (b"<html>no</html>", ""),
        (b"\xff\xfe\x00", ""),
        (b"", ""),
        (b"x" * 70_000, ""),
    ],
)
def test_plain_text_is_words_too_and_a_page_is_not(body: bytes, expected: str) -> None:
    assert body_error_message(body) == expected


@pytest.mark.rule("MT1")
def test_what_is_signed_into_a_call_is_of_the_moment_after_the_wait_for_its_turn(
    sandbox: Sandbox, clock: SandboxClock
) -> None:
    http = HttpClient(
        name="Signed",
        base_url=sandbox.url,
        redactor=Redactor(),
        clock=clock,
        pace=lambda: clock.sleep(30),
    )

    def signed() -> dict[str, str]:
        return {"timestamp": clock.now().isoformat()}

    with http:
        http.call("GET", "/nowhere", headers=signed)
        with http.stream("GET", "/nowhere", headers=signed):
            pass
    entries = sandbox.log.entries("none")
    assert [entry.headers["timestamp"] for entry in entries] == [entry.at.isoformat() for entry in entries]
    assert clock.slept == [30, 30]


def secrets_of(sandbox: Sandbox, context: str) -> list[str]:
    """The credentials that the client of `context` was given."""
    account = sandbox.providers["dt" if context.startswith("dt_") else context].credentials["ordinary"]
    names = ("client_id", "client_secret", "access_key", "api_key", "api_token")
    return [getattr(account, name) for name in names if hasattr(account, name)]
