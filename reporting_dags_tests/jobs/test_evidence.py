"""What is told and noted of a response that came in parts: all of them, the oldest question, the longest wait."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.errors import Denied, Truncated
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Pending, Quota, Ready, Request
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.scripted import DAY, QUOTA, HandClock, Scripted, Stage

HEADERS = [column.header for column in EVENT.columns]
HEADER = ",".join(HEADERS)


def answer(*apps: str, day: date = DAY) -> bytes:
    """One row an app, of a revenue of half a dollar."""
    values: Mapping[str, str] = {"Date": day.isoformat(), "Country": "US", "Publisher Revenue": "0.5"}
    lines = [",".join({**values, "DT Publisher App ID": app}.get(header, "1") for header in HEADERS) for app in apps]
    return "".join(f"{line}\n" for line in (HEADER, *lines)).encode()


class InParts(Scripted):
    """Requested in two parts, with a quota that is shown and one that has no end."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock)
        self.quota = QUOTA
        self.pieces: dict[str, tuple[str, ...]] = {}

    @property
    def quotas(self) -> tuple[Quota, ...]:
        return QUOTA, Quota(bucket="pages")

    def shards(self, report: Report) -> tuple[str, ...]:
        assert report is EVENT
        return ("x", "y")

    def split_request(self, report: Report, request: Request) -> tuple[Request, ...]:
        assert report is EVENT
        return tuple(Request(request.window, part) for part in self.pieces.get(request.shard, ()))


@pytest.fixture
def parted(stage: Stage) -> Stage:
    provider = InParts(stage.clock)
    provider.policy = replace(provider.policy, max_open_jobs=1)
    return replace(stage, provider=provider, context=replace(stage.context, provider=provider))


def ended(stage: Stage, days: list[date] | None = None) -> dict[date, DayResult]:
    return {result.day: result for result in pull(stage.context, EVENT, days or [DAY])}


def end_of_the_job(stage: Stage) -> tuple[str, str]:
    (row,) = stage.database.read(lambda connection: connection.execute(sa.select(tables.jobs)).all())
    return row.outcome, row.cause


def test_a_day_of_two_parts_tells_of_both(parted: Stage) -> None:
    contents = [answer("1", "2"), answer("3")]
    parted.provider.downloads = list(contents)
    parted.provider.polls = [Pending(), Pending(), Ready(expected_rows=2), Pending(), Ready(expected_rows=1)]
    result = ended(parted)[DAY]
    assert result.landed is not None
    assert (result.outcome, result.landed.rows) == (Outcome.DATA, 3)
    digests = tuple(hashlib.sha256(content).hexdigest() for content in contents)
    evidence = result.provenance
    assert evidence.window == Window(DAY, DAY)
    assert len(set(evidence.request_ids)) == 2
    assert evidence.raw_sha256 == digests
    assert evidence.raw_bytes == sum(map(len, contents))
    assert (evidence.calls_spent, dict(evidence.calls_left)) == (2, {"queries": 48})
    assert evidence.waited == timedelta(seconds=10), "the first part took longer than the second"
    assert evidence.replayed is False
    facts = parted.context.ledger.materializations.days(EVENT.key)[DAY]
    assert (facts.requested_at, facts.landed_at) == (NOON, NOON + timedelta(seconds=14)), "as old as its oldest part"
    assert facts.raw_sha256 == ",".join(digests)
    assert len(set(facts.jobs)) == 2
    assert (facts.code_version, facts.rows, facts.size) == (EVENT.version, 3, result.landed.size)
    assert (facts.data_version, facts.sha256) == (result.landed.data_version, result.landed.sha256)
    assert facts.money_sums["publisher_revenue"] == {"USD": Decimal("1.5")}
    assert [check.name for check in result.checks if not check.passed] == []
    assert parted.context.ledger.jobs.in_flight_days(EVENT.key) == set()


def test_the_rows_of_all_parts_are_as_many_as_was_said_of_each(parted: Stage) -> None:
    parted.provider.downloads = [answer("1", "2"), answer("3")]
    parted.provider.polls = [Ready(expected_rows=2), Ready(expected_rows=2)]
    result = ended(parted)[DAY]
    assert result.outcome is Outcome.PARTIAL
    assert result.error is not None
    assert "the response has 3 rows, the provider said 4" in result.error.line
    assert [check.name for check in result.checks] == ["rows_complete"]
    assert result.provenance.calls_spent == 2


