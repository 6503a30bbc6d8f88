"""Probes that see only lengths, only labels, only one half; and how rows are dealt for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis.cross_validation import deal_folds, predict_across, predict_texts_across
from core.analysis.probes import probe_choice_lengths, probe_length, probe_prior, probe_second_text
from core.analysis.table import Floats, Integers
from core.errors import InvalidInput
from core.jobs import finish
from tests.analysis.tables import choice_table, label_table, number_table, pair_table


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), st.integers(2, 6), st.integers(0, 5))
@settings(deadline=None)
def test_folds_share_every_label_out_evenly(codes: list[int], folds: int, seed: int) -> None:
    labels = np.array(codes)
    dealt = deal_folds(labels, folds=folds, seed=seed)
    assert set(dealt.tolist()) <= set(range(folds))
    for code in set(codes):
        sizes = np.bincount(dealt[labels == code], minlength=folds)
        assert sizes.max() - sizes.min() <= 1
    assert np.array_equal(dealt, deal_folds(labels, folds=folds, seed=seed))


class Memory:
    """Knows by heart what it was trained on, and says so of nothing else."""

    def fit(self, features: Integers, codes: Integers) -> None:
        self.classes_ = np.unique(codes)
        self.known = set(features.ravel().tolist())

    def predict_proba(self, features: Integers) -> Floats:
        assert not self.known & set(features.ravel().tolist()), "a row was predicted by what it had trained"
        return np.full((len(features), len(self.classes_)), 1 / len(self.classes_))


def test_no_row_is_predicted_by_what_it_trained() -> None:
    codes = np.array([0, 0, 1, 1, 1, 2])
    found = finish(predict_across(np.arange(6)[:, None], codes, Memory, labels=4, folds=3))
    assert found.shape == (6, 4)
    assert found.sum(axis=1) == pytest.approx(1)
    assert (found[:, 3] == 0).all()
    assert found[5].tolist() == [0.5, 0.5, 0, 0]  # the only row of its label was held out
    with pytest.raises(InvalidInput, match=r"error\.analysis\.few_rows"):
        finish(predict_across(np.arange(3)[:, None], np.array([0, 0, 1]), Memory, labels=2))


def test_texts_are_told_apart_out_of_sample() -> None:
    texts = [f"よい{n}" for n in range(20)] + [f"悪い{n}" for n in range(20)]
    codes = np.repeat([0, 1], 20)
    found = finish(predict_texts_across(texts, codes, labels=2))
    assert (found.argmax(axis=1) == codes).all()
    assert [step.total for step in predict_texts_across(texts, codes, labels=2, folds=4)] == [4] * 4
    with pytest.raises(InvalidInput, match=r"error\.analysis\.few_rows"):
        finish(predict_texts_across([""] * 4, np.array([0, 0, 1, 1]), labels=2))


def test_length_gives_away_what_only_length_tells() -> None:
    short = label_table([("あ" * (5 + n % 3 if n % 2 else 30 + n % 3), "ab"[n % 2], "a") for n in range(60)])
    probe = probe_length(short)
    assert (probe.name, probe.rows, probe.accuracy) == ("length", 60, 1.0)
    assert probe.lower < 1.0 == probe.upper
    assert (probe.base, probe.model) == (0.5, 0.5)
    # Middling against extreme is found too.
    middle = label_table([("あ" * ([5, 20, 80, 20][n % 4] + n % 3), "ab"[n % 2], "a") for n in range(80)])
    assert probe_length(middle).accuracy == 1.0
    drawn = np.random.default_rng(0).integers(5, 50, size=200)
    nothing = label_table([("あ" * int(length), "ab"[n % 2], "a") for n, length in enumerate(drawn)])
    assert 0.35 < probe_length(nothing).accuracy < 0.65


def test_the_prior_by_hand() -> None:
    table = label_table([("文", "a" if n < 14 else "b", "a") for n in range(20)])
    probe = probe_prior(table)
    assert (probe.accuracy, probe.base, probe.model) == (0.7, 0.7, 0.7)
    assert probe_prior(label_table([("文", "a", "a")])).rows == 1


def test_the_second_sentence_alone() -> None:
    table = pair_table(
        [(f"文{n // 2}", f"犬が{n}匹いない" if n % 2 else f"犬が{n}匹", "xy"[n % 2], "x") for n in range(40)]
    )
    assert finish(probe_second_text(table)).accuracy > 0.9
    swapped = pair_table(
        [(second, first, gold, "x") for (first, second), gold in zip(table.texts, table.gold, strict=True)]
    )
    assert finish(probe_second_text(swapped)).accuracy < 0.7
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_pairs"):
        finish(probe_second_text(label_table([("あ", "a", "a")])))


def test_choices_by_length() -> None:
    table = choice_table(
        [(("a", "bbb"), 1, (0.3, 0.7)), (("aaa", "b", "c"), 0, (0.2, 0.3, 0.5)), (("aa", "b"), 1, (0.6, 0.4))]
    )
    longest, shortest = probe_choice_lengths(table)
    assert (longest.accuracy, shortest.accuracy) == pytest.approx((2 / 3, 1 / 3))
    assert (longest.base, longest.model) == pytest.approx((2 / 3, 1 / 3))
    assert probe_prior(table).name == "prior"


def test_other_kinds_are_refused() -> None:
    for act in (probe_length, probe_prior, lambda table: finish(probe_second_text(table))):
        with pytest.raises(InvalidInput, match=r"error\.analysis\.no_labels"):
            act(number_table([1.0], [2.0]))
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_labels"):
        probe_length(choice_table([(("a", "b"), 1, (0.3, 0.7))]))
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_choices"):
        probe_choice_lengths(number_table([1.0], [2.0]))
