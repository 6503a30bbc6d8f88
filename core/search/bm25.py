"""Search by words: BM25 over MeCab words or over pairs of characters (book 9.4.2)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.search.hits import Floats, Hit, top_hits
from core.text.segmentation import load_mecab

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Terms = Literal["words", "bigrams"]

_QUERIES = 64  # scored at once: the scores of so many queries against all documents are held in memory


def split_words(text: str) -> list[str]:
    """MeCab's words of a text in NFKC and lower case.

    Raises:
        ModelUnavailable: ``error.text.no_dictionary``.
    """
    mecab = load_mecab()
    parts = _fold(text).split("\0")  # MeCab stops reading at a NUL character
    with mecab.lock:
        return [node.surface for part in parts for node in mecab.tagger(part)]


def split_bigrams(text: str) -> list[str]:
    """Pairs of neighbouring characters of a text in NFKC and lower case, white space left out; a lone one is a term."""
    characters = "".join(_fold(text).split())
    return [characters[place : place + 2] for place in range(max(len(characters) - 1, 1))] if characters else []


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


_SPLITTERS: Mapping[Terms, Callable[[str], list[str]]] = MappingProxyType(
    {"words": split_words, "bigrams": split_bigrams}
)


@dataclass(frozen=True, eq=False)
class BM25:
    """An index that scores each document by the words it shares with a query; made by `build_bm25`.

    A term t of the query adds ``idf(t) · f · (k1 + 1) / (f + k1 · (1 − b + b · length / mean length))``, once for each
    time it stands in the query, where f counts it in the document, lengths are in terms, and
    ``idf(t) = ln(1 + (N − n + 0.5) / (n + 0.5))`` for n of N documents that hold it. k1 says how soon repetition stops
    to count, b how much a long document is held to its length.

    Source: Robertson and Zaragoza 2009; the idf that never falls below 0 is Lucene's.
    """

    terms: Terms
    k1: float
    b: float
    size: int
    _vectorizer: Any = field(repr=False)
    _weights: csr_matrix = field(repr=False)  # (V, N): what one occurrence of a term in a query is worth

    def scores(self, query: str) -> Floats:
        """The score of every document, (N,)."""
        return next(self._score([query]))

    def search(self, query: str, *, k: int = 10) -> tuple[Hit, ...]:
        """The k best documents for a query; none that shares no term with it."""
        return self.search_all([query], k=k)[0]

    def search_all(self, queries: Sequence[str], *, k: int = 10) -> list[tuple[Hit, ...]]:
        """The same for many queries."""
        return [tuple(hit for hit in top_hits(scores, k) if hit.score > 0) for scores in self._score(queries)]

    def explain(self, query: str, document: int) -> dict[str, float]:
        """What each term of a query adds to the score of one document, the most first; only those that add."""
        counts = self._vectorizer.transform([query])
        names = self._vectorizer.get_feature_names_out()
        added = {
            str(names[term]): float(count * self._weights[term, document])
            for term, count in zip(counts.indices, counts.data, strict=True)
        }
        return dict(sorted(((term, value) for term, value in added.items() if value > 0), key=lambda item: -item[1]))

    def _score(self, queries: Sequence[str]) -> Iterator[Floats]:
        for start in range(0, len(queries), _QUERIES):
            counts = self._vectorizer.transform(queries[start : start + _QUERIES])  # (Q, V)
            yield from (counts @ self._weights).toarray()  # (Q, N)


def build_bm25(documents: Sequence[str], *, terms: Terms = "words", k1: float = 1.2, b: float = 0.75) -> BM25:
    """Index documents under their places in the sequence.

    Args:
        documents: any texts; one without a term is never found.
        terms: MeCab words, or pairs of characters, which need no dictionary and forgive other word borders.
        k1: 0 or more; 0 only asks whether a term is there.
        b: 0 (length does not matter) to 1.

    Raises:
        ValueError: no document, or k1 or b out of range.
    """
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer

    if not documents or k1 < 0 or not 0 <= b <= 1:
        raise ValueError("documents, k1 >= 0 and b in [0, 1] are needed")
    vectorizer = CountVectorizer(analyzer=_SPLITTERS[terms], dtype=np.float32)
    try:
        counts = vectorizer.fit_transform(documents).tocsr()  # (N, V)
    except ValueError:  # no document holds a term
        vectorizer = CountVectorizer(analyzer=_SPLITTERS[terms], dtype=np.float32, vocabulary={"": 0})
        counts = vectorizer.transform(documents)
    size = counts.shape[0]
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    norm = k1 * (1 - b + b * lengths / max(float(lengths.mean()), 1.0))  # (N,)
    holders = np.bincount(counts.indices, minlength=counts.shape[1])  # documents that hold each term (V,)
    idf = np.log1p((size - holders + 0.5) / (holders + 0.5))
    documents_of = np.repeat(np.arange(size), np.diff(counts.indptr))  # the row of each stored count
    counts.data = (idf[counts.indices] * counts.data * (k1 + 1) / (counts.data + norm[documents_of])).astype(np.float32)
    # By term, so that a query touches only the rows of its own terms.
    return BM25(terms, k1, b, size, vectorizer, csr_matrix(counts.T))
