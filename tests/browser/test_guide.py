"""The guide of the attention map, done step by step from the keyboard alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tabs.attention.overview import EXHIBIT
from tests.app import RunningApp

pytestmark = pytest.mark.browser
DRAWN = 60_000  # milliseconds
PANEL = "#tab-attention"


def press(page: Page, selector: str, key: str = "Enter") -> None:
    page.locator(f"{PANEL} {selector}").first.focus()
    page.keyboard.press(key)


def pick(**fields: Any) -> str:
    return f"[data-pick='{json.dumps(fields, separators=(',', ':'))}']"


def test_the_guide_is_done_by_keyboard_and_skipped_at_will(app: RunningApp, browser: Browser) -> None:
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{app.url}/?tab=attention")
    page.wait_for_selector(f"{PANEL} lab-tail", timeout=DRAWN)
    steps = page.locator(f"{PANEL} .lab-tour li")
    expect(steps.first).to_be_hidden()
    press(page, ".lab-tour summary")
    expect(steps.first).to_be_visible()
    assert steps.count() == len(EXHIBIT.steps) == 8

    def ticked(*numbers: int) -> None:
        for number in range(8):
            expect(steps.nth(number)).to_have_class("lab-ticked" if number in numbers else "", timeout=DRAWN)

    press(page, pick(focus=3))  # the third step first: nobody has to keep to the order
    ticked(2)
    press(page, pick(layer=2, head=1))
    ticked(0, 2)
    press(page, pick(layer=4, head=2))
    ticked(0, 1, 2)
    press(page, "#field-attention-special input", "Space")
    ticked(0, 1, 2, 3)
    press(page, "#field-attention-words input", "Space")
    ticked(0, 1, 2, 3, 4)
    press(page, ".lab-chips .lab-chip[data-pick*='雨が強く']")
    ticked(0, 1, 2, 3, 4, 5)
    press(page, ".lab-inputs .label-wrap")
    press(page, "#field-attention-direction input[value='1-2']", "Space")
    ticked(0, 1, 2, 3, 4, 5, 6)
    press(page, ".lab-chips .lab-chip[data-pick*='decoder']")
    ticked(*range(8))
    context.close()
