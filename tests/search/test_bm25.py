"""BM25 against hand-worked numbers and against its definition written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.search.bm25 import BM25, Terms, build_bm25, split_bigrams, split_words

DOCUMENTS = (
    "富士山は日本で一番高い山です。",
    "信濃川は日本で一番長い川です。川の水は海に出ます。",
    "北海道は広い。",
    "",
)


def score_slowly(query: list[str], document: list[str], documents: list[list[str]], k1: float, b: float) -> float:
    mean = sum(map(len, documents)) / len(documents)
    total = 0.0
    for term in query:
        holders = sum(term in other for other in documents)
        idf = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
        count = document.count(term)
        if count:
            total += idf * count * (k1 + 1) / (count + k1 * (1 - b + b * len(document) / mean))
    return total


def test_a_case_by_hand() -> None:
    # Three documents of the bigrams ab; ab, bc; cd. Mean length 4/3; "ab" stands in two of three documents.
    index = build_bm25(["ab", "abc", "cd"], terms="bigrams", k1=1.2, b=0.75)
    idf = math.log(1 + 1.5 / 2.5)
    short, long = 1.2 * (0.25 + 0.75 * 1 / (4 / 3)), 1.2 * (0.25 + 0.75 * 2 / (4 / 3))
    assert index.scores("ab") == pytest.approx([idf * 2.2 / (1 + short), idf * 2.2 / (1 + long), 0])
    assert [hit.id for hit in index.search("ab")] == [0, 1]  # nothing shared: not found
    assert index.scores("abab") == pytest.approx([2 * idf * 2.2 / (1 + short), 2 * idf * 2.2 / (1 + long), 0])


@pytest.mark.parametrize("terms", ["words", "bigrams"])
@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.0, 0.5), (2.0, 0.0), (0.9, 1.0)])
def test_scores_are_the_definition(terms: Terms, k1: float, b: float) -> None:
    split = split_words if terms == "words" else split_bigrams
    index = build_bm25(DOCUMENTS, terms=terms, k1=k1, b=b)
    documents = [split(document) for document in DOCUMENTS]
    for query in ("日本で一番長い川は？", "川川川", "ＡＢＣ", ""):
        expected = [score_slowly(split(query), document, documents, k1, b) for document in documents]
        assert index.scores(query) == pytest.approx(expected, abs=1e-5)


def test_many_queries_are_as_one_by_one() -> None:
    index = build_bm25(DOCUMENTS)
    queries = ["高い山", "長い川", "知らない言葉ばかり", "北海道"] * 40  # more than one block
    together = index.search_all(queries, k=2)
    assert together == [index.search(query, k=2) for query in queries]
    assert [hits[0].id for hits in together[:2]] == [0, 1]


def test_an_explanation_adds_up() -> None:
    index = build_bm25(DOCUMENTS)
    parts = index.explain("日本で一番高い山は", 0)
    assert sum(parts.values()) == pytest.approx(float(index.scores("日本で一番高い山は")[0]), abs=1e-5)
    assert next(iter(parts)) in ("山", "高い")
    assert "北海道" not in parts


def test_width_case_and_spaces_do_not_matter() -> None:
    assert split_words("ＡＢＣ ㍿") == split_words("abc 株式会社")
    assert split_bigrams("Ａ Ｂ\nｃ") == ["ab", "bc"]
    assert split_bigrams("山") == ["山"]
    assert split_bigrams(" ") == []
    assert split_words("山\0川") == ["山", "川"]


def test_documents_without_a_term_are_never_found() -> None:
    index: BM25 = build_bm25(["", " "], terms="words")
    assert index.search("山") == ()
    assert np.array_equal(index.scores("山"), np.zeros(2, dtype=np.float32))


@pytest.mark.parametrize(("documents", "k1", "b"), [([], 1.2, 0.5), (["a"], -1, 0.5), (["a"], 1.2, 1.5)])
def test_settings_out_of_range_are_refused(documents: list[str], k1: float, b: float) -> None:
    with pytest.raises(ValueError, match="needed"):
        build_bm25(documents, k1=k1, b=b)
