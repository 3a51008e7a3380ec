"""An export whose id a crash or a lost answer took away: found by its mark, or requested again (IN4 to IN8)."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import pytest

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.errors import SettingError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Request
from reporting_dags.providers.integr8.export_lookup import MIN_FIELDS, matches, order_fields_for
from reporting_dags.providers.integr8.report import ExportQuery
from reporting_dags.providers.integr8.session import Integr8Session, Paths
from reporting_dags.reports.integr8 import CLICKS, CONVERSIONS, IMPRESSIONS, POSTBACKS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.jobs.test_take_up import Killed, kill_at
from reporting_dags_tests.providers.test_integr8_exports import BenchOf, check_truth, hasty, orders

DAY = date(2026, 11, 10)
DAYS = Window(DAY, DAY + 2 * ONE_DAY).days
REQUEST = Request(Window(DAYS[0], DAYS[-1]))
MakeBench = Callable[[], PullContext]
Said = dict[str, Any]
FIELDS = cast("ExportQuery", CONVERSIONS.query).fields


@pytest.fixture
def another(bench_of: BenchOf) -> MakeBench:
    """Makes the context of another run; all share a ledger."""
    return lambda: hasty(bench_of("integr8", exports_kept=0, poll_seconds=1.0))


def die(
    context: PullContext,
    monkeypatch: pytest.MonkeyPatch,
    name: str = "submit",
    *,
    after: bool = True,
    report: Report = CONVERSIONS,
    days: list[date] = DAYS,
) -> None:
    """A run of `days` that ends, as if killed, before or after the provider's part of a step."""
    with monkeypatch.context() as patch:
        kill_at(patch, context.provider, name, after=after)
        with pytest.raises(Killed):
            list(pull(context, report, days))


def lands(context: PullContext, days: list[date] = DAYS, report: Report = CONVERSIONS) -> list[tuple[str, ...]]:
    """The requests that `days` landed from."""
    results = list(pull(context, report, days))
    assert {result.outcome for result in results} == {Outcome.DATA}, [result.error for result in results]
    return sorted({result.provenance.request_ids for result in results})


def fails(context: PullContext, days: list[date] = DAYS) -> str:
    """The one line with which all of `days` fail."""
    results = list(pull(context, CONVERSIONS, days))
    (line,) = {result.error.line for result in results if result.error is not None}
    assert not any(result.landed for result in results)
    return line


def reshaped(monkeypatch: pytest.MonkeyPatch, change: Callable[[int, Said], Said | bytes]) -> list[int]:
    """Let the nth page that is read of the list be what `change` makes of it; counts them."""
    get, seen = Integr8Session.get, list[int]()

    def changed(session: Integr8Session, path: str, *given: Any, **names: str) -> Any:
        answer = get(session, path, *given, **names)
        if path != session.paths.exports:
            return answer
        seen.append(1)
        said = change(len(seen), json.loads(answer.body))
        return replace(answer, body=said if isinstance(said, bytes) else json.dumps(said).encode())

    monkeypatch.setattr(Integr8Session, "get", changed)
    return seen


