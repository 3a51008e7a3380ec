"""OrangeClickMedia, from a declaration to files that equal the truth, against the sandbox over real HTTP."""

import json
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.model.column import Kind
from reporting_dags.model.days import ONE_DAY, Window
from reporting_dags.model.errors import DeclarationError, SettingError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import entities_check
from reporting_dags.providers.orangeclick.report import (
    COMPARATORS,
    COMPARISONS,
    DIMENSIONS,
    MAX_WINDOW_DAYS,
    METRICS,
    DimensionFilter,
    Filter,
    MetricFilter,
    orangeclick_report,
)
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.orangeclick import report_request
from reporting_dags.sandbox.orangeclick.provider import OrangeClick
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.conftest import NOON, SandboxClock
from reporting_dags_tests.truth import Row, expected_rows, landed_rows

BenchOf = Callable[..., PullContext]
OcmReport = Report
GENERATE = "orangeclick.generate"
DATA = "orangeclick.data"
NEWEST = date(2026, 11, 19)
DAY = date(2026, 11, 11)
DAYS = Window(DAY - ONE_DAY, DAY + ONE_DAY).days
MINUTE = timedelta(seconds=60)
SHIPPED_BODY = {
    "dimensions": ["day", "domain", "ad_unit", "country", "device", "media_type"],
    "metrics": [
        "impressions",
        "earnings",
        "ecpm",
        "viewable",
        "first_quartile",
        "midpoint",
        "third_quartile",
        "complete",
    ],
    "currency": "USD",
    "selectedDate": ["2026-11-10", "2026-11-12"],
}


@pytest.fixture(scope="module")
def running() -> Generator[Sandbox]:
    with running_sandbox(seed=7, at=NOON, frozen=True) as one:
        yield one


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """As at its start: to start one for each of so many tests would take longer than they do."""
    running.reset()
    return running


@pytest.fixture
def context(bench_of: BenchOf) -> PullContext:
    return bench_of("orangeclick")


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    return sandbox.providers["orangeclick"].credentials["ordinary"].api_token


@dataclass(frozen=True)
class Declared:
    """The truth of any declaration: what the sandbox responses to its query, read by the sandbox itself."""

    sandbox: Sandbox
    report: OcmReport

    def truth(self, key: str, day: date, at: datetime | None = None, account: str = "ordinary") -> list[dict[str, str]]:
        assert (key, account) == (self.report.key, "ordinary")
        provider = cast("OrangeClick", self.sandbox.providers["orangeclick"])
        switches = self.sandbox.settings.of("orangeclick")
        body = self.report.query.body(Window(day, day))
        return provider.rows(report_request.parse(body, settings=switches, today=day), at).as_dicts()


def rows_of(sandbox: Sandbox, report: OcmReport, day: date, at: datetime | None = None) -> Counter[Row]:
    return expected_rows(cast("Sandbox", Declared(sandbox, report)), report, day, at)


def check_truth(sandbox: Sandbox, context: PullContext, days: Sequence[date], report: OcmReport = EARNINGS) -> None:
    for day in days:
        assert landed_rows(context.data, report, day) == rows_of(sandbox, report, day), day


def comes_home(
    sandbox: Sandbox, context: PullContext, days: Sequence[date], report: OcmReport = EARNINGS
) -> list[DayResult]:
    results = list(pull(context, report, days))
    assert {result.day for result in results if result.outcome.publishes} == set(days)
    check_truth(sandbox, context, days, report)
    return results


