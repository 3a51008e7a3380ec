"""Integr8's exports, from the order to the landed day, against the sandbox over real HTTP (IN1, IN4 to IN10)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.column import identity
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.errors import SettingError
from reporting_dags.model.format import DelimitedText
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Request
from reporting_dags.providers.integr8.report import ExportQuery, integr8_log
from reporting_dags.reports.integr8 import CLICKS, CONVERSIONS, IMPRESSIONS, POSTBACKS
from reporting_dags.sandbox.integr8 import fields as documented
from reporting_dags.sandbox.request_log import LogEntry
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON, SandboxClock
from reporting_dags_tests.jobs.test_take_up import Killed, kill_at
from reporting_dags_tests.truth import expected_rows, landed_rows

BenchOf = Callable[..., PullContext]
LOGS: dict[str, tuple[Report, tuple[str, ...]]] = {
    "clicks": (CLICKS, documented.CLICKS),
    "conversions": (CONVERSIONS, documented.CONVERSIONS),
    "impressions": (IMPRESSIONS, documented.IMPRESSIONS),
    "postback-logs": (POSTBACKS, documented.POSTBACKS),
}
DAY = date(2026, 11, 10)
DAYS = Window(DAY, DAY + 2 * ONE_DAY).days
REQUEST = Request(Window(DAY, DAY))
PATIENCE = timedelta(seconds=100)
THERE = b"what was there"


@pytest.fixture
def context(bench_of: BenchOf) -> PullContext:
    """A context for Integr8 that waits for an export for minutes, not hours."""
    return hasty(bench_of("integr8", exports_kept=0))


def hasty(context: PullContext) -> PullContext:
    context.provider.policy = replace(context.provider.policy, timeout=PATIENCE)
    return context


def ended(context: PullContext, report: Report, days: Sequence[date]) -> dict[date, DayResult]:
    """How each of `days` ended, once each."""
    results = list(pull(context, report, days))
    assert sorted(result.day for result in results) == sorted(set(days))
    return {result.day: result for result in results}


def outcome_of(context: PullContext, report: Report = CONVERSIONS, day: date = DAY) -> Outcome:
    return ended(context, report, [day])[day].outcome


def refused(sandbox: Sandbox, result: DayResult, outcome: Outcome) -> str:
    """The line of a day that ended without landing: one line, and no secret in it."""
    assert result.landed is None
    assert result.error is not None
    line = result.error.line
    assert result.outcome is outcome, line
    assert line
    assert "\n" not in line
    assert len(line) < 800
    assert secrets_in(sandbox, line) == []
    return line


def secrets_in(sandbox: Sandbox, text: str) -> list[str]:
    keys = [account.api_key for account in sandbox.providers["integr8"].credentials.values()]
    return [secret for secret in (*keys, "X-Amz", "Signature=") if secret in text]


def put_there(context: PullContext, report: Report, day: date = DAY) -> None:
    """Let something lie where the day's file belongs."""
    file = context.scratch / "there"
    file.write_bytes(THERE)
    context.data.put(file, report.file(day))


def lies_there(data: Store, report: Report, day: date = DAY) -> bool:
    """Whether what was put there is there still."""
    with data.open(report.file(day)) as file:
        return bytes(file.read()) == THERE


def orders(sandbox: Sandbox, *, status: int | None = 200) -> list[LogEntry]:
    """The exports that were requested."""
    return sandbox.log.entries("integr8.export", status=status)


