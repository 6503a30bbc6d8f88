"""What a search hands out, and how lists of scores become it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: the id under which it was added, how well it fits (more is better), and its rank from 1 on."""

    id: int
    score: float
    rank: int


def top_hits(scores: npt.NDArray[np.floating], k: int, *, ids: Sequence[int] | None = None) -> tuple[Hit, ...]:
    """The k best of some scores (N,), best first; equals in the order in which they stand.

    Args:
        scores: one score for each thing.
        k: at most so many hits; all when there are fewer.
        ids: what the things are called; their places when None.
    """
    k = min(k, len(scores))
    if k <= 0:
        return ()
    if k < len(scores):
        # Everything that reaches the k-th best score, so that equals are cut by their places and not by chance.
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= threshold)
    else:
        places = np.arange(len(scores))
    order = places[np.argsort(-scores[places], kind="stable")][:k]
    return tuple(
        Hit(int(place) if ids is None else int(ids[place]), float(scores[place]), rank)
        for rank, place in enumerate(order, start=1)
    )


def scale_to_unit(vectors: Floats) -> Floats:
    """Scale every row of (N, D) to length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
