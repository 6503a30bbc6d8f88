"""A visitor's browser: what it sees, what it asks for, what it keeps when the connection breaks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from types import MappingProxyType
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from core.i18n import LOCALES, Locale, translate, words
from core.sections import chapters
from tabs import EXHIBITS
from tabs._kit.exhibit import Exhibit
from tests.app import CuttableProxy, RunningApp

pytestmark = pytest.mark.browser
each_exhibit = pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda e: e.slug)
DRAWN = 30_000  # milliseconds; the first exhibit that needs a model waits for torch

PHONE = 360  # pixels
LONG: Mapping[Locale, int] = MappingProxyType({"ja": 6, "en": 16})  # letters that no name of a model has by chance


@cache
def find_foreign(locale: Locale) -> frozenset[str]:
    """What the app says in its other language only, cut where a number or a name would stand."""
    here = "\n".join(words(locale).values())
    return frozenset(
        phrase.strip()
        for other in LOCALES
        for sentence in words(other).values()
        for phrase in re.split(r"\{[^}]*\}|<[^>]*>", sentence)
        if len(phrase.strip()) >= LONG[other] and phrase.strip() not in here
    )


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
    yield context
    context.close()


def open_exhibit(context: BrowserContext, url: str, slug: str, **fields: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}/?tab={slug}" + "".join(f"&{name}={quote(value)}" for name, value in fields.items()))
    page.wait_for_selector(f"#tab-{slug} lab-tail", timeout=DRAWN)
    return page


@each_exhibit
@pytest.mark.parametrize("locale", LOCALES)
def test_the_default_is_drawn_without_a_click_and_without_another_host(
    app: RunningApp, browser: Browser, exhibit: Exhibit, locale: Locale
) -> None:
    elsewhere: list[str] = []
    faults: list[str] = []

    def note(request: Request) -> None:
        if urlsplit(request.url).scheme in ("http", "https", "ws") and urlsplit(request.url).hostname != "127.0.0.1":
            elsewhere.append(request.url)

    context = browser.new_context(locale=locale, viewport={"width": PHONE, "height": 800})
    context.on("request", note)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    page = open_exhibit(context, app.url, exhibit.slug)
    panel = page.locator(f"#tab-{exhibit.slug}")
    expect(panel.locator(".lab-question")).to_contain_text(translate(f"{exhibit.slug}.question", locale))
    expect(panel.locator(".lab-view").first).to_be_visible()
    assert panel.locator(".lab-view .lab-waiting").count() == 0, "still no result"
    assert "".join(panel.locator(".lab-view").all_inner_texts()).strip()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, "the page scrolls sideways on a phone"
    assert panel.locator(".lab-error").count() == 0
    assert not elsewhere
    assert not faults
    assert not [phrase for phrase in find_foreign(locale) if phrase in page.inner_text("body")]
    context.close()


def test_the_contents_page_maps_the_book(app: RunningApp, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(app.url)
    page.wait_for_selector(".lab-card")
    assert page.locator(".lab-card").count() == len(EXHIBITS)
    assert page.locator(".lab-map li").count() == 173 - 9
    assert page.get_by_role("tab").count() >= 10
    page.locator(".lab-card").first.click()
    page.wait_for_selector("lab-tail", timeout=DRAWN)
    assert parse_qs(urlsplit(page.url).query)["tab"] == [EXHIBITS[0].slug]


def test_the_first_page_is_no_heavier_than_its_doors(app: RunningApp, context: BrowserContext) -> None:
    """What the browser mounts at first grows with the book by three small components for each exhibit, no more."""
    page = context.new_page()
    page.goto(app.url)
    page.wait_for_selector(".lab-card")
    page.wait_for_load_state("networkidle")
    told = page.evaluate(
        """() => ({ components: gradio_config.components.length, listeners: gradio_config.dependencies.length,
                    elements: document.querySelectorAll("*").length,
                    requests: performance.getEntriesByType("resource").length,
                    kinds: [...new Set(gradio_config.components.map(one => one.type))] })"""
    )
    assert told["components"] <= 3 * len(EXHIBITS) + 40
    assert told["listeners"] <= len(EXHIBITS) + 4
    assert not {"textbox", "slider", "dropdown", "radio", "checkbox", "file", "api"} & set(told["kinds"])
    assert told["elements"] <= 1_800
    assert told["requests"] <= 60


def test_every_door_opens_from_the_contents(app: RunningApp, context: BrowserContext) -> None:
    """One visit to all exhibits: each is fetched once, drawn, and its widgets can be used."""
    page = context.new_page()
    page.goto(app.url)
    page.wait_for_selector(".lab-card")
    for number, exhibit in enumerate(EXHIBITS):
        page.locator(".lab-card").nth(number).click()
        panel = page.locator(f"#tab-{exhibit.slug}")
        panel.locator("lab-tail").wait_for(timeout=DRAWN)
        assert panel.locator("[id^=field-]").count() > 0
        assert panel.locator("[id^=field-] :is(input, textarea):is(:disabled, [readonly])").count() == 0
        page.locator("[data-goto=contents]").click()
        page.wait_for_selector(".lab-card")
    page.locator(".lab-card").first.click()
    first = page.locator(f"#tab-{EXHIBITS[0].slug}")
    first.locator("lab-tail").wait_for(timeout=DRAWN)
    assert first.locator(".lab-head").count() == 1


def test_typing_redraws_and_the_address_is_the_link(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "tokens")
    box = page.locator("#field-tokens-text textarea")
    box.fill("東京都に住む")
    page.wait_for_function("new URLSearchParams(location.search).get('text') === '東京都に住む'", timeout=DRAWN)
    shared = page.url
    other = context.browser.new_context(locale="ja-JP").new_page()  # type: ignore[union-attr]
    other.goto(shared)
    other.wait_for_selector("#tab-tokens lab-tail", timeout=DRAWN)
    expect(other.locator("#field-tokens-text textarea")).to_have_value("東京都に住む", timeout=DRAWN)
    expect(other.locator("#tab-tokens .lab-view").first).to_contain_text("東京", timeout=DRAWN)
    other.context.close()


def test_markup_in_text_is_text(app: RunningApp, context: BrowserContext) -> None:
    nasty = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>&amp;"
    for exhibit in (e for e in EXHIBITS if "text" in e.query.__dataclass_fields__):
        page = open_exhibit(context, app.url, exhibit.slug, text=nasty)
        page.wait_for_timeout(300)
        assert page.title() != "broken"
        assert page.locator(f"#tab-{exhibit.slug} img").count() == 0
        page.close()


def test_a_prediction_reveals_its_answer(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "positions")
    panel = page.locator("#tab-positions")
    panel.locator("[data-predicted='1']").click()
    expect(panel.locator(".lab-verdict")).to_be_visible(timeout=DRAWN)
    expect(panel.locator("[data-predicted='1']")).to_have_attribute("aria-pressed", "true")
    panel.locator("[data-pick]").first.click()  # another question: neither its verdict nor the choice stands
    expect(panel.locator(".lab-verdict")).to_have_count(0, timeout=DRAWN)
    expect(panel.locator("[aria-pressed='true']")).to_have_count(0)


def test_questions_are_asked_one_at_a_time(app: RunningApp, context: BrowserContext) -> None:
    exhibit = next(exhibit for exhibit in EXHIBITS if len(exhibit.predictions) > 1)
    page = open_exhibit(context, app.url, exhibit.slug)
    panel = page.locator(f"#tab-{exhibit.slug}")
    for number, asked in enumerate(exhibit.predictions):
        shown = panel.locator(".lab-head [data-question]").filter(visible=True)
        expect(shown).to_have_count(1)
        expect(shown).to_contain_text(translate(f"{exhibit.slug}.{asked.stem}", "ja"))
        expect(shown).to_contain_text(f"{number + 1} / {len(exhibit.predictions)}")
        expect(panel.locator("[aria-pressed='true']")).to_have_count(0)
        shown.locator("[data-predicted='0']").click()
        verdict = panel.locator(f".lab-verdict[data-question='{number}']")
        expect(verdict).to_be_visible(timeout=DRAWN)
        expect(verdict).to_contain_text(translate(f"{exhibit.slug}.{asked.stem}.because", "ja"))
        expect(panel.locator("[aria-pressed='true']")).to_have_count(1)
        shown.locator("[data-another]").click()
        expect(verdict).to_be_hidden()
    expect(panel.locator(".lab-head [data-question='0']")).to_be_visible()  # round again


@pytest.mark.parametrize("locale", LOCALES)
def test_all_chapters_stand_in_one_row(app: RunningApp, browser: Browser, locale: Locale) -> None:
    context = browser.new_context(locale=locale, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(app.url)
    page.wait_for_selector(".lab-card")
    row = page.locator(".lab-chapters > .tab-wrapper")
    for chapter in chapters():
        expect(row.get_by_role("tab", name=translate(f"chapter.{chapter.number}", locale))).to_be_visible()
    context.close()


@pytest.mark.parametrize("locale", LOCALES)
def test_all_exhibits_of_a_chapter_stand_in_one_row(app: RunningApp, browser: Browser, locale: Locale) -> None:
    context = browser.new_context(locale=locale, viewport={"width": 1200, "height": 900})
    for chapter, members in groupby(EXHIBITS, key=lambda exhibit: exhibit.sections[0].partition(".")[0]):
        slugs = [exhibit.slug for exhibit in members]
        page = open_exhibit(context, app.url, slugs[-1])
        for slug in slugs:
            name = translate(f"{slug}.tab", locale)
            shown = page.get_by_role("tab", name=name, exact=True).filter(visible=True)
            expect(shown, f"{slug} in chapter {chapter}").to_have_count(1)
        page.close()
    context.close()


def test_a_button_without_a_file_tells_why_where_it_was_pressed(app: RunningApp, browser: Browser) -> None:
    for width in (390, 1200):
        context = browser.new_context(locale="ja-JP", viewport={"width": width, "height": 700})
        page = open_exhibit(context, app.url, "statistics")
        page.locator("#statistics-start").click()
        told = page.locator("#tab-statistics .lab-error")
        expect(told).to_contain_text(translate("error.statistics.no_file", "ja"), timeout=DRAWN)
        expect(told).to_be_in_viewport(ratio=1)
        expect(page.locator("#tab-statistics .lab-view").first).to_have_css("opacity", "1")
        context.close()


def test_a_lecture_shows_no_empty_column(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "positions")
    expect(page.locator("#tab-positions .lab-inputs")).to_be_visible()
    page.locator("[data-toggle=lecture]").click()
    expect(page.locator("#tab-positions .lab-inputs")).to_be_hidden()


def test_names_of_tokenizers_are_whole(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "tokenizers")
    cut = "names => names.filter(name => name.scrollWidth > name.clientWidth).map(name => name.textContent)"
    assert not page.locator(".lab-align th").evaluate_all(cut)


def test_code_is_shown_and_saved(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "positions", width="32")
    panel = page.locator("#tab-positions")
    panel.locator("lab-tail summary").click()
    expect(panel.locator("lab-tail code")).to_contain_text("50, 32, 10000")
    box = panel.locator("lab-tail pre").bounding_box()
    assert box and box["x"] + box["width"] <= 1280, "long lines scroll inside their box"
    with page.expect_download() as download:
        panel.locator("[data-act=download_ipynb]").click()
    assert download.value.suggested_filename == "positions.ipynb"


def test_the_keyboard_reaches_a_picture(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "positions")
    page.locator("#tab-positions lab-heatmap").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-positions lab-heatmap output").first).not_to_be_empty()
    page.keyboard.press("Enter")
    page.wait_for_function("new URLSearchParams(location.search).get('position') === '1'", timeout=DRAWN)


def test_a_question_mark_lists_the_keys_and_they_work(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "positions")
    keys = page.locator("#lab-shortcuts")
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text(translate("kit.shortcut.list", "ja"))
    page.keyboard.press("c")  # nothing happens behind the open list
    assert page.locator("#tab-positions lab-tail details").get_attribute("open") is None
    page.keyboard.press("?")
    expect(keys).to_be_hidden()
    page.keyboard.press("c")
    expect(page.locator("#tab-positions lab-tail code")).to_be_visible()
    before = page.locator("body").get_attribute("class")
    page.keyboard.press("d")
    page.wait_for_function("before => document.body.className !== before", arg=before)
    page.keyboard.press("n")
    page.wait_for_selector("#tab-self-attention lab-tail", timeout=DRAWN)
    page.keyboard.press("p")
    page.wait_for_selector("#tab-positions lab-tail", timeout=DRAWN)
    page.keyboard.press("n")
    page.wait_for_selector("#tab-self-attention lab-tail", timeout=DRAWN)
    box = page.locator("#field-self-attention-text textarea")
    box.press("?")  # somebody who writes asks a question
    expect(keys).to_be_hidden()
    assert "?" in box.input_value()


def test_a_class_gets_the_link_as_a_code(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "positions", width="32")
    with page.expect_request(lambda request: "qr.svg" in request.url) as asked:
        page.locator("#tab-positions [data-act=qr]").click()
    told = parse_qs(urlsplit(asked.value.url).query)["link"][0]
    assert parse_qs(urlsplit(told).query) == {"tab": ["positions"], "width": ["32"], "v": ["1"]}
    image = page.locator("#tab-positions .lab-qr img")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.complete && image.naturalWidth > 100")
    expect(page.locator("#tab-positions .lab-qr figcaption")).to_contain_text("--host")  # 127.0.0.1 is no use to others


def test_a_longer_text_travels_deflated_and_opens_elsewhere(
    app: RunningApp, browser: Browser, context: BrowserContext
) -> None:
    text = "".join(f"{n}日目は図書館で本を{n % 7}冊借りて、川沿いの道を歩いた。" for n in range(40))
    page = open_exhibit(context, app.url, "tokens")
    page.locator("#field-tokens-text textarea").fill(text)
    page.wait_for_function("new URLSearchParams(location.search).has('text.z')", timeout=DRAWN)
    other = browser.new_context(locale="ja-JP")
    opened = other.new_page()
    opened.goto(page.url)
    expect(opened.locator("#field-tokens-text textarea")).to_have_value(text, timeout=DRAWN)
    other.close()


def test_the_visitor_chooses_the_language(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app.url, "positions")
    page.locator("[data-language=en]").click()
    page.wait_for_selector("#tab-positions lab-tail", timeout=DRAWN)
    expect(page.locator("#tab-positions .lab-question")).to_contain_text(translate("positions.question", "en"))
    expect(page.get_by_role("tab", name=translate("kit.contents", "en"), exact=True)).to_be_visible()


def test_a_cut_loses_neither_the_job_nor_what_was_typed(
    app: RunningApp, context: BrowserContext, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The cable is out for 20 s in the middle of a job, and typing meets the gap, which makes Gradio reload."""
    proxy = CuttableProxy(app.port)
    page = open_exhibit(context, f"http://127.0.0.1:{proxy.port}", "statistics")
    upload = tmp_path_factory.mktemp("upload") / "long.txt"
    upload.write_text("図書館で借りた小説を、帰りの電車で少しずつ読んでいる。\n" * 60_000, encoding="utf-8")
    page.locator("#tab-statistics input[type=file]").set_input_files(upload)
    page.locator("#statistics-start").wait_for(timeout=DRAWN)
    page.locator("#statistics-start").click()
    page.wait_for_selector("lab-job[data-state=running]", timeout=DRAWN)
    job = page.locator("lab-job").first.get_attribute("data-job")
    page.locator("#field-statistics-text textarea").fill("切れる前に打った文")
    page.wait_for_timeout(500)
    proxy.cut()
    page.evaluate("window.sameJourney = true")
    page.locator("#field-statistics-text textarea").fill("切れている間に打った文")
    expect(page.locator("lab-job [role=status]").first).to_contain_text(
        translate("job.offline", "ja")[:8], timeout=20_000
    )
    time.sleep(20)
    proxy.mend()
    page.wait_for_selector("lab-job[data-state=running], lab-job[data-state=done]", timeout=DRAWN)
    expect(page.locator("lab-job [role=status]").first).not_to_contain_text(
        translate("job.offline", "ja")[:8], timeout=20_000
    )
    if page.evaluate("window.sameJourney !== true"):
        page.wait_for_selector("#tab-statistics lab-tail", timeout=DRAWN)
    page.reload()
    page.wait_for_selector("#tab-statistics lab-tail", timeout=DRAWN)
    page.wait_for_selector(f"lab-job[data-job='{job}']", timeout=DRAWN)
    expect(page.locator("#field-statistics-text textarea")).to_have_value("切れている間に打った文", timeout=DRAWN)
    cancel = page.locator("lab-job button")
    if cancel.is_visible():
        cancel.click()
    page.wait_for_selector("lab-job[data-state=cancelled], lab-job[data-state=done]", timeout=60_000)
    proxy.close()


