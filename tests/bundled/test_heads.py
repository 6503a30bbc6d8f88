"""A head's recipe from rows to a shipped folder that plain transformers loads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertForMaskedLM

from core.bundled.files import read_json, write_json
from core.bundled.heads import FINE, Head, export_head, train_head
from core.bundled.labelled import REVIEWS, Gathered
from core.bundled.recipe import Request
from core.bundled.shards import VECTORS, part_weights
from core.errors import ModelUnavailable
from core.tasks.loaded import load_task_model, predict
from tests.training.tiny import reviews, tiny_encoder

ROWS = reviews(132)


def gather(data: Path) -> Gathered:
    train: list[dict[str, Any]] = [dict(row) for row in ROWS[:120]]
    return Gathered(train, [dict(row) for row in ROWS[120:]], ((REVIEWS, 120),))


HEAD = Head(
    "taste", "classification", "encoder", gather,
    replace(FINE, epochs=6, batch_size=8, learning_rate=1e-2, max_length=32, precision="fp32"),
    labels=("positive", "negative"),
)  # fmt: skip


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Request]:
    folder = tmp_path_factory.mktemp("heads")
    encoder = tiny_encoder(folder / "assets/models/encoder")
    BertForMaskedLM.from_pretrained(encoder).half().save_pretrained(encoder)  # as the shipped one is stored
    part_weights(folder / "assets/models/encoder", (VECTORS,))
    request = Request(folder, folder / "work/taste", folder / "assets", megabytes=0, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_MODELS", str(folder / "assets/models"))
        train_head(HEAD, request)
        yield request


def test_the_shipped_head_has_learned_and_plain_transformers_loads_it(request_: Request) -> None:
    folder = request_.assets / "models/taste"
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    right = 0
    for row in ROWS[120:]:
        with torch.no_grad():
            logits = model(**tokenizer(row["text"], return_tensors="pt")).logits[0]
        right += model.config.id2label[int(logits.argmax())] == row["label"]
    assert right >= 10
    assert not any(path.name.startswith("model") and path.suffix == ".safetensors" for path in folder.iterdir())


def test_the_app_loads_it_and_says_the_same(request_: Request) -> None:
    loaded = load_task_model(str(request_.assets / "models/taste"))
    examples = [loaded.task.read(row) for row in ROWS[120:]]
    assert sum(p.gold == p.predicted for p in predict(loaded, examples)) >= 10
    assert loaded.setup.labels == ("positive", "negative")


def test_what_it_learned_from_is_noted(request_: Request) -> None:
    noted = read_json(request_.assets / "models/taste/training.json")
    assert [(row["folder"], row["rows"]) for row in noted["data"]] == [("samples", 120)]
    assert noted["base"] == "encoder"
    assert noted["steps"] == 6 * 15


def test_a_finished_run_is_not_trained_again(request_: Request) -> None:
    events = request_.work / "run/events.jsonl"
    before = events.read_bytes()
    train_head(HEAD, request_)
    export_head(HEAD, request_)
    assert events.read_bytes() == before


def test_an_index_may_not_name_files_elsewhere(request_: Request, tmp_path: Path) -> None:
    models = request_.assets / "models"
    shutil.copytree(models, tmp_path / "models")
    with pytest.raises(ModelUnavailable):  # the same files, but not among the bundled models
        load_task_model(str(tmp_path / "models/taste"))
    for place in ("../../secret.safetensors", "/etc/passwd", "../encoder/config.json"):
        folder = models / "bent"
        shutil.copytree(models / "taste", folder, dirs_exist_ok=True)
        index = read_json(folder / "model.safetensors.index.json")
        index["weight_map"] = dict.fromkeys(index["weight_map"], place)
        write_json(folder / "model.safetensors.index.json", index)
        with pytest.raises(ModelUnavailable):
            load_task_model(str(folder))
    shutil.rmtree(models / "bent")
