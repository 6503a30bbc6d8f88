"""Baselines against cases worked by hand and against scikit-learn; the trigram model against what a model must be."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

from core.bundled.baselines import bigram_overlap, collect_names, fit_bayes, lead, look_up_names, majority_share
from core.bundled.ngrams import fit_trigrams, fit_unigrams
from core.data.examples import EntitySpan, TaggedText

Ids = NDArray[np.int64]

TEXTS = (
    "とても良い店でした", "味が良くて満足です", "良い眺めに満足した", "接客が悪くて残念です", "とても残念な店でした",
    "値段が高くて悪い店", "眺めは良い", "悪い",
)  # fmt: skip
LABELS = ("positive", "positive", "positive", "negative", "negative", "negative", "positive", "negative")


def test_majority() -> None:
    assert majority_share(["a", "b", "a", "a"]) == 0.75
    assert majority_share([0, 1]) == 0.5


def test_bigram_overlap_of_hand_worked_pairs() -> None:
    # 猫 い る いる are shared; が 猫が がい and も 猫も もい are not.
    assert bigram_overlap("猫がいる", "猫もいる") == pytest.approx(4 / 10)
    assert bigram_overlap("ＡＢ", "AB ") == 1.0
    assert bigram_overlap("", "") == 1.0


def test_lead() -> None:
    assert lead("一行目。\n二行目。", characters=6) == "一行目。二行"


def test_naive_bayes_equals_scikit_learn() -> None:
    model = fit_bayes(TEXTS, LABELS)
    vectorizer = CountVectorizer(analyzer="char", ngram_range=(2, 3), lowercase=False)
    theirs = MultinomialNB().fit(vectorizer.fit_transform(TEXTS), LABELS)
    rng = random.Random(0)
    characters = "".join(TEXTS) + "新"
    unseen = ["".join(rng.choices(characters, k=rng.randint(1, 12))) for _ in range(300)]
    assert model.predict(unseen) == list(theirs.predict(vectorizer.transform(unseen)))
    assert len(set(model.predict(unseen))) == 2


def test_naive_bayes_weighs_labels_by_their_frequency() -> None:
    model = fit_bayes(["ああ", "ああ", "いい"], ["b", "b", "a"])
    assert model.predict(["うう", ""]) == ["b", "b"]


def test_names_are_looked_up_longest_first() -> None:
    train = [
        TaggedText("東京都の東京", (EntitySpan(0, 3, "地名"), EntitySpan(4, 6, "地名"))),
        TaggedText("東京が発売", (EntitySpan(0, 2, "法人名"),)),
        TaggedText("東京へ、津へ", (EntitySpan(0, 2, "地名"), EntitySpan(4, 5, "地名"))),
    ]
    names = collect_names(train)
    assert names == {"東京都": "地名", "東京": "地名"}
    assert look_up_names("東京都と東京の津", names) == (EntitySpan(0, 3, "地名"), EntitySpan(4, 6, "地名"))
    assert look_up_names("東京", {}) == ()


@pytest.fixture(scope="module")
def stream() -> Ids:
    # A chain in which each token has three followers of unequal frequency.
    rng = np.random.default_rng(0)
    ids = [0]
    for step in rng.choice(3, p=(0.7, 0.2, 0.1), size=4_000):
        ids.append(int((3 * ids[-1] + step + 1) % 20))
    return np.array(ids)


@pytest.mark.parametrize("context", [(0, 1), (5, 5), (22, 3), (22, 23)])
def test_trigram_probabilities_sum_to_one(stream: Ids, context: tuple[int, int]) -> None:
    model = fit_trigrams(stream, 25)
    total = sum(math.exp(model.log_probabilities(np.array([*context, token]))[1]) for token in range(25))
    assert total == pytest.approx(1, abs=1e-9)


def test_trigram_of_a_tiny_text_is_still_a_model() -> None:
    model = fit_trigrams(np.array([1, 2, 3, 1]), 6)
    following = [math.exp(model.log_probabilities(np.array([1, 2, token]))[1]) for token in range(6)]
    assert sum(following) == pytest.approx(1, abs=1e-9)
    assert max(following) == following[3]


def test_trigram_nears_the_entropy_of_the_chain(stream: Ids) -> None:
    model = fit_trigrams(stream[:3_500], 25)
    entropy = -sum(p * math.log(p) for p in (0.7, 0.2, 0.1))
    loss = -float(model.log_probabilities(stream[3_500:]).mean())
    assert loss == pytest.approx(entropy, abs=0.15)
    unigram = fit_unigrams(stream[:3_500], 25)
    assert loss < -float(unigram[stream[3_501:]].mean()) - 1


def test_trigram_equals_kneser_ney_worked_by_hand() -> None:
    # Trigrams of 0 1 2 0 1 3 0 1 2: 012 twice, 120, 201, 013, 130, 301 once. Counts of counts 5, 1: the discount of
    # one is 1 - 2 · (5/7) · (1/5) = 5/7; of two 1/2 (no trigram stands thrice).
    model = fit_trigrams(np.array([0, 1, 2, 0, 1, 3, 0, 1, 2]), 4)
    # Bigram types by their contexts: 12 after 0; 20 after 1; 01 after 2 and 3; 13 after 0; 30 after 1.
    # Discount of one 1 - 2 · (4/6) · (1/4) = 2/3, of two 1/2. P(2 | 1) = (1 - 2/3) / 2 + (2 · 2/3) / 2 · P(2).
    # Unigrams: 0 after 2, 3; 1 after 0; 2 after 1; 3 after 1. Discount of one 1 - 2 · (3/5) · (1/3) = 3/5, of two 1/2.
    unigram = (1 - 0.6) / 5 + (3 * 0.6 + 0.5) / 5 / 4
    bigram = (1 - 2 / 3) / 2 + (2 / 3) * unigram
    trigram = (2 - 0.5) / 3 + (0.5 + 5 / 7) / 3 * bigram
    found = np.exp(model.log_probabilities(np.array([0, 1, 2])))
    assert found[1] == pytest.approx(trigram, rel=1e-12)


def test_unigram_adds_one() -> None:
    np.testing.assert_allclose(np.exp(fit_unigrams(np.array([0, 0, 2]), 3)), [3 / 6, 1 / 6, 2 / 6])
