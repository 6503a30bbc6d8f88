"""Losses of rows, batches and corpora."""

from __future__ import annotations

import math

import pytest
import torch

from core.generation.batches import IGNORED, pad_features, plan_batches
from core.generation.likelihood import Likelihood, add_likelihoods, score_labels


def test_rows_by_hand() -> None:
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], [[0.2, 0.4, 0.4], [1.0, 1.0, 1.0]]]))
    labels = torch.tensor([[0, 1], [IGNORED, IGNORED]])
    (first, second), best = score_labels(logits, labels)
    assert (first.tokens, first.correct) == (2, 1)
    assert first.loss == pytest.approx(-math.log(0.5) - math.log(0.1))
    assert first.perplexity == pytest.approx(20**0.5)
    assert second == Likelihood(0.0, 0, 0)
    assert math.isnan(second.mean) and math.isnan(second.accuracy) and math.isnan(second.perplexity)
    assert best.tolist() == [[0, 2], [IGNORED, IGNORED]]


def test_a_corpus_weighs_tokens_not_texts() -> None:
    total = add_likelihoods([Likelihood(2.0, 1, 0), Likelihood(3.0, 9, 6)])
    assert (total.mean, total.accuracy) == (0.5, 0.6)
    assert total.perplexity == math.exp(0.5)
    assert Likelihood(800.0, 1, 0).perplexity == math.inf


def test_padding() -> None:
    batch = pad_features([{"input_ids": [5, 6, 7], "labels": [8]}, {"input_ids": [9], "labels": [1, 2]}], pad=3)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [9, 3, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[8, IGNORED], [1, 2]]


def test_batches_keep_to_both_bounds() -> None:
    lengths = [3, 9, 1, 9, 2, 8, 30]
    assert plan_batches(lengths, batch_size=3) == [[6, 1, 3], [5, 0, 4], [2]]
    batches = plan_batches(lengths, batch_size=3, cells=18)
    assert batches == [[6], [1, 3], [5, 0], [4, 2]]
