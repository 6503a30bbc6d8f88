"""Whether a model's probabilities can be trusted (book 5.3.1): reliability, and what a threshold does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.browsing import Provenance, describe
from core.analysis.calibration import Binning, Reliability, ThresholdSweep, measure_reliability, sweep_thresholds
from core.analysis.storage import Opened

SURE = 0.9  # a probability from which on a model sounds certain
STEPS = 100  # thresholds from 0 to 1


@dataclass(frozen=True, eq=False)
class Trust:
    """A reliability diagram, and one label at a threshold.

    `confidence` and `accuracy` are means over all rows. Of `sure` rows, those with a confidence of at least `SURE`,
    `sure_right` are right. `sweep` is None where answers are no labels; `at` is the place of the threshold in it.
    """

    source: Provenance
    reliability: Reliability
    confidence: float
    accuracy: float
    sure: int
    sure_right: int
    label: str
    sweep: ThresholdSweep | None
    at: int


def examine_trust(
    opened: Opened, *, bins: int = 10, binning: Binning = "width", label: str = "", threshold: float = 0.5
) -> Trust:
    """Compare confidence with accuracy, and say one label from a threshold on.

    Args:
        opened: the table and where it is from.
        bins: of the diagram.
        binning: equally wide, or with about equally many rows.
        label: which label the threshold is for; '' or one that the table does not have: the first.
        threshold: in [0, 1].

    Raises:
        InvalidInput: ``error.analysis.no_probabilities``.
    """
    table = opened.table
    reliability = measure_reliability(table, bins=bins, binning=binning)
    known = ~np.isnan(table.confidence)
    sure = known & (np.nan_to_num(table.confidence) >= SURE)
    sweep = None
    if table.kind == "label":
        label = label if label in table.labels else table.labels[0]
        if not np.isnan(table.probabilities[:, table.labels.index(label)]).all():
            sweep = sweep_thresholds(table, label, steps=STEPS)
    return Trust(
        source=describe(opened),
        reliability=reliability,
        confidence=float(table.confidence[known].mean()),
        accuracy=float(table.correct[known].mean()),
        sure=int(sure.sum()),
        sure_right=int(table.correct[sure].sum()),
        label=label if sweep is not None else "",
        sweep=sweep,
        at=round(min(max(threshold, 0.0), 1.0) * STEPS),
    )
