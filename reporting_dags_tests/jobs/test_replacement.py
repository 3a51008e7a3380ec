"""A stored partition is replaced by a response of the same account that covers all of it, and by nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning.due import due_partitions
from reporting_dags.jobs.planning.report_health import report_health
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.replay import replay
from reporting_dags.local import sandbox_accounts
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.errors import ReplacementRefused, SettingError
from reporting_dags.model.report import Report
from reporting_dags.providers.digital_turbine.offer_wall_report import Filter, offer_wall_report
from reporting_dags.providers.integr8.report import integr8_log
from reporting_dags.providers.mintegral.report import advanced_performance_report
from reporting_dags.providers.orangeclick.report import DimensionFilter, orangeclick_report
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import OFFERS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.pulling import BenchOf, brought, landed


@pytest.fixture
def other_account(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Sets the credentials of the sandbox's second account of every provider."""

    def switch() -> None:
        for name, value in sandbox_accounts(sandbox.url, "other").items():
            monkeypatch.setenv(name, value)

    return switch


SUMMED = ("Publisher Revenue", "Offer Clicks")


def wall(
    *,
    source: str = "event",
    splits: tuple[str, ...] = ("Date", "DT Publisher App ID", "Country"),
    metrics: tuple[str, ...] = SUMMED,
    filters: tuple[Filter, ...] = (),
) -> Report:
    return offer_wall_report(name="event", source=source, splits=splits, metrics=metrics, filters=filters)


def names(apps: list[str]) -> Report:
    """User Level as the environment with these apps declares it."""
    return replace(REVENUE, variable_value=",".join(sorted(apps)))


def due_of(context: PullContext, report: Report, day: date) -> list[str]:
    now = context.clock.now()
    found = due_partitions(
        report, load_report_state(report, context.ledger, now), since=day, sizes=context.data.sizes(report.key), now=now
    )
    return [one.message for one in found if one.day == day]


def bytes_of(context: PullContext, report: Report, day: date) -> bytes:
    return context.data.open(report.file(day)).read()


