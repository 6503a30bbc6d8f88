"""Error analysis in a browser: from the matrix to the row, a file of one's own, and what a reload keeps."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.i18n import translate
from tabs.analysis.tagging import STARTERS
from tests.app import RunningApp
from tests.browser.test_page import DRAWN, open_exhibit

pytestmark = pytest.mark.browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
    yield context
    context.close()


def shown(page: Page) -> int:
    """How many rows pass, by the line above the table."""
    told = page.locator("#tab-errors .lab-view > .lab-note[role=status]").inner_text()
    return int(re.findall(r"[\d,]+", told)[-1].replace(",", ""))


def until(page: Page, count: int) -> None:
    wanted = translate("analysis.rows.count", "ja", total=f"{count:,}", rows="{}").split("{}")[-1]
    expect(page.locator("#tab-errors .lab-view > .lab-note[role=status]")).to_contain_text(wanted, timeout=DRAWN)


def test_a_cell_filters_the_rows_and_the_link_says_so(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "errors")
    cell = page.locator("#tab-errors .lab-cell").nth(1)
    count = int(cell.locator("strong").inner_text())
    cell.click()
    until(page, count)
    page.wait_for_function("location.search.includes('predicted=negative')", timeout=DRAWN)
    other = open_exhibit(context, app.url, "errors", **dict(re.findall(r"(gold|predicted)=(\w+)", page.url)))
    until(other, count)
    expect(other.locator("#tab-errors .lab-cell[aria-pressed=true]")).to_have_count(1)


def test_a_row_opens_and_closes_by_keyboard(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "errors")
    row = page.locator("#tab-errors .lab-row-text button").first
    row.focus()
    page.keyboard.press("Enter")
    detail = page.locator("#tab-errors .lab-detail")
    expect(detail).to_contain_text("−ln", timeout=DRAWN)
    expect(page.locator("#tab-errors [aria-expanded=true]").first).to_be_visible()
    page.locator("#tab-errors .lab-row-text button").first.click()
    expect(detail).to_have_count(0, timeout=DRAWN)


def test_a_point_of_the_scatter_opens_its_pair(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "errors", source="similarity")
    page.locator("#tab-errors circle").nth(16).click()
    expect(page.locator("#tab-errors .lab-opened")).to_have_count(1, timeout=DRAWN)
    expect(page.locator("#tab-errors circle.lab-chosen")).to_have_count(1)


def write(path: Path, rows: int, names: tuple[str, ...]) -> Path:
    """Predictions, every twentieth row of which is broken."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for n in range(rows):
            text = f"{n}番目の店は{'とても良かった' if n % 2 else 'がっかりした'}。"
            full = [text, "good" if n % 2 else "bad", "good" if n % 3 else "bad", "0.7"]
            writer.writerow(full[:2] if n % 20 == 7 else full)
    return path


def test_a_file_with_odd_names_and_broken_rows_is_analysed(
    app: RunningApp, context: BrowserContext, tmp_path: Path
) -> None:
    page = open_exhibit(context, app.url, "errors")
    page.get_by_text(translate("analysis.upload", "ja"), exact=True).click()
    path = write(tmp_path / "odd.csv", 400, ("感想文", "ほんとう", "機械の答え", "自信"))
    page.locator("#tab-errors input[type=file]").set_input_files(path)
    expect(page.locator("#tab-errors .lab-error")).to_contain_text(
        translate("analysis.upload.incomplete", "ja")[:20], timeout=DRAWN
    )
    page.locator("#errors-read").click()
    until(page, 380)
    view = page.locator("#tab-errors .lab-results .lab-view").first
    expect(view).to_contain_text(translate("analysis.broken", "ja", count="20", shown=20))
    expect(view).to_contain_text("odd.csv")
    assert "odd.csv" not in page.url
    page.locator('#tab-errors .lab-filters [data-pick*=\'"outcome":"wrong"\']').click()
    page.wait_for_function("location.search.includes('outcome=wrong')", timeout=DRAWN)
    wrong = shown(page)
    assert 0 < wrong < 380
    page.reload()
    until(page, wrong)
    expect(view).to_contain_text("odd.csv")
    assert "Traceback" not in app.log.read_text(encoding="utf-8")


