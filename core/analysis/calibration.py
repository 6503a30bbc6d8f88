"""Whether probabilities mean what they say: reliability, calibration error, and a movable threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.analysis.intervals import wilson_interval
from core.analysis.table import Booleans, ErrorTable, Floats, Integers, require_labels
from core.errors import InvalidInput

Binning = Literal["width", "mass"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram of B bins, and what sums it up.

    `edges` (B + 1,) are confidences; a bin holds what is above its lower edge up to its upper one, the first also its
    lower edge. `counts`, mean `confidence` and `accuracy` are (B,), NaN in an empty bin, `lower` and `upper` the 95 %
    interval of the accuracy (Wilson). `ece` is the mean distance of confidence and accuracy, weighted by count, `mce`
    the largest. `rows` had a confidence. `brier` is the squared distance between probabilities and the truth, summed
    over labels (0 to 2), and `log_loss` is in nats; both NaN without probabilities of all labels.

    Source: DeGroot and Fienberg 1983; Naeini et al. 2015; Guo et al. 2017; Brier 1950.
    """

    edges: Floats
    counts: Integers
    confidence: Floats
    accuracy: Floats
    lower: Floats
    upper: Floats
    ece: float
    mce: float
    rows: int
    brier: float
    log_loss: float


@dataclass(frozen=True, eq=False)
class ThresholdSweep:
    """What becomes of one label when it is said from probability t on, for G thresholds; everything (G,).

    Shares are in [0, 1], and NaN where they have nothing to be a share of: precision where the label is never said.
    `best` is the place of the largest F1, the first of equals; it was chosen on these rows and will do a little worse
    on others. `rows` had probabilities.
    """

    label: str
    thresholds: Floats
    true_positives: Integers
    false_positives: Integers
    false_negatives: Integers
    true_negatives: Integers
    precision: Floats
    recall: Floats
    f1: Floats
    accuracy: Floats
    best: int
    rows: int


def measure_reliability(table: ErrorTable, *, bins: int = 10, binning: Binning = "width") -> Reliability:
    """Compare the probability of the predicted label with how often it is right.

    Args:
        table: rows with confidences.
        bins: how many.
        binning: ``width``: equally wide from 0 to 1; ``mass``: about equally many rows in each. Equal confidences stay
            in one bin, so that there may be fewer then.

    Raises:
        InvalidInput: ``error.analysis.no_probabilities``.
        ValueError: no bin at all.
    """
    if bins < 1:
        raise ValueError("a bin is needed")
    known = ~np.isnan(table.confidence)
    if not known.any():
        raise InvalidInput("error.analysis.no_probabilities")
    confidence, correct = table.confidence[known], table.correct[known]
    if binning == "width":
        edges = np.linspace(0.0, 1.0, bins + 1)
    else:
        edges = np.unique(np.quantile(confidence, np.linspace(0.0, 1.0, bins + 1), method="inverted_cdf"))
        edges = edges if len(edges) > 1 else np.repeat(edges, 2)
    bins = len(edges) - 1
    bin_of = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    right = np.bincount(bin_of, weights=correct, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(bin_of, weights=confidence, minlength=bins) / counts
        accuracy = right / counts
    lower, upper = wilson_interval(right, counts)
    gaps = np.abs(mean - accuracy)
    filled = counts > 0
    brier, log_loss = _score_probabilities(table)
    return Reliability(
        edges=edges.astype(np.float64),
        counts=counts.astype(np.int64),
        confidence=mean,
        accuracy=accuracy,
        lower=np.where(filled, lower, math.nan),
        upper=np.where(filled, upper, math.nan),
        ece=float((gaps[filled] * counts[filled]).sum() / counts.sum()),
        mce=float(gaps[filled].max()),
        rows=int(known.sum()),
        brier=brier,
        log_loss=log_loss,
    )


def sweep_thresholds(table: ErrorTable, label: str, *, steps: int = 100) -> ThresholdSweep:
    """Say a label wherever its probability is at least t, for t = 0, 1 / steps, …, 1.

    Args:
        table: rows with probabilities; of more than two labels the others count as one.
        label: the one that is looked for.
        steps: how fine, from 1 on.

    Raises:
        InvalidInput: ``error.analysis.no_labels``, ``.no_probabilities``, ``.unknown_label`` with ``label``.
    """
    require_labels(table)
    if label not in table.labels:
        raise InvalidInput("error.analysis.unknown_label", label=label[:40])
    code = table.labels.index(label)
    known = ~np.isnan(table.probabilities[:, code])
    if not known.any():
        raise InvalidInput("error.analysis.no_probabilities")
    thresholds = np.arange(steps + 1) / steps
    scores, positive = table.probabilities[known, code], table.gold_codes[known] == code
    true_positives = _count_from(scores[positive], thresholds)
    false_positives = _count_from(scores[~positive], thresholds)
    false_negatives = int(positive.sum()) - true_positives
    true_negatives = int((~positive).sum()) - false_positives
    precision = _divide(true_positives, true_positives + false_positives)
    recall = _divide(true_positives, true_positives + false_negatives)
    f1 = _divide(2 * true_positives, 2 * true_positives + false_positives + false_negatives)
    return ThresholdSweep(
        label=label,
        thresholds=thresholds,
        true_positives=true_positives,
        false_positives=false_positives,
        false_negatives=false_negatives,
        true_negatives=true_negatives,
        precision=precision,
        recall=recall,
        f1=f1,
        accuracy=(true_positives + true_negatives) / len(scores),
        best=int(np.nan_to_num(f1).argmax()),
        rows=len(scores),
    )


def apply_threshold(table: ErrorTable, label: str, threshold: float) -> Booleans:
    """Whether a label is said at a threshold, (N,); False where its probability is not known."""
    return table.probabilities[:, table.labels.index(label)] >= threshold


def _score_probabilities(table: ErrorTable) -> tuple[float, float]:
    """Brier score and log loss over rows whose gold label has a probability; absent choices count as 0."""
    if table.kind not in ("label", "choice") or table.probabilities.shape[1] < 2:
        return math.nan, math.nan
    own = table.probabilities[np.arange(len(table)), table.gold_codes]
    known = ~np.isnan(own)
    if not known.any():
        return math.nan, math.nan
    shares = np.nan_to_num(table.probabilities[known], nan=0.0)
    truth = np.zeros_like(shares)
    truth[np.arange(len(shares)), table.gold_codes[known]] = 1.0
    smallest = np.finfo(np.float64).eps  # as scikit-learn does: a probability of 0 would make the mean infinite
    log_loss = -np.log(np.clip(own[known], smallest, 1.0)).mean()
    return float(((shares - truth) ** 2).sum(axis=1).mean()), float(log_loss)


def _count_from(scores: Floats, thresholds: Floats) -> Integers:
    """How many scores are at least each threshold, (G,)."""
    return (len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")).astype(np.int64)


def _divide(part: Integers, whole: Integers) -> Floats:
    return np.where(whole > 0, part / np.maximum(whole, 1), math.nan)