def test_where_one_part_says_nothing_of_its_rows_nothing_is_said_of_them_together(parted: Stage) -> None:
    parted.provider.downloads = [answer("1", "2"), answer("3")]
    parted.provider.polls = [Ready(expected_rows=2), Ready()]
    result = ended(parted)[DAY]
    assert result.outcome is Outcome.DATA
    assert "rows_expected" not in result.checks[-1].facts


def test_parts_that_are_empty_are_parts_all_the_same(parted: Stage) -> None:
    parted.provider.downloads = [answer(), answer()]
    parted.provider.polls = [Ready(expected_rows=0)]
    assert ended(parted)[DAY].outcome is Outcome.EMPTY


@pytest.mark.parametrize("failing", [0, 1])
def test_a_part_that_fails_ends_its_day_and_the_other_waits_for_the_next_run(parted: Stage, failing: int) -> None:
    parted.provider.downloads = [answer("1")]
    polls: list[Any] = [Ready(), Ready()]
    polls[failing] = Denied("not today")
    parted.provider.polls = polls
    result = ended(parted)[DAY]
    assert (result.outcome, str(result.error)) == (Outcome.DENIED, "not today")
    assert result.provenance.calls_spent == 2
    assert not parted.context.data.exists(EVENT.file(DAY))
    assert parted.context.ledger.jobs.in_flight_days(EVENT.key) == {DAY}
    parted.provider.polls = [Ready()]
    parted.provider.downloads = [answer("2")]
    assert ended(parted)[DAY].outcome is Outcome.DATA
    assert len(parted.provider.when("submit")) == 2
    assert result.provenance.raw_sha256 == (hashlib.sha256(answer("1")).hexdigest(),)


def test_an_answer_that_was_cut_and_cannot_be_halved_ends_so(parted: Stage) -> None:
    parted.provider.polls = [Truncated("too many rows")]
    assert (ended(parted)[DAY].outcome, len(parted.provider.when("submit"))) == (Outcome.TRUNCATED, 2)


def test_an_answer_of_which_one_day_is_bad_lands_the_others_and_is_worth_no_more(stage: Stage) -> None:
    other = DAY + ONE_DAY
    lines = answer("1", "1") + answer("1", day=other).split(b"\n", 1)[1]
    stage.provider.downloads = [lines]
    stage.provider.polls = [Ready()]
    results = ended(stage, [DAY, other])
    assert (results[DAY].outcome, results[other].outcome) == (Outcome.FAILED, Outcome.DATA)
    assert results[DAY].provenance == results[other].provenance
    assert [check.name for check in results[DAY].checks if not check.passed] == ["grain_unique"]
    assert stage.context.ledger.jobs.in_flight_days(EVENT.key) == set()
    assert [day for day in (DAY, other) if stage.context.data.exists(EVENT.file(day))] == [other]
    error = results[DAY].error
    assert error is not None
    assert end_of_the_job(stage) == ("failed", error.line)


def test_an_answer_that_cannot_be_read_ends_every_day_and_is_worth_no_more(stage: Stage) -> None:
    stage.provider.downloads = [b"<html>\n"]
    stage.provider.polls = [Ready()]
    results = ended(stage, [DAY, DAY + ONE_DAY])
    assert {result.outcome for result in results.values()} == {Outcome.FAILED}
    assert {result.provenance.raw_bytes for result in results.values()} == {len(b"<html>\n")}
    assert stage.context.ledger.jobs.in_flight_days(EVENT.key) == set()


def test_days_are_yielded_once_and_in_order_however_often_they_are_asked_for(stage: Stage) -> None:
    early, late = date(2019, 1, 1), date(2026, 11, 20)
    stage.provider.downloads = [answer("1")]
    stage.provider.polls = [Ready()]
    results = list(pull(stage.context, EVENT, [late, DAY, early, DAY]))
    assert [result.day for result in results] == [early, late, DAY], "those that are refused unasked come first"
    assert [result.outcome for result in results] == [Outcome.EXPIRED, Outcome.NOT_READY, Outcome.DATA]
    assert results[0].provenance.window is None
    assert len(stage.provider.when("submit")) == 1
    assert [result.outcome for result in pull(stage.context, EVENT, [early])] == [Outcome.EXPIRED]
    assert len(stage.provider.when("submit")) == 1