def bodies(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [entry.body for entry in sandbox.log.entries(GENERATE)]


def moments(sandbox: Sandbox) -> list[datetime]:
    return [entry.at for entry in sandbox.log.entries(GENERATE)]


def never_more_than_five_a_minute(sandbox: Sandbox) -> bool:
    at = moments(sandbox)
    return all(later - first >= MINUTE for first, later in zip(at, at[5:], strict=False))


def line_of(result: DayResult, token: str) -> str:
    """The one line of a day that did not land; no line shows the token."""
    assert result.error is not None
    line = result.error.line
    assert "\n" not in line
    assert token not in line
    assert ".." not in line.replace("...", "")
    return line


def file_of(context: PullContext, day: date = DAY) -> bytes:
    with context.data.open(EARNINGS.file(day)) as file:
        return file.read()


# What is sent


@pytest.mark.rule("OC1")
def test_a_request_carries_the_token_and_sends_and_accepts_json(
    sandbox: Sandbox, context: PullContext, token: str
) -> None:
    comes_home(sandbox, context, [DAY])
    (entry,) = sandbox.log.entries(GENERATE)
    assert (entry.method, entry.path, entry.query) == ("POST", "/api/v1/reports/generate", "")
    sent = {name: entry.headers.get(name) for name in ("authorization", "accept", "content-type", "cookie")}
    assert sent == {
        "authorization": f"Bearer {token}",
        "accept": "application/json",
        "content-type": "application/json",
        "cookie": None,
    }


@pytest.mark.rule("OC3", "OC7")
def test_the_shipped_report_is_asked_for_with_exactly_this_body(sandbox: Sandbox, context: PullContext) -> None:
    results = comes_home(sandbox, context, DAYS)
    assert bodies(sandbox) == [SHIPPED_BODY]
    assert [result.provenance.calls_spent for result in results] == [1, 1, 1]


@pytest.mark.rule("OC3")
def test_a_single_day_is_sent_as_both_dates(sandbox: Sandbox, context: PullContext) -> None:
    comes_home(sandbox, context, [DAY])
    assert bodies(sandbox)[0]["selectedDate"] == ["2026-11-11", "2026-11-11"]


@pytest.mark.rule("OC3", "OC4")
def test_filter_groups_are_sent_as_the_documents_write_them(sandbox: Sandbox, context: PullContext) -> None:
    report = orangeclick_report(
        name="filtered",
        dimensions=("day", "domain", "subdomain"),
        metrics=("impressions", "earnings", "ecpm"),
        currency="EUR",
        filter_groups=(
            (DimensionFilter("domain", ("example.com",)), DimensionFilter("device", ("desktop",))),
            (MetricFilter("impressions", "gte", 1000),),
            (MetricFilter("earnings", "between", 0.5, 2), DimensionFilter("country", ("GR", "DE"), "nin")),
        ),
    )
    comes_home(sandbox, context, [DAY], report)
    device = {"value": "device", "type": "dimension", "comparator": "in", "selectedValues": ["desktop"]}
    domain = {"value": "domain", "type": "dimension", "comparator": "in", "selectedValues": ["example.com"]}
    country = {"value": "country", "type": "dimension", "comparator": "nin", "selectedValues": ["GR", "DE"]}
    many = {"value": "impressions", "type": "metric", "comparison": "gte", "selectedValue": 1000}
    some = {"value": "earnings", "type": "metric", "comparison": "between", "selectedValue": 0.5, "secondValue": 2}
    assert bodies(sandbox) == [
        {
            "dimensions": ["day", "domain", "subdomain"],
            "metrics": ["impressions", "earnings", "ecpm"],
            "currency": "EUR",
            "selectedDate": ["2026-11-11", "2026-11-11"],
            "filter_groups": [
                {"operator": "or", "filters": [domain, device]},
                {"operator": "or", "filters": [many]},
                {"operator": "or", "filters": [some, country]},
            ],
        }
    ]


FILTERS: dict[str, tuple[tuple[Filter, ...], ...]] = {
    **{name: ((DimensionFilter("domain", ("example.com", "NA", "null"), name),),) for name in COMPARATORS},
    **{name: ((MetricFilter("impressions", name, 3),),) for name in COMPARISONS if name != "between"},
    "between": ((MetricFilter("ecpm", "between", 0.5, 1.5),),),
    "below zero": ((MetricFilter("earnings", "lte", -0.1),),),
    "both of one group": (
        (DimensionFilter("device", ("mobile",)), DimensionFilter("country", ("GR", ""), "is_any_of")),
    ),
    "any of the groups": (
        (DimensionFilter("media_type", ("video",)), MetricFilter("complete", "neq", 0)),
        (DimensionFilter("ad_unit", ("Été à Paris", "first\nsecond", 'top, "wide"')),),
    ),
    "not requested": ((DimensionFilter("deal_type", ("Open auction",), "nin"),),),
    "nothing at all": ((DimensionFilter("domain", ("nobody.example",)),),),
}


@pytest.mark.rule("OC3", "OC4")
@pytest.mark.parametrize("groups", FILTERS.values(), ids=FILTERS)
def test_filtered_rows_are_those_that_the_provider_keeps(
    sandbox: Sandbox, context: PullContext, groups: tuple[tuple[Filter, ...], ...]
) -> None:
    report = orangeclick_report(name="filtered", dimensions=EARNINGS.query.dimensions, filter_groups=groups)
    (result,) = comes_home(sandbox, context, [DAY], report)
    whole = sum(rows_of(sandbox, EARNINGS, DAY).values())
    landed = sum(landed_rows(context.data, report, DAY).values())
    assert landed < whole
    assert (result.outcome is Outcome.EMPTY) is (landed == 0) is (groups == FILTERS["nothing at all"])


@pytest.mark.rule("OC4")
def test_every_dimension_and_metric_can_be_declared_in_either_currency(sandbox: Sandbox, context: PullContext) -> None:
    assert (len(DIMENSIONS), len(METRICS)) == (14, 8)
    for currency in ("EUR", "USD"):
        report = orangeclick_report(name=f"all_{currency}", dimensions=tuple(DIMENSIONS), currency=currency)
        comes_home(sandbox, context, [DAY], report)
        assert {column.currency for column in report.columns if column.kind is Kind.MONEY} == {currency}
    assert [body["currency"] for body in bodies(sandbox)] == ["EUR", "USD"]


def test_a_report_by_day_alone_has_one_row_a_day(sandbox: Sandbox, context: PullContext) -> None:
    report = orangeclick_report(name="totals", dimensions=("day",), metrics=("ecpm",))
    comes_home(sandbox, context, DAYS, report)
    assert [pq.read_table(context.data.open(report.file(day))).num_rows for day in DAYS] == [1, 1, 1]


@pytest.mark.rule("OC3", "OC4")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dimensions": ("day", "site")}, "dimensions: unknown 'site'; known names: day, month, year, product, domain"),
        ({"dimensions": ("day", "Domain")}, "dimensions: unknown 'Domain'"),
        ({"dimensions": "day"}, "dimensions: is the text 'day'. Fix: write a list"),
        ({"dimensions": ("domain",)}, "dimensions: lacks 'day'"),
        ({"dimensions": ()}, "dimensions: lacks 'day'"),
        ({"dimensions": ("day", "domain", "domain")}, "columns: domain is duplicated"),
        ({"metrics": ("clicks",)}, "metrics: unknown 'clicks'; known names: impressions, earnings, ecpm"),
        ({"metrics": "ecpm"}, "metrics: is the text 'ecpm'. Fix: write a list"),
        ({"metrics": ()}, "metrics: is empty; a request needs at least one (OC3)"),
        ({"metrics": ("earnings", "earnings")}, "columns: earnings is duplicated"),
        ({"currency": "GBP"}, "currency: unknown 'GBP'; known names: EUR, USD"),
        ({"currency": "usd"}, "currency: unknown 'usd'"),
        ({"currency": ""}, "currency: unknown ''"),
        ({"filter_groups": ((),)}, "filter_groups: a group has no filters (OC4)"),
        (
            {"filter_groups": (DimensionFilter("domain", ("a",)),)},
            "filter_groups: is a list of filters. Fix: write a list",
        ),
        ({"filter_groups": ((DimensionFilter("site", ("a",)),),)}, "filter_groups: unknown 'site'"),
        ({"filter_groups": ((DimensionFilter("impressions", ("1",)),),)}, "filter_groups: unknown 'impressions'"),
        (
            {"filter_groups": ((DimensionFilter("domain", ("a",), "like"),),)},
            "unknown 'like'; known names: in, nin, is_any_of",
        ),
        ({"filter_groups": ((DimensionFilter("domain", ()),),)}, "filter_groups: 'domain' needs a tuple of values"),
        ({"filter_groups": ((DimensionFilter("domain", cast("Any", "a.com")),),)}, "such as ('a',); has 'a.com'"),
        ({"filter_groups": ((MetricFilter("domain", "eq", 1),),)}, "filter_groups: unknown 'domain'"),
        ({"filter_groups": ((MetricFilter("ecpm", "gt", 1),),)}, "unknown 'gt'; known names: gte, lte, eq, neq"),
        ({"filter_groups": ((MetricFilter("ecpm", "between", 1),),)}, "a second value is required for 'between'"),
        (
            {"filter_groups": ((MetricFilter("ecpm", "gte", 1, 2),),)},
            "a second value is required for 'between', and not",
        ),
        ({"filter_groups": ((MetricFilter("ecpm", "between", 2, 1),),)}, "the lower one first; has (2, 1)"),
        (
            {"filter_groups": ((MetricFilter("ecpm", "gte", cast("Any", "1")),),)},
            "with finite numbers, the lower one first",
        ),
        ({"filter_groups": ((MetricFilter("ecpm", "gte", float("nan")),),)}, "has (nan,)"),
        ({"filter_groups": ((MetricFilter("ecpm", "gte", True),),)}, "has (True,)"),
        ({"name": "a b"}, "name: 'a b' may contain only letters, digits and underscores"),
    ],
)
def test_a_wrong_declaration_fails_at_load_in_one_line(change: dict[str, Any], says: str) -> None:
    fields: dict[str, Any] = {"name": "mine", "dimensions": ("day", "domain"), **change}
    with pytest.raises(DeclarationError) as caught:
        orangeclick_report(**fields)
    assert caught.value.line.startswith("reports/orangeclick.py: orangeclick/")
    assert says in caught.value.line
    assert "\n" not in caught.value.line