def sent(entry: LogEntry) -> dict[str, str]:
    """The parameters of a request; none of them is duplicated."""
    pairs = parse_qsl(entry.query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def check_truth(sandbox: Sandbox, context: PullContext, report: Report, days: Sequence[date]) -> None:
    for day in days:
        assert landed_rows(context.data, report, day) == expected_rows(sandbox, report, day), day


# What is asked.


@pytest.mark.rule("IN1", "IN4", "IN5", "IN11")
@pytest.mark.parametrize("log", LOGS)
def test_an_export_is_asked_for_with_every_field_and_lands_the_truth(
    sandbox: Sandbox, context: PullContext, log: str
) -> None:
    report, columns = LOGS[log]
    results = ended(context, report, DAYS)
    (order,) = orders(sandbox)
    account = sandbox.providers["integr8"].credentials["ordinary"]
    assert order.method == "POST"
    assert order.path == f"/api/v2/integrations/{account.integration_id}/download-center/{log}"
    asked = sent(order)
    assert sorted(asked.pop("fields").split(",")) == sorted(columns)
    extra = {} if log == "postback-logs" else {"extra_parameters": "none"}
    assert asked == {
        "delimiter": ",",
        "start_time": "2026-11-10 00:00:00",
        "end_time": "2026-11-13 00:00:00",
        "timezone": "UTC",
        **extra,
    }
    for entry in sandbox.log.entries():
        assert (entry.headers.get("api-key") == account.api_key) is (entry.point != "integr8.file")
        assert account.api_key not in entry.path + entry.query
    assert all(result.outcome is Outcome.DATA for result in results.values())
    assert results[DAY].provenance.calls_spent == 1
    assert len(results[DAY].provenance.request_ids) == 1
    check_truth(sandbox, context, report, DAYS)


@pytest.mark.rule("IN4")
def test_days_that_ninety_do_not_span_are_two_exports(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", rows_factor=0.0)
    last = date(2026, 11, 18)
    ended(context, POSTBACKS, [last - 90 * ONE_DAY, last])
    spans = [(sent(order)["start_time"], sent(order)["end_time"]) for order in orders(sandbox)]
    assert spans == [("2026-08-20 00:00:00", "2026-08-21 00:00:00"), ("2026-11-18 00:00:00", "2026-11-19 00:00:00")]
    assert {report.window_days for report, _ in LOGS.values()} == {90}


@pytest.mark.rule("IN4")
def test_another_delimiter_is_asked_for_and_read(sandbox: Sandbox, context: PullContext) -> None:
    query = ExportQuery(log="conversions", fields=documented.CONVERSIONS, delimiter=";")
    text = DelimitedText(delimiter=";", multiline=True, ignored=("none",))
    report = replace(CONVERSIONS, query=query, format=text)
    assert outcome_of(context, report) is Outcome.DATA
    assert sent(orders(sandbox)[0])["delimiter"] == ";"
    check_truth(sandbox, context, report, [DAY])


@pytest.mark.rule("IN4")
def test_a_few_fields_are_asked_for_alone(sandbox: Sandbox, context: PullContext) -> None:
    names = ("request_time", "real_tx_id", "payout", "country", identity("brand_new_field", "Brand new"))
    report = integr8_log(name="clicks", log="clicks", fields=names[:4])
    assert outcome_of(context, report) is Outcome.DATA
    assert sent(orders(sandbox)[0])["fields"] == "request_time,real_tx_id,payout,country"
    check_truth(sandbox, context, report, [DAY])
    line = refused(
        sandbox,
        ended(context, integr8_log(name="clicks", log="clicks", fields=names), [DAY])[DAY],
        Outcome.FAILED,
    )
    assert "unknown fields: brand_new_field" in line
    assert "declaration" in line


@pytest.mark.rule("IN10")
def test_the_first_and_the_last_microsecond_are_of_their_own_day(sandbox: Sandbox, context: PullContext) -> None:
    ended(context, CLICKS, DAYS)
    place = CLICKS.schema.names.index("request_time")
    for day in DAYS:
        times = sorted(row[place].isoformat() for row in landed_rows(context.data, CLICKS, day).elements())
        assert (times[0], times[-1]) == (f"{day}T00:00:00+00:00", f"{day}T23:59:59.999999+00:00")


@pytest.mark.rule("IN10")
def test_a_provider_whose_ranges_hold_their_end_is_refused_and_never_lands_a_row_in_two_days(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.settings.change("integr8", end_counts=True)
    line = refused(sandbox, ended(context, CLICKS, [DAY])[DAY], Outcome.FAILED)
    assert "2026-11-11" in line


@pytest.mark.rule("IN9")
def test_a_conversion_rejected_later_replaces_the_day(sandbox: Sandbox, context: PullContext) -> None:
    day = date(2026, 11, 18)
    status = CONVERSIONS.schema.names.index("status")

    def rejected() -> int:
        return sum(row[status] == "Rejected" for row in landed_rows(context.data, CONVERSIONS, day).elements())

    outcome_of(context, CONVERSIONS, day)
    before = rejected()
    assert CONVERSIONS.calendar.is_due(day, sandbox.clock.now(), sandbox.clock.now() + timedelta(days=30))
    sandbox.clock.advance(30 * 86400)
    outcome_of(context, CONVERSIONS, day)
    assert rejected() > before
    check_truth(sandbox, context, CONVERSIONS, [day])


def test_a_day_without_rows_is_a_typed_file_of_no_rows(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", empty_days=(DAY.isoformat(),))
    assert outcome_of(context) is Outcome.EMPTY
    assert not landed_rows(context.data, CONVERSIONS, DAY)


# How far the export is.


@pytest.mark.rule("IN6")
def test_an_export_is_asked_about_at_growing_intervals(
    sandbox: Sandbox, context: PullContext, clock: SandboxClock
) -> None:
    context.provider.policy = replace(context.provider.policy, timeout=timedelta(minutes=5))
    sandbox.settings.change("integr8", fill_seconds=100)
    assert outcome_of(context) is Outcome.DATA
    waits = [wait for wait in clock.slept if wait > 0]
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(5)
    assert len(orders(sandbox)) == 1
    assert sandbox.log.count("integr8.status") == len(waits) + 2, "each wait ends in a question, the last in a file"


@pytest.mark.rule("IN6")
@pytest.mark.parametrize("state", ["UNKNOWN", "PENDING", "IN_PROGRESS", "DONE", "COMPLETED_PARTIALLY", ""])
def test_no_state_but_completed_is_success(sandbox: Sandbox, context: PullContext, state: str) -> None:
    fault = sandbox.faults.add("integr8.status", do="state", status=state, times=None)
    line = refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.NOT_READY)
    assert "the next run of these days continues it" in line
    assert not context.data.exists(CONVERSIONS.file(DAY))
    sandbox.faults.remove(fault)
    assert outcome_of(context) is Outcome.DATA
    assert len(orders(sandbox)) == 1, "the export that was bought is gone on with"


@pytest.mark.rule("IN6")
@pytest.mark.parametrize("state", ["ERROR", "CANCELED", "error"])
def test_an_export_that_ended_badly_fails_with_its_reason_and_the_next_run_asks_anew(
    sandbox: Sandbox, context: PullContext, state: str
) -> None:
    key = sandbox.providers["integr8"].credentials["ordinary"].api_key
    sandbox.faults.add("integr8.status", do="state", status=state, error=f"disk full, key {key}\nsorry")
    line = refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.FAILED)
    assert f"{state.upper()}: disk full, key *** sorry" in line
    assert outcome_of(context) is Outcome.DATA
    assert len(orders(sandbox)) == 2


@pytest.mark.rule("IN6", "IN5")
def test_completed_is_read_bare_or_wrapped_in_any_case(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", wrap_export=False, completed_status="Completed")
    assert outcome_of(context) is Outcome.DATA
    check_truth(sandbox, context, CONVERSIONS, [DAY])


def completed(**results: Any) -> dict[str, Any]:
    artifact = {"name": "x.csv", "size": 1}
    return {"data": {"id": "x", "status": "COMPLETED", "artifact": artifact, "results_meta": results or None}}


@pytest.mark.rule("IN7")
@pytest.mark.parametrize(
    "told",
    [
        completed(),
        completed(range_truncated=False, duration_seconds=1),
        completed(range_truncated=False, total=None),
        completed(range_truncated=False, total="many"),
        completed(range_truncated=False, total=12.5),
        completed(range_truncated=False, total=True),
    ],
)
def test_a_completed_export_that_does_not_count_its_rows_is_partial_and_gone_on_with(
    sandbox: Sandbox, context: PullContext, told: Mapping[str, Any]
) -> None:
    sandbox.faults.add("integr8.status", do="status", status=200, body=told)
    line = refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.PARTIAL)
    assert "does not report the number of rows" in line
    assert not context.data.exists(CONVERSIONS.file(DAY))
    assert outcome_of(context) is Outcome.DATA
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN7")
@pytest.mark.parametrize("off", [-1, 1, 1_000_000])
def test_a_file_that_has_not_as_many_rows_as_told_is_partial_and_writes_nothing(
    sandbox: Sandbox, context: PullContext, off: int
) -> None:
    total = len(sandbox.truth(CONVERSIONS.key, DAY))
    put_there(context, CONVERSIONS)
    sandbox.faults.add("integr8.export", do="total", total=total + off)
    line = refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.PARTIAL)
    assert str(total) in line
    assert str(total + off) in line
    assert lies_there(context.data, CONVERSIONS)


# What the provider responses in place of what was asked (IN1).

REFUSALS: dict[str, dict[int, Outcome]] = {
    "integr8.export": {
        400: Outcome.FAILED,
        401: Outcome.DENIED,
        402: Outcome.FAILED,
        403: Outcome.DENIED,
        404: Outcome.FAILED,
        429: Outcome.DENIED,
        500: Outcome.FAILED,
        502: Outcome.FAILED,
        503: Outcome.FAILED,
        504: Outcome.FAILED,
    },
    "integr8.status": {
        400: Outcome.FAILED,
        401: Outcome.DENIED,
        402: Outcome.NOT_READY,
        403: Outcome.DENIED,
        404: Outcome.EXPIRED,
        429: Outcome.NOT_READY,
        500: Outcome.NOT_READY,
        502: Outcome.NOT_READY,
        503: Outcome.NOT_READY,
        504: Outcome.NOT_READY,
    },
    "integr8.signed_url": {
        400: Outcome.FAILED,
        401: Outcome.DENIED,
        402: Outcome.FAILED,
        403: Outcome.DENIED,
        404: Outcome.EXPIRED,
        429: Outcome.NOT_READY,
        500: Outcome.FAILED,
        502: Outcome.FAILED,
        503: Outcome.FAILED,
        504: Outcome.FAILED,
    },
}
GIVEN_UP = {400, 401, 403, 404}
"""Statuses after which asking about the same export again is of no use."""


@pytest.mark.rule("IN1")
@pytest.mark.parametrize(
    ("point", "status", "outcome"),
    [(point, status, outcome) for point, known in REFUSALS.items() for status, outcome in known.items()],
)
def test_every_refusal_ends_in_its_outcome_with_one_line_and_leaves_what_was_there(
    sandbox: Sandbox, context: PullContext, point: str, status: int, outcome: Outcome
) -> None:
    put_there(context, CONVERSIONS)
    key = sandbox.providers["integr8"].credentials["ordinary"].api_key
    told: dict[str, Any] = {"error": {"message": f"no,\n{key}"}} if status % 2 else {"error": f"no,\n{key}"}
    sandbox.faults.add(point, do="status", status=status, body=told, times=None)
    line = refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], outcome)
    assert str(status) in line
    assert "Integr8" in line
    if status < 429:
        assert "no, ***" in line
    assert lies_there(context.data, CONVERSIONS)
    asked = len(orders(sandbox, status=None))
    if point != "integr8.export":
        assert asked == (2 if status == 404 else 1), "an export not known any more is requested once more"
    else:
        assert asked == {500: 2, 503: 2, 502: 2, 504: 2}.get(status, 1)
    if point != "integr8.export" and status not in GIVEN_UP:
        sandbox.faults.clear()
        assert outcome_of(context) is Outcome.DATA
        assert len(orders(sandbox)) == asked, "the export that was bought is gone on with"


