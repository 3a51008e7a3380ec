"""A walk through Dagster's UI in a real browser, as a new user takes it: what is healthy looks healthy.

Each test goes on where the one before it has ended. Skipped where Chromium is not installed.
"""

import re
from collections.abc import Generator
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.ui.browser import CHROMIUM, browsing
from reporting_dags_tests.ui.deployment import Deployment, deployed, until

DAYS = 5
OFFERS = OFFER_PERFORMANCE.key

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: the UI is not walked"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def first() -> date:
    newest = min(report.calendar.latest_available(datetime.now(UTC)) for report in (OFFER_PERFORMANCE, EARNINGS))
    return newest - timedelta(days=DAYS - 1)


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with running_sandbox(seed=7) as running:
        # No day is empty by chance.
        for provider in ("mintegral", "orangeclick"):
            running.settings.change(provider, empty_day_one_in=0)
        yield running


@pytest.fixture(scope="module")
def dagster(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, first: date) -> Generator[Deployment]:
    with deployed(sandbox, tmp_path_factory.mktemp("ui"), first) as running:
        yield running


@pytest.fixture(scope="module")
def page(dagster: Deployment) -> Generator[Page]:
    with browsing(dagster.url) as opened:
        yield opened


def backfill(page: Page, report: str, which: str) -> None:
    """Launch a backfill from the page of an asset."""
    page.goto(f"/assets/{report}?view=partitions")
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.get_by_role("dialog")
    # Until the dialog has loaded which partitions there are, a click selects none.
    expect(dialog.get_by_text(re.compile("Showing|partitions in a single run"))).not_to_have_count(0)
    page.wait_for_load_state("networkidle")
    dialog.get_by_role("button", name=which, exact=True).click()
    expect(dialog.get_by_text(re.compile(r"^[1-9][0-9]* partitions?$"))).to_be_visible()
    dialog.get_by_role("button", name="Launch").click()


@pytest.mark.parametrize(("report", "which"), [(OFFERS, "Missing"), (EARNINGS.key, "All"), (EARNINGS.key, "Latest")])
def test_a_backfill_of_missing_latest_or_all_partitions_ends_green(
    page: Page, dagster: Deployment, report: str, which: str
) -> None:
    before = len(dagster.runs())
    backfill(page, report, which)
    until(lambda: len(dagster.runs()) > before, "a run was launched")
    dagster.settled()
    assert {run["status"] for run in dagster.runs()} == {"SUCCESS"}
    assert set(dagster.backfills()) <= {"COMPLETED", "COMPLETED_SUCCESS"}
    stats = dagster.partitions(report)
    assert stats["numMaterialized"] == stats["numPartitions"] >= DAYS
    page.goto(f"/assets/{report}?view=partitions")
    expect(page.get_by_text(f"Materialized ({stats['numPartitions']})")).to_be_visible()
    expect(page.get_by_text("Failed (0)")).to_be_visible()
    expect(page.get_by_text("Missing (0)")).to_be_visible()


def open_check(page: Page, report: str, check: str, tab: str) -> None:
    page.goto(f"/assets/{report}?view=checks&checkDetail={check}")
    expect(page.get_by_text("Execution history")).to_be_visible()
    page.get_by_text(tab, exact=True).last.click()


def test_each_check_shows_its_result_on_each_partition(page: Page, dagster: Deployment) -> None:
    count = dagster.partitions(OFFERS)["numPartitions"]
    for check in ("schema", "grain_unique", "rows_complete", "volume"):
        open_check(page, OFFERS, check, "Partitions")
        expect(page.get_by_text(f"Passed ({count})")).to_be_visible()
        expect(page.get_by_text("Missing (0)")).to_be_visible()


