"""Rows whose gold label is probably wrong, by confident learning (Northcutt et al. 2021)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.analysis.cross_validation import FOLDS, predict_texts_across
from core.analysis.table import ErrorTable, Floats, Integers, require_labels
from core.errors import InvalidInput
from core.jobs import Progress

Ranking = Literal["normalized_margin", "self_confidence"]
Origin = Literal["held_out", "cross_validation", "training", "unknown"]

OUT_OF_SAMPLE: frozenset[Origin] = frozenset({"held_out", "cross_validation"})


@dataclass(frozen=True, slots=True)
class Suspect:
    """A row whose label may be wrong, and the label that it may have instead.

    `self_confidence` is the probability of the gold label in [0, 1], `normalized_margin` that minus the largest of the
    others, in [-1, 1]: the lower, the more suspect.
    """

    place: int
    gold: str
    suggested: str
    self_confidence: float
    normalized_margin: float


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Suspects, the most suspect first, and what they were found by; matrices have gold rows and true-label columns.

    `thresholds` (L,) are the mean probabilities of each label in the rows that have it, NaN for one that none has.
    `confident` (L, L) counts rows that reach a threshold, `joint` (L, L) estimates the share of all rows with a gold
    and a true label, its rows adding up to the labels' own shares. `rows` had probabilities and were looked at.
    `out_of_sample` is False where the model saw these rows in training, or nobody knows: it then has learned wrong
    labels by heart, and few of them are found.
    """

    labels: tuple[str, ...]
    thresholds: Floats
    confident: Integers
    joint: Floats
    suspects: tuple[Suspect, ...]
    rows: int
    origin: Origin

    @property
    def out_of_sample(self) -> bool:
        """Whether the probabilities are of a model that never saw these rows."""
        return self.origin in OUT_OF_SAMPLE

    @property
    def estimated_share(self) -> float:
        """The share of rows in [0, 1] whose label is wrong, by the estimated joint distribution."""
        return float(1.0 - np.trace(self.joint)) if self.rows else 0.0


def find_label_errors(
    table: ErrorTable,
    *,
    origin: Origin,
    probabilities: Floats | None = None,
    ranking: Ranking = "normalized_margin",
) -> LabelErrors:
    """Find the rows that belong to another label with confidence.

    A label's threshold is its mean probability among the rows that carry it. A row counts as a label's own when the
    probability reaches the threshold; where several do, by the largest. What then stands off the diagonal is suspect.

    Args:
        table: N rows with labels.
        origin: where the probabilities come from.
        probabilities: (N, L) in the order of the table's labels; those of the table when None.
        ranking: what to sort by.

    Raises:
        InvalidInput: ``error.analysis.no_labels``, ``error.analysis.no_probabilities``.
        ValueError: probabilities of another shape.

    Source: Northcutt, Jiang and Chuang 2021, section 3.
    """
    require_labels(table)
    if table.kind != "label":
        raise InvalidInput("error.analysis.no_labels", task=table.task)
    found = table.probabilities if probabilities is None else probabilities
    if found.shape != (len(table), len(table.labels)):
        raise ValueError("one probability for each row and label is needed")
    places = np.flatnonzero(~np.isnan(found).any(axis=1))
    if not len(places) or len(table.labels) < 2:
        raise InvalidInput("error.analysis.no_probabilities")
    shares, gold = found[places], table.gold_codes[places]
    size = len(table.labels)
    members = np.bincount(gold, minlength=size)  # (L,)
    own = shares[np.arange(len(gold)), gold]  # (M,) self-confidence
    with np.errstate(invalid="ignore"):
        thresholds = np.bincount(gold, weights=own, minlength=size) / members
    # A mean of equal numbers may come out a hair above them.
    reached = shares >= np.where(np.isnan(thresholds), np.inf, thresholds) - 1e-9  # (M, L)
    counted = reached.any(axis=1)
    true = np.where(reached, shares, -1.0).argmax(axis=1)
    confident = np.bincount(gold[counted] * size + true[counted], minlength=size * size).reshape(size, size)
    others = shares.copy()
    others[np.arange(len(gold)), gold] = -1.0
    margin = own - others.max(axis=1)
    suspect = np.flatnonzero(counted & (true != gold))
    score = margin if ranking == "normalized_margin" else own
    suspect = suspect[np.argsort(score[suspect], kind="stable")]
    return LabelErrors(
        labels=table.labels,
        thresholds=thresholds,
        confident=confident.astype(np.int64),
        joint=_estimate_joint(confident, members),
        suspects=tuple(
            Suspect(
                place=int(places[row]),
                gold=table.labels[gold[row]],
                suggested=table.labels[true[row]],
                self_confidence=float(own[row]),
                normalized_margin=float(margin[row]),
            )
            for row in suspect
        ),
        rows=len(places),
        origin=origin,
    )


def find_label_errors_across(
    table: ErrorTable, *, ranking: Ranking = "normalized_margin", folds: int = FOLDS, seed: int = 0
) -> Generator[Progress, None, LabelErrors]:
    """As `find_label_errors`, by a small classifier that is cross-validated on these rows themselves. A job.

    Raises:
        InvalidInput: ``error.analysis.no_labels``, ``error.analysis.few_rows``.
    """
    require_labels(table)
    if table.kind != "label":
        raise InvalidInput("error.analysis.no_labels", task=table.task)
    found = yield from predict_texts_across(
        table.joined_texts, table.gold_codes, labels=len(table.labels), folds=folds, seed=seed
    )
    return find_label_errors(table, origin="cross_validation", probabilities=found, ranking=ranking)


def _estimate_joint(confident: Integers, members: Integers) -> Floats:
    """The confident counts (L, L), each row brought to the number of rows that have the label, as shares of all."""
    counted = confident.astype(np.float64)
    # Where none of a label's rows reached any threshold, all of them are taken for right.
    empty = (counted.sum(axis=1) == 0) & (members > 0)
    counted[empty, empty] = 1.0
    totals = np.maximum(counted.sum(axis=1, keepdims=True), 1.0)
    joint: Floats = counted / totals * members[:, None] / members.sum()
    return joint
