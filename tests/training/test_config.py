"""A configuration is read strictly: whatever is wrong with it is named by its field."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.data.source import DataSource
from core.errors import InvalidInput
from core.tasks.registry import TASKS, find_task
from core.tasks.task import Hyperparameters
from core.training.config import (
    PRESETS,
    LoraSettings,
    RunConfig,
    command_line,
    describe_differences,
    fill_options,
    parse_config,
    preset,
    read_config,
    write_config,
)

FULL = RunConfig(
    task="classification",
    data=DataSource("a.csv", columns={"text": "本文"}, labels=("良い", "悪い"), limit=100),
    hyperparameters=Hyperparameters(epochs=1, schedule="cosine"),
    lora=LoraSettings(targets=("query", "value")),
)


def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    for config in (FULL, RunConfig("similarity", DataSource("sample:similarity"))):
        write_config(config, tmp_path / "config.json")
        assert read_config(tmp_path / "config.json") == config


def changed(**changes: Any) -> dict[str, Any]:
    values = json.loads(json.dumps(FULL.as_json()))
    for path, value in changes.items():
        *parents, name = path.split("__")
        target = values
        for parent in parents:
            target = target[parent]
        target[name] = value
    return dict(values)


@pytest.mark.parametrize(
    ("change", "key", "field"),
    [
        ({"speed": 3}, "unknown_field", "speed"),
        ({"hyperparameters__learning_rat": 1e-5}, "unknown_field", "hyperparameters.learning_rat"),
        ({"options__depth": 1}, "unknown_field", "options.depth"),
        ({"hyperparameters__batch_size": "32"}, "field_type", "hyperparameters.batch_size"),
        ({"hyperparameters__batch_size": 3.5}, "field_type", "hyperparameters.batch_size"),
        ({"hyperparameters__batch_size": True}, "field_type", "hyperparameters.batch_size"),
        ({"hyperparameters__gradient_checkpointing": 1}, "field_type", "hyperparameters.gradient_checkpointing"),
        ({"data__labels": "良い"}, "field_type", "data.labels"),
        ({"data__columns": {"text": 3}}, "field_type", "data.columns"),
        ({"hyperparameters": None}, "field_type", "hyperparameters"),
        ({"lora__targets": [1]}, "field_type", "lora.targets"),
        ({"hyperparameters__schedule": "stairs"}, "field_choice", "hyperparameters.schedule"),
        ({"hyperparameters__learning_rate": -1e-5}, "field_range", "hyperparameters.learning_rate"),
        ({"hyperparameters__learning_rate": float("nan")}, "field_range", "hyperparameters.learning_rate"),
        ({"hyperparameters__batch_size": 0}, "field_range", "hyperparameters.batch_size"),
        ({"data__validation_share": 1.5}, "field_range", "data.validation_share"),
        ({"lora__rank": 0}, "field_range", "lora.rank"),
        ({"data__train": ""}, "missing_field", "data.train"),
        ({"data": {}}, "missing_field", "data.train"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], key: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_config(changed(**change))
    assert (caught.value.key, caught.value.params["field"]) == (f"error.training.{key}", field)


def test_what_is_missing_altogether(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"missing_field.*'data'"):
        parse_config({"task": "classification"})
    with pytest.raises(InvalidInput, match=r"error\.training\.task"):
        parse_config(changed(task="translation"))
    with pytest.raises(InvalidInput, match="no_config"):
        read_config(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInput, match="broken_config"):
        read_config(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InvalidInput, match="field_type"):
        read_config(tmp_path / "config.json")


def test_a_whole_number_is_a_number() -> None:
    config = parse_config(changed(hyperparameters__epochs=2))
    assert type(config.hyperparameters.epochs) is float


def test_every_task_is_found_by_its_name() -> None:
    for name in TASKS:
        task = find_task(name)
        assert task.name == name
        options = {option.name: option.default for option in task.options}
        config = RunConfig(name, DataSource("rows.jsonl"), hyperparameters=task.defaults, options=options)
        assert parse_config(json.loads(json.dumps(config.as_json()))) == config
        assert fill_options(task, {}) == options


def test_presets_keep_the_book_and_cut_the_rest_down() -> None:
    defaults = find_task("classification").defaults
    assert preset("book", defaults) == defaults
    steps = [preset(name, defaults).steps for name in PRESETS if name != "book"]
    assert 0 < steps[0] < steps[1]
    for name in PRESETS:
        values = RunConfig("classification", DataSource("rows.jsonl"), hyperparameters=preset(name, defaults)).as_json()
        assert parse_config(values).hyperparameters == preset(name, defaults)


def test_differences_are_listed_by_path() -> None:
    faster = replace(FULL, hyperparameters=replace(FULL.hyperparameters, learning_rate=1e-3), lora=None)
    assert describe_differences([FULL, FULL]) == {}
    found = describe_differences([FULL, faster, FULL])
    assert found["hyperparameters.learning_rate"] == (2e-5, 1e-3, 2e-5)
    assert found["lora.rank"] == (8, None, 8)
    assert {name.partition(".")[0] for name in found} == {"hyperparameters", "lora"}


def test_the_command_line() -> None:
    assert command_line("runs/one") == "python -m core.training runs/one"
    assert command_line("my runs/one", processes=2) == 'torchrun --nproc-per-node 2 -m core.training "my runs/one"'
