"""Who requests a day: the schedule or the late-data sensor, never both, and always one of them in the end."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting_dags.jobs.planning.due import DuePartition, DueReason, paused_until
from reporting_dags.jobs.planning.policy import SCHEDULE_PRIORITY, for_schedule, for_sensor, skipped
from reporting_dags.jobs.planning.windows import plan_windows
from reporting_dags.jobs.records import Failure
from reporting_dags.model.days import ONE_DAY, Window

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 15, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
AGAIN = (DueReason.RESTATED, DueReason.CHANGED)


def a_due(age: int, why: DueReason, hours: float = 3) -> DuePartition:
    return DuePartition(
        day=TODAY - age * ONE_DAY, reason=why, message=str(why), since=NOW - hours * HOUR, expires_at=None
    )


dues = st.lists(
    st.builds(a_due, st.integers(1, 40), st.sampled_from(DueReason), st.floats(0, 100)),
    max_size=20,
    unique_by=lambda one: one.day,
).map(lambda found: sorted(found, key=lambda one: one.day))
failures = st.dictionaries(
    st.integers(1, 40).map(lambda age: TODAY - age * ONE_DAY),
    st.lists(st.floats(0, 60).map(lambda hours: Failure(NOW - hours * HOUR)), min_size=1, max_size=4),
    max_size=5,
)
windows = st.lists(st.integers(1, 40), min_size=2, max_size=2).map(
    lambda ages: Window(TODAY - max(ages) * ONE_DAY, TODAY - min(ages) * ONE_DAY)
)


@given(dues, failures, st.integers(1, 90))
def test_what_the_schedule_takes_beyond_what_is_missing_costs_no_query(
    found: list[DuePartition], failed: dict[date, list[Failure]], longest: int
) -> None:
    taken = for_schedule(found, max_days=longest, failures=failed, now=NOW)
    missing = [one for one in taken if one.reason is DueReason.MISSING]
    assert all(one.reason in {DueReason.MISSING, *AGAIN} for one in taken), "what was bought lands by itself"
    assert all(paused_until(failed, one.day, NOW) is None for one in taken), "a day that fails holds up no other"
    assert len(plan_windows([one.day for one in taken], longest)) == len(
        plan_windows([one.day for one in missing], longest)
    )
    assert taken == sorted(taken, key=lambda one: one.day)


@given(dues, failures, st.integers(1, 90))
def test_every_missing_day_is_the_schedules_unless_it_is_left_alone_for_having_failed(
    found: list[DuePartition], failed: dict[date, list[Failure]], longest: int
) -> None:
    taken = for_schedule(found, max_days=longest, failures=failed, now=NOW)
    for one in found:
        if one.reason is DueReason.MISSING:
            assert (one in taken) is (paused_until(failed, one.day, NOW) is None)


@given(dues, failures, st.lists(windows, max_size=3))
def test_the_sensor_takes_no_day_that_is_missing_or_under_way(
    found: list[DuePartition], failed: dict[date, list[Failure]], held: list[Window]
) -> None:
    for one in for_sensor(found, open_windows=held, failures=failed, now=NOW):
        assert one.reason in AGAIN
        assert not any(one.day in window for window in held)
        assert paused_until(failed, one.day, NOW) is None


@given(dues, st.integers(1, 90))
def test_what_the_schedule_has_asked_for_is_held_and_so_never_asked_for_by_the_sensor(
    found: list[DuePartition], longest: int
) -> None:
    asked = for_schedule(found, max_days=longest, failures={}, now=NOW)
    held = plan_windows([one.day for one in asked], longest)
    again = for_sensor(found, open_windows=held, failures={}, now=NOW)
    assert not {one.day for one in asked} & {one.day for one in again}


@given(dues)
def test_every_due_day_has_somebody_who_asks_for_it_once_the_schedules_turn_has_passed(
    found: list[DuePartition],
) -> None:
    late = NOW + 101 * HOUR
    asked = {one.day for one in for_schedule(found, max_days=1, failures={}, now=late)}
    asked |= {one.day for one in for_sensor(found, open_windows=(), failures={}, now=late)}
    assert asked == {one.day for one in found if one.reason is not DueReason.IN_FLIGHT}


@given(dues, failures, st.integers(1, 90))
def test_while_the_sensor_is_off_the_schedule_asks_for_all(
    found: list[DuePartition], failed: dict[date, list[Failure]], longest: int
) -> None:
    assert for_schedule(found, max_days=longest, failures=failed, now=NOW, sensor_off=True) == found


def test_a_day_that_is_due_again_is_the_schedules_alone_for_an_hour_and_one_that_has_changed_is_not() -> None:
    fresh = a_due(3, DueReason.RESTATED, hours=0.99)
    old = a_due(4, DueReason.RESTATED, hours=SCHEDULE_PRIORITY / HOUR)
    changed = a_due(5, DueReason.CHANGED, hours=0)
    assert for_sensor([fresh, old, changed], open_windows=(), failures={}, now=NOW) == [old, changed]


def test_days_due_again_ride_along_within_the_longest_query_nearest_first() -> None:
    found = [a_due(age, DueReason.RESTATED) for age in (12, 11, 10, 5, 3, 2)] + [a_due(1, DueReason.MISSING)]
    taken = for_schedule(found, max_days=10, failures={}, now=NOW)
    assert [(TODAY - one.day).days for one in taken] == [10, 5, 3, 2, 1]
    assert for_schedule(found[:-1], max_days=10, failures={}, now=NOW) == [], "they request nothing of themselves"


def test_a_day_that_failed_is_left_alone_longer_each_time() -> None:
    day = TODAY - ONE_DAY
    times = [NOW - 40 * HOUR, NOW - 30 * HOUR, NOW - 20 * HOUR, NOW - 10 * HOUR, NOW]
    failed = [Failure(at) for at in times]
    pauses = [paused_until({day: failed[: n + 1]}, day, times[n]) for n in range(5)]
    assert [(until - at) / HOUR for until, at in zip(pauses, times, strict=True) if until] == [2.75, 5.5, 11, 22, 23]
    assert paused_until({day: [Failure(NOW)]}, day, NOW + 2.75 * HOUR) is None
    assert paused_until({day: [Failure(NOW)]}, TODAY, NOW) is None
    assert paused_until({day: [Failure(NOW)] * 1000}, day, NOW) == NOW + 23 * HOUR
    assert paused_until({day: []}, day, NOW) is None


@pytest.mark.rule("OW6")
def test_a_day_denied_by_a_quota_waits_for_its_renewal_and_no_longer() -> None:
    day, midnight = TODAY - ONE_DAY, datetime(2026, 11, 21, tzinfo=UTC)
    denied = [Failure(NOW - hours * HOUR, midnight) for hours in (9, 6, 3, 0)]
    assert paused_until({day: denied}, day, NOW) == midnight
    assert paused_until({day: denied}, day, midnight) is None
    after = [*denied, Failure(midnight + HOUR)]
    assert paused_until({day: after}, day, midnight + HOUR) == midnight + 3.75 * HOUR, (
        "denials make no later pause longer"
    )


def test_days_that_are_left_out_are_told_as_ranges_whatever_their_number() -> None:
    missing = [a_due(age, DueReason.MISSING) for age in range(600, 50, -1)]
    again = [a_due(age, DueReason.RESTATED) for age in range(20, 10, -1)]
    failed = {one.day: [Failure(NOW - HOUR * (number % 2))] for number, one in enumerate(missing)}
    ranges = [f"{TODAY - first * ONE_DAY}...{TODAY - last * ONE_DAY}" for first, last in ((600, 51), (20, 11))]
    assert skipped([*missing, *again], [], failures=failed, now=NOW) == [
        f"{ranges[0]}: missing, failed once: paused until 2026-11-20 16:50 UTC to 2026-11-20 17:50 UTC",
        f"{ranges[1]}: restatement due; left to the sensor",
    ]
    assert skipped(again, again, failures={}, now=NOW) == []
