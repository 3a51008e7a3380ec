"""A run at work: seen by others while it lives, tidy when it ends, and patient with those that hold its days."""

import stat
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.session import run_session, wait_for_lease
from reporting_dags.jobs.records import Lease, LeaseHeld
from reporting_dags.model.days import Window
from reporting_dags.model.errors import NotReady, StorageError
from reporting_dags.providers.api import JobPolicy
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.jobs.scripted import HandClock
from reporting_dags_tests.pulling import bench_in

BUSY = LeaseHeld(Window(date(2026, 11, 1), date(2026, 11, 2)), "run-0")
CLAIM = Lease(())


@dataclass
class Idle:
    """What of a provider is looked at here."""

    account: str = "ours"
    policy: JobPolicy = field(
        default_factory=lambda: JobPolicy(
            first_poll=timedelta(seconds=5), max_poll_interval=timedelta(seconds=60), timeout=timedelta(seconds=60)
        )
    )


@pytest.fixture
def context(tmp_path: Path, database_of_its_own: Database) -> PullContext:
    provider: Any = Idle()
    return bench_in(tmp_path, provider, database_of_its_own, HandClock())


def test_a_run_is_an_owner_with_a_private_folder_for_as_long_as_it_is_at_work(context: PullContext) -> None:
    with run_session(context, EVENT) as (mine, who):
        assert (who.report, who.account, who.run) == (EVENT.key, "ours", "run-1")
        assert context.ledger.liveness.is_alive(who.owner)
        assert mine.scratch.parent.parent == context.scratch
        assert stat.S_IMODE(mine.scratch.stat().st_mode) == 0o700
        assert stat.S_IMODE(mine.scratch.parent.stat().st_mode) == 0o700
        assert replace(mine, scratch=context.scratch) == context
        (mine.scratch / "answer.part").write_bytes(b"on its way")
    assert not mine.scratch.exists()
    assert not context.ledger.liveness.is_alive(who.owner)


def test_a_run_that_fails_leaves_as_tidily(context: PullContext) -> None:
    owners: list[str] = []

    def fails() -> None:
        with run_session(context, EVENT) as (mine, who):
            owners.append(who.owner)
            (mine.scratch / "folder").mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert list((context.scratch / "runs").iterdir()) == []
    assert not context.ledger.liveness.is_alive(owners[0])


def test_what_killed_runs_left_is_cleared_away_and_what_living_ones_have_stays(context: PullContext) -> None:
    left = context.scratch / "runs" / "run-killed"
    left.mkdir(parents=True)
    (left / "answer.part").write_bytes(b"half")
    with run_session(context, EVENT) as (first, _), run_session(context, PERFORMANCE) as (second, _):
        assert sorted(folder.name for folder in left.parent.iterdir()) == sorted(
            (first.scratch.name, second.scratch.name)
        )


def test_a_folder_that_refuses_is_one_line_and_leaves_no_owner(context: PullContext) -> None:
    (context.scratch / "runs").write_text("no folder")
    entered: list[str] = []
    enter = context.ledger.liveness.acquire
    context.ledger.liveness.acquire = lambda: entered.append(enter()) or entered[-1]
    with pytest.raises(StorageError, match=f"^{context.scratch} cannot be written: "), run_session(context, EVENT):
        pass
    (owner,) = entered
    assert not context.ledger.liveness.is_alive(owner)


def test_a_report_of_another_query_is_another_claimant(context: PullContext) -> None:
    fewer = replace(EVENT, query=replace(EVENT.query, metrics=EVENT.query.metrics[:-1]), columns=EVENT.columns[:-1])
    told: list[str] = []
    for report in (EVENT, EVENT, fewer):
        with run_session(context, report) as (_, who):
            told.append(who.query_hash)
    assert told[0] == told[1] != told[2]


@pytest.mark.parametrize(("first_poll", "looks"), [(0.5, 0.5), (5, 2)])
def test_a_run_looks_again_until_its_days_are_free_and_says_so_once(
    context: PullContext, first_poll: float, looks: float
) -> None:
    answers, lines, clock = [BUSY, BUSY, BUSY, CLAIM], list[str](), HandClock()
    context.provider.policy = replace(context.provider.policy, first_poll=timedelta(seconds=first_poll))
    patient = replace(context, log=lines.append, clock=clock)
    assert wait_for_lease(patient, EVENT, lambda: answers.pop(0)) is CLAIM
    assert clock.slept == [looks] * 3
    assert lines == ["run run-0 holds dt_offer_wall/event 2026-11-01...2026-11-02: waiting for it"]


def test_days_that_are_free_are_not_waited_for(context: PullContext) -> None:
    lines, clock = list[str](), HandClock()
    assert wait_for_lease(replace(context, log=lines.append, clock=clock), EVENT, lambda: CLAIM) is CLAIM
    assert (lines, clock.slept) == ([], [])


def test_a_run_waits_as_long_as_for_a_job_and_no_longer(context: PullContext) -> None:
    clock, asked = HandClock(), list[datetime]()

    def claim() -> LeaseHeld:
        asked.append(clock.at)
        return BUSY

    told = "^run run-0 still holds dt_offer_wall/event 2026-11-01...2026-11-02. Run again when it has ended."
    with pytest.raises(NotReady, match=told):
        wait_for_lease(replace(context, clock=clock), EVENT, claim)
    assert asked[-1] == NOON + context.provider.policy.timeout, "it may have ended at the last moment"
