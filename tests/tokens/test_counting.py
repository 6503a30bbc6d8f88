"""An uploaded text is counted by a job: progress, result, cancelling, and no file left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import AppError, Busy, InvalidInput, NotAllowedHere
from core.i18n import LOCALES, Locale
from core.jobs import Job, State
from core.settings import ROOT, Settings
from core.values import as_json
from core.workspaces import new_identity
from tabs._kit import pictures
from tabs._kit.context import Context, open_context
from tabs.tokens import counted, counting

LINE = "公園の池で、二羽の鴨がゆっくりと泳いでいた。\n"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Context]]:
    contexts: list[Context] = []

    def open_one(mode: Any = "local") -> Context:
        contexts.append(open_context(Settings("127.0.0.1", 0, mode, tmp_path / "workspace", ROOT / "assets/models")))
        return contexts[-1]

    yield open_one
    for context in contexts:
        context.jobs.close()


def values(path: Path | None, *names: str) -> dict[str, Any]:
    return {"file": path and str(path), "tokenizers": list(names or ("wordpiece", "bpe"))}


def written(folder: Path, data: bytes) -> Path:
    path = folder / "mine.txt"
    path.write_bytes(data)
    return path


def wait(context: Context, job_id: str, until: Callable[[Job], bool], seconds: float = 60) -> Job:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        job = context.jobs.view(job_id)
        assert job is not None
        if until(job):
            return job
        time.sleep(0.01)
    raise AssertionError(job)


def ended(job: Job) -> bool:
    return job.ended > 0


def kept(context: Context, identity: str) -> list[Path]:
    return list((context.workspaces.open(identity) / "uploads").glob("*"))


def test_a_file_is_counted_and_deleted(opened: Callable[..., Context], tmp_path: Path) -> None:
    context, identity = opened(), new_identity()
    path = written(tmp_path, b"\xef\xbb\xbf" + (LINE * 50).encode())
    job = wait(context, counting.submit(values(path), context, identity), ended)
    assert job.state is State.DONE
    assert job.done == job.total == 50 * (len(LINE) - 1)
    fresh = counting.explore(counting.Query(text=LINE * 50, tokenizers=("wordpiece", "bpe")))
    assert job.result == json.loads(json.dumps(as_json(fresh)))
    assert counted.draw(job.result, "ja") == counting.show(fresh, "ja")[0]
    assert kept(context, identity) == []
    assert str(ROOT) not in json.dumps(job.result)


def test_a_running_job_is_cancelled(opened: Callable[..., Context], tmp_path: Path) -> None:
    context, identity = opened(), new_identity()
    path = written(tmp_path, (LINE * 100_000).encode())
    job_id = counting.submit(values(path), context, identity)
    running = wait(context, job_id, lambda job: job.done > 0)
    assert running.state is State.RUNNING
    assert running.total > running.done
    with pytest.raises(Busy):
        counting.submit(values(path), context, identity)
    assert len(kept(context, identity)) == 1
    waiting = counting.submit(values(path), context, other := new_identity())
    assert context.jobs.cancel(waiting, workspace=other)
    assert kept(context, other) == []
    assert context.jobs.cancel(job_id, workspace=identity)
    assert wait(context, job_id, ended).state is State.CANCELLED
    assert kept(context, identity) == []


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ("東京".encode("shift_jis"), "error.statistics.encoding"),
        ("東京".encode("utf-16"), "error.statistics.encoding"),
        (b"a\0b", "error.statistics.binary"),
        (b"a" * 1_000_001, "error.statistics.too_large"),
    ],
)
def test_files_that_cannot_be_used(opened: Callable[..., Context], tmp_path: Path, data: bytes, key: str) -> None:
    context, identity = opened("public"), new_identity()
    with pytest.raises(InvalidInput) as told:
        counting.submit(values(written(tmp_path, data)), context, identity)
    assert told.value.key == key
    assert kept(context, identity) == []


def test_an_empty_file_fails_in_words(opened: Callable[..., Context], tmp_path: Path) -> None:
    context, identity = opened(), new_identity()
    job = wait(context, counting.submit(values(written(tmp_path, b" \n")), context, identity), ended)
    assert (job.state, job.error) == (State.FAILED, "error.text.empty")
    assert kept(context, identity) == []


def test_no_file_and_tokenizers_not_allowed_here(opened: Callable[..., Context], tmp_path: Path) -> None:
    context = opened("public")
    with pytest.raises(InvalidInput):
        counting.submit(values(None), context, new_identity())
    with pytest.raises(NotAllowedHere):
        counting.submit(values(written(tmp_path, b"a"), "nobody/nothing"), context, new_identity())


def test_a_full_workspace_is_told(opened: Callable[..., Context], tmp_path: Path) -> None:
    context, identity = opened("public"), new_identity()
    (context.workspaces.open(identity) / "full").write_bytes(b"a" * context.limits.workspace_bytes)
    with pytest.raises(AppError) as told:
        counting.submit(values(written(tmp_path, LINE.encode())), context, identity)
    assert told.value.key == "error.workspace.full"


@pytest.mark.parametrize("locale", LOCALES)
def test_the_card_of_a_job_carries_its_words(locale: Locale) -> None:
    drawn = pictures.job_card("0" * 32, slug=counting.SLUG, locale=locale)
    assert "{seconds}" in drawn
    assert "{position}" in drawn
