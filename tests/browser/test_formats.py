"""Number formats in a browser: a bit is turned, a scale moved, a number refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.i18n import translate
from tests.app import RunningApp

pytestmark = pytest.mark.browser
ROOM = "#tab-number-formats"
DRAWN = 60_000  # milliseconds; the first drawing that is not shipped loads torch


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
    yield context
    context.close()


def open_room(context: BrowserContext, app: RunningApp, fields: str = "") -> Page:
    page = context.new_page()
    page.goto(f"{app.url}/?tab=number-formats{fields}")
    page.wait_for_selector(f"{ROOM} lab-tail", timeout=DRAWN)
    return page


def test_a_turned_bit_is_the_number_everywhere(app: RunningApp, context: BrowserContext) -> None:
    page = open_room(context, app)
    rows = page.locator(f"{ROOM} .lab-bit-row")
    expect(rows.locator("output")).to_have_text(["0.10000000149", "0.10009765625", "0.0999755859375"])
    assert [rows.nth(n).locator(".lab-bit").count() for n in range(3)] == [32, 16, 16]
    rows.nth(2).locator(".lab-bit").first.click()  # the sign of fp16
    expect(rows.locator("output")).to_have_text(
        ["-0.0999755859375", "-0.10009765625", "-0.0999755859375"], timeout=DRAWN
    )
    expect(page.locator("#field-number-formats-number :is(input, textarea)")).to_have_value("-0.0999755859375")
    page.wait_for_function("location.search.includes('number=-0.0999755859375')")
    page.reload()
    expect(rows.locator("output").first).to_have_text("-0.0999755859375", timeout=DRAWN)


def test_too_large_a_scale_throws_the_step_away(app: RunningApp, context: BrowserContext) -> None:
    page = open_room(context, app)
    expect(page.locator(f"{ROOM} .lab-caution")).to_have_count(0)
    page.locator(f"{ROOM} .lab-chips button", has_text=translate("number-formats.preset.2", "ja")).click()
    expect(page.locator(f"{ROOM} .lab-caution")).to_contain_text("2¹⁵", timeout=DRAWN)
    page.locator(f"{ROOM} .lab-chips button", has_text=translate("number-formats.preset.1", "ja")).first.click()
    expect(page.locator(f"{ROOM} .lab-caution")).to_have_count(0, timeout=DRAWN)
    columns = page.locator(f"{ROOM} .lab-fates .lab-fate-normal.lab-column i")
    heights = columns.evaluate_all("all => all.map((one) => one.getBoundingClientRect().height)")
    assert max(heights) > 100, "the hill lies where all digits are kept"


def test_the_table_stands_beside_each_picture(app: RunningApp, context: BrowserContext) -> None:
    page = open_room(context, app)
    twins = page.locator(f"{ROOM} lab-twin")
    expect(twins).to_have_count(4)
    for number in range(4):
        table = twins.nth(number).locator("table")
        expect(table).to_be_hidden()
        twins.nth(number).locator("[data-twin='1']").click()
        expect(table).to_be_visible()
    expect(twins.first.locator("tbody tr").last).to_contain_text("1001100110")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(app: RunningApp, browser: Browser, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(locale="en-US", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = open_room(context, app, "&number=1e-8")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = page.locator(f"{ROOM} .lab-bit").evaluate_all("all => all.map((one) => one.getBoundingClientRect().right)")
    assert max(boxes) <= 390
    context.close()


def test_what_is_no_number_is_told_in_words_and_the_picture_stays(app: RunningApp, context: BrowserContext) -> None:
    page = open_room(context, app)
    field = page.locator("#field-number-formats-number :is(input, textarea)")
    field.fill("猫")
    field.press("Enter")
    expect(page.locator(f"{ROOM} [role=alert]")).to_contain_text(
        translate("error.formats.number", "ja", told="猫"), timeout=DRAWN
    )
    expect(page.locator(f"{ROOM} .lab-bit-row output").last).to_have_text("0.0999755859375")