@pytest.mark.rule("IN1")
@pytest.mark.parametrize(
    ("account", "says"), [("revoked", "check INTEGR8_API_KEY"), ("limited", "lacks the permission. Fix: ask Integr8")]
)
def test_a_key_that_may_not_says_so_and_is_not_shown(
    sandbox: Sandbox, bench_of: BenchOf, account: str, says: str
) -> None:
    key = sandbox.providers["integr8"].credentials[account].api_key
    context = bench_of("integr8", api_key=key)
    line = refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.DENIED)
    assert says in line
    assert len(orders(sandbox, status=None)) == 1


@pytest.mark.rule("IN1")
def test_another_integration_is_not_found_which_names_the_variable(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("integr8", integration_id="not-ours")
    line = refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.FAILED)
    assert "INTEGR8_INTEGRATION_ID" in line
    assert len(orders(sandbox, status=None)) == 1


@pytest.mark.rule("IN1")
@pytest.mark.parametrize("point", ["integr8.status", "integr8.signed_url"])
def test_a_429_without_a_wait_is_tried_again_at_growing_intervals(
    sandbox: Sandbox, context: PullContext, clock: SandboxClock, point: str
) -> None:
    sandbox.settings.change("integr8", fill_polls=0)
    sandbox.faults.add(point, do="status", status=429, times=3)
    assert outcome_of(context) is Outcome.DATA
    waits = [wait for wait in clock.slept if wait > 0]
    assert len(waits) == 3
    assert waits == sorted(waits)
    assert waits[2] >= 4 * 5, "doubled each time"
    assert len(orders(sandbox)) == 1
    check_truth(sandbox, context, CONVERSIONS, [DAY])


