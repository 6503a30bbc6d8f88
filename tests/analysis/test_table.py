"""The columns of the table, for every kind of answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.analysis.table import KINDS, build_table, write_answer
from core.data.examples import EntitySpan, LabelledText
from core.errors import InvalidInput
from core.tasks.registry import TASKS
from core.tasks.task import Prediction
from tests.analysis.tables import choice_table, label_table, number_table, pair_table, tagged_table


def test_classification_by_hand() -> None:
    table = label_table(
        [
            ("よい品", "positive", {"positive": 0.7, "negative": 0.2, "neutral": 0.1}),
            ("🍣だめ", "negative", {"positive": 0.6, "negative": 0.3, "neutral": 0.1}),
        ]
    )
    assert len(table) == 2
    assert table.labels == ("positive", "negative", "neutral")  # the book's order
    assert table.texts == (("よい品",), ("🍣だめ",))
    assert table.gold_codes.tolist() == [0, 1]
    assert table.predicted_codes.tolist() == [0, 0]
    assert table.correct.tolist() == [True, False]
    assert table.confidence == pytest.approx([0.7, 0.6])
    assert table.margin == pytest.approx([0.5, 0.3])
    assert table.loss == pytest.approx([-math.log(0.7), -math.log(0.3)])
    assert table.characters.tolist() == [3, 3]  # code points
    assert table.probabilities == pytest.approx(np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]]))
    assert np.isnan(table.residual).all()
    assert table.tokens is None


def test_labels_keep_the_order_given_and_unknown_ones_come_last() -> None:
    rows: list[tuple[str, str, dict[str, float] | str]] = [("あ", "z", {"b": 0.9, "a": 0.1}), ("い", "a", "b")]
    table = label_table(rows, labels=("b", "a"))
    assert table.labels == ("b", "a", "z")
    assert table.probabilities[0].tolist() == [0.9, 0.1, 0.0]  # the model gives a label that it does not know nothing
    assert np.isnan(table.probabilities[1]).all()
    assert math.isnan(table.confidence[1])
    assert math.isnan(table.margin[1])
    assert math.isnan(table.loss[0])


def test_numbers_are_right_within_the_tolerance() -> None:
    table = number_table([1.0, 2.0, 3.0], [1.5, 2.6, 2.0])
    assert table.labels == ()
    assert table.residual == pytest.approx([0.5, 0.6, -1.0])
    assert table.correct.tolist() == [True, False, False]
    assert number_table([1.0], [1.9], tolerance=1.0).correct.tolist() == [True]
    assert table.gold_codes.tolist() == [-1, -1, -1]
    assert table.probabilities.shape == (3, 0)


def test_choices_may_be_more_or_fewer() -> None:
    table = choice_table([(("a", "b"), 1, (0.3, 0.7)), (("a", "b", "c"), 0, (0.2, 0.3, 0.5))])
    assert table.labels == ("0", "1", "2")
    assert math.isnan(table.probabilities[0, 2])
    assert table.confidence == pytest.approx([0.7, 0.5])
    assert table.margin == pytest.approx([0.4, 0.2])
    assert table.predicted.tolist() == [1, 2]
    assert table.texts[1] == ("問1", "a", "b", "c")


def test_entities_are_right_when_all_of_them_are() -> None:
    gold = [(0, 2, "PERSON"), (3, 5, "PLACE")]
    table = tagged_table([("太郎が東京へ", gold, gold[::-1]), ("花子が来た", [(0, 2, "PERSON")], [])])
    assert table.correct.tolist() == [True, False]  # whatever order they come in
    assert table.labels == ("PERSON", "PLACE")
    assert table.gold[0] == (EntitySpan(0, 2, "PERSON"), EntitySpan(3, 5, "PLACE"))
    assert table.gold_types == (frozenset({"PERSON", "PLACE"}), frozenset({"PERSON"}))
    assert table.predicted_types[1] == frozenset()
    assert write_answer(table.gold[1]) == '[[0, 2, "PERSON"]]'
    assert np.isnan(table.confidence).all()


def test_rows_follow_the_predictions_and_columns_follow_the_rows() -> None:
    examples = [LabelledText("零", "a"), LabelledText("一", "b"), LabelledText("二", "a")]
    predictions = [Prediction(2, "a", "a", 0.1), Prediction(0, "a", "b", 0.9)]
    table = build_table(
        predictions, examples, task="classification", tokens=[5, 6, 7], columns={"source": ["x", "y", "z"]}
    )
    assert table.texts == (("二",), ("零",))
    assert table.index.tolist() == [2, 0]
    assert table.tokens is not None
    assert table.tokens.tolist() == [7, 5]
    assert table.columns["source"].tolist() == ["z", "x"]


def test_what_does_not_belong_together_is_refused() -> None:
    examples = [LabelledText("零", "a")]
    for prediction in (Prediction(0, "b", "b", 0.1), Prediction(1, "a", "a", 0.1), Prediction(-1, "a", "a", 0.1)):
        with pytest.raises(InvalidInput, match=r"error\.analysis\.other_examples"):
            build_table([prediction], examples, task="classification")
    with pytest.raises(InvalidInput, match=r"error\.analysis\.empty"):
        build_table([], examples, task="classification")
    with pytest.raises(InvalidInput, match=r"error\.analysis\.task"):
        build_table([Prediction(0, "a", "a", 0.1)], examples, task="headline")
    assert set(TASKS) >= KINDS.keys()


def test_pairs_have_two_texts() -> None:
    table = pair_table([("犬", "猫です", "neutral", "entailment")])
    assert table.texts == (("犬", "猫です"),)
    assert table.characters.tolist() == [4]
    assert table.joined_texts == ["犬\n猫です"]
    assert [array.to_pylist() for array in table.searchable] == [["犬"], ["猫です"]]
