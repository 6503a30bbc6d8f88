"""Embedding many texts equals embedding each alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.search.embedding import Pooling, embed, pool
from core.tasks.tokenizing import load_task_tokenizer
from tests.training.tiny import tiny_encoder

TEXTS = ("猫は魚を食べた。", "彼女が好きです。今日は映画を見に行った。", "犬", "音楽はとても楽しいです。")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_batches_change_nothing(folder: Path, model: Any, pooling: Pooling) -> None:
    import torch

    tokenizer = load_task_tokenizer(str(folder))
    model.train()  # dropout must be off all the same
    found = embed(model, tokenizer, TEXTS, pooling=pooling, batch_size=3)
    assert model.training
    model.eval()
    for row, text in zip(found, TEXTS, strict=True):
        with torch.no_grad():
            hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()  # (T, D)
        expected = {"cls": hidden[0], "mean": hidden.mean(axis=0), "max": hidden.max(axis=0)}[pooling]
        assert np.allclose(row, expected, atol=1e-5)


def test_lengths_become_one_and_long_texts_are_cut(folder: Path, model: Any) -> None:
    tokenizer = load_task_tokenizer(str(folder))
    found = embed(model, tokenizer, [*TEXTS, "猫" * 500], normalize=True)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    short = embed(model, tokenizer, ["猫は魚を食べた。", "猫は"], max_length=4)
    assert np.allclose(short[0], short[1], atol=1e-5)


def test_titles_are_a_first_segment(folder: Path, model: Any) -> None:
    import torch

    tokenizer = load_task_tokenizer(str(folder))
    found = embed(model, tokenizer, ["魚を食べた。"], titles=["猫"])
    pair = tokenizer("猫", "魚を食べた。", return_tensors="pt")
    assert 1 in pair["token_type_ids"]
    with torch.no_grad():
        assert np.allclose(found[0], model.eval()(**pair).last_hidden_state[0, 0].numpy(), atol=1e-5)


def test_nothing_gives_nothing(folder: Path, model: Any) -> None:
    assert embed(model, load_task_tokenizer(str(folder)), []).shape == (0, model.config.hidden_size)


def test_padding_never_pools() -> None:
    import torch

    hidden = torch.tensor([[[1.0], [2.0], [9.0]]])
    mask = torch.tensor([[1, 1, 0]])
    assert [pool(hidden, mask, kind).item() for kind in ("cls", "mean", "max")] == [1.0, 1.5, 2.0]