def test_fifty_thousand_rows_stay_quick(app: RunningApp, context: BrowserContext, tmp_path: Path) -> None:
    """What the issue asks: a filter within 300 ms; here the server's share of it, which others' work does not blur."""
    page = open_exhibit(context, app.url, "errors")
    page.get_by_text(translate("analysis.upload", "ja"), exact=True).click()
    path = write(tmp_path / "many.csv", 50_000, ("text", "label", "predicted", "confidence"))
    page.locator("#tab-errors input[type=file]").set_input_files(path)
    until(page, 47_500)
    page.locator('#tab-errors .lab-filters [data-pick*=\'"outcome":"wrong"\']').click()
    page.wait_for_function("location.search.includes('outcome=wrong')", timeout=DRAWN)
    badge = page.locator("#tab-errors lab-tail .lab-tag").last.inner_text()
    milliseconds = float(re.findall(r"[\d.]+", badge)[0])
    assert translate("kit.milliseconds", "ja", milliseconds=f"{milliseconds:.1f}") == badge
    assert milliseconds < 300


def test_a_sign_leads_to_its_rows(app: RunningApp, context: BrowserContext) -> None:
    """From a skewed word to all texts that have it, in an exhibit that was not open yet."""
    page = open_exhibit(context, app.url, "shortcuts")
    panel = page.locator("#tab-shortcuts")
    term = panel.locator(".lab-shares button").first
    term.click()
    card = panel.locator(".lab-card-open")
    card.wait_for(timeout=DRAWN)
    count = int(re.findall(r"n = (\d+)", card.inner_text())[0])
    card.locator("[data-goto=errors]").click()
    page.wait_for_selector("#tab-errors lab-tail", timeout=DRAWN)
    page.wait_for_function("location.search.includes('tab=errors') && location.search.includes('pattern=')")
    assert shown(page) >= count * 0.8  # words are counted in lower case and NFKC, texts are searched as they stand
    page.get_by_role("tab", name=translate("shortcuts.tab", "ja"), exact=True).filter(visible=True).click()
    expect(panel.locator(".lab-card-open")).to_be_visible()


def test_a_phrase_becomes_the_edited_text(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "rewriting")
    panel = page.locator("#tab-rewriting")
    panel.get_by_role("button", name="+ 星４つ。", exact=True).click()
    expect(page.locator("#field-rewriting-edited textarea")).to_have_value(re.compile("星４つ。$"), timeout=DRAWN)
    expect(panel.locator(".lab-changes ins")).to_have_text("星４つ。", timeout=DRAWN)
    page.locator("#field-rewriting-edited textarea").fill("<b>猫</b>が好き。")
    expect(panel.locator(".lab-changes ins").first).to_have_text("<b>猫</b>", timeout=DRAWN)
    assert panel.locator(".lab-view b").count() == 0


def tags_of(page: Page) -> list[str]:
    return page.locator("#tab-errors .lab-row-tags .lab-tag").all_inner_texts()


def test_rows_are_tagged_by_keyboard_undone_and_there_after_a_reload(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "errors")
    told = page.locator("#tab-errors .lab-tags-told")
    names = [translate(f"analysis.tag.{name}", "ja") for name in STARTERS["classification"]]
    first, third = (page.locator("#tab-errors tr[data-index]").nth(n) for n in (0, 2))
    expect(page.locator("#tab-errors .lab-current")).to_have_count(1, timeout=DRAWN)
    page.keyboard.press("1")
    expect(first.locator(".lab-tag")).to_have_text([names[0]], timeout=DRAWN)
    for key in "jjj":
        page.keyboard.press(key)
    page.keyboard.press("k")
    expect(third).to_have_attribute("aria-current", "true")
    page.keyboard.press("1")
    expect(third.locator(".lab-tag")).to_have_text([names[0]], timeout=DRAWN)
    page.keyboard.press("2")
    expect(third.locator(".lab-tag")).to_have_text(sorted(names[:2]), timeout=DRAWN)
    expect(page.locator("#tab-errors [data-tag]").first.locator("output")).to_have_text("2")
    page.keyboard.press("u")
    expect(third.locator(".lab-tag")).to_have_text([names[0]], timeout=DRAWN)
    for key in "3453":  # faster than any answer
        page.keyboard.press(key)
    expect(third.locator(".lab-tag")).to_have_text(sorted([names[0], names[3], names[4]]), timeout=DRAWN)
    for _ in range(4):
        page.keyboard.press("u")
    expect(third.locator(".lab-tag")).to_have_text([names[0]], timeout=DRAWN)
    for _ in range(4):
        page.keyboard.press("Shift+U")
    expect(third.locator(".lab-tag")).to_have_count(3, timeout=DRAWN)
    new = page.locator("#tab-errors .lab-new-tag")
    new.fill("<b>1j</b>")  # what is typed here are no keys, and what is written is no markup
    new.press("Enter")
    expect(third.locator(".lab-tag").first).to_have_text("<b>1j</b>", timeout=DRAWN)
    expect(told).to_contain_text("<b>1j</b>")
    page.keyboard.press("Tab")
    page.reload()
    expect(page.locator("#tab-errors [data-tag]").nth(5)).to_contain_text("<b>1j</b>", timeout=DRAWN)
    assert sorted(tags_of(page)) == sorted([names[0], names[0], *names[3:], "<b>1j</b>"])
    other = context.browser.new_context(locale="ja-JP") if context.browser else context
    alone = open_exhibit(other, app.url, "errors")
    expect(alone.locator("#tab-errors .lab-current")).to_have_count(1, timeout=DRAWN)
    assert tags_of(alone) == []  # nobody sees another's
    other.close()