@pytest.mark.rule("IN1", "IN8")
def test_an_export_refused_with_429_is_not_repeated_on_a_guess(
    sandbox: Sandbox, context: PullContext, clock: SandboxClock
) -> None:
    sandbox.faults.add("integr8.export", do="status", status=429, times=None)
    line = refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.DENIED)
    assert "wait until 00:00 UTC, when the quota" in line
    assert len(orders(sandbox, status=429)) == 1
    assert not any(clock.slept)


@pytest.mark.rule("IN1")
def test_an_export_refused_with_429_is_repeated_when_told_when(
    sandbox: Sandbox, context: PullContext, clock: SandboxClock
) -> None:
    sandbox.faults.add("integr8.export", do="status", status=429, headers={"Retry-After": "7"})
    assert outcome_of(context) is Outcome.DATA
    assert clock.slept.count(7.0) == 1


@pytest.mark.rule("IN8")
@pytest.mark.parametrize("status", [502, 504])
def test_an_export_that_a_gateway_did_not_pass_on_is_asked_for_once_more_and_then_left(
    sandbox: Sandbox, context: PullContext, status: int
) -> None:
    sandbox.faults.add("integr8.export", do="status", status=status, times=None)
    refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.FAILED)
    assert len(orders(sandbox, status=None)) == 2


