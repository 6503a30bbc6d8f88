"""Finished models of tasks: loaded once, shared by everyone, never written to, from files that cannot run code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelUnavailable
from core.libraries import import_transformers
from core.models.loading import SHARED, find_folder, find_preset, prepare_torch, read_json, telling_unreadable
from core.presets import HEADS, MODELS
from core.tasks.registry import find_task
from core.tasks.task import Prediction, Setup, Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TASK_FILE = "task.json"
_CATALOGUE = (*HEADS, *MODELS)


@dataclass(frozen=True, slots=True, eq=False)
class TaskModel:
    """A model of a task in evaluation mode, its tokenizer, and what the task has to know. Shared: never change it."""

    task: Task[Any]
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    setup: Setup
    megabytes: float  # in memory


def load_task_model(source: str) -> TaskModel:
    """The finished model in a folder, or the one of that name in the catalogue, from the cache that all visitors share.

    A model that others published says nothing of its task: the catalogue does, and its labels stand in its own
    configuration.

    Raises:
        ModelUnavailable: not a folder with a finished model, not on this disk, not loadable safely, or too large.
        InvalidInput: `source` has not the form of a name.
    """
    found = find_folder(source, _CATALOGUE)
    found.check_size(source)
    model: TaskModel = SHARED.get((found.path, found.written, "task"), lambda: _load(source, found.path))
    return model


def predict(task_model: TaskModel, examples: Sequence[Any], *, batch_size: int = 32) -> list[Prediction]:
    """What the model says of each example, in their order."""
    return task_model.task.predict(
        task_model.model, task_model.tokenizer, examples, task_model.setup, batch_size=batch_size
    )


def find_model_folder(source: str, *, allow_download: bool) -> str:
    """The folder behind a bundled name, a path or an id of the Hub, after every check that needs no weight to be read.

    A model that is to be trained may be larger than those that the app keeps in memory.

    Raises:
        ModelUnavailable: not there, no model, with code of its own, or without safetensors.
        ServiceError: the Hub refused for a reason of its own.
        InvalidInput: `source` has not the form of a name.
    """
    return str(find_folder(source, _CATALOGUE, allow_download=allow_download, limited=False).path)


def read_setup(folder: Path) -> tuple[str, Setup] | None:
    """The task that a model was trained for and its setup; None for a base model."""
    read = read_json(folder / TASK_FILE)
    if "task" not in read:
        return None
    return str(read["task"]), Setup(
        labels=tuple(map(str, read.get("labels") or ())),
        max_length=int(read.get("max_length", 512)),
        max_target_length=int(read.get("max_target_length", 128)),
        options=dict(read.get("options") or {}),
    )


def write_setup(folder: Path, task: str, setup: Setup) -> None:
    """Write ``task.json``."""
    content = {
        "task": task,
        "labels": list(setup.labels),
        "max_length": setup.max_length,
        "max_target_length": setup.max_target_length,
        "options": dict(setup.options),
    }
    (folder / TASK_FILE).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def load_tokenizer_of(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder, as the tasks use it.

    Raises:
        ModelUnavailable: its files cannot be read.
    """
    import_transformers()
    from core.tasks.tokenizing import load_task_tokenizer

    return load_task_tokenizer(str(folder))


def find_setup(source: str, folder: Path) -> tuple[str, Setup] | None:
    """The task and setup of the model `source` that lies in `folder`: its own, or what the catalogue says of it."""
    preset = find_preset(source, _CATALOGUE)
    if preset is None or preset.bundled or preset not in HEADS:
        return read_setup(folder)
    labels = read_json(folder / "config.json").get("id2label") or {}
    return preset.task, Setup(labels=tuple(str(labels[number]) for number in sorted(labels, key=int)))


def _load(source: str, folder: Path) -> TaskModel:
    read = find_setup(source, folder)
    if read is None:
        raise ModelUnavailable("error.model.no_task", source=source)
    name, setup = read
    prepare_torch()
    task = find_task(name)
    with telling_unreadable(source):
        model = task.load(str(folder), setup)
    model.float().eval().requires_grad_(False)
    megabytes = sum(parameter.numel() for parameter in model.parameters()) * 4 / 1e6
    return TaskModel(task, model, load_tokenizer_of(folder), setup, megabytes)
