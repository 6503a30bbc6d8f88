"""Attention with content and relative positions kept apart, as in DeBERTa, small enough to read (book 5.6.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInput
from core.models.masks import softmax_rows

WORDS = 12  # a matrix that is read number by number must stay small
WIDTH = 8
SPAN = (1, WORDS)

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Toy:
    """Vectors and matrices to play with: equal words have equal vectors."""

    words: tuple[str, ...]
    content: Floats  # (T, D)
    positions: Floats  # (2k, D), one for each relative position
    query: Floats  # (D, D)
    key: Floats  # (D, D)


@dataclass(frozen=True, slots=True)
class Disentangled:
    """The three products of every pair, what became of them, and `places` (T, T), the relative position of each pair.

    A term that was switched off is not in `scores`, its products are told all the same.
    """

    places: Whole  # (T, T), in 0 … 2k - 1
    content_content: Floats  # (T, T), row = query, column = key
    content_position: Floats  # (T, T), the query's content with the position of the key
    position_content: Floats  # (T, T), the position of the query with the key's content
    divisor: float  # √(D × number of terms)
    scores: Floats  # (T, T)
    weights: Floats  # (T, T), each row sums to 1


def draw_toy(text: str, *, span: int = 3, seed: int = 0) -> Toy:
    """Draw vectors (one decimal each) for the words of `text`, split at its spaces; the same seed draws the same.

    Args:
        text: at most `WORDS` words.
        span: k, how many relative positions are told apart on either side.
        seed: of the random numbers.

    Raises:
        InvalidInput: no word, more than `WORDS`, or `span` outside `SPAN`.
    """
    words = tuple(text.split())
    low, high = SPAN
    if not words:
        raise InvalidInput("error.disentangled.empty")
    if len(words) > WORDS:
        raise InvalidInput("error.disentangled.many", words=len(words), most=WORDS)
    if not low <= span <= high:
        raise InvalidInput("error.disentangled.span", low=low, high=high)
    known = list(dict.fromkeys(words))
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(len(known), WIDTH)).round(1)
    positions = random.normal(size=(2 * span, WIDTH)).round(1)
    query, key = (random.normal(scale=WIDTH**-0.5, size=(WIDTH, WIDTH)).round(1) for _ in range(2))
    return Toy(words, vectors[[known.index(word) for word in words]], positions, query, key)


def disentangle(toy: Toy, *, content_position: bool = True, position_content: bool = True) -> Disentangled:
    """Attention of one head without masks: content to content, and the terms with positions that are switched on.

    Queries and keys of positions come from the same matrices as those of content (`share_att_key`). The relative
    position of a pair is i - j + k, cut to 0 … 2k - 1.

    Source: He et al. 2021 (DeBERTa), equations 2–4; the position of the pair in the third term is that of transformers,
    i - j, where equation 4 has j - i.
    """
    length, span = len(toy.words), len(toy.positions) // 2
    steps = np.arange(length)
    places = (steps[:, None] - steps[None, :] + span).clip(0, 2 * span - 1)
    queries, keys = toy.content @ toy.query, toy.content @ toy.key
    place_queries, place_keys = toy.positions @ toy.query, toy.positions @ toy.key
    pairs = queries @ keys.T
    to_position = np.take_along_axis(queries @ place_keys.T, places, axis=1)
    from_position = np.take_along_axis((place_queries @ keys.T), places, axis=0)
    total = pairs + content_position * to_position + position_content * from_position
    divisor = float(np.sqrt(toy.content.shape[1] * (1 + content_position + position_content)))
    scores = total / divisor
    return Disentangled(places, pairs, to_position, from_position, divisor, scores, softmax_rows(scores))
