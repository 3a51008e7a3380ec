"""What open jobs are worth: whatever was left behind, each asked day has one way home, and never an older response."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reporting_dags.jobs.planning.resume import ORPHANED, OpenJob, Resolution, resolve
from reporting_dags.jobs.records import Job, JobState, LeaseRequest
from reporting_dags.model.days import Window
from reporting_dags.providers.api import Handle, Request

NOW = datetime(2026, 11, 20, 13, tzinfo=UTC)
WHO = LeaseRequest(report="p/r", account="a", query_hash="f", owner="o", run="r")
DAYS = st.integers(1, 12).map(lambda number: date(2026, 11, number))
MOMENTS = st.integers(0, 30).map(lambda hours: NOW - timedelta(hours=hours))


@st.composite
def leftovers(draw: Any) -> OpenJob:
    first, last = sorted((draw(DAYS), draw(DAYS)))
    window = Window(first, last)
    submitted = draw(MOMENTS)
    job = Job(
        id=draw(st.uuids()).hex,
        report="p/r",
        request=Request(window),
        state=draw(st.sampled_from([JobState.INTENDED, JobState.SUBMITTED, JobState.DOWNLOADED])),
        fencing_token=1,
        intended_at=submitted,
        submitted_at=submitted,
        handle=Handle(expires_at=draw(st.none() | MOMENTS | st.just(NOW + timedelta(hours=1)))),
    )
    left = frozenset(draw(st.sets(st.sampled_from(window.days))))
    return OpenJob(job=job, account=draw(st.sampled_from("ab")), query_hash="f", remaining_days=left)


@given(
    found=st.lists(leftovers(), max_size=6),
    asked=st.sets(DAYS, min_size=1),
    landed=st.dictionaries(DAYS, MOMENTS, max_size=8),
    finds=st.booleans(),
)
def test_every_asked_day_has_one_way_home_and_no_answer_replaces_a_newer_one(
    found: list[OpenJob], asked: set[date], landed: dict[date, datetime], finds: bool
) -> None:
    verdict = resolve(found, asked, who=WHO, shards=lambda _: ("",), landed=landed, now=NOW, can_find_lost_jobs=finds)
    ways = [*(group.days for group in verdict.resume), frozenset(verdict.submit)]
    assert sorted(day for days in ways for day in days) == sorted(asked)
    closed = {job.id for job in (*(job for job, _ in verdict.close), *verdict.superseded)}
    for group in verdict.resume:
        assert not closed & {leftover.job.id for leftover in group.jobs}
        assert group.days & frozenset().union(*(leftover.remaining_days for leftover in group.jobs))
        if all(leftover.job.state is JobState.INTENDED for leftover in group.jobs):
            assert group.days == set(group.window.days), "nothing is requested for days that no one requested"
        for leftover in group.jobs:
            job = leftover.job
            assert leftover.account == WHO.account
            assert finds or job.state is not JobState.INTENDED
            assert job.submitted_at is not None
            assert all(landed.get(day, job.submitted_at) <= job.submitted_at for day in group.days)


def day(number: int) -> date:
    return date(2026, 11, number)


def left(first: int, last: int, hours: float, *, days: set[int] | None = None, **job: Any) -> OpenJob:
    """A submitted job of `first` to `last`, requested `hours` ago, bought for `days` or all of them."""
    window = Window(day(first), day(last))
    at = NOW - timedelta(hours=hours)
    mine = frozenset(window.days if days is None else [day(number) for number in days])
    facts: dict[str, Any] = {
        "id": f"{first}-{last}-{hours}",
        "report": "p/r",
        "request": Request(window),
        "fencing_token": 1,
    }
    facts |= {"state": JobState.SUBMITTED, "intended_at": at - timedelta(minutes=30), "submitted_at": at} | job
    return OpenJob(job=Job(**facts), account="a", query_hash="f", remaining_days=mine)


def judged(
    found: list[OpenJob],
    asked: list[int],
    landed: dict[int, float] | None = None,
    parts: tuple[str, ...] = ("",),
    finds: bool = False,
) -> Resolution:
    """The verdict where `landed` says how many hours ago the response of a day was requested."""
    lies = {day(number): NOW - timedelta(hours=hours) for number, hours in (landed or {}).items()}
    wanted = [day(number) for number in asked]
    return resolve(found, wanted, who=WHO, shards=lambda _: parts, landed=lies, now=NOW, can_find_lost_jobs=finds)


def days_of(verdict: Resolution) -> dict[str, list[int]]:
    """Job ids → the days that they are taken up for."""
    return {
        " ".join(one.job.id for one in group.jobs): sorted(each.day for each in group.days) for group in verdict.resume
    }


def test_of_two_answers_to_a_day_the_newer_is_taken_up_and_the_older_serves_the_rest() -> None:
    for one, other, expected in (
        (left(1, 5, 10), left(3, 8, 2), {"3-8-2": [3, 4, 8], "1-5-10": [1]}),
        (left(1, 5, 2), left(3, 8, 10), {"1-5-2": [1, 3, 4], "3-8-10": [8]}),
    ):
        for found in ([one, other], [other, one]):
            verdict = judged(found, [1, 3, 4, 8])
            assert days_of(verdict) == expected
            assert (verdict.submit, verdict.close) == (set(), [])


def test_a_job_that_touches_no_asked_day_is_left_alone_and_those_after_it_are_not_overlooked() -> None:
    verdict = judged([left(1, 2, 1), left(5, 6, 1), left(8, 9, 1)], [6])
    assert days_of(verdict) == {"5-6-1": [6]}
    assert (verdict.submit, verdict.close) == (set(), [])


def test_an_answer_is_taken_up_for_a_day_and_a_night() -> None:
    assert days_of(judged([left(1, 2, 24)], [1])) == {"1-2-24": [1]}
    verdict = judged([left(1, 2, 24.01)], [1])
    assert verdict.submit == {day(1)}
    assert [(job.id, reason) for job, reason in verdict.close] == [
        ("1-2-24.01", "requested on 2026-11-19 12:59 UTC and never landed")
    ]


def test_an_address_serves_until_its_hour_and_a_kept_answer_longer() -> None:
    soon, now = Handle(expires_at=NOW + timedelta(seconds=1)), Handle(expires_at=NOW)
    assert days_of(judged([left(1, 1, 1, handle=soon)], [1])) == {"1-1-1": [1]}
    verdict = judged([left(1, 1, 1, handle=now)], [1])
    assert [reason for _, reason in verdict.close] == ["its download address expired on 2026-11-20 13:00 UTC"]
    kept = left(1, 1, 1, handle=now, state=JobState.DOWNLOADED)
    assert days_of(judged([kept], [1])) == {"1-1-1": [1]}


def test_an_answer_to_which_a_newer_one_has_landed_serves_only_the_other_days() -> None:
    assert days_of(judged([left(1, 3, 5)], [1, 2, 3], landed={2: 4, 3: 5})) == {"1-3-5": [1, 3]}
    verdict = judged([left(1, 3, 5)], [2], landed={2: 4})
    assert (days_of(verdict), verdict.submit, verdict.close) == ({}, {day(2)}, []), "it is worth something to others"
    verdict = judged([left(1, 2, 5), left(2, 3, 6), left(2, 2, 25)], [2], landed={1: 4, 2: 4, 3: 4})
    assert [reason for _, reason in verdict.close] == ["requested on 2026-11-19 12:00 UTC and never landed"]
    assert sorted(job.id for job in verdict.superseded) == ["1-2-5", "2-3-6"]


def test_an_answer_is_not_taken_up_for_a_day_that_it_was_not_bought_for_or_that_has_ended() -> None:
    assert days_of(judged([left(1, 3, 5, days={3})], [1, 2])) == {}
    assert days_of(judged([left(1, 3, 5, days={3})], [1, 3])) == {"1-3-5": [1, 3]}, "but it may serve it as well"
    assert [job.id for job in judged([left(1, 3, 5, days=set())], [1]).superseded] == ["1-3-5"]


def test_the_parts_of_a_window_are_as_old_as_the_oldest_and_go_together() -> None:
    window = Window(day(1), day(2))
    parts = [left(1, 2, hours, request=Request(window, part)) for part, hours in (("x", 3), ("y", 7))]
    assert days_of(judged(parts, [1], parts=("x", "y"))) == {"1-2-3 1-2-7": [1]}
    assert days_of(judged(parts, [1, 2], landed={1: 5}, parts=("x", "y"))) == {"1-2-3 1-2-7": [2]}
    verdict = judged(parts, [1], parts=("x",))
    assert days_of(verdict) == {"1-2-3": [1]}
    assert [(job.id, reason) for job, reason in verdict.close] == [
        ("1-2-7", "another account, query or shard is requested now")
    ]


def test_a_job_that_was_never_sent_is_as_old_as_its_intent() -> None:
    assert judged([left(1, 1, 24, submitted_at=None)], [1]).submit == {day(1)}
    assert days_of(judged([left(1, 1, 23, submitted_at=None)], [1])) == {"1-1-23": [1]}
    (closed,) = judged([left(1, 1, 1, state=JobState.INTENDED)], [1]).close
    assert closed[1] == "its run ended before the provider's response to it was saved"


def test_an_intent_is_taken_up_where_the_provider_can_be_asked_for_it_and_all_its_days_are_wanted() -> None:
    intent = left(1, 3, 1, state=JobState.INTENDED, submitted_at=None)
    assert days_of(judged([intent], [1, 2, 3, 4], finds=True)) == {"1-3-1": [1, 2, 3]}
    cases: list[tuple[list[int], dict[int, float]]] = [([1, 2], {}), ([1, 2, 3], {3: 0})]
    for asked, landed in cases:
        verdict = judged([intent], asked, landed, finds=True)
        assert (days_of(verdict), verdict.submit) == ({}, {day(number) for number in asked})
        assert [reason for _, reason in verdict.close] == [ORPHANED]
    old = left(1, 1, 24, state=JobState.INTENDED, submitted_at=None)
    assert judged([old], [1], finds=True).submit == {day(1)}
    verdict = judged([left(2, 2, 30), intent], [1, 2], finds=True)
    assert sorted(job.id for job, _ in verdict.close) == ["1-3-1", "2-2-30"]


def test_an_intent_goes_with_the_parts_of_its_window_that_were_bought() -> None:
    window = Window(day(1), day(2))
    bought = left(1, 2, 3, request=Request(window, "x"))
    intent = left(1, 2, 2, request=Request(window, "y"), state=JobState.INTENDED)
    assert days_of(judged([bought, intent], [1], parts=("x", "y"), finds=True)) == {"1-2-3 1-2-2": [1]}
    verdict = judged([bought, intent], [1], parts=("x", "y"))
    assert (days_of(verdict), [job.id for job, _ in verdict.close]) == ({"1-2-3": [1]}, ["1-2-2"])
