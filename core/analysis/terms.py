"""Words and n-grams of many texts, counted row by row: what contrasts, shortcuts and slices look at."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.analysis.table import Booleans, Integers
from core.jobs import Progress
from core.search.bm25 import split_words

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Unit = Literal["words", "characters"]

_STEP = 500  # texts between two signs of life


@dataclass(frozen=True, eq=False)
class SplitTexts:
    """N texts as sequences of units: `vocabulary` (U,), `numbers` (T,) of all texts in a row, `starts` (N + 1,).

    Text i is ``numbers[starts[i]:starts[i + 1]]``.
    """

    unit: Unit
    vocabulary: tuple[str, ...]
    numbers: Integers
    starts: Integers

    def __len__(self) -> int:
        """The number of texts N."""
        return len(self.starts) - 1


@dataclass(frozen=True, eq=False)
class TermCounts:
    """How often each of V terms stands in each of N texts: `counts` (N, V), a sparse matrix of whole numbers."""

    terms: tuple[str, ...]
    counts: csr_matrix

    @cached_property
    def presence(self) -> csr_matrix:
        """1 where a text has the term at all, (N, V)."""
        return (self.counts > 0).astype(np.int64)

    @cached_property
    def rows(self) -> Integers:
        """In how many texts each term stands, (V,)."""
        return np.asarray(self.presence.sum(axis=0), dtype=np.int64).ravel()

    def has(self, term: str) -> Booleans:
        """Whether each text has the term, (N,); False everywhere for a term that was not counted."""
        if term not in self._places:
            return np.zeros(self.counts.shape[0], dtype=np.bool_)
        return self.presence[:, [self._places[term]]].toarray().ravel() > 0

    @cached_property
    def _places(self) -> dict[str, int]:
        return {term: place for place, term in enumerate(self.terms)}


def split_texts(texts: Sequence[str], *, unit: Unit = "words") -> Generator[Progress, None, SplitTexts]:
    """Cut texts into MeCab words or into characters, in NFKC and lower case; white space is part of none.

    The slow part of counting words (some 100,000 a second): a job, to be done once for a table.

    Raises:
        ModelUnavailable: ``error.text.no_dictionary``.
    """
    numbers: list[int] = []
    starts = [0]
    vocabulary: dict[str, int] = {}
    for place, text in enumerate(texts):
        if place % _STEP == 0:
            yield Progress(place, len(texts))
        units = split_words(text) if unit == "words" else split_characters(text)
        numbers.extend(vocabulary.setdefault(one, len(vocabulary)) for one in units if one.strip())
        starts.append(len(numbers))
    return SplitTexts(unit, tuple(vocabulary), np.asarray(numbers, dtype=np.int64), np.asarray(starts, dtype=np.int64))


def split_characters(text: str) -> list[str]:
    """The characters of a text in NFKC and lower case, without white space."""
    import unicodedata

    return list("".join(unicodedata.normalize("NFKC", text).lower().split()))


def count_terms(texts: SplitTexts, *, shortest: int = 1, longest: int = 1, least_rows: int = 1) -> TermCounts:
    """Count n-grams of units, `shortest` to `longest` units long, that stand in at least so many texts.

    N-grams are joined as they would be written: Japanese without spaces, words in Latin letters with one between.

    Raises:
        ValueError: lengths out of order, or below 1.
    """
    from scipy.sparse import csr_matrix, hstack

    if not 1 <= shortest <= longest:
        raise ValueError("1 <= shortest <= longest is needed")
    size = len(texts.vocabulary)
    owners = np.repeat(np.arange(len(texts)), np.diff(texts.starts))  # (T,) the text that each unit stands in
    places: Integers = np.arange(len(texts.numbers))  # (G,) where the n-grams that are still frequent enough begin
    codes: Integers = texts.numbers  # (G,) which n-gram that is
    spelled = list(texts.vocabulary)
    terms: list[str] = []
    parts: list[csr_matrix] = []
    for length in range(1, longest + 1):
        if length > 1:
            # An n-gram is one that is a unit shorter, and the unit after it in the same text.
            last = places + length - 1
            inside = last < len(owners)
            inside[inside] = owners[places[inside]] == owners[last[inside]]
            places, codes, last = places[inside], codes[inside], last[inside]
            pairs = codes * max(size, 1) + texts.numbers[last]
            _, first, codes = np.unique(pairs, return_index=True, return_inverse=True)
            spelled = [
                _join([texts.vocabulary[number] for number in texts.numbers[places[begin] : places[begin] + length]])
                for begin in first
            ]
        rows = _count_rows(codes, owners[places], len(spelled), len(texts))
        kept = rows >= least_rows
        # What is rare alone is rare with anything after it, so that longer ones need not be looked at.
        new = np.cumsum(kept) - 1
        staying = kept[codes] if len(codes) else np.zeros(0, dtype=np.bool_)
        places, codes = places[staying], new[codes[staying]] if len(codes) else codes
        spelled = [term for term, stays in zip(spelled, kept, strict=True) if stays]
        if length >= shortest:
            ones = np.ones(len(places), dtype=np.int64)
            parts.append(csr_matrix((ones, (owners[places], codes)), shape=(len(texts), len(spelled))))
            terms += spelled
    return _merge_same(terms, csr_matrix(hstack(parts)))


def _count_rows(codes: Integers, owners: Integers, size: int, texts: int) -> Integers:
    """In how many texts each of `size` n-grams stands, (size,)."""
    pairs = np.unique(codes * max(texts, 1) + owners)
    return np.bincount(pairs // max(texts, 1), minlength=size).astype(np.int64)


def _merge_same(terms: list[str], counts: csr_matrix) -> TermCounts:
    """One column for each different term: MeCab may cut the same characters in two ways."""
    from scipy.sparse import csr_matrix

    places: dict[str, int] = {}
    columns = np.array([places.setdefault(term, len(places)) for term in terms], dtype=np.int64)
    if len(places) < len(terms):
        ones = np.ones(len(terms), dtype=np.int64)
        counts = csr_matrix(counts @ csr_matrix((ones, (np.arange(len(terms)), columns))))
    counts.sum_duplicates()
    return TermCounts(tuple(places), counts)


def _join(units: Sequence[str]) -> str:
    joined = units[0]
    for one, other in pairwise(units):
        apart = one[-1].isascii() and one[-1].isalnum() and other[0].isascii() and other[0].isalnum()
        joined += f" {other}" if apart else other
    return joined
