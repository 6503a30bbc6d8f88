"""The configuration of a run: the one artifact from which a run can be previewed, shared and done again."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from core.data.source import DataSource
from core.errors import InvalidInput
from core.tasks.registry import find_task
from core.tasks.task import Hyperparameters, Option, Task

PresetName = Literal["taste", "workshop", "book"]
PRESETS: tuple[PresetName, ...] = ("taste", "workshop", "book")


# By task: the sample that it can be tried on, and the one that it is judged by where that is another.
EXAMPLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "causal-lm": ("passages", ""),
        "masked-lm": ("passages", ""),
        "span-corruption": ("passages", ""),
        "classification": ("reviews", ""),
        "pair-classification": ("inference", ""),
        "similarity": ("similarity", ""),
        "multiple-choice": ("choices", ""),
        "tagging": ("entities", ""),
        "tagging-crf": ("entities", ""),
        "headline": ("articles", ""),
        "simcse": ("passages", "similarity"),
        "simcse-supervised": ("inference", "similarity"),
        "retrieval": ("quiz", ""),
        "reading": ("quiz", ""),
        "reading-generative": ("quiz", ""),
    }
)


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adaptation (Hu et al. 2021; book 5.5.4): the defaults are the book's.

    `targets` names the modules that get an adapter; empty for the ones that peft knows for the architecture.
    """

    rank: int = 8
    alpha: int = 32
    dropout: float = 0.1
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides how a run goes. `model` is a bundled name, a folder, or an id of the Hub.

    Parameters whose name holds one of `frozen` are not trained (``word_embeddings``: the vectors of a small model's
    rare tokens stay where pre-training put them, and may be shared on the disk).
    """

    task: str
    data: DataSource
    model: str = "encoder"
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    lora: LoraSettings | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values, for ``config.json``."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Range:
    """What a number may be, both ends included."""

    low: float
    high: float


# By the path of the field. What is not named here may be any value of its type.
RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "data.validation_share": Range(0.0, 0.9),
        "data.limit": Range(0, 10**9),
        "data.validation_limit": Range(0, 10**9),
        "hyperparameters.epochs": Range(0.001, 1_000),
        "hyperparameters.steps": Range(0, 10**7),
        "hyperparameters.batch_size": Range(1, 4_096),
        "hyperparameters.accumulation": Range(1, 4_096),
        "hyperparameters.learning_rate": Range(0.0, 10.0),
        "hyperparameters.warmup": Range(0.0, 1.0),
        "hyperparameters.weight_decay": Range(0.0, 10.0),
        "hyperparameters.max_gradient_norm": Range(0.0, 10**6),
        "hyperparameters.max_length": Range(4, 8_192),
        "hyperparameters.max_target_length": Range(2, 8_192),
        "hyperparameters.evaluate_every": Range(0, 10**7),
        "hyperparameters.patience": Range(0, 10**4),
        "hyperparameters.seed": Range(0, 2**31 - 1),
        "lora.rank": Range(1, 1_024),
        "lora.alpha": Range(1, 4_096),
        "lora.dropout": Range(0.0, 0.9),
    }
)


def read_config(path: Path) -> RunConfig:
    """The configuration in a JSON file.

    Raises:
        InvalidInput: there is no such file, or what it holds is not a configuration; the field is named.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput("error.training.no_config", file=path.name) from None
    except (OSError, ValueError) as error:
        raise InvalidInput("error.training.broken_config", file=path.name, detail=str(error)) from None
    return parse_config(read)


