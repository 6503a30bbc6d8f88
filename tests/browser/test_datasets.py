"""Data in a browser: the line in the picture, filters in the link, leaks put in on purpose, a file of one's own."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from core.i18n import translate
from tests.app import RunningApp, launched
from tests.browser.test_page import DRAWN, open_exhibit
from tests.data.hub_server import HubServer, serve
from tests.data.test_hub import README, as_parquet

pytestmark = pytest.mark.browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
    yield context
    context.close()


def in_address(page: Page, *parts: str) -> None:
    wanted = json.dumps(parts)
    page.wait_for_function(f"{wanted}.every((part) => location.search.includes(part))", timeout=DRAWN)


def passing(page: Page, rows: int, total: int) -> None:
    told = translate("dataset.rows.count", "ja", total=f"{total:,}", rows=f"{rows:,}")
    expect(page.locator("#tab-dataset .lab-view [role=status]")).to_have_text(told, timeout=DRAWN)


def figure(page: Page, key: str, **params: str | int) -> Locator:
    named = page.locator("#tab-dataset .lab-numbers div").filter(has_text=translate(key, "ja", **params))
    return named.locator("dd")


def test_a_click_moves_the_line_and_the_rows_beyond_it_are_read(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "dataset")
    page.locator("#tab-dataset .lab-column").nth(6).click()
    in_address(page, "max_length=34")
    cut = figure(page, "dataset.figure.cut", length=34).inner_text()
    count = int(re.findall(r"\((\d+)\)", cut)[0])
    page.locator('#tab-dataset .lab-filters [data-pick*=\'"fit":"cut"\']').click()
    in_address(page, "fit=cut")
    passing(page, 600, count)
    page.locator("#tab-dataset .lab-row-text button").first.click()
    expect(page.locator("#tab-dataset .lab-detail .lab-gone").first).to_be_visible(timeout=DRAWN)
    other = open_exhibit(context, app.url, "dataset", max_length="34", fit="cut")
    passing(other, 600, count)


def test_copies_make_a_leak_and_keeping_content_together_mends_it(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "dataset")
    expect(figure(page, "dataset.leaks.exact")).to_have_text("0")
    page.locator("#tab-dataset [data-pick*='\"copies\":20']").click()
    in_address(page, "copies=20")
    page.locator('#tab-dataset [data-pick*=\'"division":"random"\']').click()
    in_address(page, "copies=20", "division=random")
    expect(figure(page, "dataset.leaks.exact")).not_to_have_text("0", timeout=DRAWN)
    page.locator('#tab-dataset [data-pick*=\'"division":"grouped"\']').click()
    expect(figure(page, "dataset.leaks.exact")).to_have_text("0", timeout=DRAWN)


def test_the_benchmark_is_a_way_to_other_data(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "dataset", label="negative")
    page.locator('#tab-dataset .lab-jglue [data-pick*=\'"source":"inference"\']').click()
    in_address(page, "source=inference")
    passing(page, 150, 150)
    assert "label" not in page.url


def test_texts_of_like_length_together_leave_little_padding(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "dataset")
    page.locator("#tab-dataset [data-goto=batch]").first.click()
    page.wait_for_selector("#tab-batch lab-tail", timeout=DRAWN)
    padding = page.locator("#tab-batch .lab-numbers div").filter(has_text=translate("batch.figure.padding", "ja"))
    before = padding.inner_text()
    page.locator("#tab-batch .lab-stack").nth(4).click()
    in_address(page, "number=5")
    expect(padding).not_to_have_text(before, timeout=DRAWN)
    grid = page.locator("#tab-batch .lab-batch")
    pads = grid.locator("td.lab-pad").count()
    assert pads > 0
    page.locator("#field-batch-grouping input").check()
    in_address(page, "grouping=1", "number=5")
    expect(grid.locator("td.lab-pad")).not_to_have_count(pads, timeout=DRAWN)
    assert grid.locator("td.lab-pad").count() < pads / 2
    page.locator("#tab-batch [data-pick*='\"row\":3']").first.click()
    in_address(page, "row=3")
    expect(grid.locator(".lab-opened th")).to_have_text("3", timeout=DRAWN)


def write(path: Path, rows: int) -> Path:
    """Reviews under odd names, every twentieth row of which is broken."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("番号", "感想文", "星の評価"))
        for n in range(rows):
            full = [n, f"{n}番目の店は{'とても良かった' if n % 2 else 'がっかりした'}。", "良い" if n % 2 else "悪い"]
            writer.writerow(full[:2] if n % 20 == 7 else full)
    return path


