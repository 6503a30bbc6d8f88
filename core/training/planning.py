"""What a configuration will do, counted before anything is trained: examples, steps, evaluations, and what stands in
the way (book 5.2.2, 5.2.8).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from core.data.splits import Splits
from core.errors import AppError
from core.tasks.registry import find_task
from core.training.config import RunConfig, parse_config
from core.training.engine import plan_steps
from core.training.records import publish

SHOWN = 3  # examples
ROWS_TOLD = 10  # broken rows
_KEPT = 8  # data sets in memory


@dataclass(frozen=True)
class Problem:
    """Why a run would fail or say nothing: keys of the word catalogue, and the settings that would help.

    With `fatal` it cannot start.
    """

    key: str
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    fatal: bool = True


@dataclass(frozen=True)
class RunPlan:
    """What would start; `config` as anybody may see it. Counts of steps are those of one process.

    `labels` are those of the training part with their counts, in the task's order; `shown` are its first examples as
    rows, `rows` the first of the `broken` ones.
    """

    config: Mapping[str, Any]
    examples: int = 0
    validation: int = 0
    test: int = 0
    broken: int = 0
    rows: tuple[Mapping[str, Any], ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    shown: tuple[Mapping[str, Any], ...] = ()
    steps: int = 0
    epochs: float = 0.0
    evaluations: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def can_start(self) -> bool:
        """Whether nothing stands in the way."""
        return not any(problem.fatal for problem in self.problems)


def plan_run(config: RunConfig) -> RunPlan:
    """Count what a configuration will do; what is wrong with it is part of the answer."""
    public = publish(config)
    try:
        parse_config(config.as_json())
        splits = _load(config.task, json.dumps(asdict(config.data), ensure_ascii=False), config.hyperparameters.seed)
    except AppError as error:
        return RunPlan(public, problems=(Problem(error.key, dict(error.params)),))
    task, settings = find_task(config.task), config.hyperparameters
    counted = Counter(task.label_of(example) for example in splits.train)
    order = config.data.labels or task.labels(splits.train)
    plan = plan_steps(len(splits.train), settings, processes=1)
    return RunPlan(
        public,
        examples=len(splits.train),
        validation=len(splits.validation),
        test=len(splits.test),
        broken=len(splits.broken),
        rows=tuple(asdict(row) for row in splits.broken[:ROWS_TOLD]),
        labels={label: counted[label] for label in order if counted[label]},
        shown=tuple(task.write(example) for example in splits.train[:SHOWN]),
        steps=plan.steps,
        epochs=plan.steps / plan.steps_per_epoch,
        evaluations=math.ceil(plan.steps / plan.evaluate_every) if splits.validation else 0,
        problems=tuple(_find_problems(config, splits)),
    )


def _find_problems(config: RunConfig, splits: Splits[Any]) -> list[Problem]:
    """What the data say before training; the engine would say the fatal ones too, later."""
    task, settings, found = find_task(config.task), config.hyperparameters, list[Problem]()
    if not splits.train:
        return [Problem("error.training.empty_part", {"part": "train"})]
    if not splits.validation:
        if config.data.validation:
            found.append(Problem("error.training.empty_part", {"part": "validation"}))
        else:
            found.append(Problem("training.finding.no_validation", changes={"validation_share": 0.2}, fatal=False))
    known = frozenset(config.data.labels or task.labels(splits.train))
    if known:
        unseen = Counter(
            label
            for part in (splits.validation, splits.test)
            for example in part
            if (label := task.label_of(example)) is not None and label not in known
        )
        if unseen:
            label, count = unseen.most_common(1)[0]
            told = ", ".join(sorted(known))[:200]
            found.append(Problem("training.problem.unseen_label", {"label": label[:40], "count": count, "known": told}))
        if len(known) < 2:
            found.append(Problem("training.problem.one_label", {"label": next(iter(known))[:40]}))
    effective = settings.batch_size * settings.accumulation
    if effective > len(splits.train):
        params = {"batch": effective, "examples": len(splits.train)}
        found.append(
            Problem("training.problem.large_batch", params, {"batch_size": 16, "accumulation": 1}, fatal=False)
        )
    return found


@lru_cache(maxsize=_KEPT)
def _load(task: str, source: str, seed: int) -> Splits[Any]:
    """`source` as JSON, by which the same data are known again."""
    from core.data.loading import load_examples
    from core.data.source import DataSource

    told = json.loads(source)
    return load_examples(find_task(task), DataSource(**told | {"labels": tuple(told["labels"])}), seed=seed)
