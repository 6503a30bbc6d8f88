"""What the curves of a run say: nothing learned, learned by heart, or nothing to judge it by (book 5.2.8, 5.2.9).

Rules of thumb over the events, each with what would help. They hint, they do not prove.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from core.tasks.task import Hyperparameters
from core.training.events import Evaluated, Step

STEPS_NEEDED = 20  # before anything is said
FALLEN = 0.97  # of the first loss; what stays above has not fallen
RISEN = 1.1  # times the least validation loss; what ends above was learned by heart
CLIMBED = 1.5  # times the first loss; what ever was above is unstable
HIGH_RATE, LOW_RATE = 1e-3, 1e-5  # for a model of this kind; the book's is 2e-5 for BERT-base
CHANCE = 0.01  # by so much a metric has to beat the answer that is always the same


@dataclass(frozen=True, slots=True)
class Finding:
    """A key of the word catalogue below ``training.finding.``, the values its sentence needs, and what would help.

    `changes` are hyperparameters with the values that the cure would give them.
    """

    key: str
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)


def diagnose(
    steps: Sequence[Step],
    evaluations: Sequence[Evaluated],
    settings: Hyperparameters,
    *,
    metric: str,
    greater_is_better: bool,
    trivial: float | None = None,
    validation: int,
) -> tuple[Finding, ...]:
    """Read the curves of a run, finished or not.

    Args:
        steps: its steps, in order.
        evaluations: its evaluations, in order.
        settings: what it was trained with.
        metric: the name of what the best checkpoint is chosen by.
        greater_is_better: whether more of that is better.
        trivial: the metric of always giving the most frequent answer, where there is such a thing.
        validation: how many validation examples there are.
    """
    found: list[Finding] = []
    if not validation:
        found.append(Finding("no_validation", changes={"validation_share": 0.2}))
    if len(steps) < 2 or steps[-1].step < STEPS_NEEDED:
        return tuple(found)
    losses = [step.loss for step in steps]
    tenth = max(1, len(losses) // 10)
    first, last = fmean(losses[:tenth]), fmean(losses[-2 * tenth :])
    stuck = not last < FALLEN * first
    if stuck:
        found.append(_explain_stuck(first, last, max(losses), settings))
    best = _best(evaluations, metric, greater_is_better)
    if not stuck:
        found += _find_overfitting(evaluations)
    if best is not None and trivial is not None and greater_is_better and best <= trivial + CHANCE:
        found.append(Finding("at_chance", {"best": f"{best:.3f}", "trivial": f"{trivial:.3f}"}))
    return tuple(found)


def _explain_stuck(first: float, last: float, highest: float, settings: Hyperparameters) -> Finding:
    params = {"first": f"{first:.3g}", "last": f"{last:.3g}", "learning_rate": f"{settings.learning_rate:g}"}
    rate = settings.learning_rate
    if rate >= HIGH_RATE or highest > CLIMBED * first:
        lower = min(rate / 10, HIGH_RATE / 3)
        return Finding("rate_high", params, {"learning_rate": float(f"{lower:.1g}")})
    if rate <= LOW_RATE:
        return Finding("rate_low", params, {"learning_rate": float(f"{rate * 10:.1g}") or 1e-4})
    return Finding("stuck", params)


def _find_overfitting(evaluations: Sequence[Evaluated]) -> list[Finding]:
    losses = [(one.metrics.get("loss", math.nan), one.step) for one in evaluations]
    losses = [pair for pair in losses if math.isfinite(pair[0])]
    if len(losses) < 3:
        return []
    least, step = min(losses)
    last, _ = losses[-1]
    if last <= RISEN * least or step == losses[-1][1]:
        return []
    return [Finding("overfit", {"step": step, "least": f"{least:.3f}", "last": f"{last:.3f}"}, {"patience": 2})]


def _best(evaluations: Sequence[Evaluated], metric: str, greater_is_better: bool) -> float | None:
    values = [one.metrics[metric] for one in evaluations if math.isfinite(one.metrics.get(metric, math.nan))]
    if not values:
        return None
    return max(values) if greater_is_better else min(values)