def test_all_heads_of_a_long_text_are_measured_by_a_job(app: RunningApp, context: BrowserContext) -> None:
    """More than two seconds by the estimate: a button in a view starts it, and its picture stands beside the others."""
    text = "".join(f"{n}日目は、川沿いの道を歩いて図書館へ行き、本を借りた。" for n in range(1, 9))
    page = open_exhibit(context, app.url, "ablation", text=text, position="3")
    panel = page.locator("#tab-ablation")
    before = panel.locator("lab-heatmap").count()
    panel.locator("[data-start=importance]").click()
    page.wait_for_selector("#tab-ablation lab-job[data-state=done]", timeout=2 * DRAWN)
    expect(panel.locator("lab-job lab-heatmap")).to_be_visible()
    assert panel.locator("lab-heatmap").count() == before + 1
    page.reload()
    expect(panel.locator("lab-job lab-heatmap")).to_be_visible(timeout=DRAWN)


def test_two_visitors_never_meet(app: RunningApp, browser: Browser) -> None:
    pages = []
    for text in ("一人目の秘密の文", "二人目の内緒の文"):
        context = browser.new_context(locale="ja-JP")
        page = open_exhibit(context, app.url, "tokens")
        page.locator("#field-tokens-text textarea").fill(text)
        pages.append(page)
    first, second = pages
    expect(first.locator("#tab-tokens .lab-view").first).to_contain_text("秘密", timeout=DRAWN)
    expect(second.locator("#tab-tokens .lab-view").first).to_contain_text("内緒", timeout=DRAWN)
    for page, other in ((first, "内緒"), (second, "秘密")):
        page.reload()
        page.wait_for_selector("#tab-tokens lab-tail", timeout=DRAWN)
        assert other not in page.content()
        page.context.close()


