"""How good rankings are, query by query, so that the mean and the worst cases can both be told."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from core.search.hits import Hit


def recall_at(
    rankings: Sequence[Sequence[Hit]], relevant: Sequence[Collection[int]], *, k: int
) -> npt.NDArray[np.float64]:
    """Share of each query's relevant ids that stand among its first k hits, (Q,), each in [0, 1].

    With one relevant id for each query its mean is the R@k of retrieval; with the true k nearest neighbours as the
    relevant ids it is the recall@k by which approximate indexes are judged.

    Raises:
        ValueError: a query without a relevant id, or not one set for each ranking.
    """
    shares = []
    for ranking, wanted in zip(rankings, relevant, strict=True):
        if not wanted:
            raise ValueError("recall needs something relevant")
        found = {hit.id for hit in ranking if hit.rank <= k}
        shares.append(len(found & set(wanted)) / len(set(wanted)))
    return np.asarray(shares, dtype=np.float64)


def reciprocal_ranks(rankings: Sequence[Sequence[Hit]], relevant: Sequence[Collection[int]]) -> npt.NDArray[np.float64]:
    """1 / rank of each query's first relevant hit, 0 when none was found, (Q,); their mean is the MRR."""
    return np.asarray(
        [
            max((1 / hit.rank for hit in ranking if hit.id in wanted), default=0.0)
            for ranking, wanted in zip(rankings, relevant, strict=True)
        ],
        dtype=np.float64,
    )
