"""What is counted and found before a run starts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.data.source import DataSource
from core.tasks.registry import TASKS
from core.tasks.task import Hyperparameters
from core.training.config import RunConfig
from core.training.engine import load_parts, plan_steps
from core.training.planning import RunPlan, plan_run
from core.training.recorded import CHANGES, Change, recipes, sample_source, vary
from tests.training.tiny import write_rows

FAST = Hyperparameters(steps=10, batch_size=4, evaluate_every=5)


def plan_rows(folder: Path, rows: list[dict[str, str]], *, judged: list[dict[str, str]] | None = None) -> RunPlan:
    data = DataSource(
        write_rows(folder / "train.jsonl", rows),
        validation=write_rows(folder / "judged.jsonl", judged) if judged is not None else "",
        validation_share=0.0,
    )
    return plan_run(RunConfig("classification", data, hyperparameters=FAST))


ROWS = [{"text": f"文{n}です。", "label": "ab"[n % 2]} for n in range(20)]


@pytest.mark.parametrize("task", TASKS)
def test_the_plan_counts_what_the_engine_will_see(task: str) -> None:
    from core.tasks.registry import find_task

    config = recipes()[task]
    plan = plan_run(config)
    parts = load_parts(find_task(task), config.data, seed=config.hyperparameters.seed)
    assert (plan.examples, plan.validation, plan.test) == tuple(map(len, (parts.train, parts.validation, parts.test)))
    assert plan.steps == plan_steps(plan.examples, config.hyperparameters, processes=1).steps == 100
    assert plan.can_start
    assert len(plan.shown) == 3
    assert json.loads(json.dumps(plan.config)) == json.loads(json.dumps(config.as_json()))


def test_a_label_that_training_never_shows_is_found_before_training(tmp_path: Path) -> None:
    judged = [{"text": "あれ", "label": "c"}, {"text": "それ", "label": "a"}]
    plan = plan_rows(tmp_path, ROWS, judged=judged)
    assert not plan.can_start or plan.broken == 1, "the reader sets such rows aside, and says so"
    if plan.broken:
        assert plan.rows[0]["key"] == "error.data.unknown_label"


def test_a_label_that_the_split_leaves_out_of_training_is_found(tmp_path: Path) -> None:
    rows = [*ROWS, {"text": "これだけ。", "label": "rare"}]
    data = DataSource(write_rows(tmp_path / "rows.jsonl", rows), validation_share=0.3)
    keys = set()
    for seed in range(8):
        config = RunConfig("classification", data, hyperparameters=replace(FAST, seed=seed))
        plan = plan_run(config)
        keys |= {problem.key for problem in plan.problems}
        for problem in plan.problems:
            assert problem.fatal
            assert problem.params["label"] == "rare"
    assert keys <= {"training.problem.unseen_label"}


def test_one_label_cannot_be_told_from_another(tmp_path: Path) -> None:
    plan = plan_rows(tmp_path, [row | {"label": "a"} for row in ROWS])
    assert [problem.key for problem in plan.problems if problem.fatal] == ["training.problem.one_label"]


def test_no_validation_and_a_batch_larger_than_the_data_are_told_but_may_start(tmp_path: Path) -> None:
    config = RunConfig(
        "classification",
        DataSource(write_rows(tmp_path / "rows.jsonl", ROWS), validation_share=0.0),
        hyperparameters=replace(FAST, batch_size=64),
    )
    plan = plan_run(config)
    assert plan.can_start
    assert {problem.key: dict(problem.changes) for problem in plan.problems} == {
        "training.finding.no_validation": {"validation_share": 0.2},
        "training.problem.large_batch": {"batch_size": 16, "accumulation": 1},
    }
    assert plan.evaluations == 0


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"batch_size": 10_000}, "field_range"),
        ({"learning_rate": 11.0}, "field_range"),
        ({"max_length": 1}, "field_range"),
    ],
)
def test_a_setting_out_of_its_range_is_told_by_name(settings: dict[str, Any], key: str) -> None:
    config = RunConfig("classification", sample_source("classification"), hyperparameters=replace(FAST, **settings))
    plan = plan_run(config)
    assert not plan.can_start
    (problem,) = plan.problems
    assert problem.key.endswith(key)
    assert problem.params["field"] == f"hyperparameters.{next(iter(settings))}"


def test_a_cell_of_thirty_megabytes_is_set_aside_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lines = ["text,label", *(f"{row['text']},{row['label']}" for row in ROWS), f"{'長' * 10_000_000},a"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert path.stat().st_size > 30_000_000
    plan = plan_run(RunConfig("classification", DataSource(str(path), validation_share=0.2), hyperparameters=FAST))
    assert (plan.examples + plan.validation, plan.broken) == (20, 1)
    assert plan.rows[0]["key"] == "error.data.long_cell"
    assert plan.rows[0]["line"] == 22
    assert plan.can_start
    assert str(tmp_path) not in str(plan), "where a file lies tells whose it is"


@pytest.mark.parametrize("change", CHANGES)
def test_one_thing_is_changed_and_nothing_else(change: Change) -> None:
    from core.training.config import describe_differences, parse_config

    base = recipes()["classification"]
    other = vary(base, change, examples=320)
    assert parse_config(other.as_json())
    paths = {"rate": {"hyperparameters.learning_rate"}, "half": {"data.limit"}}
    differing = set(describe_differences([base, other]))
    assert differing == paths.get(change, {name for name in differing if name.startswith("lora")})
    assert differing
