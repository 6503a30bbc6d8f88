"""The three attentions of an encoder-decoder: a small T5 with random weights and the bundled pieces."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import InvalidInput, ModelUnavailable
from core.models.attention import AttentionMap, attend, by_word, head_summary, hide_special
from core.models.crossing import STRAY, WRITTEN, attend_across, lay_out
from core.models.loading import LoadedModel, load_model
from core.settings import ROOT

TEXT, TARGET = "昨日の夜、駅前の通りで火事があった。", "駅前で火事"


@pytest.fixture(scope="module")
def loaded(writer: Path) -> LoadedModel:
    return load_model(str(writer), head="seq2seq-lm")


def test_weights_are_those_of_transformers(writer: Path, loaded: LoadedModel) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(writer, attn_implementation="eager", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(writer)
    source = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        written = model.generate(
            input_ids=source, attention_mask=torch.ones_like(source), do_sample=False, max_new_tokens=WRITTEN
        )
        output = model(input_ids=source, decoder_input_ids=written[:, :-1], output_attentions=True)
    found = attend_across(TEXT, loaded)
    assert found.generated
    for ours, theirs in (
        (found.encoder, output.encoder_attentions),
        (found.decoder, output.decoder_attentions),
        (found.cross, output.cross_attentions),
    ):
        np.testing.assert_allclose(ours.weights, torch.cat(theirs).numpy(), atol=1e-6)
    pieces = tokenizer.convert_ids_to_tokens(written[0, 1:].tolist())
    assert len(found.cross.units) == len(pieces)
    assert found.cross.keys == found.encoder.units
    assert [unit.label for unit in found.decoder.units[1:]] == [unit.label for unit in found.cross.units[:-1]]


def test_a_text_that_its_tokenizer_does_not_end_is_ended(writer: Path, loaded: LoadedModel, tmp_path: Path) -> None:
    from core.bundled.generators import load_unigram

    shutil.copytree(writer, tmp_path, dirs_exist_ok=True)
    tokenizer = load_unigram(ROOT / "assets")
    tokenizer.save_pretrained(tmp_path)
    assert tokenizer(TEXT)["input_ids"][-1] != tokenizer.eos_token_id
    other = attend_across(TEXT, load_model(str(tmp_path), head="seq2seq-lm"), target=TARGET)
    assert other.encoder.units == attend_across(TEXT, loaded, target=TARGET).encoder.units


@pytest.mark.parametrize("change", [lambda a: a, hide_special, by_word, lambda a: by_word(hide_special(a))])
def test_rows_sum_to_one_whatever_is_shown(loaded: LoadedModel, change: Callable[[AttentionMap], AttentionMap]) -> None:
    found = attend_across(TEXT, loaded, target=TARGET)
    for attention in (found.encoder, found.decoder, found.cross):
        shown = change(attention)
        assert shown.weights.shape[-2:] == (len(shown.units), len(shown.keys))
        np.testing.assert_allclose(shown.weights.sum(axis=-1), 1, atol=1e-5)


def test_a_target_that_is_given_is_what_is_written(loaded: LoadedModel) -> None:
    found = attend_across(TEXT, loaded, target=TARGET)
    assert not found.generated
    assert found.target.strip() == TARGET
    assert found.cross.units[-1].special
    assert found.decoder.units[0].special
    assert np.triu(found.decoder.weights, k=1).max() == 0
    words = by_word(hide_special(found.cross))
    assert [unit.label.strip() for unit in words.units] == ["駅前", "で", "火事"]
    assert words.keys[-1].label == "。"


def test_between_two_texts_there_is_no_distance(loaded: LoadedModel) -> None:
    for head in head_summary(attend_across(TEXT, loaded, target=TARGET).cross):
        assert (head.distance, head.first, head.same, head.previous, head.next) == (0, 0, 0, 0, 0)
        assert head.label in ("special", "broad", "focused", "mixed")


def test_its_encoder_can_be_read_alone(writer: Path, loaded: LoadedModel) -> None:
    assert load_model(str(writer), head=None) is loaded
    assert not attend(TEXT, loaded).causal


def test_bytes_that_are_no_character_leave_no_mark_of_failure(loaded: LoadedModel) -> None:
    pieces = {piece: number for number, piece in enumerate(loaded.tokenizer.pieces)}
    ids = [pieces["<0xE7>"], pieces["<0x8C>"], pieces["<0xAB>"], pieces["<0xE7>"], pieces["</s>"]]
    text, units = lay_out(ids, loaded, sequence=1)
    assert text == f"猫{STRAY}"
    assert [(unit.start, unit.end) for unit in units] == [(0, 1), (0, 1), (0, 1), (1, 2), (2, 2)]
    assert [unit.label for unit in units[:2]] == ["⟨E7⟩", "⟨8C⟩"]
    assert units[-1].special


def test_what_cannot_be_read_is_refused(loaded: LoadedModel, folder: Path) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        attend_across(" ", loaded)
    with pytest.raises(ModelUnavailable, match=r"needs\.seq2seq"):
        load_model(str(folder), head="seq2seq-lm")
