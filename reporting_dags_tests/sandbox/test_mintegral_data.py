import re
from collections import defaultdict
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from reporting_dags.sandbox.mintegral.provider import Mintegral
from reporting_dags.sandbox.mintegral.report_request import DIMENSIONS, HOURLY, ReportRequest
from reporting_dags.sandbox.mintegral.settings import MintegralSettings
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.sandbox.client import NOW
from reporting_dags_tests.sandbox.mintegral_client import DAY, OFFERS, Client, in_order, rows

OFFER = "mintegral/offer_performance"
CREATIVE = "mintegral/creative_performance"
OFFER_HOURLY = "mintegral/offer_performance_hourly"
SHIPPED: dict[str, dict[str, str]] = {
    OFFER: {"dimension_option": OFFERS},
    CREATIVE: {"dimension_option": "Offer,Creative,AdType,Location"},
    OFFER_HOURLY: {"dimension_option": "Offer,AdType,Location", "time_granularity": "hourly"},
}
MONTH = [(date(2026, 10, 12) + timedelta(days=n)).isoformat() for n in range(40)]
COUNTS = ("Impression", "Click", "Conversion", "Spend")


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox)


def provider(sandbox: Sandbox) -> Mintegral:
    found = sandbox.providers["mintegral"]
    assert isinstance(found, Mintegral)
    return found


def sums(found: list[dict[str, str]], *names: str) -> dict[tuple[str, ...], list[Decimal]]:
    made: dict[tuple[str, ...], list[Decimal]] = defaultdict(lambda: [Decimal()] * len(COUNTS))
    for row in found:
        key = tuple(row[name] for name in (*names, "Currency"))
        made[key] = [old + Decimal(row[name]) for old, name in zip(made[key], COUNTS, strict=True)]
    return dict(made)


@pytest.mark.parametrize("report", SHIPPED)
def test_truth_is_what_an_honest_answer_holds(client: Client, report: str) -> None:
    found = client.read(start_time="2026-11-10", end_time="2026-11-16", **SHIPPED[report])
    truth = [row for n in range(10, 17) for row in client.sandbox.truth(report, f"2026-11-{n}")]
    assert in_order(found) == in_order(truth)
    assert found != in_order(found)


def test_truth_of_an_unknown_report_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=OFFER):
        sandbox.truth("mintegral/other", DAY)


def test_data_depends_on_the_seed_alone(sandbox: Sandbox) -> None:
    with running_sandbox(seed=7, at=NOW, frozen=True) as again, running_sandbox(seed=8, at=NOW, frozen=True) as other:
        assert again.truth(OFFER, DAY) == sandbox.truth(OFFER, DAY)
        assert other.truth(OFFER, DAY) != sandbox.truth(OFFER, DAY)


@pytest.mark.parametrize("report", SHIPPED)
def test_every_day_is_plausible_and_hostile(sandbox: Sandbox, report: str) -> None:
    days = [found for day in MONTH if (found := sandbox.truth(report, day))]
    assert len(days) >= 35
    for found in days:
        assert 30 <= len(found) <= 400
        assert {"9007199254740993", "73332"} <= {row["Offer Id"] for row in found}
        assert {"NA", "null", "", "00073335", '"Open quote', "Été à Paris 🎮", "لعبة الملوك"} <= {
            row["Offer Name"] for row in found
        }
        assert {"NA", "null", "", "US"} <= {row["Location"] for row in found}
        assert {"USD", "CNY"} == {row["Currency"] for row in found}
        assert any(int(row["Impression"]) > 2**53 for row in found)
        spends = {row["Spend"] for row in found}
        assert {"0.036300000000000006", "1.21e-05", "0.0", "-0.7"} <= spends
        cells = [value for row in found for value in row.values()]
        assert not any("\t" in cell or "\n" in cell for cell in cells)
        keys = [tuple(row[name] for name in row if name not in COUNTS) for row in found]
        assert len(set(keys)) == len(keys)


def test_hostile_rows_can_be_left_out_and_ordinary_ones_multiplied(sandbox: Sandbox) -> None:
    plain = sandbox.truth(OFFER, DAY)
    sandbox.settings.change("mintegral", huge=False, corrections=False, rows_factor=5.0)
    found = sandbox.truth(OFFER, DAY)
    assert len(found) > 4 * len(plain)
    assert all(0 <= int(row["Impression"]) < 2**53 and float(row["Spend"]) >= 0 for row in found)


