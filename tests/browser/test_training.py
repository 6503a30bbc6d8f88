"""Fine-tuning in a browser, for real: a run is started, reloaded, watched by another, stopped, resumed, taken away."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.i18n import translate
from core.workspaces import WORKSPACE_COOKIE
from tests.app import RunningApp, launched

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
DRAWN = 120_000  # milliseconds; a run first loads torch
SMALL = {"batch_size": "2", "max_length": "16", "limit": "40", "share": "5"}
CARD = "#tab-training .lab-view lab-job"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield context
    context.close()


def open_form(context: BrowserContext, url: str, **fields: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}/?tab=training&" + "&".join(f"{name}={value}" for name, value in (SMALL | fields).items()))
    page.wait_for_selector("#tab-training lab-tail", timeout=DRAWN)
    return page


def start(page: Page) -> str:
    """Press the button; the key of the run, which is in the address from now on."""
    page.locator("#tab-training [data-start=train].lab-primary").click()
    page.wait_for_function("new URLSearchParams(location.search).get('run')", timeout=DRAWN)
    return str(re.findall(r"run=([0-9a-f]{32})", page.url)[0])


def cookie_of(context: BrowserContext) -> str:
    """What says whose workspace it is."""
    return next(str(one.get("value")) for one in context.cookies() if one.get("name") == WORKSPACE_COOKIE)


def until_step(page: Page, least: int) -> None:
    page.wait_for_function(
        """least => {
          const card = document.querySelector("#tab-training .lab-view lab-job [role=status]");
          const found = /([\\d,]+) \\/ [\\d,]+/.exec(card?.textContent || "");
          return found && Number(found[1].replace(",", "")) >= least;
        }""",
        arg=least,
        timeout=DRAWN,
    )


def test_a_run_over_a_reload_a_second_browser_a_stop_and_a_resume(
    app: RunningApp, context: BrowserContext, browser: Browser, tmp_path: Path
) -> None:
    page = open_form(context, app.url, steps="400", evaluate_every="10")
    key = start(page)
    until_step(page, 12)  # it has been evaluated once
    expect(page.locator(f"{CARD} .lab-chart").first).to_be_visible()
    page.reload()
    page.wait_for_selector(f"{CARD}[data-state=running]", timeout=DRAWN)
    assert key in page.url

    other = browser.new_context(locale="en-US").new_page()
    other.goto(page.url)
    other.wait_for_selector(f"{CARD}[data-state=running]", timeout=DRAWN)
    assert not other.locator(f"{CARD} .lab-job > button").is_visible(), "who has the link may look, not stop"
    theirs = {WORKSPACE_COOKIE: cookie_of(other.context)}
    assert httpx.get(f"{app.url}/lab/training/{key}.zip", cookies=theirs).status_code == 404
    assert httpx.post(f"{app.url}/lab/training/{key}/delete", cookies=theirs).status_code == 404
    assert key not in httpx.get(f"{app.url}/lab/training/runs", cookies=theirs).text, "nobody sees another's runs"
    other.context.close()

    stop = page.locator(f"{CARD} .lab-job > button")
    expect(stop).to_have_text(translate("training.stop", "ja"))
    stop.click()
    view = page.locator("#tab-training .lab-results .lab-view").first
    expect(view).to_contain_text(translate("training.state.stopped", "ja"), timeout=DRAWN)
    stopped_at = int(re.findall(r"(\d+) / 400", view.inner_text())[0])
    assert 12 <= stopped_at < 400
    expect(page.locator("#tab-training lab-own .lab-runs li")).to_have_count(1, timeout=DRAWN)
    with page.expect_download() as download:
        page.locator("#tab-training a[download]").click()
    download.value.save_as(tmp_path / "model.zip")
    names = {Path(name).name for name in zipfile.ZipFile(tmp_path / "model.zip").namelist()}
    assert {"model.safetensors", "config.json", "metrics.json", "predictions.jsonl", "train_again.py"} <= names

    page.locator("#tab-training [data-start=resume]").click()
    until_step(page, stopped_at + 1)
    page.locator(f"{CARD} .lab-job > button").click()
    expect(view).to_contain_text(translate("training.state.stopped", "ja"), timeout=DRAWN)
    assert int(re.findall(r"(\d+) / 400", view.inner_text())[0]) > stopped_at

    page.locator("#tab-training .lab-results [data-goto=errors]").click()
    page.wait_for_selector("#tab-errors lab-tail", timeout=DRAWN)
    expect(page.locator("#tab-errors .lab-error")).to_have_count(0, timeout=DRAWN)
    expect(page.locator("#tab-errors .lab-cell").first).to_be_visible(timeout=DRAWN)
    assert "Traceback" not in app.log.read_text(encoding="utf-8")


def test_a_file_of_ones_own_is_trained_on_and_once_more_with_half_of_it(
    app: RunningApp, context: BrowserContext, tmp_path: Path
) -> None:
    page = context.new_page()
    page.goto(f"{app.url}/?tab=dataset")
    page.wait_for_selector("#tab-dataset lab-tail", timeout=DRAWN)
    page.get_by_text(translate("dataset.upload", "ja"), exact=True).click()
    rows = [
        f"{n}番目の店は{'とても良かった' if n % 2 else 'がっかりした'}。,{'良い' if n % 2 else '悪い'}"
        for n in range(60)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    page.locator("#tab-dataset input[type=file]").set_input_files(tmp_path / "mine.csv")
    page.wait_for_selector("#tab-dataset .lab-results :text('mine.csv')", timeout=DRAWN)
    page.locator("#tab-dataset .lab-results [data-goto=training]").click()
    page.wait_for_selector("#tab-training .lab-inputs .lab-chosen:text('mine.csv')", timeout=DRAWN)
    for name, value in {"steps": "6", "batch_size": "4", "max_length": "24"}.items():
        box = page.locator(f"#field-training-{name} input")
        box.fill(value)
        box.press("Tab")
    page.wait_for_function("location.search.includes('max_length=24')", timeout=DRAWN)
    first = start(page)
    view = page.locator("#tab-training .lab-results .lab-view").first
    expect(view).to_contain_text("6 / 6", timeout=DRAWN)
    expect(view).to_contain_text("mine.csv")
    assert "mine" not in page.url
    expect(page.locator("#tab-training [data-start=again]")).to_have_count(3, timeout=DRAWN)
    page.locator("#tab-training [data-start=again]").last.click()
    page.wait_for_function("first => !location.search.includes(`run=${first}`)", arg=first, timeout=DRAWN)
    expect(view.locator(".lab-table").first).to_contain_text("B", timeout=DRAWN)
    expect(view).to_contain_text(translate("training.differences", "ja"))
    limits = {
        json.loads(path.read_text(encoding="utf-8"))["data"]["limit"]: json.loads(path.read_text(encoding="utf-8"))[
            "data"
        ]
        for path in app.workspace.glob("*/runs/*/config.json")
        if ".csv" in path.read_text(encoding="utf-8")
    }
    assert set(limits) == {0, 24}
    assert limits[0]["train"] == limits[24]["train"]
    assert "Traceback" not in app.log.read_text(encoding="utf-8")


def test_the_app_is_killed_in_mid_training_and_finds_the_run_again(browser: Browser, tmp_path: Path) -> None:
    """Nothing of the run is lost, and the page that was open before goes on when it is opened again."""
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
    with launched(tmp_path) as first:
        page = open_form(context, first.url, steps="250", evaluate_every="125")
        key = start(page)
        until_step(page, 2)
        identity = cookie_of(context)
        address = page.url.partition("?")[2]
        page.close()
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
    with launched(tmp_path) as second:
        again = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
        again.add_cookies([{"name": WORKSPACE_COOKIE, "value": identity, "url": second.url}])
        page = again.new_page()
        page.goto(f"{second.url}/?{address}")
        view = page.locator("#tab-training .lab-results .lab-view").first
        expect(view).to_contain_text(re.compile(r"\d+ / 250"), timeout=DRAWN)
        expect(view).to_contain_text(translate("training.state.done", "ja"), timeout=3 * DRAWN)
        expect(view).to_contain_text("250 / 250")
        assert key in page.url
        again.close()
    started = next((tmp_path / "workspace").glob("*/runs/*/events.jsonl")).read_text(encoding="utf-8")
    assert started.count('"event": "started"') == 1, "it was one run without a break"
    context.close()


def test_two_train_in_turn_and_a_waiting_one_is_told_its_place(app: RunningApp, browser: Browser) -> None:
    contexts = [browser.new_context(locale="ja-JP") for _ in range(3)]
    pages = [open_form(one, app.url, steps="150", evaluate_every="150") for one in contexts]
    try:
        start(pages[0])
        until_step(pages[0], 1)
        for page in pages[1:]:
            start(page)
        for place, page in enumerate(pages[1:], start=1):
            told = translate("job.position", "ja", position=place)
            expect(page.locator(f"{CARD} [role=status]")).to_contain_text(told, timeout=DRAWN)
        waiting = pages[2].locator(f"{CARD} .lab-job > button")
        waiting.click()
        expect(pages[2].locator(f"{CARD} [role=status]")).to_contain_text(
            translate("job.cancelled", "ja"), timeout=DRAWN
        )
        pages[0].locator(f"{CARD} .lab-job > button").click()
        pages[1].wait_for_selector(f"{CARD}[data-state=running]", timeout=DRAWN)
        time.sleep(0.5)
        pages[1].locator(f"{CARD} .lab-job > button").click()
        view = pages[1].locator("#tab-training .lab-results .lab-view").first
        expect(view).to_contain_text(
            re.compile(translate("training.state.stopped", "ja") + "|" + translate("training.state.done", "ja")),
            timeout=DRAWN,
        )
    finally:
        for one in contexts:
            one.close()


def test_where_nobody_trains_a_recorded_run_is_shown_and_the_reason(browser: Browser, tmp_path: Path) -> None:
    with launched(tmp_path, "--mode", "public") as public:
        context = browser.new_context(locale="ja-JP")
        page = context.new_page()
        page.goto(f"{public.url}/?tab=training")
        page.wait_for_selector("#tab-training lab-tail", timeout=DRAWN)
        assert page.locator("#tab-training [data-start]").count() == 0
        expect(page.locator("#tab-training .lab-inputs")).to_contain_text("make run")
        expect(page.locator("#tab-training .lab-chart").first).to_be_visible()
        for name in ("train", "resume", "estimate"):  # as a program would, past the page
            page.evaluate(
                """name => {
                  const button = document.createElement("button");
                  Object.assign(button.dataset, { start: name, params: "{}" });
                  document.querySelector("#tab-training .lab-view").append(button);
                  button.click();
                  button.remove();
                }""",
                name,
            )
            page.wait_for_timeout(1_000)
        assert httpx.get(f"{public.url}/lab/training/runs").status_code == 404
        assert not list(public.workspace.glob("*/runs"))
        assert not list(public.workspace.glob("*/jobs/*"))
        context.close()
