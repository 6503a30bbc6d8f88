"""Confusion matrices, class metrics, residuals and entity faults, by hand and against scikit-learn and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, pearsonr, spearmanr
from sklearn.metrics import classification_report, confusion_matrix, mean_absolute_error, root_mean_squared_error

from core.analysis.confusion import count_confusion, score_classes
from core.analysis.entities import compare_entities, count_entity_confusion, count_faults
from core.analysis.intervals import wilson_interval
from core.analysis.residuals import measure_residuals
from core.data.examples import EntitySpan
from core.errors import InvalidInput
from core.tasks.bio import score_entities
from core.tasks.classification import TASK as CLASSIFICATION
from core.tasks.task import Prediction
from tests.analysis.tables import binary_table, choice_table, drawn_table, label_table, number_table, tagged_table

ANSWERS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=40)


def test_a_matrix_by_hand() -> None:
    # The matrix of the book's published WRIME model (5.3.2): accuracy 0.9415.
    cells = {("positive", "positive"): 773, ("positive", "negative"): 51, ("negative", "positive"): 43}
    cells["negative", "negative"] = 741
    table = label_table([("文", gold, said) for (gold, said), count in cells.items() for _ in range(count)])
    matrix = count_confusion(table)
    assert matrix.labels == ("positive", "negative")
    assert matrix.counts.tolist() == [[773, 51], [43, 741]]
    assert matrix.shares == pytest.approx(np.array([[773 / 824, 51 / 824], [43 / 784, 741 / 784]]))
    assert (matrix.total, matrix.correct) == (1608, 1514)
    report = score_classes(table)
    assert report.accuracy == pytest.approx(0.9415423, abs=1e-7)
    assert report.precision == pytest.approx([773 / 816, 741 / 792])
    assert report.recall == pytest.approx([773 / 824, 741 / 784])
    assert report.support.tolist() == [824, 784]


@given(ANSWERS)
@settings(deadline=None, max_examples=30)
def test_everything_equals_scikit_learn(answers: list[tuple[str, str]]) -> None:
    golds, said = [gold for gold, _ in answers], [one for _, one in answers]
    table = label_table([("文", *answer) for answer in answers], labels=tuple("abcde"))
    assert count_confusion(table).counts.tolist() == confusion_matrix(golds, said, labels=list("abcde")).tolist()
    report = score_classes(table)
    # A label that is named but never occurs is shown with zeros and is no part of a mean.
    wanted = classification_report(golds, said, output_dict=True, zero_division=0)
    for place, label in enumerate(report.labels):
        own = wanted.get(label, {"precision": 0, "recall": 0, "f1-score": 0, "support": 0})
        found = (report.precision[place], report.recall[place], report.f1[place], report.support[place])
        assert found == pytest.approx((own["precision"], own["recall"], own["f1-score"], own["support"]))
    assert report.macro_f1 == pytest.approx(wanted["macro avg"]["f1-score"])
    assert report.weighted_f1 == pytest.approx(wanted["weighted avg"]["f1-score"])


def test_numbers_equal_those_of_the_run() -> None:
    table = drawn_table(300)
    predictions = [
        Prediction(place, gold, said, 0.0)
        for place, (gold, said) in enumerate(zip(table.gold, table.predicted, strict=True))
    ]
    scores = CLASSIFICATION.score(predictions)
    report = score_classes(table)
    assert scores["accuracy"] == report.accuracy
    assert scores["macro_f1"] == pytest.approx(report.macro_f1)
    assert [scores[f"f1.{label}"] for label in report.labels] == pytest.approx(report.f1)


def test_some_rows_alone() -> None:
    table = binary_table(["positive", "negative", "negative"], [0.9, 0.9, 0.1])
    assert count_confusion(table, places=np.array([1, 2])).counts.tolist() == [[0, 0], [1, 1]]
    assert score_classes(table, places=np.array([1, 2])).accuracy == 0.5
    assert count_confusion(table, places=np.array([], dtype=np.int64)).shares.tolist() == [[0, 0], [0, 0]]
    with pytest.raises(InvalidInput, match=r"error\.analysis\.empty"):
        score_classes(table, places=np.array([], dtype=np.int64))


def test_positions_of_choices_are_labels_too() -> None:
    table = choice_table([(("a", "b"), 1, (0.3, 0.7)), (("a", "b", "c"), 0, (0.2, 0.3, 0.5))])
    assert count_confusion(table).counts.tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_kinds_without_labels_are_refused() -> None:
    for act in (count_confusion, score_classes):
        with pytest.raises(InvalidInput, match=r"error\.analysis\.no_labels"):
            act(number_table([1.0], [2.0]))
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_numbers"):
        measure_residuals(binary_table(["positive"], [0.5]))
    for count in (count_faults, count_entity_confusion):
        with pytest.raises(InvalidInput, match=r"error\.analysis\.no_entities"):
            count(number_table([1.0], [2.0]))


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.8, 0.95, 0.99]))
@settings(deadline=None, max_examples=60)
def test_intervals_equal_scipys(first: int, second: int, level: float) -> None:
    successes, total = min(first, second), max(first, second)
    lower, upper = wilson_interval(successes, total, level=level)
    if total == 0:
        assert (float(lower), float(upper)) == (0.0, 1.0)
        return
    wanted = binomtest(successes, total).proportion_ci(confidence_level=level, method="wilson")
    assert (float(lower), float(upper)) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    assert lower <= successes / total <= upper


def test_many_intervals_at_once() -> None:
    lower, upper = wilson_interval([[0, 5], [10, 0]], [[10, 10], [10, 0]])
    assert lower.shape == upper.shape == (2, 2)
    assert lower[0, 0] == 0.0
    assert upper[1, 0] == 1.0
    assert (lower[1, 1], upper[1, 1]) == (0.0, 1.0)


def test_residuals_by_hand_and_by_the_libraries() -> None:
    golds, said = [1.0, 2.0, 3.0, 5.0], [1.5, 2.0, 2.0, 4.0]
    found = measure_residuals(number_table(golds, said))
    assert found.residual == pytest.approx([0.5, 0.0, -1.0, -1.0])
    assert found.bias == pytest.approx(-0.375)
    assert found.mae == pytest.approx(mean_absolute_error(golds, said))
    assert found.rmse == pytest.approx(root_mean_squared_error(golds, said))
    assert found.pearson == pytest.approx(pearsonr(golds, said).statistic)
    assert found.spearman == pytest.approx(spearmanr(golds, said).statistic)
    part = measure_residuals(number_table(golds, said), places=np.array([2, 0]))
    assert part.gold.tolist() == [3.0, 1.0]
    assert part.bias == pytest.approx(-0.25)
    assert math.isnan(measure_residuals(number_table([1.0, 1.0], [1.0, 2.0])).pearson)


def span(start: int, end: int, label: str) -> EntitySpan:
    return EntitySpan(start, end, label)


def test_faults_by_hand() -> None:
    gold = [span(0, 2, "A"), span(3, 6, "A"), span(8, 10, "B"), span(12, 14, "A"), span(20, 22, "B")]
    said = [span(0, 2, "A"), span(3, 5, "A"), span(8, 10, "A"), span(13, 16, "B"), span(30, 31, "A")]
    errors = compare_entities(gold, said)
    assert [(one.fault, one.gold, one.predicted) for one in errors] == [
        ("borders", gold[1], said[1]),
        ("type", gold[2], said[2]),
        ("type_and_borders", gold[3], said[3]),
        ("missed", gold[4], None),
        ("spurious", None, said[4]),
    ]


def test_each_entity_is_paired_once_by_the_largest_overlap() -> None:
    errors = compare_entities([span(0, 10, "A")], [span(0, 3, "A"), span(3, 9, "B")])
    assert {(one.fault, one.predicted) for one in errors} == {
        ("spurious", span(0, 3, "A")),
        ("type_and_borders", span(3, 9, "B")),
    }


SPANS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3), st.sampled_from("AB")), max_size=5).map(
    lambda raw: [
        (start, start + length, label)
        for place, (start, length, label) in enumerate(sorted(raw))
        if all(start >= s + n for s, n, _ in sorted(raw)[:place])
    ]
)


@given(st.lists(st.tuples(SPANS, SPANS), min_size=1, max_size=6))
@settings(deadline=None, max_examples=40)
def test_faults_leave_no_entity_out(pairs: list[tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]]) -> None:
    table = tagged_table([("あ" * 20, gold, said) for gold, said in pairs])
    faults, matrix = count_faults(table), count_entity_confusion(table)
    agreed = sum(len(set(gold) & set(said)) for gold, said in pairs)
    both = faults["type"] + faults["borders"] + faults["type_and_borders"]
    assert agreed + both + faults["missed"] == sum(len(gold) for gold, _ in pairs)
    assert agreed + both + faults["spurious"] == sum(len(said) for _, said in pairs)
    # The diagonal without O is what seqeval calls a hit.
    assert np.trace(matrix.counts) == agreed
    wanted = score_entities(list(table.gold), list(table.predicted))["micro avg"]
    assert agreed == pytest.approx(wanted["recall"] * matrix.counts[:-1].sum())


def test_entity_confusion_by_hand() -> None:
    table = tagged_table([("あいうえおか", [(0, 2, "A"), (3, 5, "B")], [(0, 2, "B"), (4, 6, "B")])])
    matrix = count_entity_confusion(table)
    assert matrix.labels == ("A", "B", "O")
    assert matrix.counts.tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0]]