def test_a_tag_for_the_whole_filter_is_on_the_next_page_too(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "errors", outcome="wrong")
    count = shown(page)
    expect(page.locator("#tab-errors .lab-current")).to_have_count(1, timeout=DRAWN)
    every, hint = page.locator("#tab-errors [data-does=all]"), page.locator("#tab-errors .lab-tag-hint")
    armed, keys = translate("analysis.tags.armed", "ja", total=str(count)), translate("analysis.tags.keys", "ja")
    for leave in ("button", "Escape"):  # two ways out, and nothing was tagged
        every.click()
        expect(hint).to_have_text(armed)
        if leave == "button":
            every.click()
        else:
            page.keyboard.press("Escape")
        expect(hint).to_have_text(keys)
        expect(every).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("3")
    expect(page.locator("#tab-errors .lab-row-tags .lab-tag")).to_have_count(1, timeout=DRAWN)
    page.keyboard.press("3")
    expect(page.locator("#tab-errors .lab-row-tags .lab-tag")).to_have_count(0, timeout=DRAWN)
    every.click()
    page.keyboard.press("3")
    name = translate("analysis.tag.mixed", "ja")
    told = translate("analysis.tags.everything", "ja", tag=name, count=str(count))
    expect(page.locator("#tab-errors .lab-tags-told")).to_have_text(told, timeout=DRAWN)
    expect(every).to_have_attribute("aria-pressed", "false")
    expect(hint).to_have_text(keys)
    for _ in range(20):
        page.keyboard.press("j")
    page.wait_for_function("location.search.includes('page=2')", timeout=DRAWN)
    expect(page.locator("#tab-errors .lab-row-tags .lab-tag")).to_have_count(20, timeout=DRAWN)
    expect(page.locator("#tab-errors tr[data-index]").first).to_have_attribute("aria-current", "true")
    page.keyboard.press("k")
    page.wait_for_function("!location.search.includes('page=')", timeout=DRAWN)
    expect(page.locator("#tab-errors tr[data-index]").last).to_have_attribute("aria-current", "true", timeout=DRAWN)
    page.keyboard.press("u")
    expect(page.locator("#tab-errors .lab-row-tags .lab-tag")).to_have_count(0, timeout=DRAWN)


def test_other_data_begin_at_their_first_row(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "errors", order="index", direction="up")
    rows = page.locator("#tab-errors tr[data-index]")
    expect(rows.first).to_have_attribute("aria-current", "true", timeout=DRAWN)
    for _ in range(5):
        page.keyboard.press("j")
    expect(rows.nth(5)).to_have_attribute("aria-current", "true")
    page.locator("#tab-errors").get_by_text(translate("kit.more", "ja"), exact=True).click()
    page.locator("#field-errors-source input").fill("inference")
    page.locator("#field-errors-source input").press("Enter")
    page.keyboard.press("Tab")
    wanted = translate("errors.read.label", "ja")
    expect(page.locator("#tab-errors .lab-view").first).to_contain_text(wanted, timeout=DRAWN)
    page.wait_for_function("location.search.includes('source=inference')", timeout=DRAWN)
    expect(rows.first).to_have_attribute("aria-current", "true", timeout=DRAWN)
    expect(page.locator("#tab-errors .lab-current")).to_have_count(1)


def test_on_a_phone_the_matrix_and_the_tags_are_all_in_sight(app: RunningApp, browser: Browser) -> None:
    for locale, language in (("ja-JP", "ja"), ("en-US", "en")):
        context = browser.new_context(locale=locale, viewport={"width": 390, "height": 844})
        page = open_exhibit(context, app.url, "errors", lang=language)
        expect(page.locator("#tab-errors .lab-current")).to_have_count(1, timeout=DRAWN)
        for part in (".lab-matrix .lab-cell", ".lab-tag-bar button", ".lab-tag-bar input"):
            for box in (one.bounding_box() for one in page.locator(f"#tab-errors {part}").all()):
                assert box
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= 390
        context.close()


