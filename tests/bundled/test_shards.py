"""Word vectors that several models share on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
)

from core.bundled.shards import SHARED, part_vectors, share_vectors


@pytest.fixture
def models(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, pad_token_id=0
    )
    BertForMaskedLM(config).save_pretrained(tmp_path / "encoder")
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "encoder").save_pretrained(tmp_path / "head")
    return tmp_path


def test_parted_weights_load_as_before(models: Path) -> None:
    before = AutoModelForMaskedLM.from_pretrained(models / "encoder").state_dict()
    part_vectors(models / "encoder")
    after = AutoModelForMaskedLM.from_pretrained(models / "encoder").state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_head_takes_its_vectors_from_the_encoder(models: Path) -> None:
    before = AutoModelForSequenceClassification.from_pretrained(models / "head").state_dict()
    whole = sum(path.stat().st_size for path in (models / "head").glob("*.safetensors"))
    part_vectors(models / "encoder")
    share_vectors(models / "head", models / "encoder")
    after = AutoModelForSequenceClassification.from_pretrained(models / "head").state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    own = sum(path.stat().st_size for path in (models / "head").glob("*.safetensors"))
    assert own < whole - 0.9 * (models / "encoder" / SHARED).stat().st_size


def test_other_vectors_are_not_given_away(models: Path) -> None:
    part_vectors(models / "encoder")
    head = AutoModel.from_pretrained(models / "head")
    with torch.no_grad():
        head.embeddings.word_embeddings.weight[7] += 1
    for path in (models / "head").glob("*.safetensors"):
        path.unlink()
    head.save_pretrained(models / "head")
    with pytest.raises(ValueError, match="other word vectors"):
        share_vectors(models / "head", models / "encoder")
