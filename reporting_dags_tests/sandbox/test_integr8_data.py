import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.sandbox.client import NOW

DAY = "2026-11-12"
LOGS = ("clicks", "conversions", "impressions", "postbacks")
MONTH = [(date(2026, 10, 23) + timedelta(days=n)).isoformat() for n in range(30)]


def test_data_depends_on_the_seed_alone(sandbox: Sandbox) -> None:
    with running_sandbox(seed=7, at=NOW, frozen=True) as again, running_sandbox(seed=8, at=NOW, frozen=True) as other:
        for report in (*LOGS, "offers"):
            assert again.truth(f"integr8/{report}", DAY) == sandbox.truth(f"integr8/{report}", DAY)
            assert other.truth(f"integr8/{report}", DAY) != sandbox.truth(f"integr8/{report}", DAY)


def test_truth_of_an_unknown_report_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="integr8/clicks"):
        sandbox.truth("integr8/other", DAY)


def test_every_day_is_plausible_and_hostile(sandbox: Sandbox) -> None:
    sizes = {"clicks": (70, 125), "conversions": (22, 48), "impressions": (95, 165), "postbacks": (22, 55)}
    empty = 0
    for day in MONTH:
        found = {log: sandbox.truth(f"integr8/{log}", day) for log in LOGS}
        empty += not found["clicks"]
        assert len({bool(rows) for rows in found.values()}) == 1
        for log, rows in found.items():
            if not rows:
                continue
            assert sizes[log][0] <= len(rows) <= sizes[log][1], (log, day, len(rows))
            keys = {row["id"] if log == "postbacks" else row["real_tx_id"] + row.get("event_id", "") for row in rows}
            assert len(keys) == len(rows)
            assert {"000000000001000000000003"} <= {row["offer_db_id"] for row in rows}
            assert str(2**53 + 5) in {row["offer_id"] for row in rows}
            time = "conversion_time" if log == "conversions" else "request_time"
            assert {row[time][:10] for row in rows} == {day}
            assert len({len(row[time]) for row in rows}) > 1
            if log == "postbacks":
                assert any("\n" in row["response_body"] for row in rows)
                continue
            assert {"0.036300000000000006", "1.21e-05", "0", "-1.5", "1234.56789"} <= {row["payout"] for row in rows}
            subs = {row["sub_id"] for row in rows}
            assert {"00042", "NA", "null", "a,b", "two\nlines", 'say "hi"', "18446744073709551616000"} <= subs
            assert str(2**53 + 1) in {row["session_time" if log == "conversions" else "rtt"] for row in rows}
    assert empty <= 3


def test_in10_a_conversion_is_of_a_click_and_its_offer_of_the_list(sandbox: Sandbox) -> None:
    days = [date.fromisoformat(DAY) - timedelta(days=n) for n in range(3)]
    clicks = {row["real_tx_id"]: row for day in days for row in sandbox.truth("integr8/clicks", day)}
    offers = {row["id"]: row for row in sandbox.truth("integr8/offers", DAY)}
    publishers = {row["id"]: row for row in sandbox.truth("integr8/publishers", DAY)}
    conversions = sandbox.truth("integr8/conversions", DAY)
    assert {clicks[row["click_tx_id"]]["request_date"] for row in conversions} == {day.isoformat() for day in days}
    for row in conversions:
        click, offer = clicks[row["click_tx_id"]], offers[row["offer_db_id"]]
        assert row["offer_id"] == click["offer_id"] == offer["incremental_id"]
        assert row["advertiser"] == offer["advertiser_id"]
        assert row["offer"] == offer["name"]
        assert row["publisher"] == publishers[row["publisher_db_id"]]["incremental_id"]
        assert row["click_time"] == click["request_time"]
        assert _moment(row["conversion_time"]) >= _moment(row["click_time"])
    keys = {row["real_tx_id"] for row in conversions}
    assert {row["real_tx_id"] for row in sandbox.truth("integr8/postbacks", DAY)} == keys


def test_in9_conversions_turn_to_rejected_for_30_days(sandbox: Sandbox) -> None:
    def at_age(days: int) -> list[dict[str, str]]:
        return sandbox.truth("integr8/conversions", DAY, datetime(2026, 11, 13, tzinfo=UTC) + timedelta(days=days))

    fresh, final = at_age(0), at_age(30)
    assert final == at_age(400)
    rejected = [sum(row["status"] == "Rejected" for row in at_age(age)) for age in (0, 10, 20, 30)]
    assert rejected == sorted(rejected)
    assert rejected[0] < rejected[-1]
    money = [sorted((row["payout"], row["revenue"]) for row in rows) for rows in (fresh, final)]
    assert money[0] == money[1]
    turned = [row for row in final if row["status"] == "Rejected"]
    assert all(row["rejected"] == "1" and row["rejection_type"] for row in turned)
    for log in ("clicks", "impressions", "postbacks"):
        fresh = sandbox.truth(f"integr8/{log}", DAY, datetime(2026, 11, 13, tzinfo=UTC))
        assert fresh == sandbox.truth(f"integr8/{log}", DAY, datetime(2027, 11, 13, tzinfo=UTC))


def test_in9_with_no_days_of_restating_a_conversion_is_final_at_once(sandbox: Sandbox) -> None:
    sandbox.settings.change("integr8", restate_days=0)
    at = datetime(2026, 11, 13, tzinfo=UTC)
    later = sandbox.truth("integr8/conversions", DAY, at + timedelta(days=99))
    assert sandbox.truth("integr8/conversions", DAY, at) == later


def test_in9_addresses_can_be_masked_and_mails_hashed(sandbox: Sandbox) -> None:
    plain = sandbox.truth("integr8/conversions", DAY)
    sandbox.settings.change("integr8", mask_personal=True)
    masked = sandbox.truth("integr8/conversions", DAY)
    assert any("@" in row["user_email"] for row in plain)
    assert not any("@" in row["user_email"] for row in masked)
    assert all(row["click_ip"].endswith((".0", "::")) for row in masked)
    assert {row["payout"] for row in masked} == {row["payout"] for row in plain}


def test_arrays_are_compact_json(sandbox: Sandbox) -> None:
    rows = sandbox.truth("integr8/clicks", DAY)
    assert '["vip","a,b"]' in {row["tags"] for row in rows}
    assert '["say \\"hi\\"","été"]' in {row["tags"] for row in rows}
    for row in rows:
        assert len(json.loads(row["extra_params.keys"])) == len(json.loads(row["extra_params.values"]))


def test_a_world_can_be_larger(sandbox: Sandbox) -> None:
    usual = len(sandbox.truth("integr8/impressions", DAY))
    sandbox.settings.change("integr8", rows_factor=10.0)
    assert 9 * usual <= len(sandbox.truth("integr8/impressions", DAY)) <= 11 * usual


def test_switches_are_checked() -> None:
    for name, value in (("quota_status", 200), ("list_page_size", 101), ("error_shape", "xml")):
        wrong: dict[str, Any] = {name: value}
        with pytest.raises(ValueError, match=name):
            Integr8Settings(**wrong)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