# How often


@pytest.mark.rule("OC3")
def test_the_longest_window_is_within_three_months_whichever_they_are() -> None:
    every = [date(2023, 1, 1) + n * ONE_DAY for n in range(4 * 366)]
    assert all(first + (MAX_WINDOW_DAYS - 1) * ONE_DAY <= first + relativedelta(months=3) for first in every)


@pytest.mark.rule("OC3")
def test_ninety_days_are_one_request_and_one_more_makes_two(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("orangeclick", rows_factor=0.05)
    quarter = Window(NEWEST - 89 * ONE_DAY, NEWEST).days
    comes_home(sandbox, context, quarter)
    assert [body["selectedDate"] for body in bodies(sandbox)] == [["2026-08-22", "2026-11-19"]]
    sandbox.log.clear()
    results = comes_home(sandbox, context, [quarter[0] - ONE_DAY, *quarter])
    assert [body["selectedDate"] for body in bodies(sandbox)] == [
        ["2026-08-21", "2026-11-18"],
        ["2026-11-19", "2026-11-19"],
    ]
    assert {result.provenance.calls_spent for result in results} == {1}


@pytest.mark.rule("OC2")
def test_seven_requests_keep_to_five_a_minute_without_a_refusal(
    sandbox: Sandbox, context: PullContext, clock: SandboxClock
) -> None:
    sandbox.settings.change("orangeclick", rows_factor=0.05)
    far_apart = [NEWEST - n * MAX_WINDOW_DAYS * ONE_DAY for n in range(7)]
    comes_home(sandbox, context, far_apart)
    assert sandbox.log.count(GENERATE, status=200) == sandbox.log.count(GENERATE) == 7
    assert never_more_than_five_a_minute(sandbox)
    assert MINUTE <= clock.now() - NOON < MINUTE + timedelta(seconds=5), "no longer than it takes"


@pytest.mark.rule("OC2")
def test_retries_keep_to_five_a_minute_too_and_are_four_a_run(
    sandbox: Sandbox, context: PullContext, token: str
) -> None:
    sandbox.faults.add(GENERATE, do="status", status=500, times=None)
    for calls in (4, 8):
        (result,) = pull(context, EARNINGS, [DAY])
        assert result.outcome is Outcome.FAILED
        assert "with 500. Fix: materialize the day again later" in line_of(result, token)
        assert sandbox.log.count(GENERATE) == result.provenance.calls_spent == calls
    assert never_more_than_five_a_minute(sandbox)


@pytest.mark.rule("OC2")
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_429_is_waited_out_as_long_as_it_says(
    sandbox: Sandbox, context: PullContext, clock: SandboxClock, form: str
) -> None:
    # Somebody else spends the same user's requests: three a minute are left.
    sandbox.settings.change("orangeclick", requests_per_minute=3, retry_after=form, rows_factor=0.05)
    far_apart = [NEWEST - n * MAX_WINDOW_DAYS * ONE_DAY for n in range(4)]
    comes_home(sandbox, context, far_apart)
    assert [entry.status for entry in sandbox.log.entries(GENERATE)] == [200, 200, 200, 429, 200]
    refused, again = moments(sandbox)[3:]
    assert again - refused == MINUTE
    assert clock.slept.count(60.0) == 1


@pytest.mark.rule("OC2")
@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "with 429. The quota or rate limit is spent. Fix: materialize the day again later"),
        ({"Retry-After": "soon"}, "with 429. The quota or rate limit is spent. Fix: materialize the day again later"),
        (
            {"Retry-After": "3600"},
            "with 429 and requests a wait of 3600 s. The quota or rate limit is spent. Fix: mater",
        ),
    ],
)
def test_a_429_without_a_reasonable_wait_is_denied_and_not_asked_again_on_a_guess(
    sandbox: Sandbox, context: PullContext, token: str, headers: dict[str, str], says: str
) -> None:
    sandbox.faults.add(GENERATE, do="status", status=429, headers=headers, times=None)
    (result,) = pull(context, EARNINGS, [DAY])
    assert result.outcome is Outcome.DENIED
    assert says in line_of(result, token)
    assert sandbox.log.count(GENERATE) == 1


