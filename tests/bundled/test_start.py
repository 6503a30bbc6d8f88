"""Models before their first step: word vectors counted from a stream, and an encoder-decoder that copies."""

from __future__ import annotations

import numpy as np
import torch
from transformers import T5ForConditionalGeneration

from core.bundled.encoder import configure
from core.bundled.generators import Seq2SeqShape, configure_seq2seq
from core.bundled.masked import BertForMaskedPositions
from core.bundled.start import WINDOW, count_neighbours, embed_tokens, start_from_counts, start_with_copying
from tests.bundled.tiny import SHAPE


def test_neighbours_are_counted_on_both_sides_without_special_tokens() -> None:
    counts = count_neighbours(np.array([5, 6, 3, 7], dtype=np.uint16), 8)
    assert WINDOW == 3
    assert counts[5, 6] == counts[6, 5] == counts[5, 7] == counts[6, 7] == 1
    assert counts[5, 5] == 0
    assert not counts[3].any()
    assert not counts[:, 3].any()


def test_tokens_with_the_same_neighbours_get_near_vectors() -> None:
    rng = np.random.default_rng(0)
    # 10 and 11 stand between the same tokens, 12 among others.
    phrases = [[rng.integers(20, 30), word, rng.integers(20, 30)] for word in (10, 11) * 200]
    phrases += [[rng.integers(40, 50), 12, rng.integers(40, 50)] for _ in range(200)]
    stream = np.array([token for phrase in phrases for token in (*phrase, 3, 3, 3)], dtype=np.uint16)
    vectors = embed_tokens(count_neighbours(stream, 60), width=8, seed=0)
    assert vectors[10] @ vectors[11] > 0.9
    assert abs(vectors[10] @ vectors[12]) < 0.5
    np.testing.assert_allclose(np.linalg.norm(vectors[[10, 11, 12]], axis=1), 1, atol=1e-5)
    assert not vectors[55].any()


def test_model_starts_with_token_frequencies() -> None:
    stream = np.array([7] * 300 + [8] * 100, dtype=np.uint16)
    model = BertForMaskedPositions(configure(SHAPE))
    start_from_counts(model, stream, seed=0)
    bias = model.cls.predictions.bias.detach()
    assert bias.argmax() == 7
    torch.testing.assert_close(bias.exp().sum(), torch.tensor(1.0))


def test_positions_start_so_that_distance_alone_decides() -> None:
    model = BertForMaskedPositions(configure(SHAPE))
    start_from_counts(model, np.array([7, 8] * 50, dtype=np.uint16), seed=0)
    positions = model.bert.embeddings.position_embeddings.weight.detach()
    products = positions @ positions.T
    torch.testing.assert_close(products.diagonal(), torch.ones(len(positions)))
    for distance in (1, 5, 20):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=0, atol=1e-4)
    assert products[0, 1] > products[0, 5]


def test_an_untrained_encoder_decoder_copies() -> None:
    torch.manual_seed(0)
    config = configure_seq2seq(Seq2SeqShape(layers=2), 600)
    random, copying = T5ForConditionalGeneration(config).eval(), T5ForConditionalGeneration(config).eval()
    start_with_copying(copying, seed=0)
    ids = torch.randint(2, 600, (8, 30))
    with torch.inference_mode():
        shares = [
            (model(input_ids=ids, labels=ids).logits.argmax(-1) == ids)[:, 1:].float().mean()
            for model in (random, copying)
        ]
    assert shares[0] < 0.05
    assert shares[1] > 0.9
