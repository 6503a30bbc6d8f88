"""Disentangled attention is transformers' own, and words without positions cannot be told apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoConfig
from transformers.models.deberta_v2.modeling_deberta_v2 import DisentangledSelfAttention

from core.errors import InvalidInput
from core.i18n import LOCALES
from core.models.disentangled import WIDTH, WORDS, Floats, Toy, disentangle, draw_toy
from tabs.encoders import disentangled

TEXT = "猫 が 猫 を 追う そして 犬 が 猫 を 見る"


def by_transformers(toy: Toy, terms: list[str]) -> Floats:
    """The weights of a DeBERTa layer with one head, these matrices, and no bias."""
    config = AutoConfig.for_model(
        "deberta-v2",
        hidden_size=WIDTH,
        num_attention_heads=1,
        relative_attention=True,
        max_relative_positions=len(toy.positions) // 2,
        position_buckets=-1,
        share_att_key=True,
        pos_att_type=terms,
    )
    layer = DisentangledSelfAttention(config).double().eval()
    with torch.no_grad():
        for linear, matrix in ((layer.query_proj, toy.query), (layer.key_proj, toy.key)):
            linear.weight.copy_(torch.tensor(matrix.T))
            linear.bias.zero_()
        length = len(toy.words)
        _, weights = layer(
            torch.tensor(toy.content)[None],
            torch.ones(1, 1, length, length),
            output_attentions=True,
            rel_embeddings=torch.tensor(toy.positions),
        )
    weighed: Floats = weights.reshape(length, length).numpy()
    return weighed


@pytest.mark.parametrize("span", [1, 3, 12])
@pytest.mark.parametrize("terms", [[], ["c2p"], ["p2c"], ["p2c", "c2p"]], ids=str)
def test_it_is_what_a_layer_of_deberta_computes(terms: list[str], span: int) -> None:
    toy = draw_toy(TEXT, span=span, seed=7)
    ours = disentangle(toy, content_position="c2p" in terms, position_content="p2c" in terms)
    np.testing.assert_allclose(ours.weights, by_transformers(toy, terms), atol=1e-6)


def test_only_positions_tell_equal_words_apart() -> None:
    toy = draw_toy(TEXT)
    content = disentangle(toy, content_position=False, position_content=False)
    np.testing.assert_allclose(content.weights[:, 0], content.weights[:, 2])
    for one, other in ((True, False), (False, True), (True, True)):
        apart = disentangle(toy, content_position=one, position_content=other)
        assert np.abs(apart.weights[:, 0] - apart.weights[:, 2]).max() > 0.01


def test_positions_beyond_the_span_are_one() -> None:
    attention = disentangle(draw_toy(TEXT, span=2))
    assert attention.places.min() == 0
    assert attention.places.max() == 3
    assert (attention.places[5, :4] == 3).all()
    np.testing.assert_allclose(attention.weights.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("text", "span", "key"),
    [
        (" \n", 3, "error.disentangled.empty"),
        ("猫 " * (WORDS + 1), 3, "error.disentangled.many"),
        ("猫", 0, "error.disentangled.span"),
    ],
)
def test_what_cannot_be_drawn_is_told(text: str, span: int, key: str) -> None:
    with pytest.raises(InvalidInput) as told:
        draw_toy(text, span=span)
    assert told.value.key == key


def test_a_sentence_without_repeated_words_and_markup_is_drawn_as_text() -> None:
    result = disentangled.explore(disentangled.Query(text="<b>猫</b> 魚", row=9, column=9))
    assert result.repeated is None
    assert (result.row, result.column) == (1, 1)
    for locale in LOCALES:
        assert "<b>猫" not in "".join(disentangled.show(result, locale))
