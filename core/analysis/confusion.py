"""Which label is taken for which (book 5.3.2): the confusion matrix, and precision, recall and F1 of every class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.intervals import wilson_interval
from core.analysis.table import ErrorTable, Floats, Integers, require_labels
from core.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Counts (L, L): a row for each gold label, a column for each predicted one, both in the order of `labels`."""

    labels: tuple[str, ...]
    counts: Integers

    @property
    def shares(self) -> Floats:
        """Counts as shares of their row, (L, L) in [0, 1]; 0 in the row of a label that is never gold."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)

    @property
    def total(self) -> int:
        """The number of rows counted."""
        return int(self.counts.sum())

    @property
    def correct(self) -> int:
        """The number of rows on the diagonal."""
        return int(np.trace(self.counts))


@dataclass(frozen=True, eq=False)
class ClassReport:
    """Metrics in [0, 1]; `precision`, `recall`, `f1` and `support` (rows) are (L,) in the order of `labels`.

    0 where a share has nothing to be a share of. The means run over the labels that occur, as gold or as predicted, as
    in a run's own metrics; `lower` and `upper` are the 95 % interval of the accuracy (Wilson).
    """

    labels: tuple[str, ...]
    precision: Floats
    recall: Floats
    f1: Floats
    support: Integers
    accuracy: float
    lower: float
    upper: float
    macro_f1: float
    weighted_f1: float


def count_confusion(table: ErrorTable, *, places: Integers | None = None) -> ConfusionMatrix:
    """Count gold against predicted labels, of all rows or some.

    Raises:
        InvalidInput: ``error.analysis.no_labels``.
    """
    require_labels(table)
    gold, predicted = _codes(table, places)
    size = len(table.labels)
    counts = np.bincount(gold * size + predicted, minlength=size * size).reshape(size, size)
    return ConfusionMatrix(table.labels, counts.astype(np.int64))


def score_classes(table: ErrorTable, *, places: Integers | None = None) -> ClassReport:
    """Accuracy, and precision, recall and F1 of every label, by scikit-learn.

    Raises:
        InvalidInput: ``error.analysis.no_labels``, ``error.analysis.empty`` (no row at all).
    """
    from sklearn.metrics import precision_recall_fscore_support

    require_labels(table)
    gold, predicted = _codes(table, places)
    if not len(gold):
        raise InvalidInput("error.analysis.empty")
    everything = np.arange(len(table.labels))
    precision, recall, f1, support = precision_recall_fscore_support(
        gold, predicted, labels=everything, zero_division=0
    )
    right = int((gold == predicted).sum())
    lower, upper = wilson_interval(right, len(gold))
    occurring = np.union1d(gold, predicted)
    return ClassReport(
        labels=table.labels,
        precision=precision,
        recall=recall,
        f1=f1,
        support=support.astype(np.int64),
        accuracy=right / len(gold),
        lower=float(lower),
        upper=float(upper),
        macro_f1=float(f1[occurring].mean()),
        weighted_f1=float(np.average(f1, weights=support)),
    )


def _codes(table: ErrorTable, places: Integers | None) -> tuple[Integers, Integers]:
    if places is None:
        return table.gold_codes, table.predicted_codes
    return table.gold_codes[places], table.predicted_codes[places]
