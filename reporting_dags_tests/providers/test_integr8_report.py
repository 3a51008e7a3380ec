"""Integr8's declarations: what they refuse, the documented fields, time zones, personal data (IN3, IN9, IN11)."""

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.model.column import MIXED, MONEY, TIMESTAMP, Kind, identity
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.errors import DeclarationError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.privacy import Personal, PersonalData, Privacy
from reporting_dags.model.report import Report
from reporting_dags.providers.integr8.fields import CLICK_FIELDS, CONVERSION_FIELDS, OFFER_FIELDS
from reporting_dags.providers.integr8.report import integr8_list, integr8_log
from reporting_dags.reports.integr8 import (
    ADVERTISERS,
    CLICKS,
    CONVERSIONS,
    IMPRESSIONS,
    OFFERS,
    POSTBACKS,
    PUBLISHERS,
    REPORTS,
)
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.integr8 import fields as documented
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.providers.test_integr8_exports import ended, orders, outcome_of, refused, sent
from reporting_dags_tests.truth import Row, expected_rows, landed_rows

BenchOf = Callable[..., PullContext]
DAY = date(2026, 11, 10)
NEW_YORK = ZoneInfo("America/New_York")
GOOD: dict[str, Any] = {"name": "some", "log": "clicks", "fields": ("request_time", "real_tx_id", "payout")}
WHOLE_NUMBERS = {
    *("asn", "blocked", "event_id", "event_status", "is_bot", "is_click_spam", "is_low_session_time"),
    *("is_old_browser", "is_old_os", "monitoring_mode", "preview_url_enabled", "rejected", "rtb_url_used"),
}
NUMBERS = {"lat", "long", "purchase_value", "rtt", "score", "session_time"}
AMOUNTS = {"payout", "revenue"}
TIMES = {"begin_install_time", "click_time", "conversion_time", "finish_install_time", "request_time"}
PERSONAL = {
    "click_ip": Personal.ADDRESS,
    "conversion_ip": Personal.ADDRESS,
    "device_id": Personal.DEVICE,
    "fingerprint": Personal.FINGERPRINT,
    "ip_network": Personal.ADDRESS,
    "user_email": Personal.EMAIL,
}
TRUTHS = {name for name in documented.OFFERS if name.endswith("_enabled")} | {
    *("active", "archived", "allow_duplicate_conversions", "block_on_reject", "hide_js_tracking"),
    "manually_approve_conversions",
}


@pytest.fixture
def context(bench_of: BenchOf) -> PullContext:
    return bench_of("integr8")