@pytest.mark.rule("OC2")
def test_a_429_without_retry_after_in_the_middle_of_a_run_denies_the_rest_alone(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.settings.change("orangeclick", requests_per_minute=1, retry_after="absent", rows_factor=0.05)
    days = [NEWEST - MAX_WINDOW_DAYS * ONE_DAY, NEWEST]
    assert [result.outcome for result in pull(context, EARNINGS, days)] == [Outcome.DATA, Outcome.DENIED]
    check_truth(sandbox, context, days[:1])
    assert not context.data.exists(EARNINGS.file(NEWEST))


@pytest.mark.rule("OC2")
def test_429s_without_end_are_denied_after_a_few_tries(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.faults.add(GENERATE, do="status", status=429, headers={"Retry-After": "45"}, times=None)
    (result,) = pull(context, EARNINGS, [DAY])
    assert result.outcome is Outcome.DENIED
    assert [later - first for first, later in zip(moments(sandbox), moments(sandbox)[1:], strict=False)] == [
        timedelta(seconds=45)
    ] * 3


# What the provider refuses


@pytest.mark.rule("OC1")
@pytest.mark.parametrize("which", ["revoked", "unknown", "disabled"])
def test_a_token_that_is_not_accepted_is_denied_in_one_line(
    sandbox: Sandbox, bench_of: BenchOf, token: str, which: str
) -> None:
    tokens = {"unknown": "41|no one-ever-gave-this-one-out", "disabled": token}
    tokens["revoked"] = sandbox.providers["orangeclick"].credentials["revoked"].api_token
    sandbox.settings.change("orangeclick", disabled_api_tokens=(token,) if which == "disabled" else ())
    (result,) = pull(bench_of("orangeclick", api_token=tokens[which]), EARNINGS, [DAY])
    assert result.outcome is Outcome.DENIED
    says = "OrangeClickMedia refused (401): Unauthenticated. Fix: check ORANGECLICK_API_TOKEN."
    assert line_of(result, tokens[which]) == says
    assert sandbox.log.count(GENERATE) == 1


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ORANGECLICK_API_TOKEN", "", "ORANGECLICK_API_TOKEN is not set"),
        ("ORANGECLICK_BASE_URL", "app.example", "ORANGECLICK_BASE_URL is not an http(s) URL without credentials"),
        (
            "ORANGECLICK_BASE_URL",
            "https://me:hush@app.example",
            "ORANGECLICK_BASE_URL is not an http(s) URL without credentials",
        ),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError) as caught:
        bench_of("orangeclick")
    assert says in caught.value.line
    assert "hush" not in caught.value.line


@pytest.mark.rule("OC4")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dimensions": ("day", "domian")}, ["dimensions.1: One or more selected dimensions are invalid."]),
        ({"metrics": ("clicks",)}, ["metrics.0: One or more selected metrics are invalid."]),
        ({"currency": "GBP"}, ["currency: The selected currency is invalid."]),
        (
            {"dimensions": ("day", "domian"), "metrics": (), "currency": ""},
            ["dimensions.1: One or more", "metrics: The metrics field is required.", "currency: The currency field"],
        ),
        (
            {"filter_groups": ((DimensionFilter("site", ("a",), "like"),),)},
            [
                "filter_groups.0.filters.0.value: The selected",
                "filter_groups.0.filters.0.comparator: The selected",
            ],
        ),
    ],
)
def test_a_422_is_told_field_by_field(
    sandbox: Sandbox, context: PullContext, token: str, change: dict[str, Any], says: list[str]
) -> None:
    # As if the provider had dropped a name that the declaration still knows.
    report = replace(EARNINGS, query=replace(EARNINGS.query, **change))
    results = list(pull(context, report, DAYS))
    assert {result.outcome for result in results} == {Outcome.FAILED}
    for result in results:
        line = line_of(result, token)
        assert line.startswith("OrangeClickMedia refused the query (422): Validation failed; ")
        assert all(one in line for one in says)
        assert line.endswith("Fix: check the report's declaration: its dimensions, metrics, currency and filters.")
    assert sandbox.log.count(GENERATE, status=422) == sandbox.log.count(GENERATE) == 1


