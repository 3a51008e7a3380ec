"""Days pulled from the sandbox: outcomes, resends, crashes and take-ups, on SQLite and PostgreSQL."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.model.days import Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.digital_turbine.offer_wall import OfferWall
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON, SandboxClock

MakeBench = Callable[..., PullContext]
DAYS = Window(date(2026, 11, 1), date(2026, 11, 5)).days


def outcomes(results: Sequence[DayResult]) -> dict[date, Outcome]:
    return {result.day: result.outcome for result in results}


def rows_of(context: PullContext, day: date, report: str = EVENT.key) -> list[tuple[Any, ...]]:
    table = pq.read_table(context.data.open(f"{report}/date={day}/part-0.parquet"))
    return sorted(tuple(row.values()) for row in table.to_pylist())


def truth_of(sandbox: Sandbox, day: date, report: str = EVENT.key) -> list[tuple[Any, ...]]:
    return sorted(
        (
            row["DT Publisher App ID"],
            row["Country"],
            exactly(row["Publisher Revenue"]),
            exactly(row["Publisher ARPU"]),
            *(int(row[name]) if row[name] else None for name in ("Offer Impressions", "Offer Clicks")),
            int(row["OFW Unique Users"]) if row["OFW Unique Users"] else None,
        )
        for row in sandbox.truth(report, day)
    )


def exactly(text: str) -> Decimal | None:
    return Decimal(text).quantize(Decimal(1).scaleb(-18)) if text else None


def check_truth(context: PullContext, sandbox: Sandbox, days: Sequence[date]) -> None:
    for day in days:
        assert sorted(rows_of(context, day), key=repr) == sorted(truth_of(sandbox, day), key=repr), day


def submits(sandbox: Sandbox) -> int:
    return sandbox.log.count("dt.report", status=200)


def test_days_come_home_exactly_with_one_query(sandbox: Sandbox, make_context: MakeBench) -> None:
    context = make_context()
    results = list(pull(context, EVENT, DAYS))
    assert {result.outcome for result in results} <= {Outcome.DATA, Outcome.EMPTY}
    assert submits(sandbox) == 1
    check_truth(context, sandbox, DAYS)
    assert results[0].provenance.calls_spent == 1
    assert results[0].provenance.request_ids


def test_running_a_day_again_asks_the_provider_again_and_replaces_it_whole(
    sandbox: Sandbox, make_context: MakeBench, clock: SandboxClock
) -> None:
    context = make_context()
    day = date(2026, 11, 19)
    list(pull(context, PERFORMANCE, [day]))
    before = rows_of(context, day, PERFORMANCE.key)
    clock.sleep(3 * 86400)
    list(pull(make_context("run-2"), PERFORMANCE, [day]))
    after = rows_of(context, day, PERFORMANCE.key)
    assert submits(sandbox) == 2
    assert before != after, "the sandbox restates performance"
    assert sorted(after, key=repr) == sorted(truth_of(sandbox, day, PERFORMANCE.key), key=repr)


def test_a_day_whose_file_was_harmed_is_replaced_though_nothing_can_be_compared(
    sandbox: Sandbox, make_context: MakeBench, clock: SandboxClock, tmp_path: Path
) -> None:
    context = make_context()
    day = date(2026, 11, 19)
    assert all(result.landed for result in pull(context, PERFORMANCE, [day]))
    (tmp_path / "data" / PERFORMANCE.file(day)).write_bytes(b"PAR1 no more")
    clock.sleep(3 * 86400)
    (result,) = pull(make_context("run-2"), PERFORMANCE, [day])
    assert result.landed is not None
    assert result.provenance.restatement is not None
    assert (result.provenance.restatement.rows, dict(result.provenance.restatement.entities)) == (None, {})
    after = rows_of(context, day, PERFORMANCE.key)
    assert sorted(after, key=repr) == sorted(truth_of(sandbox, day, PERFORMANCE.key), key=repr)


def test_days_in_a_gap_that_nobody_asked_for_are_left_as_they_are(sandbox: Sandbox, make_context: MakeBench) -> None:
    context = make_context()
    list(pull(context, EVENT, [DAYS[0], DAYS[3]]))
    assert submits(sandbox) == 1
    assert not context.data.exists(EVENT.file(DAYS[1]))


@pytest.mark.rule("DT8")
def test_dt8_a_day_without_rows_is_a_typed_file_of_zero_rows(sandbox: Sandbox, make_context: MakeBench) -> None:
    sandbox.settings.change("dt", empty_days=(DAYS[1].isoformat(),))
    context = make_context()
    assert outcomes(list(pull(context, EVENT, DAYS)))[DAYS[1]] is Outcome.EMPTY
    table = pq.read_table(context.data.open(EVENT.file(DAYS[1])))
    assert table.num_rows == 0
    assert table.schema.equals(EVENT.schema)


def test_days_out_of_reach_fail_alone_and_unasked(sandbox: Sandbox, make_context: MakeBench) -> None:
    ended = outcomes(list(pull(make_context(), EVENT, [date(2019, 1, 1), date(2026, 11, 19), date(2026, 11, 20)])))
    assert ended[date(2019, 1, 1)] is Outcome.EXPIRED
    assert ended[date(2026, 11, 19)].publishes
    assert ended[date(2026, 11, 20)] is Outcome.NOT_READY
    (query,) = sandbox.log.entries("dt.report")
    assert query.body["dateRange"] == {"start": "2026-11-19", "end": "2026-11-19"}


def test_a_report_is_polled_at_growing_intervals(
    sandbox: Sandbox, make_context: MakeBench, clock: SandboxClock
) -> None:
    sandbox.settings.change("dt", fill_seconds=300)
    list(pull(make_context(), EVENT, DAYS))
    waits = [wait for wait in clock.slept if wait > 0]
    assert waits[0] == pytest.approx(5, abs=0.1)
    assert waits == sorted(waits)
    assert max(waits) <= 60
    assert sandbox.log.count("dt.file") < 20


@pytest.mark.rule("DT5")
def test_dt5_a_report_still_pending_after_an_hour_is_asked_for_once_more(
    sandbox: Sandbox, make_context: MakeBench
) -> None:
    sandbox.faults.add("dt.report", do="never")
    results = list(pull(make_context(), EVENT, DAYS))
    assert all(result.outcome.publishes for result in results)
    first, second = sandbox.log.entries("dt.report", status=200)
    assert timedelta(hours=1) <= second.at - first.at < timedelta(minutes=62)


def test_a_report_that_is_never_ready_ends_not_ready_and_its_job_stays_open(
    sandbox: Sandbox, make_context: MakeBench
) -> None:
    sandbox.faults.add("dt.report", do="never", times=None)
    results = list(pull(make_context(), EVENT, DAYS))
    assert set(outcomes(results).values()) == {Outcome.NOT_READY}
    assert submits(sandbox) == 2
    assert timedelta(hours=2) <= sandbox.clock.now() - NOON < timedelta(hours=2, minutes=2)


def test_the_next_run_takes_up_a_job_that_was_not_ready(
    sandbox: Sandbox, make_context: MakeBench, offer_wall: OfferWall
) -> None:
    sandbox.settings.change("dt", fill_seconds=3000)
    quick = make_context()
    offer_wall.policy = offer_wall.policy.__class__(
        first_poll=timedelta(seconds=5), max_poll_interval=timedelta(seconds=60), timeout=timedelta(minutes=10)
    )
    assert set(outcomes(list(pull(quick, EVENT, DAYS))).values()) == {Outcome.NOT_READY}
    sandbox.clock.advance(2500)
    later = make_context("run-2")
    assert all(result.outcome.publishes for result in pull(later, EVENT, DAYS))
    assert submits(sandbox) == 1
    check_truth(later, sandbox, DAYS)


@pytest.mark.rule("DT5")
def test_dt5_a_lost_address_costs_one_more_query_and_no_more(sandbox: Sandbox, make_context: MakeBench) -> None:
    sandbox.faults.add("dt.file", do="expired", times=1)
    assert all(result.outcome.publishes for result in pull(make_context(), EVENT, DAYS))
    assert submits(sandbox) == 2


def test_an_address_that_never_serves_ends_expired(sandbox: Sandbox, make_context: MakeBench) -> None:
    sandbox.faults.add("dt.file", do="expired", times=None)
    assert set(outcomes(list(pull(make_context(), EVENT, DAYS))).values()) == {Outcome.EXPIRED}
    assert submits(sandbox) == 2


@pytest.mark.parametrize("fault", ["cut", "cut_chunked", "gzip_cut", "reset"])
def test_a_download_that_breaks_off_is_repeated_without_a_query(
    sandbox: Sandbox, make_context: MakeBench, fault: str
) -> None:
    sandbox.faults.add("dt.file", do=fault, times=2)
    context = make_context()
    assert all(result.outcome.publishes for result in pull(context, EVENT, DAYS))
    assert submits(sandbox) == 1
    check_truth(context, sandbox, DAYS)


def test_a_download_that_always_breaks_off_is_partial_and_leaves_what_was_there(
    sandbox: Sandbox, make_context: MakeBench
) -> None:
    context = make_context()
    list(pull(context, EVENT, DAYS))
    before = [context.data.open(EVENT.file(day)).read() for day in DAYS]
    sandbox.faults.add("dt.file", do="cut_close", times=None)
    assert set(outcomes(list(pull(make_context("run-2"), EVENT, DAYS))).values()) == {Outcome.PARTIAL}
    assert [context.data.open(EVENT.file(day)).read() for day in DAYS] == before
    sandbox.faults.clear()
    assert all(result.outcome.publishes for result in pull(make_context("run-3"), EVENT, DAYS))
    assert submits(sandbox) == 2, "the third run fetched the second one's file"


def test_one_bad_day_fails_alone_and_once_mended_needs_one_query(sandbox: Sandbox, make_context: MakeBench) -> None:
    sandbox.faults.add("dt.data", do="duplicate_row", day=DAYS[2])
    context = make_context()
    results = {result.day: result for result in pull(context, EVENT, DAYS)}
    bad = results[DAYS[2]]
    assert bad.outcome is Outcome.FAILED
    assert bad.error is not None
    assert "grain" in bad.error.line
    assert [check.name for check in bad.checks if not check.passed] == ["grain_unique"]
    assert not context.data.exists(EVENT.file(DAYS[2]))
    good = [day for day in DAYS if day != DAYS[2]]
    check_truth(context, sandbox, good)
    sandbox.faults.clear()
    list(pull(make_context("run-2"), EVENT, [DAYS[2]]))
    assert submits(sandbox) == 2
    check_truth(context, sandbox, [DAYS[2]])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"do": "drop_column", "column": "Country"}, "Country"),
        ({"do": "rename_column", "column": "Country", "to": "Land"}, "Country"),
        ({"do": "duplicate_header"}, "is duplicated"),
        ({"do": "wrong_day", "day": DAYS[1], "to": "2026-12-24"}, "2026-12-24"),
        ({"do": "open_quote", "day": DAYS[1]}, ""),
        ({"do": "short_row", "day": DAYS[1]}, ""),
        ({"do": "long_row", "day": DAYS[1]}, ""),
        ({"do": "latin1", "day": DAYS[1]}, "UTF-8"),
        ({"do": "nul", "day": DAYS[1]}, "NUL"),
    ],
)
def test_an_answer_that_cannot_be_trusted_publishes_no_day_at_all(
    sandbox: Sandbox, make_context: MakeBench, fault: dict[str, Any], says: str
) -> None:
    sandbox.faults.add("dt.data", **fault)
    context = make_context()
    results = list(pull(context, EVENT, DAYS))
    assert {result.outcome for result in results} <= {Outcome.FAILED, Outcome.PARTIAL}
    for result in results:
        assert result.error is not None
        assert says in result.error.line
        assert not context.data.exists(EVENT.file(result.day))


def test_html_in_place_of_the_file_is_not_ready_and_costs_nothing_once_it_is_gone(
    sandbox: Sandbox, make_context: MakeBench, offer_wall: OfferWall
) -> None:
    offer_wall.policy = replace(offer_wall.policy, timeout=timedelta(minutes=5))
    sandbox.faults.add("dt.file", do="html", times=None)
    assert set(outcomes(list(pull(make_context(), EVENT, DAYS))).values()) == {Outcome.NOT_READY}
    sandbox.faults.clear()
    assert all(result.outcome.publishes for result in pull(make_context("run-2"), EVENT, DAYS))
    assert submits(sandbox) == 1


def test_a_new_column_and_a_byte_order_mark_do_not_break_the_day(sandbox: Sandbox, make_context: MakeBench) -> None:
    sandbox.faults.add("dt.data", do="extra_column")
    sandbox.faults.add("dt.data", do="bom")
    context = make_context()
    results = list(pull(context, EVENT, DAYS))
    assert all(result.landed and "Surprise" in " ".join(result.landed.warnings) for result in results)
    check_truth(context, sandbox, DAYS)


@pytest.mark.rule("OW4")
def test_ow4_a_spent_quota_ends_denied_without_a_call(
    sandbox: Sandbox, make_context: MakeBench, offer_wall: OfferWall
) -> None:
    offer_wall.quota = replace(offer_wall.quota, per_day=1, reserved=0)
    list(pull(make_context(), EVENT, DAYS))
    results = list(pull(make_context("run-2"), EVENT, DAYS))
    assert set(outcomes(results).values()) == {Outcome.DENIED}
    assert results[0].error is not None
    assert "renewed on 2026-11-21 at 00:00 UTC" in results[0].error.line
    assert sandbox.log.count("dt.report") == 1
    sandbox.clock.advance(12 * 3600)
    assert all(result.outcome.publishes for result in pull(make_context("run-3"), EVENT, DAYS))


def test_a_second_run_waits_for_the_first_and_then_asks_for_itself(sandbox: Sandbox, make_context: MakeBench) -> None:
    first = pull(make_context("first"), EVENT, DAYS)
    next(first)
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if "waiting for it" in line:
            list(first)

    second = list(pull(make_context("second", tell), EVENT, DAYS))
    assert all(result.outcome.publishes for result in second)
    assert any("run first holds dt_offer_wall/event 2026-11-01...2026-11-05" in line for line in told)
    assert submits(sandbox) == 2


def test_a_run_that_never_ends_is_not_waited_for_for_ever(
    offer_wall: OfferWall, make_context: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offer_wall, "policy", replace(offer_wall.policy, timeout=timedelta(minutes=2)))
    first = pull(make_context("first"), EVENT, DAYS)
    next(first)
    results = list(pull(make_context("second"), EVENT, DAYS[:1]))
    assert set(outcomes(results).values()) == {Outcome.NOT_READY}
    assert results[0].error is not None
    assert "run first still holds" in results[0].error.line
    list(first)


def test_the_signed_address_is_forgotten_once_the_answer_is_kept(
    sandbox: Sandbox, make_context: MakeBench, tmp_path: Path, database_url: str | None
) -> None:
    if database_url is not None:
        pytest.skip("about the bytes of the SQLite file")
    sandbox.settings.change("dt", fill_polls=1)
    states: list[bool] = []

    def look(_: str) -> None:
        states.append(b"X-Amz-Signature" in (tmp_path / "reporting_ledger.db").read_bytes())

    list(pull(make_context(log=look), EVENT, DAYS))
    assert any(states), "while the job is open the ledger holds its address"
    assert b"X-Amz-Signature" not in (tmp_path / "reporting_ledger.db").read_bytes()
    assert (tmp_path / "reporting_ledger.db").stat().st_mode & 0o777 == 0o600
