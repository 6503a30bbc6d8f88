"""What anybody needs who does not see the page, or not well: checked by axe on every exhibit, in light and dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tabs import EXHIBITS
from tests.app import RunningApp

pytestmark = pytest.mark.browser
DRAWN = 60_000  # milliseconds


@pytest.mark.parametrize("slug", ["contents", *(exhibit.slug for exhibit in EXHIBITS)])
def test_axe_finds_no_fault(app: RunningApp, browser: Browser, slug: str) -> None:
    """Names of controls, roles, headings, contrast of 4.5 to 1, and whatever else axe knows."""
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{app.url}/?tab={slug}&__theme=light")
    page.wait_for_selector(".lab-card" if slug == "contents" else f"#tab-{slug} lab-tail", timeout=DRAWN)
    page.wait_for_timeout(600)  # Gradio settles its theme
    found = []
    for theme in ("light", "dark"):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
        page.wait_for_timeout(200)
        found += [
            f"{theme} {violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in Axe().run(page).response["violations"]
            for node in violation["nodes"]
        ]
    context.close()
    assert not found, "\n".join(found)
