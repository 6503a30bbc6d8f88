"""Scores against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.bundled.evaluation import MASKED, hide_tokens, score_guesses


def test_scores_of_two_blanks() -> None:
    probabilities = np.array([[0.5, 0.25, 0.125, 0.125], [0.5, 0.25, 0.125, 0.125]])
    score = score_guesses(np.log(probabilities), np.array([0, 1]))
    assert score.loss == pytest.approx((np.log(2) + np.log(4)) / 2, abs=1e-4)
    assert (score.top1, score.top5) == (0.5, 1.0)


def test_top5_is_five() -> None:
    probabilities = np.arange(10, 0, -1) / 55
    scores = [score_guesses(np.log(probabilities)[None], np.array([token])) for token in range(10)]
    assert [score.top5 for score in scores] == [1.0] * 5 + [0.0] * 5


def test_hidden_tokens_are_ordinary_and_the_same_each_time() -> None:
    rows = np.random.default_rng(0).integers(0, 50, (200, 128))
    hidden = hide_tokens(rows, seed=1)
    assert (rows[hidden] > 4).all()
    assert hidden[rows > 4].mean() == pytest.approx(MASKED, abs=0.01)
    assert (hidden == hide_tokens(rows, seed=1)).all()