def test_checks_that_are_executed_alone_read_the_stored_partitions_and_ask_no_provider(
    page: Page, dagster: Deployment, sandbox: Sandbox
) -> None:
    before, calls = len(dagster.runs()), len(sandbox.log.entries())
    page.goto(f"/assets/{OFFERS}?view=checks&checkDetail=schema")
    page.get_by_role("button", name="Execute all").click()
    until(lambda: len(dagster.runs()) > before, "a run was launched")
    dagster.settled()
    assert dagster.runs()[0]["status"] == "SUCCESS"
    assert len(sandbox.log.entries()) == calls
    count = dagster.partitions(OFFERS)["numPartitions"]
    open_check(page, OFFERS, "schema", "Overview")
    expect(page.get_by_text("Evaluation result")).to_be_visible()
    expect(page.get_by_text("Passed", exact=True)).to_be_visible()
    expect(page.get_by_text("Skipped")).to_have_count(0)
    open_check(page, OFFERS, "rows_complete", "Partitions")
    expect(page.get_by_text(f"Passed ({count})")).to_be_visible()


def test_the_launchpad_holds_no_mask_and_replays_a_partition(
    page: Page, dagster: Deployment, sandbox: Sandbox, first: date
) -> None:
    before, calls = len(dagster.runs()), len(sandbox.log.entries())
    page.goto(f"/assets/{OFFERS}")
    button = page.get_by_role("button", name="Materialize…")
    page.locator("button", has=page.locator('[aria-label="arrow_drop_down"]')).and_(
        button.locator("xpath=following::button[1]")
    ).click()
    page.get_by_role("menuitem", name="Open launchpad").click()
    editor = page.locator(".CodeMirror").first
    expect(editor).to_contain_text("replay: false")
    config = str(editor.evaluate("editor => editor.CodeMirror.getValue()"))
    assert "*" not in config
    editor.evaluate(
        "(editor, text) => editor.CodeMirror.setValue(text)", config.replace("replay: false", "replay: true")
    )
    page.get_by_placeholder("Partition").fill(first.isoformat())
    page.get_by_text(first.isoformat(), exact=True).last.click()
    page.get_by_role("dialog").get_by_role("button", name="Materialize").click()
    until(lambda: len(dagster.runs()) > before, "a run was launched")
    dagster.settled()
    run = dagster.runs()[0]
    assert run["status"] == "SUCCESS"
    assert "replay: true" in run["runConfigYaml"]
    assert len(sandbox.log.entries()) == calls


def test_a_failed_partition_shows_its_cause_and_is_alone_in_it(
    page: Page, dagster: Deployment, sandbox: Sandbox, first: date
) -> None:
    sandbox.faults.add("dt.data", do="duplicate_row", source="event", day=first)
    before = len(dagster.runs())
    backfill(page, EVENT.key, "Missing")
    until(lambda: len(dagster.runs()) > before, "a run was launched")
    dagster.settled()
    sandbox.faults.clear()
    count = dagster.partitions(EVENT.key)["numPartitions"]
    assert dagster.partitions(EVENT.key)["numMaterialized"] == count - 1
    assert dagster.partitions(EVENT.key)["numFailed"] == 1
    (run,) = (run for run in dagster.runs() if run["status"] == "FAILURE")
    page.goto(f"/assets/{EVENT.key}?view=partitions&partition={first}")
    page.get_by_role("button", name="View all historical events").click()
    page.get_by_role("dialog").get_by_text(first.isoformat(), exact=True).click()
    for text in ("grain twice: ", "next_attempt", "none: no schedule of dt_offer_wall is on"):
        expect(page.get_by_text(text).first).to_be_visible()
    open_check(page, EVENT.key, "grain_unique", "Partitions")
    expect(page.get_by_text(f"Passed ({count - 1})")).to_be_visible()
    expect(page.get_by_text("Failed (1)", exact=True)).to_be_visible()
    page.goto(f"/runs/{run['id']}")
    expect(page.get_by_text(f"(1 of {count} days) {first} failed: grain twice").first).to_be_visible()
    expect(page.get_by_text("Dependencies")).to_have_count(0)
