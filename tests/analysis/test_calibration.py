"""Reliability, Brier score, log loss and thresholds, by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, f1_score, log_loss, precision_score, recall_score

from core.analysis.calibration import Binning, apply_threshold, measure_reliability, sweep_thresholds
from core.analysis.intervals import wilson_interval
from core.errors import InvalidInput
from tests.analysis.tables import binary_table, choice_table, drawn_table, label_table, number_table


def test_a_diagram_by_hand() -> None:
    # Confidences 0.95 right, 0.85 wrong, 0.65 right, 0.55 wrong, in two bins of 0.5: all in the upper one.
    table = binary_table(["positive", "negative", "positive", "negative"], [0.95, 0.85, 0.65, 0.55])
    two = measure_reliability(table, bins=2)
    assert two.counts.tolist() == [0, 4]
    assert math.isnan(two.accuracy[0])
    assert (two.confidence[1], two.accuracy[1]) == (pytest.approx(0.75), 0.5)
    assert two.ece == two.mce == pytest.approx(0.25)
    five = measure_reliability(table, bins=5)
    assert five.counts.tolist() == [0, 0, 1, 1, 2]
    assert five.ece == pytest.approx((0.55 + (1 - 0.65) + 2 * 0.4) / 4)
    assert five.mce == pytest.approx(0.55)
    lower, upper = wilson_interval(1, 2)
    assert (five.lower[4], five.upper[4]) == (pytest.approx(float(lower)), pytest.approx(float(upper)))
    assert two.brier == pytest.approx(2 * np.mean([0.05**2, 0.85**2, 0.35**2, 0.55**2]))


def test_borders_belong_to_the_bin_below() -> None:
    table = label_table([("零", "a", {"a": 0.5, "b": 0.3, "c": 0.2}), ("一", "a", {"a": 1.0, "b": 0.0, "c": 0.0})])
    assert measure_reliability(table, bins=2).counts.tolist() == [1, 1]


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_bins_hold_every_row_once(binning: Binning) -> None:
    table = drawn_table(997)
    found = measure_reliability(table, bins=7, binning=binning)
    assert found.counts.sum() == found.rows == 997
    assert np.average(found.accuracy[found.counts > 0], weights=found.counts[found.counts > 0]) == pytest.approx(
        table.correct.mean()
    )
    if binning == "mass":
        assert found.counts.max() - found.counts.min() <= 1


def test_means_are_scikit_learns() -> None:
    table = drawn_table(800, labels=2)
    found = measure_reliability(table, bins=10)
    shares, means = calibration_curve(table.correct, table.confidence, n_bins=10)
    filled = found.counts > 0
    assert found.accuracy[filled] == pytest.approx(shares)
    assert found.confidence[filled] == pytest.approx(means)


@pytest.mark.parametrize("labels", [2, 4])
def test_brier_score_and_log_loss_are_scikit_learns(labels: int) -> None:
    table = drawn_table(300, labels=labels)
    found = measure_reliability(table)
    golds = table.gold.tolist()
    wanted = brier_score_loss(golds, table.probabilities, labels=list(table.labels), scale_by_half=False)
    assert found.brier == pytest.approx(wanted)
    assert found.log_loss == pytest.approx(log_loss(golds, table.probabilities, labels=list(table.labels)))


def test_equal_confidences_stay_together() -> None:
    found = measure_reliability(binary_table(["positive"] * 6, [0.8] * 6), bins=3, binning="mass")
    assert found.counts.tolist() == [6]
    assert found.ece == pytest.approx(0.2)


def test_choices_and_lonely_confidences_have_a_diagram() -> None:
    choices = measure_reliability(choice_table([(("a", "b"), 1, (0.3, 0.7)), (("a", "b", "c"), 0, (0.2, 0.3, 0.5))]))
    assert choices.rows == 2
    assert choices.brier == pytest.approx((2 * 0.3**2 + 0.8**2 + 0.3**2 + 0.5**2) / 2)
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_probabilities"):
        measure_reliability(number_table([1.0], [2.0]))
    with pytest.raises(ValueError, match="bin"):
        measure_reliability(drawn_table(5), bins=0)


def test_a_threshold_by_hand() -> None:
    table = binary_table(["positive", "negative", "positive", "negative"], [0.9, 0.8, 0.4, 0.1])
    sweep = sweep_thresholds(table, "positive", steps=10)
    assert sweep.thresholds == pytest.approx(np.linspace(0, 1, 11))
    # At 0.8 the rows of 0.9 and 0.8 are called positive.
    assert [int(of[8]) for of in (sweep.true_positives, sweep.false_positives, sweep.false_negatives)] == [1, 1, 1]
    assert (sweep.precision[8], sweep.recall[8], sweep.f1[8], sweep.accuracy[8]) == (0.5, 0.5, 0.5, 0.5)
    assert math.isnan(sweep.precision[10])  # nobody is called positive: 0 / 0
    assert (sweep.recall[10], sweep.f1[10]) == (0.0, 0.0)
    assert (sweep.precision[0], sweep.recall[0]) == (0.5, 1.0)
    assert sweep.best == 2  # from 0.2 to 0.4 all positives and one negative; the first of equals
    assert apply_threshold(table, "positive", 0.4).tolist() == [True, True, True, False]


def test_a_sweep_is_scikit_learns() -> None:
    table = drawn_table(400)
    sweep = sweep_thresholds(table, "c1", steps=20)
    gold = table.gold == "c1"
    for place, threshold in enumerate(sweep.thresholds):
        said = apply_threshold(table, "c1", threshold)
        wanted = precision_score(gold, said, zero_division=math.nan)
        assert sweep.precision[place] == pytest.approx(wanted, nan_ok=True)
        assert sweep.recall[place] == pytest.approx(recall_score(gold, said))
        assert sweep.f1[place] == pytest.approx(f1_score(gold, said))
        assert sweep.accuracy[place] == pytest.approx((gold == said).mean())
    assert sweep.f1[sweep.best] == sweep.f1.max()


def test_a_sweep_needs_a_label_and_probabilities() -> None:
    with pytest.raises(InvalidInput, match=r"error\.analysis\.unknown_label"):
        sweep_thresholds(drawn_table(5), "gone")
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_probabilities"):
        sweep_thresholds(label_table([("零", "a", "b")]), "a")
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_labels"):
        sweep_thresholds(number_table([1.0], [2.0]), "a")
