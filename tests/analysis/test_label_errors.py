"""Confident learning, by hand and on labels that were flipped on purpose."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.analysis.label_errors import Origin, find_label_errors, find_label_errors_across
from core.errors import InvalidInput
from core.jobs import finish
from tests.analysis.tables import choice_table, drawn_table, label_table, number_table


def test_the_whole_method_by_hand() -> None:
    rows = [
        ("零", "a", {"a": 0.9, "b": 0.1}),
        ("一", "a", {"a": 0.7, "b": 0.3}),
        ("二", "a", {"a": 0.2, "b": 0.8}),  # thresholds: a (0.9 + 0.7 + 0.2) / 3 = 0.6, b (0.8 + 0.9) / 2 = 0.85
        ("三", "b", {"a": 0.2, "b": 0.8}),
        ("四", "b", {"a": 0.1, "b": 0.9}),
        ("五", "a", {"a": 0.1, "b": 0.9}),
    ]
    found = find_label_errors(label_table(rows), origin="held_out")
    # With row 5 the threshold of a is (0.9 + 0.7 + 0.2 + 0.1) / 4 = 0.475.
    assert found.thresholds == pytest.approx([0.475, 0.85])
    # Row 2 reaches neither threshold, row 3 does not reach its own.
    assert found.confident.tolist() == [[2, 1], [0, 1]]
    # Row sums become the 4 and 2 rows that have the labels: [[8/3, 4/3], [0, 2]] of 6.
    assert found.joint == pytest.approx(np.array([[8 / 18, 4 / 18], [0, 2 / 6]]))
    assert found.estimated_share == pytest.approx(4 / 18)
    (suspect,) = found.suspects
    assert (suspect.place, suspect.gold, suspect.suggested) == (5, "a", "b")
    assert suspect.self_confidence == pytest.approx(0.1)
    assert suspect.normalized_margin == pytest.approx(-0.8)


def test_where_several_labels_reach_their_threshold_the_largest_wins() -> None:
    # Thresholds: a 0.4, b 0.2, c 0.3; the first row reaches those of b and c.
    rows = [
        ("零", "a", {"a": 0.3, "b": 0.25, "c": 0.45}),
        ("一", "a", {"a": 0.5, "b": 0.4, "c": 0.1}),
        ("二", "b", {"a": 0.6, "b": 0.2, "c": 0.2}),
        ("三", "c", {"a": 0.5, "b": 0.2, "c": 0.3}),
    ]
    found = find_label_errors(label_table(rows), origin="held_out")
    assert found.thresholds == pytest.approx([0.4, 0.2, 0.3])
    assert [(one.place, one.suggested) for one in found.suspects] == [(2, "a"), (3, "a"), (0, "c")]
    by_own = find_label_errors(label_table(rows), origin="held_out", ranking="self_confidence")
    assert [one.place for one in by_own.suspects] == [2, 0, 3]


def test_flipped_labels_are_found_first() -> None:
    table = drawn_table(2000, seed=1)  # a tenth of its labels is flipped to the next one
    found = find_label_errors(table, origin="held_out")
    assert found.out_of_sample
    assert found.joint.sum() == pytest.approx(1)
    assert found.joint.sum(axis=1) == pytest.approx(np.bincount(table.gold_codes) / 2000)
    assert found.estimated_share == pytest.approx(0.1, abs=0.03)
    margins = [one.normalized_margin for one in found.suspects]
    assert margins == sorted(margins)
    following = {"c0": "c2", "c1": "c0", "c2": "c1"}
    assert np.mean([one.suggested == following[one.gold] for one in found.suspects[:150]]) > 0.95


def test_a_label_that_nobody_has_has_no_threshold() -> None:
    rows = [("零", "a", {"a": 0.9, "b": 0.0, "c": 0.1}), ("一", "b", {"a": 0.2, "b": 0.7, "c": 0.1})]
    found = find_label_errors(label_table(rows), origin="unknown")
    assert math.isnan(found.thresholds[2])
    assert found.confident.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert not found.suspects
    assert found.estimated_share == pytest.approx(0)


def test_rows_without_probabilities_are_left_out() -> None:
    table = label_table([("零", "a", "b"), ("一", "a", {"a": 0.9, "b": 0.1}), ("二", "b", {"a": 0.1, "b": 0.9})])
    assert find_label_errors(table, origin="held_out").rows == 2


@pytest.mark.parametrize(
    ("origin", "out"), [("held_out", True), ("cross_validation", True), ("training", False), ("unknown", False)]
)
def test_where_probabilities_come_from_is_told(origin: Origin, out: bool) -> None:
    found = find_label_errors(drawn_table(50), origin=origin)
    assert found.out_of_sample is out


def test_cross_validation_finds_them_without_a_model() -> None:
    rows = [(f"とても良い品でした{n}", "good", "good") for n in range(30)]
    rows += [(f"最悪で使えません{n}", "bad", "bad") for n in range(30)]
    rows[3] = (rows[3][0], "bad", "bad")
    found = finish(find_label_errors_across(label_table(rows)))
    assert found.out_of_sample
    assert [one.place for one in found.suspects] == [3]


def test_what_cannot_be_judged_is_refused() -> None:
    table = label_table([("零", "a", "b")])
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_probabilities"):
        find_label_errors(table, origin="held_out")
    for other in (number_table([1.0], [2.0]), choice_table([(("a", "b"), 1, (0.3, 0.7))])):
        with pytest.raises(InvalidInput, match=r"error\.analysis\.no_labels"):
            find_label_errors(other, origin="held_out")
        with pytest.raises(InvalidInput, match=r"error\.analysis\.no_labels"):
            finish(find_label_errors_across(other))
    with pytest.raises(ValueError, match="probability"):
        find_label_errors(table, origin="held_out", probabilities=np.ones((2, 2)))
