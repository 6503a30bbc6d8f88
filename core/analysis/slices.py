"""Parts of the table and how well the model does on each, with how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.analysis.intervals import LEVEL, wilson_interval
from core.analysis.selection import Unit
from core.analysis.table import Booleans, ErrorTable, Floats, Integers, require_labels, write_answer
from core.errors import InvalidInput

Metric = Literal["accuracy", "macro_f1", "mae", "rmse"]

RESAMPLES = 1_000
_AT_ONCE = 2_000_000  # numbers drawn together
MOST_VALUES = 50  # of a column: one with more is no kind of row


@dataclass(frozen=True, eq=False)
class Slice:
    """A named part of the table; `value` is what its rows have in common, `by` in what respect."""

    by: str
    value: str
    places: Integers


@dataclass(frozen=True, slots=True)
class SliceScore:
    """The metric of one slice over `rows` rows, with its 95 % interval; NaN for a slice without rows."""

    by: str
    value: str
    rows: int
    metric: float
    lower: float
    upper: float


def slice_by_length(table: ErrorTable, *, parts: int = 4, unit: Unit = "characters") -> tuple[Slice, ...]:
    """Slices of about equally many rows by length, the shortest first; ``value`` is ``shortest–longest`` of each.

    Equal lengths stay together, so there may be fewer parts.

    Raises:
        InvalidInput: ``error.analysis.no_tokens``.
    """
    lengths = table.characters if unit == "characters" else table.tokens
    if lengths is None:
        raise InvalidInput("error.analysis.no_tokens")
    cuts = np.quantile(lengths, np.linspace(0, 1, max(parts, 1) + 1)[1:-1], method="inverted_cdf")
    part_of = np.searchsorted(np.unique(cuts), lengths, side="left")
    slices = []
    for part in np.unique(part_of):
        places = np.flatnonzero(part_of == part)
        own = lengths[places]
        slices.append(Slice(unit, f"{own.min()}–{own.max()}", places))
    return tuple(slices)


def slice_by_gold(table: ErrorTable) -> tuple[Slice, ...]:
    """A slice for each gold label, in the order of the labels, those that never occur left out.

    Raises:
        InvalidInput: ``error.analysis.no_labels``.
    """
    require_labels(table)
    found = ((label, np.flatnonzero(table.gold_codes == code)) for code, label in enumerate(table.labels))
    return tuple(Slice("gold", label, places) for label, places in found if len(places))


def slice_by_presence(has: Booleans, name: str) -> tuple[Slice, Slice]:
    """The rows that have something (a word, see `core.analysis.terms.TermCounts.has`; a tag) and those without."""
    return Slice(name, "with", np.flatnonzero(has)), Slice(name, "without", np.flatnonzero(~has))


def slice_by_column(table: ErrorTable, column: str) -> tuple[Slice, ...]:
    """A slice for each value of a further column, the largest first; an empty cell is a value too.

    Raises:
        InvalidInput: ``error.analysis.unknown_column`` with ``column``; ``error.analysis.many_values`` with ``column``,
            ``count`` and ``limit``.
    """
    if column not in table.columns:
        raise InvalidInput("error.analysis.unknown_column", column=column[:40])
    groups: dict[str, list[int]] = {}
    for place, value in enumerate(table.columns[column]):
        groups.setdefault("" if value is None else write_answer(value), []).append(place)
    if len(groups) > MOST_VALUES:
        raise InvalidInput("error.analysis.many_values", column=column[:40], count=len(groups), limit=MOST_VALUES)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return tuple(Slice(column, value, np.array(places, dtype=np.int64)) for value, places in ordered)


def score_slices(
    table: ErrorTable, slices: Sequence[Slice], *, metric: Metric, seed: int = 0
) -> tuple[SliceScore, ...]:
    """The metric of each slice, in the order given.

    Accuracy has Wilson's interval; the others the bootstrap's percentiles (1,000 resamples, drawn by the seed). Macro
    F1 runs over the labels that occur in the slice, as gold or as predicted.

    Raises:
        InvalidInput: ``error.analysis.no_labels`` (macro F1), ``error.analysis.no_numbers`` (mae, rmse).

    Source: Efron 1979.
    """
    if metric == "macro_f1":
        require_labels(table)
    elif metric in ("mae", "rmse") and table.kind != "number":
        raise InvalidInput("error.analysis.no_numbers", task=table.task)
    scores = []
    for one in slices:
        value, lower, upper = (
            _score(table, one.places, metric, seed) if len(one.places) else (math.nan, math.nan, math.nan)
        )
        scores.append(SliceScore(one.by, one.value, len(one.places), value, lower, upper))
    return tuple(scores)


def _score(table: ErrorTable, places: Integers, metric: Metric, seed: int) -> tuple[float, float, float]:
    generator = np.random.default_rng(seed)
    if metric == "accuracy":
        right = int(table.correct[places].sum())
        lower, upper = wilson_interval(right, len(places))
        return right / len(places), float(lower), float(upper)
    if metric == "macro_f1":
        size = len(table.labels)
        cells = np.bincount(table.gold_codes[places] * size + table.predicted_codes[places], minlength=size * size)
        # F1 looks at nothing but the confusion matrix, and the matrix of resampled rows is a multinomial draw.
        drawn = generator.multinomial(len(places), cells / len(places), size=RESAMPLES)
        return _with_percentiles(
            float(_macro_f1(cells.reshape(1, size, size))[0]), _macro_f1(drawn.reshape(-1, size, size))
        )
    sizes = np.abs(table.residual[places]) if metric == "mae" else table.residual[places] ** 2
    means = _resample_means(sizes, generator)
    if metric == "rmse":
        return _with_percentiles(math.sqrt(sizes.mean()), np.sqrt(means))
    return _with_percentiles(float(sizes.mean()), means)


def _macro_f1(counts: Integers) -> Floats:
    """Macro F1 of confusion matrices (R, L, L), over the labels that occur in each, (R,)."""
    right = np.diagonal(counts, axis1=1, axis2=2)  # (R, L)
    either = counts.sum(axis=1) + counts.sum(axis=2)  # 2 TP + FP + FN
    f1 = 2 * right / np.maximum(either, 1)
    return f1.sum(axis=1) / (either > 0).sum(axis=1)


def _resample_means(values: Floats, generator: np.random.Generator) -> Floats:
    """The means of resamples of as many values, (RESAMPLES,)."""
    step = max(_AT_ONCE // len(values), 1)
    parts = []
    for start in range(0, RESAMPLES, step):
        drawn = generator.integers(len(values), size=(min(step, RESAMPLES - start), len(values)))
        parts.append(values[drawn].mean(axis=1))
    return np.concatenate(parts)


def _with_percentiles(value: float, resampled: Floats) -> tuple[float, float, float]:
    lower, upper = np.quantile(resampled, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return value, float(lower), float(upper)
