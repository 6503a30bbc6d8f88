"""Every task by name; a task's module is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from core.errors import InvalidInput
from core.tasks.task import Task

# In the order of the book. The module of a task holds it as `TASK`, or among its `TASKS`.
MODULES: Mapping[str, str] = MappingProxyType(
    {
        "causal-lm": "language_modelling",
        "masked-lm": "language_modelling",
        "span-corruption": "language_modelling",
        "classification": "classification",
        "pair-classification": "pairs",
        "similarity": "pairs",
        "multiple-choice": "choice",
        "tagging": "tagging",
        "tagging-crf": "tagging",
        "headline": "headline",
        "simcse": "simcse",
        "simcse-supervised": "simcse",
        "retrieval": "retrieval",
        "reading": "reading",
        "reading-generative": "reading",
    }
)
TASKS: tuple[str, ...] = tuple(MODULES)


def find_task(name: str) -> Task[Any]:
    """The task called `name`.

    Raises:
        InvalidInput: there is no such task.
    """
    if name not in MODULES:
        raise InvalidInput("error.training.task", name=name, names=", ".join(TASKS))
    module = import_module(f"core.tasks.{MODULES[name]}")
    tasks: tuple[Task[Any], ...] = getattr(module, "TASKS", None) or (module.TASK,)
    return next(task for task in tasks if task.name == name)
