"""Lecture mode: what a class has to read is large enough for the back row, and nothing lies on anything else."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from core.i18n import LOCALES, Locale
from tabs import EXHIBITS
from tests.app import RunningApp

pytestmark = pytest.mark.browser
DRAWN = 120_000  # milliseconds
LEAST = 18  # pixels, on a projector of 1024 × 768

# What is drawn on a canvas is no text to the browser: its letters are noted as they are painted.
WATCH = """() => {
  window.painted = [];
  const paint = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const { a, b, e, f } = this.getTransform(), ratio = Math.hypot(a, b), [left, top] = [e / ratio, f / ratio];
    const size = parseFloat(/([\\d.]+)px/.exec(this.font)[1]), long = this.measureText(text).width;
    const back = this.textAlign === "end" || this.textAlign === "right" ? long : 0;
    const box = Math.abs(a) > Math.abs(b)   // else it is turned, and runs upwards
      ? { left: left - back, top: top - size / 2, width: long, height: size }
      : { left: left - size / 2, top: top + back - long, width: size, height: long };
    window.painted.push({ canvas: this.canvas, text, size, tag: "canvas", boxes: [box] });
    return paint.call(this, text, x, y);
  };
}"""

PAINTED = """() => [...document.querySelectorAll("canvas.lab-map")].map((canvas) => window.painted
  .filter((one) => one.canvas === canvas).map(({ text, size, tag, boxes }) => ({ text, size, tag, boxes })))"""

READ = """() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const plain = ({ left, top, width, height }) => ({ left, top, width, height });
  const cut = (box, frame) => {
    const [left, top] = [Math.max(box.left, frame.left), Math.max(box.top, frame.top)];
    const [right, bottom] = [Math.min(box.right, frame.right), Math.min(box.bottom, frame.bottom)];
    return { left, top, right, bottom, width: right - left, height: bottom - top };
  };
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement, style = getComputedStyle(parent);
    if (!node.data.trim() || !parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (style.clipPath !== "none" || parent.closest(".visually-hidden, .sr-only, script, style")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    let boxes = [...range.getClientRects()];
    for (let outer = parent; outer !== document.body; outer = outer.parentElement)   // as much as its frames show of it
      if (getComputedStyle(outer).overflowX !== "visible" || getComputedStyle(outer).overflowY !== "visible")
        boxes = boxes.map((box) => cut(box, outer.getBoundingClientRect()));
    boxes = boxes.filter((box) => box.width > 1 && box.height > 1);
    const tag = `${parent.tagName}.${parent.className}`, text = node.data.trim().slice(0, 30);
    if (boxes.length) found.push({ text, size: parseFloat(style.fontSize), tag, boxes: boxes.map(plain) });
  }
  return found;
}"""

EMPTY = """() => [...document.querySelectorAll(".lab-inputs *")].filter((one) => {
  const { width, height } = one.getBoundingClientRect();
  const seen = one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  return seen && width > 100 && height > 4 && !one.innerText.trim();
}).map((one) => one.className)"""


def open_for_a_class(app: RunningApp, browser: Browser, slug: str, locale: Locale) -> Page:
    context = browser.new_context(locale=locale, viewport={"width": 1024, "height": 768}, reduced_motion="reduce")
    page = context.new_page()
    page.add_init_script(f"({WATCH})()")
    page.goto(f"{app.url}/?tab={slug}")
    page.wait_for_selector(f"#tab-{slug} lab-tail", timeout=DRAWN)
    page.wait_for_timeout(600)
    page.evaluate("window.painted.length = 0")
    page.locator("[data-toggle=lecture]").click()
    page.wait_for_timeout(400)
    return page


def too_small(texts: list[dict[str, Any]]) -> list[str]:
    return [f"{one['tag']} {one['size']} px: {one['text']}" for one in texts if one["size"] < LEAST]


def overlapping(texts: list[dict[str, Any]]) -> list[str]:
    """Pairs of texts of which one covers more than a tenth of the other; line boxes are taller than letters."""
    boxes = [(one["text"], one["tag"], box) for one in texts for box in one["boxes"]]
    boxes.sort(key=lambda entry: entry[2]["top"])
    found = []
    for number, (text, tag, box) in enumerate(boxes):
        for other_text, other_tag, other in boxes[number + 1 :]:
            if other["top"] > box["top"] + box["height"]:
                break
            across = min(box["left"] + box["width"], other["left"] + other["width"]) - max(box["left"], other["left"])
            bottoms = (one["top"] + 0.8 * one["height"] for one in (box, other))
            down = min(bottoms) - max(one["top"] + 0.2 * one["height"] for one in (box, other))
            smaller = min(one["width"] * 0.6 * one["height"] for one in (box, other))
            if across > 0 and down > 0 and across * down > 0.1 * smaller:
                found.append(f"{tag} {text!r} and {other_tag} {other_text!r}")
    return found


@pytest.mark.parametrize("slug", [exhibit.slug for exhibit in EXHIBITS])
@pytest.mark.parametrize("locale", LOCALES)
def test_everything_can_be_read_from_the_back_row(app: RunningApp, browser: Browser, slug: str, locale: Locale) -> None:
    page = open_for_a_class(app, browser, slug, locale)
    page.evaluate("document.querySelectorAll('.lab-tour').forEach(guide => { guide.open = true })")
    page.locator(f"#tab-{slug} lab-tail summary").click()
    assert not page.evaluate(EMPTY), "a frame was left where controls were"
    texts = page.evaluate(READ)
    assert len(texts) > 20
    assert not too_small(texts)
    assert not overlapping(texts)
    assert all(page.evaluate(PAINTED)), "a picture was not drawn again when lecture mode was switched on"
    page.evaluate("window.painted.length = 0; dispatchEvent(new Event('resize'))")
    for painted in page.evaluate(PAINTED):
        assert not too_small(painted)
        assert not overlapping(painted)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1024
    page.evaluate("document.querySelectorAll('lab-twin [data-twin=\"1\"]').forEach(button => button.click())")
    assert not too_small(page.evaluate(READ))
    page.context.close()
