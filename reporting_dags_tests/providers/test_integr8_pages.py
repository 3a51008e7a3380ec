"""Integr8's report tables, page by page behind cursors, and its entity lists on numbered pages (IN1 to IN3, IN9)."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.records import Lease, LeaseRequest
from reporting_dags.model.days import ONE_DAY, SNAPSHOT, Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.privacy import PersonalData, Privacy
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Request
from reporting_dags.providers.integr8.fields import CLICK_FIELDS, CONVERSION_FIELDS, IMPRESSION_FIELDS
from reporting_dags.providers.integr8.report import integr8_log
from reporting_dags.reports.integr8 import ADVERTISERS, OFFERS, PUBLISHERS
from reporting_dags.sandbox.request_log import LogEntry
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON, SandboxClock
from reporting_dags_tests.providers.test_integr8_exports import (
    check_truth,
    ended,
    lies_there,
    orders,
    outcome_of,
    put_there,
    refused,
    sent,
)
from reporting_dags_tests.truth import Row, expected_rows, landed_rows

BenchOf = Callable[..., PullContext]
CLICKS = integr8_log(name="clicks", log="clicks", fields=CLICK_FIELDS, method="table")
IMPRESSIONS = integr8_log(name="impressions", log="impressions", fields=IMPRESSION_FIELDS, method="table")
CONVERSIONS = integr8_log(
    name="conversions",
    log="conversions",
    fields=CONVERSION_FIELDS,
    grain=("real_tx_id", "event_id"),
    method="table",
)
TABLES = {"click-table": CLICKS, "conversion-table": CONVERSIONS, "impression-table": IMPRESSIONS}
LISTS = (OFFERS, PUBLISHERS, ADVERTISERS)
DAY = date(2026, 11, 10)
TODAY = NOON.date()


@pytest.fixture
def context(bench_of: BenchOf) -> PullContext:
    return bench_of("integr8")


def pages(sandbox: Sandbox, point: str = "integr8.click_table", *, status: int | None = 200) -> list[LogEntry]:
    return sandbox.log.entries(point, status=status)


def without_nulls(rows: Counter[Row]) -> Counter[Row]:
    """The rows, empty texts and nulls made alike: keys that a page leaves out are null."""
    found: Counter[Row] = Counter()
    for row, times in rows.items():
        found[tuple(None if value == "" else value for value in row)] += times
    return found


# Report tables.


@pytest.mark.rule("IN1", "IN3", "IN11")
@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_asked_for_as_documented_and_lands_the_truth(
    sandbox: Sandbox, context: PullContext, table: str
) -> None:
    report = TABLES[table]
    sandbox.settings.change("integr8", fill_polls=5)
    days = Window(DAY, DAY + ONE_DAY).days
    results = ended(context, report, days)
    account = sandbox.providers["integr8"].credentials["ordinary"]
    first = sandbox.log.entries()[0]
    assert (first.method, first.path) == ("GET", f"/api/v2/reports/v2/{table}")
    assert first.headers["api-key"] == account.api_key
    assert sent(first) == {
        "integration_id": account.integration_id,
        "start_time": "2026-11-10 00:00:00",
        "end_time": "2026-11-11 00:00:00",
        "timezone": "UTC",
        "page[size]": "100",
    }
    assert all(result.outcome is Outcome.DATA for result in results.values())
    assert not orders(sandbox, status=None), "a table costs no export"
    check_truth(sandbox, context, report, days)


@pytest.mark.rule("IN3")
def test_a_table_goes_on_from_the_cursor_until_there_is_no_next_page(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", rows_factor=3.0)
    rows = sandbox.truth(CLICKS.key, DAY)
    assert outcome_of(context, CLICKS, DAY) is Outcome.DATA
    asked = [sent(entry) for entry in pages(sandbox)]
    assert len(asked) == -(-len(rows) // 100) > 2
    assert "page[after]" not in asked[0]
    newest = sorted(((row["request_time"], row["real_tx_id"]) for row in rows), reverse=True)
    for number, page in enumerate(asked[1:], 1):
        cursor = page.pop("page[after]")
        assert cursor == newest[100 * number - 1][1], "the last row of the page before"
        assert page == asked[0]
    check_truth(sandbox, context, CLICKS, [DAY])


@pytest.mark.rule("IN3")
@pytest.mark.parametrize("count", ["total", "page"])
@pytest.mark.parametrize("omit_empty", [True, False])
def test_a_table_is_read_however_it_counts_and_whatever_it_leaves_out(
    sandbox: Sandbox, context: PullContext, count: str, omit_empty: bool
) -> None:
    sandbox.settings.change("integr8", rows_factor=2.0, count=count, omit_empty=omit_empty)
    assert outcome_of(context, CLICKS, DAY) is Outcome.DATA
    assert without_nulls(landed_rows(context.data, CLICKS, DAY)) == without_nulls(expected_rows(sandbox, CLICKS, DAY))


@pytest.mark.rule("IN3")
@pytest.mark.parametrize(
    "filters",
    [
        {"status": "Approved"},
        {"status": "Rejected"},
        {"publisher": "3", "advertiser": "3"},
        {"offer_id": "3"},
    ],
    ids=str,
)
def test_filters_are_sent_and_their_rows_land_alone(
    sandbox: Sandbox, context: PullContext, filters: dict[str, str]
) -> None:
    report = integr8_log(name="clicks", log="clicks", fields=CLICK_FIELDS, method="table", filters=filters)
    assert outcome_of(context, report, DAY) is Outcome.DATA
    expected = expected_rows(sandbox, report, DAY)
    for name, value in filters.items():
        assert sent(pages(sandbox)[0])[f"filter[{name}]"] == value
        place = report.schema.names.index(name)
        expected = Counter({row: times for row, times in expected.items() if row[place] == value})
    assert expected
    assert landed_rows(context.data, report, DAY) == expected


def test_a_table_without_rows_is_a_typed_file_of_no_rows(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", empty_days=(DAY.isoformat(),))
    assert outcome_of(context, CLICKS, DAY) is Outcome.EMPTY
    assert len(pages(sandbox)) == 1
    assert not landed_rows(context.data, CLICKS, DAY)


@pytest.mark.rule("IN3", "IN10")
@pytest.mark.parametrize("count", ["total", "page"])
def test_rows_of_a_table_that_share_their_key_land_with_a_warning(
    sandbox: Sandbox, context: PullContext, count: str
) -> None:
    sandbox.settings.change("integr8", shared_keys=5, rows_factor=1.3, count=count)
    result = ended(context, CLICKS, [DAY])[DAY]
    assert result.landed is not None, result.error
    assert len(pages(sandbox)) > 1
    keys = Counter(row["real_tx_id"] for row in sandbox.truth(CLICKS.key, DAY))
    sharing = sum(times for times in keys.values() if times > 1)
    assert f"{sharing} rows share {sum(times > 1 for times in keys.values())} keys" in result.landed.warnings[0]
    check_truth(sandbox, context, CLICKS, [DAY])


def page_of(time: str, *, count: int, more: bool) -> dict[str, Any]:
    rows = [{"real_tx_id": "alike", "request_time": time}]
    return {"data": {"count": count, "data": rows, "pageInfo": {"hasNextPage": more, "endCursor": time}}}


@pytest.mark.rule("IN3", "IN10")
@pytest.mark.parametrize(
    ("second", "count", "outcome"),
    [
        ("2026-11-10T02:00:00Z", 2, Outcome.DATA),
        ("2026-11-10T02:00:00Z", 1, Outcome.DATA),
        ("2026-11-10T01:00:00Z", 2, Outcome.DATA),
        ("2026-11-10T01:00:00Z", 1, Outcome.PARTIAL),
    ],
    ids=["share a key", "share a key, each page counted", "are alike and counted", "may be one row read twice"],
)
def test_rows_of_two_pages_may_be_alike_where_the_provider_counts_them_all(
    sandbox: Sandbox, context: PullContext, second: str, count: int, outcome: Outcome
) -> None:
    for _ in range(3):
        for time, more in (("2026-11-10T01:00:00Z", True), (second, False)):
            body = page_of(time, count=count, more=more)
            sandbox.faults.add("integr8.click_table", do="status", status=200, body=body)
    result = ended(context, CLICKS, [DAY])[DAY]
    assert result.outcome is outcome, result.error
    if result.landed is not None:
        assert result.landed.rows == 2
        assert "2 rows share 1 keys of real_tx_id" in " ".join(result.landed.warnings)


MOVED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"do": "page_again", "after": 1}, "the same row"),
    ({"do": "empty_page"}, ""),
    ({"do": "empty_page", "after": 1}, "is empty"),
    ({"do": "cursor_loop", "after": 1}, ""),
    ({"do": "count", "count": 7}, ""),
    ({"do": "count", "count": 10**9, "after": 1}, ""),
    ({"do": "html", "after": 1}, ""),
    ({"do": "empty", "after": 1}, ""),
    ({"do": "status", "status": 200, "body": {"data": {"count": 1, "data": []}}, "after": 1}, "whether it is the last"),
    ({"do": "status", "status": 200, "body": {"error": "no"}}, ""),
    ({"do": "status", "status": 200, "body": []}, ""),
)


@pytest.mark.rule("IN3")
@pytest.mark.parametrize(("fault", "says"), MOVED)
def test_a_table_that_moves_while_it_is_read_is_never_landed(
    sandbox: Sandbox, context: PullContext, fault: dict[str, Any], says: str
) -> None:
    sandbox.settings.change("integr8", rows_factor=1.3, count="page" if fault["do"] == "status" else "total")
    put_there(context, CLICKS)
    sandbox.faults.add("integr8.click_table", times=None, **fault)
    result = ended(context, CLICKS, [DAY])[DAY]
    assert result.outcome in {Outcome.PARTIAL, Outcome.FAILED}
    assert says in refused(sandbox, result, result.outcome)
    assert lies_there(context.data, CLICKS)


@pytest.mark.parametrize("fault", ["page_again", "empty_page", "cursor_loop", "html", "reset", "cut", "cut_chunked"])
def test_a_page_that_goes_wrong_once_is_read_again(sandbox: Sandbox, context: PullContext, fault: str) -> None:
    sandbox.settings.change("integr8", rows_factor=1.3)
    sandbox.faults.add("integr8.click_table", do=fault, after=1)
    assert outcome_of(context, CLICKS, DAY) is Outcome.DATA
    check_truth(sandbox, context, CLICKS, [DAY])


@pytest.mark.rule("IN3")
def test_rows_over_which_a_cursor_passes_are_missed_by_their_count(sandbox: Sandbox, context: PullContext) -> None:
    # With hundreds of conversions of several events, some page ends between the events of one.
    sandbox.settings.change("integr8", rows_factor=6.0, split_events=True)
    for day in Window(DAY, DAY + 9 * ONE_DAY).days:
        result = ended(context, CONVERSIONS, [day])[day]
        if result.outcome is not Outcome.DATA:
            refused(sandbox, result, Outcome.PARTIAL)
            return
        check_truth(sandbox, context, CONVERSIONS, [day])
    pytest.fail("no page ended there")


@pytest.mark.rule("IN3")
def test_events_of_one_transaction_are_rows_of_their_own(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", rows_factor=6.0)
    assert outcome_of(context, CONVERSIONS, DAY) is Outcome.DATA
    place = CONVERSIONS.schema.names.index("real_tx_id")
    names = [row[place] for row in landed_rows(context.data, CONVERSIONS, DAY).elements()]
    assert len(set(names)) < len(names)
    check_truth(sandbox, context, CONVERSIONS, [DAY])


REFUSALS = {
    400: Outcome.FAILED,
    401: Outcome.DENIED,
    402: Outcome.FAILED,
    403: Outcome.DENIED,
    404: Outcome.FAILED,
    429: Outcome.DENIED,
    500: Outcome.FAILED,
    504: Outcome.FAILED,
}


@pytest.mark.rule("IN1")
@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize(("report", "point"), [(CLICKS, "integr8.click_table"), (OFFERS, "integr8.offers")])
def test_every_refusal_of_a_page_ends_in_its_outcome(
    sandbox: Sandbox, context: PullContext, report: Report, point: str, status: int
) -> None:
    day = DAY if report.partitioned else TODAY
    put_there(context, report, day)
    sandbox.settings.change("integr8", rows_factor=1.3)
    sandbox.faults.add(point, do="status", status=status, body={"error": "no"}, after=1, times=None)
    line = refused(sandbox, ended(context, report, [day])[day], REFUSALS[status])
    assert str(status) in line
    assert lies_there(context.data, report, day)
    # What may pass is asked again in three downloads of four tries each, what may not is asked once.
    most = {429: 4, 402: 3, 500: 12, 504: 12}.get(status, 1)
    assert sandbox.log.count(point, status=status) == most


@pytest.mark.rule("IN1")
@pytest.mark.parametrize(("report", "point"), [(CLICKS, "integr8.click_table"), (OFFERS, "integr8.offers")])
def test_a_429_on_a_page_is_tried_again_at_growing_intervals(
    sandbox: Sandbox, context: PullContext, clock: SandboxClock, report: Report, point: str
) -> None:
    day = DAY if report.partitioned else TODAY
    sandbox.settings.change("integr8", rows_factor=1.3)
    sandbox.faults.add(point, do="status", status=429, after=1, times=3)
    assert outcome_of(context, report, day) is Outcome.DATA
    waits = [wait for wait in clock.slept if wait > 0]
    assert len(waits) == 3
    assert waits == sorted(waits)


@pytest.mark.rule("IN10")
def test_sixty_pages_a_minute_are_not_exceeded(sandbox: Sandbox, context: PullContext) -> None:
    for _ in range(65):
        with context.provider.download(ADVERTISERS, Request(Window(TODAY, TODAY)), Handle(), lambda _: None) as chunks:
            list(chunks)
    assert sandbox.log.count("integr8.advertisers") == 65
    assert sandbox.log.count(status=429) == 0
    assert timedelta(seconds=60) < sandbox.clock.now() - NOON < timedelta(seconds=70)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"do": "drop_column", "column": "request_time"}, "request_time"),
        ({"do": "drop_column", "column": "real_tx_id"}, "real_tx_id"),
        ({"do": "wrong_day", "to": "2026-12-24T00:00:00Z"}, "2026-12-24"),
        ({"do": "bad_value", "column": "payout", "value": "1,5"}, "payout"),
        ({"do": "bad_value", "column": "score", "value": "high"}, "score"),
        ({"do": "nul", "column": "user_email"}, "NUL"),
    ],
)
def test_a_table_that_cannot_be_trusted_lands_nothing(
    sandbox: Sandbox, context: PullContext, fault: dict[str, Any], says: str
) -> None:
    put_there(context, CLICKS)
    sandbox.faults.add("integr8.data", **fault)
    line = refused(sandbox, ended(context, CLICKS, [DAY])[DAY], Outcome.FAILED)
    assert says in line
    assert "@example" not in line
    assert lies_there(context.data, CLICKS)


def test_rows_that_stand_twice_land_nothing(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("integr8", count="page")
    sandbox.faults.add("integr8.data", do="duplicate_row")
    result = ended(context, CLICKS, [DAY])[DAY]
    refused(sandbox, result, result.outcome)
    assert result.outcome in {Outcome.PARTIAL, Outcome.FAILED}


@pytest.mark.rule("IN3")
def test_any_day_of_any_table_in_any_form_lands_as_the_truth_value_by_value(
    sandbox: Sandbox, context: PullContext
) -> None:
    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        table=st.sampled_from(sorted(TABLES)),
        ages=st.sets(st.integers(1, 90), min_size=1, max_size=2),
        later=st.integers(1, 20),
        switches=st.fixed_dictionaries(
            {
                "rows_factor": st.sampled_from([0.0, 0.5, 1.0, 2.5]),
                "count": st.sampled_from(["total", "page"]),
                "omit_empty": st.booleans(),
                "null_texts": st.booleans(),
                "mask_personal": st.booleans(),
                "unknown_parameters": st.booleans(),
                "retry_after": st.booleans(),
                "requests_per_minute": st.sampled_from([4, 60]),
            }
        ),
    )
    def check(table: str, ages: set[int], later: int, switches: dict[str, Any]) -> None:
        report = TABLES[table]
        sandbox.clock.advance(later * 86400)
        sandbox.settings.reset()
        sandbox.settings.change("integr8", **switches)
        days = [sandbox.clock.now().date() - age * ONE_DAY for age in ages]
        for day, result in ended(context, report, days).items():
            expected = expected_rows(sandbox, report, day)
            assert result.outcome is (Outcome.DATA if expected else Outcome.EMPTY), result.error
            assert without_nulls(landed_rows(context.data, report, day)) == without_nulls(expected)

    check()


# Entity lists.


@pytest.mark.rule("IN1", "IN2", "IN11")
@pytest.mark.parametrize("report", LISTS, ids=lambda report: report.name)
def test_a_list_is_read_in_pages_of_a_hundred_and_is_one_file(
    sandbox: Sandbox, context: PullContext, report: Report
) -> None:
    assert outcome_of(context, report, TODAY) is Outcome.DATA
    account = sandbox.providers["integr8"].credentials["ordinary"]
    where = f"integrations/{account.integration_id}/offers" if report is OFFERS else report.name
    rows = sandbox.truth(report.key, TODAY)
    asked = sandbox.log.entries()
    assert {(entry.method, entry.path) for entry in asked} == {("GET", f"/api/v2/{where}")}
    assert [sent(entry) for entry in asked] == [
        {"page[number]": str(number), "page[size]": "100"} for number in range(1, -(-len(rows) // 100) + 1)
    ]
    assert report.file(TODAY) == f"integr8/{report.name}/part-0.parquet"
    check_truth(sandbox, context, report, [TODAY])


@pytest.mark.rule("IN2")
def test_a_newer_snapshot_replaces_the_whole_file(sandbox: Sandbox, context: PullContext) -> None:
    outcome_of(context, OFFERS, TODAY)
    before = landed_rows(context.data, OFFERS, TODAY)
    sandbox.clock.advance(60 * 86400)
    later = sandbox.clock.now().date()
    assert outcome_of(context, OFFERS, later) is Outcome.DATA
    after = landed_rows(context.data, OFFERS, later)
    assert after.total() > before.total()
    assert after == expected_rows(sandbox, OFFERS, later)
    assert after == landed_rows(context.data, OFFERS, TODAY), "there is one file"


def test_a_run_over_midnight_keeps_the_snapshot_to_itself_until_it_ends(
    clock: SandboxClock, context: PullContext
) -> None:
    owner = context.ledger.liveness.acquire()
    who = LeaseRequest(
        report=OFFERS.key, account=context.provider.account, query_hash="of another form", owner=owner, run="run-0"
    )
    held = context.ledger.leases.acquire(who, [SNAPSHOT], max_days=1, shards=("",), split=lambda _: (), now=clock.now())
    assert isinstance(held, Lease)
    clock.sleep(24 * 3600)
    context.provider.policy = replace(context.provider.policy, timeout=timedelta(seconds=3))
    (result,) = ended(context, OFFERS, [SNAPSHOT]).values()
    assert result.error is not None
    assert result.error.line.startswith("run run-0 still holds integr8/offers the snapshot")
    context.ledger.liveness.release(owner)
    (result,) = ended(context, OFFERS, [SNAPSHOT]).values()
    assert result.landed is not None


@pytest.mark.rule("IN9", "IN11")
def test_offers_tell_the_currency_truths_are_truths_and_nested_objects_are_text(context: PullContext) -> None:
    outcome_of(context, OFFERS, TODAY)
    names = OFFERS.schema.names
    rows = [dict(zip(names, row, strict=True)) for row in landed_rows(context.data, OFFERS, TODAY).elements()]
    assert {row["currency"] for row in rows} == {"USD", "EUR"}
    assert {row["active"] for row in rows} == {True, False}
    for row in rows:
        payout = json.loads(row["default_payout"])
        assert set(payout) == {
            "payout",
            "payout_percent",
            "payout_type",
            "revenue",
            "revenue_percent",
            "revenue_type",
        }


@pytest.mark.rule("IN9")
@pytest.mark.parametrize("report", [PUBLISHERS, ADVERTISERS], ids=lambda report: report.name)
def test_e_mail_addresses_of_partners_are_hashed_kept_or_dropped(
    sandbox: Sandbox, context: PullContext, report: Report
) -> None:
    place = report.schema.names.index("manager_email")
    plain = {row["manager_email"] for row in sandbox.truth(report.key, TODAY)}
    for mode, expected in (
        (PersonalData.HASH, {hashlib.sha256(mail.encode()).hexdigest() for mail in plain}),
        (PersonalData.KEEP, plain),
        (PersonalData.DROP, {None}),
    ):
        policy = replace(report, privacy=Privacy(mode=mode))
        outcome_of(context, policy, TODAY)
        assert {row[place] for row in landed_rows(context.data, policy, TODAY)} == expected


def listed(rows: int, **meta: Any) -> dict[str, Any]:
    return {"data": [{"id": f"x{n}"} for n in range(rows)], "meta": meta}


@pytest.mark.rule("IN2")
@pytest.mark.parametrize(
    "told",
    [
        listed(100, total_count=100, total_page=1),
        listed(100, total_count=500, total_page=5),
        listed(1, total_count=195, total_page=2),
        listed(0, total_count=195, total_page=2),
        listed(100, total_page=2),
        {"data": None, "meta": {"total_count": 0, "total_page": 0}},
        {"error": "no"},
        [],
    ],
)
def test_a_list_that_is_not_as_long_as_it_says_lands_nothing(
    sandbox: Sandbox, context: PullContext, told: Mapping[str, Any]
) -> None:
    put_there(context, OFFERS, TODAY)
    sandbox.faults.add("integr8.offers", do="status", status=200, body=told, after=1, times=None)
    result = ended(context, OFFERS, [TODAY])[TODAY]
    assert result.outcome in {Outcome.PARTIAL, Outcome.FAILED}
    refused(sandbox, result, result.outcome)
    assert lies_there(context.data, OFFERS, TODAY)


@pytest.mark.rule("IN2")
@pytest.mark.parametrize("meta", [{"total_count": 0, "total_page": 0}, {"total_count": 0}])
def test_a_list_of_nothing_is_a_file_of_no_rows(sandbox: Sandbox, context: PullContext, meta: dict[str, int]) -> None:
    sandbox.faults.add("integr8.offers", do="status", status=200, body={"data": [], "meta": meta})
    assert outcome_of(context, OFFERS, TODAY) is Outcome.EMPTY
    assert sandbox.log.count("integr8.offers") == 1


@pytest.mark.parametrize("fault", ["html", "empty", "reset", "cut"])
def test_a_page_of_a_list_that_goes_wrong_once_is_read_again(
    sandbox: Sandbox, context: PullContext, fault: str
) -> None:
    sandbox.faults.add("integr8.offers", do=fault, after=1)
    assert outcome_of(context, OFFERS, TODAY) is Outcome.DATA
    check_truth(sandbox, context, OFFERS, [TODAY])