@pytest.mark.rule("OC4")
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<html>", "(422): no message"),
        ([], "(422): no message"),
        ({"errors": {"selectedDate": "too long"}}, "(422): selectedDate: too long"),
        ({"message": "Validation failed", "errors": ["odd"]}, "(422): Validation failed; odd. Fix: check"),
        ({"message": "line one\nline two"}, "(422): line one line two"),
    ],
)
def test_a_422_that_is_written_otherwise_is_one_line_too(
    sandbox: Sandbox, context: PullContext, token: str, body: Any, says: str
) -> None:
    sandbox.faults.add(GENERATE, do="status", status=422, body=body)
    (result,) = pull(context, EARNINGS, [DAY])
    assert result.outcome is Outcome.FAILED
    assert says in line_of(result, token)


def test_a_token_that_a_refusal_repeats_is_not_shown(sandbox: Sandbox, context: PullContext, token: str) -> None:
    said = {"message": f"Bearer {token} may not do this", "errors": {"token": [token]}}
    for status in (401, 403, 404, 422, 418):
        sandbox.faults.add(GENERATE, do="status", status=status, body=said)
        (result,) = pull(context, EARNINGS, [DAY])
        line_of(result, token)
    assert sandbox.log.count(GENERATE) == 5


# What can happen on the way


@dataclass(frozen=True)
class Mishap:
    """A fault at one point; how days then end, in which words, after how many requests."""

    fault: dict[str, Any]
    ends: Outcome
    says: str
    requests: int = 1

    def __str__(self) -> str:
        return " ".join(str(value)[:20] for value in self.fault.values())


def status(code: int, body: Any = "") -> dict[str, Any]:
    return {"do": "status", "status": code, "body": body}


REFUSED = [
    Mishap(status(400), Outcome.FAILED, "OrangeClickMedia responded with 400: no message"),
    Mishap(status(401), Outcome.DENIED, "OrangeClickMedia refused (401): no message. Fix: check ORANGECLICK_API_TOKEN"),
    Mishap(status(403, {"message": "No access."}), Outcome.DENIED, "refused (403): No access. Fix: check ORANGECLICK"),
    Mishap(status(404), Outcome.FAILED, "responded with 404: no message. Fix: check ORANGECLICK_BASE_URL"),
    Mishap(
        status(406, {"message": "Not Acceptable"}),
        Outcome.FAILED,
        "OrangeClickMedia responded with 406: Not Acceptable",
    ),
    Mishap(status(204), Outcome.FAILED, "OrangeClickMedia responded with 204"),
    Mishap(
        status(503),
        Outcome.FAILED,
        "responded to POST /reports/generate with 503. Fix: materialize the day again later",
        4,
    ),
    Mishap({"do": "redirect", "to": "http://127.0.0.1:9/login"}, Outcome.FAILED, "with a redirect (302), which is not"),
    Mishap({"do": "html"}, Outcome.FAILED, "returned a web page instead of JSON. Fix: check ORANGECLICK_BASE_URL"),
    Mishap({"do": "empty"}, Outcome.PARTIAL, "is empty. Fix: materialize the day again later", 3),
    # Twice a try: a call may have arrived whose response was lost.
    Mishap({"do": "reset"}, Outcome.FAILED, "OrangeClickMedia at 127.0.0.1 did not respond", 2),
    Mishap(
        {"do": "cut"},
        Outcome.PARTIAL,
        "is incomplete (the response ended early). Fix: materialize the day again later",
        3,
    ),
    Mishap(
        {"do": "cut_chunked"},
        Outcome.PARTIAL,
        "is incomplete (the response ended early). Fix: materialize the day again later",
        3,
    ),
    Mishap({"do": "cut_close"}, Outcome.PARTIAL, "has no length, so it may be incomplete", 3),
    Mishap(
        {"do": "gzip_cut"}, Outcome.PARTIAL, "(its gzip data is truncated). Fix: materialize the day again later", 3
    ),
]
ECHO = [
    Mishap({"do": "meta", "count": 1}, Outcome.PARTIAL, "rows, the provider said 1"),
    Mishap({"do": "meta", "count": 0}, Outcome.PARTIAL, "rows, the provider said 0"),
    Mishap({"do": "meta", "count": 10**9}, Outcome.PARTIAL, "rows, the provider said 1000000000"),
    Mishap({"do": "meta", "count": -1}, Outcome.FAILED, "meta.count is '-1', which is not a number of rows"),
    Mishap({"do": "meta", "count": "many"}, Outcome.FAILED, "meta.count is 'many', which is not a number of rows"),
    Mishap(
        {"do": "meta", "start_date": "2026-11-09"}, Outcome.FAILED, "meta.start_date is '2026-11-09', requested '2026-"
    ),
    Mishap({"do": "meta", "end_date": "2026-11-13"}, Outcome.FAILED, "meta.end_date is '2026-11-13', requested '2026-"),
    Mishap({"do": "meta", "currency": "EUR"}, Outcome.FAILED, "meta.currency is 'EUR', requested 'USD'"),
    Mishap(
        status(200, {"status": "error", "message": "no"}), Outcome.FAILED, "refused the query (200): no. Fix: check"
    ),
    Mishap(status(200, {"status": "error", "data": [], "meta": {"count": 0}}), Outcome.FAILED, "status is 'error'"),
    Mishap(status(200, {"status": "success", "data": []}), Outcome.FAILED, "the response has no meta.start_date"),
    Mishap(status(200, []), Outcome.FAILED, "has no array 'data'"),
    Mishap(status(200, "null"), Outcome.FAILED, "has no array 'data'"),
]
ALL_DAYS = [
    Mishap({"do": "wrong_day", "to": "2026-12-24"}, Outcome.FAILED, "rows of 2026-12-24"),
    Mishap({"do": "wrong_day", "to": "yesterday"}, Outcome.FAILED, "'day' holds 'yesterday', which is not a day"),
    Mishap({"do": "drop_column", "column": "earnings"}, Outcome.FAILED, "column 'earnings' is missing"),
    Mishap({"do": "drop_column", "column": "day"}, Outcome.FAILED, "column 'day' is missing"),
    Mishap({"do": "rename_column", "column": "country", "to": "land"}, Outcome.FAILED, "column 'country' is missing"),
    Mishap({"do": "duplicate_header"}, Outcome.FAILED, "has the key 'complete' twice"),
    Mishap({"do": "repeat_header"}, Outcome.FAILED, "column 'day' holds 'day', which is not a day"),
    Mishap({"do": "latin1"}, Outcome.FAILED, "is not UTF-8"),
    Mishap({"do": "nul"}, Outcome.FAILED, "column 'domain' holds a NUL character"),
    Mishap({"do": "open_quote"}, Outcome.PARTIAL, "is not JSON"),
    Mishap({"do": "short_row"}, Outcome.FAILED, "lacks 'complete'"),
]
ONE_BAD_DAY = [
    Mishap({"do": "duplicate_row"}, Outcome.FAILED, "grain twice: domain="),
    Mishap({"do": "bad_value", "column": "earnings", "value": "1,5"}, Outcome.FAILED, "'earnings': 1 values are not"),
    Mishap(
        {"do": "bad_value", "column": "earnings", "value": "NaN"},
        Outcome.FAILED,
        "'earnings': 1 values are not decimals",
    ),
    Mishap({"do": "bad_value", "column": "viewable", "value": "1.5"}, Outcome.FAILED, "'viewable': 1 values are not"),
    Mishap({"do": "bad_value", "column": "midpoint", "value": str(2**63)}, Outcome.FAILED, "'midpoint': 1 values are"),
]


