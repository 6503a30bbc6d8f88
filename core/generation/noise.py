"""What pre-training hides from a model: single tokens or whole words (book 3.3.2), and spans (book 3.4.2)."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.generation.batches import IGNORED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    TokenIds = NDArray[np.int64]

_MASKED, _REPLACED = 0.8, 0.1  # Devlin et al. 2019, 3.1: the rest stays as it is


@dataclass(frozen=True)
class Piece:
    """A stretch of text that fits the model: its token ids (T,), and which word each belongs to.

    `words` (T,) counts words from 0, or tokens where single tokens are hidden; -1 marks what is never hidden.
    """

    ids: TokenIds
    words: TokenIds


Noise = Callable[[Piece, np.random.Generator], dict[str, Any]]


def keyed_generator(ids: TokenIds) -> np.random.Generator:
    """A generator that belongs to these token ids: evaluation hides the same tokens of a text every time."""
    return np.random.default_rng(zlib.crc32(np.ascontiguousarray(ids, dtype=np.int64).tobytes()))


def mask_tokens(
    piece: Piece,
    generator: np.random.Generator,
    *,
    probability: float,
    mask: int,
    vocabulary: TokenIds,
) -> dict[str, Any]:
    """Hide a share of the tokens: of those chosen 80 % become `mask`, 10 % another token of `vocabulary`, 10 % stay.

    Words are chosen in random order, as many as fit into the share of tokens, at least one. Unlike independent draws
    this leaves no text without anything to predict.

    Returns:
        ``input_ids`` (T,) and ``labels`` (T,), `IGNORED` where nothing is to be predicted.

    Source: Devlin et al. 2019, 3.1 and their ``create_pretraining_data.py``.
    """
    sizes = np.bincount(piece.words[piece.words >= 0])  # (W,) tokens per word
    quota = max(1, round(probability * int(sizes.sum())))
    order = generator.permutation(len(sizes))
    picked: list[int] = []
    for word in order.tolist():
        if sizes[word] <= quota or not picked:
            picked.append(word)
            quota -= int(sizes[word])
        if quota <= 0:
            break
    chosen = np.isin(piece.words, picked)  # (T,)
    fate = generator.random(len(piece.ids))  # (T,)
    others = vocabulary[generator.integers(len(vocabulary), size=len(piece.ids))]  # (T,)
    inputs = np.where(chosen & (fate < _MASKED), mask, piece.ids)
    inputs = np.where(chosen & (fate >= _MASKED) & (fate < _MASKED + _REPLACED), others, inputs)
    return {"input_ids": inputs, "labels": np.where(chosen, piece.ids, IGNORED)}


def corrupt_spans(
    piece: Piece,
    generator: np.random.Generator,
    *,
    density: float,
    mean_length: float,
    sentinels: Sequence[int],
    end: int,
) -> dict[str, Any]:
    """Hide spans: in the input a sentinel stands for each, the target lists each sentinel and what it stands for.

    Returns:
        ``input_ids`` (T,) and ``labels`` (U,), both with the end mark.

    Source: Raffel et al. 2020, 3.1.4; as in their ``noise_span_to_unique_sentinel`` the last span ends the text, so
    the target needs no closing sentinel.
    """
    inputs: list[int] = []
    labels: list[int] = []
    kept, hidden = draw_spans(len(piece.ids), generator, density=density, mean_length=mean_length)
    start = 0
    for sentinel, before, length in zip(sentinels, kept, hidden, strict=False):
        inputs += [*piece.ids[start : start + before].tolist(), sentinel]
        labels += [sentinel, *piece.ids[start + before : start + before + length].tolist()]
        start += before + length
    return {"input_ids": [*inputs, end], "labels": [*labels, end]}


def draw_spans(
    length: int, generator: np.random.Generator, *, density: float, mean_length: float
) -> tuple[list[int], list[int]]:
    """Lengths of the spans that stay and of those that are hidden, in turn, beginning with one that stays.

    Both are random compositions: every way to cut the tokens into that many spans is as likely as any other.

    Source: Raffel et al. 2020, ``random_spans_noise_mask``.
    """
    hidden, spans = count_noise(length, density=density, mean_length=mean_length)
    return _compose(length - hidden, spans, generator), _compose(hidden, spans, generator)


def count_noise(length: int, *, density: float, mean_length: float) -> tuple[int, int]:
    """How many of `length` tokens (at least 2) are hidden, in how many spans."""
    hidden = min(max(round(length * density), 1), length - 1)
    spans = max(round(hidden / mean_length), 1)
    return hidden, min(spans, hidden, length - hidden)


@functools.cache
def longest_corruptible(*, limit: int, target_limit: int, sentinels: int, density: float, mean_length: float) -> int:
    """The most tokens whose corrupted input and target fit the two limits and need no more than so many sentinels."""
    length = 2
    while True:
        hidden, spans = count_noise(length + 1, density=density, mean_length=mean_length)
        fits = length + 1 - hidden + spans + 1 <= limit and hidden + spans + 1 <= target_limit and spans <= sentinels
        if not fits:
            return length
        length += 1


def cut_pieces(ids: TokenIds, words: TokenIds, *, length: int) -> Iterator[Piece]:
    """Cut a text into pieces of at most `length` tokens, between words where that is possible."""
    start = 0
    while start < len(ids):
        stop = min(start + length, len(ids))
        border = stop
        while stop < len(ids) and border > start and words[border] == words[border - 1] >= 0:
            border -= 1
        stop = border if border > start else stop
        own = words[start:stop]
        _, counted = np.unique(own[own >= 0], return_inverse=True)
        renumbered = np.full(len(own), -1, dtype=np.int64)
        renumbered[own >= 0] = counted
        yield Piece(ids[start:stop], renumbered)
        start = stop


def _compose(total: int, parts: int, generator: np.random.Generator) -> list[int]:
    cuts = np.sort(generator.choice(np.arange(1, total), size=parts - 1, replace=False)) if parts > 1 else np.array([])
    return np.diff([0, *cuts.tolist(), total]).astype(int).tolist()
