"""The best path is the best of all paths, whatever stands around it."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from core.tasks.bio import token_labels
from core.tasks.viterbi import IGNORED, TransitionScores, compact, constrain_transitions, viterbi_decode

TYPES = ("人名", "法人名", "地名", "政治的組織名", "製品名", "施設名", "その他の組織名", "イベント名")


def draw_scores(labels: int, *, seed: int, deviation: float = 1.0) -> TransitionScores:
    generator = torch.Generator().manual_seed(seed)
    start, matrix, end = (torch.randn(shape, generator=generator) for shape in ((labels,), (labels, labels), (labels,)))
    return TransitionScores(deviation * start, deviation * matrix, deviation * end)


def score_by_hand(emissions: Tensor, path: tuple[int, ...], scores: TransitionScores) -> float:
    """The score of one path over (T, L)."""
    total = (scores.start[path[0]] + scores.end[path[-1]]).item()
    total += sum(emissions[step, label].item() for step, label in enumerate(path))
    return total + sum(scores.matrix[one, other].item() for one, other in pairwise(path))


def best_by_hand(emissions: Tensor, scores: TransitionScores) -> tuple[list[int], float]:
    """The best path over (T, L), by trying all."""
    length, labels = emissions.shape
    paths = list(product(range(labels), repeat=length))
    best = max(paths, key=lambda path: score_by_hand(emissions, path, scores))
    return list(best), score_by_hand(emissions, best, scores)


def test_the_books_transitions() -> None:
    labels = token_labels(TYPES)
    scores = constrain_transitions(labels)
    assert len(labels) == 17
    assert [int((scores.start == value).sum()) for value in (0, -100)] == [9, 8]
    allowed = scores.matrix == 0
    assert int(allowed.sum()) == 169
    assert int((scores.matrix == -100).sum()) == 17 * 17 - 169
    assert allowed.sum(1).tolist() == [9] + [10] * 16  # O, then B and I of each type
    assert scores.end.tolist() == [0] * 17
    inside, begin, other = (labels.index(name) for name in ("I-人名", "B-人名", "I-地名"))
    assert allowed[begin, inside] and allowed[inside, inside]
    assert not allowed[other, inside] and not allowed[0, inside]


def test_the_penalty_can_be_chosen() -> None:
    scores = constrain_transitions(token_labels(["人名"]), penalty=-3.5)
    assert scores.start.tolist() == [0, 0, -3.5]
    assert scores.matrix.tolist() == [[0, 0, -3.5], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_path_is_the_best_of_all(seed: int) -> None:
    torch.manual_seed(seed)
    emissions, scores = torch.randn(3, 5, 4), draw_scores(4, seed=seed)
    decoding = viterbi_decode(emissions, torch.ones(3, 5, dtype=torch.bool), scores)
    for row, labels, score in zip(emissions, decoding.labels.tolist(), decoding.scores.tolist(), strict=True):
        path, best = best_by_hand(row, scores)
        assert labels == path
        assert score == pytest.approx(best, abs=1e-5)


def test_padding_never_changes_a_label() -> None:
    # Learned transitions: with these the book's decoder, which follows back-pointers into the padding, goes wrong.
    torch.manual_seed(0)
    scores = draw_scores(5, seed=1)
    lengths = torch.randint(1, 13, (200,))
    emissions = torch.randn(200, 12, 5)
    mask = torch.arange(12) < lengths[:, None]
    together = viterbi_decode(emissions, mask, scores)
    for row, length in enumerate(lengths.tolist()):
        alone = viterbi_decode(emissions[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool), scores)
        assert together.labels[row, :length].tolist() == alone.labels[0].tolist()
        assert set(together.labels[row, length:].tolist()) <= {IGNORED}
        assert float(together.scores[row]) == pytest.approx(float(alone.scores[0]), abs=1e-4)


def test_what_is_masked_is_not_there_wherever_it_stands() -> None:
    torch.manual_seed(0)
    scores = draw_scores(4, seed=2)
    emissions = torch.randn(50, 9, 4)
    mask = torch.rand(50, 9) < 0.6
    mask[0] = False  # a sequence without any position
    emissions[~mask] = 1e4  # would win if anything looked at it
    decoding = viterbi_decode(emissions, mask, scores)
    assert float(decoding.scores[0]) == 0
    assert (decoding.labels[~mask] == IGNORED).all()
    tried = [row for row in range(1, 50) if 0 < int(mask[row].sum()) < 6]
    assert len(tried) > 20
    for row in tried:
        path, score = best_by_hand(emissions[row, mask[row]], scores)
        assert decoding.labels[row, mask[row]].tolist() == path
        assert decoding.scores[row].item() == pytest.approx(score, abs=1e-4)


def test_forbidden_transitions_are_avoided() -> None:
    labels = token_labels(["人名", "地名"])
    # Each token by itself says: I-人名, I-地名, O.
    emissions = torch.tensor([[[0, 1.0, 2.0, 0, 0], [0, 0, 0.5, 0, 1.0], [3.0, 0, 0, 0, 0]]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    decoding = viterbi_decode(emissions, mask, constrain_transitions(labels))
    assert [labels[label] for label in decoding.labels[0].tolist()] == ["B-人名", "I-人名", "O"]
    assert float(decoding.scores) == 4.5
    free = viterbi_decode(emissions, mask, constrain_transitions(labels, penalty=0.0))
    assert free.labels[0].tolist() == emissions[0].argmax(-1).tolist()


def test_half_precision_is_widened() -> None:
    # In bfloat16 a sum of 300 ones stays at 256.
    emissions = torch.ones(1, 300, 3, dtype=torch.bfloat16)
    decoding = viterbi_decode(emissions, torch.ones(1, 300), constrain_transitions(token_labels(["人名"])))
    assert decoding.scores.dtype == torch.float32
    assert float(decoding.scores) == 300


@pytest.mark.parametrize("shape", [(2, 0, 3), (0, 4, 3), (2, 4, 3)])
def test_nothing_to_decode(shape: tuple[int, int, int]) -> None:
    decoding = viterbi_decode(torch.randn(shape), torch.zeros(shape[:2]), draw_scores(3, seed=0))
    assert decoding.labels.shape == shape[:2]
    assert decoding.scores.tolist() == [0.0] * shape[0]
    assert (decoding.labels == IGNORED).all()


def test_compacting_keeps_the_order() -> None:
    emissions = torch.arange(8.0).reshape(2, 4, 1)
    chains = compact(emissions, torch.tensor([[0, 1, 0, 1], [1, 0, 0, 0]]))
    assert chains.emissions[:, 0, 0].tolist() == [1, 3]
    assert chains.emissions[0, 0, 1] == 4
    assert chains.valid.tolist() == [[True, True], [True, False]]
    assert chains.order[0].tolist() == [1, 3]
