"""Models fetched by the real client from a real server on this machine: progress, stopping, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data.hub_server import Files, HubServer
from tests.downloads.conftest import JUDGE, MODEL, TOKENIZER

ROOT = Path(__file__).parents[2]
# The client reads its settings when it is imported, so every visit is a process of its own.
PRELUDE = """
import json, logging, sys, time
from core.downloads.plans import Wanted, is_here, make_plan
from core.downloads.work import fetch
from core.errors import AppError
logging.disable()

def drained(work):
    events = []
    while True:
        try:
            event = next(work)
            events.append([event.done, event.total])
        except StopIteration as end:
            return events, end.value
"""


def visit(script: str, hub: HubServer | str, home: Path) -> Any:
    endpoint = hub if isinstance(hub, str) else hub.endpoint
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
    }
    command = [sys.executable, "-c", PRELUDE + script]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def partial(home: Path) -> list[Path]:
    return list(home.rglob("*.incomplete"))


FETCH_MODEL = f"""
from core.models.loading import load_model
one = Wanted({MODEL!r}, "encoder")
before = is_here(one)
first, told = drained(fetch([one]))
after = is_here(one)
again, _ = drained(fetch([one]))
loaded = load_model({MODEL!r}, allow_download=False)
print(json.dumps([before, first, told, after, again, loaded.parameters]))
"""


def test_a_model_is_fetched_with_its_progress_and_stays(hub: HubServer, published: Files, tmp_path: Path) -> None:
    hub.pace = 3e6
    before, first, told, after, again, parameters = visit(FETCH_MODEL, hub, tmp_path)
    assert (before, after) == (False, True)
    assert told == {"sources": [MODEL]}
    done, total = [event[0] for event in first], first[-1][1]
    needed = sum(len(data) for name, data in published.items() if name.endswith((".json", ".txt", ".safetensors")))
    assert total == done[-1]
    assert 0 <= needed - total <= len(published["config.json"])  # which came first, to be checked
    assert done == sorted(done)
    assert len(set(done)) >= 4, "nothing was told on the way"
    assert again[-1] == [0, 0]
    assert parameters > 1_000_000
    assert not [request for request in hub.requests if "onnx" in request or "training_args" in request]


FETCH_OTHERS = f"""
from core.tasks.loaded import load_task_model
from core.text.tokenizers import load_tokenizer
events, told = drained(fetch([Wanted({TOKENIZER!r}, "tokenizer"), Wanted({JUDGE!r}, "task")]))
print(json.dumps([events[-1], told, load_tokenizer({TOKENIZER!r}).family, load_task_model({JUDGE!r}).setup.labels,
                  is_here(Wanted({TOKENIZER!r}, "encoder"))]))
"""


def test_a_tokenizer_comes_without_weights_and_a_model_of_the_book_as_its_pickle(
    hub: HubServer, tmp_path: Path
) -> None:
    (done, total), told, family, labels, whole = visit(FETCH_OTHERS, hub, tmp_path)
    assert done == total > 0
    assert told == {"sources": [TOKENIZER, JUDGE]}
    assert family == "mecab-wordpiece"
    assert labels == ["entailment", "contradiction", "neutral"]
    assert not whole, "a model of which only the tokenizer is here is not here"
    assert not [r for r in hub.requests if r.startswith(f"GET /{TOKENIZER}") and r.endswith(".safetensors")]
    assert [r for r in hub.requests if r.startswith(f"GET /{JUDGE}") and r.endswith("pytorch_model.bin")]


STOP = f"""
work = fetch([Wanted({MODEL!r}, "encoder")])
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    event = next(work)
    if event.done > 1_000_000:
        break
started = time.monotonic()
work.close()
print(json.dumps([event.done, event.total, time.monotonic() - started, is_here(Wanted({MODEL!r}, "encoder"))]))
"""


def test_stopping_takes_a_moment_and_leaves_no_torn_file(hub: HubServer, tmp_path: Path) -> None:
    hub.pace = 7e5
    done, total, seconds, here = visit(STOP, hub, tmp_path)
    assert 0 < done < total
    assert seconds < 5
    assert not here
    assert not partial(tmp_path)
    hub.pace = 0
    assert visit(FETCH_MODEL, hub, tmp_path)[3] is True, "what was left behind is no hindrance"


REFUSALS = """
found = {}
for source, purpose in WANTED:
    try:
        drained(fetch([Wanted(source, purpose)]))
        found[f"{source} {purpose}"] = ""
    except AppError as error:
        found[f"{source} {purpose}"] = error.key.removeprefix("error.model.")
print(json.dumps(found))
"""
WANTED = [
    ("someone/pickled", "encoder"),
    ("someone/pickled", "task"),
    ("someone/own-code", "encoder"),
    ("someone/words", "encoder"),
    ("someone/empty", "encoder"),
    ("someone/asked", "encoder"),
    ("someone/asked", "tokenizer"),
    ("someone/missing", "encoder"),
    ("someone/missing", "tokenizer"),
]


def test_what_cannot_be_used_is_refused_before_its_weights_travel(hub: HubServer, tmp_path: Path) -> None:
    found = visit(f"WANTED = {WANTED!r}\n{REFUSALS}", hub, tmp_path)
    assert list(found.values()) == [
        "pickle", "pickle", "remote_code", "no_weights", "not_a_model", "gated", "gated", "unknown", "unknown"
    ]  # fmt: skip
    assert not [r for r in hub.requests if r.startswith("GET") and r.endswith((".safetensors", ".bin"))]


def test_without_a_connection_it_says_so(tmp_path: Path) -> None:
    wanted = [(MODEL, "encoder"), (TOKENIZER, "tokenizer")]
    found = visit(f"WANTED = {wanted!r}\n{REFUSALS}", "http://127.0.0.1:9", tmp_path)
    assert set(found.values()) == {"offline"}


def test_a_download_that_breaks_off_says_so_and_leaves_no_torn_file(hub: HubServer, tmp_path: Path) -> None:
    hub.broken = frozenset(["model.safetensors"])
    found = visit(f"WANTED = {[(MODEL, 'encoder')]!r}\n{REFUSALS}", hub, tmp_path)
    assert set(found.values()) == {"broken_off"}
    assert not partial(tmp_path)


NO_ROOM = f"""
from core.downloads import plans
plans.SPARE_BYTES = 10**18
try:
    drained(fetch([Wanted({MODEL!r}, "encoder")]))
except AppError as error:
    print(json.dumps([error.key, error.params["free"]]))
"""


def test_a_full_disk_is_noticed_before(hub: HubServer, tmp_path: Path) -> None:
    assert visit(NO_ROOM, hub, tmp_path) == ["error.model.no_disk", 0]
    assert not [r for r in hub.requests if r.startswith("GET") and r.endswith(".safetensors")]


@pytest.mark.parametrize("source", ["", "..", "a/b/c", "こんにちは"])
def test_what_is_no_name_is_not_here(source: str) -> None:
    from core.downloads.plans import Wanted, is_here

    assert not is_here(Wanted(source, "tokenizer"))