# Declarations.


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"log": "click"}, "log: unknown 'click'; known names: clicks, conversions, impressions, postback-logs"),
        ({"method": "file"}, "method: unknown 'file'; known names: export, table"),
        ({"log": "postback-logs", "method": "table"}, "log: unknown 'postback-logs'; known names: clicks, conversions"),
        ({"fields": "request_time"}, "fields: is the text 'request_time'. Fix: write a list of names"),
        ({"fields": ("real_tx_id", "payout")}, "fields: lacks 'request_time'"),
        ({"log": "conversions"}, "fields: lacks 'conversion_time'"),
        ({"fields": ("request_time", "real_tx_id", "real_tx_id")}, "real_tx_id is duplicated"),
        ({"fields": ("request_time", "payout")}, "grain: 'real_tx_id' is not a column"),
        ({"grain": ("payout",)}, "grain: 'payout' is a money, not an identity"),
        ({"filters": {"status": "Approved"}}, "filters: an export has no filters. Fix: use method='table'"),
        ({"filters": {"country": "US"}, "method": "table"}, "filters: unknown 'country'; known names: status, offer"),
        ({"timezone": "CETX"}, "calendar.timezone: 'CETX' is not an IANA time zone"),
        ({"name": "by day"}, "name: 'by day' may contain only letters"),
    ],
)
@pytest.mark.rule("IN3", "IN4")
def test_a_wrong_log_fails_at_load_in_one_line(change: dict[str, Any], says: str) -> None:
    fields: dict[str, Any] = {**GOOD, **change}
    with pytest.raises(DeclarationError) as caught:
        integr8_log(**fields)
    assert str(caught.value).startswith(f"reports/integr8.py: integr8/{fields['name']}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_list_fails_at_load_in_one_line() -> None:
    with pytest.raises(DeclarationError) as caught:
        integr8_list(name="users", fields={"id": "t User"})
    assert (
        str(caught.value)
        == "reports/integr8.py: integr8/users: name: unknown 'users'; known names: offers, publishers, advertisers"
    )


def test_the_shipped_reports_are_those_of_the_contract() -> None:
    names = {"clicks", "conversions", "impressions", "postbacks", "offers", "publishers", "advertisers"}
    assert {report.key for report in all_reports() if report.provider == "integr8"} == {
        f"integr8/{name}" for name in names
    }
    assert [report.name for report in REPORTS if not report.partitioned] == ["offers", "publishers", "advertisers"]
    assert CONVERSIONS.grain_names == ("real_tx_id", "event_id")
    assert CLICKS.grain_names == IMPRESSIONS.grain_names == ("real_tx_id",)
    assert max(CONVERSIONS.calendar.restated_at) == 30
    assert CLICKS.calendar.restated_at == ()


# Fields.


@pytest.mark.rule("IN11")
@pytest.mark.parametrize(
    ("report", "names"),
    [
        (CLICKS, documented.CLICKS),
        (CONVERSIONS, documented.CONVERSIONS),
        (IMPRESSIONS, documented.IMPRESSIONS),
        (POSTBACKS, documented.POSTBACKS),
        (OFFERS, documented.OFFERS),
        (PUBLISHERS, documented.PUBLISHERS),
        (ADVERTISERS, documented.ADVERTISERS),
    ],
    ids=lambda value: value.name if isinstance(value, Report) else "",
)
def test_every_field_of_the_document_is_a_column_with_a_meaning(report: Report, names: tuple[str, ...]) -> None:
    assert sorted(column.header for column in report.columns) == sorted(names)
    assert all(column.meaning and column.meaning != "Not documented" for column in report.columns)


@pytest.mark.rule("IN11")
@pytest.mark.parametrize("report", [CLICKS, CONVERSIONS, IMPRESSIONS], ids=lambda report: report.name)
def test_every_field_of_a_log_is_of_its_documented_type(report: Report) -> None:
    for column in report.columns:
        kind: pa.DataType = pa.string()
        if column.header in WHOLE_NUMBERS:
            kind = pa.int64()
        elif column.header in NUMBERS | AMOUNTS:
            kind = MONEY
        elif column.header in TIMES:
            kind = TIMESTAMP
        assert column.type == kind, column.header
        assert (column.kind is Kind.MONEY) is (column.header in AMOUNTS)
        assert column.currency == (MIXED if column.header in AMOUNTS else None)
        assert column.personal == PERSONAL.get(column.header)


@pytest.mark.rule("IN11")
def test_every_field_of_an_offer_is_of_its_documented_type() -> None:
    for column in OFFERS.columns:
        kind: pa.DataType = pa.string()
        if column.header in TRUTHS:
            kind = pa.bool_()
        elif column.header in {"advertiser_id", "incremental_id"}:
            kind = pa.int64()
        elif column.header in {"created_at", "updated_at"}:
            kind = TIMESTAMP
        assert column.type == kind, column.header


@pytest.mark.parametrize("report", [PUBLISHERS, ADVERTISERS], ids=lambda report: report.name)
@pytest.mark.rule("IN9", "IN11")
def test_e_mail_addresses_of_partners_are_personal(report: Report) -> None:
    personal = {column.header: column.personal for column in report.columns if column.personal}
    assert personal == {"email": Personal.EMAIL, "manager_email": Personal.EMAIL}


@pytest.mark.rule("IN11")
def test_a_field_that_the_document_does_not_name_is_given_as_a_column() -> None:
    report = integr8_log(name="clicks", log="clicks", fields=(*CLICK_FIELDS, identity("brand_new", "Brand new")))
    assert report.schema.field("brand_new").type == pa.string()
    with pytest.raises(DeclarationError) as caught:
        integr8_log(name="clicks", log="clicks", fields=("request_time", "payuot"))
    assert caught.value.line == "reports/integr8.py: integr8/clicks: fields: unknown 'payuot'; similar names: payout"


def test_arrays_stay_whole_as_json_text(sandbox: Sandbox, context: PullContext) -> None:
    ended(context, CLICKS, [DAY])
    place = CLICKS.schema.names.index("extra_params_values")
    found = {row[place] for row in landed_rows(context.data, CLICKS, DAY)}
    assert any("été, 🎉" in json.loads(text) for text in found)
    assert found == {row["extra_params.values"] for row in sandbox.truth(CLICKS.key, DAY)}


# Time zones.


def expected_there(sandbox: Sandbox, report: Report, day: date) -> Counter[Row]:
    """The rows whose time is on `day` in the report's own zone."""
    zone, place = ZoneInfo(report.calendar.timezone), report.schema.names.index(report.day_from)
    found: Counter[Row] = Counter()
    for utc_day in (day - ONE_DAY, day, day + ONE_DAY):
        for row, times in expected_rows(sandbox, report, utc_day).items():
            if row[place].astimezone(zone).date() == day:
                found[row] += times
    return found


@pytest.mark.rule("IN3", "IN4", "IN10")
@pytest.mark.parametrize("way", ["export", "table"])
@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Asia/Kolkata", DAY, 24),
        ("Pacific/Kiritimati", DAY, 24),
    ],
)
def test_days_of_another_zone_hold_its_rows_and_no_others(
    sandbox: Sandbox, context: PullContext, way: str, zone: str, day: date, hours: int
) -> None:
    sandbox.clock.set(datetime(2026, 3, 20, tzinfo=UTC) if day.month == 3 else NOON)
    report = integr8_log(
        name="conversions",
        log="conversions",
        fields=CONVERSION_FIELDS,
        grain=("real_tx_id", "event_id"),
        timezone=zone,
        method=way,
    )
    days = [day, day + ONE_DAY]
    results = ended(context, report, days)
    asked = sandbox.log.entries()[0]
    assert sent(asked)["timezone"] == zone
    assert sent(asked)["start_time"] == f"{day} 00:00:00"
    assert sent(asked)["end_time"] == f"{day + (2 if way == 'export' else 1) * ONE_DAY} 00:00:00"
    assert report.calendar.begins_at(days[1]) - report.calendar.begins_at(day) == timedelta(hours=hours)
    for each in days:
        assert results[each].outcome is Outcome.DATA
        assert landed_rows(context.data, report, each) == expected_there(sandbox, report, each)


