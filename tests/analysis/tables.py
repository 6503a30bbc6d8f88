"""Small tables to count by hand, and drawn ones of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.analysis.table import ErrorTable, build_table
from core.data.examples import ChoiceQuestion, EntitySpan, LabelledPair, LabelledText, ScoredPair, TaggedText
from core.tasks.task import Prediction


def label_table(
    rows: Sequence[tuple[str, str, dict[str, float] | str]], *, labels: Sequence[str] = (), **settings: Any
) -> ErrorTable:
    """Rows of (text, gold, probabilities or only the predicted label)."""
    examples = [LabelledText(text, gold) for text, gold, _ in rows]
    predictions = []
    for place, (_, gold, said) in enumerate(rows):
        scores = said if isinstance(said, dict) else {}
        predicted = max(said, key=lambda label: said[label]) if isinstance(said, dict) else said
        loss = -math.log(scores[gold]) if scores.get(gold) else math.nan
        predictions.append(Prediction(place, gold, predicted, loss, scores))
    return build_table(predictions, examples, task="classification", labels=labels, **settings)


def binary_table(golds: Sequence[str], positives: Sequence[float], *, texts: Sequence[str] = ()) -> ErrorTable:
    """Gold labels, and the probability of ``positive``."""
    texts = texts or [f"文{place}" for place in range(len(golds))]
    return label_table(
        [
            (text, gold, {"positive": share, "negative": 1 - share})
            for text, gold, share in zip(texts, golds, positives, strict=True)
        ]
    )


def pair_table(rows: Sequence[tuple[str, str, str, str]]) -> ErrorTable:
    """Rows of (first, second, gold, predicted)."""
    return build_table(
        [Prediction(place, gold, said, math.nan) for place, (_, _, gold, said) in enumerate(rows)],
        [LabelledPair(first, second, gold) for first, second, gold, _ in rows],
        task="pair-classification",
    )


def number_table(golds: Sequence[float], predicted: Sequence[float], **settings: Any) -> ErrorTable:
    return build_table(
        [
            Prediction(i, gold, said, (said - gold) ** 2)
            for i, (gold, said) in enumerate(zip(golds, predicted, strict=True))
        ],
        [ScoredPair(f"一{i}", f"二{i}", gold) for i, gold in enumerate(golds)],
        task="similarity",
        **settings,
    )


def choice_table(rows: Sequence[tuple[Sequence[str], int, Sequence[float]]]) -> ErrorTable:
    """Rows of (choices, the right one, the probability of each)."""
    predictions = [
        Prediction(i, gold, int(np.argmax(shares)), -math.log(shares[gold]), {str(n): p for n, p in enumerate(shares)})
        for i, (_, gold, shares) in enumerate(rows)
    ]
    examples = [ChoiceQuestion(f"問{i}", tuple(choices), gold) for i, (choices, gold, _) in enumerate(rows)]
    return build_table(predictions, examples, task="multiple-choice")


def tagged_table(
    rows: Sequence[tuple[str, Sequence[tuple[int, int, str]], Sequence[tuple[int, int, str]]]],
) -> ErrorTable:
    """Rows of (text, gold, predicted)."""
    return build_table(
        [
            Prediction(i, [list(s) for s in gold], [list(s) for s in said], 0.5)
            for i, (_, gold, said) in enumerate(rows)
        ],
        [TaggedText(text, tuple(EntitySpan(*span) for span in gold)) for text, gold, _ in rows],
        task="tagging",
    )


def drawn_table(size: int, *, labels: int = 3, seed: int = 0, texts: Sequence[str] = ()) -> ErrorTable:
    """A table of any size whose model is right more often than not."""
    generator = np.random.default_rng(seed)
    names = [f"c{number}" for number in range(labels)]
    gold = generator.integers(labels, size=size)
    shares = generator.dirichlet([0.7] * labels, size=size)
    shares = (shares + np.eye(labels)[gold]) / 2
    flipped = generator.random(size) < 0.1
    gold = np.where(flipped, (gold + 1) % labels, gold)
    texts = texts or [f"これは{place}番の文です" for place in range(size)]
    return label_table(
        [
            (text, names[code], dict(zip(names, row, strict=True)))
            for text, code, row in zip(texts, gold, shares.tolist(), strict=True)
        ]
    )
