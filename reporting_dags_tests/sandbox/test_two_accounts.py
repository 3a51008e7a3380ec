"""Accounts of one provider have data, quotas and jobs of their own."""

import hashlib
import json
from datetime import timedelta

import pytest
import requests

from reporting_dags.local import sandbox_accounts
from reporting_dags.model.report import Report
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.digital_turbine.user_level import apps_of
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.pulling import BenchOf, check_truth, landed
from reporting_dags_tests.sandbox import client as dt
from reporting_dags_tests.sandbox import mintegral_client as mintegral
from reporting_dags_tests.sandbox.client import NOW
from reporting_dags_tests.sandbox.orangeclick_client import OrangeClient
from reporting_dags_tests.sandbox.orangeclick_client import in_order as orange_in_order
from reporting_dags_tests.sandbox.test_integr8 import Api, as_printed, every_page, message
from reporting_dags_tests.sandbox.test_integr8 import in_order as integr8_in_order
from reporting_dags_tests.sandbox.test_user_level import PATH as USER_LEVEL
from reporting_dags_tests.sandbox.test_user_level import asked

DAY = "2026-11-12"
RECENT = "2026-11-20"
"""User Level reaches ten days back."""
POSTBACKS = "integr8/postbacks"
"""It has no money, and no column that says whose it is."""
LISTS = ("integr8/advertisers", "integr8/offers", "integr8/publishers")
ENTITY_AND_MONEY = {
    "dt_offer_wall/event": ("DT Publisher App ID", "Publisher Revenue"),
    "dt_offer_wall/performance": ("DT Publisher App ID", "Publisher Revenue"),
    "dt_user_level/revenue": ("App ID", "Revenue"),
    "mintegral/creative_performance": ("Creative Id", "Spend"),
    "mintegral/offer_performance": ("Offer Id", "Spend"),
    "mintegral/offer_performance_hourly": ("Offer Id", "Spend"),
    "orangeclick/earnings": ("domain", "earnings"),
    "integr8/clicks": ("organization_id", "payout"),
    "integr8/conversions": ("integration_id", "revenue"),
    "integr8/impressions": ("integration_id", "payout"),
}
# Digests of the data that tests and benchmarks were written for.
ORDINARY = {
    7: "468c3997319de8411f8608aa9863effb21bed349f7979c54043561eee82d380d",
    8: "9f73424822b65cceae5cd1783182cdd0288731872a6c7f5b2ce55eb6859b009f",
}


@pytest.mark.parametrize(("report", "columns"), ENTITY_AND_MONEY.items())
def test_accounts_have_entities_and_amounts_of_their_own(
    sandbox: Sandbox, report: str, columns: tuple[str, str]
) -> None:
    entity, money = columns
    ordinary, other = (sandbox.truth(report, RECENT, account=account) for account in ("ordinary", "other"))
    assert other
    assert not {row[entity] for row in ordinary} & {row[entity] for row in other}
    assert sum(float(row[money] or 0) for row in ordinary) != sum(float(row[money] or 0) for row in other)


@pytest.mark.parametrize("report", LISTS)
def test_the_entity_lists_of_two_organizations_differ(sandbox: Sandbox, report: str) -> None:
    ordinary, other = (sandbox.truth(report, DAY, account=account) for account in ("ordinary", "other"))
    # Three ids of every list are the same by design: they are no hexadecimal digits but numbers that mislead.
    assert len({row["id"] for row in ordinary} & {row["id"] for row in other}) == 3
    assert not [row for row in other if row in ordinary]


def test_the_postbacks_of_two_organizations_differ(sandbox: Sandbox) -> None:
    ordinary, other = (sandbox.truth(POSTBACKS, DAY, account=account) for account in ("ordinary", "other"))
    assert other
    assert not [row for row in other if row in ordinary]


def test_every_report_is_compared(sandbox: Sandbox) -> None:
    known = {report for provider in sandbox.providers.values() for report in provider.reports}
    assert known == {*ENTITY_AND_MONEY, *LISTS, POSTBACKS}


@pytest.mark.parametrize("seed", ORDINARY)
def test_the_data_of_the_ordinary_account_is_as_it_has_always_been(seed: int) -> None:
    sandbox = Sandbox(seed=seed, at=NOW, frozen=True)
    digest = hashlib.sha256()
    for provider in sandbox.providers.values():
        for report in provider.reports:
            for day in (DAY, "2026-11-20", "2026-11-21"):
                digest.update(json.dumps(sandbox.truth(report, day)).encode())
    assert digest.hexdigest() == ORDINARY[seed]


def test_an_account_s_data_depends_on_the_seed_alone(sandbox: Sandbox) -> None:
    with running_sandbox(seed=7, at=NOW, frozen=True) as again, running_sandbox(seed=8, at=NOW, frozen=True) as another:
        for report, day in (("dt_offer_wall/event", DAY), ("integr8/clicks", DAY)):
            mine = sandbox.truth(report, day, account="other")
            assert again.truth(report, day, account="other") == mine
            assert another.truth(report, day, account="other") != mine


