"""Models that the book's authors published: found in the catalogue, read as tensors only, and no others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.data.examples import LabelledText, ScoredPair, TaggedText
from core.errors import ModelUnavailable
from core.tasks.loaded import load_task_model, predict
from tests.bundled.family import build_family

BOOK = "llm-book/bert-base-japanese-v3"


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    build_family(folder)
    return folder / "models"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which downloads are kept; the network is off."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def publish(hub: Path, repository: str, folder: Path) -> Path:
    """Lay a model into the cache as a download would, as it stands on the Hub: a pickle, and no word of its task."""
    kept = hub / f"models--{repository.replace('/', '--')}"
    snapshot = kept / "snapshots" / ("0" * 40)
    shutil.copytree(folder, snapshot)
    (kept / "refs").mkdir()
    (kept / "refs/main").write_text("0" * 40)
    torch.save(load_file(snapshot / "model.safetensors"), snapshot / "pytorch_model.bin")
    (snapshot / "model.safetensors").unlink()
    (snapshot / "task.json").unlink()
    return snapshot


def test_a_model_of_the_catalogue_knows_its_task_and_its_labels(hub: Path, family: Path) -> None:
    publish(hub, f"{BOOK}-marc_ja", family / "sentiment")
    publish(hub, f"{BOOK}-ner-wikipedia-dataset", family / "tagging")
    publish(hub, f"{BOOK}-unsup-simcse-jawiki", family / "simcse")
    text = "猫は魚を食べた。"
    judge = load_task_model(f"{BOOK}-marc_ja")
    assert judge.setup.labels == ("positive", "negative")
    own = predict(load_task_model(str(family / "sentiment")), [LabelledText(text, "")])
    assert predict(judge, [LabelledText(text, "")])[0].scores == pytest.approx(own[0].scores)
    tagger = load_task_model(f"{BOOK}-ner-wikipedia-dataset")
    assert tagger.setup.labels == ("O", "B-人名", "I-人名", "B-地名", "I-地名")
    assert (
        predict(tagger, [TaggedText(text, ())])[0].predicted
        == predict(load_task_model(str(family / "tagging")), [TaggedText(text, ())])[0].predicted
    )
    embedder = load_task_model(f"{BOOK}-unsup-simcse-jawiki")
    assert embedder.model.config.sentence_pooling == "cls"
    assert predict(embedder, [ScoredPair(text, text, 5.0)])[0].predicted == pytest.approx(1)


def test_a_pickle_of_anybody_else_stays_closed(hub: Path, family: Path) -> None:
    publish(hub, "someone/some-model", family / "sentiment")
    with pytest.raises(ModelUnavailable):
        load_task_model("someone/some-model")


def test_a_pickle_runs_nothing(hub: Path, family: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    snapshot = publish(hub, f"{BOOK}-jnli", family / "inference")
    torch.save({"weight": Trap()}, snapshot / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="unreadable"):
        load_task_model(f"{BOOK}-jnli")
    assert not (tmp_path / "sprung").exists()


def test_what_is_not_here_says_why(hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with pytest.raises(ModelUnavailable, match="offline"):
        load_task_model(f"{BOOK}-jsts")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelUnavailable, match="not_downloaded"):
        load_task_model(f"{BOOK}-jsts")
    monkeypatch.setenv("LAB_MODELS", str(tmp_path / "nothing"))
    with pytest.raises(ModelUnavailable, match="not_shipped"):
        load_task_model("sentiment")
