"""Responses that the provider cut: requested again in halves, within the quota, and never landed as they are (IN7)."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.errors import Truncated
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Request
from reporting_dags.providers.integr8.exports import split_day, time_range
from reporting_dags.providers.integr8.report import integr8_log
from reporting_dags.reports.integr8 import CLICKS, CONVERSIONS
from reporting_dags.sandbox.integr8 import fields as documented
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.test_take_up import Killed, kill_at
from reporting_dags_tests.providers.test_integr8_exports import (
    check_truth,
    ended,
    lies_there,
    orders,
    put_there,
    refused,
    sent,
)
from reporting_dags_tests.truth import landed_rows

BenchOf = Callable[..., PullContext]
DAY = date(2026, 11, 10)
FOUR = Window(DAY, DAY + 3 * ONE_DAY).days
WHOLE = 86400


@pytest.fixture
def context(bench_of: BenchOf) -> PullContext:
    return bench_of("integr8", exports_kept=0)


def spans(sandbox: Sandbox, status: int | None = 200) -> list[str]:
    """From when to when each export was requested, in order."""
    asked = [sent(order) for order in orders(sandbox, status=status)]
    return [f"{one['start_time']} to {one['end_time']}" for one in asked]


def known(sandbox: Sandbox, report: Any, days: Sequence[date]) -> int:
    return sum(len(sandbox.truth(report.key, day)) for day in days)


@pytest.mark.rule("IN7", "IN8")
def test_a_window_that_was_cut_is_asked_for_in_halves_and_lands_the_truth(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.settings.change("integr8", rows_limit=known(sandbox, CONVERSIONS, FOUR) - 1)
    results = ended(context, CONVERSIONS, FOUR)
    assert spans(sandbox) == [
        "2026-11-10 00:00:00 to 2026-11-14 00:00:00",
        "2026-11-10 00:00:00 to 2026-11-12 00:00:00",
        "2026-11-12 00:00:00 to 2026-11-14 00:00:00",
    ]
    assert all(result.outcome is Outcome.DATA for result in results.values())
    check_truth(sandbox, context, CONVERSIONS, FOUR)


@pytest.mark.rule("IN7", "IN8")
def test_the_next_run_does_not_ask_for_what_was_cut(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", rows_limit=known(sandbox, CONVERSIONS, FOUR) - 1)
    ended(context, CONVERSIONS, FOUR)
    first = spans(sandbox)
    sandbox.log.clear()
    ended(context, CONVERSIONS, FOUR)
    assert spans(sandbox) == first[1:]
    sandbox.log.clear()
    wider = [DAY - ONE_DAY, *FOUR]
    ended(context, CONVERSIONS, wider)
    assert "2026-11-09 00:00:00 to 2026-11-14 00:00:00" not in spans(sandbox), "nor for more than was cut"
    check_truth(sandbox, context, CONVERSIONS, wider)


@pytest.mark.rule("IN7", "IN8")
def test_a_day_that_was_cut_is_asked_for_in_parts_of_a_day(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", rows_limit=known(sandbox, CLICKS, [DAY]) * 3 // 4)
    results = ended(context, CLICKS, [DAY])
    asked = [
        "2026-11-10 00:00:00 to 2026-11-11 00:00:00",
        "2026-11-10 00:00:00 to 2026-11-10 12:00:00",
        "2026-11-10 12:00:00 to 2026-11-11 00:00:00",
    ]
    assert spans(sandbox) == asked
    assert len(results[DAY].provenance.request_ids) == 2
    check_truth(sandbox, context, CLICKS, [DAY])
    sandbox.log.clear()
    ended(context, CLICKS, [DAY])
    assert spans(sandbox) == asked[1:]


@pytest.mark.rule("IN7")
def test_days_and_parts_of_days_go_together(sandbox: Sandbox, context: PullContext) -> None:
    busy, quiet = DAY + ONE_DAY, DAY + 4 * ONE_DAY
    days = [DAY, busy, DAY + 2 * ONE_DAY]
    sandbox.settings.change("integr8", empty_days=tuple(day.isoformat() for day in (DAY, days[2], quiet)))
    sandbox.settings.change("integr8", rows_limit=known(sandbox, CLICKS, [busy]) * 3 // 4)
    results = ended(context, CLICKS, days)
    assert [results[day].outcome for day in days] == [Outcome.EMPTY, Outcome.DATA, Outcome.EMPTY]
    assert len(spans(sandbox)) == 7, "three days, one and two of them, those two, and the halves of the one"
    check_truth(sandbox, context, CLICKS, days)


@pytest.mark.rule("IN7")
def test_parts_are_cut_as_deep_as_need_be_and_land_the_truth(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", rows_limit=known(sandbox, CLICKS, [DAY]) * 3 // 8)
    results = ended(context, CLICKS, [DAY])
    assert results[DAY].outcome is Outcome.DATA
    assert 5 <= len(spans(sandbox)) <= 7
    check_truth(sandbox, context, CLICKS, [DAY])


@pytest.mark.rule("IN7")
def test_an_export_that_says_it_was_cut_never_lands_although_its_rows_are_as_many_as_told(
    sandbox: Sandbox, context: PullContext
) -> None:
    put_there(context, CONVERSIONS)
    sandbox.faults.add("integr8.export", do="truncate", rows=1_000_000, times=None)
    line = refused(sandbox, ended(context, CONVERSIONS, [DAY])[DAY], Outcome.DENIED)
    assert "renewed on 2026-11-21 at 00:00 UTC" in line
    assert "10 responses with this day" in line, "the cause, and not only that the quota is spent"
    assert lies_there(context.data, CONVERSIONS)
    assert len(spans(sandbox, status=None)) == 10
    assert len(set(spans(sandbox))) == 10, "nothing that was cut is requested twice"


@pytest.mark.rule("IN7", "IN8")
def test_a_day_whose_parts_cannot_all_be_had_goes_on_the_next_utc_day_with_those_that_it_has(
    sandbox: Sandbox, context: PullContext
) -> None:
    put_there(context, CLICKS)
    rows = known(sandbox, CLICKS, [DAY])
    sandbox.settings.change("integr8", rows_limit=rows // 6, fill_polls=0)
    line = refused(sandbox, ended(context, CLICKS, [DAY])[DAY], Outcome.DENIED)
    assert "renewed on 2026-11-21 at 00:00 UTC" in line
    assert lies_there(context.data, CLICKS)
    assert len(spans(sandbox, status=None)) == 10
    again = refused(sandbox, ended(context, CLICKS, [DAY])[DAY], Outcome.DENIED)
    assert "renewed" in again
    assert len(spans(sandbox, status=None)) == 10, "a spent quota costs no call"
    sandbox.clock.advance(11.5 * 3600)
    results = ended(context, CLICKS, [DAY])
    assert results[DAY].outcome is Outcome.DATA, results[DAY].error
    every = spans(sandbox, status=None)
    assert 10 < len(every) <= 20
    assert len(set(every)) == len(every), "no part is bought twice, none that was cut is requested again"
    check_truth(sandbox, context, CLICKS, [DAY])


@pytest.mark.rule("IN7", "IN8")
def test_a_day_that_was_truncated_until_the_quota_was_spent_says_both_in_every_run_of_the_day(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.faults.add("integr8.export", do="truncate", rows=1, times=None)
    message = (
        "the quota of 10 integr8 exports a day is spent; today the provider truncated {} with this day, the smallest "
        "of {}. It is renewed on 2026-11-21 at 00:00 UTC; run again then."
    )
    results = ended(context, CLICKS, FOUR)
    lines = [refused(sandbox, results[day], Outcome.DENIED) for day in FOUR]
    assert len(spans(sandbox)) == 10
    assert all("truncated" in line for line in lines)
    assert lines[0] == message.format("5 responses", "2026-11-10 12:00:00 to 2026-11-11 00:00:00")
    again = ended(context, CLICKS, FOUR)
    assert [refused(sandbox, again[day], Outcome.DENIED) for day in FOUR] == lines
    sandbox.clock.advance(86400)
    tomorrow = ended(context, CLICKS, [FOUR[0]])[FOUR[0]]
    assert "truncated" in refused(sandbox, tomorrow, Outcome.DENIED)


@pytest.mark.rule("IN7")
def test_a_minute_that_is_truncated_says_so_and_that_nothing_shorter_can_be_asked_for(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.faults.add("integr8.export", do="truncate", rows=1, times=None)
    sandbox.settings.change("integr8", fill_polls=0)
    minute = Request(Window(DAY, DAY), "43200/43260")
    assert not context.provider.split_request(CLICKS, minute)
    handle = context.provider.submit(CLICKS, minute, lambda _: None)
    with pytest.raises(Truncated, match="truncated the export of 2026-11-10 12:00:00 to 2026-11-10 12:01:00") as caught:
        context.provider.poll(CLICKS, minute, handle)
    assert caught.value.advice == "A shorter range cannot be requested. Fix: ask its support."


@pytest.mark.rule("IN7")
def test_a_denial_of_days_that_were_not_truncated_today_does_not_speak_of_it(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.settings.change("integr8", rows_limit=known(sandbox, CONVERSIONS, FOUR) - 1)
    ended(context, CONVERSIONS, FOUR)
    sandbox.clock.advance(86400)
    sandbox.faults.add("integr8.export", do="status", status=403, body={"error": "no"}, times=None)
    line = refused(sandbox, ended(context, CONVERSIONS, FOUR)[DAY], Outcome.DENIED)
    assert "truncated" not in line


@pytest.mark.rule("IN8")
def test_parts_that_the_provider_denies_are_asked_for_when_it_gives_again(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.settings.change("integr8", rows_limit=known(sandbox, CLICKS, [DAY]) * 3 // 4, exports_per_day=2)
    refused(sandbox, ended(context, CLICKS, [DAY])[DAY], Outcome.DENIED)
    sandbox.clock.advance(11.5 * 3600)
    assert ended(context, CLICKS, [DAY])[DAY].outcome is Outcome.DATA
    assert len(spans(sandbox)) == 3
    check_truth(sandbox, context, CLICKS, [DAY])


@pytest.mark.rule("IN7")
def test_one_window_that_is_cut_and_denied_leaves_the_others_unharmed(sandbox: Sandbox, context: PullContext) -> None:
    near, far = DAY, DAY - 100 * ONE_DAY
    sandbox.faults.add("integr8.export", do="truncate", rows=3, times=None, day=far)
    results = ended(context, CONVERSIONS, [near, far])
    assert results[near].outcome is Outcome.DATA
    refused(sandbox, results[far], Outcome.DENIED)
    check_truth(sandbox, context, CONVERSIONS, [near])


@pytest.mark.parametrize(
    ("place", "name", "nth"), [("ledger.jobs", "record_downloaded", 1), ("ledger.jobs", "record_submitted", 3)]
)
def test_a_run_that_is_killed_between_the_parts_leaves_them_to_the_next(
    sandbox: Sandbox, context: PullContext, monkeypatch: pytest.MonkeyPatch, place: str, name: str, nth: int
) -> None:
    sandbox.settings.change("integr8", rows_limit=known(sandbox, CLICKS, [DAY]) * 3 // 4)
    with monkeypatch.context() as patch:
        kill_at(patch, attrgetter(place)(context), name, after=True, nth=nth)
        with pytest.raises(Killed):
            list(pull(context, CLICKS, [DAY]))
    assert ended(context, CLICKS, [DAY])[DAY].outcome is Outcome.DATA
    every = spans(sandbox)
    assert len(every) == len(set(every)) == 3
    check_truth(sandbox, context, CLICKS, [DAY])


@pytest.mark.rule("IN7")
def test_a_part_whose_rows_are_not_as_many_as_told_lands_nothing(sandbox: Sandbox, context: PullContext) -> None:
    put_there(context, CLICKS)
    sandbox.settings.change("integr8", rows_limit=known(sandbox, CLICKS, [DAY]) * 3 // 4)
    sandbox.faults.add("integr8.export", do="total", total=7, after=1)
    refused(sandbox, ended(context, CLICKS, [DAY])[DAY], Outcome.PARTIAL)
    assert lies_there(context.data, CLICKS)


@pytest.mark.rule("IN4", "IN7", "IN10")
@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (DAY, 24)])
def test_a_day_of_another_zone_lands_whole_from_its_halves(
    sandbox: Sandbox, context: PullContext, day: date, hours: int
) -> None:
    sandbox.clock.set(datetime(2026, 3, 20, tzinfo=UTC) if day.month == 3 else NOON)
    report = integr8_log(name="clicks", log="clicks", fields=documented.CLICKS, timezone="America/New_York")
    begins = report.calendar.begins_at(day)
    ends = begins + timedelta(hours=hours)
    rows = [row for n in range(3) for row in sandbox.truth(report.key, day + (n - 1) * ONE_DAY)]
    moments = [datetime.fromisoformat(row["request_time"]) for row in rows]
    expected = sorted(row["real_tx_id"] for row, at in zip(rows, moments, strict=True) if begins <= at < ends)
    sandbox.settings.change("integr8", rows_limit=len(expected) * 3 // 4)
    assert ended(context, report, [day])[day].outcome is Outcome.DATA
    assert {sent(order)["timezone"] for order in orders(sandbox)} == {"America/New_York"}
    assert spans(sandbox)[1:] == [f"{day} 00:00:00 to {day} 12:00:00", f"{day} 12:00:00 to {day + ONE_DAY} 00:00:00"]
    place = report.schema.names.index("real_tx_id")
    assert sorted(row[place] for row in landed_rows(context.data, report, day).elements()) == expected


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(ways=st.lists(st.booleans(), max_size=12))
def test_halves_are_together_what_was_cut_and_none_is_below_a_minute(ways: list[bool]) -> None:
    request = Request(Window(DAY, DAY))
    for way in ways:
        halves = split_day(request)
        first, last = time_range(request)
        if not halves:
            assert last - first <= timedelta(minutes=2)
            return
        (begin, middle), (again, end) = (time_range(half) for half in halves)
        assert (begin, middle, end) == (first, again, last)
        assert middle - begin >= timedelta(seconds=30)
        request = halves[way]
