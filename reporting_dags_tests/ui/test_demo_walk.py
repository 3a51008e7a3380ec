"""What a newcomer sees of `make demo` and, in a real browser, of `make ui`: all is complete, and all of it is green.

Each test goes on where the one before it has ended. Those in a browser are skipped where Chromium is not installed.
"""

import shutil
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from dotenv import dotenv_values
from playwright.sync_api import Page, expect

from reporting_dags.definitions import definitions
from reporting_dags.local import sandbox_accounts
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.ui.browser import CHROMIUM, browsing, show_groups, show_picture
from reporting_dags_tests.ui.deployment import Deployment, run_demo, showing, until

DAYS = 3
PICTURES = (("network/settling", "curves"), (NETWORK.key, "money"))
pytestmark = pytest.mark.timeout(400)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: the UI is not walked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A project of its own, whose `.env` and environment name an account, and what its demo has left and printed."""

    folder: Path
    project: Path
    account: Sandbox
    variables: dict[str, str]
    printed: str

    def files(self) -> dict[Path, tuple[bytes, int]]:
        """The content of each file of data, and when it was written."""
        found = [path for path in (self.folder / "data").rglob("*") if path.is_file()]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def published() -> list[date]:
    """The latest day of each report that is published now."""
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
def demo(tmp_path_factory: pytest.TempPathFactory, before: list[date]) -> Generator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    project = folder / "project"
    shutil.copytree(PROJECT / "reporting_dags", project / "reporting_dags")
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(PROJECT / name, project)
    with running_sandbox(seed=7) as account:
        variables = sandbox_accounts(account.url)
        names = ("DT_BASE_URL", "DT_CLIENT_ID", "DT_CLIENT_SECRET")
        (project / ".env").write_text("".join(f"{name}={variables[name]}\n" for name in names))
        printed = run_demo(folder, DAYS, project, **variables)
        yield Demo(folder=folder, project=project, account=account, variables=variables, printed=printed)


@pytest.fixture(scope="module")
def dagster(demo: Demo) -> Generator[Deployment]:
    with showing(demo.folder, demo.project, **demo.variables) as running:
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
            # A report whose latest day is published earlier than another's has one day more.
            assert stats["numMaterialized"] == stats["numPartitions"] >= DAYS, report.key
        assert set(dagster.checks(report.key).values()) == {"SUCCEEDED"}, report.key
    show_groups(page)
    groups = page.locator("foreignObject")
    expect(groups).to_have_count(len({report.provider for report in all_reports()}) + 1)
    for group in groups.all():
        tags = group.locator(".BaseTag")
        expect(tags).to_have_count(1)
        assert "green" in str(tags.get_attribute("style")), group.text_content()


def offered_partitions() -> dict[dg.AssetKey, list[str]]:
    """The partitions that Dagster offers now, by asset."""
    found: dict[dg.AssetKey, list[str]] = {}
    for asset in definitions().resolve_asset_graph().asset_nodes:
        if asset.partitions_def is not None:
            found[asset.key] = list(asset.partitions_def.get_partition_keys())
    return found


def test_the_demo_brings_everything_home_again_is_a_no_op_and_the_account_of_a_dotenv_file_is_left_alone(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = demo.files()
    printed = run_demo(demo.folder, DAYS, demo.project, **demo.variables)
    for text in (demo.printed, printed):
        assert "every report is whole" in text
    assert len(before) >= 6
    assert demo.files() == before
    assert "nothing is missing or due" in printed
    assert demo.account.log.entries() == [], "the account of the .env file was not asked"
    home = demo.folder / "home"
    for name, value in dotenv_values(home / ".env").items():
        monkeypatch.setenv(name, value or "")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    offered = offered_partitions()
    assert len(offered) >= 12
    with dg.DagsterInstance.get() as instance:
        for key, partitions in offered.items():
            assert len(partitions) >= 3
            assert instance.get_materialized_partitions(key) == set(partitions), key


@in_browser
def test_after_the_demo_every_partition_check_and_group_is_green(page: Page, dagster: Deployment) -> None:
    assert_green(page, dagster)


@in_browser
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


@in_browser
@pytest.mark.parametrize(("asset", "name"), PICTURES)
def test_how_reports_settle_and_what_networks_earned_is_shown_as_a_picture(page: Page, asset: str, name: str) -> None:
    show_picture(page, asset, name)
    picture = page.get_by_role("dialog").get_by_role("img").last
    assert picture.evaluate("image => image.naturalWidth") > 400