@pytest.mark.rule("IN8")
def test_ten_exports_a_day_and_the_eleventh_ends_denied_unasked_until_the_next_utc_day(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.settings.change("integr8", rows_factor=0.0, fill_polls=0)
    days = [date(2026, 10, 1) + n * ONE_DAY for n in range(11)]
    for day in days[:10]:
        assert outcome_of(context, POSTBACKS, day) is Outcome.EMPTY
    line = refused(sandbox, ended(context, POSTBACKS, days[10:])[days[10]], Outcome.DENIED)
    assert "10 integr8 exports a day" in line
    assert "renewed on 2026-11-21 at 00:00 UTC" in line
    assert refused(sandbox, ended(context, CLICKS, days[:1])[days[0]], Outcome.DENIED), "one quota for all logs"
    assert len(orders(sandbox, status=None)) == 10
    sandbox.clock.advance(11 * 3600)
    assert outcome_of(context, POSTBACKS, days[10]) is Outcome.EMPTY
    assert len(orders(sandbox)) == 11


@pytest.mark.rule("IN8")
@pytest.mark.parametrize("status", [429, 403])
def test_a_quota_that_others_spent_ends_denied(sandbox: Sandbox, context: PullContext, status: int) -> None:
    sandbox.settings.change("integr8", exports_per_day=0, quota_status=status)
    refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.DENIED)
    assert len(orders(sandbox, status=None)) == 1


@pytest.mark.rule("IN10")
@pytest.mark.parametrize("retry_after", [True, False])
def test_a_narrow_rate_of_the_provider_is_waited_for(sandbox: Sandbox, context: PullContext, retry_after: bool) -> None:
    sandbox.settings.change("integr8", requests_per_minute=3, retry_after=retry_after)
    context.provider.policy = replace(context.provider.policy, timeout=timedelta(hours=1))
    assert outcome_of(context) is Outcome.DATA
    assert len(orders(sandbox)) == 1
    check_truth(sandbox, context, CONVERSIONS, [DAY])


@pytest.mark.rule("IN10")
def test_sixty_requests_a_minute_are_not_exceeded_by_two_clients_of_one_ledger(
    sandbox: Sandbox, context: PullContext, bench_of: BenchOf
) -> None:
    others = bench_of("integr8").provider
    handle = others.submit(CONVERSIONS, REQUEST, lambda _: None)
    for _ in range(40):
        others.poll(CONVERSIONS, REQUEST, handle)
        context.provider.poll(CONVERSIONS, REQUEST, handle)
    asked = [entry.at for entry in sandbox.log.entries()]
    assert len(asked) == 81
    assert sandbox.log.count(status=429) == 0
    assert sandbox.clock.now() - NOON > timedelta(seconds=60)


# Responses that go wrong on their way.