def test_about_one_day_in_forty_has_no_rows_and_its_file_is_a_header(client: Client) -> None:
    empty = [day for day in MONTH if not client.sandbox.truth(OFFER, day)]
    assert len(empty) <= 4
    assert empty == [day for day in MONTH if not client.sandbox.truth(OFFER_HOURLY, day)]
    client.sandbox.settings.change("mintegral", empty_days=(DAY,))
    assert client.ready(dimension_option="Location") == {"hours": 24, "is_complete": True}
    answer = client.call("2", dimension_option="Location")
    assert answer.text == ("Date\tLocation\tCurrency\tImpression\tClick\tConversion\tEcpm\tCpc\tCtr\tCvr\tIvr\tSpend\n")


def test_mt6_columns_are_the_document_s_in_its_order(client: Client) -> None:
    joined = ",".join(name for name in reversed(DIMENSIONS) if name not in {"Creative", "Endcard"})
    found = client.read(dimension_option=joined, time_granularity="hourly")
    assert list(found[0])[:11] == [
        *("Date", "Timestamp", "Offer Id", "Offer Uuid", "Offer Name", "Campaign Id", "Campaign Package"),
        *("Ad Type", "Sub Id", "Package Name", "Location"),
    ]
    assert list(found[0])[11:] == ["Ad Output Type", "Currency", *_metrics()]
    assert {"00123456", "9223372036854775808"} <= {row["Sub Id"] for row in found}
    found = client.read(dimension_option="Endcard,Creative")
    assert list(found[0])[1:5] == ["Creative Id", "Creative Name", "Endcard ID", "Endcard Name"]
    assert {row["Date"] for row in found} == {"20261112"}


def _metrics() -> list[str]:
    return ["Impression", "Click", "Conversion", "Ecpm", "Cpc", "Ctr", "Cvr", "Ivr", "Spend"]


@pytest.mark.parametrize("zone", [0, 480, -210])
def test_mt5_hours_add_up_to_their_day_exactly(sandbox: Sandbox, zone: int) -> None:
    names = ("Offer", "AdType", "Location")
    day = date(2026, 11, 12)
    daily = provider(sandbox).rows(ReportRequest(day, day, names, zone=zone)).as_dicts()
    hourly = provider(sandbox).rows(ReportRequest(day, day, names, HOURLY, zone)).as_dicts()
    keys = ("Date", "Offer Id", "Offer Uuid", "Offer Name", "Ad Type", "Location")
    assert sums(hourly, *keys) == sums(daily, *keys)
    assert len(hourly) > len(daily)
    first = min(int(row["Timestamp"]) for row in hourly)
    local = datetime.fromtimestamp(first, UTC) + timedelta(minutes=zone)
    assert local == datetime(2026, 11, 12, tzinfo=UTC)


def test_mt4_the_zone_decides_which_hours_make_a_day(client: Client) -> None:
    dimensions = {"dimension_option": "Offer,AdType,Location", "time_granularity": "hourly"}
    there = client.read(timezone="+8", **dimensions)
    here = [row for n in (11, 12) for row in client.sandbox.truth(OFFER_HOURLY, f"2026-11-{n}")]
    start = int(datetime(2026, 11, 11, 16, tzinfo=UTC).timestamp())
    within = [row for row in here if start <= int(row["Timestamp"]) < start + 86400]
    assert {row["Date"] for row in there} == {"20261112"}
    assert in_order([{**row, "Date": ""} for row in there]) == in_order([{**row, "Date": ""} for row in within])


@pytest.mark.parametrize(("form", "pattern"), [("digits", "%Y%m%d%H"), ("text", "%Y-%m-%d %H:%M:%S")])
def test_mt6_hours_can_be_written_as_local_times(client: Client, form: str, pattern: str) -> None:
    client.sandbox.settings.change("mintegral", hour_form=form)
    found = client.read(timezone="+8", dimension_option="Offer,AdType,Location", time_granularity="hourly")
    midnight = datetime(2026, 11, 12)  # noqa: DTZ001
    expected = {f"{midnight + timedelta(hours=n):{pattern}}" for n in range(24)}
    assert {row["Timestamp"] for row in found} == expected


def test_mt8_rates_are_derived_from_sums(sandbox: Sandbox) -> None:
    def ratio(above: float, below: float) -> str:
        return repr(round(above / below, 2) if below else 0.0)

    for row in sandbox.truth(OFFER, DAY):
        impressions, clicks, conversions, spend = (float(row[name]) for name in COUNTS)
        assert row["Ctr"] == ratio(100 * clicks, impressions)
        assert row["Cvr"] == ratio(100 * conversions, clicks)
        assert row["Ivr"] == ratio(100 * conversions, impressions)
        assert float(row["Ecpm"]) == pytest.approx(float(ratio(1000 * spend, impressions)), abs=0.011)
        assert float(row["Cpc"]) == pytest.approx(float(ratio(spend, clicks)), abs=0.011)


