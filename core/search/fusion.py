"""One ranking out of several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from core.search.hits import Hit


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
