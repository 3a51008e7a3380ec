"""What a newcomer sees after `make demo` and `make ui`, in a real browser: all is complete, and all of it is green.

Each test goes on where the one before it has ended. Skipped where Chromium is not installed.
"""

from collections.abc import Generator
from datetime import UTC, date, datetime

import pytest
from playwright.sync_api import Page, expect

from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.registry import all_reports
from reporting_dags_tests.ui.browser import CHROMIUM, browsing, show_groups, show_picture
from reporting_dags_tests.ui.deployment import Deployment, demonstrated, until

DAYS = 3
PICTURES = (("network/settling", "curves"), (NETWORK.key, "money"))
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: the UI is not walked"),
    pytest.mark.timeout(400),
]


def published() -> list[date]:
    """The newest day of each report that is published now."""
    now = datetime.now(UTC)
    return [report.calendar.latest_available(now) for report in all_reports() if report.partitioned]


@pytest.fixture(scope="module")
def before() -> list[date]:
    return published()


@pytest.fixture(autouse=True)
def only_while_no_day_is_published(before: list[date]) -> None:
    if published() != before:
        pytest.skip("a day was published since the demo: it is rightly missing")


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory, before: list[date]) -> Generator[Deployment]:
    with demonstrated(tmp_path_factory.mktemp("demo"), DAYS) as running:
        yield running


@pytest.fixture(scope="module")
def page(dagster: Deployment) -> Generator[Page]:
    with browsing(dagster.url) as opened:
        yield opened


def assert_green(page: Page, dagster: Deployment) -> None:
    """Every partition of every report has landed, every check has passed, and the lineage shows no other color."""
    for report in (*all_reports(), NETWORK):
        if report.partitioned:
            stats = dagster.partitions(report.key)
            assert stats["numMaterialized"] == stats["numPartitions"] == DAYS, report.key
        assert set(dagster.checks(report.key).values()) == {"SUCCEEDED"}, report.key
    show_groups(page)
    groups = page.locator("foreignObject")
    expect(groups).to_have_count(len({report.provider for report in all_reports()}) + 1)
    for group in groups.all():
        tags = group.locator(".BaseTag")
        expect(tags).to_have_count(1)
        assert "green" in str(tags.get_attribute("style")), group.text_content()


def test_after_the_demo_every_partition_check_and_group_is_green(page: Page, dagster: Deployment) -> None:
    assert_green(page, dagster)


def test_with_every_schedule_and_sensor_on_all_stays_green_and_no_run_is_needed(
    page: Page, dagster: Deployment
) -> None:
    runs = len(dagster.runs())
    page.goto("/automation")
    page.get_by_text("Select all").click()
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name="Start").click()
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    until(lambda: not dagster.automations_off(), "every schedule and sensor is on")
    until(lambda: all(count > 0 for name, count in dagster.ticks().items() if name.endswith("_late")), "ticks", 180)
    dagster.settled()
    assert len(dagster.runs()) == runs
    assert_green(page, dagster)


@pytest.mark.parametrize(("asset", "name"), PICTURES)
def test_how_reports_settle_and_what_networks_earned_is_shown_as_a_picture(page: Page, asset: str, name: str) -> None:
    show_picture(page, asset, name)
    picture = page.get_by_role("dialog").get_by_role("img").last
    assert picture.evaluate("image => image.naturalWidth") > 400
