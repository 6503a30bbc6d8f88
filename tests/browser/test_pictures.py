"""Pictures that are taken away: they show what the page shows, in a form that other programs open."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from core.i18n import translate
from tabs import EXHIBITS
from tests.app import RunningApp
from tests.attention.conftest import folder, large
from tests.attention.test_grids import told

__all__ = ["folder", "large"]  # fixtures

pytestmark = pytest.mark.browser
DRAWN = 60_000  # milliseconds
SVG = "{http://www.w3.org/2000/svg}"
MARGIN, BLOCK = 16, 8  # pixels around a picture, and of the squares whose brightness is compared
ROOM = [
    e.slug
    for e in EXHIBITS
    if e.explore.__module__.startswith(("tabs.attention", "tabs.positions", "tabs.training.formats"))
]


@pytest.fixture
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        locale="ja-JP",
        viewport={"width": 1280, "height": 900},
        color_scheme=getattr(request, "param", "light"),
        reduced_motion="reduce",
    )
    yield context
    context.close()


def open_exhibit(context: BrowserContext, app: RunningApp, slug: str, **fields: str) -> Page:
    page = context.new_page()
    page.goto(f"{app.url}/?tab={slug}" + "".join(f"&{name}={value}" for name, value in fields.items()))
    page.wait_for_selector(f"#tab-{slug} lab-tail", timeout=DRAWN)
    page.wait_for_timeout(700)  # Gradio settles its theme, and pictures are drawn in it
    return page


def take(page: Page, twin: Locator, kind: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        twin.locator(f"[data-save={kind}]").click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def brightness(image: bytes, *, box: tuple[int, int, int, int] | None = None) -> npt.NDArray[np.float64]:
    """Mean brightness of squares of BLOCK pixels, from 0 to 255; opaque, or it would not show what it is."""
    picture = Image.open(io.BytesIO(image))
    assert picture.getchannel("A").getextrema() == (255, 255) if picture.mode == "RGBA" else True
    grey = np.asarray((picture.crop(box) if box else picture).convert("L"), dtype=np.float64)
    height, width = (side // BLOCK * BLOCK for side in grey.shape)
    return grey[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean(axis=(1, 3))


def words_of(svg: bytes) -> str:
    return "".join("".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text"))


@pytest.mark.parametrize(
    ("context", "slug"), [*(("light", slug) for slug in ROOM), ("dark", "attention")], indirect=["context"]
)
def test_what_is_taken_away_is_what_is_seen(app: RunningApp, context: BrowserContext, slug: str) -> None:
    page = open_exhibit(context, app, slug)
    twins = page.locator(f"#tab-{slug} lab-twin")
    for number in range(twins.count()):
        twin = twins.nth(number)
        panel = twin.locator("> [role=tabpanel]").first
        name, svg = take(page, twin, "svg")
        assert name == f"{slug}.svg"
        root = ElementTree.fromstring(svg)
        caption = twin.locator("caption").text_content()
        assert root.find(f"{SVG}title").text == caption  # type: ignore[union-attr]
        name, png = take(page, twin, "png")
        assert name == f"{slug}.png"
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement.blur()")
        shown, told = panel.screenshot(), panel.bounding_box()
        assert told is not None
        drawn = Image.open(io.BytesIO(png))
        assert drawn.size == (2 * float(root.get("width", 0)), 2 * float(root.get("height", 0)))
        small = io.BytesIO()
        drawn.resize((drawn.width // 2, drawn.height // 2)).save(small, "PNG")
        height = min(drawn.height // 2 - 2 * MARGIN, int(told["height"]))
        width = min(drawn.width // 2 - 2 * MARGIN, int(told["width"]))
        ours = brightness(small.getvalue(), box=(MARGIN, MARGIN, MARGIN + width, MARGIN + height))
        theirs = brightness(shown, box=(0, 0, width, height))
        assert np.ptp(theirs) > 10, "nothing is drawn on the page"
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.85, f"{slug} {number}"
        name, page_of_its_own = take(page, twin, "html")
        assert name == f"{slug}.html"
        text = page_of_its_own.decode()
        assert "<svg" in text
        assert "<table" in text
        assert f"<h1>{caption}</h1>".replace("&", "&#38;") in text


def test_the_grid_of_heads_is_taken_away_with_every_head(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app, "attention")
    twin = page.locator("#tab-attention lab-twin").first
    expect(twin.locator("lab-headgrid button")).to_have_count(16)
    _, svg = take(page, twin, "svg")
    assert len(list(ElementTree.fromstring(svg).iter(f"{SVG}image"))) == 16 + 1  # and the legend
    told = words_of(svg)
    for caption in twin.locator("small").all_text_contents():
        assert caption in told


def test_the_lens_is_taken_away_with_its_predictions(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app, "lens")
    twin = page.locator("#tab-lens lab-twin").first
    told = words_of(take(page, twin, "svg")[1])
    cells = [cell.strip() for cell in twin.locator(".lab-lens .lab-token > *, .lab-lens th").all_text_contents()]
    assert len(cells) > 60
    for cell in cells:
        assert cell in told
    stage = translate("lens.stage.output", "ja")
    assert stage in told
    twin.get_by_role("tab").last.click()
    rows = twin.locator(".lab-table tbody tr")
    assert rows.count() == twin.locator(".lab-lens .lab-token").count()
    assert stage in rows.first.inner_text()


def test_what_scrolls_inside_its_box_is_taken_away_whole(app: RunningApp, browser: Browser) -> None:
    context = browser.new_context(locale="ja-JP", viewport={"width": 390, "height": 800})
    page = open_exhibit(context, app, "lens")
    twin = page.locator("#tab-lens lab-twin").first
    box = twin.locator(".lab-align-scroll")
    box.evaluate("box => { box.scrollLeft = 120 }")
    inner = box.evaluate("box => [box.scrollWidth, box.clientWidth, box.scrollLeft]")
    assert inner[0] > inner[1]
    width = float(ElementTree.fromstring(take(page, twin, "svg")[1]).get("width", 0))
    assert width >= inner[0]
    assert box.evaluate("box => box.scrollLeft") == inner[2] == 120
    context.close()


@pytest.mark.parametrize("context", ["light", "dark"], indirect=True)
def test_every_quantity_has_a_colour_of_its_own(app: RunningApp, context: BrowserContext) -> None:
    page = open_exhibit(context, app, "attribution")
    fill = "figure => getComputedStyle(figure.querySelector('.lab-bar-fill')).backgroundColor"
    panel = page.locator("#tab-attribution")
    attention = panel.locator("figure.lab-bars").last
    assert attention.get_attribute("data-scale") == "attention"
    name = (
        "() => 'rgb(' + getComputedStyle(document.body).getPropertyValue('--lab-attention').split(' ').join(', ') + ')'"
    )
    assert attention.evaluate(fill) == page.evaluate(name)
    seen = {
        scale: attention.evaluate(
            f"(figure, scale) => {{ figure.dataset.scale = scale; return ({fill})(figure); }}", scale
        )
        for scale in ("attention", "probability", "similarity", "signed")
    }
    assert len(set(seen.values())) == len(seen)
    assert not {"rgba(0, 0, 0, 0)"} & set(seen.values())


def test_a_large_model_is_seen_through_a_window(app: RunningApp, browser: Browser, large: Path) -> None:
    for width in (1200, 390):
        context = browser.new_context(locale="en", viewport={"width": width, "height": 900})
        page = open_exhibit(context, app, "attention")
        panel = page.locator("#tab-attention")
        box = panel.locator("#field-attention-model input")
        box.fill(str(large))
        box.press("Enter")
        sentence = panel.get_by_text(told("en", "1–12", "1–8"))
        expect(sentence).to_be_visible(timeout=DRAWN)
        heads = panel.locator("lab-headgrid button")
        expect(heads).to_have_count(12 * 8)
        panel.get_by_role("button", name="13–24", exact=True).click()
        expect(heads.first.locator("small")).to_have_text("13-1", timeout=DRAWN)
        panel.get_by_role("button", name="9–16", exact=True).click()
        expect(heads.first.locator("small")).to_have_text("13-9", timeout=DRAWN)
        expect(heads.last.locator("small")).to_have_text("24-16")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = "nodes => nodes.filter(node => node.scrollWidth > node.clientWidth).length"
        assert panel.locator("lab-headgrid small").evaluate_all(cut) == 0, "numbers of heads are cut off"
        context.close()
