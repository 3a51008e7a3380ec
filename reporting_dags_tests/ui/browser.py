"""A headless Chromium on Dagster's UI."""

import contextlib
import shutil
from collections.abc import Generator

from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_MILLISECONDS = 45_000
# Beside the rest of the suite, on two cores, a page takes its time.
expect.set_options(timeout=_PATIENCE_MILLISECONDS)


@contextlib.contextmanager
def browsing(url: str) -> Generator[Page]:
    """A page of a browser on the UI at `url`, as long as the context lasts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        page = browser.new_page(viewport={"width": 1600, "height": 1000}, base_url=url)
        page.set_default_timeout(_PATIENCE_MILLISECONDS)
        yield page
        browser.close()


def show_picture(page: Page, asset: str, name: str) -> None:
    """Open a picture in the metadata of an asset."""
    page.goto(f"/assets/{asset}?view=overview")
    row = page.get_by_role("row").filter(has=page.get_by_text(name, exact=True))
    row.get_by_text("[Show Markdown]").click()
    page.get_by_role("dialog").get_by_role("img").last.wait_for()


def show_groups(page: Page) -> None:
    """Open the lineage of all assets, and wait for the states of their groups."""
    page.goto("/asset-groups")
    page.locator("foreignObject .BaseTag").first.wait_for()
    page.get_by_text("fetching statuses").first.wait_for(state="detached")
