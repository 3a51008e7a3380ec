"""The volume check looks back, and only back; the hours of a day are counted one by one."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.column import Kind
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import check_specs, hours_check, volume_check
from reporting_dags.providers.mintegral.report import advanced_performance_report
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE, OFFER_PERFORMANCE_HOURLY

DAY = date(2026, 11, 10)


def landed(rows: dict[int, int]) -> dict[date, MaterializationRecord]:
    """Rows by age in days; a negative age is a later day."""
    now = datetime(2026, 11, 20, tzinfo=UTC)
    days = {DAY - timedelta(days=age): count for age, count in rows.items()}
    return {
        day: MaterializationRecord(
            day=day,
            code_version="v",
            outcome=Outcome.DATA,
            rows=count,
            size=1,
            data_version="f",
            raw_sha256="s",
            money={},
            requested_at=now,
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
    again = landed({**dict.fromkeys(range(1, 5), 100), 0: 1})
    assert volume_check(DAY, 1, again).detail == "4 days before: too few to compare"
    once_more = landed({1: 100, 2: 100, 3: 100, 4: 300, 5: 300, 0: 300})
    assert volume_check(DAY, 300, once_more).detail == "300 rows; the median of the 5 days before is 100"


def test_too_short_a_history_passes_and_says_so() -> None:
    check = volume_check(DAY, 0, landed(dict.fromkeys(range(1, 5), 100)))
    assert check.passed
    assert "too few" in check.detail


SHANGHAI = advanced_performance_report(name="sh", dimensions=("Offer",), granularity="hourly", timezone="+8")


@pytest.mark.rule("MT7")
@pytest.mark.parametrize("report", [OFFER_PERFORMANCE_HOURLY, SHANGHAI], ids=["utc", "shanghai"])
@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (range(24), "24 of 24 hours have rows"),
        ((), "0 of 24 hours have rows"),
        ([*range(3), *range(4, 23)], "22 of 24 hours have rows; none at 03:00, 23:00. If that cannot be, ask again: "),
    ],
    ids=["all", "no traffic", "two missing"],
)
def test_every_hour_of_a_day_has_rows(tmp_path: Path, report: Report, hours: Sequence[int], told: str) -> None:
    begins = report.calendar.begins_at(DAY)
    (moment,) = (column for column in report.stored_columns if column.kind is Kind.TIME)
    times = [begins + timedelta(hours=hour) for hour in hours for _ in range(2)]
    path = tmp_path / report.file(DAY)
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({moment.name: pa.array(times, moment.type)}), path)
    check = hours_check(report, DAY, open_store(str(tmp_path), scratch=tmp_path))
    assert check.passed is (len(hours) != 22)
    assert check.detail.startswith(told)


def test_reports_by_the_day_have_no_hours() -> None:
    assert "hours" in {spec.name for spec in check_specs(OFFER_PERFORMANCE_HOURLY, None)}
    assert "hours" not in {spec.name for spec in check_specs(OFFER_PERFORMANCE, None)}