def test_a_password_typed_anywhere_stays_where_it_is(app: RunningApp, context: BrowserContext) -> None:
    """No field of this app asks for one yet; a browser extension or a later exhibit may add one to the page."""
    secret = "sentinel-77aa"
    page = open_exhibit(context, app.url, "tokens")
    page.evaluate(
        """() => { const box = Object.assign(document.createElement('input'), { type: 'password' });
                   const field = document.createElement('div'); field.id = 'field-tokens-secret'; field.append(box);
                   document.querySelector('#tab-tokens').prepend(field); }"""
    )
    page.locator("#field-tokens-secret input").fill(secret)
    page.locator("#field-tokens-text textarea").fill("鍵の話")
    page.wait_for_function("location.search.includes('text=')", timeout=DRAWN)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, location.href])")
    assert secret not in kept
    assert secret not in page.request.get(f"{app.url}/config").text()
    assert secret not in app.log.read_text(encoding="utf-8")
    assert not [p for p in app.workspace.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]


def test_nothing_is_contacted_before_the_visitor_acts(app: RunningApp, context: BrowserContext) -> None:
    hosts = set()
    page = context.new_page()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.goto(app.url)
    page.wait_for_selector(".lab-card")
    page.wait_for_timeout(2_000)
    assert hosts <= {"127.0.0.1", None}


