"""The book's toy corpus gives the book's nine merges; a text of five thousand characters is learned while one waits."""

from __future__ import annotations

import time

import pytest

from core.errors import InvalidInput
from tabs.tokens import merges, training, unigram, wordpiece


def test_the_toy_corpus_gives_the_nine_merges_of_the_book() -> None:
    found = merges.explore(merges.Query(step=training.MERGES))
    assert [(*one.pair, one.count) for one in found.merges] == [
        ("し", "い", 10),
        ("た", "の", 8),
        ("たの", "しい", 6),
        ("う", "つ", 5),
        ("うつ", "く", 5),
        ("うつく", "しい", 4),
        ("し", "さ", 3),
        ("たの", "しさ", 2),
        ("うつく", "しさ", 1),
    ]
    assert found.step == 9
    assert found.candidates == ()
    assert found.cut == (("たのしい",), ("たのしさ",), ("うつくしい",), ("うつくしさ",))
    assert found.vocabulary[:8] == tuple("いうくさしたつの")


def test_the_scrubber_goes_back() -> None:
    start, third = (merges.explore(merges.Query(step=step)) for step in (0, 3))
    assert start.cut[0] == tuple("たのしい")
    assert third.cut[1] == ("たの", "し", "さ")
    assert third.candidates[0].pieces == ("う", "つ")
    assert [piece.text for piece in merges.explore(merges.Query(step=9, word="たのしさ")).applied] == ["たのしさ"]


def test_wordpiece_prefers_pairs_that_are_always_together() -> None:
    found = wordpiece.explore(wordpiece.Query())
    best = found.wordpiece.candidates[0]
    assert best.score == pytest.approx(best.count / (found.left * found.right))
    assert best.pieces == ("う", "##つ")
    assert found.bpe.candidates[0].pieces == ("し", "い")
    unknown = wordpiece.explore(wordpiece.Query(word="山")).wordpiece.applied
    assert [(piece.text, piece.known) for piece in unknown] == [("[UNK]", False)]


def test_unigram_drops_pieces_and_weighs_all_ways() -> None:
    found = unigram.explore(unigram.Query())
    assert len(found.removed) > 0
    assert not set(found.removed) & set(found.vocabulary)
    assert sum(way.probability for way in found.own) == pytest.approx(1, abs=1e-3)
    assert [way.score for way in found.own] == sorted((way.score for way in found.own), reverse=True)
    assert found.bundled
    nothing = unigram.explore(unigram.Query(corpus="犬 1", size=400))
    assert nothing.last == 0
    assert all(unigram.show(nothing, "en"))


@pytest.mark.parametrize("corpus", ["", "  \n ", "たのしい 0", "a b c", "犬 \ud842"])
@pytest.mark.parametrize("module", [merges, wordpiece, unigram])
def test_what_is_no_table_is_refused(module: object, corpus: str) -> None:
    with pytest.raises(InvalidInput):
        module.explore(module.Query(corpus=corpus))  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", [merges, wordpiece, unigram])
def test_a_page_of_text_is_quick(module: object) -> None:
    text = (training.STORY * 100)[:5_000]
    query = module.Query(corpus=text, form="mecab", step=30)  # type: ignore[attr-defined]
    start = time.process_time()
    found = module.explore(query)  # type: ignore[attr-defined]
    views = module.show(found, "ja")  # type: ignore[attr-defined]
    assert time.process_time() - start < 3
    assert sum(map(len, views)) < 200_000
