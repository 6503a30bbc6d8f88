"""The form: a visitor's choices as the configuration of a run, and a configuration as choices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import query as queries
from core.data.mapping import list_columns
from core.data.own import find_own, name_own
from core.data.source import DataSource
from core.errors import InvalidInput
from core.presets import ENCODERS, ids, is_own
from core.tasks.registry import find_task
from core.tasks.task import Hyperparameters
from core.training.config import PRESETS, LoraSettings, PresetName, RunConfig, preset
from core.training.recorded import SAMPLE, SENTIMENT, sample_source

# In the order of the book, chapter 5 first: it is where one learns to fine-tune.
TASKS = (
    "classification", "pair-classification", "similarity", "multiple-choice", "tagging", "tagging-crf", "headline",
    "simcse", "simcse-supervised", "retrieval", "reading", "reading-generative", "masked-lm", "causal-lm",
    "span-corruption",
)  # fmt: skip
OTHER_TASK = "error.training.other_task"  # of the data
# Those that are in sight; the others are folded away.
MAIN = ("learning_rate", "steps", "batch_size", "max_length")
FURTHER = (
    "epochs", "limit", "share", "evaluate_every", "patience", "schedule", "warmup", "weight_decay", "accumulation",
    "precision", "gradient_checkpointing", "length_grouping", "max_target_length", "lora_rank", "lora_alpha", "seed",
)  # fmt: skip
_PLAIN = tuple(name for name in (*MAIN, *FURTHER) if name in Hyperparameters.__dataclass_fields__)
_FIRST = preset("taste", Hyperparameters())


@dataclass(frozen=True)
class Query:
    """What would be trained; the run that is looked at, '' for the one that was recorded; and runs beside it.

    `steps` 0 counts by `epochs`, `limit` 0 takes all, `evaluate_every` 0 is once an epoch, `patience` 0 never stops,
    `lora_rank` 0 trains all weights. `share` in percent.
    """

    task: str = queries.one_of("classification", *TASKS)
    source: str = queries.one_of(SAMPLE, SAMPLE, SENTIMENT, free=True)
    model: str = queries.one_of("encoder", *ids(ENCODERS), free=True)
    learning_rate: float = queries.between(_FIRST.learning_rate, 0.0, 100.0, step=1e-6)
    steps: int = queries.within(_FIRST.steps, 0, 10_000_000)
    batch_size: int = queries.within(_FIRST.batch_size, 0, 1_000_000)
    max_length: int = queries.within(_FIRST.max_length, 0, 1_000_000)
    epochs: float = queries.between(_FIRST.epochs, 0.0, 10_000.0, step=0.1)
    limit: int = queries.within(0, 0, 1_000_000)
    share: int = queries.within(20, 0, 90, step=5)
    evaluate_every: int = queries.within(_FIRST.evaluate_every, 0, 1_000_000)
    patience: int = queries.within(0, 0, 20)
    schedule: str = queries.one_of("linear", "linear", "cosine", "constant")
    warmup: float = queries.between(_FIRST.warmup, 0.0, 1.0, step=0.05)
    weight_decay: float = queries.between(0.0, 0.0, 1.0, step=0.01)
    accumulation: int = queries.within(1, 0, 10_000)
    precision: str = queries.one_of("fp32", "fp32", "bf16", "fp16")
    gradient_checkpointing: bool = queries.flag()
    length_grouping: bool = queries.flag(_FIRST.length_grouping)
    max_target_length: int = queries.within(_FIRST.max_target_length, 0, 100_000)
    lora_rank: int = queries.within(0, 0, 64)
    lora_alpha: int = queries.within(32, 1, 128)
    seed: int = queries.within(42, 0, 999)
    run: str = queries.text("", limit=80)
    beside: str = queries.text("", limit=400)


def make_config(query: Query) -> RunConfig:
    """The configuration of what would be trained; a bundled model stands for the one of the task's kind.

    Raises:
        InvalidInput: the data are gone, are none that can be named here, or have not the columns that the task needs.
    """
    task = find_task(query.task)
    values = {name: getattr(query, name) for name in _PLAIN}
    bundled = any(one.bundled and one.id == query.model for one in ENCODERS)
    return RunConfig(
        task=query.task,
        data=replace(_find_data(query), limit=query.limit, validation_share=query.share / 100),
        model=task.architecture if bundled else query.model,
        hyperparameters=replace(task.defaults, **values),
        lora=LoraSettings(rank=query.lora_rank, alpha=query.lora_alpha) if query.lora_rank else None,
    )


def change_config(config: RunConfig, query: Query) -> RunConfig:
    """A configuration with the settings of the form, on the data and from the model that it has."""
    values = {name: getattr(query, name) for name in _PLAIN}
    return replace(
        config,
        data=replace(config.data, limit=query.limit, validation_share=query.share / 100),
        hyperparameters=replace(config.hyperparameters, **values),
        lora=LoraSettings(rank=query.lora_rank, alpha=query.lora_alpha) if query.lora_rank else None,
    )


def name_source(config: RunConfig) -> str:
    """The choice of data that a visitor's own configuration came from."""
    if not config.data.train.startswith("sample:"):
        return name_own(Path(config.data.train))
    return SENTIMENT if config.task == "classification" and not config.data.columns else SAMPLE


def params_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The choices that a public configuration came from; of files, which it does not tell, none."""
    settings, lora, data = config["hyperparameters"], config.get("lora"), config["data"]
    params = {name: settings[name] for name in _PLAIN if name in settings}
    params |= {"task": config["task"], "limit": data.get("limit", 0)}
    params |= {"share": round(100 * data.get("validation_share", 0.1))}
    params |= {"lora_rank": lora["rank"], "lora_alpha": lora["alpha"]} if lora else {"lora_rank": 0}
    if str(data["train"]).startswith("sample:"):
        plain = config["task"] == "classification" and not data.get("columns")
        params["source"] = SENTIMENT if plain else SAMPLE
    architecture = find_task(config["task"]).architecture
    params["model"] = "encoder" if config["model"] == architecture else config["model"]
    return params


def preset_params(name: PresetName, task: str) -> dict[str, Any]:
    """The fields that a preset sets."""
    values = preset(name, find_task(task).defaults)
    params = {field: getattr(values, field) for field in _PLAIN if field != "seed"}
    return params | {"lora_rank": 0, "limit": 0}


def chosen_preset(query: Query) -> str:
    """The preset whose values the form has; '' for none."""
    found = (
        name
        for name in PRESETS
        if all(getattr(query, field) == value for field, value in preset_params(name, query.task).items())
    )
    return next(found, "")


def in_fields(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changed hyperparameters as fields of the form."""
    params = {name: value for name, value in changes.items() if name in _PLAIN}
    if "validation_share" in changes:
        params["share"] = round(100 * changes["validation_share"])
    return params


def _find_data(query: Query) -> DataSource:
    if is_own(query.source):
        own = find_own(query.source)
        missing = sorted(set(list_columns(query.task)) - own.columns.keys())
        if missing:
            raise InvalidInput(OTHER_TASK, called=own.called, task=own.task, columns=", ".join(missing))
        return DataSource(str(own.path), columns=dict(own.columns))
    if query.source not in (SAMPLE, SENTIMENT):
        raise InvalidInput("error.dataset.unknown", name=query.source[:40], known=f"{SAMPLE}, {SENTIMENT}")
    return sample_source(query.task, sentiment=query.source == SENTIMENT and query.task == "classification")
