"""Padding and causal masks on a score matrix small enough to read (book 2.3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInput

LENGTHS = (1, 32)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MaskedAttention:
    """Scores before and after masking, and what softmax makes of every row.

    A row that may look nowhere has no softmax (0 / 0): its weights stay 0, and `empty_rows` names it. Libraries put a
    very negative number in place of -inf instead, so that such a row silently becomes uniform.
    """

    scores: Floats  # (T, T), row = query, column = key
    allowed: npt.NDArray[np.bool_]  # (T, T)
    masked: Floats  # (T, T), -inf where not allowed
    weights: Floats  # (T, T), each row sums to 1, or to 0 when empty
    empty_rows: tuple[int, ...]


def score_matrix(length: int = 6, *, seed: int = 0) -> Floats:
    """Draw a matrix of scores to play with, (T, T), one decimal each; the same seed draws the same matrix.

    Raises:
        InvalidInput: `length` is outside `LENGTHS`.
    """
    low, high = LENGTHS
    if not low <= length <= high:
        raise InvalidInput("error.masks.range", low=low, high=high)
    return np.random.default_rng(seed).normal(scale=1.5, size=(length, length)).round(1)


def apply_mask(scores: Floats, *, valid: int | None = None, causal: bool = False) -> MaskedAttention:
    """Mask `scores` (T, T) and take the softmax of every row.

    The padding mask hides the keys from position `valid` on (None: no padding; 0: everything is padding, so every row
    is empty). The causal mask hides the keys after the query. Rows of padding positions are computed as well, as in
    any library: nobody reads them.

    Raises:
        InvalidInput: `scores` is not square, not finite, or outside `LENGTHS`, or `valid` is not in 0 … T.

    Source: book 2.3.3; Vaswani et al. 2017, section 3.2.3.
    """
    length = len(scores)
    low, high = LENGTHS
    if scores.shape != (length, length) or not low <= length <= high:
        raise InvalidInput("error.masks.range", low=low, high=high)
    if not np.isfinite(scores).all():
        raise InvalidInput("error.masks.number")
    valid = length if valid is None else valid
    if not 0 <= valid <= length:
        raise InvalidInput("error.masks.valid", high=length)
    places = np.arange(length)
    allowed = np.broadcast_to(places < valid, scores.shape)  # every query sees the same valid keys
    if causal:
        allowed = allowed & (places[None, :] <= places[:, None])
    masked = np.where(allowed, scores, -np.inf)
    empty = ~allowed.any(axis=1)
    return MaskedAttention(
        scores, np.array(allowed), masked, softmax_rows(masked), tuple(np.flatnonzero(empty).tolist())
    )


def softmax_rows(scores: Floats) -> Floats:
    """Softmax of each row; -inf counts as 0, and a row of nothing but -inf becomes 0 throughout."""
    highest = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(highest), highest, 0.0))  # no overflow: the largest power is 1
    total = powers.sum(axis=-1, keepdims=True)
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)
