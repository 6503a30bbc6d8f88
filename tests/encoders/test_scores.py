"""Published scores stand beside measured ones, and a ranking is one."""

from __future__ import annotations

import json

import pytest

from core.bundled.scores import LINES, read_scores
from core.i18n import ASSETS
from core.models.encoder_scores import HUMAN, PUBLISHED, TASKS, rank, read_measured
from core.models.parameters import BUNDLED

ROWS = (*PUBLISHED, read_measured().scores)


def test_ours_are_the_numbers_beside_the_models() -> None:
    scores, measured = read_scores(ASSETS), read_measured()
    jsts = scores["jsts"]
    assert measured.scores.scores == (
        None, jsts["pearson"], jsts["spearman"], scores["jnli"]["accuracy"], scores["jcommonsenseqa"]["accuracy"],
    )  # fmt: skip
    assert (
        measured.pairs
        == json.loads((ASSETS / "models/inference/metrics.json").read_bytes())["measured"]["jnli"]["examples"]
    )


def test_the_books_numbers_are_those_of_the_readme() -> None:
    told = {line.name: line.book for line in LINES}
    book = dict(zip(TASKS, next(row.scores for row in PUBLISHED if row.source == "book"), strict=True))
    assert book["jsts_pearson"] == told["jsts.pearson"]
    assert book["jsts_spearman"] == told["jsts.spearman"]
    assert book["jnli"] == told["jnli.accuracy"]
    assert book["jcommonsenseqa"] == told["jcommonsenseqa.accuracy"]


@pytest.mark.parametrize("task", TASKS)
def test_the_best_comes_first_and_the_unmeasured_last(task: str) -> None:
    ranked = rank(ROWS, task)
    known = [score for row in ranked if (score := row.scores[TASKS.index(task)]) is not None]
    assert known == sorted(known, reverse=True)
    assert [row.encoder for row in ranked[len(known) :]] == ([BUNDLED] if task == "marc" else [])
    assert len(ranked) == len(ROWS)
    # What the page says after its question: people aside, one model leads everywhere.
    assert next(row.encoder for row in ranked if row.encoder != HUMAN) == "deberta"
