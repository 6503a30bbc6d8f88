"""A Hub on this machine with a small model as it might be published there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.hub_server import Files, HubServer, Repository, serve
from tests.models.conftest import folder

__all__ = ["folder"]

MODEL = "someone/small-bert"
TOKENIZER = "retrieva-jp/t5-base-long"  # of the catalogue, with a small tokenizer in place of its own
JUDGE = "llm-book/bert-base-japanese-v3-jnli"  # of the catalogue, and a pickle there


def as_files(place: Path) -> Files:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def published(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of a model of some megabytes, among them what nobody here needs."""
    from transformers import BertConfig, BertForMaskedLM

    place = tmp_path_factory.mktemp("published") / "model"
    shutil.copytree(folder, place)
    config = BertConfig.from_pretrained(folder, intermediate_size=16_384)
    BertForMaskedLM(config).half().save_pretrained(place)
    return {**as_files(place), "README.md": b"# small", "onnx/model.onnx": b"x" * 5_000_000, "training_args.bin": b"x"}


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Files:
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    place = tmp_path_factory.mktemp("judge") / "model"
    shutil.copytree(folder, place)
    labels = dict(enumerate(("entailment", "contradiction", "neutral")))
    config = BertConfig.from_pretrained(folder, id2label=labels, label2id={name: n for n, name in labels.items()})
    model = BertForSequenceClassification(config)
    model.save_pretrained(place)
    torch.save(model.state_dict(), place / "pytorch_model.bin")
    (place / "model.safetensors").unlink()
    return as_files(place)


@pytest.fixture
def hub(published: Files, judge: Files) -> Iterator[HubServer]:
    words = {name: content for name, content in published.items() if not name.endswith(".safetensors")}
    models: dict[str, Repository] = {
        MODEL: {"main": published},
        TOKENIZER: {"main": published},
        JUDGE: {"main": judge},
        "someone/pickled": {"main": judge},
        "someone/own-code": {"main": {**published, "config.json": b'{"model_type": "bert", "auto_map": {"A": "b.C"}}'}},
        "someone/words": {"main": words},
        "someone/wordless": {"main": {"config.json": published["config.json"]}},
        "someone/empty": {"main": {"README.md": b"#"}},
        "someone/asked": {"main": published},
    }
    with serve({}, models=models) as server:
        server.gated = frozenset(["someone/asked"])
        yield server
