"""Counts of labels and lengths."""

from __future__ import annotations

from typing import Any

import pytest

from core.data.examples import ChoiceQuestion, LabelledPair, LabelledText
from core.data.splits import Splits
from core.data.statistics import balance_labels, count_lengths, measure_lengths, truncated_share
from core.tasks.choice import TASK as CHOICE
from core.tasks.classification import TASK as CLASSIFICATION
from core.tasks.tokenizing import load_task_tokenizer
from tests.tasks.encoder import BUNDLED


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_task_tokenizer(str(BUNDLED))


def test_labels_stand_in_one_order_in_every_part() -> None:
    good, bad = LabelledText("よい", "positive"), LabelledText("わるい", "negative")
    balance = balance_labels(CLASSIFICATION, Splits((bad, bad, good), (bad,), (good, good, bad)))
    assert balance.labels == ("positive", "negative")
    assert (balance.train, balance.validation, balance.test) == ((1, 2), (0, 1), (2, 1))
    assert balance.majority == pytest.approx(2 / 3)
    fixed = balance_labels(CLASSIFICATION, Splits((bad,)), labels=("negative", "neutral"))
    assert fixed.train == (1, 0)
    assert balance_labels(CHOICE, Splits((ChoiceQuestion("q", ("a", "b"), 0),))).labels == ()
    assert balance_labels(CLASSIFICATION, Splits(())).majority == 0.0


def test_lengths_are_those_of_the_models_input(tokenizer: Any) -> None:
    texts = [
        LabelledText("吾輩は猫である。名前はまだ無い。", "a"),
        LabelledText("猫", "a"),
        LabelledText("猫" * 999, "a"),
    ]
    assert measure_lengths(texts, tokenizer) == tuple(len(tokenizer(text.text)["input_ids"]) for text in texts)
    pair = LabelledPair("猫は魚を食べた。", "犬が走る", "x")
    assert measure_lengths([pair], tokenizer) == (len(tokenizer(pair.first, pair.second)["input_ids"]),)
    question = ChoiceQuestion("空を飛ぶのは?", ("石", "とても大きな白い鳥"), 1)
    longest = len(tokenizer(question.question, question.choices[1])["input_ids"])
    assert measure_lengths([question], tokenizer) == (longest,)
    assert measure_lengths([], tokenizer) == ()


def test_a_histogram_by_hand() -> None:
    histogram = count_lengths([3, 4, 9, 10, 11, 25], width=5)
    assert histogram.counts == (2, 1, 2, 0, 0, 1)
    assert (histogram.longest, sum(histogram.counts)) == (25, 6)
    assert histogram.mean == pytest.approx(62 / 6)
    assert count_lengths([]).counts == ()


def test_the_truncated_share_by_hand() -> None:
    assert truncated_share([8, 128, 129, 500], max_length=128) == 0.5
    assert truncated_share([], max_length=128) == 0.0
