"""The bundled encoder, as the exhibits use it."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.models.attention import attend, by_word, head_detail, hide_special
from core.models.fill import fill_mask
from core.models.loading import LoadedModel, load_model
from core.models.saliency import attribute
from core.presets import MODELS, locate

TEXT = "吾輩は猫である。名前はまだ無い。"


@pytest.fixture(scope="module")
def encoder() -> LoadedModel:
    return load_model("encoder")


def test_attention_is_that_of_transformers_and_sums_to_one(encoder: LoadedModel) -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = locate("encoder", MODELS)
    encoded = AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt")
    model = AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    with torch.no_grad():
        expected = torch.stack(model(**encoded, output_attentions=True).attentions)[:, 0].numpy()
    attention = attend(TEXT, encoder)
    np.testing.assert_allclose(attention.weights, expected, atol=1e-5)
    for view in (attention, hide_special(attention), by_word(attention), by_word(hide_special(attention))):
        np.testing.assert_allclose(view.weights.sum(axis=-1), 1, atol=1e-5)


def test_a_pair_has_segments_0_and_1(encoder: LoadedModel) -> None:
    attention = attend("雨が降った。", encoder, pair="道がぬれた。")
    assert {unit.segment for unit in attention.units if unit.sequence == 0} == {0}
    assert {unit.segment for unit in attention.units if unit.sequence == 1} == {1}


def test_one_head_in_numbers(encoder: LoadedModel) -> None:
    detail = head_detail(TEXT, encoder, layer=1, head=1, query=3)
    np.testing.assert_allclose(detail.weights, attend(TEXT, encoder).weights[1, 1, 3], atol=1e-6)


def test_a_blank_and_its_attribution(encoder: LoadedModel) -> None:
    (mask,) = fill_mask("日本の首都は[MASK]です。", encoder, k=5).masks
    assert all(0 < found.probability < 1 for found in mask.candidates)
    result = attribute("日本の首都は[MASK]です。", encoder)
    assert result.target.id == mask.candidates[0].id
    assert result.completeness_error is not None
    assert result.completeness_error < 0.1


@pytest.mark.parametrize("text", ["😀🎉", "<script>alert(1)</script>", "あ" * 5_000, "猫\x07", "ﷺ①㍿"])
def test_odd_texts_have_attention_too(encoder: LoadedModel, text: str) -> None:
    attention = attend(text, encoder)
    assert len(attention.units) <= 128
    np.testing.assert_allclose(attention.weights.sum(axis=-1), 1, atol=1e-5)


def test_a_text_without_a_single_token_is_refused(encoder: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        attend("\x00\x07", encoder)


def test_a_sentence_takes_milliseconds(encoder: LoadedModel) -> None:
    attend(TEXT, encoder)
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        attend(TEXT, encoder)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.03  # the best of ten: other people's work does not count
