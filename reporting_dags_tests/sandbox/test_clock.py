from datetime import UTC, datetime, timedelta, timezone

import pytest

from reporting_dags.sandbox.clock import Clock

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_a_clock_runs_with_real_time() -> None:
    clock = Clock()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    clock.advance(3600)
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=1)


def test_a_clock_runs_on_from_where_it_is_set() -> None:
    clock = Clock(AT)
    first = clock.now()
    assert AT <= first < AT + timedelta(seconds=1)
    assert clock.now() >= first


def test_a_frozen_clock_moves_only_when_told() -> None:
    clock = Clock(AT, frozen=True)
    assert clock.now() == clock.now()
    frozen = clock.now()
    assert clock.advance(90) == frozen + timedelta(seconds=90)
    clock.set(AT)
    assert clock.now() == AT
    clock.thaw()
    assert not clock.frozen
    assert AT <= clock.now() < AT + timedelta(seconds=1)


def test_a_clock_tells_utc_and_needs_a_zone() -> None:
    clock = Clock(frozen=True)
    clock.set(datetime(2026, 1, 2, 5, 4, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == AT
    assert clock.now().tzinfo is UTC
    with pytest.raises(ValueError, match="time zone"):
        clock.set(datetime(2026, 1, 2))  # noqa: DTZ001 - that is the point
