"""BLEU against the book's table and sacrebleu itself."""

from __future__ import annotations

import pytest
import sacrebleu

from core.generation.bleu import match_bleu, score_bleu
from tests.generation.test_rouge import CANDIDATES, REFERENCE

# Book 7.3.2: score, counts, totals, precisions, brevity penalty, length (the reference has 6).
BOOK = (
    (38.260, (6, 3, 2, 1), (8, 7, 6, 5), (75.0, 42.86, 33.33, 20.0), 1.0, 8),
    (32.556, (3, 2, 1, 0), (5, 4, 3, 2), (60.0, 50.0, 33.33, 25.0), 0.819, 5),
    (17.492, (2, 1, 0, 0), (5, 4, 3, 2), (40.0, 25.0, 16.67, 12.5), 0.819, 5),
)


@pytest.mark.parametrize(("candidate", "expected"), [*zip(CANDIDATES, BOOK, strict=True)])
def test_the_table_of_the_book(
    candidate: list[str],
    expected: tuple[float, tuple[int, ...], tuple[int, ...], tuple[float, ...], float, int],
) -> None:
    score, counts, totals, precisions, penalty, length = expected
    bleu = score_bleu([candidate], [REFERENCE])
    assert round(bleu.score, 3) == score
    assert (bleu.counts, bleu.totals) == (counts, totals)
    assert tuple(round(precision, 2) for precision in bleu.precisions) == precisions
    assert round(bleu.penalty, 3) == penalty
    assert (bleu.candidate_length, bleu.reference_length) == (length, 6)
    assert tuple(len(pairs) for pairs in match_bleu(candidate, REFERENCE).matches) == counts
    assert score_bleu([candidate], [REFERENCE], tokenize="none") == bleu


def test_a_corpus_is_not_the_mean_of_its_texts() -> None:
    corpus = score_bleu(CANDIDATES, [REFERENCE] * 3)
    theirs = sacrebleu.corpus_bleu([" ".join(words) for words in CANDIDATES], [[" ".join(REFERENCE)] * 3])
    assert corpus.score == theirs.score
    assert corpus.counts == (11, 6, 3, 1)
    assert corpus.score != pytest.approx(sum(row[0] for row in BOOK) / 3, abs=0.1)


def test_matches_are_in_the_units_that_sacrebleu_counts() -> None:
    found = match_bleu(["猫,犬", "。"], ["猫", ",", "犬", "。"])
    assert found.candidate == found.reference == ("猫", ",", "犬", "。")
    assert found.matches == (((0, 0), (1, 1), (2, 2), (3, 3)), ((0, 0), (1, 1), (2, 2)), ((0, 0), (1, 1)), ((0, 0),))
    assert match_bleu(["猫,犬", "。"], ["猫", ",", "犬", "。"], tokenize="none").matches[0] == ((1, 3),)


def test_a_text_without_words_scores_nothing() -> None:
    assert score_bleu([[]], [REFERENCE]).score == 0.0
    with pytest.raises(ValueError, match="no text"):
        score_bleu([], [])
    with pytest.raises(ValueError, match="1 candidates and 2"):
        score_bleu([["猫"]], [["猫"], ["犬"]])
