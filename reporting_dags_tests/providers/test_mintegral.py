"""Mintegral's jobs: signed calls, every state and error, and what a crash or a late day costs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.model.days import Calendar, Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Request
from reporting_dags.providers.mintegral.client import token
from reporting_dags.providers.mintegral.resource import MintegralResource
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE as REPORT
from reporting_dags.sandbox.request_log import LogEntry
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.pulling import BenchOf, brought, check_truth, landed, line_of, refused_after_landing

DAY = date(2026, 11, 18)
DAYS = Window(date(2026, 11, 13), date(2026, 11, 19)).days
ASK, FETCH = "mintegral.generate", "mintegral.download"


def secrets_of(sandbox: Sandbox) -> tuple[str, str]:
    account = sandbox.providers["mintegral"].credentials["ordinary"]
    return account.access_key, account.api_key


def jobs(sandbox: Sandbox) -> set[str]:
    """The different jobs that the provider was requested."""
    return {entry.facts["job"] for entry in sandbox.log.entries(ASK) if "job" in entry.facts}


def codes(sandbox: Sandbox, point: str) -> list[str | None]:
    return [entry.facts.get("code") for entry in sandbox.log.entries(point)]


@pytest.mark.rule("MT1")
def test_the_token_is_the_digest_of_the_key_and_of_the_times_digest() -> None:
    assert token("ce4f7c2b8edb173e2533d7a169080504", "1471256697") == "378d387c2b61462cf4bc62b3949111f3"


@pytest.mark.rule("MT1")
def test_every_call_is_signed_with_the_present_second_and_a_retry_anew(sandbox: Sandbox, bench_of: BenchOf) -> None:
    # Tighter than the provider: a token of an earlier second is refused.
    sandbox.settings.change("mintegral", token_seconds=1, fill_polls=3)
    sandbox.faults.add(ASK, do="status", status=502, after=1, times=2)
    sandbox.faults.add(FETCH, do="status", status=502)
    context = bench_of("mintegral")
    landed(context, REPORT, [DAY, date(2026, 10, 1)])
    sent = [entry for entry in sandbox.log.entries() if entry.point in {ASK, FETCH}]
    assert len(sent) >= 10
    access_key, api_key = secrets_of(sandbox)
    for entry in sent:
        timestamp = str(int(entry.at.timestamp()))
        assert entry.headers["access-key"] == access_key
        assert (entry.headers["timestamp"], entry.headers["token"]) == (timestamp, token(api_key, timestamp))


@pytest.mark.rule("MT1")
def test_calls_of_one_second_share_a_token_and_none_waits_for_another(sandbox: Sandbox, clock: SandboxClock) -> None:
    access_key, api_key = secrets_of(sandbox)
    client = MintegralResource(base_url=sandbox.url, access_key=access_key, api_key=api_key).client(clock)
    for _ in range(64):
        client.submit(REPORT, Request(Window(DAY, DAY)), lambda _: None)
    client.close()
    assert "10000" not in codes(sandbox, ASK)
    assert len({entry.headers["token"] for entry in sandbox.log.entries(ASK)}) == 1
    assert clock.slept == []


@pytest.mark.rule("MT2", "MT3")
def test_a_job_is_asked_for_until_it_is_ready_and_then_fetched_once(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.settings.change("mintegral", fill_polls=2)
    context = bench_of("mintegral")
    results = landed(context, REPORT, DAYS)
    assert codes(sandbox, ASK) == ["201", "202", "202", "200"]
    assert codes(sandbox, FETCH) == ["200"]
    entries = [entry for entry in sandbox.log.entries() if entry.point in {ASK, FETCH}]
    assert len({entry.query.replace("type=2", "type=1") for entry in entries}) == 1, "the same parameters throughout"
    assert {result.provenance.calls_spent for result in results.values()} == {1}
    check_truth(context, sandbox, REPORT, DAYS)


@pytest.mark.rule("MT2")
def test_a_report_that_is_there_at_once_is_taken_at_once(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    sandbox.settings.change("mintegral", ready_at_once=True, data_missing=False)
    context = bench_of("mintegral")
    landed(context, REPORT, [DAY])
    assert set(codes(sandbox, ASK)) == {"200"}
    assert sum(clock.slept) == 0
    check_truth(context, sandbox, REPORT, [DAY])


@pytest.mark.rule("MT4")
def test_ninety_days_are_thirteen_jobs_of_at_most_a_week(sandbox: Sandbox, bench_of: BenchOf) -> None:
    days = [date(2026, 11, 19) - timedelta(days=age) for age in range(90)]
    context = bench_of("mintegral")
    landed(context, REPORT, days)
    assert len(jobs(sandbox)) == 13
    assert sandbox.log.count(FETCH) == 13
    assert open_at_once(sandbox.log.entries()) == 4
    check_truth(context, sandbox, REPORT, days)


def open_at_once(entries: Sequence[LogEntry]) -> int:
    """The most jobs that were requested and not fetched yet."""
    most = 0
    waiting: set[str] = set()
    for entry in entries:
        if entry.point == ASK:
            waiting.add(entry.facts["job"])
        elif entry.point == FETCH:
            waiting.discard(entry.facts["job"])
        most = max(most, len(waiting))
    return most


@pytest.mark.rule("MT2")
def test_a_crash_before_the_jobs_handle_is_saved_finds_the_same_job_again(
    sandbox: Sandbox, bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bench_of("mintegral")
    submit = context.provider.submit

    class Killed(BaseException): ...

    def crash(*arguments: Any) -> Handle:
        submit(*arguments)
        raise Killed

    monkeypatch.setattr(context.provider, "submit", crash)
    with pytest.raises(Killed):
        list(pull(context, REPORT, DAYS))
    assert codes(sandbox, ASK) == ["201"]
    again = replace(bench_of("mintegral"), run="run-2")
    landed(again, REPORT, DAYS)
    assert len(jobs(sandbox)) == 1
    check_truth(again, sandbox, REPORT, DAYS)


@pytest.mark.rule("MT2")
def test_a_job_that_is_never_ready_stays_open_and_the_next_run_goes_on_with_it(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    sandbox.faults.add(ASK, do="never", times=None)
    context = bench_of("mintegral", job_timeout_seconds=600)
    line = line_of(brought(context, REPORT, [DAY])[DAY], Outcome.NOT_READY, secrets_of(sandbox))
    assert "still creating the report after 0:10:00" in line
    assert sandbox.log.count(FETCH) == 0
    assert len(sandbox.log.entries(ASK)) < 30, "asked at growing intervals"
    sandbox.faults.clear()
    results = landed(context, REPORT, [DAY])
    assert results[DAY].provenance.calls_spent == 1
    assert len(jobs(sandbox)) == 1


@pytest.mark.rule("MT3")
def test_data_that_expired_after_a_month_is_made_again(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("mintegral")
    landed(context, REPORT, [DAY])
    sandbox.faults.add(FETCH, do="expired")
    landed(context, REPORT, [DAY])
    assert codes(sandbox, FETCH) == ["200", "205", "200"]
    sandbox.clock.advance(31 * 86400)
    landed(context, REPORT, [DAY])
    assert codes(sandbox, ASK)[-2:] == ["202", "200"]
    check_truth(context, sandbox, REPORT, [DAY])


@pytest.mark.rule("MT7")
def test_a_day_is_asked_for_an_hour_and_a_half_after_it_ended_and_no_sooner(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    context = bench_of("mintegral")
    sandbox.clock.set(datetime(2026, 11, 20, 1, 29, tzinfo=UTC))
    line = line_of(brought(context, REPORT, [DAYS[-1]])[DAYS[-1]], Outcome.NOT_READY, secrets_of(sandbox))
    assert "publishes it on 2026-11-20 at 01:30 UTC" in line
    assert not sandbox.log.entries()
    sandbox.clock.advance(60)
    landed(context, REPORT, [DAYS[-1]])
    check_truth(context, sandbox, REPORT, [DAYS[-1]])


@pytest.mark.rule("MT2", "MT7")
def test_a_late_day_is_partial_until_the_provider_calls_it_complete(sandbox: Sandbox, bench_of: BenchOf) -> None:
    late = DAYS[-1]
    sandbox.settings.change("mintegral", late_days=(late.isoformat(),))
    sandbox.clock.set(datetime(2026, 11, 20, 1, 40, tzinfo=UTC))
    context = bench_of("mintegral")
    for day, result in brought(context, REPORT, DAYS).items():
        line = line_of(result, Outcome.PARTIAL, secrets_of(sandbox))
        assert "reports that 2026-11-13...2026-11-19 is not complete yet (167 of 168 hours)" in line
        assert not context.data.exists(REPORT.file(day))
    assert sandbox.log.count(FETCH) == 0, "what is not whole is not fetched"
    sandbox.clock.set(datetime(2026, 11, 20, 4, 0, tzinfo=UTC))
    results = landed(context, REPORT, DAYS)
    assert results[late].provenance.calls_spent == 1
    assert len(jobs(sandbox)) == 1
    check_truth(context, sandbox, REPORT, DAYS)


@pytest.mark.rule("MT2", "MT7")
@pytest.mark.parametrize(
    ("data", "says"),
    [
        ('{"hours": 23, "is_complete": true}', "has 23 of the 24 hours"),
        ('{"hours": "23", "is_complete": "TRUE"}', "has 23 of the 24 hours"),
        ('{"hours": 24, "is_complete": false}', "24 of 24 hours"),
        ('{"hours": 24, "is_complete": null}', "24 of 24 hours"),
        ('{"hours": 24}', "24 of 24 hours"),
        ("{}", "number of hours unknown"),
        ("null", "number of hours unknown"),
        ("[]", "number of hours unknown"),
    ],
)
def test_a_report_that_is_not_said_to_be_whole_never_is(
    sandbox: Sandbox, bench_of: BenchOf, data: str, says: str
) -> None:
    body = f'{{"code": 200, "msg": "success", "data": {data}}}'
    fault = {"point": ASK, "do": "status", "status": 200, "body": body, "times": None}
    result = refused_after_landing(sandbox, bench_of("mintegral"), REPORT, DAY, fault)
    assert says in line_of(result, Outcome.PARTIAL, secrets_of(sandbox))


@pytest.mark.rule("MT2")
def test_a_report_that_says_it_is_whole_in_capitals_is_whole(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("mintegral")
    landed(context, REPORT, [DAY])
    body = '{"code": "200", "data": {"hours": "24", "is_complete": "TRUE"}}'
    sandbox.faults.add(ASK, do="status", status=200, body=body, times=None)
    landed(context, REPORT, [DAY])
    check_truth(context, sandbox, REPORT, [DAY])


@pytest.mark.rule("MT2")
def test_an_incomplete_answer_lands_once_it_is_complete(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.settings.change("mintegral", ready_at_once=True)
    sandbox.faults.add(ASK, do="incomplete", times=2)
    context = bench_of("mintegral")
    assert "23 of 24 hours" in line_of(brought(context, REPORT, [DAY])[DAY], Outcome.PARTIAL, secrets_of(sandbox))
    landed(context, REPORT, [DAY])
    assert len(jobs(sandbox)) == 1
    check_truth(context, sandbox, REPORT, [DAY])


@pytest.mark.rule("MT7")
def test_hours_are_counted_as_the_days_of_the_zone_have_them() -> None:
    new_york = Calendar(timezone="America/New_York")
    assert new_york.hours(Window(date(2026, 3, 8), date(2026, 3, 8))) == 23
    assert new_york.hours(Window(date(2026, 11, 1), date(2026, 11, 1))) == 25
    assert new_york.hours(Window(date(2026, 10, 31), date(2026, 11, 6))) == 169
    assert REPORT.calendar.hours(Window(DAYS[0], DAYS[-1])) == 168
