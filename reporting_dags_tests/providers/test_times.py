"""Times as providers may send them, over real HTTP: each lies in its row's day, or the day is refused."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.model.column import TimeForm
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.integr8.report import integr8_log
from reporting_dags.providers.mintegral.report import advanced_performance_report
from reporting_dags.reports.integr8 import CLICKS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE_HOURLY
from reporting_dags.sandbox.integr8.accounts import ACCOUNTS
from reporting_dags.sandbox.integr8.logs import LOGS
from reporting_dags.sandbox.integr8.logs import rows as log_rows
from reporting_dags.sandbox.integr8.parameters import TimeRange
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.mintegral.provider import Mintegral
from reporting_dags.sandbox.mintegral.report_request import ReportRequest
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.providers.test_mintegral import DAY
from reporting_dags_tests.pulling import BenchOf, brought, check_truth, landed, line_of, refused_after_landing
from reporting_dags_tests.truth import kept_rows, landed_rows

NEW_YORK = "America/New_York"
CHANGE = date(2026, 11, 1)
"""25 hours in New York: 01:00 to 02:00 comes twice."""
FIELDS = ("request_time", "real_tx_id", "payout", "country")


def seconds(day: date, hour: int = 0) -> str:
    return str(int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp()))


@pytest.mark.rule("MT6")
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (seconds(DAY + ONE_DAY), f"{DAY + ONE_DAY} 00:00:00"),
        (seconds(DAY - ONE_DAY, 23), f"{DAY - ONE_DAY} 23:00:00"),
        (f"{DAY:%Y%m%d}13", "2034-03-"),
    ],
)
def test_an_hour_that_contradicts_its_rows_day_refuses_the_day(
    sandbox: Sandbox, bench_of: BenchOf, value: str, shown: str
) -> None:
    fault = {"point": "mintegral.data", "do": "bad_value", "column": "Timestamp", "value": value, "day": DAY}
    sandbox.settings.change("mintegral", empty_day_one_in=0)
    context = bench_of("mintegral")
    line = line_of(refused_after_landing(sandbox, context, OFFER_PERFORMANCE_HOURLY, DAY, fault), Outcome.FAILED)
    assert f"column 'Timestamp' holds '{value}', which is {shown}" in line
    assert f"outside of the day of its row, {DAY}, UTC" in line
    other = DAY + ONE_DAY
    both = brought(context, OFFER_PERFORMANCE_HOURLY, [DAY, other])
    assert (both[DAY].outcome, both[other].outcome) == (Outcome.FAILED, Outcome.DATA), "the other day is whole"
    sandbox.faults.clear()
    landed(context, OFFER_PERFORMANCE_HOURLY, [DAY])
    check_truth(context, sandbox, OFFER_PERFORMANCE_HOURLY, [DAY, other])


@pytest.mark.rule("MT6")
@pytest.mark.parametrize(
    ("sent", "declared", "form", "refusal"),
    [
        ("digits", TimeForm.UNIX_SECONDS, TimeForm.HOUR, "outside of the day of its row"),
        ("text", TimeForm.UNIX_SECONDS, TimeForm.TEXT, "not a time of the form Unix seconds"),
        ("unix", TimeForm.HOUR, TimeForm.UNIX_SECONDS, "not a time of the form YYYYMMDDHH"),
    ],
)
def test_hours_of_another_form_are_refused_until_the_declaration_names_it(
    sandbox: Sandbox, bench_of: BenchOf, sent: str, declared: TimeForm, form: TimeForm, refusal: str
) -> None:
    before, after = (
        advanced_performance_report(
            name="by_hour", dimensions=("Offer",), granularity="hourly", timezone="+8", time_forms=(each,)
        )
        for each in (declared, form)
    )
    provider = cast("Mintegral", sandbox.providers["mintegral"])
    honest = provider.rows(ReportRequest(DAY, DAY, ("Offer",), "hourly", zone=480)).as_dicts()
    sandbox.settings.change("mintegral", hour_form=sent)
    context = bench_of("mintegral")
    line = line_of(brought(context, before, [DAY])[DAY], Outcome.FAILED)
    assert refusal in line
    assert "Fix: " in line
    assert not context.data.exists(before.file(DAY))
    landed(context, after, [DAY])
    begins = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) - timedelta(hours=8)
    hours = set(pq.read_table(context.data.open(after.file(DAY)))["timestamp"].to_pylist())
    assert hours == {begins + timedelta(hours=n) for n in range(24)}
    assert landed_rows(context.data, after, DAY) == kept_rows(after, honest)
    assert before.version == after.version


def clicks(**more: Any) -> Report:
    return integr8_log(name="clicks", log="clicks", fields=FIELDS, timezone=NEW_YORK, **more)


def truth(sandbox: Sandbox, day: date) -> list[Mapping[str, Any]]:
    """The clicks of a day of New York."""
    zone = ZoneInfo(NEW_YORK)
    begins, ends = (datetime(one.year, one.month, one.day, tzinfo=zone) for one in (day, day + ONE_DAY))
    log = next(one for one in LOGS if one.name == "clicks")
    span = TimeRange(begins.astimezone(UTC), ends.astimezone(UTC), "", "")
    found = log_rows(7, ACCOUNTS[0], log, span, at=sandbox.clock.now(), settings=Integr8Settings())
    return [values for _, values in found]


def times(context: PullContext, report: Report, day: date) -> list[datetime]:
    table = pq.read_table(context.data.open(report.file(day)))
    return sorted(cast("list[datetime]", table["request_time"].to_pylist()))


@pytest.mark.rule("IN4")
def test_local_times_without_an_offset_are_read_by_the_reports_zone(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.settings.change("integr8", export_times="local", empty_day_one_in=0)
    context, report, day = bench_of("integr8"), clicks(), date(2026, 11, 10)
    landed(context, report, [day])
    expected = sorted(datetime.fromisoformat(str(row["request_time"])) for row in truth(sandbox, day))
    assert times(context, report, day) == expected
    assert expected[0] < datetime(2026, 11, 10, 8, tzinfo=UTC)


@pytest.mark.rule("IN4")
def test_a_local_time_that_comes_twice_is_refused_and_its_neighbours_land(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.settings.change("integr8", export_times="local", empty_day_one_in=0)
    context, report = bench_of("integr8"), clicks()
    days = [CHANGE - ONE_DAY, CHANGE, CHANGE + ONE_DAY]
    results = brought(context, report, days)
    line = line_of(results[CHANGE], Outcome.FAILED)
    assert "column 'request_time'" in line
    assert f"a local time that occurs twice in {NEW_YORK}, when clocks are set back" in line
    assert "Fix: " in line
    assert [results[day].outcome for day in (days[0], days[2])] == [Outcome.DATA] * 2
    sandbox.settings.change("integr8", export_times="iso", empty_day_one_in=0)
    landed(context, report, [CHANGE])
    expected = sorted(datetime.fromisoformat(str(row["request_time"])) for row in truth(sandbox, CHANGE))
    assert times(context, report, CHANGE) == expected


@pytest.mark.rule("IN4")
def test_local_times_in_a_report_of_utc_are_utc(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.settings.change("integr8", export_times="local")
    context = bench_of("integr8")
    landed(context, CLICKS, [DAY])
    check_truth(context, sandbox, CLICKS, [DAY])


@pytest.mark.rule("IN11")
@pytest.mark.parametrize("value", ["2026111813", seconds(DAY), "1.7e9", f"{seconds(DAY)}000"])
def test_digits_are_no_time_of_a_log_whose_times_are_texts(sandbox: Sandbox, bench_of: BenchOf, value: str) -> None:
    fault = {"point": "integr8.data", "do": "bad_value", "column": "click_time", "value": value}
    report = integr8_log(
        name="conversions",
        log="conversions",
        fields=("conversion_time", "click_time", "real_tx_id", "event_id"),
        grain=("real_tx_id", "event_id"),
    )
    line = line_of(refused_after_landing(sandbox, bench_of("integr8"), report, DAY, fault), Outcome.FAILED)
    assert f"column 'click_time': 1 values are not times, such as '{value}', not a time of the form ISO text" in line


@pytest.mark.rule("IN11")
def test_a_log_whose_times_are_declared_as_unix_seconds_is_read_so(sandbox: Sandbox, bench_of: BenchOf) -> None:
    report = clicks(time_forms=(TimeForm.TEXT, TimeForm.UNIX_SECONDS))
    at = datetime(2026, 11, 18, 12, tzinfo=UTC)
    value = str(int(at.timestamp()))
    sandbox.faults.add("integr8.data", do="bad_value", column="request_time", value=value)
    context = bench_of("integr8")
    landed(context, report, [DAY])
    assert at in times(context, report, DAY)
    assert report.version == clicks().version
