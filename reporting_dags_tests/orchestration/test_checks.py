"""The volume check looks back, and only back."""

from datetime import UTC, date, datetime, timedelta

from reporting_dags.jobs.job import LandedFacts
from reporting_dags.model.outcome import Outcome
from reporting_dags.orchestration.checks import volume_check

DAY = date(2026, 11, 10)


def landed(rows: dict[int, int]) -> dict[date, LandedFacts]:
    """Rows by age in days; a negative age is a later day."""
    now = datetime(2026, 11, 20, tzinfo=UTC)
    days = {DAY - timedelta(days=age): count for age, count in rows.items()}
    return {
        day: LandedFacts(
            day=day,
            version="v",
            outcome=Outcome.DATA,
            rows=count,
            size=1,
            fingerprint="f",
            raw_sha256="s",
            money={},
            asked_at=now,
            landed_at=now,
        )
        for day, count in days.items()
    }


def test_a_day_within_a_factor_of_two_of_the_trailing_median_passes() -> None:
    history = landed(dict.fromkeys(range(1, 10), 100))
    assert volume_check(DAY, 51, history).passed
    assert volume_check(DAY, 199, history).passed
    assert not volume_check(DAY, 49, history).passed
    assert not volume_check(DAY, 201, history).passed
    assert not volume_check(DAY, 0, history).passed


def test_later_days_and_the_day_itself_do_not_count() -> None:
    history = landed({**dict.fromkeys(range(1, 6), 100), **dict.fromkeys(range(-30, 1), 900)})
    assert volume_check(DAY, 100, history).passed


def test_too_short_a_history_passes_and_says_so() -> None:
    check = volume_check(DAY, 0, landed(dict.fromkeys(range(1, 5), 100)))
    assert check.passed
    assert "too few" in check.detail
