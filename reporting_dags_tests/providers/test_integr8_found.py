"""An export whose id a crash took away: found again in the list of exports, or asked for anew (IN4, IN5, IN8)."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from reporting_dags.jobs.bench import Bench
from reporting_dags.jobs.pull import pull
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Request
from reporting_dags.providers.integr8.exports import span
from reporting_dags.providers.integr8.found import SKEW, answers, ordered_at
from reporting_dags.providers.integr8.report import ExportQuery
from reporting_dags.reports.integr8 import CLICKS, CONVERSIONS, IMPRESSIONS, POSTBACKS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.jobs.test_take_up import Killed, kill_at
from reporting_dags_tests.providers.test_integr8_exports import BenchOf, check_truth, hasty, orders

DAY = date(2026, 11, 10)
DAYS = Window(DAY, DAY + 2 * ONE_DAY).days
MakeBench = Callable[[], Bench]


@pytest.fixture
def another(bench_of: BenchOf) -> MakeBench:
    """Makes the bench of another run; all share a ledger."""
    return lambda: hasty(bench_of("integr8", exports_kept=0))


def die(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    name: str = "submit",
    *,
    after: bool = True,
    report: Report[Any] = CONVERSIONS,
    days: list[date] = DAYS,
) -> None:
    """A run of `days` that ends, as if killed, before or after the provider's part of a step."""
    with monkeypatch.context() as patch:
        kill_at(patch, bench.provider, name, after=after)
        with pytest.raises(Killed):
            list(pull(bench, report, days))


def lands(bench: Bench, days: list[date] = DAYS, report: Report[Any] = CONVERSIONS) -> list[tuple[str, ...]]:
    """The requests that `days` landed from."""
    results = list(pull(bench, report, days))
    assert {result.outcome for result in results} == {Outcome.DATA}, [result.error for result in results]
    return sorted({result.evidence.request_ids for result in results})


@pytest.mark.rule("IN5", "IN8")
@pytest.mark.parametrize("report", [CLICKS, CONVERSIONS, IMPRESSIONS, POSTBACKS], ids=lambda report: report.name)
def test_an_export_whose_id_was_lost_is_found_in_the_list_and_not_asked_for_again(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, report: Report[Any]
) -> None:
    die(another(), monkeypatch, report=report)
    (order,) = orders(sandbox)
    bench = another()
    assert lands(bench, report=report) == [(order.facts["id"],)]
    assert len(orders(sandbox)) == 1
    check_truth(sandbox, bench, report, DAYS)