CASES: dict[str, tuple[Report, Report, str]] = {
    "a metric less": (wall(), wall(metrics=SUMMED[:1]), "column offer_clicks"),
    "a dimension less": (wall(), wall(splits=("Date", "Country")), "column dt_publisher_app_id"),
    "a filter": (wall(), wall(filters=(Filter("Country", ("GERMANY",)),)), "not only those filtered by Country"),
    "a narrower filter": (
        wall(filters=(Filter("Country", ("GERMANY", "FRANCE")),)),
        wall(filters=(Filter("Country", ("GERMANY",)),)),
        "rows of Country FRANCE",
    ),
    "another filter": (
        wall(filters=(Filter("Country", ("FRANCE",)),)),
        wall(filters=(Filter("Country", ("GERMANY",)),)),
        "rows of Country FRANCE",
    ),
    "another source": (wall(), wall(source="performance"), "source event is performance now"),
    "another currency": (
        orangeclick_report(name="earnings", dimensions=("day", "domain"), currency="EUR"),
        orangeclick_report(name="earnings", dimensions=("day", "domain"), currency="USD"),
        "currency EUR is USD now",
    ),
    "another time zone": (
        advanced_performance_report(name="offer_performance", dimensions=("Offer",)),
        advanced_performance_report(name="offer_performance", dimensions=("Offer",), timezone="+8"),
        "time zone UTC is Etc/GMT-8 now",
    ),
    "no hours": (
        advanced_performance_report(name="offer_performance", dimensions=("Offer",), granularity="hourly"),
        advanced_performance_report(name="offer_performance", dimensions=("Offer",)),
        "column timestamp",
    ),
    "a group of filters": (
        orangeclick_report(name="earnings", dimensions=("day", "domain")),
        orangeclick_report(
            name="earnings", dimensions=("day", "domain"), filter_groups=[[DimensionFilter("device", ("mobile",))]]
        ),
        "not only those filtered by filter_groups",
    ),
    "a filter of a table": (
        integr8_log(name="clicks", log="clicks", fields=("real_tx_id", "request_time"), method="table"),
        integr8_log(
            name="clicks",
            log="clicks",
            fields=("real_tx_id", "request_time"),
            method="table",
            filters={"status": "Approved"},
        ),
        "not only those filtered by status",
    ),
    "a field less": (
        integr8_log(name="clicks", log="clicks", fields=("real_tx_id", "request_time", "status")),
        integr8_log(name="clicks", log="clicks", fields=("real_tx_id", "request_time")),
        "column status",
    ),
    "another log": (
        integr8_log(name="logs", log="clicks", fields=("real_tx_id", "request_time")),
        integr8_log(name="logs", log="impressions", fields=("real_tx_id", "request_time")),
        "log clicks is impressions now",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_declaration_that_requests_less_does_not_cover_what_has_landed(case: str) -> None:
    stored, now, lost = CASES[case]
    assert lost in stored.scope(()).lost_in(now.scope(()))
    assert not now.scope(()).covers(stored.scope(()))
    assert stored.scope(()).covers(stored.scope(()))


WIDER: dict[str, tuple[Report, Report]] = {
    "a metric more": (wall(), wall(metrics=(*SUMMED, "Offer Impressions"))),
    "a dimension more": (wall(splits=("Date", "Country")), wall()),
    "no filter": (wall(filters=(Filter("Country", ("GERMANY",)),)), wall()),
    "a wider filter": (
        wall(filters=(Filter("Country", ("GERMANY",)),)),
        wall(filters=(Filter("Country", ("GERMANY", "FRANCE")),)),
    ),
    "hours": (
        advanced_performance_report(name="offer_performance", dimensions=("Offer",)),
        advanced_performance_report(name="offer_performance", dimensions=("Offer",), granularity="hourly"),
    ),
    "a table in place of an export": (
        integr8_log(name="clicks", log="clicks", fields=("real_tx_id", "request_time")),
        integr8_log(name="clicks", log="clicks", fields=("real_tx_id", "request_time"), method="table"),
    ),
}


@pytest.mark.parametrize("case", WIDER)
def test_a_declaration_that_requests_as_much_or_more_covers_what_has_landed(case: str) -> None:
    stored, now = WIDER[case]
    assert now.scope(()).covers(stored.scope(()))


@pytest.mark.rule("UL1", "UL3")
def test_an_app_that_is_taken_out_of_the_setting_erases_nothing_and_makes_no_landed_day_due(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    first, second = USER_LEVEL_APPS[:2]
    day = REVENUE.calendar.latest_available(clock.now())
    both, one = names([first, second]), names([first])
    landed(bench_of("dt_user_level", app_ids=f"{first},{second}"), both, [day])
    context = bench_of("dt_user_level", app_ids=first)
    stored, made = bytes_of(context, REVENUE, day), len(sandbox.log.entries())
    for hours in (1, 25, 4 * 24):
        clock.sleep(hours * 3600)
        assert due_of(context, one, day) == [], "not even at an age at which it restates"
    checks = {
        check.name: check
        for check in report_health(one, load_report_state(one, context.ledger, clock.now()), since=day, now=clock.now())
    }
    assert (
        f"{day} covers more than is requested now and stays as it is (app or part {second})"
        in checks["no_day_missing"].detail
    )
    result = brought(context, one, [day])[day]
    assert isinstance(result.error, ReplacementRefused)
    assert f"covers more than is requested now (app or part {second}); it stays" in result.error.line
    assert len(sandbox.log.entries()) == made, "nothing is requested that may not land"
    assert bytes_of(context, REVENUE, day) == stored
    replayed = next(iter(replay(context, one, [day])))
    assert replayed.error is None
    assert context.ledger.materializations.days(REVENUE.key)[day].scope == both.scope([first, second])
    assert replayed.landed is not None
    assert replayed.landed.rows == context.ledger.materializations.days(REVENUE.key)[day].rows


def test_an_app_that_is_added_makes_the_landed_days_due_and_its_answer_replaces_them(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    first, second = USER_LEVEL_APPS[:2]
    day = REVENUE.calendar.latest_available(clock.now())
    landed(bench_of("dt_user_level", app_ids=first), names([first]), [day])
    context, both = bench_of("dt_user_level", app_ids=f"{first},{second}"), names([first, second])
    assert due_of(context, both, day) == ["landed under another declaration"]
    landed(context, both, [day])
    assert due_of(context, both, day) == []
    assert context.ledger.materializations.days(REVENUE.key)[day].scope == both.scope([first, second])


def test_a_narrower_answer_replaces_a_partition_only_where_the_run_says_so(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    landed(context, EVENT, [day])
    narrow = wall(metrics=("Publisher Revenue",))
    assert due_of(context, narrow, day) == []
    made = sandbox.log.count("dt.report")
    assert isinstance(brought(context, narrow, [day])[day].error, ReplacementRefused)
    assert isinstance(next(iter(replay(context, narrow, [day]))).error, Exception)
    assert sandbox.log.count("dt.report") == made
    assert landed(replace(context, allow_data_loss=True), narrow, [day])[day].error is None
    assert context.ledger.materializations.days(EVENT.key)[day].scope == narrow.scope(())


def test_a_refused_day_leaves_the_other_days_of_the_range_to_land(
    sandbox: Sandbox, bench_of: BenchOf, clock: SandboxClock
) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    landed(context, EVENT, [day - ONE_DAY])
    narrow = wall(metrics=("Publisher Revenue",))
    results = brought(context, narrow, [day - 2 * ONE_DAY, day - ONE_DAY, day])
    assert [one for one, result in results.items() if result.error is not None] == [day - ONE_DAY]


@pytest.mark.parametrize("report", [EVENT, REVENUE, OFFER_PERFORMANCE, EARNINGS, OFFERS], ids=lambda report: report.key)
@pytest.mark.parametrize("home", ["the same home", "another home"])
def test_another_accounts_answer_does_not_replace_a_partition(
    sandbox: Sandbox,
    bench_of: BenchOf,
    other_account: Callable[[], None],
    clock: SandboxClock,
    tmp_path: Path,
    report: Report,
    home: str,
) -> None:
    context = bench_of(report.provider)
    day = report.calendar.latest_available(clock.now())
    landed(context, report, [day])
    stored, made = bytes_of(context, report, day), len(sandbox.log.entries())
    other_account()
    other = bench_of(report.provider)
    assert other.provider.account != context.provider.account
    if home == "another home":
        (tmp_path / "home").mkdir()
        other = replace(other, ledger=Ledger(open_database(None, tmp_path / "home", lock_seconds=2)))
    result = brought(other, report, [day])[day]
    assert isinstance(result.error, ReplacementRefused)
    assert "is of another account" in result.error.line
    assert bytes_of(other, report, day) == stored
    assert len(sandbox.log.entries()) == made
    metadata = pq.read_metadata(context.data.open(report.file(day))).metadata
    assert metadata is not None
    assert metadata[b"reporting_dags.account"].decode() == context.provider.account


def test_new_keys_of_the_same_account_are_one_account_once_a_person_has_said_so(
    sandbox: Sandbox, bench_of: BenchOf, other_account: Callable[[], None], clock: SandboxClock
) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    landed(context, EVENT, [day])
    other_account()
    rotated = bench_of("dt_offer_wall")
    fingerprint = rotated.provider.account
    assert rotated.ledger.accounts.join(EVENT.key, fingerprint, clock.now()) == context.provider.account
    assert rotated.ledger.accounts.join(EVENT.key, fingerprint, clock.now()) == context.provider.account, (
        "twice is once"
    )
    landed(rotated, EVENT, [day])
    assert rotated.account == context.provider.account
    assert rotated.ledger.materializations.days(EVENT.key)[day].account == context.provider.account
    left = context.ledger.quotas.left(context.provider.quotas[0], context.account, clock.now())
    assert left is not None
    assert left[0] == 48, "new keys have no quota of their own"


def test_joining_an_account_is_refused_where_it_is_not_plain_which_one(
    bench_of: BenchOf, clock: SandboxClock, database_of_its_own: Database
) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    landed(context, EVENT, [day - ONE_DAY, day])
    accounts, ledger = context.ledger.accounts, context.ledger
    assert accounts.join(EVENT.key, context.provider.account, clock.now()) == context.provider.account
    facts = replace(ledger.materializations.days(EVENT.key)[day], account="a third one")
    database_of_its_own.write(lambda connection: ledger.materializations.record(connection, EVENT.key, facts), "test")
    with pytest.raises(SettingError, match="days of 2 other accounts have landed"):
        accounts.join(EVENT.key, "new", clock.now())


def test_days_of_an_earlier_release_are_given_the_scope_that_their_declaration_has(
    bench_of: BenchOf, clock: SandboxClock, database_of_its_own: Database
) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    landed(context, EVENT, [day])
    facts = replace(context.ledger.materializations.days(EVENT.key)[day], scope=None, account="")
    database_of_its_own.write(
        lambda connection: context.ledger.materializations.record(connection, EVENT.key, facts), "test"
    )
    assert due_of(context, EVENT, day) == []
    assert context.ledger.materializations.days(EVENT.key)[day].scope == EVENT.scope(())
    assert due_of(context, wall(), day) == []


def test_a_partition_whose_file_is_gone_or_harmed_may_be_replaced(
    bench_of: BenchOf, clock: SandboxClock, tmp_path: Path
) -> None:
    context, day = bench_of("dt_offer_wall"), EVENT.calendar.latest_available(clock.now())
    narrow = wall(metrics=("Publisher Revenue",))

    def garble(path: Path) -> None:
        path.write_bytes(b"harmed")

    for harm in (Path.unlink, garble):
        landed(replace(context, allow_data_loss=True), EVENT, [day])
        harm(tmp_path / "data" / EVENT.file(day))
        assert due_of(context, narrow, day) != []
        assert brought(context, narrow, [day])[day].error is None
