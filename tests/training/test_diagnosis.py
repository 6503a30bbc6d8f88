"""What curves are taken to say, on curves whose story is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from core.tasks.task import Hyperparameters
from core.training.diagnosis import Finding, diagnose
from core.training.events import Evaluated, Step


def steps(losses: Sequence[float]) -> list[Step]:
    return [
        Step(step=n, total=len(losses), loss=loss, learning_rate=1e-4, gradient_norm=1.0, samples_per_second=1.0,
             seconds_left=0.0)
        for n, loss in enumerate(losses, start=1)
    ]  # fmt: skip


def evaluations(losses: Sequence[float], accuracies: Sequence[float]) -> list[Evaluated]:
    return [
        Evaluated(step=10 * n, metrics={"loss": loss, "accuracy": accuracy}, best=False)
        for n, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True), start=1)
    ]


def find(
    losses: Sequence[float],
    judged: Sequence[Evaluated] = (),
    *,
    rate: float = 3e-4,
    trivial: float | None = 0.5,
    validation: int = 80,
) -> list[Finding]:
    settings = Hyperparameters(learning_rate=rate)
    return list(
        diagnose(
            steps(losses), judged, settings, metric="accuracy", greater_is_better=True, trivial=trivial,
            validation=validation,
        )
    )  # fmt: skip


FALLING = [2.0 * 0.97**n for n in range(60)]
FLAT = [0.7 + 0.01 * math.sin(n) for n in range(60)]


def test_a_run_that_learns_is_left_in_peace() -> None:
    assert find(FALLING, evaluations([1.5, 1.1, 0.9, 0.85], [0.5, 0.7, 0.8, 0.82])) == []


@pytest.mark.parametrize(
    ("rate", "key", "cure"), [(10.0, "rate_high", 1e-3 / 3), (3e-3, "rate_high", 3e-4), (1e-6, "rate_low", 1e-5)]
)
def test_a_loss_that_does_not_fall_is_the_rates_fault_where_the_rate_is_extreme(
    rate: float, key: str, cure: float
) -> None:
    (found,) = find(FLAT, rate=rate)
    assert found.key == key
    assert found.changes["learning_rate"] == pytest.approx(cure, rel=0.2)
    assert found.params["learning_rate"] == f"{rate:g}"


def test_a_loss_that_leaps_is_the_rates_fault_at_any_rate() -> None:
    (found,) = find([0.7] * 10 + [3.0] * 20 + [0.8] * 30)
    assert found.key == "rate_high"


def test_a_loss_that_does_not_fall_at_a_common_rate_is_told_without_a_cure() -> None:
    (found,) = find(FLAT)
    assert (found.key, dict(found.changes)) == ("stuck", {})


def test_what_was_learned_by_heart_is_told_with_its_best_moment() -> None:
    (found,) = find(FALLING, evaluations([0.9, 0.8, 0.95, 1.2], [0.6, 0.7, 0.7, 0.65]))
    assert (found.key, found.params["step"], dict(found.changes)) == ("overfit", 20, {"patience": 2})


def test_an_answer_that_is_always_the_same_is_no_learning() -> None:
    (found,) = find(FALLING, evaluations([0.8, 0.75, 0.74], [0.5, 0.48, 0.505]))
    assert found.key == "at_chance"
    assert find(FALLING, evaluations([0.8, 0.75, 0.74], [0.5, 0.48, 0.505]), trivial=None) == []


def test_without_validation_nothing_can_be_judged() -> None:
    assert [one.key for one in find(FALLING, validation=0)] == ["no_validation"]


def test_nothing_is_said_too_early_or_about_numbers_that_are_none() -> None:
    assert find(FLAT[:10]) == []
    assert find([], evaluations([], [])) == []
    assert [one.key for one in find([math.nan] * 60)] == ["stuck"]
