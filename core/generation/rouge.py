"""ROUGE (Lin 2004; book 7.3.1): the share of n-grams, or of a longest common subsequence, that two texts share.

rouge-score keeps Latin letters and digits only, so each unit of a Japanese text is replaced by its own number first.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Pair = tuple[int, int]  # a place in the candidate and a place in the reference, in units from 0

_KINDS = ("rouge1", "rouge2", "rougeL")  # rouge-score's own names


@dataclass(frozen=True, slots=True)
class Overlap:
    """One kind of ROUGE between a candidate and a reference.

    `matches` says what matched where: the first units of n-grams, or the units of the longest common subsequence. An
    n-gram that stands there twice matches twice only where the other text has it twice. `candidates` and `references`
    are the numbers of n-grams, or of units, that could have matched.
    """

    precision: float
    recall: float
    f: float
    matches: tuple[Pair, ...]
    candidates: int
    references: int


@dataclass(frozen=True, slots=True)
class Rouge:
    """ROUGE-1, ROUGE-2 and ROUGE-L of a candidate against a reference."""

    rouge1: Overlap
    rouge2: Overlap
    rouge_l: Overlap


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the interval that resampling finds for it."""

    mean: float
    low: float
    high: float


def score_rouge(candidate: Sequence[str], reference: Sequence[str]) -> Rouge:
    """ROUGE of a text cut into units against a reference cut in the same way."""
    numbers: dict[str, int] = {}
    texts = [
        " ".join(str(numbers.setdefault(unit, len(numbers))) for unit in units) for units in (reference, candidate)
    ]
    scores = _scorer().score(*texts)
    matches = (match_ngrams(candidate, reference, n=1), match_ngrams(candidate, reference, n=2))
    kinds = [
        Overlap(
            float(scores[kind].precision),
            float(scores[kind].recall),
            float(scores[kind].fmeasure),
            found,
            max(0, len(candidate) + 1 - n),
            max(0, len(reference) + 1 - n),
        )
        for kind, found, n in zip(_KINDS, (*matches, match_subsequence(candidate, reference)), (1, 2, 1), strict=True)
    ]
    return Rouge(*kinds)


def mean_rouge(scores: Sequence[Rouge]) -> dict[str, float]:
    """Means over texts of precision, recall and F of each kind: ``rouge1``, ``rouge1_precision``, ``rouge1_recall``, …

    The book takes the middle of a bootstrap instead (``BootstrapAggregator``), which is this mean up to chance.
    """
    means = {}
    for name in ("rouge1", "rouge2", "rouge_l"):
        kinds: list[Overlap] = [getattr(score, name) for score in scores]
        means[name] = _mean([kind.f for kind in kinds])
        means[f"{name}_precision"] = _mean([kind.precision for kind in kinds])
        means[f"{name}_recall"] = _mean([kind.recall for kind in kinds])
    return means


def bootstrap_mean(values: Sequence[float], *, share: float = 0.95, samples: int = 1_000, seed: int = 42) -> Interval:
    """The mean of some texts' scores, and where it falls in `share` of the cases when texts are drawn anew.

    Source: rouge-score's ``BootstrapAggregator``, with random numbers of its own.
    """
    drawn = np.random.default_rng(seed).integers(len(values), size=(samples, len(values)))  # (S, N)
    means = np.asarray(values, dtype=np.float64)[drawn].mean(axis=1)  # (S,)
    low, high = np.percentile(means, [50 * (1 - share), 50 * (1 + share)])
    return Interval(_mean(values), float(low), float(high))


def match_ngrams(candidate: Sequence[str], reference: Sequence[str], *, n: int) -> tuple[Pair, ...]:
    """Pair the n-grams of two texts from left to right, each at most once."""
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place in range(len(reference) - n, -1, -1):  # from the right, so that pop() gives the leftmost
        places[tuple(reference[place : place + n])].append(place)
    pairs = []
    for place in range(len(candidate) + 1 - n):
        free = places.get(tuple(candidate[place : place + n]))
        if free:
            pairs.append((place, free.pop()))
    return tuple(pairs)


def match_subsequence(candidate: Sequence[str], reference: Sequence[str]) -> tuple[Pair, ...]:
    """Pair the units of a longest common subsequence, the leftmost where several are as long."""
    rows, columns = len(candidate), len(reference)
    longest = [[0] * (columns + 1) for _ in range(rows + 1)]  # of what begins at (row, column)
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            longest[row][column] = (
                longest[row + 1][column + 1] + 1
                if candidate[row] == reference[column]
                else max(longest[row + 1][column], longest[row][column + 1])
            )
    pairs, row, column = [], 0, 0
    while row < rows and column < columns:
        if candidate[row] == reference[column]:
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif longest[row + 1][column] >= longest[row][column + 1]:
            row += 1
        else:
            column += 1
    return tuple(pairs)


@functools.cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(_KINDS, use_stemmer=False)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