def test_rows_and_a_bundle_are_taken_away_with_their_tags(
    app: RunningApp, context: BrowserContext, tmp_path: Path
) -> None:
    page = open_exhibit(context, app.url, "errors", outcome="wrong", gold="negative")
    count = shown(page)
    expect(page.locator("#tab-errors .lab-current")).to_have_count(1, timeout=DRAWN)
    index = page.locator("#tab-errors tr[data-index]").first.get_attribute("data-index")
    page.keyboard.press("4")
    name = translate("analysis.tag.knowledge", "ja")
    expect(page.locator("#tab-errors .lab-row-tags .lab-tag")).to_have_text([name], timeout=DRAWN)
    with page.expect_download() as download:
        page.locator("#tab-errors [data-does=csv]").click()
    download.value.save_as(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count
    assert {(row["gold"], row["correct"]) for row in rows} == {("negative", "false")}
    assert (rows[0]["index"], json.loads(rows[0]["tags"])) == (index, [name])
    page.locator("#tab-errors [data-does=bundle]").click()
    link = page.locator("#tab-errors lab-job a")
    link.wait_for(timeout=DRAWN)
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert set(archive.namelist()) == {"errors.csv", "report.md", "analysis.ipynb"}
        report = archive.read("report.md").decode("utf-8")
        assert len(list(csv.DictReader(io.TextIOWrapper(archive.open("errors.csv"), "utf-8-sig")))) == 200
    assert report.startswith(f"# {translate('analysis.report.title', 'ja')}")
    assert name in report
    address = link.get_attribute("href")
    stranger = context.browser.new_context() if context.browser else context
    assert stranger.request.get(f"{app.url}/{address}").status in (404, 422)
    stranger.close()


def test_a_file_goes_along_to_the_other_exhibits(app: RunningApp, context: BrowserContext, tmp_path: Path) -> None:
    page = open_exhibit(context, app.url, "errors")
    page.get_by_text(translate("analysis.upload", "ja"), exact=True).click()
    path = write(tmp_path / "along.csv", 200, ("text", "label", "predicted", "confidence"))
    page.locator("#tab-errors input[type=file]").set_input_files(path)
    until(page, 190)
    for slug in ("calibration", "rivals"):
        page.locator("#tab-errors").get_by_role("button", name=translate(f"{slug}.open", "ja"), exact=True).click()
        expect(page.locator(f"#tab-{slug} .lab-results")).to_contain_text("along.csv", timeout=DRAWN)
        if slug == "calibration":
            page.get_by_role("tab", name=translate("errors.tab", "ja"), exact=True).filter(visible=True).click()
    panel = page.locator("#tab-rivals")
    expect(panel.locator(".lab-caution").first).to_have_text(translate("rivals.same", "ja"))
    newer = tmp_path / "newer.csv"
    newer.write_text(path.read_text(encoding="utf-8").replace(",bad,good,", ",bad,bad,"), encoding="utf-8")
    panel.get_by_text(translate("rivals.upload", "ja"), exact=True).click()
    panel.locator("input[type=file]").set_input_files(newer)
    expect(panel.locator(".lab-results")).to_contain_text("newer.csv", timeout=DRAWN)
    fixed, broken = (panel.locator(f".lab-cell[data-pick*={group}] strong") for group in ("fixed", "broken"))
    assert int(fixed.inner_text()) > 0
    expect(broken).to_have_text("0")


def test_a_long_file_is_cross_validated_by_a_job(app: RunningApp, context: BrowserContext, tmp_path: Path) -> None:
    page = open_exhibit(context, app.url, "errors")
    page.get_by_text(translate("analysis.upload", "ja"), exact=True).click()
    path = write(tmp_path / "long.csv", 1_200, ("text", "label", "predicted", "memo"))
    page.locator("#tab-errors input[type=file]").set_input_files(path)
    until(page, 1_140)
    page.locator("#tab-errors").get_by_role("button", name=translate("label-errors.open", "ja"), exact=True).click()
    panel = page.locator("#tab-label-errors")
    expect(panel.locator("[role=alert]")).to_have_text(translate("error.analysis.cross_instead", "ja"), timeout=DRAWN)
    panel.get_by_label(translate("label-errors.crossed", "ja")).check()
    start = panel.get_by_role("button", name=translate("cross-validate.start", "ja"), exact=True)
    start.click(timeout=DRAWN)
    expect(panel.locator(".lab-results")).to_contain_text("long.csv", timeout=DRAWN)
    expect(panel.locator(".lab-results")).to_contain_text(translate("label-errors.origin.crossed", "ja")[:30])
    found, planted = map(int, re.findall(r"\d+", panel.locator(".lab-numbers dd").nth(2).inner_text()))
    assert planted == 57
    assert found > 40  # the words of these texts tell their label
