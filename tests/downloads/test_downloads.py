"""Models fetched by the real client from a real server on this machine: progress, stopping, and what is refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
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


def visit(script: str, hub: HubServer | str, home: Path, *, patience: float | None = None) -> Any:
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
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=patience
    )
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
loaded = load_model({MODEL!r})
print(json.dumps([before, first, told, after, again, loaded.parameters]))
"""


def test_a_model_is_fetched_with_its_progress_and_stays(hub: HubServer, published: Files, tmp_path: Path) -> None:
    hub.pace = 3e6
    before, first, told, after, again, parameters = visit(FETCH_MODEL, hub, tmp_path)
    assert (before, after) == (False, True)
    assert told == {"sources": [MODEL]}
    done, total = [event[0] for event in first], first[-1][1]
    needed = sum(len(data) for name, data in published.items() if name.endswith((".json", ".txt", ".safetensors")))
    assert total == done[-1] == needed
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


PLAN = f"""
from core.downloads.__main__ import plan
plan([Wanted({MODEL!r}, "encoder")])
print()
print(json.dumps(sorted({{"torch", "tokenizers"}} & sys.modules.keys())))
"""


def test_planning_takes_no_heavy_library(hub: HubServer, tmp_path: Path) -> None:
    """It is a process of its own, whose start the visitor waits for."""
    assert visit(PLAN, hub, tmp_path) == []


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
    ("長" * 150, "encoder"),
    ("a\0b", "tokenizer"),
]


