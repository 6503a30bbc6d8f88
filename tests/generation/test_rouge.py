"""ROUGE against the book's table, rouge-score itself, and matches counted by hand."""

from __future__ import annotations

import random

import pytest
from rouge_score.rouge_scorer import RougeScorer

from core.generation.rouge import bootstrap_mean, match_ngrams, match_subsequence, mean_rouge, score_rouge

# Book 7.3.1, cut by MeCab with IPAdic as printed there.
REFERENCE = ["日本語", "T", "5", "モデル", "の", "公開"]
CANDIDATES = (
    ["T", "5", "モデル", "の", "日本語", "版", "を", "公開"],
    ["日本語", "T", "5", "を", "リリース"],
    ["Japanese", "T", "5", "を", "発表"],
)
BOOK = (
    ((0.750, 1.000, 0.857), (0.429, 0.600, 0.500), (0.625, 0.833, 0.714)),
    ((0.600, 0.500, 0.545), (0.500, 0.400, 0.444), (0.600, 0.500, 0.545)),
    ((0.400, 0.333, 0.364), (0.250, 0.200, 0.222), (0.400, 0.333, 0.364)),
)


@pytest.mark.parametrize(("candidate", "expected"), [*zip(CANDIDATES, BOOK, strict=True)])
def test_the_table_of_the_book(candidate: list[str], expected: tuple[tuple[float, ...], ...]) -> None:
    rouge = score_rouge(candidate, REFERENCE)
    for overlap, numbers in zip((rouge.rouge1, rouge.rouge2, rouge.rouge_l), expected, strict=True):
        assert (round(overlap.precision, 3), round(overlap.recall, 3), round(overlap.f, 3)) == numbers
        assert overlap.precision == len(overlap.matches) / overlap.candidates
        assert overlap.recall == len(overlap.matches) / overlap.references


def test_without_numbers_for_words_japanese_does_not_count() -> None:
    naive = RougeScorer(["rouge1"]).score(" ".join(REFERENCE), " ".join(CANDIDATES[0]))
    assert naive["rouge1"].fmeasure == 1.0  # only T and 5 are left of both
    assert score_rouge(CANDIDATES[0], REFERENCE).rouge1.f < 1.0


def test_matches_say_what_stands_where() -> None:
    rouge = score_rouge(CANDIDATES[0], REFERENCE)
    assert rouge.rouge1.matches == ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (7, 5))
    assert rouge.rouge2.matches == ((0, 1), (1, 2), (2, 3))
    assert rouge.rouge_l.matches == ((0, 1), (1, 2), (2, 3), (3, 4), (7, 5))


def test_an_ngram_matches_as_often_as_the_rarer_text_has_it() -> None:
    assert match_ngrams(["の", "の", "の"], ["猫", "の", "犬", "の"], n=1) == ((0, 1), (1, 3))
    assert match_ngrams(["猫", "の"], ["猫"], n=2) == ()


def test_matches_agree_with_rouge_score_on_any_texts() -> None:
    draw = random.Random(0)
    for _ in range(200):
        candidate, reference = (draw.choices("あいうえ", k=draw.randrange(12)) for _ in range(2))
        rouge = score_rouge(candidate, reference)
        for overlap in (rouge.rouge1, rouge.rouge2, rouge.rouge_l):
            if overlap.candidates and overlap.references:
                assert overlap.precision == pytest.approx(len(overlap.matches) / overlap.candidates)
                assert overlap.recall == pytest.approx(len(overlap.matches) / overlap.references)
            else:
                assert (overlap.precision, overlap.recall, overlap.f, overlap.matches) == (0, 0, 0, ())
        for pairs in (match_subsequence(candidate, reference), match_ngrams(candidate, reference, n=1)):
            assert all(candidate[left] == reference[right] for left, right in pairs)
        common = match_subsequence(candidate, reference)
        assert [right for _, right in common] == sorted({right for _, right in common})


def test_means_over_texts() -> None:
    scores = [score_rouge(candidate, REFERENCE) for candidate in CANDIDATES]
    means = mean_rouge(scores)
    assert means["rouge1"] == pytest.approx((6 / 7 + 6 / 11 + 4 / 11) / 3)
    assert means["rouge2_precision"] == pytest.approx((3 / 7 + 2 / 4 + 1 / 4) / 3)
    assert means["rouge_l_recall"] == pytest.approx((5 / 6 + 3 / 6 + 2 / 6) / 3)


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = [0.0, 1.0] * 200
    interval = bootstrap_mean(values)
    error = 1.96 * 0.5 / 20  # standard deviation 1/2, 400 values
    assert interval.mean == 0.5
    assert [interval.low, interval.high] == pytest.approx([0.5 - error, 0.5 + error], abs=0.01)
    assert interval == bootstrap_mean(values)