def test_a_complete_day_does_not_restate_unless_it_is_told_to(sandbox: Sandbox) -> None:
    def at_age(days: int) -> list[dict[str, str]]:
        return sandbox.truth(OFFER, DAY, datetime(2026, 11, 12, 13, tzinfo=UTC) + timedelta(days=days))

    assert at_age(1) == at_age(40)
    sandbox.settings.change("mintegral", restate_days=5)
    found = [at_age(age) for age in range(1, 6)]
    spends = [sum(float(row["Spend"]) for row in each if row["Currency"] == "USD") for each in found]
    assert spends == sorted(set(spends))
    assert len(found[0]) <= len(found[-1])
    assert found[-1] == at_age(6)


def test_truth_at_noon_has_the_hours_that_are_in(sandbox: Sandbox) -> None:
    noon = sandbox.truth(OFFER_HOURLY, DAY, datetime(2026, 11, 12, 12, tzinfo=UTC))
    assert len({row["Timestamp"] for row in noon}) == 12
    whole = sandbox.truth(OFFER_HOURLY, DAY)
    assert [row for row in whole if row["Timestamp"] in {each["Timestamp"] for each in noon}] == noon


def test_a_file_stays_as_it_was_generated(client: Client) -> None:
    found = client.read()
    client.sandbox.settings.change("mintegral", empty_days=(DAY,))
    assert rows(client.call("2")) == found


def test_damage_strikes_each_download(client: Client) -> None:
    found = client.read()
    client.sandbox.faults.add("mintegral.data", do="short_row", times=1, day=DAY)
    harmed = client.call("2").content.split(b"\n")
    assert len({line.count(b"\t") for line in harmed[:-1]}) == 2
    assert rows(client.call("2")) == found
    client.sandbox.faults.add("mintegral.data", do="wrong_day", source="offer_performance")
    assert {row["Date"] for row in rows(client.call("2"))} == {"20261112", "20261113"}
    assert {row["Date"] for row in client.read(dimension_option="Offer")} == {"20261112"}
    client.sandbox.faults.add("mintegral.data", do="lose_app", app="73332", source="offer_performance")
    assert "73332" not in {row["Offer Id"] for row in rows(client.call("2"))}


def test_a_fault_can_be_aimed_at_a_type_a_report_and_a_day(client: Client) -> None:
    client.sandbox.faults.add(
        "mintegral.download", do="status", status=503, day="2026-11-11", source="creative_performance"
    )
    creative: dict[str, Any] = SHIPPED[CREATIVE]
    window: dict[str, Any] = {**creative, "start_time": "2026-11-10"}
    assert client.read()
    assert client.read(**creative)
    client.ready(**window)
    with pytest.raises(AssertionError):
        client.call("2", **window)
    assert rows(client.call("2", **window))


def test_a_job_can_be_stuck_until_the_fault_is_removed(client: Client) -> None:
    number = client.sandbox.faults.add("mintegral.generate", do="never")
    assert client.codes(5) == [201, 202, 202, 202, 202]
    assert client.code("2") == 204
    client.sandbox.faults.remove(number)
    assert client.code() == 200
    client.sandbox.faults.add("mintegral.generate", do="never")
    assert client.codes(4) == [202] * 4


def test_any_code_can_be_said_in_place_of_an_answer(client: Client) -> None:
    client.sandbox.faults.add("mintegral.generate", do="code", code=999, msg="odd")
    assert client.call().json() == {"code": 999, "msg": "odd"}
    assert client.code("2") == 203
    client.ready()
    client.sandbox.faults.add("mintegral.download", do="json_error", code=10000)
    answer = client.call("2")
    assert answer.json() == {"code": 10000, "msg": ""}
    assert answer.headers["Content-Type"] == "application/json"
    assert rows(client.call("2"))


def test_data_can_be_incomplete_although_its_day_is_over(client: Client) -> None:
    client.sandbox.faults.add("mintegral.generate", do="incomplete")
    assert client.call().json()["data"] == {"hours": 23, "is_complete": False}
    assert len(rows(client.call("2"))) > 0
    assert client.code() == 202
    assert client.ready() == {"hours": 24, "is_complete": True}


def test_data_can_be_expired_at_once(client: Client) -> None:
    client.ready()
    client.sandbox.faults.add("mintegral.download", do="expired")
    assert client.codes(1) == [200]
    assert client.code("2") == 205
    assert client.codes(2) == [202, 200]
    assert rows(client.call("2"))


def test_every_setting_says_which_rule_it_serves_or_that_it_is_assumed() -> None:
    for one in fields(MintegralSettings):
        assert re.match(r"(MT\d+( [AF])?|A): \S", one.metadata["description"]), one.name