def test_what_cannot_be_used_is_refused_before_its_weights_travel(hub: HubServer, tmp_path: Path) -> None:
    found = visit(f"WANTED = {WANTED!r}\n{REFUSALS}", hub, tmp_path)
    assert list(found.values()) == [
        "pickle", "pickle", "remote_code", "no_weights", "not_a_model", "gated", "gated", "unknown", "unknown",
        "unknown", "unknown",
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


SILENT = f"""
import threading
from pathlib import Path
from core.jobs import JobRegistry, Progress, State
from core.workspaces import Workspaces, new_identity

def counting():
    yield Progress(1, 1)
    return "counted"

def wait(job, *states):
    while registry.view(job).state not in states:
        time.sleep(0.01)
    return registry.view(job).state

registry = JobRegistry(Workspaces(Path(FOLDER), lifetime=100, quota=1_000))  # one line for all
me = new_identity()
hanging = registry.submit(me, kind="fetch", work=lambda: fetch([Wanted({MODEL!r}, "encoder")]))
while not Path(FOLDER, "asked").exists():
    time.sleep(0.01)
running = wait(hanging, State.RUNNING)
registry.cancel(hanging, workspace=me)
started = time.monotonic()
cancelled = wait(hanging, State.CANCELLED)
done = wait(registry.submit(new_identity(), kind="count", work=counting), State.DONE)
seconds = time.monotonic() - started
registry.close()
print(json.dumps([running, cancelled, done, seconds]))
"""


def test_a_hub_that_never_answers_can_be_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def accept() -> None:
            connections.append(silent.accept()[0])
            (tmp_path / "asked").touch()

        connections: list[socket.socket] = []
        threading.Thread(target=accept, daemon=True).start()
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        *states, seconds = visit(f"FOLDER = {str(tmp_path)!r}\n{SILENT}", endpoint, tmp_path / "hub", patience=120)
        connections[0].close()
    assert states == ["running", "cancelled", "done"]
    assert seconds < 8


ABANDON = f"""
import os, signal
work = fetch([Wanted({MODEL!r}, "encoder")])
while next(work).done < 100_000:
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has neither process groups nor SIGKILL")
def test_a_download_ends_with_the_app_and_not_with_its_terminal(hub: HubServer, tmp_path: Path) -> None:
    hub.pace = 3e5
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    app = subprocess.Popen([sys.executable, "-c", PRELUDE + ABANDON], cwd=ROOT, env=environment)
    groups = set()
    while app.poll() is None:
        groups |= {os.getpgid(child) for child in downloads(tmp_path)}
        time.sleep(0.05)
    assert groups
    assert os.getpgid(0) not in groups, "Ctrl-C would reach it"
    deadline = time.monotonic() + 5
    while downloads(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not downloads(tmp_path)


def downloads(home: Path) -> list[int]:
    """Ids of the processes that fetch into this folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended meanwhile, or is somebody else's
            if "core.downloads" in process.cmdline() and process.environ().get("HF_HOME") == str(home):
                found.append(process.pid)
    return found


LEFTOVERS = f"""
from core.text.tokenizers import load_tokenizer
found = []
for source, purpose in [("someone/pickled", "encoder"), ("someone/wordless", "tokenizer"), ({MODEL!r}, "encoder")]:
    try:
        drained(fetch([Wanted(source, purpose)]))
    except AppError as error:
        found.append(error.key.removeprefix("error.model."))
    found.append(is_here(Wanted(source, "tokenizer")))
    try:
        load_tokenizer(source)
    except AppError as error:
        found.append(error.key.removeprefix("error.model."))
print(json.dumps(found))
"""


def test_what_a_refusal_or_a_torn_download_leaves_is_no_tokenizer(hub: HubServer, tmp_path: Path) -> None:
    hub.broken = frozenset(["model.safetensors"])
    assert visit(LEFTOVERS, hub, tmp_path) == [
        *("pickle", False, "not_downloaded"),
        *("no_tokenizer", False, "not_downloaded"),
        *("broken_off", False, "not_downloaded"),
    ]
    hub.broken = frozenset()
    assert visit(FETCH_MODEL, hub, tmp_path)[3] is True


KNOWN_CONFIG = f"""
from huggingface_hub import hf_hub_download
from core.text.tokenizers import load_tokenizer
hf_hub_download({TOKENIZER!r}, "config.json")
hf_hub_download({TOKENIZER!r}, "tokenizer_config.json")
try:
    load_tokenizer({TOKENIZER!r})
except AppError as error:
    print(json.dumps([error.key, is_here(Wanted({TOKENIZER!r}, "tokenizer"))]))
"""


def test_what_other_programs_left_in_the_cache_is_no_tokenizer_either(hub: HubServer, tmp_path: Path) -> None:
    assert visit(KNOWN_CONFIG, hub, tmp_path) == ["error.model.not_downloaded", False]


ENOUGH = f"""
from core.downloads import plans, work
wanted = [Wanted({TOKENIZER!r}, "tokenizer")]
drained(fetch(wanted))
plans.SPARE_BYTES = 10**18
print(json.dumps(drained(fetch(wanted))[0][-1]))
"""


def test_a_full_disk_is_no_hindrance_when_nothing_has_to_be_fetched(hub: HubServer, tmp_path: Path) -> None:
    assert visit(ENOUGH, hub, tmp_path) == [0, 0]


XET = f"""
import os, psutil
from core.downloads import work
os.environ.pop("HF_HUB_DISABLE_XET")
with work._started("fetch", [("tokenizer", {TOKENIZER!r}, "main")]) as child:
    while not (told := psutil.Process(child.process.pid).environ()):
        pass  # for a moment after it began it has none
print(json.dumps(told.get("HF_HUB_DISABLE_XET")))
"""


def test_files_come_by_the_way_that_is_tested_here(hub: HubServer, tmp_path: Path) -> None:
    assert visit(XET, hub, tmp_path) == "1"


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


PINNED = f"""
drained(fetch([Wanted({MODEL!r}, PURPOSE)]))
one = Wanted({MODEL!r}, PURPOSE)
print(json.dumps([one.pin, one.revision, one.branch, is_here(one)]))
"""


def test_what_was_fetched_once_stays_at_its_commit(hub: HubServer, published: Files, tmp_path: Path) -> None:
    """A tokenizer first, weeks later the model: both of the commit that came first, although the branch has moved."""
    first = hub.commit(MODEL, "main", published)
    expected = [first, first, "main", True]
    assert visit(f"PURPOSE = 'tokenizer'\n{PINNED}", hub, tmp_path) == expected
    assert hub.publish(MODEL, {**published, "vocab.txt": published["vocab.txt"] + b"new\n"}) != first
    assert visit(f"PURPOSE = 'encoder'\n{PINNED}", hub, tmp_path) == expected
    (snapshot,) = (path for path in tmp_path.rglob("snapshots/*"))
    assert snapshot.name == first
    assert (snapshot / "vocab.txt").read_bytes() == published["vocab.txt"]
