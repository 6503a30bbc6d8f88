"""Contents that stand in more than one part of a data set: what a model learned by heart would be asked in the test
(book 5.1.1).

Exact means the same after NFKC and without white space, a pair also in the other order. Near means that two contents
share most of their character n-grams (Jaccard). Candidates are found by their rarest n-grams, in the manner of
Chaudhuri et al. (2006): two sets that are alike enough must share one of them, so that nothing is missed and little is
compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from typing import Any, Literal

from core.data.splits import Splits, normalize_content, texts_of

Part = Literal["train", "validation", "test"]
_PARTS: tuple[Part, ...] = ("train", "validation", "test")
_NGRAM = 3
_BORDER = "\0"  # between the texts of one example


@dataclass(frozen=True, slots=True)
class Leak:
    """Two examples with the same or nearly the same content in two parts; `similarity` is 1 for the same."""

    first_part: Part
    first: int
    second_part: Part
    second: int
    similarity: float

    @property
    def exact(self) -> bool:
        """Whether the contents are the same."""
        return self.similarity == 1.0


def find_leaks(splits: Splits[Any], *, similarity: float = 0.8) -> tuple[Leak, ...]:
    """Find the examples of validation and test that also stand in another part.

    Args:
        splits: examples of any kind.
        similarity: from which Jaccard similarity of character trigrams on two contents are nearly the same, in (0, 1].

    Returns:
        For each example of the later part at most one leak per earlier part: the most similar.
    """
    contents = {part: [_content(example) for example in getattr(splits, part)] for part in _PARTS}
    return tuple(
        leak
        for earlier, later in combinations(_PARTS, 2)
        for leak in _compare(earlier, contents[earlier], later, contents[later], similarity)
    )


def find_repeats(splits: Splits[Any]) -> tuple[Leak, ...]:
    """As `find_leaks`, the exact ones alone: in a moment also where trying the near ones would take minutes."""
    contents = {part: [_content(example) for example in getattr(splits, part)] for part in _PARTS}
    found = []
    for earlier, later in combinations(_PARTS, 2):
        places: dict[str, int] = {}
        for index, content in enumerate(contents[earlier]):
            places.setdefault(content, index)
        found += [
            Leak(earlier, places[content], later, index, 1.0)
            for index, content in enumerate(contents[later])
            if content in places
        ]
    return tuple(found)


def _content(example: Any) -> str:
    texts = sorted(normalize_content(text) for text in texts_of(example)[:2])  # in either order
    return _BORDER.join(texts)


def _compare(
    first_part: Part, firsts: Sequence[str], second_part: Part, seconds: Sequence[str], similarity: float
) -> Iterator[Leak]:
    places: dict[str, int] = {}
    for index, content in enumerate(firsts):
        places.setdefault(content, index)
    grams = {content: _ngrams(content) for content in {*firsts, *seconds}}
    frequency = Counter(gram for found in grams.values() for gram in found)
    by_gram: defaultdict[str, list[str]] = defaultdict(list)
    for content in places:
        for gram in _rarest(grams[content], frequency, similarity):
            by_gram[gram].append(content)
    for index, content in enumerate(seconds):
        if content in places:
            yield Leak(first_part, places[content], second_part, index, 1.0)
            continue
        candidates = {
            candidate for gram in _rarest(grams[content], frequency, similarity) for candidate in by_gram[gram]
        }
        best, nearest = 0.0, -1
        for candidate in candidates:
            found = _jaccard(grams[content], grams[candidate])
            if (found, -places[candidate]) > (best, -nearest):
                best, nearest = found, places[candidate]
        if best >= similarity:
            # Different texts can have the same n-grams; only the same text is called exact.
            yield Leak(first_part, nearest, second_part, index, min(best, 1 - 1e-9))


def _ngrams(content: str) -> frozenset[str]:
    if len(content) < _NGRAM:
        return frozenset([content])
    return frozenset(content[start : start + _NGRAM] for start in range(len(content) - _NGRAM + 1))


def _rarest(grams: frozenset[str], frequency: Counter[str], similarity: float) -> list[str]:
    """Enough of the rarest n-grams that any set this similar shares one: all but ⌈similarity · n⌉ − 1 of them."""
    order = sorted(grams, key=lambda gram: (frequency[gram], gram))
    return order[: len(order) - ceil(similarity * len(order) - 1e-9) + 1]


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)