LANDS = Outcome.DATA
WAYS: tuple[tuple[str, dict[str, Any], Outcome, int], ...] = (
    ("integr8.export", {"do": "html"}, LANDS, 2),
    ("integr8.export", {"do": "empty"}, LANDS, 2),
    ("integr8.export", {"do": "redirect", "to": "http://127.0.0.1:9/x"}, Outcome.FAILED, 1),
    ("integr8.export", {"do": "reset"}, LANDS, 2),
    ("integr8.export", {"do": "cut"}, LANDS, 1),
    ("integr8.status", {"do": "html"}, LANDS, 1),
    ("integr8.status", {"do": "empty"}, LANDS, 1),
    ("integr8.status", {"do": "redirect", "to": "http://127.0.0.1:9/x"}, Outcome.FAILED, 1),
    ("integr8.status", {"do": "reset"}, LANDS, 1),
    ("integr8.status", {"do": "cut_chunked"}, LANDS, 1),
    ("integr8.signed_url", {"do": "html"}, LANDS, 1),
    ("integr8.signed_url", {"do": "empty"}, LANDS, 1),
    ("integr8.signed_url", {"do": "reset"}, LANDS, 1),
    ("integr8.signed_url", {"do": "status", "status": 200, "body": {"data": {"link": "x"}}}, LANDS, 1),
    ("integr8.signed_url", {"do": "redirect", "to": "http://127.0.0.1:9/x"}, Outcome.FAILED, 1),
    ("integr8.file", {"do": "html"}, LANDS, 1),
    ("integr8.file", {"do": "empty"}, LANDS, 1),
    ("integr8.file", {"do": "reset"}, LANDS, 1),
    ("integr8.file", {"do": "redirect", "to": "http://127.0.0.1:9/x?Signature=abc"}, LANDS, 1),
    ("integr8.file", {"do": "cut"}, LANDS, 1),
    ("integr8.file", {"do": "cut_chunked"}, LANDS, 1),
    ("integr8.file", {"do": "cut_close"}, LANDS, 1),
    ("integr8.file", {"do": "gzip"}, LANDS, 1),
    ("integr8.file", {"do": "gzip_cut"}, LANDS, 1),
    ("integr8.file", {"do": "drip", "pieces": 5, "pause": 0.01}, LANDS, 1),
    ("integr8.file", {"do": "expired"}, LANDS, 1),
    ("integr8.file", {"do": "status", "status": 404}, LANDS, 1),
    ("integr8.file", {"do": "status", "status": 503}, LANDS, 1),
)


@pytest.mark.rule("IN8")
@pytest.mark.parametrize(("point", "fault", "outcome", "asked"), WAYS)
def test_an_answer_lost_on_its_way_costs_no_export_that_need_not_be(
    sandbox: Sandbox, context: PullContext, point: str, fault: Mapping[str, Any], outcome: Outcome, asked: int
) -> None:
    sandbox.faults.add(point, **fault)
    result = ended(context, CONVERSIONS, [DAY])[DAY]
    assert len(orders(sandbox, status=None)) == asked
    if outcome is LANDS:
        assert result.outcome is LANDS
        check_truth(sandbox, context, CONVERSIONS, [DAY])
    else:
        refused(sandbox, result, outcome)
        assert not context.data.exists(CONVERSIONS.file(DAY))


@pytest.mark.rule("IN8")
def test_an_address_that_expired_before_the_download_is_signed_anew(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.faults.add("integr8.file", do="expired", times=2)
    assert outcome_of(context) is Outcome.DATA
    urls = [entry.facts["url"] for entry in sandbox.log.entries("integr8.signed_url")]
    assert len(urls) == 3
    assert len(set(urls)) == 3
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN8")
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("expired", Outcome.FAILED), ("cut", Outcome.PARTIAL), ("cut_close", Outcome.PARTIAL), ("html", Outcome.FAILED)],
)
def test_a_file_that_never_comes_whole_leaves_what_was_there_and_the_next_run_takes_the_export_up(
    sandbox: Sandbox, context: PullContext, fault: str, outcome: Outcome
) -> None:
    put_there(context, CONVERSIONS)
    sandbox.faults.add("integr8.file", do=fault, times=None)
    refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], outcome)
    assert lies_there(context.data, CONVERSIONS)
    sandbox.faults.clear()
    assert outcome_of(context) is Outcome.DATA
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN5")
@pytest.mark.parametrize("point", ["integr8.status", "integr8.signed_url"])
def test_an_export_that_is_not_known_any_more_is_asked_for_once_more(
    sandbox: Sandbox, context: PullContext, point: str
) -> None:
    sandbox.faults.add(point, do="status", status=404)
    assert outcome_of(context) is Outcome.DATA
    assert len(orders(sandbox)) == 2
    check_truth(sandbox, context, CONVERSIONS, [DAY])