def test_the_truth_of_an_account_is_told_over_http(sandbox: Sandbox) -> None:
    def truth(account: str) -> requests.Response:
        query = f"report=dt_offer_wall/event&day={DAY}&account={account}"
        return requests.get(f"{sandbox.url}/_sandbox/truth?{query}", timeout=10)

    assert truth("other").json()["rows"] == sandbox.truth("dt_offer_wall/event", DAY, account="other")
    assert truth("ordinary").json()["rows"] == sandbox.truth("dt_offer_wall/event", DAY)
    assert truth("nobody").status_code == 400


def test_each_account_is_served_its_own_data_beside_the_other(sandbox: Sandbox) -> None:
    for account in ("ordinary", "other", "ordinary"):
        client = dt.Client(sandbox).log_in(account)
        found = client.read(start=DAY, end=DAY)
        assert dt.in_order(found) == sandbox.truth("dt_offer_wall/event", DAY, account=account)
        users = [
            row
            for app in apps_of(account)
            for row in dt.rows(dt.get(client.ask(asked(RECENT, app), path=USER_LEVEL).json()["url"]))
        ]
        assert dt.in_order(users) == sandbox.truth("dt_user_level/revenue", RECENT, account=account)
        offers = mintegral.Client(sandbox, account).read()
        assert mintegral.in_order(offers) == sandbox.truth("mintegral/offer_performance", DAY, account=account)
        domains = OrangeClient(sandbox, account).read(start=DAY, end=DAY)
        assert orange_in_order(domains) == sandbox.truth("orangeclick/earnings", DAY, account=account)


def test_each_organization_of_integr8_is_served_its_own_data(sandbox: Sandbox) -> None:
    for account in ("ordinary", "other", "ordinary"):
        api = Api(sandbox, account)
        exported = api.rows(api.completed())
        kept = [{name: value for name, value in row.items() if name != "gclid"} for row in exported]
        assert integr8_in_order(kept) == sandbox.truth("integr8/clicks", DAY, account=account)
        table = api.table().json()["data"]
        assert as_printed(table["data"]) == sandbox.truth("integr8/conversions", DAY, account=account)
        for name, path in (("offers", f"/integrations/{api.integration}/offers"), ("publishers", "/publishers")):
            assert as_printed(every_page(api, path)) == sandbox.truth(f"integr8/{name}", DAY, account=account)


def test_ul3_an_app_of_another_account_is_refused(sandbox: Sandbox) -> None:
    for account, app in (("other", apps_of("ordinary")[0]), ("ordinary", apps_of("other")[0])):
        answer = dt.Client(sandbox).log_in(account).ask(asked(RECENT, app), path=USER_LEVEL)
        assert dt.error(answer) == (400, "invalid_query")


def test_mt3_a_job_of_another_account_is_not_known(sandbox: Sandbox) -> None:
    mintegral.Client(sandbox).ready()
    other = mintegral.Client(sandbox, "other")
    assert other.code("2") == 203
    assert other.code() == 201


def test_in5_an_export_of_another_organization_does_not_exist(sandbox: Sandbox) -> None:
    mine, other = Api(sandbox), Api(sandbox, "other")
    export = mine.completed()
    theirs = other.completed()
    missing = (404, "The requested export doesn't exist.")
    assert message(other.get(f"/download-center/exports/{export['id']}")) == missing
    no_file = (404, "The requested file doesn't exist.")
    assert message(other.get("/download-center/signed-url", artifact_name=export["artifact"]["name"])) == no_file
    assert [one["id"] for one in other.get("/download-center/exports").json()["data"]] == [theirs["id"]]
    assert [one["id"] for one in mine.get("/download-center/exports").json()["data"]] == [export["id"]]


def test_in1_the_integration_of_another_organization_is_a_404(sandbox: Sandbox) -> None:
    mine, other = Api(sandbox), Api(sandbox, "other")
    assert mine.integration != other.integration
    assert other.order(integration=mine.integration).status_code == 404
    assert other.table(integration_id=mine.integration).status_code == 404
    assert other.get(f"/integrations/{mine.integration}/offers").status_code == 404


@pytest.mark.parametrize("report", all_reports(), ids=lambda report: report.key)
def test_what_lands_with_the_other_account_s_credentials_is_its_data(
    sandbox: Sandbox, clock: SandboxClock, bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    for name, value in sandbox_accounts(sandbox.url, "other").items():
        monkeypatch.setenv(name, value)
    context = bench_of(report.provider)
    day = report.calendar.latest_available(clock.now()) - timedelta(days=1 if report.partitioned else 0)
    landed(context, report, [day])
    check_truth(context, sandbox, report, [day], account="other")
