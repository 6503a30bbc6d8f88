"""The ways a Unigram vocabulary can cut a text, best first (book 3.6; Kudo 2018)."""

from __future__ import annotations

import functools
import heapq
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from core.text.input import refuse_surrogates
from core.text.tokenizers import SubwordTokenizer
from core.text.types import Segmentation

# SentencePiece scores an unknown character ten below its worst piece.
_UNKNOWN_PENALTY = 10.0


class _Path(NamedTuple):
    """One of the best ways to a place: its score, the place before, and the rank of the way taken to there."""

    score: float
    start: int
    rank: int


def lattice_best(text: str, tokenizer: SubwordTokenizer, *, n: int = 5) -> tuple[Segmentation, ...]:
    """The n most probable segmentations of a text under a Unigram tokenizer; none for other families.

    The score of a segmentation is the sum of its pieces' log probabilities; its probability is its share among all
    segmentations of the text (forward algorithm). Time grows with length x longest piece x n.

    Raises:
        InvalidInput: ``error.text.surrogate``.

    Source: Kudo 2018, "Subword Regularization".
    """
    refuse_surrogates(text)
    if tokenizer.family != "unigram":
        return ()
    scores = _load_scores(tokenizer)
    normalized, borders = _prepare(text, tokenizer)
    return find_best(normalized, scores, n=n, borders=borders)


def find_best(
    text: str, scores: Mapping[str, float], *, n: int = 1, borders: frozenset[int] = frozenset()
) -> tuple[Segmentation, ...]:
    """The n best segmentations of an already normalised text by piece scores (natural logarithms).

    Args:
        text: normalised text, spaces written as the vocabulary writes them.
        scores: log probability of every piece; a character in no piece costs the worst score less 10.
        n: how many.
        borders: places that no piece may cross.
    """
    longest = max(map(len, scores), default=1)
    unknown = min(scores.values(), default=0.0) - _UNKNOWN_PENALTY
    best: list[list[_Path]] = [[_Path(0.0, 0, 0)]]
    total = [0.0]  # log of the summed probability of all ways to each place
    for end in range(1, len(text) + 1):
        paths: list[_Path] = []
        sums: list[float] = []
        for start in range(end - 1, max(end - longest, 0) - 1, -1):
            score = scores.get(text[start:end])
            if score is None and start == end - 1:
                score = unknown
            if score is not None and best[start]:
                paths.extend(_Path(path.score + score, start, rank) for rank, path in enumerate(best[start]))
                sums.append(total[start] + score)
            if start in borders:
                break
        best.append(heapq.nlargest(n, paths))
        total.append(_log_sum(sums))
    return tuple(
        Segmentation(_trace(text, best, rank), path.score, math.exp(min(0.0, path.score - total[-1])))
        for rank, path in enumerate(best[-1])
    )


def _trace(text: str, best: list[list[_Path]], rank: int) -> tuple[str, ...]:
    pieces: list[str] = []
    end = len(text)
    while end > 0:
        _, start, rank = best[end][rank]
        pieces.append(text[start:end])
        end = start
    return tuple(reversed(pieces))


def _log_sum(values: list[float]) -> float:
    high = max(values)
    return high + math.log(math.fsum(math.exp(value - high) for value in values))


@functools.lru_cache(maxsize=4)
def _load_scores(tokenizer: SubwordTokenizer) -> Mapping[str, float]:
    vocabulary = tokenizer.configuration["model"]["vocab"]
    # Special and byte pieces are in the vocabulary too, but text never matches them.
    skip = {tokenizer.pieces[number] for number in tokenizer.added} | {f"<0x{byte:02X}>" for byte in range(256)}
    return MappingProxyType({piece: float(score) for piece, score in vocabulary if piece not in skip})


def _prepare(text: str, tokenizer: SubwordTokenizer) -> tuple[str, frozenset[int]]:
    """The text as the Unigram model meets it, and where its pre-tokenizer cuts."""
    if tokenizer.fast.normalizer is not None:
        text = tokenizer.fast.normalizer.normalize_str(text)
    if tokenizer.fast.pre_tokenizer is None:
        return text, frozenset()
    parts = [part for part, _ in tokenizer.fast.pre_tokenizer.pre_tokenize_str(text)]
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + len(part))
    return "".join(parts), frozenset(ends)
