"""A trigram model of tokens, by which a neural language model is judged: what counting alone can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.integer[Any]]
    Keys = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Level:
    """The n-grams of one order that were seen, by their number (tokens as the digits of a number to the base V)."""

    keys: Keys  # (K,) sorted
    kept: Floats  # (K,) counts after the discount, over the count of the context
    contexts: Keys  # (C,) sorted: the n-gram without its last token
    freed: Floats  # (C,) the share that the discount leaves to the order below


@dataclass(frozen=True, eq=False)
class TrigramModel:
    """Interpolated modified Kneser-Ney (Chen and Goodman 1999) over V tokens; made by `fit_trigrams`."""

    size: int
    _levels: tuple[_Level, _Level, _Level]  # unigrams, bigrams, trigrams

    def log_probabilities(self, ids: Ids) -> Floats:
        """Of each token of a text (N,) after the first, by the one or two before it: (N - 1,)."""
        row = np.asarray(ids, dtype=np.int64)
        number = row[1:]
        found = self._interpolate(0, number, np.full(len(number), 1 / self.size))
        found = self._interpolate(1, row[:-1] * self.size + number, found)
        if len(row) > 2:
            trigrams = (row[:-2] * self.size + row[1:-1]) * self.size + row[2:]
            found[1:] = self._interpolate(2, trigrams, found[1:])
        return np.log(found)

    def _interpolate(self, order: int, keys: Keys, below: Floats) -> Floats:
        """Probabilities (N,) of this order, given those of the order below."""
        level = self._levels[order]
        kept = _look_up(level.keys, level.kept, keys, missing=0.0)
        # A context never seen hands everything down.
        freed = _look_up(level.contexts, level.freed, keys // self.size, missing=1.0)
        return kept + freed * below


def fit_trigrams(stream: Ids, size: int) -> TrigramModel:
    """Count a stream of token ids (N,) below `size`; about 3 s for 10 million on one core.

    The lower orders count different contexts instead of occurrences.
    """
    row = np.asarray(stream, dtype=np.int64)
    trigrams, counts = np.unique((row[:-2] * size + row[1:-1]) * size + row[2:], return_counts=True)
    bigrams, contexts = np.unique(trigrams % (size * size), return_counts=True)
    unigrams, spread = np.unique(bigrams % size, return_counts=True)
    levels = [_discount(*pair, size=size) for pair in ((unigrams, spread), (bigrams, contexts), (trigrams, counts))]
    return TrigramModel(size, (levels[0], levels[1], levels[2]))


def _discount(keys: Keys, counts: Ids, *, size: int) -> _Level:
    """Take a discount off every count, by the counts of counts (equation 26 of the paper)."""
    once, twice, thrice, four = (float((counts == number).sum()) for number in (1, 2, 3, 4))
    share = once / (once + 2 * twice) if once else 0.5
    following = ((1, once, twice), (2, twice, thrice), (3, thrice, four))
    # A tiny text has no counts of 2 or 3 to go by: any discount between 0 and the count is a model.
    discounts = [
        number - (number + 1) * share * more / fewer if fewer and more else 0.5 for number, fewer, more in following
    ]
    discounts = [min(max(value, 0.05), number - 0.05) for number, value in enumerate(discounts, start=1)]
    taken = np.array([0.0, *discounts])[np.minimum(counts, 3)]  # (K,)
    contexts, starts = np.unique(keys // size, return_index=True)  # the keys are sorted, so contexts stand together
    totals = np.add.reduceat(counts.astype(np.float64), starts)  # (C,)
    freed = np.add.reduceat(taken, starts) / totals
    lengths = np.diff(np.append(starts, len(keys)))
    return _Level(keys, (counts - taken) / np.repeat(totals, lengths), contexts, freed)


def _look_up(keys: Keys, values: Floats, wanted: Keys, *, missing: float) -> Floats:
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], missing)


def fit_unigrams(stream: Ids, size: int) -> Floats:
    """Log-probabilities (V,) of tokens by their frequency, plus one for each."""
    counts = np.bincount(stream, minlength=size) + 1.0
    return np.log(counts / counts.sum())
