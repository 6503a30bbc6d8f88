"""A folder filled for a classroom, by the real client from a real server on this machine, and the app that uses it."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from gradio_client import Client

from core.downloads import prefetch
from core.i18n import LOCALES, translate
from core.presets import HEADS, MODELS, TOKENIZERS
from tests.app import launched
from tests.data.hub_server import Files, HubServer
from tests.downloads.conftest import JUDGE, TOKENIZER

ROOT = Path(__file__).parents[2]
BASE = "tohoku-nlp/bert-base-japanese-v3"


def environment(hub: HubServer, **more: str) -> dict[str, str]:
    return {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0", "LC_ALL": "en_US.UTF-8", **more}


def run(hub: HubServer, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "core.downloads", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=environment(hub, **more), capture_output=True, text=True, check=False, timeout=120
    )


def commit(hub: HubServer, name: str) -> str:
    return hub.commit(name, "main", hub.models[name]["main"])


def weights(hub: HubServer) -> int:
    return sum(request.startswith("GET") and request.endswith(".bin") for request in hub.requests)


@pytest.fixture
def filled(hub: HubServer, tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    done = run(hub, "prefetch", folder, TOKENIZER, JUDGE)
    assert done.returncode == 0, done.stderr
    for name in (TOKENIZER, JUDGE):
        assert f"{name}: commit {commit(hub, name)}" in done.stdout
    return folder


def test_what_can_be_chosen_is_the_catalogue(hub: HubServer, filled: Path) -> None:
    told = run(hub, "prefetch", filled).stdout.splitlines()
    on_the_hub = {preset.id for preset in (*MODELS, *HEADS, *TOKENIZERS) if not preset.bundled}
    assert {line.split()[0] for line in told} == on_the_hub
    here = {line.split()[0]: line.split()[-1] for line in told if "commit" in line}
    assert here == {name: f"{commit(hub, name)[:8]})" for name in (TOKENIZER, JUDGE)}
    assert [one.source for one in prefetch.list_catalogue()] == [line.split()[0] for line in told]


def test_the_folder_holds_plain_files_with_their_hashes(hub: HubServer, filled: Path, judge: Files) -> None:
    assert not [path for path in filled.rglob("*") if path.is_symlink()]
    sums = dict(line.split("  ")[::-1] for line in (filled / "SHA256SUMS").read_text("utf-8").splitlines())
    snapshot = f"models--{JUDGE.replace('/', '--')}/snapshots/{commit(hub, JUDGE)}"
    for name in ("pytorch_model.bin", "config.json", "vocab.txt"):
        assert sums[f"{snapshot}/{name}"] == hashlib.sha256(judge[name]).hexdigest()
    assert all((filled / name).is_file() for name in sums)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=filled, check=True)
    assert run(hub, "check", filled, HF_HUB_OFFLINE="1").returncode == 0


def test_a_second_time_nothing_travels(hub: HubServer, filled: Path) -> None:
    before = weights(hub)
    again = run(hub, "prefetch", filled, TOKENIZER, JUDGE)
    assert "0.0 MB" in again.stdout
    assert weights(hub) == before


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_interrupted_it_goes_on_where_it_was(hub: HubServer, published: Files, tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    hub.models = {**hub.models, BASE: {"main": published}}
    hub.pace = 2e6
    command = [sys.executable, "-m", "core.downloads", "prefetch", str(folder), BASE]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(hub), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(path.stat().st_size > 1_000_000 for path in folder.rglob("*.begun")):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(folder.rglob("refs/*")), "what is not whole has no name yet"
    hub.pace = 0
    assert run(hub, "prefetch", folder, BASE).returncode == 0
    assert max(hub.ranges) > 1_000_000
    assert not list(folder.rglob("*.begun"))
    assert run(hub, "check", folder).returncode == 0


@pytest.mark.parametrize("times", [1, 9])
def test_what_was_changed_on_its_way_is_not_kept(hub: HubServer, tmp_path: Path, times: int) -> None:
    folder = tmp_path / "stick"
    hub.altered = {"pytorch_model.bin": times}
    done = run(hub, "prefetch", folder, JUDGE)
    assert weights(hub) == 2
    if times == 1:
        assert done.returncode == 0
        assert run(hub, "check", folder).returncode == 0
        return
    assert done.returncode == 1
    assert translate("error.prefetch.damaged", "en", source=JUDGE, files="pytorch_model.bin") in done.stderr
    assert not list(folder.rglob("pytorch_model.bin"))
    assert not list(folder.rglob("refs/*"))


def test_a_stick_that_lost_something_is_found_out_and_mended(hub: HubServer, filled: Path) -> None:
    (damaged,) = filled.rglob("pytorch_model.bin")
    content = bytearray(damaged.read_bytes())
    content[1_000] ^= 1
    damaged.write_bytes(content)
    (missing,) = (path for path in filled.rglob("vocab.txt") if "t5-base-long" in str(path))
    missing.unlink()
    told = run(hub, "check", filled, HF_HUB_OFFLINE="1")
    assert told.returncode == 1
    assert {line.partition(":")[0] for line in told.stdout.splitlines()} == {
        path.relative_to(filled).as_posix() for path in (damaged, missing)
    }
    assert run(hub, "prefetch", filled, TOKENIZER, JUDGE).returncode == 0
    assert run(hub, "check", filled).returncode == 0


def test_a_branch_that_moves_is_followed_only_when_that_is_asked(hub: HubServer, filled: Path, judge: Files) -> None:
    before = commit(hub, JUDGE)
    after = hub.publish(JUDGE, {**judge, "README.md": b"# newer", "config.json": judge["config.json"] + b"\n"})
    assert before != after
    assert f"commit {before}" in run(hub, "prefetch", filled, JUDGE).stdout
    assert f"commit {after}" in run(hub, "prefetch", filled, JUDGE, "--newer").stdout
    assert f"commit {after}" in run(hub, "prefetch", filled, JUDGE).stdout
    assert run(hub, "check", filled).returncode == 0


@pytest.mark.parametrize("locale", LOCALES)
def test_what_cannot_be_done_is_told_in_words(hub: HubServer, tmp_path: Path, locale: str) -> None:
    folder, speaking = tmp_path / "stick", {"LC_ALL": f"{locale}.UTF-8"}
    unknown = run(hub, "prefetch", folder, "someone/unknown", **speaking)
    absent = run(hub, "prefetch", folder, "xlm-roberta-base", **speaking)  # which this Hub does not have
    offline = run(hub, "prefetch", folder, JUDGE, **speaking, HF_HUB_OFFLINE="1")
    empty = run(hub, "check", folder, **speaking)
    told = {
        unknown.stderr: translate("error.prefetch.name", locale, name="someone/unknown"),  # type: ignore[arg-type]
        absent.stderr: translate("error.model.unknown", locale, source="xlm-roberta-base"),  # type: ignore[arg-type]
        offline.stderr: translate("error.model.offline", locale, source=JUDGE),  # type: ignore[arg-type]
        empty.stderr: translate("error.prefetch.no_sums", locale, folder=str(folder)),  # type: ignore[arg-type]
    }
    assert {line.strip() for line in told} == set(told.values())
    assert not folder.exists()


@pytest.mark.wiring
def test_the_app_uses_a_folder_that_was_carried_here(hub: HubServer, filled: Path, tmp_path: Path) -> None:
    carried = tmp_path / "classroom" / "models"
    shutil.copytree(filled, carried)
    shutil.rmtree(filled)
    asked = len(hub.requests)
    offline = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": hub.endpoint}
    listed = sorted(path for path in carried.rglob("*"))
    with launched(tmp_path, "--hub", str(carried), environment=offline) as app:
        client = Client(app.url, verbose=False)
        found = client.predict(tokenizer=TOKENIZER, text="猫", api_name="/tokens")
        assert found["tokenization"]["source"] == TOKENIZER
        answers = client.predict(inference=JUDGE, api_name="/tour")["inference"]
        assert set(answers["labels"]) == {"entailment", "contradiction", "neutral"}
        script = httpx.post(f"{app.url}/lab/export/tokens.py", json={"tokenizer": TOKENIZER}).text
        assert f"{TOKENIZER} {commit(hub, TOKENIZER)}" in script
    assert len(hub.requests) == asked
    assert sorted(path for path in carried.rglob("*")) == listed, "it may be write-protected"
