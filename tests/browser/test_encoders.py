"""Encoders compared, in a browser: a name opens its tensors, a task ranks, and a pair is picked in a map."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.i18n import translate
from core.models.encoder_scores import PUBLISHED, rank, read_measured
from tabs.encoders import disentangled
from tests.app import RunningApp
from tests.browser.test_page import DRAWN, open_exhibit

pytestmark = pytest.mark.browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
    yield context
    context.close()


def in_address(page: Page, part: str) -> None:
    page.wait_for_function("part => location.search.includes(part)", arg=part, timeout=DRAWN)


def test_a_name_lists_what_it_is_made_of(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "encoders")
    tensors = page.locator("#tab-encoders .lab-headed")
    expect(tensors).to_contain_text("w2e_query", timeout=DRAWN)
    page.locator("#tab-encoders .lab-anatomy [data-pick*=deberta]").click()
    in_address(page, "model=deberta")
    expect(tensors).to_contain_text("deberta.encoder.rel_embeddings.weight", timeout=DRAWN)
    expect(tensors).not_to_contain_text("w2e_query")


def test_the_parts_of_a_bar_are_as_long_as_the_table_says(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "encoders", measure="share")
    tracks = page.locator("#tab-encoders .lab-anatomy .lab-bar-track")
    expect(tracks).to_have_count(6, timeout=DRAWN)
    for track in tracks.all():
        whole = track.evaluate("node => node.getBoundingClientRect().width")
        parts = track.locator("i").evaluate_all("nodes => nodes.map((node) => node.getBoundingClientRect().width)")
        assert sum(parts) == pytest.approx(whole, abs=1)
        assert whole > 200


def test_the_best_stands_on_top(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "encoders", task="jsts_spearman")
    names = page.locator("#tab-encoders .lab-bars:not(.lab-anatomy) .lab-bar-name")
    rows = rank((*PUBLISHED, read_measured().scores), "jsts_spearman")
    expect(names).to_have_text([translate(f"encoders.model.{row.encoder}", "ja") for row in rows], timeout=DRAWN)


def test_positions_tell_equal_words_apart(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "disentangled")
    weights = page.locator("#tab-disentangled .lab-numbers dd")
    result = disentangled.explore(disentangled.Query())
    expect(weights).to_have_text([f"{result.attention.weights[4, place]:.3f}" for place in (0, 2)], timeout=DRAWN)
    page.get_by_role("button", name=translate("disentangled.preset.0", "ja"), exact=True).click()
    in_address(page, "content_position=0")
    alone = disentangled.explore(disentangled.Query(content_position=False, position_content=False))
    told = f"{alone.attention.weights[4, 0]:.3f}"
    expect(weights).to_have_text([told, told], timeout=DRAWN)


def test_too_many_words_are_told_in_words(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "disentangled")
    page.locator("#field-disentangled-text textarea").fill(" ".join("猫" * 13))
    told = translate("error.disentangled.many", "ja", words=13, most=12)
    expect(page.locator("#tab-disentangled")).to_contain_text(told, timeout=DRAWN)