@pytest.mark.rule("IN5", "IN8")
@pytest.mark.parametrize("report", [CLICKS, CONVERSIONS, IMPRESSIONS, POSTBACKS], ids=lambda report: report.name)
def test_an_export_whose_id_was_lost_is_found_in_the_list_and_not_asked_for_again(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    die(another(), monkeypatch, report=report)
    (order,) = orders(sandbox)
    context = another()
    assert lands(context, report=report) == [(order.facts["id"],)]
    assert len(orders(sandbox)) == 1
    check_truth(sandbox, context, report, DAYS)


@pytest.mark.rule("IN5")
def test_an_answer_found_again_counts_as_old_as_the_intent_to_ask_for_it(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    asked = clock.now()
    die(another(), monkeypatch)
    clock.sleep(6 * 3600)
    context = another()
    lands(context)
    facts = context.ledger.materializations.days(CONVERSIONS.key)
    assert all(abs(facts[day].requested_at - asked) < timedelta(minutes=1) for day in DAYS)
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN5")
def test_what_was_never_sent_is_looked_for_once_and_asked_for(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(another(), monkeypatch, after=False)
    context = another()
    lands(context)
    assert len(orders(sandbox)) == 1
    assert len(sandbox.log.entries("integr8.exports")) == 1
    check_truth(sandbox, context, CONVERSIONS, DAYS)
    lands(context)
    assert len(orders(sandbox)) == 2, "a day that has ended is requested again"
    assert len(sandbox.log.entries("integr8.exports")) == 1, "where no run was cut off nothing is looked for"


@pytest.mark.rule("IN2", "IN5")
def test_the_whole_list_is_read(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    sandbox.settings.change("integr8", exports_per_day=1000, requests_per_minute=1000)
    die(another(), monkeypatch)
    provider = another().provider
    for number in range(105):
        first = date(2026, 9, 1) + timedelta(days=number % 60)
        provider.submit(POSTBACKS, Request(Window(first, first)), lambda _: None)
        clock.sleep(2)
    lands(another())
    assert len(sandbox.log.entries("integr8.exports", status=200)) == 2
    assert len([order for order in orders(sandbox) if "/conversions" in order.path]) == 1


# Which export it is.


@pytest.mark.rule("IN5", "IN10")
def test_the_export_of_another_report_in_another_time_zone_is_not_taken_for_the_lost_one(
    sandbox: Sandbox, another: MakeBench
) -> None:
    zone = "Atlantic/Azores"
    other = replace(
        CONVERSIONS,
        name="conversions_azores",
        query=replace(CONVERSIONS.query, timezone=zone),
        calendar=replace(CONVERSIONS.calendar, timezone=zone),
    )
    sandbox.settings.change("integr8", empty_days=("2026-11-11",), empty_day_one_in=0)
    lands(another(), [DAY], other)
    sandbox.faults.add("integr8.export", do="reset")
    context = another()
    lands(context, [DAY])
    check_truth(sandbox, context, CONVERSIONS, [DAY])


@pytest.mark.rule("IN5")
def test_what_anybody_else_asked_for_in_the_same_words_is_not_taken_for_the_lost_one(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(another(), monkeypatch, after=False)
    theirs = [
        another().provider.submit(CONVERSIONS, replace(REQUEST, correlation_id=mark), lambda _: None)
        for mark in ("", "x")
    ]
    assert lands(another()) != [(handle.id,) for handle in theirs]
    assert len(orders(sandbox)) == 3


@pytest.mark.rule("IN5")
def test_a_job_that_is_asked_for_once_more_is_not_found_as_it_was_before(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(another(), monkeypatch, "download", after=False)
    sandbox.faults.add("integr8.status", do="status", status=404)
    lands(another())
    first, second = orders(sandbox)
    assert first.query != second.query


@pytest.mark.rule("IN4", "IN5")
def test_marks_are_orders_that_are_the_same_everywhere_and_differ_from_job_to_job() -> None:
    names = [f"field_{number}" for number in range(MIN_FIELDS)]
    assert order_fields_for(names, "") == names
    assert order_fields_for(names, "a.0") == order_fields_for(reversed_of(names), "a.0")
    assert sorted(order_fields_for(names, "a.0")) == sorted(names)
    assert len({tuple(order_fields_for(names, f"a.{number}")) for number in range(50)}) == 50
    assert order_fields_for(names, "a.0")[:3] == ["field_3", "field_1", "field_7"], (
        "a later release finds what this one requested"
    )
    few = names[1:]
    assert order_fields_for(few, "a.0") == few


def reversed_of(names: list[str]) -> list[str]:
    return list(reversed(names))


def listed(**changes: object) -> Said:
    """An export as the list shows it, with `changes`."""
    fields = order_fields_for(FIELDS, "job.0")
    return {"id": "5e", "status": "IN_PROGRESS", "reports_query_option": {"include_fields": fields}} | changes


@pytest.mark.rule("IN5", "IN6")
@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": None},
        {"id": 17},
        {"id": ["x"]},
        {"id": "../../advertisers"},
        {"id": ".."},
        {"id": "x?y"},
        {"id": "x y"},
        {"id": "x\ny"},
        {"id": "x" * 200},
        {"status": "ERROR"},
        {"status": "canceled"},
        {"reports_query_option": None},
        {"reports_query_option": {"include_fields": list(FIELDS)}},
        {"reports_query_option": {"include_fields": ",".join(FIELDS)}},
        {"reports_query_option": {"include_fields": order_fields_for(FIELDS, "job.1")}},
        {"reports_query_option": {"include_fields": order_fields_for(FIELDS, "job.0")[1:]}},
    ],
)
def test_an_export_without_the_mark_or_that_cannot_serve_is_another(changes: Said) -> None:
    assert matches(listed(), FIELDS, "job.0")
    assert matches(listed(status="COMPLETED", id="a:B-1_2.3=="), FIELDS, "job.0")
    assert not matches(listed(**changes), FIELDS, "job.0")


@pytest.mark.rule("IN5")
def test_without_a_mark_or_with_few_fields_nothing_is_found() -> None:
    few = FIELDS[: MIN_FIELDS - 1]
    assert not matches(listed(reports_query_option={"include_fields": list(few)}), few, "job.0")
    assert not matches(listed(reports_query_option={"include_fields": list(FIELDS)}), FIELDS, "")


@pytest.mark.rule("IN5")
def test_every_shipped_log_has_fields_enough_for_a_mark() -> None:
    for report in (CLICKS, CONVERSIONS, IMPRESSIONS, POSTBACKS):
        assert isinstance(report.query, ExportQuery)
        assert len(report.query.fields) >= MIN_FIELDS, report.key


# What is left of an intent.


@pytest.mark.rule("IN5")
def test_some_of_the_days_of_a_lost_export_are_asked_for_by_themselves(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(another(), monkeypatch)
    context = another()
    lands(context, DAYS[:2])
    assert len(orders(sandbox)) == 2
    check_truth(sandbox, context, CONVERSIONS, DAYS[:2])


@pytest.mark.rule("IN5")
def test_the_lost_export_of_a_day_ago_is_asked_for_anew(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    die(another(), monkeypatch)
    clock.sleep(25 * 3600)
    lands(another())
    assert len(orders(sandbox)) == 2


@pytest.mark.rule("IN8")
def test_a_submit_that_was_refused_leaves_nothing_that_would_cost_the_next_run_an_export(
    sandbox: Sandbox, another: MakeBench
) -> None:
    sandbox.faults.add("integr8.export", do="status", status=503, times=None)
    fails(another())
    sandbox.faults.clear()
    lands(another(), [*DAYS, DAYS[-1] + ONE_DAY])
    assert len(orders(sandbox)) == 1
    assert sandbox.log.entries("integr8.exports") == [], "nothing was bought, so nothing is looked for"


# A list that cannot be read.


@pytest.mark.rule("IN1", "IN5")
@pytest.mark.parametrize("status", [403, 404])
def test_where_the_list_may_not_be_seen_the_export_is_asked_for_anew(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    die(another(), monkeypatch)
    sandbox.faults.add("integr8.exports", do="status", status=status)
    lands(another())
    assert len(orders(sandbox)) == 2


UNREADABLE = (
    {"do": "status", "status": 401},
    {"do": "status", "status": 429},
    {"do": "status", "status": 503},
    {"do": "html"},
    {"do": "empty"},
)


@pytest.mark.rule("IN1", "IN5", "IN8")
@pytest.mark.parametrize("fault", UNREADABLE, ids=lambda fault: " ".join(map(str, fault.values())))
def test_while_the_list_cannot_be_read_no_export_is_spent_for_an_hour(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock, fault: Said
) -> None:
    die(another(), monkeypatch)
    sandbox.faults.add("integr8.exports", times=None, **fault)
    fails(another())
    assert len(orders(sandbox)) == 1
    sandbox.faults.clear()
    lands(another())
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN1", "IN5", "IN8")
@pytest.mark.parametrize("fault", UNREADABLE[2:], ids=lambda fault: " ".join(map(str, fault.values())))
def test_after_an_hour_a_day_is_worth_more_than_an_export(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock, fault: Said
) -> None:
    die(another(), monkeypatch)
    sandbox.faults.add("integr8.exports", times=None, **fault)
    clock.sleep(3601)
    lands(another())
    assert len(orders(sandbox)) == 2


@pytest.mark.rule("IN2", "IN5")
def test_what_is_found_before_a_page_breaks_is_found(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(another(), monkeypatch)
    reshaped(monkeypatch, lambda nth, said: {**said, "meta": {"total_page": 2}} if nth == 1 else b"")
    lands(another())
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN2", "IN5")
def test_a_list_without_end_is_read_for_a_while_alone(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(another(), monkeypatch, after=False)
    seen = reshaped(monkeypatch, lambda _, said: {"data": said["data"][:0], "meta": {"total_page": 10**9}})
    lands(another())
    assert len(seen) == 50


@pytest.mark.rule("IN5")
@pytest.mark.parametrize("entry", [None, 1, "x", [], {"id": 5}, {"reports_query_option": []}])
def test_odd_entries_of_the_list_are_passed_over(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, entry: object
) -> None:
    die(another(), monkeypatch)
    reshaped(monkeypatch, lambda _, said: {**said, "data": [entry, *said["data"]]})
    lands(another())
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN5")
def test_json_without_end_is_no_list(sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    die(another(), monkeypatch)
    reshaped(monkeypatch, lambda _, _said: b"[" * 200_000)
    assert "no list" in fails(another())


# Responses that are lost on their way.


@pytest.mark.rule("IN1", "IN8")
@pytest.mark.parametrize("fault", [{"do": "reset"}, {"do": "status", "status": 504}, {"do": "empty"}])
def test_an_export_whose_answer_was_lost_is_found_and_not_asked_for_again(
    sandbox: Sandbox, another: MakeBench, fault: Said
) -> None:
    sandbox.faults.add("integr8.export", effect=True, **fault)
    lands(another())
    assert len(sandbox.log.entries("integr8.export")) == 1


@pytest.mark.rule("IN8")
def test_a_list_that_shows_an_export_late_is_looked_at_more_than_once(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    sandbox.faults.add("integr8.export", do="status", status=504, effect=True)
    began = clock.now()
    seen = reshaped(monkeypatch, lambda nth, said: said if nth == 3 else {"data": [], "meta": {"total_page": 1}})
    lands(another(), [DAY])
    assert len(seen) == 3
    assert len(sandbox.log.entries("integr8.export")) == 1
    assert clock.now() - began > timedelta(seconds=10), "the looks are apart"


@pytest.mark.rule("IN1", "IN8")
def test_an_export_that_did_not_arrive_is_asked_for_once_more(sandbox: Sandbox, another: MakeBench) -> None:
    sandbox.faults.add("integr8.export", do="reset")
    lands(another())
    assert len(sandbox.log.entries("integr8.export")) == 2


@pytest.mark.rule("IN1", "IN8")
def test_an_export_whose_fate_cannot_be_learned_is_left_to_the_next_run(sandbox: Sandbox, another: MakeBench) -> None:
    sandbox.faults.add("integr8.export", do="reset", effect=True)
    sandbox.faults.add("integr8.exports", do="status", status=503, times=None)
    fails(another())
    sandbox.faults.clear()
    lands(another())
    assert len(sandbox.log.entries("integr8.export")) == 1


@pytest.mark.rule("IN8")
@pytest.mark.parametrize("then", [{"do": "status", "status": 503}, {"do": "status", "status": 403}])
def test_an_export_that_may_be_bought_stays_open_whatever_becomes_of_asking_again(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, then: Said
) -> None:
    sandbox.faults.add("integr8.export", do="reset", effect=True)
    sandbox.faults.add("integr8.export", times=None, **then)
    with monkeypatch.context() as patch:
        reshaped(patch, lambda _, _said: {"data": [], "meta": {"total_page": 1}})
        fails(another(), [DAY])
    sandbox.faults.clear()
    lands(another(), [DAY])
    assert len([order for order in sandbox.log.entries("integr8.export") if order.facts.get("id")]) == 1


@pytest.mark.rule("IN8")
def test_one_question_costs_few_tries_however_they_fail(sandbox: Sandbox, another: MakeBench) -> None:
    for _ in range(4):
        sandbox.faults.add("integr8.export", do="status", status=503)
        sandbox.faults.add("integr8.export", do="status", status=504)
    fails(another(), [DAY])
    assert len(sandbox.log.entries("integr8.export")) == 4


@pytest.mark.rule("IN1", "IN8")
def test_a_wait_that_is_asked_for_is_left_to_the_next_run(sandbox: Sandbox, another: MakeBench) -> None:
    sandbox.faults.add("integr8.export", do="status", status=504, headers={"Retry-After": "3600"})
    fails(another(), [DAY])
    assert len(sandbox.log.entries("integr8.export")) == 1


@pytest.mark.rule("IN5", "IN8")
def test_an_export_that_is_accepted_without_an_id_is_asked_for_once_a_run(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.add("integr8.exports", do="status", status=404, times=None)
    post = Integr8Session.post

    def without_id(*given: Any, **how: Any) -> Any:
        return replace(post(*given, **how), body=b'{"export": "x"}')

    monkeypatch.setattr(Integr8Session, "post", without_id)
    assert "without an id" in fails(another(), [DAY])
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN5")
def test_a_path_with_a_blank_that_nothing_fills_is_refused() -> None:
    with pytest.raises(SettingError, match="INTEGR8_EXPORTS_PATH"):
        Paths(exports="/center/{export}")
