"""A model of a Hub on this machine, chosen on the page: the offer, the job over a reload, and the drawing by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from core.i18n import translate
from tests.app import RunningApp, launched
from tests.data.hub_server import Files, HubServer, serve
from tests.downloads.conftest import MODEL, folder, published

__all__ = ["folder", "published"]

pytestmark = pytest.mark.browser
DRAWN = 60_000  # milliseconds
OFFER = "#tab-fill [data-start=fetch]"
CARD = "#tab-fill lab-job"


@pytest.fixture(scope="module")
def hub(published: Files) -> Iterator[HubServer]:
    with serve({}, models={MODEL: {"main": published}, "someone/other": {"main": published}}) as server:
        yield server


@pytest.fixture(scope="module")
def connected(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    folder = tmp_path_factory.mktemp("connected")
    environment = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(folder / "hub"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }
    with launched(folder, environment=environment) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def choose(page: Page, model: str) -> None:
    box = page.locator("#field-fill-model input")
    box.fill(model)
    box.press("Enter")


def weights(hub: HubServer) -> int:
    return sum(request.startswith("GET") and request.endswith(".safetensors") for request in hub.requests)


def test_a_stopped_download_leaves_the_page_as_it_was(connected: RunningApp, hub: HubServer, page: Page) -> None:
    hub.pace = 3e5
    page.goto(f"{connected.url}/?tab=fill&model=someone/other")
    page.wait_for_selector("#tab-fill lab-tail", timeout=DRAWN)
    expect(page.locator("#relay-fill")).to_contain_text(translate("fill.model", "ja"))  # a link opens no such model
    before = page.locator("#tab-fill .lab-view").first.inner_text()
    choose(page, "someone/other")
    page.wait_for_selector(OFFER, timeout=DRAWN)
    assert not hub.requests, "neither a link nor a choice asks anybody for anything"
    page.locator(OFFER).click()
    page.wait_for_selector(f"{CARD}[data-state=running]", timeout=DRAWN)
    page.locator(f"{CARD} button").click()
    page.wait_for_selector(f"{CARD}[data-state=cancelled]", timeout=DRAWN)
    expect(page.locator(f"{CARD} [role=status]")).to_have_text(translate("job.cancelled", "ja"))
    expect(page.locator(f"{CARD} .lab-job-result")).to_be_empty()
    assert page.locator("#tab-fill .lab-view").first.inner_text() == before
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('lab:job:'))") == []
    assert not list(connected.workspace.parent.rglob("*.incomplete"))


def test_a_chosen_model_is_fetched_over_a_reload_and_then_drawn(
    connected: RunningApp, hub: HubServer, page: Page
) -> None:
    hub.pace = 3e5
    before = weights(hub)
    page.goto(f"{connected.url}/?tab=fill&text=猫は[MASK]を食べた。")
    page.wait_for_selector("#tab-fill lab-tail", timeout=DRAWN)
    choose(page, MODEL)
    expect(page.locator("#tab-fill .lab-error")).to_contain_text(MODEL, timeout=DRAWN)
    expect(page.locator("#tab-fill .lab-view").first).to_have_css("opacity", "0.35")  # it shows another model's answer
    page.locator(OFFER).click()
    status = page.locator(f"{CARD} [role=status]")
    expect(status).to_contain_text(re.compile(r"[1-9]\.\d MB / [1-9]\.\d MB"), timeout=DRAWN)
    expect(page.locator(f"{CARD} .lab-job-result")).to_contain_text(MODEL)
    job = page.locator(CARD).get_attribute("data-job")
    page.reload()
    page.wait_for_selector(f"{CARD}[data-job='{job}'][data-state=running]", timeout=DRAWN)
    told = httpx.get(f"{connected.url}/lab/jobs/{job}?lang=en").json()
    assert (told["state"], told["words"]) == ("running", translate("job.running", "en"))
    assert re.fullmatch(r"\d\.\d MB / \d\.\d MB", told["steps"])
    assert MODEL in told["html"]
    page.locator("#field-fill-text textarea").fill("犬は[MASK]を追った。")  # somebody who does not wait
    hub.pace = 0
    page.wait_for_function("new URLSearchParams(location.search).get('without') === 'model'", timeout=DRAWN)
    expect(page.locator("#tab-fill lab-tail .lab-caution")).to_contain_text(translate("fill.model", "ja"))
    expect(page.locator("#field-fill-model input")).to_have_value(MODEL)
    expect(page.locator("#tab-fill .lab-error")).to_have_count(0)
    expect(page.locator("#tab-fill .lab-view").first).to_have_css("opacity", "1")
    assert parse_qs(urlsplit(page.url).query)["text"] == ["犬は[MASK]を追った。"]
    expect(page.locator("#field-fill-text textarea")).to_have_value("犬は[MASK]を追った。")
    assert weights(hub) == before + 1
    page.reload()  # it is here now, and this browser remembers what its address does not say
    page.wait_for_selector("#tab-fill lab-tail", timeout=DRAWN)
    expect(page.locator("#field-fill-model input")).to_have_value(MODEL, timeout=DRAWN)
    expect(page.locator("#relay-fill .lab-notice")).to_have_count(0)
    assert page.locator(OFFER).count() == 0
    assert page.locator(CARD).count() == 0
    assert weights(hub) == before + 1