def test_hosts_that_the_setting_names_are_followed_and_no_others(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("integr8", file_hosts=".files.example")
    sandbox.faults.add("integr8.signed_url", do="bad_url", url="https://x.amazonaws.com/f.csv", times=None)
    assert "not followed" in refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.FAILED)


@pytest.mark.parametrize(
    ("place", "name", "how", "asked"),
    [
        ("provider", "submit", {}, 1),
        ("provider", "submit", {"after": True}, 1),
        ("ledger.jobs", "record_submitted", {"after": True}, 1),
        ("provider", "poll", {"after": True}, 1),
        ("provider", "download", {}, 1),
        ("ledger.jobs", "record_downloaded", {"after": True}, 1),
        ("data", "put", {}, 1),
    ],
)
def test_a_second_run_takes_up_the_export_of_one_that_was_killed(
    sandbox: Sandbox,
    context: PullContext,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    name: str,
    how: dict[str, Any],
    asked: int,
) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, attrgetter(place)(context), name, **how)
        with pytest.raises(Killed):
            list(pull(context, CONVERSIONS, [DAY]))
    assert outcome_of(context) is Outcome.DATA
    assert len(orders(sandbox)) == asked
    check_truth(sandbox, context, CONVERSIONS, [DAY])


def test_no_line_of_the_log_holds_a_secret(sandbox: Sandbox, bench_of: BenchOf) -> None:
    lines: list[str] = []
    context = hasty(bench_of("integr8", log=lines.append))
    sandbox.faults.add("integr8.signed_url", do="status", status=503)
    sandbox.faults.add("integr8.file", do="expired")
    ended(context, CONVERSIONS, DAYS)
    assert lines
    assert [line for line in lines if secrets_in(sandbox, line)] == []


# What is wrong in the file.


@pytest.mark.rule("IN7")
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"do": "drop_column", "column": "payout"}, "payout"),
        ({"do": "rename_column", "column": "country", "to": "Land"}, "country"),
        ({"do": "duplicate_header"}, "is duplicated"),
        ({"do": "duplicate_header", "column": "payout"}, "payout"),
        ({"do": "wrong_day", "day": DAY, "to": "2026-12-24T00:00:00Z"}, "2026-12-24"),
        ({"do": "bad_value", "column": "conversion_time", "value": "yesterday"}, "yesterday"),
        ({"do": "open_quote", "day": DAY}, ""),
        ({"do": "short_row", "day": DAY}, ""),
        ({"do": "long_row", "day": DAY}, ""),
        ({"do": "repeat_header"}, ""),
        ({"do": "latin1", "day": DAY}, "UTF-8"),
        ({"do": "nul", "day": DAY, "column": "user_email"}, "NUL"),
    ],
)
def test_a_file_that_cannot_be_trusted_lands_no_day_and_leaves_what_was_there(
    sandbox: Sandbox, context: PullContext, fault: Mapping[str, Any], says: str
) -> None:
    put_there(context, CONVERSIONS)
    sandbox.faults.add("integr8.data", source="conversions", **fault)
    results = ended(context, CONVERSIONS, DAYS)
    for result in results.values():
        assert result.outcome in {Outcome.FAILED, Outcome.PARTIAL}
        line = refused(sandbox, result, result.outcome)
        assert says in line
        assert "@example" not in line
    assert lies_there(context.data, CONVERSIONS)
    assert not context.data.exists(CONVERSIONS.file(DAYS[1]))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"do": "bad_value", "column": "payout", "value": "1,5"}, "payout"),
        ({"do": "bad_value", "column": "event_id", "value": "7.5"}, "event_id"),
        ({"do": "bad_value", "column": "click_time", "value": "soon"}, "click_time"),
    ],
)
def test_one_bad_day_fails_alone(sandbox: Sandbox, context: PullContext, fault: Mapping[str, Any], says: str) -> None:
    sandbox.faults.add("integr8.data", source="conversions", day=DAYS[1], **fault)
    results = ended(context, CONVERSIONS, DAYS)
    line = refused(sandbox, results[DAYS[1]], Outcome.FAILED)
    assert says in line
    assert not context.data.exists(CONVERSIONS.file(DAYS[1]))
    check_truth(sandbox, context, CONVERSIONS, [DAYS[0], DAYS[2]])