@pytest.mark.rule("OC5")
@pytest.mark.parametrize(
    ("point", "mishap"),
    [*((GENERATE, one) for one in (*REFUSED, *ECHO)), *((DATA, one) for one in ALL_DAYS)],
    ids=str,
)
def test_an_answer_that_cannot_be_trusted_leaves_what_was_there_and_the_next_run_mends_it(
    sandbox: Sandbox, context: PullContext, token: str, point: str, mishap: Mishap
) -> None:
    sandbox.settings.change("orangeclick", rows_factor=0.05)
    comes_home(sandbox, context, [DAY])
    before = file_of(context)
    sandbox.log.clear()
    script: dict[str, Any] = {"times": None, **mishap.fault}
    sandbox.faults.add(point, **script)
    results = list(pull(context, EARNINGS, [DAY, DAY + ONE_DAY]))
    assert [result.outcome for result in results] == [mishap.ends] * 2
    assert all(mishap.says in line_of(result, token) for result in results)
    assert sandbox.log.count() == mishap.requests
    assert file_of(context) == before
    assert not context.data.exists(EARNINGS.file(DAY + ONE_DAY))
    sandbox.faults.clear()
    comes_home(sandbox, context, [DAY, DAY + ONE_DAY])
    assert sandbox.log.count() == mishap.requests + 1


@pytest.mark.parametrize("mishap", ONE_BAD_DAY, ids=str)
def test_a_day_with_a_wrong_value_fails_alone(
    sandbox: Sandbox, context: PullContext, token: str, mishap: Mishap
) -> None:
    sandbox.faults.add(DATA, **mishap.fault, day=DAY)
    good, bad, other = pull(context, EARNINGS, DAYS)
    assert bad.outcome is mishap.ends
    assert mishap.says in line_of(bad, token)
    assert good.landed
    assert other.landed
    check_truth(sandbox, context, [good.day, other.day])
    assert not context.data.exists(EARNINGS.file(DAY))


@pytest.mark.parametrize(
    ("point", "fault"),
    [
        (GENERATE, {"do": "gzip"}),
        (GENERATE, {"do": "drip", "pieces": 7, "pause": 0.01}),
        (GENERATE, {"do": "stall", "seconds": 0.1, "at": "body"}),
        (DATA, {"do": "bom"}),
    ],
    ids=str,
)
def test_an_answer_that_comes_oddly_but_whole_is_taken(
    sandbox: Sandbox, context: PullContext, point: str, fault: dict[str, Any]
) -> None:
    sandbox.faults.add(point, **fault)
    comes_home(sandbox, context, DAYS)
    assert sandbox.log.count() == 1


@pytest.mark.parametrize(("fault", "named"), [({"do": "extra_column"}, "Surprise"), ({"do": "long_row"}, "14")])
def test_what_the_provider_adds_is_warned_of_and_harms_nothing(
    sandbox: Sandbox, context: PullContext, fault: dict[str, Any], named: str
) -> None:
    sandbox.faults.add(DATA, **fault)
    (result,) = comes_home(sandbox, context, [DAY])
    assert result.landed
    assert f"new columns, not landed: {named}" in result.landed.warnings