@pytest.mark.rule("IN4")
def test_a_day_of_another_zone_is_out_when_it_has_ended_there(sandbox: Sandbox, context: PullContext) -> None:
    report = integr8_log(
        name="conversions",
        log="conversions",
        fields=CONVERSION_FIELDS,
        grain=("real_tx_id", "event_id"),
        timezone="America/New_York",
    )
    sandbox.clock.set(datetime(2026, 11, 20, 5, 59, tzinfo=UTC))
    day = date(2026, 11, 19)
    assert "2026-11-20 at 06:00 UTC" in refused(sandbox, ended(context, report, [day])[day], Outcome.NOT_READY)
    assert not orders(sandbox, status=None)


@pytest.mark.parametrize("way", ["export", "table"])
def test_days_landed_in_one_zone_are_due_again_in_another(way: str) -> None:
    good: dict[str, Any] = {**GOOD, "method": way}
    here, there = integr8_log(**good), integr8_log(**good, timezone="America/New_York")
    assert here.version != there.version
    assert repr(here.query) != repr(there.query), "so that an export requested in the one is not landed in the other"


# Personal data.


@pytest.mark.rule("IN9")
def test_personal_fields_are_hashed_kept_or_dropped_and_the_columns_stay(
    sandbox: Sandbox, context: PullContext
) -> None:
    rows = sandbox.truth(CONVERSIONS.key, DAY)
    names = CONVERSIONS.schema.names

    def landed(report: Report) -> dict[str, Counter[Any]]:
        assert outcome_of(context, report, DAY) is Outcome.DATA
        found = landed_rows(context.data, report, DAY)
        return {name: Counter(row[names.index(name)] for row in found.elements()) for name in PERSONAL}

    def expected(change: Callable[[str, str], Any]) -> dict[str, Counter[Any]]:
        return {name: Counter(change(name, row[name]) if row[name] else "" for row in rows) for name in PERSONAL}

    def plain(name: str, text: str) -> str:
        return text.strip().lower() if name == "user_email" else text

    kept = replace(CONVERSIONS, privacy=Privacy(mode=PersonalData.KEEP))
    assert landed(kept) == expected(lambda _, text: text)
    hashed = landed(CONVERSIONS)
    assert hashed == expected(lambda name, text: hashlib.sha256(plain(name, text).encode()).hexdigest())
    keyed = replace(CONVERSIONS, privacy=Privacy(key="pepper and salt"))
    assert landed(keyed) == expected(
        lambda name, text: hmac.new(b"pepper and salt", plain(name, text).encode(), hashlib.sha256).hexdigest()
    )
    dropped = landed(replace(CONVERSIONS, privacy=Privacy(mode=PersonalData.DROP)))
    assert dropped == {name: Counter({None: len(rows)}) for name in PERSONAL}
    assert len({report.version for report in (kept, CONVERSIONS, keyed)}) == 3


