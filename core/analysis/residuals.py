"""Numbers that miss their mark: residuals of a similarity model (book 5.4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.analysis.table import ErrorTable, Floats, Integers
from core.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Residuals:
    """Points (N,) of a scatter plot and what sums them up; a residual is predicted minus gold, on the data's scale.

    `bias` is their mean (above 0 the model says too much), `mae` the mean of their sizes, `rmse` the root of the mean
    of their squares. Correlations are NaN where they are not defined (fewer than two rows, or all alike).
    """

    places: Integers
    gold: Floats
    predicted: Floats
    residual: Floats
    bias: float
    mae: float
    rmse: float
    pearson: float
    spearman: float


def measure_residuals(table: ErrorTable, *, places: Integers | None = None) -> Residuals:
    """Compare numbers with what they should be, of all rows or some.

    Raises:
        InvalidInput: ``error.analysis.no_numbers`` with ``task``, ``error.analysis.empty``.
    """
    from scipy.stats import pearsonr, spearmanr

    if table.kind != "number":
        raise InvalidInput("error.analysis.no_numbers", task=table.task)
    places = np.arange(len(table)) if places is None else places
    if not len(places):
        raise InvalidInput("error.analysis.empty")
    gold, predicted = table.gold[places].astype(np.float64), table.predicted[places].astype(np.float64)
    residual = table.residual[places]
    defined = len(np.unique(gold)) > 1 and len(np.unique(predicted)) > 1
    return Residuals(
        places=places,
        gold=gold,
        predicted=predicted,
        residual=residual,
        bias=float(residual.mean()),
        mae=float(np.abs(residual).mean()),
        rmse=float(np.sqrt((residual**2).mean())),
        pearson=float(pearsonr(predicted, gold).statistic) if defined else math.nan,
        spearman=float(spearmanr(predicted, gold).statistic) if defined else math.nan,
    )
