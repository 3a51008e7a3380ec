"""What open jobs are worth: whatever was left behind, each asked day has one way home, and never an older answer."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reporting_dags.jobs.job import Claimant, Job, JobState
from reporting_dags.jobs.leftovers import Leftover, judge
from reporting_dags.model.days import Window
from reporting_dags.providers.api import Handle, Request

NOW = datetime(2026, 11, 20, 13, tzinfo=UTC)
WHO = Claimant(report="p/r", account="a", fingerprint="f", owner="o", run="r")
DAYS = st.integers(1, 12).map(lambda number: date(2026, 11, number))
MOMENTS = st.integers(0, 30).map(lambda hours: NOW - timedelta(hours=hours))


@st.composite
def leftovers(draw: Any) -> Leftover:
    first, last = sorted((draw(DAYS), draw(DAYS)))
    window = Window(first, last)
    submitted = draw(MOMENTS)
    job = Job(
        id=draw(st.uuids()).hex,
        report="p/r",
        request=Request(window),
        state=draw(st.sampled_from([JobState.INTENDED, JobState.SUBMITTED, JobState.DOWNLOADED])),
        fence=1,
        intended_at=submitted,
        submitted_at=submitted,
        handle=Handle(expires_at=draw(st.none() | MOMENTS | st.just(NOW + timedelta(hours=1)))),
    )
    left = frozenset(draw(st.sets(st.sampled_from(window.days))))
    return Leftover(job=job, account=draw(st.sampled_from("ab")), fingerprint="f", days_left=left)


@given(
    found=st.lists(leftovers(), max_size=6),
    asked=st.sets(DAYS, min_size=1),
    landed=st.dictionaries(DAYS, MOMENTS, max_size=8),
)
def test_every_asked_day_has_one_way_home_and_no_answer_replaces_a_newer_one(
    found: list[Leftover], asked: set[date], landed: dict[date, datetime]
) -> None:
    verdict = judge(found, asked, who=WHO, parts=lambda _: ("",), landed=landed, now=NOW)
    ways = [*verdict.days.values(), frozenset(verdict.ask)]
    assert sorted(day for days in ways for day in days) == sorted(asked)
    closed = {job.id for job, _ in verdict.close}
    for window, group in verdict.take.items():
        assert not closed & {leftover.job.id for leftover in group}
        assert verdict.days[window] & frozenset().union(*(leftover.days_left for leftover in group))
        for leftover in group:
            job = leftover.job
            assert leftover.account == WHO.account
            assert job.state is not JobState.INTENDED
            assert job.submitted_at is not None
            assert all(landed.get(day, job.submitted_at) <= job.submitted_at for day in verdict.days[window])
