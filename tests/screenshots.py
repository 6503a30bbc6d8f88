"""Take the README's pictures from the running app: ``python -m tests.screenshots [SLUG …]``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tabs import EXHIBITS
from tests.app import ROOT, launched

FOLDER = ROOT / "assets" / "screenshots"


def main(slugs: list[str]) -> None:
    """One picture for each exhibit and one of the contents page."""
    wanted = slugs or ["contents", *(exhibit.slug for exhibit in EXHIBITS)]
    with tempfile.TemporaryDirectory() as folder, launched(Path(folder)) as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for slug in wanted:
            page = browser.new_page(locale="ja-JP", viewport={"width": 1200, "height": 860})
            page.goto(f"{app.url}/?tab={slug}")
            page.wait_for_selector(".lab-card" if slug == "contents" else f"#tab-{slug} lab-tail", timeout=120_000)
            page.wait_for_timeout(800)
            page.screenshot(path=FOLDER / f"{slug}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