def test_an_answer_that_was_cut_is_asked_for_in_halves_and_their_days_land(stage: Stage) -> None:
    other = DAY + ONE_DAY
    stage.provider.polls = [Truncated("too many rows"), Ready()]
    stage.provider.downloads = [answer("1"), answer("1", day=other)]
    results = ended(stage, [DAY, other])
    assert [(day, result.outcome) for day, result in results.items()] == [(DAY, Outcome.DATA), (other, Outcome.DATA)]
    asked = [request for what, request, _ in stage.provider.calls if what == "submit"]
    assert asked == [f"{DAY}...{other}", f"{DAY}", f"{other}"]
    assert "too many rows. It is requested again in smaller windows." in stage.lines


def test_a_part_that_was_cut_is_asked_for_in_pieces_beside_the_part_that_was_not(parted: Stage) -> None:
    provider = parted.provider
    assert isinstance(provider, InParts)
    provider.pieces = {"x": ("x1", "x2")}
    provider.polls = [Truncated("too many rows"), Ready()]
    provider.downloads = [answer("y"), answer("1"), answer("2")]
    result = ended(parted)[DAY]
    assert result.landed is not None
    assert result.landed.rows == 3
    asked = [request for what, request, _ in provider.calls if what == "submit"]
    assert asked == [f"{DAY} [{part}]" for part in ("x", "y", "x1", "x2")]


def test_how_an_answer_ended_is_kept_with_its_job(stage: Stage) -> None:
    stage.provider.polls = [Ready()]
    for day, content, outcome in ((DAY, answer("1"), "data"), (DAY + ONE_DAY, b"<html>\n", "failed")):
        stage.provider.downloads = [content]
        result = ended(stage, [day])[day]
        query = sa.select(tables.jobs).where(tables.jobs.c.first_day == day)
        row = stage.database.read(lambda connection, query=query: connection.execute(query).one())
        assert (row.state, row.outcome, row.closed_at) == ("closed", outcome, NOON)
        assert row.cause == (result.error.line if result.error else "")


def test_days_that_were_not_out_by_the_providers_clock_end_so_and_the_others_land(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, before = date(2026, 11, 19), date(2026, 11, 18)
    monkeypatch.setattr(Scripted, "clock_skew", timedelta(hours=2))
    stage.provider.downloads = [answer("1", day=before) + answer("1", day=newest).split(b"\n", 1)[1]]
    stage.provider.polls = [Ready()]
    results = ended(stage, [before, newest])
    assert (results[before].outcome, results[newest].outcome) == (Outcome.DATA, Outcome.NOT_READY)
    assert results[newest].provenance == results[before].provenance
    error = results[newest].error
    assert error is not None
    assert end_of_the_job(stage) == ("failed", error.line)


def test_a_day_is_as_old_as_the_provider_took_its_question(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = stage.provider.submit

    def slow(*args: Any) -> Any:
        stage.clock.sleep(30)
        return honest(*args)

    monkeypatch.setattr(stage.provider, "submit", slow)
    stage.provider.downloads = [answer("1")]
    stage.provider.polls = [Ready()]
    ended(stage)
    assert stage.context.ledger.materializations.days(EVENT.key)[DAY].requested_at == NOON + timedelta(seconds=30)


def test_what_the_file_itself_does_not_say_is_what_was_asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def constants(request: Request) -> Mapping[str, str]:
        return {"Country": f"of {request}"}

    monkeypatch.setattr(stage.provider, "literal_columns", constants)
    stage.provider.downloads = [answer("1").replace(b"US", b"").replace(b"Country", b"Other")]
    stage.provider.polls = [Ready()]
    assert ended(stage)[DAY].outcome is Outcome.DATA
    with stage.context.data.open(EVENT.file(DAY)) as file:
        assert pq.read_table(file).column("country").to_pylist() == [f"of {DAY}"]


def test_what_the_answer_must_say_of_itself_is_looked_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def claims(report: Report, request: Request) -> Mapping[str, str]:
        return {"report.key": report.key}

    monkeypatch.setattr(stage.provider, "expected_echo", claims)
    stage.provider.downloads = [answer("1")]
    stage.provider.polls = [Ready()]
    with pytest.raises(ValueError, match="delimited text cannot repeat the request"):
        ended(stage)


def test_days_that_another_run_holds_to_the_end_are_not_ready_each_by_name(stage: Stage) -> None:
    days = [DAY, DAY + ONE_DAY]
    stage.claim(days, longest=90, run="run-0")
    results = ended(stage, days)
    assert list(results) == days
    for result in results.values():
        assert result.outcome is Outcome.NOT_READY
        assert result.error is not None
        assert result.error.message == f"run run-0 still holds {EVENT.key} {DAY}...{days[1]}"
    assert stage.provider.calls == []