@pytest.mark.rule("IN5")
def test_an_answer_found_again_is_as_old_as_the_provider_says(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    asked = clock.now()
    die(another(), monkeypatch)
    clock.sleep(6 * 3600)
    bench = another()
    lands(bench)
    facts = bench.ledger.days(CONVERSIONS.key)
    assert all(abs(facts[day].asked_at - asked) < timedelta(minutes=1) for day in DAYS)
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN5")
def test_what_was_never_sent_is_looked_for_once_and_asked_for(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(another(), monkeypatch, after=False)
    bench = another()
    lands(bench)
    assert len(orders(sandbox)) == 1
    assert len(sandbox.log.entries("integr8.exports")) == 1
    check_truth(sandbox, bench, CONVERSIONS, DAYS)
    lands(bench)
    assert len(orders(sandbox)) == 2, "a day that has ended is asked for again"
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


@pytest.mark.rule("IN5")
def test_an_export_that_another_job_has_is_not_taken_for_the_lost_one(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    lands(another())
    die(another(), monkeypatch, after=False)
    lands(another())
    first, second = orders(sandbox)
    assert first.query == second.query, "the second run of the days asks anew, whatever was there before"


@pytest.mark.rule("IN5")
def test_an_export_from_before_the_intent_is_not_taken_for_the_lost_one(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    another().provider.submit(CONVERSIONS, Request(Window(DAYS[0], DAYS[-1])), lambda _: None)
    clock.sleep(SKEW.total_seconds() + 60)
    die(another(), monkeypatch, after=False)
    lands(another())
    assert len(orders(sandbox)) == 2


@pytest.mark.rule("IN5")
def test_some_of_the_days_of_a_lost_export_are_asked_for_by_themselves(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(another(), monkeypatch)
    bench = another()
    lands(bench, DAYS[:2])
    assert len(orders(sandbox)) == 2
    check_truth(sandbox, bench, CONVERSIONS, DAYS[:2])


@pytest.mark.rule("IN5")
def test_the_lost_export_of_a_day_ago_is_asked_for_anew(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, clock: SandboxClock
) -> None:
    die(another(), monkeypatch)
    clock.sleep(25 * 3600)
    lands(another())
    assert len(orders(sandbox)) == 2


@pytest.mark.rule("IN1", "IN5")
@pytest.mark.parametrize("status", [403, 404])
def test_where_the_list_may_not_be_seen_the_export_is_asked_for_anew(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    die(another(), monkeypatch)
    sandbox.faults.add("integr8.exports", do="status", status=status)
    lands(another())
    assert len(orders(sandbox)) == 2


@pytest.mark.rule("IN1", "IN5", "IN8")
@pytest.mark.parametrize("status", [429, 503])
def test_while_the_list_cannot_be_read_no_export_is_spent_and_the_next_run_finds_it(
    sandbox: Sandbox, another: MakeBench, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    die(another(), monkeypatch)
    sandbox.faults.add("integr8.exports", do="status", status=status, times=None)
    results = list(pull(another(), CONVERSIONS, DAYS))
    assert {result.outcome for result in results} == {Outcome.FAILED}
    assert len(orders(sandbox)) == 1
    sandbox.faults.clear()
    lands(another())
    assert len(orders(sandbox)) == 1


@pytest.mark.rule("IN1", "IN8")
@pytest.mark.parametrize("fault", [{"do": "reset"}, {"do": "status", "status": 504}, {"do": "empty"}])
def test_an_export_whose_answer_was_lost_on_the_way_is_found_and_not_asked_for_again(
    sandbox: Sandbox, another: MakeBench, fault: dict[str, Any]
) -> None:
    sandbox.faults.add("integr8.export", effect=True, **fault)
    lands(another())
    assert len(sandbox.log.entries("integr8.export")) == 1


@pytest.mark.rule("IN1", "IN8")
def test_an_export_that_did_not_arrive_is_asked_for_once_more(sandbox: Sandbox, another: MakeBench) -> None:
    sandbox.faults.add("integr8.export", do="reset")
    lands(another())
    assert len(sandbox.log.entries("integr8.export")) == 2


@pytest.mark.rule("IN1", "IN8")
def test_an_export_whose_fate_cannot_be_learned_is_left_to_the_next_run(sandbox: Sandbox, another: MakeBench) -> None:
    sandbox.faults.add("integr8.export", do="reset", effect=True)
    sandbox.faults.add("integr8.exports", do="status", status=503, times=None)
    assert {result.outcome for result in pull(another(), CONVERSIONS, DAYS)} == {Outcome.FAILED}
    sandbox.faults.clear()
    lands(another())
    assert len(sandbox.log.entries("integr8.export")) == 1


# Which export is the answer.

QUERY = cast("ExportQuery", CONVERSIONS.query)
REQUEST = Request(Window(DAY, DAY))


def listed(**changes: object) -> dict[str, Any]:
    """An export as the list shows it, with `changes` at dotted places."""
    export: dict[str, Any] = {
        "id": "5e",
        "status": "IN_PROGRESS",
        "type": "conversion_logs",
        "integration": "i",
        "created_at": "2026-11-20T12:00:00Z",
        "format": {"delimiter": QUERY.delimiter},
        "reports_query_option": {
            "start_date": "2026-11-10 00:00:00",
            "end_date": "2026-11-11 00:00:00",
            "relative_date": "",
            "include_fields": list(QUERY.fields),
            "extra_parameters_as_new_fields": list(QUERY.extra_parameters),
            "filters": {"integration_id": {"equal_values": ["i"], "like_values": None}},
        },
    }
    found = deepcopy(export)
    for place, value in changes.items():
        *outer, name = place.split("__")
        inner = found
        for one in outer:
            inner = inner[one]
        inner[name] = value
    return found


def fits(**changes: object) -> bool:
    return answers(listed(**changes), QUERY, span(REQUEST), "i")


@pytest.mark.rule("IN5")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": "COMPLETED"},
        {"reports_query_option__start_date": "2026-11-10T00:00:00Z"},
        {"reports_query_option__filters": None},
        {"reports_query_option__filters": {"integration_id": {"equal_values": []}}},
        {"reports_query_option__include_fields": list(reversed(QUERY.fields))},
        {"reports_query_option__extra_parameters_as_new_fields": []},
        {"reports_query_option__timezone": "UTC"},
    ],
)
def test_an_export_is_the_answer_in_whatever_way_the_list_shows_it(changes: dict[str, object]) -> None:
    assert fits(**changes)


@pytest.mark.rule("IN5")
@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": None},
        {"status": "ERROR"},
        {"status": "canceled"},
        {"type": "click_logs"},
        {"type": None},
        {"integration": "j"},
        {"format": {"delimiter": ";"}},
        {"format": None},
        {"timezone": "Europe/Berlin"},
        {"reports_query_option__timezone": "Europe/Berlin"},
        {"reports_query_option__start_date": "2026-11-10 00:00:01"},
        {"reports_query_option__end_date": "2026-11-10"},
        {"reports_query_option__end_date": None},
        {"reports_query_option__relative_date": "yesterday"},
        {"reports_query_option__include_fields": list(QUERY.fields[1:])},
        {"reports_query_option__include_fields": [*QUERY.fields, "more"]},
        {"reports_query_option__include_fields": None},
        {"reports_query_option__extra_parameters_as_new_fields": ["sub_id"]},
        {"reports_query_option__filters": {"offer_id": {"equal_values": ["7"]}}},
        {"reports_query_option__filters": {"integration_id": {"not_equal_values": ["i"]}}},
        {"reports_query_option__filters": {"integration_id": {"equal_values": ["i", "j"]}}},
        {"reports_query_option": None},
    ],
)
def test_an_export_that_was_asked_for_otherwise_or_shows_it_not_is_another(changes: dict[str, object]) -> None:
    assert not fits(**changes)


@pytest.mark.rule("IN5")
def test_extra_parameters_must_be_those_that_were_asked_for() -> None:
    query = ExportQuery(log="conversions", fields=QUERY.fields, extra_parameters=("a", "b"))
    name = "reports_query_option__extra_parameters_as_new_fields"
    for said, same in ((["a", "b"], True), (["a"], False), ([], False), (["none"], False)):
        assert answers(listed(**{name: said}), query, span(REQUEST), "i") is same


@pytest.mark.rule("IN5")
def test_when_an_export_was_asked_for_is_read_with_or_without_a_zone() -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for said in ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00", "2026-11-20 14:00:00+02:00"):
        assert ordered_at({"created_at": said}) == noon
    assert ordered_at({"created_at": "yesterday"}) is None
    assert ordered_at({}) is None