def test_a_new_column_and_a_byte_order_mark_do_not_break_the_day(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.faults.add("integr8.data", do="extra_column")
    sandbox.faults.add("integr8.data", do="bom")
    result = ended(context, CONVERSIONS, [DAY])[DAY]
    assert result.landed is not None
    assert "Surprise" in " ".join(result.landed.warnings)
    check_truth(sandbox, context, CONVERSIONS, [DAY])


def test_the_column_of_the_parameter_that_is_none_is_no_news(context: PullContext) -> None:
    result = ended(context, CONVERSIONS, [DAY])[DAY]
    assert result.landed is not None
    assert not [warning for warning in result.landed.warnings if "none" in warning]


# Settings.


@pytest.mark.rule("IN5")
def test_every_path_can_be_set(sandbox: Sandbox, bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTEGR8_EXPORT_PATH", "/elsewhere/{log}/of/{integration}")
    context = bench_of("integr8")
    refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.FAILED)
    account = sandbox.providers["integr8"].credentials["ordinary"]
    assert [entry.path for entry in sandbox.log.entries()] == [
        f"/api/v2/elsewhere/conversions/of/{account.integration_id}"
    ]


@pytest.mark.parametrize("path", ["elsewhere/{log}", "/x/{nothing}", "/x/{", "/x/{log.nope}", "https://evil.example/"])
def test_a_path_that_is_none_names_its_variable(bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("INTEGR8_SIGNED_URL_PATH", path)
    with pytest.raises(SettingError, match="INTEGR8_SIGNED_URL_PATH is not a path") as caught:
        bench_of("integr8")
    assert "\n" not in caught.value.line


# Whatever is left open.

SWITCHES = st.fixed_dictionaries(
    {
        "rows_factor": st.sampled_from([0.0, 0.1, 1.0, 1.6]),
        "wrap_export": st.booleans(),
        "null_texts": st.booleans(),
        "mask_personal": st.booleans(),
        "retry_after": st.booleans(),
        "unknown_parameters": st.booleans(),
        "extra_parameters_may_be_empty": st.booleans(),
        "error_shape": st.sampled_from(["object", "text"]),
        "export_params": st.sampled_from(["either", "query"]),
        "fill_polls": st.integers(0, 3),
        "fill_seconds": st.sampled_from([0.0, 20.0]),
        "signed_url_seconds": st.sampled_from([1, 900]),
        "restate_days": st.sampled_from([5, 30]),
        "empty_day_one_in": st.sampled_from([0, 3]),
    }
)


@pytest.mark.rule("IN4", "IN7", "IN9")
def test_any_days_of_any_log_in_any_form_land_as_the_truth_value_by_value(
    sandbox: Sandbox, context: PullContext
) -> None:
    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        log=st.sampled_from(sorted(LOGS)),
        ages=st.sets(st.integers(1, 60), min_size=1, max_size=3),
        later=st.integers(1, 12),
        switches=SWITCHES,
    )
    def check(log: str, ages: set[int], later: int, switches: dict[str, Any]) -> None:
        report = LOGS[log][0]
        sandbox.clock.advance(later * 86400)
        sandbox.settings.reset()
        sandbox.settings.change("integr8", **switches)
        sandbox.log.clear()
        days = [sandbox.clock.now().date() - age * ONE_DAY for age in ages]
        results = ended(context, report, days)
        (order,) = orders(sandbox)
        for day, result in results.items():
            expected = expected_rows(sandbox, report, day, order.at)
            assert result.outcome is (Outcome.DATA if expected else Outcome.EMPTY)
            assert landed_rows(context.data, report, day) == expected

    check()


@pytest.mark.rule("IN1")
@pytest.mark.parametrize("status", [401, 403])
def test_an_export_that_was_bought_outlives_a_refused_key(sandbox: Sandbox, context: PullContext, status: int) -> None:
    sandbox.faults.add("integr8.status", do="status", status=status, body="{}")
    assert ended(context, CLICKS, [DAY])[DAY].outcome is Outcome.DENIED
    assert ended(context, CLICKS, [DAY])[DAY].outcome is Outcome.DATA
    assert len(orders(sandbox)) == 1
    check_truth(sandbox, context, CLICKS, [DAY])
