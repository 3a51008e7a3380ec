"""Digital Turbine's User Level: an app and a day a call, one partition for all apps, personal ids, failures."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from reporting_dags.model.errors import SettingError
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.digital_turbine.user_level import UserLevel
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS as APPS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.pulling import BenchOf, brought, check_truth, landed, line_of, refused_after_landing
from reporting_dags_tests.truth import landed_rows

DAY = date(2026, 11, 18)
DAYS = [date(2026, 11, 17), DAY, date(2026, 11, 19)]
ASK = "dt.user_level"


def asked(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Day and app of every query that the provider took, in order."""
    return [(entry.body["date"], entry.body["appId"]) for entry in sandbox.log.entries(ASK, status=200)]


def of_every_app(*days: date) -> list[tuple[str, str]]:
    return [(day.isoformat(), app) for day in days for app in sorted(APPS)]


def secrets_of(sandbox: Sandbox) -> tuple[str, str]:
    account = sandbox.credentials["ordinary"]
    return account.client_id, account.client_secret


@pytest.mark.rule("UL1")
def test_every_app_is_asked_for_once_a_day_and_lands_in_one_partition(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("dt_user_level")
    results = landed(context, REVENUE, DAYS)
    assert sorted(asked(sandbox)) == of_every_app(*DAYS)
    for entry in sandbox.log.entries(ASK):
        assert set(entry.body) == {"date", "appId"}
        assert entry.headers["content-type"] == "application/json"
        assert entry.headers["authorization"].startswith("Bearer ")
    assert sandbox.log.count("dt.token") == 1
    assert {result.provenance.calls_spent for result in results.values()} == {len(APPS)}
    assert all(len(result.provenance.request_ids) == len(APPS) for result in results.values())
    check_truth(context, sandbox, REVENUE, DAYS)
    assert {row[0] for row in landed_rows(context.data, REVENUE, DAY)} == set(APPS)


@pytest.mark.rule("UL1")
def test_apps_come_from_one_setting_and_each_counts_once(sandbox: Sandbox, bench_of: BenchOf) -> None:
    context = bench_of("dt_user_level", app_ids=" 171893 ,00171893,,171893")
    landed(context, REVENUE, [DAY])
    assert sorted(asked(sandbox)) == [("2026-11-18", "00171893"), ("2026-11-18", "171893")]
    with pytest.raises(SettingError, match="DT_USER_LEVEL_APP_IDS contains no app id"):
        bench_of("dt_user_level", app_ids=" , ")


@pytest.mark.rule("UL1")
def test_several_queries_are_open_at_once_but_never_more_than_eight(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.settings.change("dt", fill_polls=2)
    landed(bench_of("dt_user_level"), REVENUE, [NOON.date() - timedelta(days=age) for age in range(1, 6)])
    most = 0
    waiting: set[str] = set()
    for entry in sandbox.log.entries():
        if entry.point == ASK:
            waiting.add(entry.facts["id"])
        elif entry.facts.get("state") == "filled":
            waiting.discard(entry.facts["id"])
        most = max(most, len(waiting))
    assert most == 8


@pytest.mark.rule("UL2")
def test_ten_days_are_served_and_the_oldest_is_asked_for_first(sandbox: Sandbox, bench_of: BenchOf) -> None:
    days = [NOON.date() - timedelta(days=age) for age in range(12)]
    context = bench_of("dt_user_level")
    results = brought(context, REVENUE, days)
    today, *served, too_old = days
    line_of(results[today], Outcome.NOT_READY)
    assert "retention (earliest available: 2026-11-10)" in line_of(results[too_old], Outcome.EXPIRED)
    assert sandbox.log.count(ASK) == len(asked(sandbox)) == 10 * len(APPS), (
        "what is older than retention is not requested"
    )
    assert [day for day, _ in asked(sandbox)] == sorted(day for day, _ in asked(sandbox))
    check_truth(context, sandbox, REVENUE, served)


@pytest.mark.rule("UL2")
def test_a_day_is_out_at_noon_of_the_next_and_not_asked_for_before(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.clock.set(datetime(2026, 11, 20, 11, 59, 59, tzinfo=UTC))
    context = bench_of("dt_user_level")
    line = line_of(brought(context, REVENUE, [DAYS[-1]])[DAYS[-1]], Outcome.NOT_READY)
    assert "publishes it on 2026-11-20 at 12:00 UTC" in line
    assert not sandbox.log.entries()
    sandbox.clock.advance(1)
    landed(context, REVENUE, [DAYS[-1]])
    check_truth(context, sandbox, REVENUE, [DAYS[-1]])


@pytest.mark.rule("UL2")
def test_nothing_before_the_first_day_is_asked_for(sandbox: Sandbox, bench_of: BenchOf) -> None:
    sandbox.clock.set(datetime(2020, 2, 20, 13, tzinfo=UTC))
    days = [date(2020, 2, 15), date(2020, 2, 16)]
    results = brought(bench_of("dt_user_level"), REVENUE, days)
    assert "before the provider's first day, 2020-02-16" in line_of(results[days[0]], Outcome.EXPIRED)
    assert results[days[1]].outcome.publishes
    assert sorted(asked(sandbox)) == of_every_app(days[1])


@pytest.mark.rule("UL2")
def test_a_file_that_never_fills_is_not_asked_for_again_once_its_day_is_out_of_reach(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    sandbox.clock.set(datetime(2026, 11, 20, 23, 30, tzinfo=UTC))
    sandbox.faults.add(ASK, do="never", times=None)
    oldest = date(2026, 11, 10)
    line = line_of(brought(bench_of("dt_user_level"), REVENUE, [oldest])[oldest], Outcome.EXPIRED)
    assert "older than the provider's retention" in line
    assert sandbox.log.count(ASK) == len(APPS)


@pytest.mark.rule("UL3")
@pytest.mark.parametrize(
    ("form", "outcome", "says"),
    [
        ("refused", Outcome.FAILED, "app 205511: DT User Level refused (400): invalid_query"),
        ("forbidden", Outcome.DENIED, "app 205511: DT User Level refused (403): forbidden"),
    ],
)
def test_an_app_that_is_not_enabled_fails_its_days_by_name_and_what_was_bought_is_kept(
    sandbox: Sandbox, bench_of: BenchOf, form: str, outcome: Outcome, says: str
) -> None:
    context = bench_of("dt_user_level")
    sandbox.settings.change("dt", user_level_disabled_apps=("205511",), user_level_disabled=form)
    for day, result in brought(context, REVENUE, DAYS).items():
        line = line_of(result, outcome, secrets_of(sandbox))
        assert says in line
        assert "ask the Account Manager to enable it, or remove the app from" in line
        assert not context.data.exists(REVENUE.file(day))
    bought = asked(sandbox)
    assert sorted(bought) == [one for one in of_every_app(*DAYS) if one[1] != "205511"]
    sandbox.settings.change("dt", user_level_disabled_apps=())
    landed(context, REVENUE, DAYS)
    assert sorted(asked(sandbox)) == of_every_app(*DAYS), "only the app that was missing is requested"
    check_truth(context, sandbox, REVENUE, DAYS)


@pytest.mark.rule("UL3")
def test_one_apps_bad_day_leaves_the_other_days_whole_and_costs_its_own_queries_alone(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    sandbox.faults.add(ASK, do="status", status=400, body='{"error": "invalid_query"}', after=5)
    context = bench_of("dt_user_level")
    results = brought(context, REVENUE, DAYS)
    bad = [day for day, result in results.items() if not result.outcome.publishes]
    assert len(bad) == 1
    assert f"app {sorted(APPS)[1]}: " in line_of(results[bad[0]], Outcome.FAILED)
    good = [day for day in DAYS if day not in bad]
    check_truth(context, sandbox, REVENUE, good)
    landed(context, REVENUE, bad)
    assert sorted(asked(sandbox)) == of_every_app(*DAYS)
    check_truth(context, sandbox, REVENUE, DAYS)


@pytest.mark.rule("UL3")
def test_an_app_taken_out_of_the_setting_is_waited_for_no_longer(sandbox: Sandbox, bench_of: BenchOf) -> None:
    line = line_of(brought(bench_of("dt_user_level", app_ids="171893,314"), REVENUE, [DAY])[DAY], Outcome.FAILED)
    assert "app 314: " in line
    context = bench_of("dt_user_level", app_ids="171893")
    landed(context, REVENUE, [DAY])
    assert asked(sandbox) == [("2026-11-18", "171893")], "what was bought for the other app is used"


@pytest.mark.rule("UL3", "DT3")
@pytest.mark.parametrize(
    ("fault", "outcome", "says"),
    [
        ({"status": 401, "body": '{"error": "invalid_token"}'}, Outcome.DENIED, "invalid_token. A new token is"),
        (
            {"status": 400, "body": '{"error": "invalid_query"}'},
            Outcome.FAILED,
            "invalid_query. Digital Turbine must enable the API for each app",
        ),
        ({"status": 500, "body": '{"error": "internal_server_error"}'}, Outcome.FAILED, "with 500"),
        ({"status": 429}, Outcome.DENIED, "with 429"),
        ({"status": 200, "body": '{"id": "1"}'}, Outcome.FAILED, "without a url"),
        ({"status": 200, "body": "<html>"}, Outcome.FAILED, "without a url"),
    ],
)
def test_every_refusal_fails_the_day_in_one_line_that_names_an_app(
    sandbox: Sandbox, bench_of: BenchOf, fault: dict[str, Any], outcome: Outcome, says: str
) -> None:
    struck = {"point": ASK, "do": "status", "times": None, **fault}
    result = refused_after_landing(sandbox, bench_of("dt_user_level"), REVENUE, DAY, struck)
    line = line_of(result, outcome, secrets_of(sandbox))
    assert line.startswith(f"app {min(APPS)}: ")
    assert says in line


@pytest.mark.rule("UL5", "DT6")
@pytest.mark.parametrize("pending", ["empty", "404"])
@pytest.mark.parametrize("polls", [0, 3])
def test_a_file_may_be_there_at_once_or_after_polling(
    sandbox: Sandbox, bench_of: BenchOf, polls: int, pending: str
) -> None:
    sandbox.settings.change("dt", fill_polls=polls, pending=pending)
    context = bench_of("dt_user_level")
    landed(context, REVENUE, [DAY])
    assert asked(sandbox) == of_every_app(DAY)
    assert sandbox.log.count("dt.file") == (polls + 2) * len(APPS), "looks until it is there, and one download"
    check_truth(context, sandbox, REVENUE, [DAY])


@pytest.mark.rule("UL5", "DT5")
def test_one_apps_file_that_never_fills_is_asked_for_once_more_and_no_others(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    sandbox.faults.add(ASK, do="never", after=2)
    context = bench_of("dt_user_level")
    landed(context, REVENUE, [DAY])
    assert sorted(asked(sandbox)) == sorted([*of_every_app(DAY), ("2026-11-18", sorted(APPS)[2])])
    check_truth(context, sandbox, REVENUE, [DAY])


@pytest.mark.rule("UL5", "DT5")
@pytest.mark.parametrize(
    ("fault", "outcome", "says", "queries"),
    [
        ({"do": "cut"}, Outcome.PARTIAL, "is incomplete", 0),
        ({"do": "expired"}, Outcome.EXPIRED, "has expired", 1),
        ({"do": "html"}, Outcome.NOT_READY, "the download URL returned a web page instead of the report file", 0),
        ({"do": "status", "status": 410}, Outcome.FAILED, "responded with 410", 0),
    ],
)
def test_a_file_that_cannot_be_had_leaves_what_was_there(
    sandbox: Sandbox, bench_of: BenchOf, fault: dict[str, Any], outcome: Outcome, says: str, queries: int
) -> None:
    context = bench_of("dt_user_level", app_ids=APPS[0], job_timeout_seconds=600)
    result = refused_after_landing(sandbox, context, REVENUE, DAY, {"point": "dt.file", "times": None, **fault})
    assert says in line_of(result, outcome, secrets_of(sandbox))
    assert len(asked(sandbox)) == 2 + queries


def test_both_apis_of_digital_turbine_are_one_account_with_quotas_of_their_own(
    sandbox: Sandbox, bench_of: BenchOf
) -> None:
    user_level, offer_wall = bench_of("dt_user_level").provider, bench_of("dt_offer_wall").provider
    assert user_level.account == offer_wall.account
    assert cast("UserLevel", user_level).quota.per_day is None, "no quota is documented"