@pytest.mark.parametrize("fault", ["reset", "cut", "gzip_cut", "empty"])
def test_an_answer_that_is_lost_once_is_asked_for_once_more(sandbox: Sandbox, context: PullContext, fault: str) -> None:
    sandbox.faults.add(GENERATE, do=fault)
    (result,) = comes_home(sandbox, context, [DAY])
    assert sandbox.log.count() == result.provenance.calls_spent == 2


# What the responses hold


@pytest.mark.rule("OC5")
def test_figures_as_strings_and_as_numbers_land_the_same(sandbox: Sandbox, context: PullContext) -> None:
    comes_home(sandbox, context, DAYS)
    numbers = [landed_rows(context.data, EARNINGS, day) for day in DAYS]
    sandbox.settings.change("orangeclick", numbers="string")
    comes_home(sandbox, context, DAYS)
    assert [landed_rows(context.data, EARNINGS, day) for day in DAYS] == numbers


def test_figures_that_the_provider_lacks_are_null_and_names_that_are_empty_are_not(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.settings.change("orangeclick", null_metrics=2)
    comes_home(sandbox, context, [DAY])
    table = pq.read_table(context.data.open(EARNINGS.file(DAY)))
    assert all(table.column(name).null_count > 0 for name in METRICS)
    assert all(table.column(name).null_count == 0 for name in EARNINGS.grain)
    assert {"", "NA", "null", "00012345", "9223372036854775808"} <= set(table.column("ad_unit").to_pylist())


def test_money_is_exact_in_its_declared_currency(sandbox: Sandbox, context: PullContext) -> None:
    (result,) = comes_home(sandbox, context, [DAY])
    assert result.landed
    (currency,) = result.landed.money["earnings"]
    place = [column.name for column in EARNINGS.stored_columns].index("earnings")
    assert currency == "USD"
    truth = rows_of(sandbox, EARNINGS, DAY)
    assert result.landed.money["earnings"]["USD"] == sum(row[place] * n for row, n in truth.items() if row[place])
    assert set(result.landed.ratios) == {"ecpm"}


def test_a_day_without_rows_is_a_typed_file_of_zero_rows(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.settings.change("orangeclick", empty_days=(DAY.isoformat(),))
    results = comes_home(sandbox, context, DAYS)
    assert [result.outcome for result in results] == [Outcome.DATA, Outcome.EMPTY, Outcome.DATA]
    assert pq.read_table(context.data.open(EARNINGS.file(DAY))).schema.equals(EARNINGS.schema)


@pytest.mark.rule("OC6")
@pytest.mark.parametrize(("domain", "earns_little"), [("example.com", False), ("пример.рф", True)])
def test_a_domain_that_is_lost_without_a_word_is_named_by_a_check_that_fails_if_it_earned(
    sandbox: Sandbox, context: PullContext, domain: str, earns_little: bool
) -> None:
    sandbox.settings.change("orangeclick", empty_day_one_in=0)
    comes_home(sandbox, context, DAYS[:1])
    sandbox.settings.change("orangeclick", lost_domains=(domain,))
    comes_home(sandbox, context, DAYS[1:])
    lost = entities_check(EARNINGS, DAY, context.data)
    assert lost.passed is earns_little
    assert f"gone: {domain}, " in lost.detail
    assert lost.facts["lost"] == 1
    assert entities_check(EARNINGS, DAYS[2], context.data).passed, "it was gone the day before already"


@pytest.mark.rule("OC6")
def test_a_domain_that_is_lost_when_its_days_are_asked_for_again_is_missed_on_each_of_them(
    sandbox: Sandbox, context: PullContext
) -> None:
    sandbox.settings.change("orangeclick", empty_day_one_in=0)
    comes_home(sandbox, context, DAYS)
    sandbox.settings.change("orangeclick", lost_domains=("example.com",))
    for result in pull(context, EARNINGS, DAYS):
        assert result.provenance.restatement is not None
        check = entities_check(EARNINGS, result.day, context.data, earlier=result.provenance.restatement.entities)
        assert not check.passed
        assert "gone: example.com" in check.detail
        assert f"--select orangeclick/earnings --partition {result.day}" in check.detail


@pytest.mark.rule("OC6")
def test_a_harmed_file_of_the_day_before_fails_no_other_day(
    sandbox: Sandbox, context: PullContext, tmp_path: Path
) -> None:
    comes_home(sandbox, context, DAYS)
    (tmp_path / "data" / EARNINGS.file(DAYS[0])).write_bytes(b"PAR1 no more")
    assert entities_check(EARNINGS, DAYS[1], context.data).passed


@pytest.mark.rule("OC6")
def test_the_shipped_report_is_watched_by_domain(sandbox: Sandbox, context: PullContext) -> None:
    sandbox.faults.add(DATA, do="lose_app", day=DAY)
    assert EARNINGS.entity == "domain"
    assert all(result.landed for result in pull(context, EARNINGS, DAYS)), "nothing in the response shows it"
    assert not entities_check(EARNINGS, DAY, context.data).passed
    assert orangeclick_report(name="by_country", dimensions=("day", "country")).entity == ""


# When


@pytest.mark.rule("OC7")
def test_a_day_is_asked_for_from_six_o_clock_utc_of_the_next_and_not_before(
    sandbox: Sandbox, context: PullContext, token: str
) -> None:
    six = datetime(2026, 11, 21, 6, tzinfo=UTC)
    sandbox.clock.set(six - timedelta(seconds=1))
    early, current = pull(context, EARNINGS, [six.date() - ONE_DAY, six.date()])
    assert early.outcome is current.outcome is Outcome.NOT_READY
    assert "not published yet: the provider publishes it on 2026-11-21 at 06:00 UTC" in line_of(early, token)
    assert "on 2026-11-22 at 06:00 UTC" in line_of(current, token)
    assert sandbox.log.count() == 0
    sandbox.clock.set(six)
    comes_home(sandbox, context, [early.day])


@pytest.mark.rule("OC7")
def test_a_report_that_is_declared_to_be_restated_is_due_again_and_replaced_whole(
    sandbox: Sandbox, context: PullContext
) -> None:
    report = orangeclick_report(name="restated", dimensions=("day", "domain", "ad_unit"), restated_at=(1, 3))
    sandbox.settings.change("orangeclick", restate_days=4)
    before = comes_home(sandbox, context, [NEWEST], report)[0].landed
    assert report.calendar.is_due(NEWEST, NOON, NOON + timedelta(days=1))
    assert not EARNINGS.calendar.is_due(NEWEST, NOON, NOON + timedelta(days=1))
    sandbox.clock.advance(3 * 86400)
    after = comes_home(sandbox, context, [NEWEST], report)[0].landed
    assert before
    assert after
    assert before.data_version != after.data_version


# Whatever is asked


@st.composite
def drawn_filters(draw: st.DrawFn) -> Filter:
    if draw(st.booleans()):
        values = draw(st.lists(st.sampled_from(["example.com", "mobile", "US", "", "NA", "2026"]), min_size=1))
        return DimensionFilter(draw(OTHER_DIMENSIONS), tuple(values), draw(st.sampled_from(COMPARATORS)))
    metric, comparison = draw(st.sampled_from(METRICS)), draw(st.sampled_from(COMPARISONS))
    value = draw(st.sampled_from([0, 0.5, 1, 1000]))
    return MetricFilter(metric, comparison, value, value + 700 if comparison == "between" else None)


@st.composite
def drawn_reports(draw: st.DrawFn) -> OcmReport:
    others = draw(st.lists(OTHER_DIMENSIONS, unique=True, max_size=8))
    return orangeclick_report(
        name="drawn",
        dimensions=draw(st.permutations(["day", *others])),
        metrics=draw(st.lists(st.sampled_from(METRICS), unique=True, min_size=1)),
        currency=draw(st.sampled_from(["EUR", "USD"])),
        filter_groups=draw(st.lists(st.lists(drawn_filters(), min_size=1, max_size=2), max_size=2)),
    )


OTHER_DIMENSIONS = st.sampled_from(sorted(set(DIMENSIONS) - {"day"}))
DRAWN_SWITCHES = st.fixed_dictionaries(
    {
        "numbers": st.sampled_from(["number", "string"]),
        "null_metrics": st.sampled_from([0, 3, 300]),
        "rows_factor": st.sampled_from([0.1, 1.0, 1.7]),
        "restate_days": st.integers(0, 8),
        "empty_day_one_in": st.sampled_from([0, 2, 40]),
        "huge": st.booleans(),
        "early": st.sampled_from(["partial", "none"]),
        "retry_after": st.sampled_from(["seconds", "date"]),
        "requests_per_minute": st.integers(1, 5),
        "extra_keys": st.booleans(),
    }
)


@pytest.mark.rule("OC3", "OC5")
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    report=drawn_reports(),
    switches=DRAWN_SWITCHES,
    ages=st.lists(st.integers(0, 130), unique=True, min_size=1, max_size=7),
    hours=st.tuples(st.integers(0, 72), st.integers(0, 240)),
)
def test_every_landed_day_equals_the_truth_value_by_value(
    sandbox: Sandbox,
    context: PullContext,
    report: OcmReport,
    switches: dict[str, Any],
    ages: list[int],
    hours: tuple[int, int],
) -> None:
    # Each example declares the report again, on one data root.
    context = replace(context, allow_data_loss=True)
    sandbox.settings.change("orangeclick", **switches)
    sandbox.clock.advance(3600 * hours[0])
    newest = report.calendar.latest_available(sandbox.clock.now())
    days = [newest - age * ONE_DAY for age in ages]
    for some, later in ((days, hours[1]), (days[::2], 0)):
        sandbox.log.clear()
        results = list(pull(context, report, some))
        assert sorted(result.day for result in results if result.landed) == sorted(some)
        answered = sandbox.log.entries(GENERATE, status=200)
        assert len(answered) == (2 if max(some) - min(some) >= MAX_WINDOW_DAYS * ONE_DAY else 1)
        for entry in answered:
            first, last = (date.fromisoformat(day) for day in entry.body["selectedDate"])
            for day in some:
                if first <= day <= last:
                    assert landed_rows(context.data, report, day) == rows_of(sandbox, report, day, entry.at)
        sandbox.clock.advance(3600 * later)


# What is kept


def test_the_answer_is_kept_as_it_came_and_the_token_is_nowhere(
    sandbox: Sandbox, context: PullContext, token: str, tmp_path: Path
) -> None:
    (result,) = comes_home(sandbox, context, [DAY])
    (raw,) = [path for path in (tmp_path / "raw").rglob("*") if path.is_file()]
    said = json.loads(raw.read_bytes())
    assert said["meta"] == {
        "count": len(said["data"]),
        "start_date": "2026-11-11",
        "end_date": "2026-11-11",
        "currency": "USD",
    }
    assert result.provenance.raw_sha256[0] in raw.name
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes(), path
