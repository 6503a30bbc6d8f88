"""What a trained model must beat: the most frequent answer, shared characters, counted n-grams, the first words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.data.examples import EntitySpan, TaggedText
from core.data.splits import normalize_content
from core.search.bm25 import split_bigrams

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAD_CHARACTERS = 30
_BITS = 21  # of a code point


def majority_share(labels: Iterable[str | int]) -> float:
    """The accuracy of always giving the most frequent answer."""
    counts = Counter(labels)
    return max(counts.values()) / counts.total()


def bigram_overlap(first: str, second: str) -> float:
    """Jaccard's index of characters and of pairs of neighbouring characters, together, 0 to 1."""
    one, other = ({*text, *split_bigrams(text)} for text in map(normalize_content, (first, second)))
    return len(one & other) / len(one | other) if one | other else 1.0


def lead(text: str, *, characters: int = LEAD_CHARACTERS) -> str:
    """The first characters of a text, without line breaks."""
    return "".join(text.split())[:characters]


@dataclass(frozen=True, eq=False)
class NaiveBayes:
    """Multinomial naive Bayes over pairs and triples of characters, one added to each count; made by `fit_bayes`."""

    labels: tuple[str, ...]
    _grams: NDArray[np.int64]  # (G,) sorted
    _weights: NDArray[np.float64]  # (L, G + 1) log-probabilities; the last column, 0, is that of unknown ones
    _priors: NDArray[np.float64]  # (L,)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The most probable label of each text."""
        grams, owners = _list_grams(texts)
        places = np.minimum(np.searchsorted(self._grams, grams), len(self._grams) - 1)
        places[self._grams[places] != grams] = len(self._grams)
        scores = np.stack([np.bincount(owners, weights=row[places], minlength=len(texts)) for row in self._weights])
        best = (scores + self._priors[:, None]).argmax(axis=0)  # (N,)
        return [self.labels[index] for index in best]


def fit_bayes(texts: Sequence[str], labels: Sequence[str]) -> NaiveBayes:
    """Count the characters of labelled texts."""
    names = tuple(sorted(set(labels)))
    grams, owners = _list_grams(texts)
    known, places = np.unique(grams, return_inverse=True)
    classes = np.array([names.index(label) for label in labels])
    counts = np.bincount(classes[owners] * len(known) + places, minlength=len(names) * len(known))
    smoothed = counts.reshape(len(names), -1) + 1.0  # (L, G)
    weights = np.log(smoothed / smoothed.sum(axis=1, keepdims=True))
    priors = np.log(np.bincount(classes) / len(classes))
    return NaiveBayes(names, known, np.pad(weights, ((0, 0), (0, 1))), priors)


def _list_grams(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs and triples of characters of all texts, as numbers, and the text that each stands in."""
    joined = "\0".join([*texts, ""])  # NUL ends each text and is part of no n-gram
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64)
    owners = np.cumsum(points == 0) - (points == 0)
    pairs = (points[:-1] << _BITS) | points[1:]
    triples = (pairs[:-1] << _BITS) | points[2:]  # above every pair, so that the two never meet
    inside = points != 0
    whole_pairs, whole_triples = inside[:-1] & inside[1:], inside[:-2] & inside[1:-1] & inside[2:]
    return (
        np.concatenate([pairs[whole_pairs], triples[whole_triples]]),
        np.concatenate([owners[:-1][whole_pairs], owners[:-2][whole_triples]]),
    )


def collect_names(examples: Iterable[TaggedText]) -> dict[str, str]:
    """Every name of two or more characters that is marked anywhere, with the type it has most often."""
    types: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        for entity in example.entities:
            if entity.end - entity.start > 1:
                types[example.text[entity.start : entity.end]][entity.label] += 1
    return {name: min(counts, key=lambda label: (-counts[label], label)) for name, counts in types.items()}


def look_up_names(text: str, names: Mapping[str, str]) -> tuple[EntitySpan, ...]:
    """Mark known names from left to right, the longest that begins at each place."""
    longest = max(map(len, names), default=0)
    found: list[EntitySpan] = []
    place = 0
    while place < len(text):
        for length in range(min(longest, len(text) - place), 0, -1):
            if (label := names.get(text[place : place + length])) is not None:
                found.append(EntitySpan(place, place + length, label))
                place += length
                break
        else:
            place += 1
    return tuple(found)
