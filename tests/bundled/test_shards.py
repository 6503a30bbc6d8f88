"""Weights that several models share on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from core.bundled.shards import LOWER, READER, VECTORS, Part, part_weights, share_weights


@pytest.fixture
def models(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=24, pad_token_id=0
    )
    BertForMaskedLM(config).save_pretrained(tmp_path / "encoder")
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "encoder").save_pretrained(tmp_path / "head")
    return tmp_path


def measure(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def test_parted_weights_load_as_before(models: Path) -> None:
    before = AutoModelForMaskedLM.from_pretrained(models / "encoder").state_dict()
    part_weights(models / "encoder", (VECTORS, LOWER))
    after = AutoModelForMaskedLM.from_pretrained(models / "encoder").state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("parts", [(VECTORS,), (VECTORS, LOWER)])
def test_a_head_takes_parts_from_the_encoder(models: Path, parts: tuple[Part, ...]) -> None:
    before = AutoModelForSequenceClassification.from_pretrained(models / "head").state_dict()
    whole = measure(models / "head")
    part_weights(models / "encoder", (VECTORS, LOWER))
    share_weights(models / "head", models / "encoder", parts)
    after = AutoModelForSequenceClassification.from_pretrained(models / "head").state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    taken = sum((models / "encoder" / part.file).stat().st_size for part in parts)
    assert measure(models / "head") < whole - 0.8 * taken


def test_other_weights_are_not_given_away(models: Path) -> None:
    part_weights(models / "encoder", (VECTORS, LOWER))
    head = AutoModelForSequenceClassification.from_pretrained(models / "head")
    with torch.no_grad():
        head.bert.embeddings.word_embeddings.weight[7] += 1
    head.save_pretrained(models / "head")
    with pytest.raises(ValueError, match=r"another bert\.embeddings\.word_embeddings\.weight than encoder"):
        share_weights(models / "head", models / "encoder", (VECTORS,))


def test_an_encoder_decoder_shares_what_reads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model: Any = T5ForConditionalGeneration(
        T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    )
    model.save_pretrained(tmp_path / "seq2seq")
    part_weights(tmp_path / "seq2seq", (VECTORS, READER))
    with torch.no_grad():
        model.decoder.block[0].layer[0].SelfAttention.q.weight += 1
    model.save_pretrained(tmp_path / "headline")
    share_weights(tmp_path / "headline", tmp_path / "seq2seq", (VECTORS, READER))
    after = T5ForConditionalGeneration.from_pretrained(tmp_path / "headline").state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in model.state_dict().items())
    assert measure(tmp_path / "headline") < measure(tmp_path / "seq2seq") * 0.7