@pytest.mark.rule("IN9")
def test_an_address_that_the_provider_hashed_itself_is_not_hashed_again(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", mask_personal=True)
    ended(context, CLICKS, [DAY])
    place = CLICKS.schema.names.index("user_email")
    found = Counter(row[place] for row in landed_rows(context.data, CLICKS, DAY).elements())
    assert found == Counter(row["user_email"] for row in sandbox.truth(CLICKS.key, DAY))


@pytest.mark.rule("IN9")
@pytest.mark.parametrize("way", ["export", "table"])
@pytest.mark.parametrize(
    "fault",
    [
        {"do": "duplicate_row"},
        {"do": "nul", "column": "device_id"},
        {"do": "wrong_day", "to": "2026-12-24T00:00:00Z"},
        {"do": "bad_value", "column": "score", "value": "high"},
    ],
)
def test_no_message_holds_personal_data(
    sandbox: Sandbox, context: PullContext, way: str, fault: dict[str, Any]
) -> None:
    report = replace(
        integr8_log(name="clicks", log="clicks", fields=CLICK_FIELDS, method=way),
        privacy=Privacy(mode=PersonalData.KEEP),
    )
    sandbox.faults.add("integr8.data", source="clicks", **fault)
    result = ended(context, report, [DAY])[DAY]
    # Rows that share their key land, with a warning.
    told = " ".join(result.landed.warnings) if result.landed else refused(sandbox, result, result.outcome)
    told += " ".join(check.detail for check in result.checks)
    values = {row[name] for row in sandbox.truth(CLICKS.key, DAY) for name in PERSONAL if row.get(name)}
    assert [value for value in values if value in told] == []


@pytest.mark.rule("IN9")
def test_money_is_in_no_single_currency_and_an_offer_names_its_own(sandbox: Sandbox, context: PullContext) -> None:
    result = ended(context, CONVERSIONS, [DAY])[DAY]
    assert result.landed is not None
    assert set(result.landed.money["payout"]) == {MIXED}
    assert "currency" in OFFER_FIELDS
    assert CONVERSIONS.entity == "offer_db_id"
    offers = {row["id"] for row in sandbox.truth(OFFERS.key, DAY)}
    assert {row["offer_db_id"] for row in sandbox.truth(CONVERSIONS.key, DAY)} <= offers
