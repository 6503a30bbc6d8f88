"""Counting words and n-grams, and what is made of the counts: contrasts and shortcuts."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.feature_extraction.text import CountVectorizer

from core.analysis.contrast import contrast_terms
from core.analysis.selection import match_pattern
from core.analysis.shortcuts import find_skewed_terms, judge_rule
from core.analysis.terms import TermCounts, Unit, count_terms, split_texts
from core.errors import InvalidInput
from core.jobs import finish
from tests.analysis.tables import binary_table, label_table, number_table

Rows = list[tuple[str, str, dict[str, float] | str]]


def counted(texts: list[str], *, unit: Unit = "characters", **lengths: int) -> TermCounts:
    return count_terms(finish(split_texts(texts, unit=unit)), **lengths)


def test_words_are_mecabs_and_join_as_they_are_written() -> None:
    counts = counted(["星 ４ つ です", "very good です。VERY good", ""], unit="words", longest=2)
    assert {"星", "4", "つ", "星4", "4つ", "very good", "goodです"} <= set(counts.terms)
    assert counts.counts[:, counts.terms.index("very good")].toarray().ravel().tolist() == [0, 2, 0]
    assert counts.rows[counts.terms.index("です")] == 2
    assert counts.has("です").tolist() == [True, True, False]
    assert not counts.has("ない").any()


def test_the_work_tells_how_far_it_is() -> None:
    steps = list(split_texts(["あ"] * 1200, unit="characters"))
    assert [(step.done, step.total) for step in steps] == [(0, 1200), (500, 1200), (1000, 1200)]


@given(
    st.lists(st.text(alphabet="あいうab ", max_size=7), min_size=1, max_size=8),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 3),
)
@settings(deadline=None, max_examples=80)
def test_ngrams_are_those_of_scikit_learn(texts: list[str], shortest: int, more: int, least: int) -> None:
    longest = shortest + more
    counts = counted(texts, shortest=shortest, longest=longest, least_rows=least)
    plain = ["".join(text.split()) for text in texts]
    vectorizer = CountVectorizer(analyzer="char", ngram_range=(shortest, longest), lowercase=False)
    try:
        wanted = vectorizer.fit_transform(plain).toarray()
    except ValueError:  # no text is long enough
        assert not counts.terms
        return
    names = vectorizer.get_feature_names_out()
    rows = (wanted > 0).sum(axis=0)
    # A space stands between Latin letters in a name, which is no part of the n-gram.
    found = {term.replace(" ", ""): counts.counts[:, place].toarray().ravel().tolist()
             for place, term in enumerate(counts.terms)}  # fmt: skip
    assert found == {name: wanted[:, place].tolist() for place, name in enumerate(names) if rows[place] >= least}


def test_no_text_no_terms() -> None:
    counts = counted(["", " "], longest=3)
    assert counts.terms == ()
    assert counts.counts.shape == (2, 0)
    with pytest.raises(ValueError, match="needed"):
        counted(["あ"], shortest=3, longest=2)


def test_a_contrast_by_hand() -> None:
    # 4 characters in the errors, 8 in the rest; あ 3 times and once. Prior of 12 words, so that α is the count itself.
    counts = counted(["ああ", "あい", "いいいい", "うういあ"])
    found = {
        one.term: one for one in contrast_terms(counts, np.array([0, 1]), np.array([2, 3]), prior=12, least_count=1)
    }
    one = found["あ"]
    assert (one.first, one.second, one.first_rows, one.second_rows) == (3, 1, 2, 1)
    delta = math.log((3 + 4) / (4 + 12 - 3 - 4)) - math.log((1 + 4) / (8 + 12 - 1 - 4))
    assert one.log_odds == pytest.approx(delta)
    assert one.z == pytest.approx(delta / math.sqrt(1 / 7 + 1 / 5))
    assert found["う"].z < 0 < one.z


def test_contrasts_turn_round_with_the_groups() -> None:
    counts = counted(["ああう", "あいう", "いいいう", "ういあえ"])
    there = contrast_terms(counts, np.array([0, 1]), np.array([2, 3]), least_count=1)
    back = contrast_terms(counts, np.array([2, 3]), np.array([0, 1]), least_count=1)
    assert {one.term: one.z for one in there} == pytest.approx({one.term: -one.z for one in back})
    assert [one.z for one in there] == sorted((one.z for one in there), reverse=True)
    # い stands five times, あ and う four times.
    assert [one.term for one in contrast_terms(counts, np.array([0, 1]), np.array([2, 3]), least_count=5)] == ["い"]


def test_a_rare_word_does_not_stand_out() -> None:
    rare = counted(["あ" * 50 + "い", "あ" * 50])
    often = counted(["あ" * 30 + "い" * 21, "あ" * 50])
    first, second = (
        next(
            one.z
            for one in contrast_terms(counts, np.array([0]), np.array([1]), prior=50, least_count=1)
            if one.term == "い"
        )
        for counts in (rare, often)
    )
    assert first < 1.0 < 2.0 < second


def test_contrast_needs_two_groups_with_words() -> None:
    counts = counted(["あ", "", "あ"])
    with pytest.raises(InvalidInput, match=r"error\.analysis\.one_group"):
        contrast_terms(counts, np.array([0]), np.array([1]))
    with pytest.raises(ValueError, match="prior"):
        contrast_terms(counts, np.array([0]), np.array([1]), prior=0)
    (only,) = contrast_terms(counts, np.array([0]), np.array([2]), least_count=1)
    assert only.z == 0.0


def star_rows() -> Rows:
    """“星四つ” gives positive away in 18 of 20 rows; the rest is half and half; the model follows the stars."""
    rows: Rows = [("星四つ", "positive" if n < 18 else "negative", "positive") for n in range(20)]
    rows += [("ふつうの品", "positive" if n < 20 else "negative", "negative") for n in range(40)]
    return rows


def test_skewed_terms_by_hand() -> None:
    table = label_table(star_rows())
    counts = counted([text for text, _, _ in star_rows()], longest=3)
    found = find_skewed_terms(table, counts, label="positive", least_rows=5)
    best = found.terms[0]
    assert best.term == "星四つ"  # its parts, as frequent, are left out
    assert (best.rows, best.gold, best.predicted, best.wrong) == (20, 18, 20, 2)
    interval = binomtest(18, 20).proportion_ci(method="wilson")
    assert (best.lower, best.upper) == pytest.approx((interval.low, interval.high))
    assert best.base == pytest.approx(38 / 60)
    assert best.z == pytest.approx((0.9 - 38 / 60) / math.sqrt((38 / 60) * (22 / 60) / 20))
    assert not any(one.term in "星四つ" and one.term != "星四つ" for one in found.terms)
    assert "つ" not in {one.term for one in found.terms}  # stands everywhere: says nothing
    assert found.tested == int((counts.rows >= 5).sum())
    assert found.critical > 3
    both = find_skewed_terms(table, counts, least_rows=5)
    assert {one.label for one in both.terms} <= {"positive", "negative"}
    assert len(find_skewed_terms(table, counts, least_rows=5, limit=1).terms) == 1


def test_what_cannot_be_skewed_is_refused() -> None:
    table = label_table([("あ", "a", "a"), ("い", "a", "a")])
    counts = counted(["あ", "い"])
    assert find_skewed_terms(table, counts, least_rows=1).terms == ()  # one label alone
    with pytest.raises(InvalidInput, match=r"error\.analysis\.unknown_label"):
        find_skewed_terms(table, counts, label="b")
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_labels"):
        find_skewed_terms(number_table([1.0], [1.0]), counts)
    with pytest.raises(ValueError, match="rows"):
        find_skewed_terms(table, counted(["あ"]))


def test_a_rule_by_hand() -> None:
    table = label_table(star_rows())
    rule = judge_rule(table, match_pattern(table, "星.つ"), "positive")
    assert (rule.covered, rule.precision) == (20, 0.9)
    # 18 of 20 with stars; the other 40 are half and half.
    assert rule.accuracy == pytest.approx((18 + 20) / 60)
    assert rule.base == pytest.approx(38 / 60)
    nothing = judge_rule(table, np.zeros(60, dtype=np.bool_), "negative")
    assert (nothing.covered, nothing.precision, nothing.lower, nothing.upper) == (0, 0.0, 0.0, 1.0)
    assert (nothing.otherwise, nothing.accuracy) == ("positive", nothing.base)
    everywhere = judge_rule(table, np.ones(60, dtype=np.bool_), "negative")
    assert everywhere.accuracy == pytest.approx(22 / 60)
    with pytest.raises(InvalidInput, match=r"error\.analysis\.unknown_label"):
        judge_rule(table, np.ones(60, dtype=np.bool_), "gone")


def test_fifty_thousand_rows_are_counted_in_seconds() -> None:
    generator = np.random.default_rng(0)
    letters = np.array(list("あいうえおかきくけこさしすせそたちつてと"))
    texts = ["".join(row) for row in letters[generator.integers(20, size=(50_000, 40))]]
    split = finish(split_texts(texts, unit="characters"))
    golds = ["positive" if "あい" in text else "negative" for text in texts]
    table = binary_table(golds, generator.random(50_000).tolist(), texts=texts)
    started = time.process_time()
    counts = count_terms(split, longest=3, least_rows=10)
    middle = time.process_time()
    best = find_skewed_terms(table, counts).terms[0]
    contrast_terms(counts, np.flatnonzero(~table.correct), np.flatnonzero(table.correct))
    assert best.term == "あい"
    assert middle - started < 15
    assert time.process_time() - middle < 15