def test_a_file_with_odd_names_and_broken_rows_is_seen_whole(
    app: RunningApp, context: BrowserContext, tmp_path: Path
) -> None:
    page = open_exhibit(context, app.url, "dataset")
    page.get_by_text(translate("dataset.upload", "ja"), exact=True).click()
    page.locator("#tab-dataset input[type=file]").set_input_files(write(tmp_path / "odd.csv", 400))
    expect(page.locator("#tab-dataset .lab-error")).to_contain_text(
        translate("dataset.upload.incomplete", "ja")[:20], timeout=DRAWN
    )
    expect(page.locator("#tab-dataset .lab-inputs .lab-table")).to_contain_text("0番目の店はがっかりした。")
    page.locator("#dataset-read").click()
    passing(page, 380, 380)
    view = page.locator("#tab-dataset .lab-view").filter(has=page.locator(".lab-histogram")).first
    expect(view).to_contain_text(translate("data.broken", "ja", count="20", shown=20))
    expect(view).to_contain_text("odd.csv")
    assert "odd.csv" not in page.url
    page.locator('#tab-dataset .lab-filters [data-pick*=\'"label":"良い"\']').click()
    passing(page, 380, 180)
    page.reload()
    passing(page, 380, 180)
    assert "Traceback" not in app.log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    rows = [{"sentence": f"{n}番目の店です。", "label": n % 2} for n in range(40)]
    pairs = [{"a": f"犬{n}", "b": n} for n in range(10)]
    files = {"README.md": README, "data/train-00000-of-00001.parquet": as_parquet(rows, ["positive", "negative"])}
    other = {"README.md": README, "data/train-00000-of-00001.parquet": as_parquet(pairs)}
    with serve({"someone/reviews": {"main": files}, "someone/other": {"main": other}}) as server:
        yield server


@pytest.fixture(scope="module")
def connected(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    folder = tmp_path_factory.mktemp("connected")
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "0"}
    with launched(folder, environment=environment) as running:
        yield running


def test_data_of_the_hub_are_fetched_on_a_press_and_kept(
    connected: RunningApp, hub: HubServer, context: BrowserContext
) -> None:
    page = open_exhibit(context, connected.url, "dataset")
    assert not hub.requests, "nothing is asked for before"
    page.get_by_text(translate("dataset.hub", "ja"), exact=True).click()
    box = page.locator("#dataset-hub textarea, #dataset-hub input")
    for name, told in (
        ("someone/nothing", translate("error.data.hub_unknown", "ja", source="someone/nothing")),
        ("someone/other", "label"),
    ):
        box.fill(name)
        page.locator("#dataset-hub-fetch").click()
        expect(page.locator("#tab-dataset .lab-inputs lab-job")).to_contain_text(told, timeout=DRAWN)
    passing(page, 600, 600)
    box.fill("someone/reviews")
    page.locator("#dataset-hub-fetch").click()
    passing(page, 40, 40)
    expect(page.locator("#tab-dataset .lab-results")).to_contain_text("someone/reviews")
    assert "reviews" not in page.url
    asked = len(hub.requests)
    page.reload()
    passing(page, 40, 40)
    assert len(hub.requests) == asked, "it is a file of the visitor's now"
    page.locator("#tab-dataset [data-goto=training]").click()
    page.wait_for_selector("#tab-training .lab-inputs .lab-chosen:text('someone-reviews')", timeout=DRAWN)
    assert not list(connected.workspace.glob("*/fetching-*"))
    assert "Traceback" not in connected.log.read_text(encoding="utf-8")


def test_another_visitor_never_sees_the_file(app: RunningApp, browser: Browser, tmp_path: Path) -> None:
    pages = []
    for number in range(2):
        context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
        pages.append(open_exhibit(context, app.url, "dataset"))
        if number == 0:
            pages[0].get_by_text(translate("dataset.upload", "ja"), exact=True).click()
            pages[0].locator("#tab-dataset input[type=file]").set_input_files(write(tmp_path / "secret.csv", 100))
            expect(pages[0].locator("#dataset-read")).to_be_visible(timeout=DRAWN)
            pages[0].locator("#dataset-read").click()
            passing(pages[0], 95, 95)
    passing(pages[1], 600, 600)
    assert "secret" not in pages[1].content()
    pages[1].goto(pages[0].url)
    passing(pages[1], 600, 600)
    expect(pages[1].locator("#tab-dataset .lab-notice")).to_contain_text(translate("dataset.source", "ja"))
    for page in pages:
        page.context.close()
