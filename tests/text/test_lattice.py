from __future__ import annotations

import itertools
import math

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from core.text.lattice import find_best, lattice_best
from tests.text.tiny import SENTENCES, folder, tiny

SCORES = {"a": -2.0, "b": -2.5, "ab": -3.0, "ba": -3.5, "aba": -5.0}


def all_ways(text: str) -> dict[tuple[str, ...], float]:
    """Every segmentation by brute force."""
    ways = {}
    for cuts in itertools.product((False, True), repeat=len(text) - 1):
        borders = [0, *(place for place, cut in enumerate(cuts, start=1) if cut), len(text)]
        pieces = tuple(text[a:b] for a, b in itertools.pairwise(borders))
        if all(piece in SCORES for piece in pieces):
            ways[pieces] = sum(SCORES[piece] for piece in pieces)
    return ways


@given(st.text("ab", min_size=1, max_size=7), st.integers(1, 6))
def test_the_n_best_are_those_of_brute_force(text: str, n: int) -> None:
    ways = all_ways(text)
    found = find_best(text, SCORES, n=n)
    assert [way.score for way in found] == pytest.approx(sorted(ways.values(), reverse=True)[:n])
    total = sum(map(math.exp, ways.values()))
    for way in found:
        assert way.score == pytest.approx(ways[way.pieces])
        assert way.probability == pytest.approx(math.exp(way.score) / total)
    assert len({way.pieces for way in found}) == len(found)


def test_an_unknown_character_costs_ten_more_than_the_worst_piece() -> None:
    (way,) = find_best("猫", SCORES)
    assert way.pieces == ("猫",) and way.score == pytest.approx(-15.0)


def test_no_piece_crosses_a_border() -> None:
    assert [way.pieces for way in find_best("ab", SCORES, n=3, borders=frozenset({1}))] == [("a", "b")]


@pytest.mark.parametrize("family", ["unigram", "t5"])
@pytest.mark.parametrize("text", SENTENCES)
def test_the_best_way_is_the_tokenizers_own(family: str, text: str) -> None:
    tokenizer = tiny(family)
    encoding = tokenizer.fast.encode(text, add_special_tokens=False)
    best = lattice_best(text, tokenizer, n=3)[0]
    assert list(best.pieces) == encoding.tokens


def test_scores_agree_with_sentencepiece() -> None:
    model = sentencepiece.SentencePieceProcessor(model_proto=(folder("t5") / "spiece.model").read_bytes())
    text = "量子コンピュータの研究"
    reference = model.nbest_encode(text, nbest_size=4, out_type=str)
    found = lattice_best(text, tiny("t5"), n=4)
    assert list(found[0].pieces) == reference[0]
    for way in found:
        own = sum(model.get_score(model.piece_to_id(piece)) for piece in way.pieces)
        assert way.score == pytest.approx(own, abs=1e-3)
    totals = [sum(model.get_score(model.piece_to_id(piece)) for piece in pieces) for pieces in reference]
    assert [way.score for way in found] == pytest.approx(totals, abs=1e-3)


def test_other_families_have_no_lattice() -> None:
    assert lattice_best("猫", tiny("byte-bpe")) == ()


def test_long_text_stays_within_floats() -> None:
    (way,) = find_best("ab" * 3_000, SCORES)
    assert 0.0 <= way.probability <= 1.0 and math.isfinite(way.score)
