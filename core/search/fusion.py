"""One ranking out of several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from core.search.hits import Floats, Hit


def fuse(rankings: Sequence[Sequence[Hit]], *, k: int = 60, limit: int | None = None) -> tuple[Hit, ...]:
    """Reciprocal rank fusion: score each id by the sum of ``1 / (k + rank)`` over the rankings that hold it.

    Only ranks count, so that scores of different scales (BM25, inner products) need no calibration. Of equal sums the
    id that came first in the earliest ranking wins.

    Args:
        rankings: hits of different searches for the same query.
        k: how little the very first ranks stand out; 60 in the paper.
        limit: at most so many hits; None for all.

    Source: Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet …".
    """
    if k < 0:
        raise ValueError("k must not be negative")
    sums: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for hit in ranking:
            sums[hit.id] += 1 / (k + hit.rank)
    best = sorted(sums.items(), key=lambda item: -item[1])[:limit]  # stable: equals stay in order of appearance
    return tuple(Hit(number, score, rank) for rank, (number, score) in enumerate(best, start=1))


def fuse_scores(searches: Sequence[Floats], *, weights: Sequence[float] | None = None) -> Floats:
    """Add the scores of several searches over the same candidates, each search standardized first (z-scores).

    A sum of scores weighs how clearly a search decides: where few passages share words with the question, BM25 does;
    where many do, the vectors do. Ranks alone (`fuse`) lose that. `core.search.hits.top_hits` ranks a row of the sum.

    Args:
        searches: scores of each search, all of one shape (P,) for a query or (Q, P) for several; more is better.
        weights: what each search counts for, none below 0; all alike when None. Only their proportions matter.

    Returns:
        (P,) or (Q, P) as given: the weighted mean of the standardized scores, which has no unit.

    Raises:
        ValueError: no search; shapes or numbers of weights that differ; or weights that cannot be shares.

    Source: Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval".
    """
    if not searches or any(scores.shape != searches[0].shape for scores in searches):
        raise ValueError("searches must be there and have one shape")
    shares = np.ones(len(searches)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(shares) != len(searches) or (shares < 0).any() or not shares.sum() > 0:
        raise ValueError("weights must be one for each search, none negative, not all zero")
    standard = np.stack([standardize(scores) for scores in searches])  # (S, ..., P)
    return np.tensordot(shares / shares.sum(), standard, axes=1).astype(standard.dtype)


def standardize(scores: Floats) -> Floats:
    """Scores (..., P) of each query with mean 0 and variance 1; a query whose scores are all alike gets zeros."""
    centred = scores - scores.mean(axis=-1, keepdims=True)
    spread = scores.std(axis=-1, keepdims=True)
    # Rounding alone can leave a spread where all scores are alike; it must not be blown up to one.
    flat = np.ptp(scores, axis=-1, keepdims=True) == 0
    return np.where(flat, 0, centred / np.where(flat, 1, spread)).astype(scores.dtype)