def write_config(config: RunConfig, path: Path) -> None:
    """Write a configuration as JSON for people to read."""
    path.write_text(json.dumps(config.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def parse_config(values: Any) -> RunConfig:
    """A configuration from plain values, every one of them checked.

    Raises:
        InvalidInput: a field is unknown, missing, of a wrong type or out of its range; its path is named.
    """
    config: RunConfig = _parse(RunConfig, values, "")
    task = find_task(config.task)
    check_options(task, config.options)
    if not config.data.train:
        raise InvalidInput("error.training.missing_field", field="data.train")
    if not config.model:
        raise InvalidInput("error.training.missing_field", field="model")
    return config


def check_options(task: Task[Any], options: Mapping[str, Any]) -> None:
    """Check a task's own settings by name, type and choice.

    Raises:
        InvalidInput: one is unknown or has a value it cannot have.
    """
    known: dict[str, Option] = {option.name: option for option in task.options}
    for name, value in options.items():
        path = f"options.{name}"
        if name not in known:
            raise InvalidInput("error.training.unknown_field", field=path, names=", ".join(known) or "–")
        option = known[name]
        value = _convert(type(option.default), value, path)
        if option.choices and value not in option.choices:
            raise InvalidInput(
                "error.training.field_choice", field=path, value=str(value), choices=", ".join(option.choices)
            )


def fill_options(task: Task[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of a task by name, its default where `options` does not name it."""
    return {option.name: options.get(option.name, option.default) for option in task.options}


def preset(name: PresetName, defaults: Hyperparameters) -> Hyperparameters:
    """A task's defaults as they are in the book, or cut down so that a laptop without a GPU is done in time.

    ``taste`` takes at most 2 minutes and ``workshop`` at most 5 with a bundled model on two cores; both raise the
    learning rate, because a bundled model is far smaller than BERT-base.
    """
    if name == "book":
        return defaults
    steps, length, target = (100, 128, 32) if name == "taste" else (400, 128, 48)
    return replace(
        defaults,
        steps=steps,
        batch_size=min(defaults.batch_size, 16),
        accumulation=1,
        learning_rate=max(defaults.learning_rate, 3e-4),
        max_length=min(defaults.max_length, length),
        max_target_length=min(defaults.max_target_length, target),
        evaluate_every=steps // 5,
        patience=0,
        precision="fp32",
        gradient_checkpointing=False,
        length_grouping=True,
    )


def example_config(name: str) -> RunConfig:
    """A taste of a task: its bundled sample, the bundled model of its kind, and few steps.

    Raises:
        InvalidInput: there is no such task.
    """
    task = find_task(name)
    train, validation = EXAMPLES[name]
    data = DataSource(f"sample:{train}", validation=validation and f"sample:{validation}")
    return RunConfig(name, data, model=task.architecture, hyperparameters=preset("taste", task.defaults))


def describe_differences(configs: Sequence[RunConfig]) -> dict[str, tuple[Any, ...]]:
    """The fields in which configurations differ, by path, with the value of each configuration in their order."""
    flat = [_flatten(config.as_json()) for config in configs]
    names = dict.fromkeys(name for one in flat for name in one)
    columns = {name: tuple(one.get(name) for one in flat) for name in names}
    return {name: values for name, values in columns.items() if any(value != values[0] for value in values)}


def command_line(folder: str, *, processes: int = 1) -> str:
    """The command that trains or goes on training the run in `folder`, typed in the project's folder."""
    quoted = f'"{folder}"' if any(c in folder for c in " '()&") else folder
    program = f"torchrun --nproc-per-node {processes}" if processes > 1 else "python"
    return f"{program} -m core.training {quoted}"


def _flatten(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{path}{name}.")
        elif value != {}:
            flat[f"{path}{name}"] = value
    return flat


def _parse(kind: Any, values: Any, path: str) -> Any:
    """A dataclass of `kind` from a mapping; `path` is where it stands, with a dot at its end."""
    if not isinstance(values, Mapping):
        raise InvalidInput("error.training.field_type", field=path.rstrip(".") or "config.json", expected="object")
    hints = get_type_hints(kind)
    names = {f.name for f in fields(kind)}
    for name in values:
        if name not in names:
            raise InvalidInput("error.training.unknown_field", field=f"{path}{name}", names=", ".join(sorted(names)))
    arguments = {name: _convert(hints[name], value, f"{path}{name}") for name, value in values.items()}
    try:
        return kind(**arguments)
    except TypeError:
        missing = next(
            name for name in (f.name for f in fields(kind)) if name in ("task", "data", "train") and name not in values
        )
        raise InvalidInput("error.training.missing_field", field=f"{path}{missing}") from None


def _convert(hint: Any, value: Any, path: str) -> Any:
    """`value` as what a field is annotated with, without guessing: no text becomes a number."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _convert(next(part for part in get_args(hint) if part is not type(None)), value, path)
    if origin is Literal:
        if value not in get_args(hint):
            choices = ", ".join(map(str, get_args(hint)))
            raise InvalidInput("error.training.field_choice", field=path, value=str(value), choices=choices)
        return value
    if is_dataclass(hint):
        return _parse(hint, value, f"{path}.")
    if origin is tuple:
        if (
            isinstance(value, str)
            or not isinstance(value, Sequence)
            or not all(isinstance(item, str) for item in value)
        ):
            raise InvalidInput("error.training.field_type", field=path, expected="[text, …]")
        return tuple(value)
    if origin is Mapping:
        only_text = str in get_args(hint)[1:]
        if not isinstance(value, Mapping) or (only_text and not all(isinstance(v, str) for v in value.values())):
            raise InvalidInput("error.training.field_type", field=path, expected="object")
        return dict(value)
    expected: Mapping[Any, tuple[tuple[type, ...], str]] = {
        bool: ((bool,), "true / false"),
        int: ((int,), "integer"),
        float: ((int, float), "number"),
        str: ((str,), "text"),
    }
    accepted, name = expected[hint]
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise InvalidInput("error.training.field_type", field=path, expected=name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    limits = RANGES.get(path)
    if not math.isfinite(value) or (limits and not limits.low <= value <= limits.high):
        low, high = (limits.low, limits.high) if limits else (-math.inf, math.inf)
        raise InvalidInput("error.training.field_range", field=path, value=value, low=low, high=high)
    return hint(value)
