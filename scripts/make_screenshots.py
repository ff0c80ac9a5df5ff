"""Writes docs/screenshots/: each page, light and dark, as a first-day user sees it with the samples.

Needs Debian's chromium and the development set-up. A server of its own runs over a temporary data
folder without a chat model, so the pictures show the same every time but for the seconds taken.
Each is 1440 by 900 and under 300 kB.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests import server  # noqa: E402 - the checkout is not installed as a package named tests
from tests.test_browser import CHROMIUM, FLAGS, NOTICE, answered, ask  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
SIZE = {"width": 1440, "height": 900}
MOST_BYTES = 300_000
SETTLED = 900
"""Milliseconds for fonts and pictures to be drawn."""


def main() -> None:
    """Make all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        started = server.start(Path(folder) / "data")
        try:
            for shade in ("light", "dark"):
                welcome(browser, started.url, shade)
            for shade in ("light", "dark"):
                visit(browser, started.url, shade)
        finally:
            started.stop()
            browser.close()


def welcome(browser: Browser, url: str, shade: str) -> None:
    """Picture the first visit to an empty archive."""
    with window(browser, shade) as page:
        page.goto(url)
        expect(page.get_by_role("button", name="Open the sample workspace")).to_be_visible()
        keep(page, f"welcome-{shade}")


def visit(browser: Browser, url: str, shade: str) -> None:
    """Picture the documents, an answer with its line boxed, and that line in the reader."""
    with window(browser, shade) as page:
        page.goto(url)
        sample = page.get_by_role("button", name="Open the sample workspace")
        expect(sample.or_(page.get_by_placeholder("Ask about your documents"))).to_be_visible()
        if sample.count():
            sample.click()
            expect(page.get_by_role("heading", name="What do you want to know?")).to_be_visible()
        page.get_by_role("link", name="Documents").click()
        expect(page.locator(".state.ready")).to_have_count(12, timeout=60_000)
        keep(page, f"documents-{shade}")
        page.get_by_role("link", name="Ask").click()
        ask(page, NOTICE)
        answered(page)
        expect(page.locator(".st-key-evidence-picture img")).to_be_visible()
        page.get_by_placeholder("Ask about your documents").blur()
        keep(page, f"ask-{shade}")
        page.get_by_role("link", name="Open in the reader").click()
        expect(page.locator(".st-key-page-picture img")).to_be_visible()
        keep(page, f"reader-{shade}")
        page.get_by_role("link", name="Ask").click()
        page.locator("nav .drop").first.click()
        page.locator("nav").get_by_role("button", name="Delete").first.click()


@contextmanager
def window(browser: Browser, shade: str) -> Iterator[Page]:
    """Open a window in a shade."""
    context = browser.new_context(
        viewport={"width": SIZE["width"], "height": SIZE["height"]},
        color_scheme="dark" if shade == "dark" else "light",
    )
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def keep(page: Page, name: str) -> None:
    """Write what the window shows."""
    page.mouse.move(SIZE["width"] / 2, SIZE["height"] - 2)
    page.wait_for_timeout(SETTLED)
    with Image.open(io.BytesIO(page.screenshot())) as image:
        drawn = image.convert("RGB")
    path = FOLDER / f"{name}.png"
    drawn.save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        drawn.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} has {size} bytes")
    print(f"{path.name}: {size // 1000} kB")


if __name__ == "__main__":
    main()