@pytest.mark.parametrize("locale", LOCALES)
def test_a_link_says_what_of_it_could_not_be_used(app: RunningApp, browser: Browser, locale: Locale) -> None:
    context = browser.new_context(locale=locale, viewport={"width": 390, "height": 800})
    page = open_exhibit(context, app.url, "fill", v="2", gone="1", model="someone/else", without="text")
    notice = page.locator("#relay-fill .lab-notice")
    expect(notice).to_be_visible()
    told = [translate("kit.link.newer", locale)]
    told += [translate(f"kit.link.{kind}", locale, names=names) for kind, names in (
        ("unfit_model", translate("fill.model", locale)),
        ("without", {"ja": "文", "en": "Sentence"}[locale]),
        ("unknown", "gone"),
    )]  # fmt: skip
    expect(notice).to_have_text(" ".join(told))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#tab-fill [data-pick]").first.click()  # drawn by the visitor now
    expect(notice).to_have_count(0, timeout=DRAWN)
    assert "gone" not in page.url
    context.close()


def test_what_no_link_carries_is_told_and_outlives_a_reload_but_no_other_link(
    app: RunningApp, context: BrowserContext
) -> None:
    noise = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(1_500))
    page = open_exhibit(context, app.url, "tokens")
    box = page.locator("#field-tokens-text textarea")
    box.fill(noise)
    page.wait_for_function("new URLSearchParams(location.search).get('without') === 'text'", timeout=DRAWN)
    left_out = translate("kit.link.left_out", "ja", names=translate("tokens.text", "ja"))
    expect(page.locator("#tab-tokens lab-tail .lab-caution")).to_have_text(left_out)
    page.reload()
    page.wait_for_selector("#tab-tokens lab-tail", timeout=DRAWN)
    expect(box).to_have_value(noise, timeout=DRAWN)
    expect(page.locator("#relay-tokens .lab-notice")).to_have_count(0)
    page.goto(f"{app.url}/?tab=tokens&text=猫")
    page.wait_for_selector("#tab-tokens lab-tail", timeout=DRAWN)
    expect(box).to_have_value("猫", timeout=DRAWN)
    page.goto(f"{app.url}/?tab=tokens&without=text&v=1")  # somebody else's link
    page.wait_for_selector("#tab-tokens lab-tail", timeout=DRAWN)
    expect(page.locator("#relay-tokens .lab-notice")).to_be_visible()
