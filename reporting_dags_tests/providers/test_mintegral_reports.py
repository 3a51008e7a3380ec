"""Mintegral's reports: what may be declared, what is sent for it, and that what lands is the truth."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporting_dags.model.days import Window
from reporting_dags.model.errors import DeclarationError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.mintegral.report import (
    DIMENSIONS,
    advanced_performance_report,
)
from reporting_dags.reports.mintegral import CREATIVE_PERFORMANCE, OFFER_PERFORMANCE, OFFER_PERFORMANCE_HOURLY, REPORTS
from reporting_dags.sandbox.mintegral.provider import Mintegral
from reporting_dags.sandbox.mintegral.report_request import ReportRequest
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.providers.test_mintegral import ASK, DAY, DAYS, FETCH, codes, secrets_of
from reporting_dags_tests.pulling import (
    BenchOf,
    brought,
    check_truth,
    in_its_own_home,
    landed,
    line_of,
    refused_after_landing,
)
from reporting_dags_tests.truth import kept_rows, landed_rows

ALL_WITHOUT_PUBLISHERS = tuple(name for name in DIMENSIONS if name not in {"Sub", "Package"})
ALL_WITHOUT_CREATIVES = tuple(name for name in DIMENSIONS if name not in {"Creative", "Endcard"})


def declared(**change: Any) -> Report:
    fields: dict[str, Any] = {"name": "by_offer", "dimensions": ("Offer",), **change}
    return advanced_performance_report(**fields)


def provider_of(sandbox: Sandbox) -> Mintegral:
    return cast("Mintegral", sandbox.providers["mintegral"])


@pytest.mark.rule("MT4", "MT5")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dimensions": ("Ofer",)}, "dimensions: unknown 'Ofer'; known names: Offer, Campaign"),
        ({"dimensions": ("offer",)}, "dimensions: unknown 'offer'"),
        ({"dimensions": ()}, "dimensions: is empty"),
        ({"dimensions": "Offer"}, "dimensions: is the text 'Offer'. Fix: write a list"),
        ({"dimensions": ("Offer", "Offer")}, "columns: offer_id is duplicated"),
        ({"dimensions": ("Creative", "Sub")}, "dimensions: Creative cannot be combined with Sub (MT5)"),
        ({"dimensions": ("Package", "Creative")}, "dimensions: Creative cannot be combined with Package (MT5)"),
        ({"dimensions": ("Endcard", "Sub")}, "dimensions: Endcard cannot be combined with Sub (MT5)"),
        ({"dimensions": ("Offer", "Endcard", "Package")}, "dimensions: Endcard cannot be combined with Package (MT5)"),
        ({"dimensions": ("Creative",), "granularity": "hourly"}, "granularity: Creative cannot be requested by hour"),
        ({"dimensions": ("Endcard",), "granularity": "hourly"}, "granularity: Endcard cannot be requested by hour"),
        ({"granularity": "Hourly"}, "granularity: unknown 'Hourly'; known names: daily, hourly"),
        ({"timezone": "8"}, "timezone: '8' is not an offset in hours such as +0 or +8 (MT4)"),
        ({"timezone": "+15"}, "timezone: '+15' is not an offset"),
        ({"timezone": "-13"}, "timezone: '-13' is not an offset"),
        ({"timezone": "+5:30"}, "timezone: '+5:30' is not an offset"),
        ({"timezone": "Asia/Shanghai"}, "timezone: 'Asia/Shanghai' is not an offset"),
    ],
)
def test_a_wrong_report_fails_at_load_in_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declared(**change)
    assert str(caught.value).startswith("reports/mintegral.py: mintegral/by_offer: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.rule("MT4", "MT5")
def test_the_time_zone_is_always_sent_with_its_plus_sign_encoded(sandbox: Sandbox, bench_of: BenchOf) -> None:
    landed(bench_of("mintegral"), OFFER_PERFORMANCE_HOURLY, DAYS)
    for entry in sandbox.log.entries(ASK) + sandbox.log.entries(FETCH):
        assert "timezone=%2B0" in entry.query
        sent = {name: values for name, values in parse_qs(entry.query).items() if name != "type"}
        assert sent == {
            "start_time": ["2026-11-13"],
            "end_time": ["2026-11-19"],
            "timezone": ["+0"],
            "dimension_option": ["Offer,AdType,Location"],
            "time_granularity": ["hourly"],
        }


@pytest.mark.rule("MT4")
@pytest.mark.parametrize(("zone", "minutes"), [("+8", 480), ("-5", -300), ("+14", 840), ("-12", -720)])
def test_days_begin_and_end_in_the_declared_zone(sandbox: Sandbox, bench_of: BenchOf, zone: str, minutes: int) -> None:
    report = declared(name="zoned", dimensions=("Offer", "Location"), granularity="hourly", timezone=zone)
    sandbox.settings.change("mintegral", empty_day_one_in=0)
    begins = datetime(2026, 11, 18, tzinfo=UTC) - timedelta(minutes=minutes)
    sandbox.clock.set(begins + timedelta(hours=25, minutes=29))
    context = bench_of("mintegral")
    assert "not published yet" in line_of(brought(context, report, [DAY])[DAY], Outcome.NOT_READY)
    sandbox.clock.advance(60)
    landed(context, report, [DAY])
    table = pq.read_table(context.data.open(report.file(DAY)))
    assert set(table["timestamp"].to_pylist()) == {begins + timedelta(hours=hour) for hour in range(24)}
    rows = provider_of(sandbox).rows(ReportRequest(DAY, DAY, ("Offer", "Location"), "hourly", zone=minutes))
    assert landed_rows(context.data, report, DAY) == kept_rows(report, rows.as_dicts())


@pytest.mark.rule("MT4")
def test_the_last_half_year_is_served_to_its_first_day_and_nothing_older_is_asked_for(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    context = bench_of("mintegral")
    results = brought(context, OFFER_PERFORMANCE, [date(2026, 5, 19), date(2026, 5, 20)])
    line = line_of(results[date(2026, 5, 19)], Outcome.EXPIRED)
    assert "retention (earliest available: 2026-05-20)" in line
    assert results[date(2026, 5, 20)].outcome.publishes
    assert "10000" not in codes(sandbox, ASK)


@pytest.mark.rule("MT5", "MT6")
@pytest.mark.parametrize(
    ("dimensions", "granularity"),
    [
        (ALL_WITHOUT_PUBLISHERS, "daily"),
        (ALL_WITHOUT_CREATIVES, "daily"),
        (ALL_WITHOUT_CREATIVES, "hourly"),
        *(((name,), "daily") for name in DIMENSIONS),
    ],
)
def test_every_dimension_can_be_asked_and_lands_as_it_is(
    sandbox: Sandbox, bench_of: BenchOf, dimensions: tuple[str, ...], granularity: str
) -> None:
    report = declared(dimensions=dimensions, granularity=granularity)
    context = bench_of("mintegral")
    landed(context, report, [DAY])
    table = provider_of(sandbox).rows(ReportRequest(DAY, DAY, dimensions, granularity))
    assert [column.header for column in report.columns] == table.header
    assert landed_rows(context.data, report, DAY) == kept_rows(report, table.as_dicts())


@pytest.mark.rule("MT6")
def test_the_shipped_reports_have_the_documents_columns_and_types() -> None:
    assert [report.key for report in REPORTS] == [
        "mintegral/offer_performance",
        "mintegral/creative_performance",
        "mintegral/offer_performance_hourly",
    ]
    types = {field.name: str(field.type) for field in OFFER_PERFORMANCE_HOURLY.schema}
    assert types == {
        "timestamp": "timestamp[us, tz=UTC]",
        **dict.fromkeys(("offer_id", "offer_uuid", "offer_name", "ad_type", "location", "currency"), "string"),
        **dict.fromkeys(("impression", "click", "conversion"), "int64"),
        **dict.fromkeys(("ecpm", "cpc", "ctr", "cvr", "ivr", "spend"), "decimal128(38, 18)"),
    }
    assert CREATIVE_PERFORMANCE.grain_names == (
        *("offer_id", "offer_uuid", "offer_name", "creative_id", "creative_name", "ad_type", "location", "currency"),
    )


@pytest.mark.rule("MT6")
def test_a_day_without_traffic_is_a_typed_file_of_no_rows(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.settings.change("mintegral", empty_days=(DAY.isoformat(),))
    context = bench_of("mintegral")
    assert landed(context, OFFER_PERFORMANCE, DAYS)[DAY].outcome is Outcome.EMPTY
    check_truth(context, sandbox, OFFER_PERFORMANCE, DAYS)


@pytest.mark.rule("MT6")
def test_running_a_day_again_replaces_it_by_the_providers_newest_answer(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.settings.change("mintegral", restate_days=5)
    context = bench_of("mintegral")
    landed(context, OFFER_PERFORMANCE, [DAY])
    before = landed_rows(context.data, OFFER_PERFORMANCE, DAY)
    sandbox.clock.advance(3 * 86400)
    landed(context, OFFER_PERFORMANCE, [DAY])
    assert landed_rows(context.data, OFFER_PERFORMANCE, DAY) != before
    check_truth(context, sandbox, OFFER_PERFORMANCE, [DAY])


@pytest.mark.rule("MT8")
def test_ratios_are_worked_out_from_sums_and_currencies_are_never_added(sandbox: Sandbox, bench_of: BenchOf) -> None:
    result = landed(bench_of("mintegral"), OFFER_PERFORMANCE, [DAY])[DAY].landed
    assert result is not None
    rows = sandbox.truth(OFFER_PERFORMANCE.key, DAY)
    shown, clicked, converted = (sum(int(row[name]) for row in rows) for name in ("Impression", "Click", "Conversion"))
    assert result.totals == {"impression": shown, "click": clicked, "conversion": converted}
    of_sums = {"ctr": (clicked, shown), "cvr": (converted, clicked), "ivr": (converted, shown)}
    assert result.ratios == {name: exactly(100 * over, under) for name, (over, under) in of_sums.items()}
    assert result.money["spend"] == {
        currency: sum((Decimal(row["Spend"]) for row in rows if row["Currency"] == currency), Decimal())
        for currency in ("CNY", "USD")
    }


def exactly(over: int, under: int) -> Decimal:
    with_rest = Decimal(over * 10**18) / Decimal(under)
    return with_rest.quantize(Decimal(1), ROUND_HALF_EVEN).scaleb(-18)


@pytest.mark.rule("MT6")
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"do": "duplicate_row"}, "grain"),
        ({"do": "wrong_day", "to": "20261117"}, "2026-11-17"),
        ({"do": "wrong_day", "to": "18.11.2026"}, "which is not a day"),
        ({"do": "drop_column", "column": "Spend"}, "'Spend' is missing"),
        ({"do": "drop_column", "column": "Date"}, "'Date' is missing"),
        ({"do": "rename_column", "column": "Offer Uuid", "to": "Uuid"}, "'Offer Uuid' is missing"),
        ({"do": "duplicate_header", "column": "Click"}, "'Click' is duplicated"),
        ({"do": "repeat_header"}, "which is not a day"),
        ({"do": "bad_value", "column": "Impression", "value": "1.5"}, "such as '1.5'"),
        ({"do": "bad_value", "column": "Spend", "value": "1,5"}, "such as '1,5'"),
        ({"do": "bad_value", "column": "Currency", "value": "dollars"}, "not a currency code"),
        ({"do": "open_quote"}, "column 'Spend'"),
        ({"do": "latin1"}, "UTF-8"),
        ({"do": "nul"}, "NUL"),
        ({"do": "short_row"}, "17 fields, the header 18"),
        ({"do": "long_row"}, "19 fields, the header 18"),
    ],
)
def test_a_file_that_cannot_be_trusted_publishes_nothing(
    sandbox: Sandbox, bench_of: BenchOf, fault: dict[str, Any], says: str
) -> None:
    struck = {"point": "mintegral.data", **fault}
    result = refused_after_landing(sandbox, bench_of("mintegral"), OFFER_PERFORMANCE, DAY, struck)
    assert says in line_of(result, Outcome.FAILED, secrets_of(sandbox))


@pytest.mark.rule("MT6")
def test_a_new_column_and_a_byte_order_mark_do_not_break_the_day(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.faults.add("mintegral.data", do="extra_column")
    sandbox.faults.add("mintegral.data", do="bom")
    sandbox.faults.add("mintegral.data", do="rename_column", column="Creative Id", to="Creative ID")
    context = bench_of("mintegral")
    result = landed(context, CREATIVE_PERFORMANCE, [DAY])[DAY].landed
    assert result is not None
    assert "Surprise" in " ".join(result.warnings)
    check_truth(context, sandbox, CREATIVE_PERFORMANCE, [DAY])


@pytest.mark.rule("MT2", "MT6")
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    report=st.sampled_from(REPORTS),
    ages=st.sets(st.integers(1, 120), min_size=1, max_size=5),
    newer=st.integers(0, 4),
    switches=st.fixed_dictionaries(
        {
            "rows_factor": st.sampled_from([0.0, 0.3, 1.0, 3.0]),
            "fill_polls": st.integers(0, 3),
            "fill_seconds": st.sampled_from([0.0, 90.0]),
            "ready_at_once": st.booleans(),
            "data_missing": st.booleans(),
            "restate_days": st.integers(0, 6),
            "empty_day_one_in": st.sampled_from([0, 3]),
            "huge": st.booleans(),
            "corrections": st.booleans(),
        }
    ),
)
def test_whatever_is_asked_lands_as_the_truth_has_it(
    sandbox: Sandbox,
    bench_of: BenchOf,
    tmp_path: Path,
    report: Report,
    ages: set[int],
    newer: int,
    switches: dict[str, Any],
) -> None:
    sandbox.reset()
    sandbox.settings.change("mintegral", **switches)
    days = [NOON.date() - timedelta(days=age) for age in ages]
    context = in_its_own_home(bench_of("mintegral"), tmp_path)
    landed(context, report, days)
    check_truth(context, sandbox, report, days)
    sandbox.clock.advance(newer * 86400)
    landed(context, report, days[:2])
    check_truth(context, sandbox, report, days[:2])


@pytest.mark.rule("MT4")
def test_windows_hold_both_their_days_in_the_providers_form() -> None:
    params = declared(timezone="-5").query.params(Window(date(2026, 2, 1), date(2026, 2, 7)))
    assert params == {
        "start_time": "2026-02-01",
        "end_time": "2026-02-07",
        "timezone": "-5",
        "dimension_option": "Offer",
        "time_granularity": "daily",
    }
    assert declared().window_days == 7


@pytest.mark.rule("MT6")
def test_another_currency_can_be_declared_without_another_version() -> None:
    usual = advanced_performance_report(name="r", dimensions=("Offer",))
    wider = advanced_performance_report(name="r", dimensions=("Offer",), currencies=("USD", "CNY", "JPY"))
    for report in (wider, wider.control):
        assert report is not None
        assert report.columns[-1].currencies == ("USD", "CNY", "JPY")
    assert wider.version == usual.version
    for wrong in ("USD", ("usd",)):
        with pytest.raises(DeclarationError, match="is not a list of codes such as 'USD'"):
            advanced_performance_report(name="r", dimensions=("Offer",), currencies=wrong)
