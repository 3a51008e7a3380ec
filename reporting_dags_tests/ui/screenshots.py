"""`make screenshots`: the pictures of Dagster's UI in `docs/`, taken of the instance that `make demo` fills."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page

from reporting_dags.demo import DAYS
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.reports.dt_offer_wall import PERFORMANCE
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.network import NETWORK
from reporting_dags_tests.ui.browser import CHROMIUM, browsing, show_groups, show_picture
from reporting_dags_tests.ui.deployment import demonstrated

_WIDTH, _HEIGHT = 1400, 800


def take(page: Page, folder: Path) -> None:
    """Take every picture into a folder."""
    page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
    show_groups(page)
    _shoot(page, folder / "groups.png")
    newest = PERFORMANCE.calendar.latest_available(datetime.now(UTC))
    page.goto(f"/assets/{PERFORMANCE.key}?view=partitions&partition={newest}")
    page.get_by_text("Failed (0)").wait_for()
    page.get_by_text("partition_row_count").wait_for()
    # It holds a temporary folder of this machine.
    page.get_by_role("row").filter(has_text="dagster/uri").evaluate("row => row.remove()")
    _shoot(page, folder / "partitions.png")
    page.goto(f"/assets/{OFFER_PERFORMANCE.key}?view=checks&checkDetail=rows_complete")
    page.get_by_text("Evaluation result").wait_for()
    page.get_by_text("Partitions", exact=True).last.click()
    page.get_by_text("Missing (0)").wait_for()
    _shoot(page, folder / "checks.png")
    for asset, name, file in (("network/settling", "curves", "settling.png"), (NETWORK.key, "money", "money.png")):
        show_picture(page, asset, name)
        _shoot(page, folder / file)


def _shoot(page: Page, path: Path) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path, animations="disabled")
    sys.stdout.write(f"{path}\n")


def main() -> int:
    """Take the pictures; return the exit status."""
    if CHROMIUM is None:
        sys.stderr.write("Chromium is not installed. Fix: install the package chromium\n")
        return 1
    with (
        TemporaryDirectory(prefix="reporting_screenshots_") as folder,
        demonstrated(Path(folder), DAYS) as dagster,
        browsing(dagster.url) as page,
    ):
        take(page, PROJECT / "docs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
