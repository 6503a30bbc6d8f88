"""``python -m tests.bench``: start-up and answers, side by side in one run; machines differ, so read the ratios.

Every request is a query nobody asked before, so nothing comes from memory, except in the rows that say so.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, sync_playwright

from tests.app import ROOT, launched

CLIENTS = 30
OPENINGS = 5
BARE = """
import gradio as gr
with gr.Blocks() as page:
    text = gr.Textbox(); out = gr.Textbox(); text.input(lambda value: value, text, out, api_name="echo")
page.launch(prevent_thread_lock=True, quiet=True)
print(page.local_url, flush=True)
page.block_thread()
"""


def start_bare() -> tuple[subprocess.Popen[str], str, float]:
    """A page with one text box: its process, its address, and the seconds until it answered."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    httpx.get(url)
    return process, url, time.perf_counter() - start


async def ask(client: httpx.AsyncClient, name: str, values: Sequence[object]) -> float:
    """Seconds of one call through the queue, as the page and programs make it."""
    start = time.perf_counter()
    reply = await client.post(f"/gradio_api/call/{name}", json={"data": list(values)})
    event = reply.raise_for_status().json()["event_id"]
    async with client.stream("GET", f"/gradio_api/call/{name}/{event}") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: error"):
                raise RuntimeError(name)
            if line.startswith("event: complete"):
                break
    return time.perf_counter() - start


async def measure(
    url: str, name: str, defaults: Sequence[object], *, clients: int, rounds: int, fresh: bool
) -> list[float]:
    """Seconds of ``clients * rounds`` calls; the first field is the text."""
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=httpx.Limits(max_connections=None)) as client:

        async def visitor(number: int) -> list[float]:
            taken = []
            for turn in range(rounds):
                text = f"{number}番の人が{turn}回目に打った文です。" if fresh else defaults[0]
                taken.append(await ask(client, name, [text, *defaults[1:]]))
            return taken

        return [seconds for row in await asyncio.gather(*map(visitor, range(clients))) for seconds in row]


def open_page(context: BrowserContext, url: str, mark: str) -> tuple[float, float]:
    """Seconds from asking for `url` until `mark` can be used, and what of them the page's own thread worked."""
    page = context.new_page()
    clock = context.new_cdp_session(page)
    clock.send("Performance.enable", {"timeDomain": "threadTicks"})
    start = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator(mark).first.wait_for(timeout=120_000)
    taken = time.perf_counter() - start
    told = {metric["name"]: metric["value"] for metric in clock.send("Performance.getMetrics")["metrics"]}
    page.close()
    return taken, told["TaskDuration"]


def measure_openings(bare: str, ours: str) -> dict[str, list[tuple[float, float]]]:
    """The bare page, the contents and one exhibit by its link, opened in turn by a browser that knows them."""
    targets = {
        "bare page": (bare, "textarea"),
        "contents": (ours, ".lab-card"),
        "tokens, by its link": (f"{ours}/?tab=tokens", "#tab-tokens lab-tail"),
    }
    found: dict[str, list[tuple[float, float]]] = {label: [] for label in targets}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
        for turn in range(OPENINGS + 1):
            for label, (url, mark) in targets.items():
                opened = open_page(context, url, mark)
                if turn:  # the first fills the browser's cache
                    found[label].append(opened)
        browser.close()
    return found


def row(label: str, seconds: Sequence[float], bare: float) -> str:
    """Median and 95th percentile in milliseconds, and the median beside the bare page's."""
    ranked = sorted(seconds)
    p50, p95 = statistics.median(ranked), ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))]
    return f"{label:38} {p50 * 1e3:8.0f} {p95 * 1e3:8.0f} {p50 / bare:8.1f}×"


def main() -> None:
    """Print the tables."""
    process, bare_url, bare_start = start_bare()
    try:
        bare = asyncio.run(measure(bare_url, "echo", [""], clients=1, rounds=20, fresh=True))
        bare_many = asyncio.run(measure(bare_url, "echo", [""], clients=CLIENTS, rounds=3, fresh=True))
        run(bare, bare_many, bare_url, bare_start)
    finally:
        process.terminate()
        process.wait()


def run(bare: Sequence[float], bare_many: Sequence[float], bare_url: str, bare_start: float) -> None:
    """Start the app beside the bare page and say how they compare."""
    from core.values import as_json
    from tabs import EXHIBITS
    from tabs._kit.events import as_params

    say = sys.stdout.write
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with launched(Path(folder)) as app:
            weight = len(httpx.get(app.url).content) / 1e3
            ours = time.perf_counter() - start
            say(f"cold start: {ours:.1f} s, bare Gradio page {bare_start:.1f} s, ratio {ours / bare_start:.2f}\n")
            say(f"first page: {weight:.0f} kB of HTML before compression\n\n")
            say(f"{'milliseconds':38} {'p50':>8} {'p95':>8} {'to bare':>9}\n")
            say(row("bare page, alone", bare, statistics.median(bare)) + "\n")
            say(row(f"bare page, {CLIENTS} at once", bare_many, statistics.median(bare_many)) + "\n")
            for slug in ("tokens", "attention"):
                exhibit = next(e for e in EXHIBITS if e.slug == slug)
                defaults = list(as_json(as_params(exhibit.query())).values())
                asyncio.run(measure(app.url, slug, defaults, clients=1, rounds=2, fresh=False))
                for label, clients, rounds, fresh in (
                    ("alone", 1, 20, True),
                    (f"{CLIENTS} at once", CLIENTS, 3, True),
                    (f"{CLIENTS} at once, same example", CLIENTS, 3, False),
                ):
                    taken = asyncio.run(measure(app.url, slug, defaults, clients=clients, rounds=rounds, fresh=fresh))
                    reference = statistics.median(bare if clients == 1 else bare_many)
                    say(row(f"{slug}, {label}", taken, reference) + "\n")
            say(f"\n{'until it can be used, milliseconds':38} {'p50':>8} {'p95':>8} {'to bare':>9}\n")
            opened = measure_openings(bare_url, app.url)
            for part, what in enumerate(("", ", the page's own work")):
                times = {label: [pair[part] for pair in pairs] for label, pairs in opened.items()}
                for label, taken in times.items():
                    say(row(f"{label}{what}", taken, statistics.median(times["bare page"])) + "\n")


if __name__ == "__main__":
    main()
